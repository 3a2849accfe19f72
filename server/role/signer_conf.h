/* The signer's slice of the configuration (server/role/slice.h): where its keys and password files
 * are. Paths only: what is in the files, the signer alone reads. */
#ifndef BARTIZAN_ROLE_SIGNER_CONF_H
#define BARTIZAN_ROLE_SIGNER_CONF_H

#include <stddef.h>

#include "common/err.h"

#define SIGNER_KEYS_MAX 64	   /* CONF_KEYS_MAX */
#define SIGNER_PASSWORDS_MAX 10000 /* TARGET_COUNT_MAX */

struct signer_key {
	char *name;
	char *file;
};

struct signer_conf {
	char *issuing_key; /* NULL: the gateway issues no certificates */
	struct signer_key keys[SIGNER_KEYS_MAX];
	size_t key_count;
	/* the password files that targets name, NULL-terminated; one may be there several times */
	char **passwords;
};

int signer_conf_seal(const struct signer_conf *conf, struct err *err); /* fd or -errno */
/* fd stays the caller's; caller frees *ret */
int signer_conf_open(int fd, struct signer_conf **ret, struct err *err);
void signer_conf_free(struct signer_conf *conf);

#endif
