/* The internal protocol: every message between roles, one struct and one row each.
 *
 * The rows in ipc_msg.c make encoder, decoder and bounds; a message whose bytes do not end exactly
 * where its fields end is malformed. Decoded messages own their memory (ipc_msg_free); to encode,
 * everything is borrowed. Which message is allowed when is not said here but in the receiver's own
 * table (server/broker/client_messages.c). `id` in the link's header pairs an answer with its
 * question. */
#ifndef BARTIZAN_IPC_MSG_H
#define BARTIZAN_IPC_MSG_H

#include "common/ipc.h"

#define IPC_TEXT_MAX 4096 /* reasons, names, addresses */
/* a command line, as long as the kernel's longest argument; a longer one is refused, not cut */
#define IPC_DETAIL_MAX 131072
/* of an environment (common/env_block.h): with a command it still fits one message */
#define IPC_ENV_MAX (112 * 1024)
#define IPC_BLOB_MAX 32768 /* keys, certificates, signatures */
#define IPC_OUTPUT_MAX 32768
#define IPC_LIST_MAX 512
#define IPC_LEG_ALL UINT32_MAX

enum ipc_type {
	/* any role -> listener, once after its start */
	IPC_READY = 1,
	IPC_FAILED,
	/* listener -> broker */
	IPC_CLIENT,
	IPC_CLIENT_GONE,
	IPC_ROLE,
	IPC_CONF,
	IPC_CONF_REFUSED,
	IPC_DRAIN,
	/* broker -> listener */
	IPC_CONF_TAKEN,
	IPC_AUTHENTICATED,
	IPC_KILL,
	IPC_SCAN,
	/* session -> broker */
	IPC_PROXY,
	IPC_AUTH,
	IPC_LEG,
	IPC_ACCESS,
	IPC_REQUEST,
	IPC_CHANNEL_END,
	IPC_EVIDENCE,
	IPC_EVENT,
	IPC_LEG_END,
	IPC_SCANNED,
	/* session or control client -> broker */
	IPC_COMMAND,
	IPC_COMMAND_STOP,
	/* broker -> session */
	IPC_AUTH_ANSWER,
	IPC_LEG_ANSWER,
	IPC_DECISION,
	IPC_GRANT,
	IPC_NOTICE,
	IPC_END,
	/* broker -> session or control client */
	IPC_OUTPUT,
	IPC_PLAY,
	IPC_COMMAND_EXIT,
	/* broker -> signer, and its answers */
	IPC_SIGN_CERT,
	IPC_SIGN_AUDIT,
	IPC_SIGN_AGENT,
	IPC_PASSWORD,
	IPC_KEYS,
	IPC_SIGNED,
	IPC_KEYS_ANSWER,
	/* broker -> egress, and its answer */
	IPC_DIAL,
	IPC_DIAL_CANCEL,
	IPC_DIALED,
	/* OIDC: broker -> egress */
	IPC_LOGIN_START,
	IPC_LOGIN_CANCEL,
	IPC_PROVIDER_REFRESH,
	/* egress -> broker */
	IPC_PROVIDER_STATE,
	IPC_LOGIN_CODE,
	IPC_LOGIN_DONE,
	/* session -> broker */
	IPC_LOGIN,
	IPC_LOGIN_INPUT,
	/* broker -> session */
	IPC_LOGIN_PROMPT,
	/* a channel that waits for a human: broker -> session, and the session's answers */
	IPC_WAIT,
	IPC_ASK,
	IPC_ASK_ANSWER,
	IPC_ACCESS_CANCEL,
	/* a line of a guarded shell: session -> broker, broker -> session, session -> broker */
	IPC_LINE,
	IPC_LINE_VERDICT,
	IPC_LINE_END,
	/* session -> broker: what a command reads */
	IPC_COMMAND_INPUT,
	/* notifications: broker -> listener, for the command; broker -> egress, for the webhook,
	   and its answer */
	IPC_NOTIFY,
	IPC_WEBHOOK,
	IPC_WEBHOOK_DONE,
	IPC_TYPES
};

enum msg_mode { MODE_JUMP = 1, MODE_DIRECT = 2 };

struct msg_empty {
	char unused;
}; /* READY, DRAIN, SCAN, KEYS, DIAL_CANCEL */
struct msg_reason {
	char *reason;
}; /* FAILED, CONF_REFUSED */
/* + fd: link to the session. source "1.2.3.4:5678" */
struct msg_client {
	uint64_t connection;
	char *source;
	char *local;
	uint32_t pid;
	bool scan;
};
struct msg_client_gone {
	uint64_t connection;
	uint32_t status;
}; /* status as of waitpid(2) */
/* + fd: a new link to "signer" or "egress" */
struct msg_role {
	char *role;
};
/* + fd: bundle (common/files.h) */
struct msg_conf {
	uint64_t generation;
};
struct msg_conf_taken {
	uint64_t generation;
};
struct msg_connection {
	uint64_t connection;
}; /* AUTHENTICATED, KILL */

