/* File descriptors: flags, whole reads and writes, passing. */
#ifndef BARTIZAN_FD_H
#define BARTIZAN_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"

#define FD_CLEANUP __attribute__((cleanup(fd_closep)))

void fd_closep(int *fd); /* closes when >= 0 and sets -1; errno is kept */
int fd_nonblock(int fd); /* 0 or -errno */
int fd_write_all(int fd, const void *data, size_t len); /* blocking fds; 0 or -errno */
/* Both append to ret, or nothing on failure; -EFBIG beyond max or the buffer's own maximum. */
/* regular files only */
int fd_read_file(int dir, const char *path, size_t max, struct buf *ret, struct err *err);
/* from the current offset to the end */
int fd_read_all(int fd, size_t max, struct buf *ret, struct err *err);
/* AF_UNIX socketpair, CLOEXEC; type SOCK_STREAM or SOCK_SEQPACKET */
int fd_pair(int type, int ret[2]);
/* sealed against change, offset 0; fd or -errno */
int fd_memfd(const char *name, const void *data, size_t len);
/* the whole of such memory, wherever its offset is; -EBADMSG when empty or larger than max */
int fd_read_memfd(int fd, size_t max, struct buf *ret);
/* Closes everything above 2 that is not in keep (ascending or not). Used right after fork. */
void fd_close_others(const int *keep, size_t count);

#endif
