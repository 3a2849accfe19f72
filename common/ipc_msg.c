/* The table of messages. See ipc_msg.h; adding a message is a struct there and a row here. */
#include "common/ipc_msg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"

enum field_type { F_BOOL, F_U32, F_U64, F_I64, F_TEXT, F_BYTES, F_TEXTS };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	size_t max; /* text and bytes: length; texts: count, each IPC_TEXT_MAX */
};

struct row {
	const char *name;
	size_t size;
	const struct field *fields;
	size_t count;
	size_t fds_max;
	enum ipc_type answer; /* 0: it is no question */
};

#define FIELD(s, f, t, m)                       \
	{                                       \
#f, t, offsetof(struct s, f), m \
	}
#define BOOL(s, f) FIELD(s, f, F_BOOL, 0)
#define U32(s, f) FIELD(s, f, F_U32, 0)
#define U64(s, f) FIELD(s, f, F_U64, 0)
#define I64(s, f) FIELD(s, f, F_I64, 0)
#define TEXT(s, f) FIELD(s, f, F_TEXT, IPC_TEXT_MAX)
#define BYTES(s, f, m) FIELD(s, f, F_BYTES, m)
#define TEXTS(s, f) FIELD(s, f, F_TEXTS, IPC_LIST_MAX)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct field reason_fields[] = { TEXT(msg_reason, reason) };
static const struct field client_fields[] = { U64(msg_client, connection), TEXT(msg_client, source),
	TEXT(msg_client, local), U32(msg_client, pid), BOOL(msg_client, scan) };
static const struct field client_gone_fields[] = { U64(msg_client_gone, connection),
	U32(msg_client_gone, status) };
static const struct field role_fields[] = { TEXT(msg_role, role) };
static const struct field conf_fields[] = { U64(msg_conf, generation) };
static const struct field conf_taken_fields[] = { U64(msg_conf_taken, generation) };
static const struct field connection_fields[] = { U64(msg_connection, connection) };
static const struct field proxy_fields[] = { TEXT(msg_proxy, source) };
static const struct field auth_fields[] = { BOOL(msg_auth, proved), TEXT(msg_auth, user),
	BYTES(msg_auth, key, IPC_BLOB_MAX) };
static const struct field leg_fields[] = {
	U32(msg_leg, leg),
	U32(msg_leg, mode),
	TEXT(msg_leg, target),
	U32(msg_leg, port),
	TEXT(msg_leg, login),
	BYTES(msg_leg, pubkey, IPC_BLOB_MAX),
};
static const struct field access_fields[] = {
	U32(msg_access, leg),
	U32(msg_access, channel),
	U32(msg_access, kind),
	BYTES(msg_access, detail, IPC_DETAIL_MAX),
	BOOL(msg_access, pty),
	TEXT(msg_access, term),
	U32(msg_access, columns),
	U32(msg_access, rows),
	BYTES(msg_access, env, IPC_ENV_MAX),
};
static const struct field request_fields[] = {
	U32(msg_request, leg),
	U32(msg_request, channel),
	TEXT(msg_request, what),
	BYTES(msg_request, detail, IPC_TEXT_MAX),
};
static const struct field channel_end_fields[] = {
	U32(msg_channel_end, leg),
	U32(msg_channel_end, channel),
	I64(msg_channel_end, exit_status),
	TEXT(msg_channel_end, exit_signal),
	U64(msg_channel_end, bytes_in),
	U64(msg_channel_end, bytes_out),
	U64(msg_channel_end, bytes_err),
	TEXT(msg_channel_end, reason),
};
static const struct field evidence_fields[] = {
	U32(msg_evidence, leg),
	TEXT(msg_evidence, transport),
	TEXT(msg_evidence, kex),
	TEXT(msg_evidence, host_key_algorithm),
	TEXT(msg_evidence, host_key_fingerprint),
	TEXT(msg_evidence, cipher_in),
	TEXT(msg_evidence, cipher_out),
	TEXT(msg_evidence, mac_in),
	TEXT(msg_evidence, mac_out),
	TEXT(msg_evidence, banner),
	BOOL(msg_evidence, strict_kex),
};
static const struct field event_fields[] = { U32(msg_event, leg), TEXT(msg_event, type),
	BYTES(msg_event, detail, IPC_TEXT_MAX), U64(msg_event, more) };
