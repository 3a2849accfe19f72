/* OpenSSH key revocation lists (PROTOCOL.krl), as `ssh-keygen -k` makes them: certificates of an
 * authority by serial and key id, keys, and fingerprints of keys by SHA-1 and SHA-256.
 *
 * The bytes are an administrator's file, but nothing relies on that: every length is checked, sizes
 * are limited. Anything unknown (a section, a critical extension, a signature, which OpenSSH does
 * not support any more either) is an error and never skipped: a list that is only half understood
 * would accept what it was made to refuse. */
#ifndef BARTIZAN_KEYS_KRL_H
#define BARTIZAN_KEYS_KRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define KRL_SIZE_MAX (16 * 1024 * 1024)
#define KRL_SECTIONS_MAX 4096	     /* sections of certificates: one or more for each authority */
#define KRL_ENTRIES_MAX 1000000	     /* entries of all kinds together */
#define KRL_BITMAP_MAX (1024 * 1024) /* bytes of one bitmap */
#define KRL_KEY_ID_MAX 65536

struct krl;

/* -EBADMSG, -EMSGSIZE with the reason */
int krl_parse(struct bytes data, struct krl **ret, struct err *err);
void krl_free(struct krl *krl); /* NULL allowed */
uint64_t krl_version(const struct krl *krl);
/* entries of all kinds; a range of serials counts once */
size_t krl_entries(const struct krl *krl);

struct krl_question {
	struct bytes key; /* blob of the plain key */
	/* blob of the certificate's authority; empty: a plain key was offered */
	struct bytes ca;
	uint64_t serial; /* of the certificate */
	const char *key_id;
};
/* Whether it is revoked; *ret_by says by what: "its serial", "its key id", "its key", "the key of
 * its authority". */
bool krl_revoked(const struct krl *krl, const struct krl_question *question, const char **ret_by);

#endif
