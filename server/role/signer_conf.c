/* See signer_conf.h. */
#include "server/role/signer_conf.h"

#include "server/role/slice.h"

#define CONF struct signer_conf

static const struct slice_field key_fields[] = {
	SLICE(TEXT, struct signer_key, name, SLICE_TEXT_MAX),
	SLICE(TEXT, struct signer_key, file, SLICE_TEXT_MAX),
};
static const struct slice_shape key_shape = SLICE_SHAPE(struct signer_key, key_fields);

static const struct slice_field fields[] = {
	SLICE(OPTIONAL, CONF, issuing_key, SLICE_TEXT_MAX),
	SLICE_LIST_OF(CONF, keys, key_count, SIGNER_KEYS_MAX, &key_shape),
	SLICE(TEXTS, CONF, passwords, SIGNER_PASSWORDS_MAX),
};
static const struct slice_shape shape = SLICE_SHAPE(CONF, fields);

int signer_conf_seal(const struct signer_conf *conf, struct err *err)
{
	return slice_seal(&shape, conf, "bartizan-signer", err);
}

int signer_conf_open(int fd, struct signer_conf **ret, struct err *err)
{
	void *slice;
	int rc = slice_open(&shape, fd, &slice, err);

	if (rc == 0)
		*ret = slice;
	return rc;
}

void signer_conf_free(struct signer_conf *conf)
{
	slice_free(&shape, conf);
}
