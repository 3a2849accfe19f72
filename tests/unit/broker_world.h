/* A broker in a process of its own, and everybody around it played by the test: listener, signer, egress, sessions.
 *
 * The signer is real cryptography with keys of the test. Egress answers dials with one end of a socket pair, or as world.egress says. Nothing sleeps:
 * every wait is a poll on the links with a deadline, after which the test fails. */
#ifndef BARTIZAN_TEST_BROKER_WORLD_H
#define BARTIZAN_TEST_BROKER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/access.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/ipc_msg.h"
#include "common/json.h"
#include "common/log.h"
#include "keys/sshcert.h"
#include "common/text.h"
#include "common/wire.h"
#include "server/broker/broker.h"
#include "server/role/role.h"
#include "store/audit.h"
#include "store/identities.h"
#include "store/sessions.h"
#include "store/transcripts.h"
#include "tests/unit/scratch.h"

#define WAIT_MS 10000
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LINKS_MAX 32

enum egress_mode { EGRESS_CONNECTS, EGRESS_FAILS, EGRESS_HOLDS };

struct peer { /* the test's end of a link */
	struct ipc *ipc;
	bool gone;          /* the broker has closed it */
};

struct heard { /* a message from the broker */
	struct heard *next;
	struct peer *from;
	unsigned type;
	uint32_t id;
	union { char bytes[IPC_STRUCT_MAX]; max_align_t align; } msg;
	int fds[IPC_FDS_MAX];
	size_t fd_count;
};

struct held { uint32_t id; struct msg_dial msg; };

static struct world {
	struct scratch scratch;
	pid_t broker;
	struct peer *parent, *signer, *egress;
	struct peer *links[LINKS_MAX];
	size_t link_count;
	struct heard *heard;
	struct sshkey *ca, *backend_ca, *router, *audit_key, *target_key, *foreign_ca, *alice, *bob;
	enum egress_mode mode;
	unsigned dials, cancels, signs;
	struct held held[16];
	size_t held_count;
	int backend;             /* the last dial's other end */
	bool signer_mute;
	uint64_t connection;
	char control[100];
} world;

static inline const char *line_of(const struct sshkey *key, char out[static 1024])
{
	BUF_CLEANUP struct buf line = BUF_INIT(1024);
	if (sshkey_line(key, "", &line))
		abort();
	snprintf(out, 1024, "%s", buf_cstr(&line));
	out[strcspn(out, "\n")] = 0;
	for (size_t len = strlen(out); len && out[len - 1] == ' '; len--)
		out[len - 1] = 0;
	return out;
}

/* ---- links ---- */

static inline struct peer *peer_new(int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	assert_true(peer && world.link_count < LINKS_MAX);
	assert_non_null(peer->ipc = ipc_new(fd));
	world.links[world.link_count++] = peer;
	return peer;
}

static inline void peer_close(struct peer *peer)
{
	ipc_free(peer->ipc);
	peer->ipc = NULL;
	peer->gone = true;
}

static inline void say(struct peer *peer, enum ipc_type type, uint32_t id, const void *msg, int fd)
{
	int rc = ipc_send(peer->ipc, type, id, msg, &fd, fd >= 0 ? 1 : 0);
	if (rc && rc != -EPIPE && rc != -ENOBUFS)
		fail_msg("cannot send %s: %s", ipc_msg_name(type), strerror(-rc));
}

/* A pair: one end is sent to the broker with msg, the other becomes a peer. */
static inline struct peer *introduce(enum ipc_type type, uint32_t id, const void *msg)
{
	int pair[2];
	assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
	say(world.parent, type, id, msg, pair[1]);
	close(pair[1]);
	return peer_new(pair[0]);
}

/* ---- the other roles ---- */

static inline void answer_signed(uint32_t id, int rc, const struct buf *data, const char *reason)
{
	struct msg_signed out = { .ok = !rc, .reason = (char *)(rc ? reason : ""), .data = rc ? (struct bytes){ 0 } : buf_bytes(data) };
	say(world.signer, IPC_SIGNED, id, &out, -1);
}

