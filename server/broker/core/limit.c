/* Time limits: of a leg (a rule's limits.session, a grant's end) and of a client that was told to
 * end. Whoever does not obey is killed. */
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/broker/core/peer.h"

static const struct {
	int64_t before;
	const char *words;
} warnings[] = { { 300000, "5 minutes" }, { 60000, "1 minute" } };
#define WARNINGS (sizeof(warnings) / sizeof(warnings[0]))

static void leg_notice(struct peer_leg *leg, const char *left)
{
	char text[256], limit[64];

	snprintf(text, sizeof(text), "this session ends in %s (limit of %s)", left,
		clock_duration_format(leg->limit, limit, sizeof(limit)));
	link_send(&leg->client->link, IPC_NOTICE, 0, &(struct msg_notice){ leg->number, text },
		NULL, 0);
}

static void arm(struct peer_leg *leg, int64_t wait)
{
	struct timeval when = timeval_of(wait > 0 ? wait : 0);

	if (evtimer_add(leg->timer, &when))
		log_error("session %s: the timer for its limit could not be set", leg->session);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct peer_leg *leg = arg;
	int64_t left = leg->deadline - clock_mono_ms();
	if (leg->ending) {
		client_violation(leg->client, "end", "a session did not end when it was told to");
		return;
	}
	if (left <= 0) {
		char reason[128], limit[64];
		snprintf(reason, sizeof(reason), "session limit of %s reached",
			clock_duration_format(leg->limit, limit, sizeof(limit)));
		peer_leg_stop(leg, EXIT_DENIED, reason);
		return;
	}
	while (leg->warned < WARNINGS && left <= warnings[leg->warned].before + 500)
		leg_notice(leg, warnings[leg->warned++].words);
	arm(leg, leg->warned < WARNINGS ? left - warnings[leg->warned].before : left);
}

static bool need_timer(struct peer_leg *leg)
{
	if (!leg->timer)
		leg->timer = evtimer_new(leg->client->broker->base, on_timer, leg);
	return leg->timer;
}

void peer_leg_limit(struct peer_leg *leg, int64_t limit_ms)
{
	int64_t now = clock_mono_ms();

	if (!limit_ms || leg->ending || (leg->deadline && leg->deadline <= now + limit_ms) ||
		!need_timer(leg))
		return;
	leg->deadline = now + limit_ms;
	leg->limit = limit_ms;
	leg->warned = 0;
	/* a limit of one minute needs no warning five minutes before */
	while (leg->warned < WARNINGS && limit_ms <= warnings[leg->warned].before)
		leg->warned++;
	arm(leg, leg->warned < WARNINGS ? limit_ms - warnings[leg->warned].before : limit_ms);
}

void peer_leg_stop(struct peer_leg *leg, uint32_t exit, const char *reason)
{
	if (leg->ending)
		return;
	leg->ending = true;
	log_info("session %s: told to end: %s", leg->session, reason);
	client_send_end(leg->client, leg->number, exit, reason);
	if (need_timer(leg))
		arm(leg, BROKER_GRACE_MS);
}

static void on_end_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct client *client = arg;
	if (client->gone_timer)
		return;
	if (client->leaving)
		client_violation(client, "end", "a session did not end when it was told to");
	else
		client_dismiss(client, EXIT_WAIT, "no token was received in time");
}

void client_end_after(struct client *client, int64_t ms)
{
	struct timeval wait = timeval_of(ms);

	if (!client->end_timer)
		client->end_timer = evtimer_new(client->broker->base, on_end_timer, client);
	if (!client->end_timer || evtimer_add(client->end_timer, &wait))
		log_error("connection %llu: the timer for its end could not be set",
			(unsigned long long)client->connection);
}

void client_dismiss(struct client *client, uint32_t exit, const char *reason)
{
	if (client->leaving || client->state == CLIENT_ENDED || client->gone_timer)
		return;
	client->leaving = true;
	log_info("connection %llu from %s: told to end: %s", (unsigned long long)client->connection,
		client->source_text, reason);
	client_send_end(client, IPC_LEG_ALL, exit, reason);
	client_end_after(client, CLIENT_DISMISS_MS);
}
