/* The authorization code flow with PKCE (RFC 7636, RFC 8252, OpenID Connect Core 3.1) for a program
 * on a laptop: texts out, the answer checked.
 *
 * One struct pkce is one login: its verifier and state are random and used once. Whoever runs it
 * listens on loopback, opens pkce_url() in a browser, gives each request line that comes to
 * pkce_callback(), and sends pkce_form() to the token endpoint.
 *
 * The nonce binds the ID token to the key that the certificate is for, which is new for each login
 * and so as hard to guess as a random one:
 *
 *     nonce = base64url(SHA-256("bartizan-login-v1", NUL, the public key's blob))
 *
 * token_verify() compares it on the laptop, and the gateway compares it with the key that was
 * proved: a token that was stolen is good for no other key. */
#ifndef BARTIZAN_PKCE_H
#define BARTIZAN_PKCE_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "oidc/discovery.h"

#define PKCE_TEXT 44	      /* 32 bytes in base64url, with NUL */
#define PKCE_REQUEST_MAX 8192 /* bytes of a request line that is looked at */
#define PKCE_CODE_MAX 4096

struct pkce {
	char verifier[PKCE_TEXT];  /* RFC 7636 section 4.1: 43 characters */
	char challenge[PKCE_TEXT]; /* S256 of it */
	char state[PKCE_TEXT], nonce[PKCE_TEXT];
	char code[PKCE_CODE_MAX + 1]; /* once the callback has come */
};

int pkce_nonce(struct bytes key, char out[static PKCE_TEXT]); /* of a plain public key's blob */
int pkce_init(struct pkce *pkce, struct bytes key, struct err *err); /* -EIO: no randomness */
/* The two of RFC 7636 alone, for a flow that has neither state nor nonce. -EIO: no randomness. */
int pkce_pair(char verifier[static PKCE_TEXT], char challenge[static PKCE_TEXT], struct err *err);
/* From given bytes: for tests. */
int pkce_init_from(struct pkce *pkce, struct bytes key, const uint8_t random[static 64]);
void pkce_release(struct pkce *pkce); /* burns */

/* scopes: NULL-terminated, openid is added; max_age in seconds, -1: none. */
int pkce_url(const struct pkce *pkce, const struct discovery *discovery, const char *client_id,
	const char *redirect_uri, char *const *scopes, int64_t max_age, struct buf *out);
/* target: of a request line "GET /callback?code=…&state=… HTTP/1.1" (path and query). 1: the code
 * is in pkce->code; 0: a stray hit, answered 404 and forgotten (another path, no or another state);
 * -EACCES: the provider refused, with its words; -EBADMSG: ours, but malformed (no code, a
 * parameter twice, another issuer: RFC 9207). The code is taken once. */
int pkce_callback(struct pkce *pkce, const struct discovery *discovery, const char *path,
	const char *target, size_t len, struct err *err);
int pkce_form(
	const struct pkce *pkce, const char *client_id, const char *redirect_uri, struct buf *form);

#endif