static inline void play_keys(uint32_t id)
{
	char lines[4][1024];
	char *names[] = { "issuing", "audit", "backend_ca", "router_key", NULL };
	char *list[] = { (char *)line_of(world.ca, lines[0]), (char *)line_of(world.audit_key, lines[1]), (char *)line_of(world.backend_ca, lines[2]),
		(char *)line_of(world.router, lines[3]), NULL };
	say(world.signer, IPC_KEYS_ANSWER, id, &(struct msg_keys_answer){ names, list }, -1);
}

static inline int play_cert(const struct msg_sign_cert *msg, struct buf *out, struct err *err)
{
	static const uint8_t nonce[32] = { 7 };
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct sshcert_spec spec = { .serial = msg->serial, .key_id = msg->key_id, .principals = (const char *const *)msg->principals,
		.valid_after = msg->valid_after,
		.valid_before = msg->valid_before, .force_command = *msg->force_command ? msg->force_command : NULL,
		.source_address = *msg->source_address ? msg->source_address : NULL, .rights = msg->rights };
	int rc = sshkey_from_blob(msg->pubkey, &key, err);
	spec.key = key;
	return rc ? rc : sshcert_sign(&spec, strcmp(msg->key, "issuing") ? world.backend_ca : world.ca, nonce, out, err);
}

static inline void play_signer(const struct ipc_raw *raw)
{
	union { char bytes[IPC_STRUCT_MAX]; max_align_t align; struct msg_sign_cert cert; struct msg_sign_audit audit; struct msg_sign_agent agent;
		} msg;
	BUF_CLEANUP struct buf out = BUF_INIT(IPC_BLOB_MAX);
	struct err err = { 0 };
	assert_int_equal(ipc_msg_decode(raw->type, raw->body, &msg, &err), 0);
	world.signs++;
	if (raw->type == IPC_KEYS)
		play_keys(raw->id);
	else if (raw->type == IPC_SIGN_CERT)
		answer_signed(raw->id, play_cert(&msg.cert, &out, &err), &out, err.text);
	else if (raw->type == IPC_SIGN_AUDIT)
		answer_signed(raw->id, sshkey_sign(world.audit_key, NULL, msg.audit.data, &out, &err), &out, err.text);
	else if (raw->type == IPC_SIGN_AGENT)
		answer_signed(raw->id, sshkey_sign(world.router, NULL, msg.agent.data, &out, &err), &out, err.text);
	else
		answer_signed(raw->id, buf_puts(&out, "secret"), &out, "");
	ipc_msg_free(raw->type, &msg);
}

static inline void answer_dial(uint32_t id)
{
	int pair[2];
	assert_int_equal(fd_pair(SOCK_STREAM, pair), 0);
	say(world.egress, IPC_DIALED, id, &(struct msg_dialed){ true, "", "192.0.2.1:22" }, pair[1]);
	close(pair[1]);
	fd_closep(&world.backend);
	world.backend = pair[0];
}

static inline void play_egress(const struct ipc_raw *raw)
{
	struct held held = { .id = raw->id };
	struct err err;
	if (raw->type == IPC_DIAL_CANCEL) {
		world.cancels++;
		return;
	}
	assert_int_equal(raw->type, IPC_DIAL);
	assert_int_equal(ipc_msg_decode(raw->type, raw->body, &held.msg, &err), 0);
	world.dials++;
	if (world.mode == EGRESS_CONNECTS)
		answer_dial(raw->id);
	else if (world.mode == EGRESS_FAILS)
		say(world.egress, IPC_DIALED, raw->id, &(struct msg_dialed){ false, "connection refused", "" }, -1);
	if (world.mode == EGRESS_HOLDS && world.held_count < COUNT(world.held))
		world.held[world.held_count++] = held;
	else
		ipc_msg_free(IPC_DIAL, &held.msg);
}

/* ---- the loop ---- */

