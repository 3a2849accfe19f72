/* See egress_conf.h. */
#include "server/role/egress_conf.h"

#include "server/role/slice.h"

#define CONF struct egress_conf
#define PROVIDER struct egress_provider

static const struct slice_field provider_fields[] = {
	SLICE(TEXT, PROVIDER, name, SLICE_TEXT_MAX),
	SLICE(TEXT, PROVIDER, issuer, SLICE_TEXT_MAX),
	SLICE(TEXT, PROVIDER, client_id, SLICE_TEXT_MAX),
	SLICE(OPTIONAL, PROVIDER, client_secret_file, SLICE_TEXT_MAX),
	SLICE(OPTIONAL, PROVIDER, ca, EGRESS_CA_MAX),
	SLICE(TEXTS, PROVIDER, scopes, EGRESS_SCOPES_MAX),
	SLICE(BOOL, PROVIDER, allow_http, 0),
	SLICE(I64, PROVIDER, connect_time, 0),
	SLICE(I64, PROVIDER, answer_time, 0),
	SLICE(I64, PROVIDER, jwks_refresh, 0),
};
static const struct slice_shape provider_shape = SLICE_SHAPE(PROVIDER, provider_fields);

static const struct slice_field fields[] = {
	SLICE(U32, CONF, keepalive_s, 0),
	SLICE_LIST_OF(CONF, providers, provider_count, EGRESS_PROVIDERS_MAX, &provider_shape),
	SLICE(OPTIONAL, CONF, webhook, SLICE_TEXT_MAX),
	SLICE(OPTIONAL, CONF, webhook_ca, EGRESS_CA_MAX),
	SLICE(OPTIONAL, CONF, webhook_headers, SLICE_TEXT_MAX),
};
static const struct slice_shape shape = SLICE_SHAPE(CONF, fields);

int egress_conf_seal(const struct egress_conf *conf, struct err *err)
{
	return slice_seal(&shape, conf, "bartizan-egress", err);
}

int egress_conf_open(int fd, struct egress_conf **ret, struct err *err)
{
	void *slice;
	int rc = slice_open(&shape, fd, &slice, err);

	if (rc == 0)
		*ret = slice;
	return rc;
}

void egress_conf_free(struct egress_conf *conf)
{
	slice_free(&shape, conf);
}
