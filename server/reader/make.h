/* The reader: loads and checks the configuration, and makes what each role may know of it. It runs
 * with the listener's privileges (key files may be root's alone), reads only the configuration and
 * what it names, and is gone before the first client. */
#ifndef BARTIZAN_READER_MAKE_H
#define BARTIZAN_READER_MAKE_H

#include "common/buf.h"
#include "common/err.h"
#include "server/role/listener_conf.h"

/* The whole check, in this process: for the reader child and for `bartizand -t` and `-T`.
 * ret_bundle and dump may be NULL. */
int reader_check(const char *path, struct listener_conf **ret, int *ret_bundle, struct buf *dump,
	struct err *err);

/* The child that the listener starts (listener/reader.h): the answer goes to fd. Exit status. */
int reader_main(const char *path, int fd);

#endif
