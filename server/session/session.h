/* The session role: one client connection, SSH on both legs. Started by the listener's fork for
 * each accepted connection. */
#ifndef BARTIZAN_SESSION_SESSION_H
#define BARTIZAN_SESSION_SESSION_H

#include "server/role/session_conf.h"

int session_main(const struct session_start *start); /* exit status of the process */
/* a scan of host keys: receives IPC_GRANT with a socket, sends IPC_SCANNED */
int session_scan_main(const struct session_start *start);

#endif