static inline void keep(struct peer *peer, struct ipc_raw *raw)
{
	struct heard *heard = calloc(1, sizeof(*heard)), **end = &world.heard;
	struct err err;
	assert_non_null(heard);
	heard->from = peer;
	heard->type = raw->type;
	heard->id = raw->id;
	if (ipc_msg_decode(raw->type, raw->body, &heard->msg, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < raw->fd_count; i++) {
		heard->fds[heard->fd_count++] = raw->fds[i];
		raw->fds[i] = -1;
	}
	while (*end)
		end = &(*end)->next;
	*end = heard;
}

static inline void receive(struct peer *peer)
{
	struct ipc_raw raw = { 0 };
	int rc;
	while (peer->ipc && !peer->gone && (rc = ipc_recv(peer->ipc, &raw))) {
		if (rc < 0) {
			peer->gone = true;
			return;
		}
		if (peer == world.signer && !world.signer_mute)
			play_signer(&raw);
		else if (peer == world.egress && (raw.type == IPC_DIAL || raw.type == IPC_DIAL_CANCEL))
			play_egress(&raw);
		else
			keep(peer, &raw);
		ipc_raw_close(&raw);
	}
}

static inline void turn(int timeout_ms)
{
	struct pollfd fds[LINKS_MAX];
	for (size_t i = 0; i < world.link_count; i++) {
		struct peer *peer = world.links[i];
		fds[i] = (struct pollfd){ .fd = peer->gone || !peer->ipc ? -1 : ipc_fd(peer->ipc), .events = POLLIN };
		if (peer->ipc && !peer->gone && ipc_pending(peer->ipc))
			ipc_flush(peer->ipc);
	}
	poll(fds, world.link_count, timeout_ms);
	for (size_t i = 0; i < world.link_count; i++)
		receive(world.links[i]);
}

static inline struct heard *take(struct peer *from, unsigned type)
{
	for (struct heard **at = &world.heard; *at; at = &(*at)->next)
		if ((*at)->from == from && (*at)->type == type) {
			struct heard *found = *at;
			*at = found->next;
			return found;
		}
	return NULL;
}

/* The next message of this type, whatever else comes before; freed with done(). */
static inline struct heard *expect(struct peer *from, unsigned type)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	struct heard *heard;
	while (!(heard = take(from, type))) {
		if (clock_mono_ms() > end)
			fail_msg("no message '%s' came", ipc_msg_name(type));
		if (from->gone)
			fail_msg("the link was closed before a message '%s'", ipc_msg_name(type));
		turn(50);
	}
	return heard;
}

static inline void done(struct heard *heard)
{
	for (size_t i = 0; i < heard->fd_count; i++)
		fd_closep(&heard->fds[i]);
	ipc_msg_free(heard->type, &heard->msg);
	free(heard);
}

/* Whatever the broker has said to it, and the link itself, is forgotten. */
static inline void link_drop(struct peer *peer)
{
	for (size_t i = 0; i < world.link_count; i++)
		if (world.links[i] == peer)
			world.links[i] = world.links[--world.link_count];
	for (struct heard **at = &world.heard; *at;) {
		struct heard *heard = *at;
		if (heard->from == peer) {
			*at = heard->next;
			done(heard);
		} else {
			at = &heard->next;
		}
	}
	peer_close(peer);
	free(peer);
}

#define MSG(heard, type) ((const struct type *)(const void *)&(heard)->msg)

static inline void wait_for(bool (*is_true)(void), const char *what)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	while (!is_true()) {
		if (clock_mono_ms() > end)
			fail_msg("never: %s", what);
		turn(20);
	}
}

static inline void expect_closed(struct peer *peer)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	while (!peer->gone && clock_mono_ms() < end)
		turn(20);
	assert_true(peer->gone);
}

/* ---- birth and death ---- */

static inline int bundle_of(const char *config)
{
	FILES_CLEANUP struct files *files = files_in_memory();
	struct err err = { 0 };
	char line[1024], known[1200], key[1024];
	int fd = -1;
	snprintf(known, sizeof(known), "a.db %s\n", line_of(world.target_key, key));
	if (!files || files_add(files, "/etc/bartizan/config.yaml", (struct bytes){ (const uint8_t *)config, strlen(config) }) ||
		files_add(files, "/etc/bartizan/foreign.pub", (struct bytes){ (const uint8_t *)line_of(world.foreign_ca, line), strlen(line) }) ||
		files_add(files, "/etc/bartizan/known_hosts", (struct bytes){ (const uint8_t *)known, strlen(known) }) || files_bundle(files, &fd,
			&err))
		fail_msg("%s", err.text);
	return fd;
}

