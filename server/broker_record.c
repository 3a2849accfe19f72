/* Records of sessions. See broker_record.h. */
#include "server/broker_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cast.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker_client.h"

#define CAST_ROOM_MIN 4096 /* a transcript may always have this much: its beginning, and the marker that says why it stops */

struct kept_channel {
	LIST_ENTRY(kept_channel) entry;
	struct record *record;
	uint32_t number;
	bool opened, ended;
	char *kind, *file;       /* file NULL: not recorded */
	uint64_t reserved;       /* of transcripts.session_max, while it is open */
	json_t *requests;        /* array */
	uint64_t requests_more;  /* not kept */
	struct channel_row row;  /* from its end on */
	struct seal *seal;
};
LIST_HEAD(kept_list, kept_channel);

struct record {
	LIST_ENTRY(record) entry;
	struct broker *broker;
	char session[ID_ULID_LEN + 1];
	uint64_t connection;
	char *user, *provider, *subject, *target, *login, *source, *rule, *reason;
	char path[TRANSCRIPT_PATH_MAX]; /* "": no folder */
	enum msg_mode mode;
	bool opened, required, ended;
	int64_t started, ended_at;
	json_t *base;            /* of session.json: what never changes */
	json_t *evidence;
	struct kept_list channels;
	unsigned requests;
	size_t request_bytes;
	uint64_t cast_used, cast_reserved;
	unsigned sealing;
	struct event *dirty;
};

bool record_required(const struct record *record)
{
	return record->required;
}

bool record_kept(const struct record *record)
{
	return record->path[0];
}

int64_t record_started(const struct record *record)
{
	return record->started;
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
	json_object_set_new(out, "key_id", who->key_id ? json_visible(who->key_id, strlen(who->key_id)) : json_null());
	return out;
}

static json_t *base_json(const struct leg *leg)
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
	struct kept_channel *channel;
	while ((channel = LIST_FIRST(&record->channels))) {
		LIST_REMOVE(channel, entry);
		json_decref(channel->requests);
		channel_row_release(&channel->row);
		free(channel->kind), free(channel->file), free(channel);
	}
	if (record->dirty)
		event_free(record->dirty);
	json_decref(record->base);
	json_decref(record->evidence);
	free(record->user), free(record->provider), free(record->subject), free(record->target), free(record->login);
	free(record->source), free(record->rule), free(record->reason);
	free(record);
}

static void on_dirty(evutil_socket_t fd, short what, void *arg);

struct record *record_new(const struct leg *leg)
{
	const struct client *client = leg->client;
	struct record *record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	LIST_INIT(&record->channels);
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
	if (!record->user || !record->provider || !record->subject || !record->target || !record->login || !record->source || !record->base || !record->evidence || !record->dirty) {
		record_free(record);
		return NULL;
	}
	LIST_INSERT_HEAD(&client->broker->private->records, record, entry);
	return record;
}

int record_open(struct record *record, const struct decision *decision, struct err *err)
{
	if (record->opened)
		return 0;
	record->started = clock_wall_ms();
	record->required = decision->obligations.record && decision->obligations.record_required;
	free(record->rule);
	record->rule = strdup(decision->rule ? decision->rule : "");
	int rc = transcripts_create(record->broker->store, record->session, record->started, record->path, err);
	struct session_row row = {
		.id = record->session, .connection = record->connection, .user = record->user, .provider = record->provider, .subject = record->subject,
		.target = record->target, .login = record->login, .source = record->source, .mode = record->mode == MODE_DIRECT ? "direct" : "jump",
		.rule = record->rule, .state = SESSION_OPEN, .started = record->started, .reason = "", .path = record->path,
	};
	if (!rc)
		rc = sessions_insert(record->broker->store, &row, err);
	if (rc) {
		if (record->path[0])
			unlinkat(store_dir(record->broker->store), record->path, AT_REMOVEDIR); /* or a second attempt finds it there */
		record->path[0] = 0;
		return err_prefix(err, rc, "the session's record could not be begun");
	}
	record->opened = true;
	json_object_set_new(record->base, "rule", json_string_or_null(record->rule));
	json_object_set_new(record->base, "started", json_time_ms(record->started));
	return 0;
}

/* ---- session.json ---- */

static struct kept_channel *find(struct record *record, uint32_t number)
{
	struct kept_channel *channel;
	LIST_FOREACH(channel, &record->channels, entry)
		if (channel->number == number)
			return channel;
	return NULL;
}

struct listing { struct record *record; json_t *array; };

static int add_channel(const struct channel_row *row, void *context)
{
	struct listing *listing = context;
	const struct kept_channel *kept = find(listing->record, row->channel);
	json_t *object = channel_json(row);
	if (kept && json_array_size(kept->requests))
		json_object_set(object, "requests", kept->requests);
	if (kept && kept->requests_more)
		json_object_set_new(object, "requests_not_kept", json_integer((json_int_t)kept->requests_more));
	json_array_append_new(listing->array, object);
	return 0;
}

