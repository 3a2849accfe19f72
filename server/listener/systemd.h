/* The service manager's readiness protocol (sd_notify(3)) by hand: one datagram to $NOTIFY_SOCKET.
 * Does nothing when that is not set. */
#ifndef BARTIZAN_LISTENER_SYSTEMD_H
#define BARTIZAN_LISTENER_SYSTEMD_H

void systemd_ready(void);
void systemd_reloading(void); /* to be followed by systemd_ready() whatever came of it */
void systemd_stopping(void);

#endif
