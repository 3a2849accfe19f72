/* Plain SSH keys: parse, compare, fingerprint, verify, sign. Implemented with OpenSSL.
 *
 * Accepted kinds: ssh-ed25519, ecdsa-sha2-nistp256/384/521, ssh-rsa (the key; signatures with SHA-2
 * only, 2048 to 16384 bits), sk-ssh-ed25519@openssh.com, sk-ecdsa-sha2-nistp256@openssh.com
 * (verify: never as a CA here). Sources: RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709,
 * OpenSSH PROTOCOL.u2f, PROTOCOL.key. */
#ifndef BARTIZAN_KEYS_SSHKEY_H
#define BARTIZAN_KEYS_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define SSHKEY_BLOB_MAX 16384 /* a public key or certificate blob */
#define SSHKEY_FILE_MAX 65536 /* a private or public key file */
#define SSHKEY_SIG_MAX 8192
#define SSHKEY_FP_MAX 64 /* "SHA256:" + 43 characters + NUL */

struct sshkey; /* a public key, or a private key with its public half */

/* A public key blob, strictly parsed: algorithm name must fit the body, no trailing bytes, point on
 * the curve. A certificate is refused with "is a certificate, not a key". */
int sshkey_from_blob(struct bytes blob, struct sshkey **ret, struct err *err);
/* "ssh-ed25519 AAAA… comment": one line as in authorized_keys without options or a .pub file. */
int sshkey_from_line(const char *line, struct sshkey **ret, struct err *err);
/* An OpenSSH or PEM private key without passphrase (a key with one is refused with that reason). */
int sshkey_from_private(struct bytes file, struct sshkey **ret, struct err *err);
int sshkey_generate_ed25519(struct sshkey **ret, struct err *err);
void sshkey_free(struct sshkey *key); /* overwrites private parts; NULL is allowed */
void sshkey_freep(struct sshkey **key);
#define SSHKEY_CLEANUP __attribute__((cleanup(sshkey_freep)))

const char *sshkey_type(const struct sshkey *key);  /* "ssh-ed25519", …; static */
struct bytes sshkey_blob(const struct sshkey *key); /* the public blob; borrowed */
bool sshkey_same(const struct sshkey *a, const struct sshkey *b); /* public halves, byte for byte */
/* "type base64 comment" */
int sshkey_line(const struct sshkey *key, const char *comment, struct buf *out);
/* openssh-key-v1, ed25519 only, no passphrase */
int sshkey_private_file(const struct sshkey *key, const char *comment, struct buf *out);
/* SHA256:…, of any blob */
void sshkey_fingerprint_blob(struct bytes blob, char out[static SSHKEY_FP_MAX]);
void sshkey_fingerprint(const struct sshkey *key, char out[static SSHKEY_FP_MAX]);

/* Signature blobs: string algorithm, string signature. algorithm may be NULL: the key's best
 * (rsa-sha2-512 for RSA). ssh-rsa is refused. */
int sshkey_sign(const struct sshkey *key, const char *algorithm, struct bytes data, struct buf *out,
	struct err *err);
/* 0 only for a valid signature by this key with an algorithm of its type; anything else is -EBADMSG
 * with the reason. */
int sshkey_verify(
	const struct sshkey *key, struct bytes signature, struct bytes data, struct err *err);

#endif