static int write_json(struct record *record, struct err *err)
{
	struct listing listing = { record, json_array() };
	JSON_CLEANUP json_t *out = json_copy(record->base);
	json_object_set_new(out, "channels", listing.array);
	json_object_set(out, "evidence", record->evidence);
	json_object_set_new(out, "state", json_string(session_state_name(record->ended ? SESSION_CLOSED : SESSION_OPEN)));
	json_object_set_new(out, "ended", json_time_ms(record->ended_at));
	json_object_set_new(out, "reason", json_string_or_null(record->reason));
	int rc = channels_each(record->broker->store, record->session, add_channel, &listing, err);
	return rc ? rc : transcripts_write_json(record->broker->store, record->path, out, err);
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
		json_object_update(known, evidence); /* the grant's part stays */
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

/* ---- channels ---- */

static struct kept_channel *need_channel(struct record *record, uint32_t number)
{
	struct kept_channel *channel = find(record, number);
	if (channel || !(channel = calloc(1, sizeof(*channel))))
		return channel;
	channel->record = record;
	channel->number = number;
	channel->requests = json_array();
	LIST_INSERT_HEAD(&record->channels, channel, entry);
	return channel;
}

void record_request(struct record *record, const struct msg_request *request)
{
	struct kept_channel *channel = find(record, request->channel);
	size_t size = strlen(request->what) + request->detail.len + 64;
	if (!channel && record->requests < RECORD_REQUESTS_TOTAL)
		channel = need_channel(record, request->channel);
	if (!channel)
		return;
	if (json_array_size(channel->requests) >= RECORD_REQUESTS_MAX || record->requests >= RECORD_REQUESTS_TOTAL || record->request_bytes + size > RECORD_REQUEST_BYTES) {
		channel->requests_more++;
		return;
	}
	record->requests++;
	record->request_bytes += size;
	json_t *entry = json_object();
	json_object_set_new(entry, "time", json_time_ms(clock_wall_ms()));
	json_object_set_new(entry, "what", json_visible(request->what, strlen(request->what)));
	json_object_set_new(entry, "detail", json_visible(request->detail.data, request->detail.len));
	json_array_append_new(channel->requests, entry);
}

/* Channels share transcripts.session_max: one that is open has half of what was left put aside, and gives back what it did not use. */
static uint64_t reserve(struct record *record, struct kept_channel *channel)
{
	const uint64_t most = (uint64_t)record->broker->config->conf->session_max, taken = record->cast_used + record->cast_reserved;
	uint64_t half = most > taken ? (most - taken) / 2 : 0;
	channel->reserved = half > CAST_ROOM_MIN ? half : CAST_ROOM_MIN;
	record->cast_reserved += channel->reserved;
	return channel->reserved;
}

static int make_file(struct record *record, struct kept_channel *channel, const struct access *access, int *ret_fd, uint64_t *ret_max, struct err *err)
{
	char name[64];
	if (!record_kept(record))
		return err_set(err, -EIO, "the session has no folder");
	*ret_max = reserve(record, channel);
	snprintf(name, sizeof(name), "%u-%s.cast", channel->number, access_kind_name(access->kind));
	channel->file = strdup(name);
	int fd = channel->file ? transcripts_file(record->broker->store, record->path, name, err) : -ENOMEM;
	if (fd < 0) {
		free(channel->file);
		channel->file = NULL;
		return fd;
	}
	*ret_fd = fd;
	return 0;
}

/* Of a channel that has no row: an empty file that nobody was given. */
static void drop_file(struct record *record, struct kept_channel *channel)
{
	char path[TRANSCRIPT_PATH_MAX + 80];
	snprintf(path, sizeof(path), "%s/%s", record->path, channel->file);
	unlinkat(store_dir(record->broker->store), path, 0);
	free(channel->file);
	channel->file = NULL;
}

static int insert_row(struct record *record, struct kept_channel *channel, const struct access *access, struct err *err)
{
	BUF_CLEANUP struct buf detail = BUF_INIT(RECORD_DETAIL_MAX + 16);
	text_visible(&detail, access->detail.data, access->detail.len, RECORD_DETAIL_MAX);
	struct channel_row row = { .session = record->session, .channel = channel->number, .kind = channel->kind, .detail = (char *)buf_cstr(&detail), .file = channel->file,
		.started = clock_wall_ms(), .exit_status = -1 };
	if (!row.detail)
		row.detail = "";
	return channels_insert(record->broker->store, &row, err);
}

int record_channel(struct record *record, uint32_t number, const struct access *access, const struct obligations *what, int *ret_fd, uint64_t *ret_max, struct err *err)
{
	struct kept_channel *channel = need_channel(record, number);
	int fd = -1;
	*ret_max = 0;
	if (channel)
		free(channel->kind); /* of an attempt that failed */
	if (!channel || !(channel->kind = strdup(access_kind_name(access->kind))))
		return err_set(err, -ENOMEM, "out of memory");
	int rc = what->record ? make_file(record, channel, access, &fd, ret_max, err) : 0;
	if (!rc && record->opened)
		rc = insert_row(record, channel, access, err);
	if (rc) {
		if (fd >= 0)
			drop_file(record, channel);
		fd_closep(&fd);
		record->cast_reserved -= channel->reserved;
		channel->reserved = 0;
		return err_prefix(err, rc, "the transcript could not be begun");
	}
	channel->opened = true;
	record->required |= what->record && what->record_required;
	*ret_fd = fd;
	return 0;
}

static void finish(struct record *record);

static void on_sealed(void *context, const char *hex)
{
	struct kept_channel *channel = context;
	struct record *record = channel->record;
	struct err err = { 0 };
	struct stat st;
	char path[TRANSCRIPT_PATH_MAX + 80];
	record->sealing--;
	record->cast_reserved -= channel->reserved;
	channel->reserved = 0;
	if (channel->file && snprintf(path, sizeof(path), "%s/%s", record->path, channel->file) > 0 && !fstatat(store_dir(record->broker->store), path, &st, AT_SYMLINK_NOFOLLOW))
		record->cast_used += (uint64_t)st.st_size;
	channel->row.digest = hex ? strdup(hex) : NULL;
	if (record->opened && channels_end(record->broker->store, &channel->row, &err))
		log_error("session %s: channel %u: %s", record->session, channel->number, err.text);
	channel_row_release(&channel->row);
	if (record->ended && !record->sealing)
		finish(record);
}

/* The session wrote whole lines; of one that was killed the last may be half. */
static void mend(struct record *record, const struct kept_channel *channel, const char *reason)
{
	char path[TRANSCRIPT_PATH_MAX + 80];
	struct err err = { 0 };
	int64_t last;
	snprintf(path, sizeof(path), "%s/%s", record->path, channel->file);
	FD_CLEANUP int fd = openat(store_dir(record->broker->store), path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || cast_recover(fd, reason, &last, &err))
		log_warning("session %s: transcript %s: %s", record->session, channel->file, fd < 0 ? strerror(errno) : err.text);
}

static char *visible_dup(const char *text)
{
	BUF_CLEANUP struct buf visible = BUF_INIT(1024);
	text_visible(&visible, text, strlen(text), 500);
	return text_dup(buf_data(&visible), visible.len);
}

static void channel_done(struct record *record, struct kept_channel *channel, const struct msg_channel_end *end)
{
	channel->ended = true;
	channel->row = (struct channel_row){ .session = strdup(record->session), .channel = channel->number, .ended = clock_wall_ms(), .exit_status = end->exit_status,
		.exit_signal = visible_dup(end->exit_signal), .reason = visible_dup(end->reason),
		.bytes_in = end->bytes_in, .bytes_out = end->bytes_out, .bytes_err = end->bytes_err };
	record->sealing++;
	if (!channel->file || seal_file(record->broker, record->path, channel->file, on_sealed, channel, &channel->seal))
		on_sealed(channel, NULL);
}

void record_channel_end(struct record *record, const struct msg_channel_end *end)
{
	struct kept_channel *channel = find(record, end->channel);
	if (channel && channel->opened && !channel->ended)
		channel_done(record, channel, end);
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
	log_info("session %s: %s@%s ended%s%s", record->session, record->login, record->target, *record->reason ? ": " : "", record->reason);
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
		if (write_json(record, &err) || transcripts_digest(store, record->path, "session.json", digest, &err))
			log_error("session %s: session.json: %s", record->session, err.text);
		if (sessions_end(store, record->session, SESSION_CLOSED, record->ended_at, record->reason, *digest ? digest : NULL, &err))
			log_error("session %s: %s", record->session, err.text);
		audit_end(record, digest);
	}
	broker_later(record->broker, record_free, record);
}

void record_end(struct record *record, const char *reason, bool lost)
{
	record->reason = visible_dup(reason);
	record->ended_at = clock_wall_ms();
	struct msg_channel_end end = { .exit_status = -1, .exit_signal = "", .reason = *reason ? (char *)reason : "the session ended" };
	record->sealing++; /* keeps it while the channels are gone through */
	struct kept_channel *channel;
	LIST_FOREACH(channel, &record->channels, entry) {
		if (!channel->opened || channel->ended)
			continue;
		if (lost && channel->file)
			mend(record, channel, end.reason);
		channel_done(record, channel, &end);
	}
	record->ended = true;
	if (--record->sealing == 0)
		finish(record);
}

void records_finish(struct broker *broker)
{
	struct record *next;
	struct kept_channel *channel;
	for (struct record *record = LIST_FIRST(&broker->private->records); record; record = next) {
		next = LIST_NEXT(record, entry);
		LIST_FOREACH(channel, &record->channels, entry) /* the last seal ends the record; it is freed later */
			if (channel->seal)
				seal_finish(channel->seal);
	}
}