static const struct field leg_end_fields[] = { U32(msg_leg_end, leg), TEXT(msg_leg_end, reason) };
static const struct field scanned_fields[] = { TEXTS(msg_scanned, keys), TEXT(msg_scanned, reason),
	TEXT(msg_scanned, kex) };
static const struct field command_fields[] = {
	U32(msg_command, channel),
	TEXTS(msg_command, argv),
	BOOL(msg_command, terminal),
	U32(msg_command, columns),
	BYTES(msg_command, env, IPC_ENV_MAX),
};
static const struct field command_input_fields[] = { U32(msg_command_input, channel),
	BYTES(msg_command_input, data, IPC_OUTPUT_MAX) };
static const struct field channel_fields[] = { U32(msg_channel, channel) };
static const struct field auth_answer_fields[] = {
	BOOL(msg_auth_answer, ok),
	BOOL(msg_auth_answer, proved),
	BOOL(msg_auth_answer, partial),
	TEXT(msg_auth_answer, reason),
	TEXT(msg_auth_answer, user),
	U32(msg_auth_answer, rights),
	FIELD(msg_auth_answer, force_command, F_TEXT, IPC_BLOB_MAX),
	I64(msg_auth_answer, expires),
	BOOL(msg_auth_answer, direct),
};
static const struct field leg_answer_fields[] = {
	U32(msg_leg_answer, leg),
	BOOL(msg_leg_answer, ok),
	U32(msg_leg_answer, exit),
	TEXT(msg_leg_answer, reason),
	TEXT(msg_leg_answer, session),
};
static const struct field decision_fields[] = {
	U32(msg_decision, leg),
	U32(msg_decision, channel),
	U32(msg_decision, verdict),
	U32(msg_decision, exit),
	TEXT(msg_decision, rule),
	TEXT(msg_decision, reason),
	BOOL(msg_decision, record),
	BOOL(msg_decision, record_required),
	BOOL(msg_decision, record_input),
	I64(msg_decision, idle),
	I64(msg_decision, session_time),
	U64(msg_decision, stream_keep),
	U64(msg_decision, cast_max),
	TEXT(msg_decision, title),
	BOOL(msg_decision, guard),
	BYTES(msg_decision, env, IPC_ENV_MAX),
};
static const struct field grant_fields[] = {
	U32(msg_grant, leg),
	BOOL(msg_grant, ok),
	U32(msg_grant, exit),
	TEXT(msg_grant, reason),
	TEXTS(msg_grant, host_keys),
	TEXT(msg_grant, login),
	TEXT(msg_grant, credential),
	BYTES(msg_grant, secret, IPC_BLOB_MAX),
	TEXTS(msg_grant, allow),
	U32(msg_grant, handshake_ms),
	TEXT(msg_grant, address),
};
static const struct field notice_fields[] = { U32(msg_notice, leg), TEXT(msg_notice, text) };
static const struct field end_fields[] = { U32(msg_end, leg), U32(msg_end, exit),
	TEXT(msg_end, reason) };
static const struct field output_fields[] = { U32(msg_output, channel), U32(msg_output, stream),
	BYTES(msg_output, data, IPC_OUTPUT_MAX) };
static const struct field play_fields[] = {
	U32(msg_play, channel),
	BOOL(msg_play, text),
	U32(msg_play, speed_milli),
	I64(msg_play, idle_us),
	I64(msg_play, from_us),
};
static const struct field command_exit_fields[] = { U32(msg_command_exit, channel),
	U32(msg_command_exit, status) };
