/* Room for transcripts in the state directory. */
#ifndef BARTIZAN_BROKER_RECORD_DISK_H
#define BARTIZAN_BROKER_RECORD_DISK_H

#include "server/broker/core/impl.h"

uint64_t disk_free(struct broker *broker); /* bytes; not known counts as none */
bool disk_low(struct broker *broker);	   /* less than transcripts.min_free */
/* may work all the same, unrecorded if need be: whoever is in the role transcripts.break_glass */
bool disk_exempt(struct broker *broker, const struct identity *who);
int disk_watch(struct broker *broker);

#endif
