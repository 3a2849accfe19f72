/* Free space for transcripts in the state directory. */
#ifndef BARTIZAN_BROKER_RECORD_DISK_H
#define BARTIZAN_BROKER_RECORD_DISK_H

#include "server/broker/core/impl.h"

uint64_t disk_free(struct broker *broker); /* in bytes; 0 if it cannot be read */
bool disk_low(struct broker *broker);	   /* less than transcripts.min_free */
/* Whether somebody may work although the disk is full, if necessary without a recording: members of
 * the role transcripts.break_glass. */
bool disk_exempt(struct broker *broker, const struct identity *who);
int disk_watch(struct broker *broker);

#endif