static const struct field sign_cert_fields[] = {
	TEXT(msg_sign_cert, key),
	BYTES(msg_sign_cert, pubkey, IPC_BLOB_MAX),
	U64(msg_sign_cert, serial),
	TEXT(msg_sign_cert, key_id),
	TEXTS(msg_sign_cert, principals),
	U64(msg_sign_cert, valid_after),
	U64(msg_sign_cert, valid_before),
	FIELD(msg_sign_cert, force_command, F_TEXT, IPC_BLOB_MAX),
	TEXT(msg_sign_cert, source_address),
	U32(msg_sign_cert, rights),
};
static const struct field sign_audit_fields[] = { BYTES(msg_sign_audit, data, IPC_BLOB_MAX) };
static const struct field sign_agent_fields[] = {
	TEXT(msg_sign_agent, key),
	TEXT(msg_sign_agent, login),
	BYTES(msg_sign_agent, data, IPC_BLOB_MAX),
	U32(msg_sign_agent, flags),
};
static const struct field password_fields[] = { TEXT(msg_password, file) };
static const struct field signed_fields[] = { BOOL(msg_signed, ok), TEXT(msg_signed, reason),
	BYTES(msg_signed, data, IPC_BLOB_MAX) };
static const struct field keys_answer_fields[] = { TEXTS(msg_keys_answer, names),
	TEXTS(msg_keys_answer, lines) };
static const struct field dial_fields[] = { TEXT(msg_dial, host), U32(msg_dial, port),
	TEXT(msg_dial, family), U32(msg_dial, timeout_ms) };
static const struct field dialed_fields[] = { BOOL(msg_dialed, ok), TEXT(msg_dialed, reason),
	TEXT(msg_dialed, address) };

static const struct field login_start_fields[] = { TEXT(msg_login_start, provider),
	I64(msg_login_start, max_age) };
static const struct field provider_fields[] = { TEXT(msg_provider, provider) };
static const struct field provider_state_fields[] = {
	TEXT(msg_provider_state, provider),
	BOOL(msg_provider_state, ok),
	TEXT(msg_provider_state, reason),
	BYTES(msg_provider_state, jwks, IPC_DOCUMENT_MAX),
	I64(msg_provider_state, fetched),
	TEXT(msg_provider_state, logout),
};
static const struct field login_code_fields[] = {
	TEXT(msg_login_code, user_code),
	TEXT(msg_login_code, uri),
	TEXT(msg_login_code, uri_complete),
	U32(msg_login_code, expires),
};
static const struct field login_done_fields[] = {
	BOOL(msg_login_done, ok),
	TEXT(msg_login_done, kind),
	TEXT(msg_login_done, reason),
	BYTES(msg_login_done, id_token, IPC_TOKEN_MAX),
	BYTES(msg_login_done, userinfo, IPC_DOCUMENT_MAX),
};
static const struct field login_fields[] = { TEXT(msg_login, submethods) };
static const struct field login_input_fields[] = { BYTES(msg_login_input, text, IPC_TOKEN_MAX) };
static const struct field login_prompt_fields[] = { TEXT(msg_login_prompt, text),
	TEXT(msg_login_prompt, prompt), BOOL(msg_login_prompt, echo) };

static const struct field wait_fields[] = { U32(msg_wait, leg), U32(msg_wait, channel),
	TEXT(msg_wait, text), TEXT(msg_wait, status) };
static const struct field ask_fields[] = { U32(msg_ask, leg), U32(msg_ask, channel),
	TEXT(msg_ask, prompt), U32(msg_ask, max) };
static const struct field ask_answer_fields[] = {
	U32(msg_ask_answer, leg),
	U32(msg_ask_answer, channel),
	BOOL(msg_ask_answer, given),
	BYTES(msg_ask_answer, text, IPC_TEXT_MAX),
};
static const struct field access_cancel_fields[] = { U32(msg_access_cancel, leg),
	U32(msg_access_cancel, channel) };

