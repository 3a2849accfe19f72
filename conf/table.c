/* The table of keys that are not policy: the one place that knows a key's name, type, default,
 * limits and meaning. See conf.h. */
#include "conf/conf.h"

#define S 1000LL
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)
#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define PATH_LEN 4095
#define SOCKET_LEN 107 /* sun_path without its NUL */

#define FIELD(f) offsetof(struct conf, f)
#define ROW(p, t, f, d, lo, hi, ...)                                                           \
	{                                                                                      \
		.path = p, .type = t, .offset = FIELD(f), .fallback = d, .min = lo, .max = hi, \
		__VA_ARGS__                                                                    \
	}
#define NAMED(p, ...)                                                                         \
	{                                                                                     \
		.path = p, .type = CONF_SPECIAL, .offset = CONF_NO_FIELD, .reloadable = true, \
		__VA_ARGS__                                                                   \
	}
#define PROVIDER(p, t, d, lo, hi, ...)                                                       \
	{                                                                                    \
		.path = "providers[]." p, .type = t, .offset = CONF_NO_FIELD, .fallback = d, \
		.min = lo, .max = hi, .reloadable = true, __VA_ARGS__                        \
	}
#define RELOAD .reloadable = true
#define DOC(text) .doc = text

const struct conf_row conf_table[] = {
	{ .path = "version",
		.type = CONF_SPECIAL,
		.offset = CONF_NO_FIELD,
		.required = true,
		DOC("Version of this format: 1.") },
	ROW("listen", CONF_SPECIAL, listen, "[\"0.0.0.0:2222\", \"[::]:2222\"]", 0, 0,
		DOC("Addresses and ports to listen on.")),
	ROW("state_dir", CONF_PATH, state_dir, "/var/lib/bartizan", 0, PATH_LEN,
		DOC("Folder of the database and the transcripts.")),
	ROW("control_socket", CONF_PATH, control_socket, "/run/bartizan/control.sock", 0,
		SOCKET_LEN, DOC("Socket on which bartizan(1) talks to the gateway.")),
	ROW("host_key", CONF_PATH, host_key, NULL, 0, PATH_LEN, .required = true,
		DOC("The gateway's private host key.")),
	ROW("run_as", CONF_TEXT, run_as, NULL, 0, 32,
		DOC("User to become when started as root; null: no change.")),
	ROW("log.level", CONF_CHOICE, log_level, "info", 0, 0,
		.choices = "error|warning|info|debug", RELOAD,
		DOC("Least important messages that are logged.")),
	ROW("drain", CONF_DURATION, drain, "8h", 0, 7 * D, RELOAD,
		DOC("How long sessions may go on after SIGTERM.")),

	ROW("certificates.issuing_key", CONF_PATH, issuing_key, NULL, 0, PATH_LEN, RELOAD,
		DOC("Private key of the user CA that signs our certificates; null: the gateway "
		    "issues none.")),
	ROW("certificates.lifetime", CONF_DURATION, cert_lifetime, "10h", M, 7 * D, RELOAD,
		DOC("Lifetime of a certificate that we issue.")),
	ROW("certificates.trusted", CONF_SPECIAL, trusted, "[]", 0, 0, RELOAD,
		DOC("Further authorities whose user certificates are accepted.")),
	NAMED("certificates.trusted[].key", DOC("Public key file of the authority.")),
	NAMED("certificates.trusted[].user", .fallback = "principal", .choices = "principal|key_id",
		DOC("Where the user's name comes from: the certificate's only principal or its key "
		    "id.")),
	NAMED("certificates.trusted[].principal_pattern",
		DOC("Which of several principals is the user's name: the only one that matches; "
		    "null: a certificate with several is refused.")),
	ROW("certificates.revoked", CONF_SPECIAL, krl, NULL, 0, 0, RELOAD,
		DOC("File of revoked keys and certificates as ssh-keygen -k writes it (a KRL); "
		    "null: none.")),
	ROW("keys", CONF_SPECIAL, keys, "{}", 0, 0, RELOAD,
		DOC("Private keys for the targets, by name; only the signer reads them.")),
	NAMED("keys.*.file", DOC("The private key file.")),

	ROW("providers", CONF_SPECIAL, providers, "[]", 0, 0, RELOAD,
		DOC("OpenID providers whose users may log in.")),
	PROVIDER("name", CONF_TEXT, NULL, 1, 255, .required = true,
		DOC("Name for messages, roles and certificates; there once.")),
	PROVIDER("issuer", CONF_TEXT, NULL, 1, 1024, .required = true,
		DOC("The issuer exactly as its tokens spell it; the discovery document's address "
		    "may be written, too.")),
	PROVIDER("client_id", CONF_TEXT, NULL, 1, 255, .required = true,
		DOC("Our name at the provider.")),
	PROVIDER("client_secret_file", CONF_PATH, NULL, 1, PATH_LEN,
		DOC("File with the client's secret, which only the egress process reads; null: a "
		    "public client.")),
	PROVIDER("audience", CONF_TEXT, NULL, 1, 1024,
		DOC("Audience that tokens must have; null: client_id.")),
	PROVIDER("scopes", CONF_SPECIAL, "[openid, email, profile]", 1, 128,
		DOC("Scopes to ask for; openid is always asked.")),
	PROVIDER("user", CONF_TEXT, "email", 1, 255,
		DOC("Claim that is the user's name; email counts only when it is verified.")),
	PROVIDER("groups", CONF_TEXT, NULL, 1, 255,
		DOC("Claim that lists the user's groups; {keys_of: CLAIM} where it is an object "
		    "whose keys they are (Zitadel's roles); null: none.")),
	PROVIDER("names", CONF_TEXT, "ascii", 1, 16, .choices = "ascii|unicode",
		DOC("What names of its users and groups may hold: ASCII letters, digits and "
		    "._@+-' (and : for workloads); or letters of other scripts as well, never "
		    "of two in one name.")),
	PROVIDER("require", CONF_SPECIAL, "[]", 0, 255,
		DOC("Claims that an ID token of this provider always has, and its other tokens "
		    "have not (Dex, Authentik: at_hash).")),
	PROVIDER("algorithms", CONF_SPECIAL, "[RS256, ES256]", 1, 16,
		.choices = "RS256|RS384|RS512|PS256|ES256|ES384|EdDSA",
		DOC("Signature algorithms that are accepted.")),
	PROVIDER("ca_file", CONF_PATH, NULL, 1, PATH_LEN,
		DOC("File with the authorities, in PEM, that the provider's TLS certificate must "
		    "come from; null: the system's.")),
	PROVIDER("allow_http", CONF_BOOL, "false", 0, 0,
		DOC("Whether http is taken from a provider on loopback.")),
	PROVIDER("machine", CONF_BOOL, "false", 0, 0,
		DOC("Whether its tokens are exchanged for certificates without a human.")),
	PROVIDER("skew", CONF_DURATION, "60s", 0, M, DOC("How far clocks may differ.")),
	PROVIDER("token_lifetime", CONF_DURATION, "1d", M, 30 * D,
		DOC("Longest lifetime of a token that is accepted.")),
	PROVIDER("connect_time", CONF_DURATION, "5s", 100, M,
		DOC("Time to resolve, connect and agree on TLS.")),
	PROVIDER("answer_time", CONF_DURATION, "10s", 100, M,
		DOC("Time until an answer begins; it may take as long again.")),
	PROVIDER("jwks_refresh", CONF_DURATION, "5m", S, D,
		DOC("Period in which unknown keys cause at most four fetches of the provider's "
		    "keys, "
		    "five seconds apart.")),
	PROVIDER("jwks_max_age", CONF_DURATION, "1d", M, 30 * D,
		DOC("Age beyond which the provider's keys are not used while it is out of reach.")),

	ROW("limits.login_time", CONF_DURATION, login_time, "60s", S, H, RELOAD,
		DOC("Time a client has to authenticate.")),
	ROW("limits.login_attempts", CONF_INT, login_attempts, "6", 1, 100, RELOAD,
		DOC("Failed authentication attempts on one connection.")),
	ROW("limits.unauthenticated", CONF_INT, unauthenticated, "100", 1, 100000, RELOAD,
		DOC("Connections that have not authenticated yet, in total.")),
	ROW("limits.unauthenticated_per_source", CONF_INT, unauthenticated_per_source, "10", 1,
		100000, RELOAD,
		DOC("Connections that have not authenticated yet, from one address.")),
	ROW("limits.connections", CONF_INT, connections, "4096", 1, 1000000, RELOAD,
		DOC("Connections in total.")),
	ROW("limits.channels", CONF_INT, channels, "64", 1, 1024, RELOAD,
		DOC("Open channels on one connection.")),
	ROW("limits.targets_per_connection", CONF_INT, targets_per_connection, "64", 1, 1024,
		RELOAD, DOC("Sessions inside one connection (ssh -J).")),
	ROW("limits.idle", CONF_DURATION, idle, "0", 0, 30 * D, RELOAD,
		DOC("A session without traffic ends after this; 0: never.")),
	ROW("limits.keepalive", CONF_DURATION, keepalive, "60s", 0, D, RELOAD,
		DOC("Quiet time before TCP keepalive probes on both legs; 0: none.")),
	ROW("proxy_protocol.from", CONF_SPECIAL, proxy_from, "[]", 0, 0, RELOAD,
		DOC("Networks of load balancers whose PROXY header is believed.")),
	ROW("crypto.minimum", CONF_ENUM, crypto, "modern", 0, 0,
		.choices = "compatible|modern|strict", RELOAD,
		DOC("Cryptographic bar that both legs must meet.")),

	ROW("outbound.connect_time", CONF_DURATION, connect_time, "10s", 100, 5 * M, RELOAD,
		DOC("Time to resolve a target's name and to connect.")),
	ROW("outbound.handshake_time", CONF_DURATION, handshake_time, "15s", 100, 5 * M, RELOAD,
		DOC("Time for key exchange and authentication with a target.")),
	ROW("outbound.certificate_lifetime", CONF_DURATION, credential_lifetime, "5m", 30 * S, H,
		RELOAD,
		DOC("Lifetime of the certificate that is made for one session on a target.")),
	ROW("outbound.dials_per_target", CONF_INT, dials_per_target, "8", 1, 1000, RELOAD,
		DOC("Logins to one target at a time; further ones wait.")),
	ROW("outbound.family", CONF_CHOICE, resolve_family, "any", 0, 0, .choices = "any|ipv4|ipv6",
		RELOAD, DOC("Address family towards targets.")),

	ROW("transcripts.min_free", CONF_SIZE, min_free, "64MiB", 0, 16 * TIB, RELOAD,
		DOC("Free space below which no recorded session begins and running ones end.")),
	ROW("transcripts.session_max", CONF_SIZE, session_max, "1GiB", 64 * KIB, 16 * TIB, RELOAD,
		DOC("Size of one session's transcripts, after which a marker says that recording "
		    "stopped.")),
	ROW("transcripts.stream_keep", CONF_SIZE, stream_keep, "1MiB", 0, GIB, RELOAD,
		DOC("Bytes kept of each stream of a channel without a terminal.")),
	ROW("transcripts.break_glass", CONF_TEXT, break_glass, NULL, 0, 255, RELOAD,
		DOC("Role that may still come in when the disk is full; null: none.")),
	ROW("audit.checkpoint", CONF_INT, audit_checkpoint, "100", 1, 100000, RELOAD,
		DOC("Audit events between two signed checkpoints.")),

	ROW("approvals.pending_per_person", CONF_INT, pending_per_person, "10", 1, 1000, RELOAD,
		DOC("Requests of one person that may wait at a time.")),
	ROW("approvals.pending_total", CONF_INT, pending_total, "1000", 1, 100000, RELOAD,
		DOC("Requests that may wait at a time, in total.")),
	ROW("approvals.wait_without_terminal", CONF_DURATION, wait_without_terminal, "2m", 0, H,
		RELOAD, DOC("How long somebody without a terminal waits for an approval.")),
	ROW("approvals.reason_max", CONF_SIZE, reason_max, "1KiB", 1, KIB, RELOAD,
		DOC("Longest reason of a request.")),
	ROW("notify.command", CONF_SPECIAL, notify_command, "[]", 0, 0, RELOAD,
		DOC("Program and arguments that get each notification, as JSON on stdin.")),
	ROW("notify.webhook", CONF_SPECIAL, notify_webhook, NULL, 0, 0, RELOAD,
		DOC("Address that each notification is posted to, as JSON; null: none.")),
	ROW("notify.ca_file", CONF_SPECIAL, notify_ca_file, NULL, 0, 0, RELOAD,
		DOC("File with the authorities, in PEM, that the webhook's TLS certificate must "
		    "come from; null: the system's.")),
	ROW("notify.headers_file", CONF_PATH, notify_headers, NULL, 0, PATH_LEN, RELOAD,
		DOC("File with further headers for the webhook, which only the egress process "
		    "reads; null: none.")),

	NAMED("targets", .fallback = "[]", DOC("The backends.")),
	NAMED("roles", .fallback = "{}", DOC("Names for who somebody is.")),
	NAMED("guards", .fallback = "{}", DOC("Lists that judge command lines, by name.")),
	NAMED("rules", .fallback = "[]",
		DOC("Who may do what; the first rule that matches decides.")),
};

const size_t conf_table_count = sizeof(conf_table) / sizeof(conf_table[0]);
