/* See server/broker/access/break_glass.h. */
#include "server/broker/access/break_glass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/access/wait.h"
#include "server/broker/approval/notify.h"

struct glass {
	LIST_ENTRY(glass) entry;
	char *provider, *subject, *target, *reason;
	int64_t until; /* monotonic ms */
};

static void drop(struct broker_private *private, struct glass *glass)
{
	LIST_REMOVE(glass, entry);
	private->glass_count--;
	free(glass->provider), free(glass->subject), free(glass->target), free(glass->reason),
		free(glass);
}

void glasses_close(struct broker *broker)
{
	struct glass *glass;

	while ((glass = LIST_FIRST(&broker->private->glasses)))
		drop(broker->private, glass);
}

/* Drops the reasons that have grown too old on its way. */
static struct glass *find(
	struct broker_private *private, const struct identity *who, const char *target)
{
	struct glass *glass, *next, *found = NULL;

	for (glass = LIST_FIRST(&private->glasses); glass; glass = next) {
		next = LIST_NEXT(glass, entry);
		if (glass->until <= clock_mono_ms())
			drop(private, glass);
		else if (!strcmp(glass->provider, who->provider) &&
			 !strcmp(glass->subject, who->subject) &&
			 !strcasecmp(glass->target, target))
			found = glass;
	}
	return found;
}

int glass_announce(struct broker *broker, const struct identity *who, const char *target,
	const char *reason, struct err *err)
{
	struct broker_private *private = broker->private;
	struct glass *glass = find(private, who, target);

	if (glass)
		drop(private, glass);
	if (private->glass_count >= GLASSES_MAX)
		return err_set(err, -EDQUOT, "too many reasons are kept already");
	glass = calloc(1, sizeof(*glass));
	if (!glass)
		return err_set(err, -ENOMEM, "out of memory");
	*glass = (struct glass){ .provider = strdup(who->provider),
		.subject = strdup(who->subject),
		.target = strdup(target),
		.reason = strdup(reason),
		.until = clock_mono_ms() + GLASS_MS };
	LIST_INSERT_HEAD(&private->glasses, glass, entry);
	private->glass_count++;
	if (glass->provider && glass->subject && glass->target && glass->reason)
		return 0;
	drop(private, glass);
	return err_set(err, -ENOMEM, "out of memory");
}

static const char *reason_of(const struct access_request *request)
{
	const struct peer_leg *leg = request->leg;

	if (request->wait && request->wait->reason &&
		request->wait->reason[strspn(request->wait->reason, " \t")])
		return request->wait->reason;
	const struct glass *glass =
		find(leg->client->broker->private, leg->client->who, leg->target);
	return glass ? glass->reason : leg->glass_reason;
}

enum step glass_step(struct access_request *request)
{
	if (!request->decision.break_glass || request->decision.verdict != VERDICT_ALLOW)
		return STEP_GO_ON;
	request->decision.obligations.record = request->decision.obligations.record_required = true;
	if (reason_of(request))
		return STEP_GO_ON;
	if (!request->pty)
		return access_request_refuse(request, EXIT_DENIED,
			"this breaks the glass, for which a reason is required: ssh GATEWAY "
			"break-glass %s --reason '…', then run this again",
			request->access.target);
	if (request->wait && request->wait->asked >= ACCESS_QUESTIONS_MAX)
		return access_request_refuse(request, EXIT_DENIED,
			"breaking the glass needs a reason, and none was given");
	return channel_wait_ask(request, ASKS_GLASS,
		(size_t)request->leg->client->broker->config->conf->reason_max,
		"this breaks the glass: everybody is told, and it will be reviewed. Reason:");
}

/* One sentence, as of requests (server/broker/approval/notify.c). */
static void tell(const struct access_request *request, json_t *event)
{
	const struct peer_leg *leg = request->leg;

	json_object_set_new(event, "text",
		json_sprintf("glass broken: %s on %s as %s (%s), because %s; review %s is open",
			peer_leg_user(leg), leg->target, leg->login,
			access_kind_name(request->access.kind), json_get_string(event, "reason"),
			json_get_string(event, "review")));
	notify_event(leg->client->broker, "break-glass", event);
}

static int audit_it(const struct access_request *request, const char *review, const char *reason)
{
	json_t *event = peer_leg_event(request->leg);
	const struct bytes detail = request->access.detail;

	json_object_set_new(event, "kind", json_string(access_kind_name(request->access.kind)));
	if (detail.len)
		json_object_set_new(event, "command",
			json_visible(detail.data, detail.len < 8192 ? detail.len : 8192));
	json_object_set_new(event, "rule", json_string_or_null(request->decision.rule));
	json_object_set_new(event, "reason", json_visible(reason, strlen(reason)));
	json_object_set_new(event, "review", json_string(review));
	json_t *copy = json_deep_copy(event);
	int rc = broker_audit(request->leg->client->broker, "break-glass", event);
	if (!rc)
		tell(request, copy);
	else
		json_decref(copy);
	return rc;
}

/* One review for a session, whatever number of channels it opens. */
int glass_opened(struct access_request *request, struct err *err)
{
	struct peer_leg *leg = request->leg;
	struct broker *broker = leg->client->broker;
	const char *reason = request->decision.break_glass ? reason_of(request) : NULL;
	char id[ID_SHORT_LEN + 1] = "";

	if (!request->decision.break_glass)
		return 0;
	if (!reason)
		return err_set(err, -EINVAL, "the reason for breaking the glass is gone");
	if (!leg->glass_reason) {
		int rc = reviews_create(broker->store, leg->client->who, leg->session, leg->target,
			reason, clock_wall_ms(), id, err);
		leg->glass_reason = rc ? NULL : strdup(reason);
		if (rc || !leg->glass_reason)
			return rc ? rc : err_set(err, -ENOMEM, "out of memory");
		memcpy(leg->glass_review, id, sizeof(leg->glass_review));
	}
	log_warning("session %s: %s breaks the glass on %s as %s: review %s", leg->session,
		peer_leg_user(leg), leg->target, leg->login, leg->glass_review);
	if (audit_it(request, leg->glass_review, leg->glass_reason))
		return err_set(err, -EIO, "the gateway cannot write its audit log");
	access_say(request,
		"the glass is broken: this session is recorded, and review %s stays open until "
		"somebody else signs it",
		leg->glass_review);
	return 0;
}
