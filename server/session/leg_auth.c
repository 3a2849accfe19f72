/* Login of a leg. Outer: publickey with a certificate, or with a plain key and a login at a
 * provider behind it, judged by the broker; libssh verifies that the client holds the private key
 * (SSH_PUBLICKEY_STATE_VALID), the broker checks everything else. Inner: `none` is enough, because
 * the outer connection is authenticated; the user name is the login on the target. See leg.h. */
/* The message getters are used although deprecated: callbacks would have to answer at once, and
 * requests are kept here until the broker has decided. */
#define SSH_SUPPRESS_DEPRECATED
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "keys/sshkey.h"
#include "server/session/conn.h"
#include "server/session/leg.h"
#include "common/selector.h"

/* Keys first: keyboard-interactive is for who has no other left. After a good login only a key is
 * missing. */
static int methods(const struct leg *leg)
{
	if (!leg->outer || leg->vouched)
		return SSH_AUTH_METHOD_PUBLICKEY;
	return SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_INTERACTIVE;
}

/* SSH_MSG_USERAUTH_FAILURE. It always names a method: libssh sends nothing at all for an empty
 * list, and a client would wait for ever. */
static void reply(struct leg *leg, ssh_message message)
{
	transport_enter(&leg->transport);
	ssh_message_auth_set_methods(message, methods(leg));
	leg_replied(leg, message, ssh_message_reply_default(message));
}

/* SSH_MSG_USERAUTH_BANNER (RFC 4252 section 5.4): the only way to say why before login. */
void leg_say(struct leg *leg, const char *text)
{
	BUF_CLEANUP struct buf line = BUF_INIT(4096);

	buf_puts(&line, "bartizan: ");
	text_visible(&line, text, strlen(text), 2048);
	buf_puts(&line, "\r\n");
	ssh_string banner = ssh_string_from_char(buf_cstr(&line));
	transport_enter(&leg->transport);
	if (banner)
		ssh_send_issue_banner(leg->transport.session, banner);
	ssh_string_free(banner);
}

/* The first user name counts; a client that changes it is disconnected (RFC 4252 section 5 allows a
 * change, but no client needs it). */
static bool user_pinned(struct conn *conn, const char *user)
{
	if (!conn->user && strlen(user) <= 512)
		conn->user = strdup(user);
	return conn->user && !strcmp(conn->user, user);
}

static int key_blob(ssh_message message, struct buf *blob)
{
	char *base64 = NULL;
	int rc = -1;

	/* for a certificate: all of it */
	if (ssh_pki_export_pubkey_base64(ssh_message_auth_pubkey(message), &base64) == SSH_OK)
		rc = text_base64_decode(blob, base64, strlen(base64));
	ssh_string_free_char(base64);
	return rc;
}

#define VOUCHED_MAX_MS 60000 /* for a key to follow a login */

static void ask(struct leg *leg, ssh_message message)
{
	struct conn *conn = leg->conn;
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	bool proved = ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_VALID;

	if (key_blob(message, &blob)) {
		reply(leg, message);
		return;
	}
	struct msg_auth msg = { .proved = proved, .user = conn->user, .key = buf_bytes(&blob) };
	leg->kept = message;
	conn_send(conn, IPC_AUTH, &msg);
}

/* ---- keyboard-interactive (RFC 4256): the login at a provider ---- */

static void clear_prompt(struct leg *leg)
{
	if (leg->prompt)
		ipc_msg_free(IPC_LOGIN_PROMPT, leg->prompt);
	free(leg->prompt);
	leg->prompt = NULL;
}

/* Answers the waiting message with the broker's text. Without a prompt the client answers at once,
 * and its answer is kept while the login runs elsewhere; each further text shows progress and
 * proves that the client is still there. */
static void show_prompt(struct leg *leg)
{
	if (!leg->waiting || !leg->prompt)
		return;
	BUF_CLEANUP struct buf text = BUF_INIT(2 * IPC_TEXT_MAX),
			       prompt = BUF_INIT(2 * IPC_TEXT_MAX);
	const char *line = leg->prompt->text;
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		text_visible(&text, line, strcspn(line, "\n"), IPC_TEXT_MAX);
		buf_puts(&text, "\n");
	}
	if (text.len && !*leg->prompt->prompt)
		text.len--; /* the client ends the line by itself, unless it asks on the same one */
	text_visible(&prompt, leg->prompt->prompt, strlen(leg->prompt->prompt), 256);
	const char *prompts[] = { buf_cstr(&prompt) };
	char echo[] = { leg->prompt->echo };
	transport_enter(&leg->transport);
	ssh_message message = leg->waiting;
	leg->waiting = NULL;
	leg_replied(leg, message,
		ssh_message_auth_interactive_request(
			message, "", buf_cstr(&text), prompt.len ? 1 : 0, prompts, echo));
	clear_prompt(leg);
}