static const struct field line_fields[] = {
	U32(msg_line, leg),
	U32(msg_line, channel),
	U32(msg_line, line),
	U32(msg_line, confidence),
	TEXT(msg_line, why),
	BOOL(msg_line, full_screen),
	BOOL(msg_line, hidden),
	BOOL(msg_line, continues),
	BYTES(msg_line, texts, IPC_LINE_TEXTS_MAX),
};
static const struct field line_verdict_fields[] = {
	U32(msg_line_verdict, leg),
	U32(msg_line_verdict, channel),
	U32(msg_line_verdict, line),
	U32(msg_line_verdict, verdict),
	TEXT(msg_line_verdict, notice),
};
static const struct field line_end_fields[] = {
	U32(msg_line_end, leg),
	U32(msg_line_end, channel),
	U32(msg_line_end, line),
	TEXT(msg_line_end, end),
	TEXT(msg_line_end, confidence),
	TEXT(msg_line_end, why),
	BYTES(msg_line_end, text, IPC_TEXT_MAX),
	I64(msg_line_end, took_us),
};
static const struct field webhook_fields[] = { BYTES(msg_webhook, json, IPC_DETAIL_MAX) };
static const struct field webhook_done_fields[] = { BOOL(msg_webhook_done, ok),
	TEXT(msg_webhook_done, reason) };

#define EMPTY(name, fds)                                        \
	{                                                       \
		name, sizeof(struct msg_empty), NULL, 0, fds, 0 \
	}
#define ROW(name, s, fields, fds)                                     \
	{                                                             \
		name, sizeof(struct s), fields, COUNT(fields), fds, 0 \
	}
/* A question to the signer or to egress, which answers with the message named last. */
#define ASKED(name, s, fields, answer)                                   \
	{                                                                \
		name, sizeof(struct s), fields, COUNT(fields), 0, answer \
	}

