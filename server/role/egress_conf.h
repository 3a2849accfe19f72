/* Egress's slice of the configuration (server/role/slice.h): the providers and the webhook that it
 * talks to, and how. Client secrets and the webhook's headers are paths here: egress alone reads
 * those files. */
#ifndef BARTIZAN_ROLE_EGRESS_CONF_H
#define BARTIZAN_ROLE_EGRESS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define EGRESS_PROVIDERS_MAX 16	    /* CONF_PROVIDERS_MAX */
#define EGRESS_SCOPES_MAX 32	    /* CONF_SCOPES_MAX */
#define EGRESS_CA_MAX (1024 * 1024) /* CONF_CA_SIZE_MAX */

struct egress_provider {
	char *name, *issuer, *client_id;
	char *client_secret_file; /* NULL: a public client */
	char *ca;		  /* PEM; NULL: the system's authorities */
	char **scopes;		  /* NULL-terminated */
	bool allow_http;
	int64_t connect_time, answer_time; /* ms */
	int64_t jwks_refresh;		   /* ms between refetches at the least */
};

struct egress_conf {
	uint32_t keepalive_s; /* TCP keepalive idle time; 0: none */
	struct egress_provider providers[EGRESS_PROVIDERS_MAX];
	size_t provider_count;
	char *webhook;	       /* URL; NULL: none */
	char *webhook_ca;      /* PEM; NULL: the system's authorities */
	char *webhook_headers; /* path of the file with further headers; NULL: none */
};

int egress_conf_seal(const struct egress_conf *conf, struct err *err); /* fd or -errno */
/* fd stays the caller's; caller frees *ret */
int egress_conf_open(int fd, struct egress_conf **ret, struct err *err);
void egress_conf_free(struct egress_conf *conf);

#endif
