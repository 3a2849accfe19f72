/* The reader: loads and checks the configuration, and makes what each role may know of it. It runs
 * with the listener's privileges (key files may be root's alone), reads only the configuration and
 * what it names, and is gone before the first client.
 *
 * Its answer is one message: IPC_READY with the listener's slice as its body and three descriptors
 * of sealed memory, in the order of enum reader_fd; or IPC_FAILED with the reason. */
#ifndef BARTIZAN_READER_MAKE_H
#define BARTIZAN_READER_MAKE_H

#include "common/buf.h"
#include "common/err.h"

/* The whole check, in this process: for `bartizand -t` and `-T`. dump: what is in force; may be
 * NULL. */
int reader_check(const char *path, struct buf *dump, struct err *err);

/* The child that the listener starts (listener/reader.h): the answer goes to fd. Exit status. */
int reader_main(const char *path, int fd);

#endif
