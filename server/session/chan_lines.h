/* The guard of a shell's channel: lineguard between the client and the backend, judged by the
 * broker.
 *
 * Output passes at once and is only followed; input passes through lineguard alone. Each line whose
 * Enter is held goes to the broker (IPC_LINE), its verdict comes back (IPC_LINE_VERDICT), and how
 * it ended is reported for the audit (IPC_LINE_END) and marked in the transcript. An analyser that
 * fails is reported and from then on passes everything: it never breaks the relay. */
#ifndef BARTIZAN_SESSION_CHAN_LINES_H
#define BARTIZAN_SESSION_CHAN_LINES_H

#include <stddef.h>
#include <stdint.h>

struct chan;
struct chan_guard;
struct msg_line_verdict;

struct chan_guard *chan_guard_new(struct chan *chan); /* takes over chan->in; NULL without memory */
void chan_guard_free(struct chan_guard *guard);	      /* NULL allowed */
/* what the backend printed */
void chan_guard_output(struct chan_guard *guard, const void *data, size_t len);
void chan_guard_resize(struct chan_guard *guard);
void chan_guard_turn(struct chan_guard *guard);
int64_t chan_guard_due(const struct chan_guard *guard); /* monotonic ms; INT64_MAX: never */
void chan_guard_verdict(struct chan_guard *guard, const struct msg_line_verdict *verdict);

#endif
