/* Records of sessions. See server/broker/record/record.h. */
#include "server/broker/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/core/peer.h"
#include "server/broker/record/impl.h"

bool record_required(const struct record *record)
{
	return record->required;
}

bool record_kept(const struct record *record)
{
	return record->path[0];
}

/* ---- birth ---- */

static json_t *identity_json(const struct identity *who)
{
	json_t *out = json_object(), *groups = json_array();

	for (size_t i = 0; i < who->group_count; i++)
		json_array_append_new(groups, json_string_or_null(who->groups[i]));
	json_object_set_new(out, "user", json_string_or_null(who->user));
	json_object_set_new(out, "provider", json_string_or_null(who->provider));
	json_object_set_new(out, "subject", json_string_or_null(who->subject));
	json_object_set_new(out, "groups", groups);
	json_object_set_new(out, "serial", json_integer((json_int_t)who->serial));
	json_object_set_new(out, "key", json_string_or_null(who->key_fp));
	json_object_set_new(out, "ca", json_string_or_null(who->ca_fp));
	json_object_set_new(out, "key_id",
		who->key_id ? json_visible(who->key_id, strlen(who->key_id)) : json_null());
	return out;
}

static json_t *base_json(const struct peer_leg *leg)
{
	json_t *out = json_object();

	json_object_set_new(out, "id", json_string(leg->session));
	json_object_set_new(out, "connection", json_integer((json_int_t)leg->client->connection));
	json_object_set_new(out, "identity", identity_json(leg->client->who));
	json_object_set_new(out, "source", json_string(leg->client->source_text));
	json_object_set_new(out, "mode", json_string(leg->mode == MODE_DIRECT ? "direct" : "jump"));
	json_object_set_new(out, "target", json_string(leg->target));
	json_object_set_new(out, "login", json_string_or_null(leg->login));
	return out;
}

static void record_free(void *arg)
{
	struct record *record = arg;

	record_channels_free(record);
	fd_closep(&record->folder);
	if (record->dirty)
		event_free(record->dirty);
	json_decref(record->base);
	json_decref(record->evidence);
	free(record->user), free(record->provider), free(record->subject), free(record->target),
		free(record->login);
	free(record->source), free(record->rule), free(record->reason);
	free(record);
}

static void on_dirty(evutil_socket_t fd, short what, void *arg);

struct record *record_new(const struct peer_leg *leg)
{
	const struct client *client = leg->client;
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	LIST_INIT(&record->channels);
	record->folder = -1;
	record->broker = client->broker;
	record->connection = client->connection;
	record->mode = leg->mode;
	memcpy(record->session, leg->session, sizeof(record->session));
	record->user = strdup(client->who->user);
	record->provider = strdup(client->who->provider);
	record->subject = strdup(client->who->subject);
	record->target = strdup(leg->target);
	record->login = strdup(leg->login);
	record->source = strdup(client->source_text);
	record->base = base_json(leg);
	record->evidence = json_object();
	record->dirty = evtimer_new(client->broker->base, on_dirty, record);
	if (!record->user || !record->provider || !record->subject || !record->target ||
		!record->login || !record->source || !record->base || !record->evidence ||
		!record->dirty) {
		record_free(record);
		return NULL;
	}
	LIST_INSERT_HEAD(&client->broker->private->records, record, entry);
	return record;
}

static int make_folder(struct record *record, struct err *err)
{
	struct store *store = record->broker->store;
	int rc = transcripts_create(store, record->session, record->started, record->path, err);

	if (!rc)
		record->folder = transcripts_folder(store, record->path, err);
	if (!rc && record->folder < 0)
		rc = record->folder;
	return rc;
}

/* Otherwise a second attempt would fail because the folder exists. */
static void drop_folder(struct record *record)
{
	fd_closep(&record->folder);
	if (record->path[0])
		unlinkat(store_dir(record->broker->store), record->path, AT_REMOVEDIR);
	record->path[0] = 0;
}

int record_open(
	struct record *record, const struct decision *decision, int64_t started, struct err *err)
{
	if (record->opened)
		return 0;
	record->started = started;
	record->required = decision->obligations.record && decision->obligations.record_required;
	free(record->rule);
	record->rule = strdup(decision->rule ? decision->rule : "");
	int rc = make_folder(record, err);
	struct session_row row = {
		.id = record->session,
		.connection = record->connection,
		.user = record->user,
		.provider = record->provider,
		.subject = record->subject,
		.target = record->target,
		.login = record->login,
		.source = record->source,
		.mode = record->mode == MODE_DIRECT ? (char *)"direct" : (char *)"jump",
		.rule = record->rule,
		.state = SESSION_OPEN,
		.started = record->started,
		.reason = (char *)"",
		.path = record->path,
	};
	if (!rc)
		rc = sessions_insert(record->broker->store, &row, err);
	if (rc) {
		drop_folder(record);
		return err_prefix(err, rc, "the session's record could not be started");
	}
	record->opened = true;
	json_object_set_new(record->base, "rule", json_string_or_null(record->rule));
	json_object_set_new(record->base, "started", json_time_ms(record->started));
	return 0;
}

/* ---- session.json ---- */

struct listing {
	struct record *record;
	json_t *array;
};

