/* Channels that wait for a human: what their user is shown and asked, and how the wait ends.
 *
 * A hold is a copy of the question (IPC_ACCESS) and of what the person has answered so far. It
 * belongs to a leg and goes with it; the request that it waits for is the store's and stays. On a
 * terminal a status line is kept up to date; without one the wait is bounded. */
#ifndef BARTIZAN_BROKER_ACCESS_WAIT_H
#define BARTIZAN_BROKER_ACCESS_WAIT_H

#include "server/broker/access/access.h"
#include "server/broker/approval/queue.h"

#define HOLDS_PER_CLIENT_MAX 256

enum hold_question { ASKS_NOTHING, ASKS_REASON, ASKS_GO_ON, ASKS_GLASS };

struct held {
	LIST_ENTRY(held) entry;
	struct peer_leg *leg;
	struct peer_channel *channel;
	uint32_t number;
	enum access_kind kind;
	bool pty;
	uint8_t *detail;
	size_t detail_len;
	enum hold_question asks; /* open at the terminal */
	unsigned asked;		 /* questions so far */
	bool confirmed;		 /* a guard's warning was read */
	bool refused;		 /* … and taken to heart */
	char *reason;		 /* of request or break-glass; NULL: not given */
	char id[8];		 /* of the request that it waits for; "": none */
	/* it is being judged again: what that changes in the queue is no news to it */
	bool busy;
	/* something happened to the request, and it has not heard of it yet */
	bool news;
	unsigned votes, needed; /* as last shown */
	int64_t deadline;	/* lapse ms: of the request */
	struct event *patience; /* without a terminal */
};

/* Keeps the request (making a hold of it if it is none) and asks a line at its terminal. */
enum step hold_ask(struct access_request *request, enum hold_question question, size_t max,
	const char *prompt);
/* … and waits for a request. need: what it waits for. fresh: it was made by this very access. */
enum step hold_wait(struct access_request *request, const struct need *need,
	const struct approval *approval, bool fresh);
/* lines on its stderr, before the answer */
void hold_say(const struct access_request *request, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void hold_park(struct held *hold); /* it waits for something else now */
void hold_free(struct held *hold);
/* whatever this channel waited for: no more, and nobody is told */
void hold_over(struct peer_leg *leg, uint32_t channel);

struct held *hold_find(const struct peer_leg *leg, uint32_t channel);
/* channels that wait for this request */
unsigned holds_waiting(struct broker *broker, const char *id);
/* The policy asked again, before the last vote counts. -EACCES: not for this one, with the reason.
 */
int hold_recheck(struct broker *broker, const char *id, struct err *err);
/* something happened to the request */
void holds_changed(struct broker *broker, const char *id);
/* the leg is ending: nobody is told */
void holds_leave(struct peer_leg *leg);
/* a second has passed; false: no status line is shown */
bool holds_live(struct broker *broker);
/* the broker is ending: they are told to come again */
void holds_stop(struct broker *broker);

int handle_ask_answer(struct client *client, const void *msg, struct err *err);

#endif