/* %s: the target's host key. extra is appended: further top-level keys, and the rules; roles only where it does not begin with them. */
static inline char *config_text(const char *extra)
{
	static char text[16384];
	char key[1024];
	line_of(world.target_key, key);
	snprintf(text, sizeof(text),
		"version: 1\nhost_key: /etc/bartizan/host\nstate_dir: /var/lib/bartizan\n"
		"certificates: {issuing_key: /etc/bartizan/user_ca, lifetime: 10h, trusted: [{key: foreign.pub, user: principal}]}\n"
		"keys: {backend_ca: {file: /etc/bartizan/backend_ca}, router_key: {file: /etc/bartizan/router}}\n"
		"targets:\n"
		"  - {name: web1, address: \"10.0.0.1:2200\", labels: {env: staging}, host_keys: [\"%s\"], credential: {certificate: backend_ca}}\n"
		"  - {name: old1, address: \"10.0.0.2\", labels: {env: staging}, host_keys: [\"%s\"], credential: {key: router_key}}\n"
		"  - {name: pass1, address: \"10.0.0.3\", labels: {env: staging}, host_keys: [\"%s\"], "
		"credential: {password_file: /etc/bartizan/pass}}\n"
		"  - {name: secret1, address: \"10.0.0.4\", labels: {env: prod}, host_keys: [\"%s\"], credential: {certificate: backend_ca}}\n"
		"  - {name: \"*.db\", labels: {env: staging}, host_keys_file: known_hosts, credential: {certificate: backend_ca}}\n"
		"%s%s", key, key, key, key, strstr(extra, "\nroles:") ? "" : "roles: {sre: {groups: [sre]}, glass: {groups: [glass]}}\n", extra);
	return text;
}

#define RULES "rules:\n  - {name: no-root, deny: \"*\", logins: [root]}\n" \
	"  - {name: staging, allow: \"*\", roles: [sre], targets: {labels: {env: staging}}}\n"

static inline int control_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(world.control, sizeof(world.control), "%s/control.sock", world.scratch.path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.control);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16))
		abort();
	return fd;
}

static inline void broker_fork(const char *config)
{
	int pair[2], bundle = bundle_of(config), control = control_listen();
	assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
	fflush(NULL);
	world.broker = fork();
	assert_true(world.broker >= 0);
	if (world.broker == 0) {
		const struct role_start start = { .parent = pair[1], .peer = -1, .bundle = bundle, .control = control, .state_dir = world.scratch.fd,
			.generation = 1,
			.uid = (uid_t)-1, .gid = (gid_t)-1 };
		close(pair[0]);
		log_setup("broker", getenv("BROKER_LOG") ? LOG_DEBUG_ : LOG_ERROR_);
		_exit(broker_main(&start));
	}
	close(pair[1]), close(bundle), close(control);
	world.parent = peer_new(pair[0]);
}

static inline void roles_send(void)
{
	world.signer = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "signer" } });
	world.egress = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "egress" } });
}

static inline void world_keys(void)
{
	struct sshkey **keys[] = { &world.ca, &world.backend_ca, &world.router, &world.audit_key, &world.target_key, &world.foreign_ca,
		&world.alice, &world.bob };
	for (size_t i = 0; i < COUNT(keys); i++)
		assert_int_equal(sshkey_generate_ed25519(keys[i], NULL), 0);
}

static inline void world_up(const char *extra)
{
	memset(&world, 0, sizeof(world));
	world.backend = -1;
	world.scratch = scratch_new();
	world_keys();
	broker_fork(config_text(extra));
	roles_send();
	done(expect(world.parent, IPC_READY));
}