static const struct row rows[IPC_TYPES] = {
	[IPC_READY] = EMPTY("ready", 0),
	[IPC_FAILED] = ROW("failed", msg_reason, reason_fields, 0),
	[IPC_CLIENT] = ROW("client", msg_client, client_fields, 1),
	[IPC_CLIENT_GONE] = ROW("client-gone", msg_client_gone, client_gone_fields, 0),
	[IPC_ROLE] = ROW("role", msg_role, role_fields, 1),
	[IPC_CONF] = ROW("conf", msg_conf, conf_fields, 1),
	[IPC_CONF_REFUSED] = ROW("conf-refused", msg_reason, reason_fields, 0),
	[IPC_DRAIN] = EMPTY("drain", 0),
	[IPC_CONF_TAKEN] = ROW("conf-taken", msg_conf_taken, conf_taken_fields, 0),
	[IPC_AUTHENTICATED] = ROW("authenticated", msg_connection, connection_fields, 0),
	[IPC_KILL] = ROW("kill", msg_connection, connection_fields, 0),
	[IPC_SCAN] = EMPTY("scan", 0),
	[IPC_PROXY] = ROW("proxy", msg_proxy, proxy_fields, 0),
	[IPC_AUTH] = ROW("auth", msg_auth, auth_fields, 0),
	[IPC_LEG] = ROW("leg", msg_leg, leg_fields, 0),
	[IPC_ACCESS] = ROW("access", msg_access, access_fields, 0),
	[IPC_REQUEST] = ROW("request", msg_request, request_fields, 0),
	[IPC_CHANNEL_END] = ROW("channel-end", msg_channel_end, channel_end_fields, 0),
	[IPC_EVIDENCE] = ROW("evidence", msg_evidence, evidence_fields, 0),
	[IPC_EVENT] = ROW("event", msg_event, event_fields, 0),
	[IPC_LEG_END] = ROW("leg-end", msg_leg_end, leg_end_fields, 0),
	[IPC_SCANNED] = ROW("scanned", msg_scanned, scanned_fields, 0),
	[IPC_COMMAND] = ROW("command", msg_command, command_fields, 0),
	[IPC_COMMAND_STOP] = ROW("command-stop", msg_channel, channel_fields, 0),
	[IPC_COMMAND_INPUT] = ROW("command-input", msg_command_input, command_input_fields, 0),
	[IPC_AUTH_ANSWER] = ROW("auth-answer", msg_auth_answer, auth_answer_fields, 0),
	[IPC_LEG_ANSWER] = ROW("leg-answer", msg_leg_answer, leg_answer_fields, 0),
	[IPC_DECISION] = ROW("decision", msg_decision, decision_fields, 1),
	[IPC_GRANT] = ROW("grant", msg_grant, grant_fields, 2),
	[IPC_NOTICE] = ROW("notice", msg_notice, notice_fields, 0),
	[IPC_END] = ROW("end", msg_end, end_fields, 0),
	[IPC_OUTPUT] = ROW("output", msg_output, output_fields, 0),
	[IPC_PLAY] = ROW("play", msg_play, play_fields, 1),
	[IPC_COMMAND_EXIT] = ROW("command-exit", msg_command_exit, command_exit_fields, 0),
	[IPC_SIGN_CERT] = ASKED("sign-cert", msg_sign_cert, sign_cert_fields, IPC_SIGNED),
	[IPC_SIGN_AUDIT] = ASKED("sign-audit", msg_sign_audit, sign_audit_fields, IPC_SIGNED),
	[IPC_SIGN_AGENT] = ASKED("sign-agent", msg_sign_agent, sign_agent_fields, IPC_SIGNED),
	[IPC_PASSWORD] = ASKED("password", msg_password, password_fields, IPC_SIGNED),
	[IPC_KEYS] = { "keys", sizeof(struct msg_empty), NULL, 0, 0, IPC_KEYS_ANSWER },
	[IPC_SIGNED] = ROW("signed", msg_signed, signed_fields, 0),
	[IPC_KEYS_ANSWER] = ROW("keys-answer", msg_keys_answer, keys_answer_fields, 0),
	[IPC_DIAL] = ASKED("dial", msg_dial, dial_fields, IPC_DIALED),
	[IPC_DIAL_CANCEL] = EMPTY("dial-cancel", 0),
	[IPC_DIALED] = ROW("dialed", msg_dialed, dialed_fields, 1),
	[IPC_LOGIN_START] = ROW("login-start", msg_login_start, login_start_fields, 0),
	[IPC_LOGIN_CANCEL] = EMPTY("login-cancel", 0),
	[IPC_PROVIDER_REFRESH] = ROW("provider-refresh", msg_provider, provider_fields, 0),
	[IPC_PROVIDER_STATE] = ROW("provider-state", msg_provider_state, provider_state_fields, 0),
	[IPC_LOGIN_CODE] = ROW("login-code", msg_login_code, login_code_fields, 0),
	[IPC_LOGIN_DONE] = ROW("login-done", msg_login_done, login_done_fields, 0),
	[IPC_LOGIN] = ROW("login", msg_login, login_fields, 0),
	[IPC_LOGIN_INPUT] = ROW("login-input", msg_login_input, login_input_fields, 0),
	[IPC_WAIT] = ROW("wait", msg_wait, wait_fields, 0),
	[IPC_ASK] = ROW("ask", msg_ask, ask_fields, 0),
	[IPC_ASK_ANSWER] = ROW("ask-answer", msg_ask_answer, ask_answer_fields, 0),
	[IPC_ACCESS_CANCEL] = ROW("access-cancel", msg_access_cancel, access_cancel_fields, 0),
	[IPC_LINE] = ROW("line", msg_line, line_fields, 0),
	[IPC_LINE_VERDICT] = ROW("line-verdict", msg_line_verdict, line_verdict_fields, 0),
	[IPC_LINE_END] = ROW("line-end", msg_line_end, line_end_fields, 0),
	[IPC_NOTIFY] = EMPTY("notify", 1),
	[IPC_WEBHOOK] = ASKED("webhook", msg_webhook, webhook_fields, IPC_WEBHOOK_DONE),
	[IPC_WEBHOOK_DONE] = ROW("webhook-done", msg_webhook_done, webhook_done_fields, 0),
	[IPC_LOGIN_PROMPT] = ROW("login-prompt", msg_login_prompt, login_prompt_fields, 0),
};