/* the address in a trusted PROXY header; sent once, before anything else */
struct msg_proxy {
	char *source;
};
/* proved: libssh has verified a signature by this key on this connection */
struct msg_auth {
	bool proved;
	char *user;
	struct bytes key;
};
struct msg_leg {
	uint32_t leg;
	uint32_t mode;
	char *target;
	uint32_t port;
	char *login;
	struct bytes pubkey;
}; /* port 0: the target's own. pubkey: plain key made for this leg, to be certified */
struct msg_access {
	uint32_t leg, channel, kind; /* enum access_kind */
	struct bytes detail;
	bool pty;
	char *term;
	uint32_t columns, rows;
	struct bytes env; /* all that the client sent (common/env_block.h) */
};
/* for the record: "env", "pty-req", "window-change", … */
struct msg_request {
	uint32_t leg, channel;
	char *what;
	struct bytes detail;
};
struct msg_channel_end {
	uint32_t leg, channel;
	int64_t exit_status; /* -1: none was sent */
	char *exit_signal;   /* "" : none */
	/* client -> target, target -> client stdout and stderr */
	uint64_t bytes_in, bytes_out, bytes_err;
	char *reason; /* "" : normal */
};
struct msg_evidence { /* of one transport: outer, inner or outbound */
	uint32_t leg;
	char *transport;
	char *kex, *host_key_algorithm, *host_key_fingerprint;
	char *cipher_in, *cipher_out, *mac_in, *mac_out; /* in: towards the gateway */
	char *banner;					 /* the peer's identification string */
	bool strict_kex;
};
/* What the session refused by itself (common/session_event.h). more: this is no event, but so many
 * more of that type as were not told one by one; 0: an event. */
struct msg_event {
	uint32_t leg;
	char *type;
	struct bytes detail;
	uint64_t more;
};
struct msg_leg_end {
	uint32_t leg;
	char *reason;
};
struct msg_scanned {
	char **keys; /* "ssh-ed25519 AAAA…" lines */
	char *reason;
	char *kex; /* the key exchange agreed on, best offer first; "": none was */
};
/* the answers have the same channel; the id is not used */
struct msg_command {
	uint32_t channel;
	char **argv;
	bool terminal;
	uint32_t columns;
	struct bytes env; /* as of msg_access: what a request made ahead is for */
};
struct msg_channel {
	uint32_t channel;
}; /* COMMAND_STOP */
/* standard input of a command that reads it; no data: its end */
struct msg_command_input {
	uint32_t channel;
	struct bytes data;
};

struct msg_auth_answer {
	bool ok;
	bool proved; /* as asked */
	/* partial success (RFC 4252 section 5.1): the key is proved; a certificate has to follow,
	 * or a login by keyboard-interactive */
	bool partial;
	char *reason;
	char *user;
	uint32_t rights;     /* SSHCERT_PTY | … */
	char *force_command; /* "" : none */
	int64_t expires;
	bool direct; /* the user name is LOGIN@TARGET: what follows its last `@` is a target */
};
/* session: the ULID */
struct msg_leg_answer {
	uint32_t leg;
	bool ok;
	uint32_t exit;
	char *reason;
	char *session;
};
struct msg_decision { /* + fd when recording: the transcript, empty, writable */
	uint32_t leg, channel;
	uint32_t verdict; /* enum verdict */
	uint32_t exit;
	char *rule, *reason;
	bool record, record_required, record_input;
	int64_t idle, session_time; /* milliseconds, 0: none */
	uint64_t stream_keep, cast_max;
	char *title;
	/* what runs at a terminal whose lines are judged (IPC_LINE) before their Enter goes on */
	bool guard;
	struct bytes env; /* what the target gets of it: this, and nothing else */
};
/* + fd: connected socket; for credential "key" a second: agent protocol, stream */
struct msg_grant {
	uint32_t leg;
	bool ok;
	uint32_t exit;
	char *reason;
	char **host_keys; /* "ssh-ed25519 AAAA…" lines: the only ones accepted */
	char *login;
	char *credential;    /* "certificate" | "key" | "password" */
	struct bytes secret; /* certificate blob | public key blob | password */
	char **allow;	     /* weak algorithms allowed on this target, by name */
	uint32_t handshake_ms;
	char *address; /* what was connected to, for messages */
};
struct msg_notice {
	uint32_t leg;
	char *text;
};
struct msg_end {
	uint32_t leg;
	uint32_t exit;
	char *reason;
};
struct msg_output {
	uint32_t channel;
	uint32_t stream;
	struct bytes data;
}; /* stream 1 or 2 */
/* + fd: a transcript to replay */
struct msg_play {
	uint32_t channel;
	bool text;
	uint32_t speed_milli;
	int64_t idle_us, from_us;
};
struct msg_command_exit {
	uint32_t channel;
	uint32_t status;
};

