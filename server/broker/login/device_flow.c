/* Device flows. See server/broker/login/device_flow.h.
 *
 *	asked: egress fetches a code -> shown: a person uses it -> checked: the token is verified
 *	-> over */
#include "server/broker/login/device_flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/login/provider.h"

enum flow_state { FLOW_ASKED, FLOW_SHOWN, FLOW_CHECKED };

struct flow {
	LIST_ENTRY(flow) entry;
	struct broker *broker;
	struct service *egress; /* a ref; NULL: it is gone, or has answered */
	uint32_t id;
	enum flow_state state;
	char *provider;
	struct addr source;
	int64_t max_age_s;
	/* printable text; uri_complete "": none */
	char code[FLOW_CODE_MAX + 1], uri[FLOW_URI_MAX], uri_complete[FLOW_URI_MAX];
	int64_t ends; /* monotonic ms: when the code expires */
	struct token_check *check;
	struct event *timer;
	const struct flow_ops *ops;
	void *context;
	struct flow **slot;
};

/* ---- life ---- */

static void release_egress(struct flow *flow)
{
	struct service *egress = flow->egress;

	flow->egress = NULL;
	if (egress)
		service_unref(egress);
}

static void flow_free(struct flow *flow)
{
	*flow->slot = NULL;
	LIST_REMOVE(flow, entry);
	flow->broker->private->flow_count--;
	token_check_cancel(&flow->check);
	release_egress(flow);
	if (flow->timer)
		event_free(flow->timer);
	free(flow->provider);
	free(flow);
}

void flow_cancel(struct flow **slot)
{
	struct flow *flow = *slot;

	if (!flow)
		return;
	if (flow->egress)
		link_send(&flow->egress->link, IPC_LOGIN_CANCEL, flow->id, &(struct msg_empty){ 0 },
			NULL, 0);
	flow_free(flow);
}

static void flow_end(struct flow *flow, struct identity *who, const char *kind, const char *reason)
{
	const struct flow_ops *ops = flow->ops;

	void *context = flow->context;
	flow_free(flow);
	ops->done(context, who, kind, reason);
}

static void arm(struct flow *flow, int64_t ms)
{
	struct timeval wait = timeval_of(ms);

	if (evtimer_add(flow->timer, &wait))
		log_error("a login: its timer could not be set");
}

/* There was no answer in time; or egress was lost, which is reported from the loop. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct flow *flow = arg;
	if (!flow->egress) {
		flow_end(flow, NULL, "unreachable",
			"the gateway's egress process is not running: try again in a moment");
		return;
	}
	link_send(
		&flow->egress->link, IPC_LOGIN_CANCEL, flow->id, &(struct msg_empty){ 0 }, NULL, 0);
	if (flow->state == FLOW_ASKED)
		flow_end(flow, NULL, "unreachable", "the provider did not answer in time");
	else
		flow_end(flow, NULL, "expired", "the code expired before it was used");
}

static int may_start(struct broker *broker, const struct flow_spec *spec, struct err *err)
{
	unsigned same = 0;
	struct flow *flow;

	LIST_FOREACH(flow, &broker->private->flows, entry)
	same += addr_same_host(&flow->source, &spec->source);
	if (same >= FLOWS_PER_SOURCE)
		return err_set(err, -EAGAIN,
			"%u logins from your address wait already: finish or cancel one of them",
			same);
	if (broker->private->flow_count >= FLOWS_MAX)
		return err_set(err, -EAGAIN,
			"too many logins wait at this gateway: try again in a moment");
	if (!provider_conf(broker, spec->provider))
		return err_set(
			err, -ENOENT, "provider '%s' is not configured any more", spec->provider);
	if (!broker->private->egress || !link_up(&broker->private->egress->link))
		return err_set(err, -ENOTCONN,
			"the gateway's egress process is not running: try again in a moment");
	return 0;
}

int flow_start(struct broker *broker, const struct flow_spec *spec, const struct flow_ops *ops,
	void *context, struct flow **slot, struct err *err)
{
	/* unique over all services, so that an old service cannot answer for a new flow */
	static uint32_t last_id;
	int rc = may_start(broker, spec, err);

	if (rc)
		return rc;
	struct flow *flow = calloc(1, sizeof(*flow));
	if (!flow)
		return err_set(err, -ENOMEM, "the gateway is out of memory");
	*flow = (struct flow){ .broker = broker,
		.id = ++last_id,
		.source = spec->source,
		.max_age_s = spec->max_age_s,
		.ops = ops,
		.context = context,
		.slot = slot };
	LIST_INSERT_HEAD(&broker->private->flows, flow, entry);
	broker->private->flow_count++;
	*slot = flow;
	flow->provider = strdup(spec->provider);
	flow->timer = evtimer_new(broker->base, on_timer, flow);
	struct msg_login_start msg = { flow->provider, spec->max_age_s };
	rc = flow->provider && flow->timer ? link_send(&broker->private->egress->link,
						     IPC_LOGIN_START, flow->id, &msg, NULL, 0)
					   : -ENOMEM;
	if (rc) {
		flow_free(flow);
		return err_set(err, rc, "the login could not be started: try again in a moment");
	}
	flow->egress = broker->private->egress;
	service_ref(flow->egress);
	arm(flow, FLOW_CODE_MS);
	return 0;
}

/* ---- egress answers ---- */

static struct flow *find(const struct service *egress, uint32_t id)
{
	struct flow *flow;

	LIST_FOREACH(flow, &egress->broker->private->flows, entry)
	if (flow->egress == egress && flow->id == id)
		return flow;
	return NULL;
}

