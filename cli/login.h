/* Shared by the files of `bartizan login` and `logout`, the laptop's side of a login. Nobody else
 * includes this.
 *
 *	configuration -> the provider's discovery document (login_provider.c) -> a new key
 *	-> an ID token by browser or device code -> a certificate by the stock ssh client
 *	-> ssh-agent, or a pair of files
 *
 * No secret is in an argument or the environment: the token goes to ssh on its standard input, the
 * key to a private folder that is always removed. The token is checked here before it is used, and
 * again by the gateway, which decides. */
#ifndef BARTIZAN_CLI_LOGIN_H
#define BARTIZAN_CLI_LOGIN_H

#include <signal.h>

#include "cli/cli.h"
#include "keys/sshcert.h"
#include "keys/sshkey.h"
#include "oidc/discovery.h"
#include "oidc/http.h"
#include "oidc/pkce.h"

#define LOGIN_LIMIT_MS 300000 /* time for the person in the browser */
/* every key of ours in an agent or a file has a comment that begins so */
#define LOGIN_COMMENT "bartizan "
#define LOGIN_COMMENT_MAX 1024
#define LOGIN_CA_MAX (1024 * 1024)
#define LOGIN_TEXT_MAX 2048 /* a value in client.yaml */
#define LOGIN_SCOPES_MAX 32

/* ---- what is asked: options, and ~/.config/bartizan/client.yaml (login_config.c) ---- */

struct login_options { /* as given; borrowed from argv */
	const char *gateway, *issuer, *client_id, *ca_file, *user, *out, *client_config,
		*ssh_config;
	struct args_list scopes;
	int64_t max_age;       /* ms; -1: none */
	int64_t callback_port; /* 0: none given */
	int64_t wait;	       /* ms, for the person in the browser */
	bool device, no_browser, status, json;
};

struct login_conf {		/* what is in force; owned */
	char *gateway;		/* a host name or an alias of ssh_config */
	uint16_t port;		/* 0: ssh's own choice */
	uint16_t callback_port; /* 0: any free one */
	char *issuer, *client_id;
	char *user;	  /* the user who must log in; NULL: anybody */
	char *ssh_config; /* ssh -F; NULL: ssh's own */
	char **scopes;
	struct buf ca; /* PEM; empty: the system's authorities */
};

int login_conf_load(const struct login_options *options, struct login_conf *ret, struct err *err);
void login_conf_release(struct login_conf *conf);
#define LOGIN_CONF_CLEANUP __attribute__((cleanup(login_conf_release)))
/* "gw.example.com:2222": what names the gateway in comments and messages. Returns out. */
#define LOGIN_GATEWAY_MAX 300
const char *login_gateway(const struct login_conf *conf, char out[static LOGIN_GATEWAY_MAX]);

/* ---- the provider (login_provider.c) ---- */

struct login_provider {
	const struct login_conf *conf;
	struct http *http;
	struct discovery *discovery;
	int64_t max_age_s; /* -1: none */
	int64_t wait_ms;   /* for the person in the browser */
};

/* discovery */
int login_provider_open(const struct login_conf *conf, int64_t max_age_s,
	struct login_provider *ret, struct err *err);
void login_provider_close(struct login_provider *provider);
/* One request, done() before it returns. */
int login_provider_ask(struct login_provider *provider, const char *url, const char *form,
	http_done_fn *done, void *context, struct err *err);
/* Checks the token with the provider's keys; nonce NULL: none was sent. */
int login_provider_check(
	struct login_provider *provider, struct bytes token, const char *nonce, struct err *err);

/* ---- two ways to an ID token; it is appended to ret, and only its form is checked ---- */

/* login_browser.c */
int login_by_browser(struct login_provider *provider, bool open_browser, struct pkce *pkce,
	struct buf *ret, struct err *err);
/* login_device.c */
int login_by_device(struct login_provider *provider, struct buf *ret, struct err *err);

/* ---- the loopback port (login_loopback.c) ---- */

struct loopback {
	int listener;
	uint16_t port;
};

