/* Reading a target's host keys. */
#ifndef BARTIZAN_BROKER_DIAL_SCAN_H
#define BARTIZAN_BROKER_DIAL_SCAN_H

#include "server/broker/core/impl.h"

/* Connects to a target and reads its host keys, in a sandboxed process of its own. done is called
 * once. keys: NULL-terminated "type base64" lines, borrowed; NULL on failure with the reason.
 * target is borrowed for the call only. port 0: the target's own. */
typedef void scan_done_fn(void *context, char *const *keys, const char *reason);
void scan_start(struct broker *broker, const struct target *target, const char *name, uint16_t port,
	scan_done_fn *done, void *context);
/* The caller with this context goes away: done is not called for its scans any more. */
void scan_forget(struct broker *broker, void *context);
void scans_close(struct broker *broker); /* when the broker ends */

/* ---- the scanning process, as reported by the listener ---- */
struct scan *scan_by_id(struct broker *broker, uint32_t id);
void scan_client(struct scan *scan, const struct msg_client *msg, int fd); /* takes the fd */
bool scan_gone(struct broker *broker, uint64_t connection);

#endif
