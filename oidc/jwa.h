/* The signature algorithms that are accepted (RFC 7518 section 3.1, RFC 8037): one table, which
 * nothing else repeats.
 *
 * Not rows, so never accepted: none, HS* (a shared secret that a public key could be mistaken for),
 * PS384 and PS512, ES512, ES256K, RS1. */
#ifndef BARTIZAN_JWA_H
#define BARTIZAN_JWA_H

#include <stdbool.h>
#include <stddef.h>

#define JWA_NAMES_MAX 256 /* bytes of a list of algorithms in a message */

struct jwa {
	const char *name;
	const char *kty, *crv; /* of the key; crv NULL: RSA */
	const char *digest;    /* NULL: the message itself is signed */
	/* RSA: PSS with MGF1 and a salt as long as the digest; else PKCS #1 v1.5 */
	bool pss;
	size_t signature; /* exact bytes; 0: as long as the RSA modulus */
};

extern const struct jwa jwa_table[];	      /* ends with name NULL */
const struct jwa *jwa_find(const char *name); /* NULL: not accepted here; exact spelling */
bool jwa_listed(const char *const *list, const char *name);
/* "RS256, ES256", cleaned; list NULL: the whole table */
const char *jwa_names(const char *const *list, char out[static JWA_NAMES_MAX]);

#endif