static const struct row *row_of(unsigned type)
{
	return type < IPC_TYPES && rows[type].name ? &rows[type] : NULL;
}

const char *ipc_msg_name(unsigned type)
{
	const struct row *row = row_of(type);

	return row ? row->name : "unknown";
}

size_t ipc_msg_size(enum ipc_type type)
{
	const struct row *row = row_of(type);

	return row ? row->size : 0;
}

enum ipc_type ipc_msg_answer(enum ipc_type type)
{
	const struct row *row = row_of(type);

	return row ? row->answer : 0;
}

size_t ipc_msg_fds_max(enum ipc_type type)
{
	const struct row *row = row_of(type);

	return row ? row->fds_max : 0;
}

#define AT(base, field, ctype) ((ctype *)((char *)(base) + (field)->offset))
#define AT_CONST(base, field, ctype) ((ctype const *)((const char *)(base) + (field)->offset))

static void texts_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

/* Overwritten first: it may be a password or a private answer. */
static void bytes_free(struct bytes *bytes)
{
	text_burn((void *)bytes->data, bytes->data ? bytes->len : 0);
	free((void *)bytes->data);
}

static void field_free(const struct field *field, void *msg)
{
	if (field->type == F_TEXT)
		free(*AT(msg, field, char *));
	else if (field->type == F_BYTES)
		bytes_free(AT(msg, field, struct bytes));
	else if (field->type == F_TEXTS)
		texts_free(*AT(msg, field, char **));
}

void ipc_msg_free(enum ipc_type type, void *msg)
{
	const struct row *row = row_of(type);

	for (size_t i = 0; row && i < row->count; i++)
		field_free(&row->fields[i], msg);
	if (row)
		memset(msg, 0, row->size);
}

/* ---- encoding ---- */

static int put_text(struct buf *out, const char *text, size_t max)
{
	size_t len = text ? strlen(text) : 0;

	if (len > max)
		return -EMSGSIZE;
	return wire_put_string(out, text ? text : "", len);
}

static int put_texts(struct buf *out, char *const *list, size_t max)
{
	uint32_t count = 0;

	while (list && list[count])
		count++;
	if (count > max)
		return -EMSGSIZE;
	int rc = wire_put_u32(out, count);
	for (uint32_t i = 0; !rc && i < count; i++)
		rc = put_text(out, list[i], IPC_TEXT_MAX);
	return rc;
}

static int field_encode(const struct field *field, const void *msg, struct buf *out)
{
	const struct bytes *bytes;

	switch (field->type) {
	case F_BOOL: return wire_put_u8(out, *AT_CONST(msg, field, bool) ? 1 : 0);
	case F_U32: return wire_put_u32(out, *AT_CONST(msg, field, uint32_t));
	case F_U64: return wire_put_u64(out, *AT_CONST(msg, field, uint64_t));
	case F_I64: return wire_put_u64(out, (uint64_t)*AT_CONST(msg, field, int64_t));
	case F_TEXT: return put_text(out, *AT_CONST(msg, field, char *), field->max);
	case F_TEXTS: return put_texts(out, *AT_CONST(msg, field, char **), field->max);
	case F_BYTES:
		bytes = AT_CONST(msg, field, struct bytes);
		return bytes->len > field->max ? -EMSGSIZE : wire_put_bytes(out, *bytes);
	}
	return -EINVAL;
}