void leg_login_prompt(struct leg *leg, struct msg_login_prompt *prompt)
{
	clear_prompt(leg);
	leg->prompt = malloc(sizeof(*prompt));
	if (!leg->prompt)
		return;
	*leg->prompt = *prompt;
	*prompt = (struct msg_login_prompt){ 0 };
	show_prompt(leg);
}

static void login_ended(struct leg *leg);

static void interactive(struct leg *leg, ssh_message message)
{
	ssh_session session = leg->transport.session;
	struct msg_login begin = { .user = leg->conn->user };
	struct msg_login_input input = { { NULL, 0 } };
	bool response = ssh_message_auth_kbdint_is_response(message);

	if (leg->waiting || leg->vouched || response != leg->login_begun) {
		reply(leg, message);
		return;
	}
	leg->waiting = message;
	if (leg->login_end) {
		login_ended(leg);
		return;
	}
	if (!response) {
		leg->login_begun = true;
		/* the broker bounds the login itself */
		leg->deadline = leg->conn->now + LOGIN_MAX_MS;
		conn_send(leg->conn, IPC_LOGIN, &begin);
		return;
	}
	const char *answer = ssh_userauth_kbdint_getnanswers(session) > 0
				     ? ssh_userauth_kbdint_getanswer(session, 0)
				     : NULL;
	if (answer && strlen(answer) <= IPC_TOKEN_MAX)
		input.text = (struct bytes){ (const uint8_t *)answer, strlen(answer) };
	conn_send(leg->conn, IPC_LOGIN_INPUT, &input);
	show_prompt(leg);
}

/* One of key and person is proved, the other one has to follow. A key: by further keys, of which
 * one may be a certificate, or by keyboard-interactive. */
static void partial(struct leg *leg, const struct msg_auth_answer *answer, ssh_message message)
{
	if (*answer->reason)
		leg_say(leg, answer->reason);
	transport_enter(&leg->transport);
	ssh_message_auth_set_methods(message, methods(leg));
	leg_replied(leg, message, ssh_message_auth_reply_success(message, 1));
}

static void outer_auth(struct leg *leg, ssh_message message)
{
	struct conn *conn = leg->conn;
	const char *user = ssh_message_auth_user(message);

	/* An answer to a prompt (RFC 4256 section 3.4) names no user: it belongs to the request
	 * that was pinned. */
	bool reply_to_prompt = ssh_message_subtype(message) == SSH_AUTH_METHOD_INTERACTIVE &&
			       ssh_message_auth_kbdint_is_response(message);
	if (!reply_to_prompt && (!user || !user_pinned(conn, user))) {
		conn_event(conn, leg, "bad-signature", "the user name changed between attempts");
		leg_end(leg, EXIT_DENIED, "the user name may not change between attempts");
		ssh_message_free(message);
	} else if (ssh_message_subtype(message) == SSH_AUTH_METHOD_INTERACTIVE &&
		   !conn->authenticated) {
		interactive(leg, message);
	} else if (ssh_message_subtype(message) != SSH_AUTH_METHOD_PUBLICKEY ||
		   conn->authenticated || (leg->login_begun && !leg->vouched)) {
		reply(leg, message);
	} else if (++conn->probes > CONN_ATTEMPTS_HARD) {
		leg_end(leg, EXIT_DENIED, "too many keys were offered");
		ssh_message_free(message);
	} else {
		ask(leg, message);
	}
}

/* The outer connection has said who it is, so `none` is enough. Clients that never try `none`
 * (paramiko, sshj, libssh2) offer a key: any will do, if they hold it. */
static void inner_auth(struct leg *leg, ssh_message message)
{
	const char *user = ssh_message_auth_user(message);

	int method = ssh_message_subtype(message);
	int proof = method == SSH_AUTH_METHOD_PUBLICKEY ? ssh_message_auth_publickey_state(message)
							: SSH_PUBLICKEY_STATE_ERROR;
	bool fits = user && strlen(user) <= 512 && !leg->login;

	if (fits && proof == SSH_PUBLICKEY_STATE_NONE) {
		leg_replied(leg, message, ssh_message_auth_reply_pk_ok_simple(message));
		return;
	}
	if (!fits || (method != SSH_AUTH_METHOD_NONE && proof != SSH_PUBLICKEY_STATE_VALID)) {
		reply(leg, message);
		return;
	}
	leg->login = strdup(user);
	leg_replied(leg, message, ssh_message_auth_reply_success(message, 0));
	leg_authenticated(leg);
	leg_name(leg, MODE_JUMP);
}

