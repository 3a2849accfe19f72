/* seccomp for sessions: kill by default, the calls that libssh needs allowed, file and network
 * opening answered with EACCES. */
#ifndef BARTIZAN_ROLE_SANDBOX_H
#define BARTIZAN_ROLE_SANDBOX_H

#include "common/err.h"

/* After it: no open, no socket, no connect, no exec, no fork. Also RLIMIT_NPROC 0, RLIMIT_AS as the
 * last wall, RLIMIT_CORE 0. To be called after OpenSSL and libssh were initialised and before the
 * first client byte is read. Under a sanitizer (compiled in) the calls it needs are allowed as
 * well. */
int sandbox_session(struct err *err);
/* For signer and egress: what they need and no more. egress may open sockets and read resolver
 * files; signer after loading its keys only reads and writes its link. */
int sandbox_signer(struct err *err);
int sandbox_egress(struct err *err);

#endif
