/* providers and certificates.revoked: how they are read, written and freed. Rows of conf/special.c;
 * used by it and conf/notify.c alone.
 *
 * A provider's rows in conf_table[] have type, default and limits of each value; here is only the
 * field in which it is stored. */
#ifndef BARTIZAN_CONF_PROVIDER_H
#define BARTIZAN_CONF_PROVIDER_H

#include "conf/conf.h"

#define CONF_CA_SIZE_MAX (1024 * 1024)
#define CONF_KRL_SIZE_MAX (8 * 1024 * 1024)
#define CONF_ISSUER_SUFFIX "/.well-known/openid-configuration"

/* Checks that there is at least one certificate, and that OpenSSL can read all. The error ("holds
 * …") follows the file's name. */
int conf_pem_check(struct bytes pem, struct err *err);

int conf_providers_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err);
int conf_providers_dump(const struct conf *conf, struct buf *out);
void conf_providers_release(struct conf *conf);

int conf_revoked_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err);
int conf_revoked_dump(const struct conf *conf, struct buf *out);
void conf_revoked_release(struct conf *conf);

#endif
