/* The configuration that is not policy: one table row per key.
 *
 * conf_table[] makes defaults, parser, `-T`, `bartizan config dump`, and the test that compares the
 * man page and config.example.yaml with the code. targets, roles and rules are read by
 * policy/config.c; here they are rows without a field, so that they are not reported as unknown
 * keys. Durations are milliseconds, sizes bytes. */
#ifndef BARTIZAN_CONF_CONF_H
#define BARTIZAN_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/files.h"
#include "conf/yaml.h"
#include "keys/sshkey.h"

#define CONF_LISTEN_MAX 16
#define CONF_TRUSTED_MAX 64
#define CONF_KEYS_MAX 64
#define CONF_NETS_MAX 64

enum conf_user_from { CONF_USER_PRINCIPAL, CONF_USER_KEY_ID };

struct conf_trusted { /* a certificate authority whose user certificates are accepted */
	struct sshkey *key;
	char *path;
	enum conf_user_from user;
	/* CONF_USER_PRINCIPAL: which of several principals is the user (common/pattern.h); NULL:
	 * there must be one only */
	struct pattern *principal_pattern;
};

struct conf_key { /* a private key that the signer holds */
	char *name;
	char *file; /* resolved path */
};

#define CONF_PROVIDERS_MAX 16
#define CONF_ALGORITHMS_MAX 16
#define CONF_SCOPES_MAX 32

struct conf_provider { /* an OpenID provider (providers[]) */
	char *name;
	char *issuer; /* exact; https, or http on loopback where allow_http is true */
	char *client_id;
	char *client_secret_file; /* resolved path, read by egress only; NULL: a public client */
	char *audience;		  /* of accepted tokens; NULL: client_id */
	char **scopes;		  /* NULL-terminated; openid is always asked */
	char *user, *groups;	  /* claim paths; groups NULL: none */
	bool groups_keys;	  /* the keys of the object that the claim is */
	bool unicode;		  /* names: unicode (common/name.h) */
	char **require;		  /* claims that its ID tokens always have; NULL: none */
	char **algorithms;	  /* RS256 RS384 RS512 PS256 ES256 ES384 EdDSA */
	/* resolved path; its contents, PEM: ca. NULL both: the system's authorities */
	char *ca_file;
	char *ca;
	bool allow_http;
	bool machine;			   /* its tokens need no human: `ssh gw login --token` */
	int64_t skew;			   /* ms, at most 60 s */
	int64_t token_lifetime;		   /* ms: exp - iat at most; 0: 24 h */
	int64_t connect_time, answer_time; /* ms */
	int64_t jwks_refresh;		   /* ms: least time between fetches */
	/* ms: keys older than this are not used if the provider cannot be reached */
	int64_t jwks_max_age;
};

unsigned conf_provider_names(const struct conf_provider *provider); /* NAME_* of common/name.h */

#define CONF_NOTIFY_ARGS_MAX 64
#define CONF_NOTIFY_ARG_LEN 4095
/* bytes of all arguments together, which are sent to the listener (server/role/listener_conf.h) */
#define CONF_NOTIFY_BYTES_MAX 16384

enum conf_crypto { CONF_CRYPTO_COMPATIBLE, CONF_CRYPTO_MODERN, CONF_CRYPTO_STRICT };

struct conf {
	/* ---- the gateway itself ---- */
	/* "0.0.0.0:2222", NULL-terminated; parsed by conf_load into listen_addr */
	char **listen;
	struct addr *listen_addr;
	size_t listen_count;
	char *state_dir;
	char *control_socket;
	char *host_key; /* path of the private host key */
	char *run_as;	/* user name, NULL: no change */
	char *log_level;
	int64_t drain;

	/* ---- clients ---- */
	char *issuing_key;     /* certificates.issuing_key: path; NULL: the gateway issues none */
	int64_t cert_lifetime; /* certificates.lifetime */
	struct conf_trusted *trusted;
	size_t trusted_count;
	struct conf_key *keys;
	size_t key_count;
	struct conf_provider *providers;
	size_t provider_count;
	/* certificates.revoked: resolved path of an OpenSSH KRL file; its contents: krl. NULL both:
	 * none */
	char *krl_file;
	char *krl;
	size_t krl_len;
	int64_t login_time; /* limits.login_time */
	/* limits.login_attempts: signed or refused attempts a connection */
	int64_t login_attempts;
	int64_t unauthenticated; /* limits.unauthenticated: connections before login, in total */
	int64_t unauthenticated_per_source;
	int64_t connections; /* limits.connections, in total */
	int64_t channels;    /* limits.channels a connection */
	/* limits.targets_per_connection: inner sessions of one connection */
	int64_t targets_per_connection;
	int64_t idle; /* limits.idle; 0: none */
	/* limits.keepalive: TCP keepalive idle time on both legs; 0: none */
	int64_t keepalive;
	struct net *proxy_from; /* proxy_protocol.from: networks whose PROXY header is believed */
	size_t proxy_from_count;
	enum conf_crypto crypto; /* crypto.minimum: strict | modern | compatible */