struct msg_sign_cert {
	char *key;	     /* name of a signer's key: "issuing", or of keys: */
	struct bytes pubkey; /* plain blob */
	uint64_t serial;
	char *key_id;
	char **principals;
	uint64_t valid_after, valid_before;
	char *force_command, *source_address; /* "" : none */
	uint32_t rights;
};
struct msg_sign_audit {
	struct bytes data;
};
/* data: what SSH2_AGENTC_SIGN_REQUEST carried */
struct msg_sign_agent {
	char *key;
	char *login;
	struct bytes data;
	uint32_t flags;
};
struct msg_password {
	char *file;
};
struct msg_signed {
	bool ok;
	char *reason;
	struct bytes data;
};
/* public halves, "issuing" first where there is one, "audit" among them */
struct msg_keys_answer {
	char **names;
	char **lines;
};

struct msg_dial {
	char *host;
	uint32_t port;
	char *family;
	uint32_t timeout_ms;
};
struct msg_dialed {
	bool ok;
	char *reason;
	char *address;
}; /* + fd when ok */

/* OIDC (ARCHITECTURE.md, "Logins"). One device flow is one id of the link's header, chosen by the
 * broker; parallel flows never share one. */
#define IPC_TOKEN_MAX 16384    /* an ID token */
#define IPC_DOCUMENT_MAX 98304 /* JWKS, userinfo */
/* max_age in seconds, -1: none. LOGIN_CANCEL has no fields */
struct msg_login_start {
	char *provider;
	int64_t max_age;
};
/* PROVIDER_REFRESH: an unknown kid was seen; egress limits the rate */
struct msg_provider {
	char *provider;
};
/* fetched: seconds since the epoch */
struct msg_provider_state {
	char *provider;
	bool ok;
	char *reason;
	struct bytes jwks;
	int64_t fetched;
	char *logout; /* where a person ends the session there (https); "": unknown */
};
struct msg_login_code {
	char *user_code, *uri, *uri_complete;
	uint32_t expires;
}; /* seconds */
struct msg_login_done {
	bool ok;
	char *kind, *reason;
	struct bytes id_token, userinfo;
}; /* kind: "denied" | "expired" | "unreachable" | "refused"; userinfo: JSON, may be empty */
/* the client began keyboard-interactive */
struct msg_login {
	char *submethods;
};
/* the answer to a prompt: a choice, or a pasted token */
struct msg_login_input {
	struct bytes text;
};
/* text is shown; prompt "": nothing is asked, the message is held */
struct msg_login_prompt {
	char *text, *prompt;
	bool echo;
};

/* A channel that waits (IPC_ACCESS without IPC_DECISION yet). text: lines to show once, "" for
 * none; status: one line that is kept up to date on a terminal, shown once elsewhere, "" for none.
 */
struct msg_wait {
	uint32_t leg, channel;
	char *text, *status;
};
/* asks the person at the terminal for a line of at most max bytes */
struct msg_ask {
	uint32_t leg, channel;
	char *prompt;
	uint32_t max;
};
/* given false: there is no terminal, or Ctrl-C */
struct msg_ask_answer {
	uint32_t leg, channel;
	bool given;
	struct bytes text;
};
/* Ctrl-C, or the channel was closed, before the decision */
struct msg_access_cancel {
	uint32_t leg, channel;
};

/* A line whose Enter is held (lineguard/lineguard.h). texts: the candidates one after the other,
 * each a byte (1: joined) and a wire string. line counts up in its channel. */
#define IPC_LINE_TEXTS_MAX 61440
struct msg_line {
	uint32_t leg, channel, line;
	uint32_t confidence;
	char *why;
	bool full_screen, hidden, continues;
	struct bytes texts;
};
struct msg_line_verdict {
	uint32_t leg, channel, line;
	uint32_t verdict;
	char *notice;
	/* enum line_verdict; LINE_HOLD: notice is shown, its last line kept up to date, and another
	 * verdict follows */
};
struct msg_line_end {
	uint32_t leg, channel, line;
	char *end, *confidence, *why;
	struct bytes text;
	int64_t took_us;
}; /* end: a name of enum line_end, or "failed": the analyser failed, `why` is the reason */

/* NOTIFY is empty, + fd: the text, a sealed file in memory. The listener does not read it, because
 * sessions are forked from its memory. */
struct msg_webhook {
	struct bytes json;
};
struct msg_webhook_done {
	bool ok;
	char *reason;
};

/* Encodes and sends. msg points at the struct of that type. */
int ipc_send(struct ipc *link, enum ipc_type type, uint32_t id, const void *msg, const int *fds,
	size_t fd_count);
/* Decodes into *ret (the struct of that type, which it zeroes first). -EBADMSG with the reason;
 * nothing to free then. */
int ipc_msg_decode(enum ipc_type type, struct bytes body, void *ret, struct err *err);
int ipc_msg_encode(enum ipc_type type, const void *msg, struct buf *out);
void ipc_msg_free(enum ipc_type type, void *msg);
size_t ipc_msg_size(enum ipc_type type);    /* of its struct; 0 for an unknown type */
size_t ipc_msg_fds_max(enum ipc_type type); /* more than that is malformed */
/* What the signer or egress answers it with; 0: it is no question to them. */
enum ipc_type ipc_msg_answer(enum ipc_type type);
const char *ipc_msg_name(unsigned type); /* "client-gone"; "unknown" */

#define IPC_STRUCT_MAX 512 /* no message's struct is larger: a stack buffer for any of them */

#endif