struct loopback_request {
	int fd; /* to be answered; closed by loopback_answer() */
	struct buf bytes;
	const char *target; /* path and query in bytes; NULL: not a GET that can be read */
	size_t target_len;
};

/* on 127.0.0.1; port 0: any free one */
int loopback_open(uint16_t port, struct loopback *ret, struct err *err);
void loopback_close(struct loopback *loopback);
/* Accepts a connection and reads its request, within two seconds. -EAGAIN: no connection, or no
 * request. */
int loopback_take(struct loopback *loopback, struct loopback_request *ret);
/* location may be NULL */
void loopback_answer(struct loopback_request *request, const char *status, const char *location,
	const char *words);

/* ---- programs that run while secrets are on disk (login_run.c) ---- */

/* Between begin and end, signals are held back, so that files written in between are removed;
 * login_run() ends its program when one arrives. */
struct login_guard {
	sigset_t before;
	int signals; /* descriptor */
};
int login_guard_begin(struct login_guard *ret, struct err *err);
/* a signal that arrived meanwhile takes effect here */
void login_guard_end(struct login_guard *guard);

struct login_program {		 /* borrowed */
	const char *const *argv; /* found by PATH */
	struct bytes input;	 /* its whole standard input */
	size_t output_max;
};
/* Returns its exit status (127: cannot be run), or -errno: -EINTR interrupted, -EFBIG too much
 * output. It inherits standard error. */
int login_run(const struct login_guard *guard, const struct login_program *program,
	struct buf *output, struct err *err);

/* The command line of ssh to the gateway as `user`, with the words of the gateway's command; first
 * the options of this program, then -F, port and host. */
struct login_ssh {
	const char *identity; /* the file of the only key to be offered */
	bool agent;	      /* its private half is in the agent */
	const char *user;     /* NULL: ssh's own choice */
	const char *const *words;
};
#define LOGIN_SSH_WORDS_MAX 64
/* argv is filled, with texts in scratch (owned by the caller, alive as long as argv). */
int login_ssh_command(const struct login_conf *conf, const struct login_ssh *ssh,
	struct buf *scratch, const char *argv[static LOGIN_SSH_WORDS_MAX]);

/* ---- key and certificate (login_key.c) ---- */

struct login_key {
	struct sshkey *key;
	struct sshcert *cert; /* of the gateway, for this key */
	struct buf line;      /* "type base64" of the certificate */
};

void login_key_release(struct login_key *key);
#define LOGIN_KEY_CLEANUP __attribute__((cleanup(login_key_release)))
/* Gets a certificate for key->key and the token from the gateway, and puts both into the agent or,
 * with out, into files. */
int login_key_certify(const struct login_conf *conf, const char *out, struct bytes token,
	struct login_key *key, struct err *err);
/* Checks that FILE may be written: it does not exist, or it is a key made by this program. */
int login_out_check(const char *out, struct err *err);

/* ---- ssh-agent (login_agent.c; draft-miller-ssh-agent) ---- */

#define AGENT_MESSAGE_MAX (256 * 1024)
#define AGENT_KEYS_MAX 1024

struct agent_key {
	struct bytes blob; /* of a key or a certificate */
	char *comment;	   /* anything but NUL */
};
struct agent_keys {
	struct buf answer; /* the answer of the agent, to which the blobs point */
	struct agent_key *list;
	size_t count;
};

int agent_open(int *ret_fd, struct err *err); /* of SSH_AUTH_SOCK; -ENOENT: there is none */
int agent_list(int fd, struct agent_keys *ret, struct err *err);
void agent_keys_release(struct agent_keys *keys);
int agent_remove(int fd, struct bytes blob, struct err *err);
/* Whether the comment is that of a key made by this program, for this gateway ("host:port"; NULL:
 * any). *ret_user (may be NULL) and its length: the user in it. */
bool agent_ours(const char *comment, const char *gateway, const char **ret_user, size_t *ret_len);

int login_status(bool json); /* status.c: returns an exit status */

#endif