	/* ---- connections to targets ---- */
	int64_t connect_time;	     /* outbound.connect_time: resolve and connect */
	int64_t handshake_time;	     /* outbound.handshake_time: key exchange and authentication */
	int64_t credential_lifetime; /* outbound.certificate_lifetime: of a minted certificate */
	/* outbound.dials_per_target: at one time; further ones queue */
	int64_t dials_per_target;
	char *resolve_family; /* outbound.family: any | ipv4 | ipv6 */

	/* ---- transcripts and audit ---- */
	/* transcripts.min_free: below this no new session begins and recorded ones end */
	int64_t min_free;
	/* transcripts.session_max: bytes of one session's transcripts; then a marker */
	int64_t session_max;
	/* transcripts.stream_keep: bytes kept of a stream without terminal (1 MiB) */
	int64_t stream_keep;
	/* transcripts.break_glass: role whose members may work when the disk is full; NULL: none */
	char *break_glass;
	int64_t audit_checkpoint; /* audit.checkpoint: events between signed checkpoints */

	/* ---- approvals and notifications ---- */
	/* approvals.pending_per_person: requests of one person at a time */
	int64_t pending_per_person;
	int64_t pending_total; /* approvals.pending_total */
	/* approvals.wait_without_terminal; a rule may say otherwise */
	int64_t wait_without_terminal;
	int64_t reason_max; /* approvals.reason_max: bytes of a reason */
	/* notify.command: program and arguments, NULL-terminated; empty: none */
	char **notify_command;
	/* notify.webhook: https, or http to this machine; NULL: none */
	char *notify_webhook;
	/* notify.ca_file: resolved path; its contents, PEM: notify_ca. NULL both: the system's
	 * authorities */
	char *notify_ca_file;
	char *notify_ca;
	/* notify.headers_file: resolved path, read by egress only; NULL: none */
	char *notify_headers;
};

enum conf_type {
	CONF_TEXT,
	CONF_PATH,
	CONF_INT,
	CONF_SIZE,
	CONF_DURATION,
	CONF_BOOL,
	CONF_CHOICE,
	CONF_ENUM,
	CONF_SPECIAL
};
#define CONF_NO_FIELD ((size_t)-1)

struct conf_row {
	/* "limits.login_time"; a list's rows: "certificates.trusted[].key" */
	const char *path;
	enum conf_type type;
	size_t offset;	      /* of the field in struct conf, or CONF_NO_FIELD */
	const char *fallback; /* default as written in YAML; NULL: none; "" with required */
	int64_t min, max;     /* of the number; max also of a text's bytes */
	/* "a|b|c" for CONF_CHOICE (kept as text) and CONF_ENUM (kept as the position) */
	const char *choices;
	bool required;
	/* SIGHUP changes it; for other keys the log says that a restart is needed */
	bool reloadable;
	const char *doc; /* one sentence, as the man page has it */
};

extern const struct conf_row conf_table[];
extern const size_t conf_table_count;

/* Refuses a key in the map for which there is no row under this prefix: "", "limits",
 * "certificates.trusted[]", "keys.*". policy/keys.h has a table like this. */
int conf_only(const struct conf_row *rows, size_t count, const struct yaml *map, const char *prefix,
	struct err *err);
/* Reads everything except policy from the tree; reads public key files with `files`. *ret is set
 * only on success; caller frees. */
int conf_load(const struct yaml *root, struct files *files, struct conf **ret, struct err *err);
void conf_free(struct conf *conf);
/* NULL: no such key */
const struct conf_key *conf_key_find(const struct conf *conf, const char *name);
/* YAML, every key with its value, defaults marked by a comment */
int conf_dump(const struct conf *conf, struct buf *out);

#endif
