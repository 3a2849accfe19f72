/* Read-ahead for libssh: it reads 4096 bytes a system call and polls before each.
 *
 * libssh has no hook for its socket input, but calls poll() and recv() through the dynamic linker,
 * so the program's own definitions (readahead.c) take their place: for a descriptor that is
 * watched, recv() fetches up to READAHEAD_SIZE at once and hands it out in the slices that libssh
 * asks for, send() remembers whether the socket took everything, and poll() of that descriptor
 * alone answers from what is known. Every other descriptor goes straight to the kernel. Only
 * session processes watch any. Measured: ARCHITECTURE.md, "Performance". */
#ifndef BARTIZAN_LIBSSH_READAHEAD_H
#define BARTIZAN_LIBSSH_READAHEAD_H

#include <stdbool.h>

#define READAHEAD_SIZE (64 * 1024)
/* descriptors that can be watched at a time; further ones are read as libssh does */
#define READAHEAD_FDS 160

void readahead_watch(int fd);
void readahead_forget(int fd);
/* bytes were fetched from the kernel but not yet handed out: poll() does not report them */
bool readahead_waiting(int fd);
void readahead_ready(int fd); /* poll() has just said that it is readable */
void readahead_trim(int fd);  /* gives an empty buffer back: an idle session keeps none */

#endif
