/* The library itself. */
#ifndef BARTIZAN_LIBSSH_LIBRARY_H
#define BARTIZAN_LIBSSH_LIBRARY_H

#include "common/err.h"

/* Initialise OpenSSL and libssh once, before any fork: afterwards a sandboxed session opens no
 * file. Also refuses a libssh older than 0.10.6-0+deb12u3. */
int session_library_init(struct err *err);

#endif
