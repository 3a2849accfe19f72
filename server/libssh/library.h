/* Which libssh and OpenSSL this program runs on, and what it cannot do with them.
 *
 * The build links libssh 0.12 statically (packaging/libssh.sh); LIBSSH=system takes the
 * distribution's, which may be older and lacks the project's changes. */
#ifndef BARTIZAN_LIBSSH_LIBRARY_H
#define BARTIZAN_LIBSSH_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define LIBRARY_WORDS_MAX 256

/* Initialise OpenSSL and libssh once, before any fork: afterwards a sandboxed session opens no
 * file. Also logs which they are, and refuses a libssh that misses security fixes. */
int session_library_init(struct err *err);

bool library_post_quantum(void); /* mlkem768x25519 and sntrup761x25519 can be agreed on */
/* "libssh 0.12.2 (Debian's source 0.12.2-1, static), OpenSSL 3.0.17 1 Jul 2025" */
void library_describe(char *out, size_t size);
const char *library_missing(void); /* a text for people; NULL: nothing is missing */

#endif