/* The broker ends by itself, and well, once its listener is gone. */
static inline void world_stop(void)
{
	int status = -1;
	if (!world.broker)
		return;
	for (size_t i = 0; i < world.link_count; i++) /* sessions end when they are told that the gateway stops */
		if (world.links[i] != world.signer && world.links[i] != world.egress)
			peer_close(world.links[i]);
	for (int64_t end = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end; turn(20))
		if (waitpid(world.broker, &status, WNOHANG) == world.broker) {
			world.broker = 0;
			if (status)
				fail_msg("the broker ended with %#x", (unsigned)status);
			return;
		}
	kill(world.broker, SIGKILL);
	waitpid(world.broker, &status, 0);
	world.broker = 0;
	fail_msg("the broker does not end");
}

static inline void audit_problem(const char *text, void *context)
{
	(void)context;
	print_error("%s\n", text);
}

/* Whatever a test did: the broker ends well, and the audit chain with every digest holds. */
static inline void world_down(void)
{
	struct audit_report report = { 0 };
	struct store *store = NULL;
	struct err err = { 0 };
	world_stop();
	if (store_open(world.scratch.fd, false, &store, &err) || audit_verify(store, world.audit_key, audit_problem, NULL, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(report.bad, 0);
	store_close(store);
	for (size_t i = 0; i < world.link_count; i++) {
		ipc_free(world.links[i]->ipc);
		free(world.links[i]);
	}
	while (world.heard) {
		struct heard *next = world.heard->next;
		done(world.heard);
		world.heard = next;
	}
	for (size_t i = 0; i < world.held_count; i++)
		ipc_msg_free(IPC_DIAL, &world.held[i].msg);
	struct sshkey *keys[] = { world.ca, world.backend_ca, world.router, world.audit_key, world.target_key, world.foreign_ca, world.alice, world.bob };
	for (size_t i = 0; i < COUNT(keys); i++)
		sshkey_free(keys[i]);
	fd_closep(&world.backend);
	scratch_remove(&world.scratch);
}

/* ---- what the store says ---- */

struct events { const char *type; unsigned count; char last[8192]; };

static inline int count_event(const struct audit_row *row, void *context)
{
	struct events *events = context;
	if (!strcmp(row->type, events->type)) {
		events->count++;
		snprintf(events->last, sizeof(events->last), "%s", row->data);
	}
	return 0;
}

static inline struct events events_of(const char *type)
{
	struct events events = { .type = type };
	struct store *store = NULL;
	struct err err = { 0 };
	if (store_open(world.scratch.fd, true, &store, &err) || audit_each(store, 0, count_event, &events, &err))
		fail_msg("%s", err.text);
	store_close(store);
	return events;
}

static inline void session_row(const char *id, struct session_row *ret)
{
	struct store *store = NULL;
	struct err err = { 0 };
	if (store_open(world.scratch.fd, true, &store, &err) || sessions_get(store, id, ret, &err))
		fail_msg("%s", err.text);
	store_close(store);
}

static inline json_t *session_file(const char *id)
{
	struct store *store = NULL;
	struct err err = { 0 };
	struct session_row row;
	json_t *json = NULL;
	session_row(id, &row);
	if (store_open(world.scratch.fd, true, &store, &err) || transcripts_read_json(store, row.path, &json, &err))
		fail_msg("%s", err.text);
	store_close(store);
	session_row_release(&row);
	return json;
}

/* ---- a session ---- */

struct cert { const char *user; const struct sshkey *ca; int64_t from, to; uint64_t serial; const char *force, *source; const char *second;
	unsigned rights; };

static inline void cert_make(const struct cert *cert, struct buf *out)
{
	static const uint8_t nonce[32] = { 1 };
	const char *principals[] = { cert->user, cert->second, NULL };
	struct err err = { 0 };
	/* names that share a key are one person, who cannot vote on what he has asked for himself */
	struct sshcert_spec spec = { .key = strcmp(cert->user, "alice") ? world.bob : world.alice, .serial = cert->serial, .key_id = "by hand", .principals = principals,
		.valid_after = (uint64_t)(clock_wall() + cert->from),
		.valid_before = (uint64_t)(clock_wall() + cert->to), .force_command = cert->force, .source_address = cert->source,
		.rights = cert->rights ? cert->rights : SSHCERT_PTY };
	if (sshcert_sign(&spec, cert->ca ? cert->ca : world.ca, nonce, out, &err))
		fail_msg("%s", err.text);
}

/* The identity as `bartizan cert issue` would have left it. */
static inline void know(const char *user, const char *group)
{
	struct store *store = NULL;
	struct err err = { 0 };
	char *groups[] = { (char *)group, NULL };
	struct identity who = { .user = (char *)user, .provider = "local", .subject = (char *)user, .groups = groups, .group_count = group ? 1 : 0 };
	if (store_open(world.scratch.fd, false, &store, &err) || identities_put(store, &who, clock_wall_ms(), &err))
		fail_msg("%s", err.text);
	store_close(store);
}

static inline struct peer *connect_client(void)
{
	struct msg_client msg = { .connection = ++world.connection, .source = (char[]){ "192.0.2.9:4000" }, .local = (char[]){ "192.0.2.1:2222" },
		.pid = 4242 };
	return introduce(IPC_CLIENT, 0, &msg);
}

static inline struct heard *try_login(struct peer *session, const struct cert *cert, bool proved)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(IPC_BLOB_MAX);
	cert_make(cert, &blob);
	say(session, IPC_AUTH, 0, &(struct msg_auth){ proved, (char *)cert->user, buf_bytes(&blob) }, -1);
	return expect(session, IPC_AUTH_ANSWER);
}

static inline struct peer *login_as(const char *user)
{
	struct peer *session = connect_client();
	struct heard *answer = try_login(session, &(struct cert){ .user = user, .from = -60, .to = 600 }, true);
	if (!MSG(answer, msg_auth_answer)->ok)
		fail_msg("%s", MSG(answer, msg_auth_answer)->reason);
	done(answer);
	done(expect(world.parent, IPC_AUTHENTICATED));
	return session;
}

static inline struct heard *name_leg(struct peer *session, uint32_t leg, const char *target, const char *login)
{
	struct msg_leg msg = { .leg = leg, .mode = MODE_JUMP, .target = (char *)target, .login = (char *)login, .pubkey = sshkey_blob(world.alice) };
	say(session, IPC_LEG, 0, &msg, -1);
	return expect(session, IPC_LEG_ANSWER);
}

/* Names the leg and returns its ULID. */
static inline void leg_up(struct peer *session, uint32_t leg, const char *target, char id[static 27])
{
	struct heard *answer = name_leg(session, leg, target, "deploy");
	if (!MSG(answer, msg_leg_answer)->ok)
		fail_msg("%s", MSG(answer, msg_leg_answer)->reason);
	snprintf(id, 27, "%s", MSG(answer, msg_leg_answer)->session);
	done(answer);
}

static inline void ask_access(struct peer *session, uint32_t leg, uint32_t channel, enum access_kind kind, const char *command)
{
	struct msg_access msg = { .leg = leg, .channel = channel, .kind = kind, .detail = { (const uint8_t *)command, strlen(command) },
		.term = (char[]){ "xterm" }, .columns = 80, .rows = 24 };
	say(session, IPC_ACCESS, 0, &msg, -1);
}

static inline struct heard *access_of(struct peer *session, uint32_t leg, uint32_t channel, enum access_kind kind, const char *command)
{
	ask_access(session, leg, channel, kind, command);
	return expect(session, IPC_DECISION);
}

static inline void end_leg(struct peer *session, uint32_t leg, const char *reason)
{
	say(session, IPC_LEG_END, 0, &(struct msg_leg_end){ leg, (char *)reason }, -1);
}

static inline void end_channel(struct peer *session, uint32_t leg, uint32_t channel)
{
	struct msg_channel_end msg = { .leg = leg, .channel = channel, .exit_status = 3, .exit_signal = (char[]){ "" }, .bytes_in = 1, .bytes_out = 2,
		.bytes_err = 3, .reason = (char[]){ "" } };
	say(session, IPC_CHANNEL_END, 0, &msg, -1);
}

static inline void client_gone_with(uint64_t connection, int status)
{
	say(world.parent, IPC_CLIENT_GONE, 0, &(struct msg_client_gone){ connection, (uint32_t)status }, -1);
}

#endif
