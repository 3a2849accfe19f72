/* Lines typed at a terminal, in a shell or in the program of an exec, whose rule has a guard: each
 * is judged before its Enter goes on (lineguard/lineguard.h is the session's half).
 *
 * Deny has the line cleared; warn asks at the terminal; approve waits for an approval of these very
 * bytes, on this target, as this login, in this environment, in a shell or inside of this very
 * command. Every judgement is an audit event, written before the
 * answer. The rule is looked up by name each time: a reload counts for the shells that are open,
 * and a shell whose rule is gone runs nothing any more. How surely a line was read, and what it is,
 * is what the session says: against a session process that was taken over the guard is no defence.
 */
#ifndef BARTIZAN_BROKER_ACCESS_LINES_H
#define BARTIZAN_BROKER_ACCESS_LINES_H

#include "server/broker/access/access.h"
#include "server/broker/approval/queue.h"

/* An access that is allowed: where it has a terminal and its rule has a guard, what is typed there
 * is judged from now on, line by line. For an exec as well: `ed` and `python3 -i` run commands,
 * too. */
int lines_begin(struct access_request *request, struct err *err);
void lines_free(struct lines *lines); /* NULL: nothing. A request that a line waits for stays */

int handle_line(struct client *client, const void *msg, struct err *err);
int handle_line_end(struct client *client, const void *msg, struct err *err);

#endif