/* Refuses text that cleaning would change: a usable address or code has no such characters. */
static bool take_text(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	text_clean(out, size, text, len);
	return !strcmp(out, text) && !strchr(text, ' ');
}

static bool uri_ok(const struct conf_provider *conf, const char *uri)
{
	return !strncasecmp(uri, "https://", 8) ||
	       (conf->allow_http && !strncasecmp(uri, "http://", 7));
}

void flow_code(struct service *egress, uint32_t id, const struct msg_login_code *msg)
{
	struct flow *flow = find(egress, id);
	const struct conf_provider *conf =
		flow ? provider_conf(egress->broker, flow->provider) : NULL;
	int64_t life =
		msg->expires && msg->expires < FLOW_LIFE_MAX_S ? msg->expires : FLOW_LIFE_MAX_S;

	if (!flow || flow->state != FLOW_ASKED)
		return;
	if (!conf || !*msg->user_code ||
		!take_text(flow->code, sizeof(flow->code), msg->user_code) ||
		!uri_ok(conf, msg->uri) || !take_text(flow->uri, sizeof(flow->uri), msg->uri)) {
		link_send(&egress->link, IPC_LOGIN_CANCEL, id, &(struct msg_empty){ 0 }, NULL, 0);
		flow_end(flow, NULL, "refused", "the provider's code or address cannot be shown");
		return;
	}
	if (!uri_ok(conf, msg->uri_complete) ||
		!take_text(flow->uri_complete, sizeof(flow->uri_complete), msg->uri_complete))
		*flow->uri_complete = 0; /* the other address is enough */
	flow->state = FLOW_SHOWN;
	flow->ends = clock_mono_ms() + life * 1000;
	arm(flow, life * 1000 + FLOW_GRACE_MS);
	flow->ops->code(flow->context);
}

static void on_checked(void *context, struct identity *who, const char *reason)
{
	struct flow *flow = context;

	flow_end(flow, who, who ? NULL : "refused", reason);
}

static const char *words_of(const char **kind, const char *reason, char *out, size_t size)
{
	static const struct {
		const char *kind, *words;
		bool why;
	} table[] = {
		{ "denied", "the login was refused at the provider", false },
		{ "expired", "the code expired before it was used", false },
		{ "unreachable", "the provider cannot be reached", true },
		{ "refused", "the login failed", true },
	};
	size_t i = 0;

	while (i < sizeof(table) / sizeof(table[0]) - 1 && strcmp(table[i].kind, *kind))
		i++;
	*kind = table[i].kind;
	char clean[512];
	text_clean(clean, sizeof(clean), reason, strlen(reason));
	if (!table[i].why)
		*clean = 0;
	snprintf(out, size, "%s%s%s", table[i].words, *clean ? ": " : "", clean);
	return out;
}

void flow_done(struct service *egress, uint32_t id, const struct msg_login_done *msg)
{
	struct flow *flow = find(egress, id);
	struct err err = { 0 };
	char words[640];

	if (!flow || flow->state == FLOW_CHECKED)
		return;
	if (!msg->ok) {
		const char *kind = msg->kind;
		words_of(&kind, msg->reason, words, sizeof(words));
		flow_end(flow, NULL, kind, words);
		return;
	}
	const struct token_spec spec = { flow->provider, msg->id_token, msg->userinfo,
		flow->max_age_s, { NULL, 0 } };
	flow->state = FLOW_CHECKED;
	evtimer_del(flow->timer);
	if (token_check_start(flow->broker, &spec, on_checked, flow, &flow->check, &err))
		flow_end(flow, NULL, "refused", err.text);
	else
		release_egress(flow);
}

/* The owners are told from the loop, because this may be called while one of them works. */
void flows_lost(struct service *egress)
{
	struct flow *flow;

	LIST_FOREACH(flow, &egress->broker->private->flows, entry)
	if (flow->egress == egress) {
		flow->egress = NULL; /* it is closing: service_let_go() is not needed */
		arm(flow, 0);
	}
}

/* ---- what is shown ---- */

const char *flow_left(const struct flow *flow, char *out, size_t size)
{
	int64_t left = flow->ends - clock_mono_ms();

	left = left < 1000 ? 1000 : left;
	if (left > 60000)
		left = (left + 30000) / 60000 * 60000; /* rounded to minutes, for people */
	return clock_duration_format(left, out, size);
}

int flow_words(const struct flow *flow, struct buf *out)
{
	char source[ADDR_TEXT_MAX], left[64];
	int rc = buf_printf(out, "Open %s and enter the code %s\n", flow->uri, flow->code);

	if (!rc && *flow->uri_complete)
		rc = buf_printf(out, "(or open %s )\n", flow->uri_complete);
	rc = rc ? rc
		: buf_printf(out,
			  "This login is for the connection from %s; the code is good for %s.",
			  addr_format(&flow->source, source), flow_left(flow, left, sizeof(left)));
	if (rc || flow->max_age_s < 0)
		return rc;
	const char *logout = provider_logout(flow->broker, flow->provider);
	return buf_printf(out,
		"\nIt has to be a new one: where the provider does not ask for your password, log "
		"out there first%s%s%s or open the link in a private window.",
		*logout ? " (" : "", logout, *logout ? " )" : "");
}

int flow_progress(const struct flow *flow, struct buf *out)
{
	char left[64];

	return buf_printf(out, "Waiting for %s at %s (%s left)", flow->code, flow->uri,
		flow_left(flow, left, sizeof(left)));
}
