/* The reader: a short-lived child that loads and checks the configuration, so that the listener
 * (and with it every session) never has it in memory.
 *
 * Its answer (server/reader/make.h) is the listener's own slice, decoded here, and one descriptor
 * of sealed memory for each role that gets a share of the configuration. The listener hands those
 * on and never looks into them. */
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
/* Reads the answer once the fd is readable; the descriptors are the caller's then. Also says why
 * when the child died without one. */
int reader_result(int fd, struct listener_conf **ret, int ret_fds[READER_FDS], struct err *err);
/* Start, wait at most READER_TIME_MS, reap: for the first configuration, before there is an event
 * loop. */
int reader_run(const struct role_mains *mains, const char *path, struct listener_conf **ret,
	int ret_fds[READER_FDS], struct err *err);

#endif
