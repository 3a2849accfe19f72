/* OpenSSH certificates (PROTOCOL.certkeys): parse, check, encode. Everything here is decided
 * without libssh.
 *
 * sshcert_parse() takes hostile bytes and refuses what is malformed; sshcert_check() refuses what
 * is well formed but not valid now and here, with a reason for the user ("certificate expired 3
 * minutes ago"). Both are pure: time and address are parameters. */
#ifndef BARTIZAN_KEYS_SSHCERT_H
#define BARTIZAN_KEYS_SSHCERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"
#include "keys/sshkey.h"

#define SSHCERT_PRINCIPALS_MAX 256
#define SSHCERT_OPTIONS_MAX 64
#define SSHCERT_TYPE_USER 1
#define SSHCERT_TYPE_HOST 2
#define SSHCERT_FOREVER UINT64_MAX

enum sshcert_right { /* rights given by extensions; without the extension the right is missing */
	SSHCERT_PTY = 1,
	SSHCERT_PORT_FORWARDING = 2,
	SSHCERT_AGENT_FORWARDING = 4,
	SSHCERT_X11_FORWARDING = 8,
	SSHCERT_USER_RC = 16,
};

struct sshcert {
	char *type_name;    /* ssh-ed25519-cert-v01@openssh.com */
	struct sshkey *key; /* the certified key, plain */
	uint64_t serial;
	uint32_t type;	   /* SSHCERT_TYPE_* */
	char *key_id;	   /* may contain anything but NUL: clean it before showing it */
	char **principals; /* NULL-terminated */
	size_t principal_count;
	uint64_t valid_after, valid_before;
	char *force_command; /* critical option, NULL when absent, never empty */
	/* critical option: CIDR list, NULL when absent, never empty */
	char *source_address;
	bool verify_required;
	/* the first unknown critical option, in visible form (text_clean); NULL: none */
	char *unknown_critical;
	unsigned rights;   /* SSHCERT_PTY | … */
	struct sshkey *ca; /* signature key: always a plain key */
};

/* Also verifies the CA's signature; whether the CA is trusted is not checked. */
int sshcert_parse(struct bytes blob, struct sshcert **ret, struct err *err);
void sshcert_free(struct sshcert *cert);
void sshcert_freep(struct sshcert **cert);
#define SSHCERT_CLEANUP __attribute__((cleanup(sshcert_freep)))
bool sshcert_is_cert_type(struct bytes type_name); /* "…-cert-v0N@openssh.com" */

/* Checks that a certificate may be used at this time from this address: type, times (without
 * tolerance, as in OpenSSH), principals (present, each text_name_ok), unknown critical options,
 * verify-required, source-address. The caller checks that the CA is trusted. -EACCES with the
 * reason. */
int sshcert_check(
	const struct sshcert *cert, int64_t now, const struct addr *source, struct err *err);

struct sshcert_spec { /* the contents of a new certificate; all borrowed */
	const struct sshkey *key;
	uint64_t serial;
	const char *key_id;
	const char *const *principals; /* NULL-terminated, at least one, each text_name_ok */
	uint64_t valid_after, valid_before;
	const char *force_command;  /* NULL or empty: none */
	const char *source_address; /* NULL or empty: none */
	unsigned rights;
};

/* Makes a user certificate signed by ca. Refuses one that sshcert_check() would refuse. nonce is 32
 * random bytes (injected). */
int sshcert_sign(const struct sshcert_spec *spec, const struct sshkey *ca,
	const uint8_t nonce[static 32], struct buf *out, struct err *err);

#endif