int ipc_msg_encode(enum ipc_type type, const void *msg, struct buf *out)
{
	const struct row *row = row_of(type);
	int rc = row ? 0 : -EINVAL;

	for (size_t i = 0; !rc && i < row->count; i++)
		rc = field_encode(&row->fields[i], msg, out);
	return rc;
}

int ipc_send(struct ipc *link, enum ipc_type type, uint32_t id, const void *msg, const int *fds,
	size_t fd_count)
{
	BUF_CLEANUP struct buf body = BUF_INIT(IPC_SIZE_MAX);

	if (fd_count > ipc_msg_fds_max(type))
		return -EINVAL;
	int rc = ipc_msg_encode(type, msg, &body);
	if (!rc)
		rc = ipc_send_raw(link, type, id, buf_bytes(&body), fds, fd_count);
	buf_burn(&body); /* grants and answers of the signer carry secrets */
	return rc;
}

/* ---- decoding ---- */

static int get_bool(struct wire *in, bool *ret)
{
	uint8_t value;

	if (wire_get_u8(in, &value) || value > 1)
		return -EBADMSG;
	*ret = value;
	return 0;
}

static int get_bytes(struct wire *in, size_t max, struct bytes *ret)
{
	struct bytes got;

	if (wire_get_string(in, &got) || got.len > max)
		return -EBADMSG;
	uint8_t *copy = malloc(got.len + 1);
	if (!copy)
		return -ENOMEM;
	if (got.len)
		memcpy(copy, got.data, got.len);
	copy[got.len] = 0;
	ret->data = copy;
	ret->len = got.len;
	return 0;
}

static int get_texts(struct wire *in, size_t max, char ***ret)
{
	uint32_t count;

	if (wire_get_u32(in, &count) || count > max)
		return -EBADMSG;
	char **list = calloc((size_t)count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	int rc = 0;
	for (uint32_t i = 0; !rc && i < count; i++)
		rc = wire_get_cstring(in, IPC_TEXT_MAX, &list[i]);
	if (rc)
		texts_free(list);
	else
		*ret = list;
	return rc;
}

static int field_decode(const struct field *field, struct wire *in, void *msg)
{
	switch (field->type) {
	case F_BOOL: return get_bool(in, AT(msg, field, bool));
	case F_U32: return wire_get_u32(in, AT(msg, field, uint32_t));
	case F_U64: return wire_get_u64(in, AT(msg, field, uint64_t));
	case F_I64: return wire_get_u64(in, (uint64_t *)AT(msg, field, int64_t));
	case F_TEXT: return wire_get_cstring(in, field->max, AT(msg, field, char *));
	case F_TEXTS: return get_texts(in, field->max, AT(msg, field, char **));
	case F_BYTES: return get_bytes(in, field->max, AT(msg, field, struct bytes));
	}
	return -EINVAL;
}

int ipc_msg_decode(enum ipc_type type, struct bytes body, void *ret, struct err *err)
{
	const struct row *row = row_of(type);

	if (!row)
		return err_set(err, -EBADMSG, "message of unknown type %u", (unsigned)type);
	struct wire in = WIRE_OF(body.data, body.len);
	memset(ret, 0, row->size);
	for (size_t i = 0; i < row->count; i++) {
		int rc = field_decode(&row->fields[i], &in, ret);
		if (rc) {
			ipc_msg_free(type, ret);
			return err_set(err, rc, "message '%s': field '%s' is malformed or too long",
				row->name, row->fields[i].name);
		}
	}
	if (!wire_done(&in)) {
		ipc_msg_free(type, ret);
		return err_set(
			err, -EBADMSG, "message '%s': %zu bytes too many", row->name, in.len);
	}
	return 0;
}