static int add_channel(const struct channel_row *row, void *context)
{
	struct listing *listing = context;
	const struct kept_channel *kept = record_find_channel(listing->record, row->channel);
	json_t *object = channel_json(row);

	if (kept && json_array_size(kept->requests))
		json_object_set(object, "requests", kept->requests);
	if (kept && kept->requests_more)
		json_object_set_new(
			object, "requests_not_kept", json_integer((json_int_t)kept->requests_more));
	if (kept && kept->more)
		json_object_update(object, kept->more);
	json_array_append_new(listing->array, object);
	return 0;
}

static int write_json(struct record *record, struct err *err)
{
	struct listing listing = { record, json_array() };
	JSON_CLEANUP json_t *out = json_copy(record->base);

	json_object_set_new(out, "channels", listing.array);
	json_object_set(out, "evidence", record->evidence);
	json_object_set_new(out, "state",
		json_string(session_state_name(record->ended ? SESSION_CLOSED : SESSION_OPEN)));
	json_object_set_new(out, "ended", json_time_ms(record->ended_at));
	json_object_set_new(out, "reason", json_string_or_null(record->reason));
	int rc = channels_each(record->broker->store, record->session, add_channel, &listing, err);
	return rc ? rc : transcript_write_json(record->folder, out, err);
}

int record_begin(struct record *record, struct err *err)
{
	return record_kept(record) ? write_json(record, err) : 0;
}

static void on_dirty(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct record *record = arg;
	struct err err = { 0 };
	if (record_kept(record) && write_json(record, &err))
		log_error("session %s: session.json: %s", record->session, err.text);
}

static void touch(struct record *record)
{
	struct timeval wait = timeval_of(RECORD_EVIDENCE_MS);

	if (record->opened && !record->ended && !evtimer_pending(record->dirty, NULL))
		evtimer_add(record->dirty, &wait);
}

void record_evidence(struct record *record, const char *transport, json_t *evidence)
{
	json_t *known = json_object_get(record->evidence, transport);

	if (known)
		json_object_update(known, evidence); /* keeps the fields of the grant */
	else
		json_object_set_new(record->evidence, transport, json_copy(evidence));
	touch(record);
}

void record_grant(struct record *record, const char *address, uint64_t serial, const char *ca_fp)
{
	JSON_CLEANUP json_t *grant = json_object();

	json_object_set_new(record->base, "address", json_string_or_null(address));
	if (serial) {
		json_object_set_new(grant, "certificate_serial", json_integer((json_int_t)serial));
		json_object_set_new(grant, "certificate_ca", json_string_or_null(ca_fp));
	}
	record_evidence(record, "outbound", grant);
}

/* ---- the end ---- */

static void audit_end(struct record *record, const char *digest)
{
	json_t *data = json_object();

	json_object_set_new(data, "connection", json_integer((json_int_t)record->connection));
	json_object_set_new(data, "session", json_string(record->session));
	json_object_set_new(data, "user", json_string_or_null(record->user));
	json_object_set_new(data, "target", json_string_or_null(record->target));
	json_object_set_new(data, "login", json_string_or_null(record->login));
	json_object_set_new(data, "reason", json_string_or_null(record->reason));
	json_object_set_new(data, "digest", json_string_or_null(*digest ? digest : NULL));
	broker_audit(record->broker, "session-end", data);
	log_info("session %s: %s@%s ended%s%s", record->session, record->login, record->target,
		*record->reason ? ": " : "", record->reason);
	checkpoint_if_due(record->broker, true);
}

static void finish(struct record *record)
{
	char digest[65] = "";
	struct err err = { 0 };

	LIST_REMOVE(record, entry);
	evtimer_del(record->dirty);
	if (record->opened) {
		struct store *store = record->broker->store;
		if (write_json(record, &err) ||
			transcript_digest(record->folder, "session.json", digest, &err))
			log_error("session %s: session.json: %s", record->session, err.text);
		if (sessions_end(store, record->session, SESSION_CLOSED, record->ended_at,
			    record->reason, *digest ? digest : NULL, &err))
			log_error("session %s: %s", record->session, err.text);
		audit_end(record, digest);
	}
	fd_closep(&record->folder);
	broker_later(record->broker, record_free, record);
}

void record_check_sealed(struct record *record)
{
	if (record->ended && !record->sealing)
		finish(record);
}

char *record_visible(const char *text)
{
	BUF_CLEANUP struct buf visible = BUF_INIT(1024);

	text_visible(&visible, text, strlen(text), 500);
	return text_dup(buf_data(&visible), visible.len);
}

void record_end(struct record *record, const char *reason, bool lost)
{
	record->reason = record_visible(reason);
	record->ended_at = clock_wall_ms();
	record->sealing++; /* keeps the record from being freed while its channels end */
	record_channels_end(record, *reason ? reason : "the session ended", lost);
	record->ended = true;
	record->sealing--;
	record_check_sealed(record);
}

void records_finish(struct broker *broker)
{
	struct record *next;
	struct kept_channel *channel;

	for (struct record *record = LIST_FIRST(&broker->private->records); record; record = next) {
		next = LIST_NEXT(record, entry);
		/* the last seal finishes the record; it is freed later */
		for (channel = LIST_FIRST(&record->channels); channel;
			channel = LIST_NEXT(channel, entry))
			if (channel->seal)
				seal_finish(channel->seal);
	}
}
