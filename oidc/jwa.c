/* The table of algorithms, and lists of their names. */
#include "oidc/jwa.h"

#include <string.h>

#include "common/text.h"

const struct jwa jwa_table[] = {
	{ "RS256", "RSA", NULL, "SHA256", false, 0 },
	{ "RS384", "RSA", NULL, "SHA384", false, 0 },
	{ "RS512", "RSA", NULL, "SHA512", false, 0 },
	{ "PS256", "RSA", NULL, "SHA256", true, 0 },
	{ "ES256", "EC", "P-256", "SHA256", false, 64 },
	{ "ES384", "EC", "P-384", "SHA384", false, 96 },
	{ "EdDSA", "OKP", "Ed25519", NULL, false, 64 },
	{ 0 },
};

const struct jwa *jwa_find(const char *name)
{
	for (const struct jwa *row = jwa_table; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

bool jwa_listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

static size_t add(char *out, size_t used, const char *name)
{
	if (used && used + 2 < JWA_NAMES_MAX) {
		memcpy(out + used, ", ", 3);
		used += 2;
	}
	text_clean(out + used, JWA_NAMES_MAX - used, name, strlen(name));
	return used + strlen(out + used);
}

const char *jwa_names(const char *const *list, char out[static JWA_NAMES_MAX])
{
	size_t used = 0;

	*out = 0;
	for (; list && *list; list++)
		used = add(out, used, *list);
	for (const struct jwa *row = jwa_table; !list && row->name; row++)
		used = add(out, used, row->name);
	return out;
}