void leg_auth_message(struct leg *leg, ssh_message message)
{
	if (leg->state != LEG_AUTH) {
		ssh_message_free(message); /* ignored after the success: RFC 4252 section 5.1 */
	} else if (leg->outer) {
		outer_auth(leg, message);
	} else {
		inner_auth(leg, message);
	}
}

void leg_authenticated(struct leg *leg)
{
	leg->transport.touched = true;
	leg->last_active = leg->conn->now;
	leg_set_state(leg, LEG_READY);
}

/* `login@target` names a target in the user name: direct mode. */
static void direct_mode(struct leg *leg)
{
	struct selector selector;
	int rc = selector_parse(leg->conn->user, &selector);

	if (rc) {
		leg->naming = LEG_REFUSED;
		leg->refusal_exit = EXIT_DENIED;
		leg->refusal =
			strdup("the user name does not name a target: it has to be LOGIN@TARGET");
	} else if (selector.login) {
		leg->login = selector.login;
		leg->target = selector.target;
		leg->port = selector.port;
		leg_name(leg, MODE_DIRECT);
	}
}

static void accepted(struct leg *leg, const struct msg_auth_answer *answer, ssh_message message)
{
	struct conn *conn = leg->conn;

	conn->authenticated = true;
	conn->rights = answer->rights;
	conn->force_command = *answer->force_command ? strdup(answer->force_command) : NULL;
	leg_replied(leg, message, ssh_message_auth_reply_success(message, 0));
	leg_authenticated(leg);
	if (answer->direct)
		direct_mode(leg);
}

static void refused(struct leg *leg, const struct msg_auth_answer *answer, ssh_message message)
{
	struct conn *conn = leg->conn;

	if (*answer->reason) /* the broker knows what was said already */
		leg_say(leg, answer->reason);
	if (answer->proved)
		/* only signed attempts count: an agent may offer many keys */
		conn->attempts++;
	reply(leg, message);
	if (conn->attempts >= conn->start->conf->login_attempts)
		leg_end(leg, EXIT_DENIED, "too many failed logins");
}

/* The end of a login by keyboard-interactive. */
static void login_answer(struct leg *leg, const struct msg_auth_answer *answer)
{
	ssh_message message = leg->waiting;

	leg->waiting = NULL;
	leg->transport.touched = true;
	transport_enter(&leg->transport);
	if (answer->ok && answer->proved) {
		accepted(leg, answer, message);
		return;
	}
	if (answer->partial) {
		leg->vouched = true;
		leg->deadline = leg->conn->now + VOUCHED_MAX_MS;
		partial(leg, answer, message);
		return;
	}
	leg->conn->attempts++;
	/* shows the reason before the client is told that the login failed */
	leg_end(leg, EXIT_DENIED, answer->reason);
	reply(leg, message);
}

static void login_end_free(struct leg *leg)
{
	if (leg->login_end)
		ipc_msg_free(IPC_AUTH_ANSWER, leg->login_end);
	free(leg->login_end);
	leg->login_end = NULL;
}

static void login_ended(struct leg *leg)
{
	login_answer(leg, leg->login_end);
	login_end_free(leg);
}

/* The client has still to answer the last prompt: the end of its login is told as that answer's
 * answer. */
static void login_end_keep(struct leg *leg, struct msg_auth_answer *answer)
{
	login_end_free(leg);
	leg->login_end = malloc(sizeof(*leg->login_end));
	if (!leg->login_end)
		return;
	*leg->login_end = *answer;
	*answer = (struct msg_auth_answer){ 0 };
}

void leg_auth_release(struct leg *leg)
{
	clear_prompt(leg);
	login_end_free(leg);
}

void leg_auth_answer(struct leg *leg, struct msg_auth_answer *answer)
{
	if (leg->state == LEG_AUTH && !leg->kept && leg->login_begun && !leg->vouched) {
		if (leg->waiting)
			login_answer(leg, answer);
		else
			login_end_keep(leg, answer);
		return;
	}
	ssh_message message = leg->kept;
	if (!message || leg->state != LEG_AUTH)
		return;
	leg->kept = NULL;
	leg->transport.touched = true;
	transport_enter(&leg->transport);
	bool proved = ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_VALID;
	if (answer->partial && answer->proved && proved) {
		partial(leg, answer, message);
	} else if (!answer->ok) {
		refused(leg, answer, message);
	} else if (!answer->proved || !proved) {
		leg_replied(leg, message, ssh_message_auth_reply_pk_ok_simple(message));
	} else {
		accepted(leg, answer, message);
	}
}
