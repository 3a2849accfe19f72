/* Channels that wait for a human: what their user is shown and asked, and how the wait ends.
 *
 * A channel waits for the answer to a question at its terminal, for a request of the approval
 * queue, or for a newer login (server/broker/access/fresh_login.h). Its wait is a copy of the
 * question (IPC_ACCESS) and of what the person has answered so far. It belongs to the channel and
 * goes with it. On a terminal a status line is kept up to date; without one the time to wait is
 * bounded. */
#ifndef BARTIZAN_BROKER_ACCESS_WAIT_H
#define BARTIZAN_BROKER_ACCESS_WAIT_H

#include "server/broker/access/access.h"
#include "server/broker/approval/queue.h"

enum wait_question { ASKS_NOTHING, ASKS_REASON, ASKS_GO_ON, ASKS_GLASS };

struct channel_wait {
	struct waiter waiter;
	struct peer_channel *channel;
	enum access_kind kind;
	bool pty;
	uint8_t *detail;
	size_t detail_len;
	uint8_t *env;
	size_t env_len;
	enum wait_question asks; /* open at the terminal */
	unsigned asked;		 /* questions so far */
	/* the user has read a guard's warning: answered yes, or was told where nobody can be asked
	 */
	bool confirmed;
	bool refused;		/* the user answered no to the warning */
	char *reason;		/* of request or break-glass; NULL: not given */
	struct event *patience; /* without a terminal: how long it waits at most */
	char status[128];	/* of its login, as last shown */
};

/* The wait of this access: what it has, or a new one. NULL: too many wait already, or out of
 * memory. */
struct channel_wait *channel_wait_of(struct access_request *request);
/* What it waited for so far, and what it was asked, counts no more; it waits for no request now. */
void channel_wait_reset(struct channel_wait *wait, const struct waiter_ops *ops);
/* Asks a line at the terminal, and has the access wait for the answer. */
enum step channel_wait_ask(struct access_request *request, enum wait_question question, size_t max,
	const char *prompt);
/* Has the access wait for a request. fresh: it was made by this very access. */
enum step channel_wait_for(struct access_request *request, const struct need *need,
	const struct approval *approval, bool fresh);
void channel_wait_free(struct channel_wait *wait);

/* The access that waits, as it was asked for; borrows from the wait */
struct access_request channel_wait_request(const struct channel_wait *wait);
/* The access is judged anew. logged_in: its user has just logged in again for it. */
void channel_wait_resume(struct channel_wait *wait, bool logged_in);
/* Operations of its waiter, for server/broker/access/fresh_login.c as well. */
void channel_wait_give_up(
	struct waiter *waiter, const struct refusal *refusal, const struct approval *approval);
void channel_wait_drop(struct waiter *waiter);
/* text: lines to show once, "" for none; status: see struct msg_wait */
void channel_wait_show(const struct channel_wait *wait, const char *text, const char *status);

/* lines on the stderr of an access that need not wait, before its answer */
void access_say(const struct access_request *request, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int handle_ask_answer(struct client *client, const void *msg, struct err *err);
int handle_access_cancel(struct client *client, const void *msg, struct err *err);

#endif
