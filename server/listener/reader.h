/* The reader: a short-lived child that loads and checks the configuration, so that the listener
 * (and with it every session) never has it in memory.
 *
 * It answers with one message on a SEQPACKET link: IPC_READY with an encoded struct listener_conf
 * as its body and the sealed bundle as its descriptor, or IPC_FAILED with the reason. */
#ifndef BARTIZAN_LISTENER_READER_H
#define BARTIZAN_LISTENER_READER_H

#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"
#include "server/role/listener_conf.h"
#include "server/role/mains.h"

#define READER_TIME_MS 30000 /* then it is killed and the reload refused */

int reader_start(const struct role_mains *mains, const char *path, pid_t *ret_pid, int *ret_fd,
	struct err *err);
/* Reads the answer once the fd is readable. Also says why when the child died without one. */
int reader_result(int fd, struct listener_conf **ret, int *ret_bundle, struct err *err);
/* Start, wait at most READER_TIME_MS, reap: for the first configuration, before there is an event
 * loop. */
int reader_run(const struct role_mains *mains, const char *path, struct listener_conf **ret,
	int *ret_bundle, struct err *err);

#endif
