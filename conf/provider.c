/* See conf/provider.h. */
#include "conf/provider.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/name.h"
#include "common/text.h"
#include "common/url.h"
#include "keys/krl.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KRL_MAGIC "SSHKRL\n" /* with its NUL: PROTOCOL.krl */
#define AT(f) offsetof(struct conf_provider, f)

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static const struct conf_row *row_of(const char *key)
{
	static const char prefix[] = "providers[].";

	for (size_t i = 0; i < conf_table_count; i++)
		if (strncmp(conf_table[i].path, prefix, sizeof(prefix) - 1) == 0 &&
			strcmp(conf_table[i].path + sizeof(prefix) - 1, key) == 0)
			return &conf_table[i];
	return NULL;
}

/* ---- one value ---- */

static int load_text(void *slot, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, (size_t)row->max, &text, err);

	if (rc < 0)
		return rc;
	if (strlen(text) < (size_t)row->min)
		return yaml_error(node, err, "expected a text");
	for (const char *p = text; *p; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			return yaml_error(node, err, "the text has a control character in it");
	char *copy = row->type == CONF_PATH ? files_resolve(files, text) : strdup(text);
	*(char **)slot = copy;
	return copy ? 0 : yaml_error(node, err, "path is too long");
}

static int load_bool(void *slot, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)row, (void)files;
	return yaml_bool(node, slot, err);
}

static int load_duration(void *slot, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	return yaml_duration(node, row->min, row->max, slot, err);
}

static bool chosen(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = choices; p && *p;
		p = p[strcspn(p, "|")] ? p + strcspn(p, "|") + 1 : NULL)
		if (strcspn(p, "|") == len && memcmp(p, text, len) == 0)
			return true;
	return false;
}

/* RFC 6749 appendix A.4: scope-token. */
static bool scope_ok(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p < '!' || *p > '~' || *p == '"' || *p == '\\')
			return false;
	return *text;
}

static int load_list(void *slot, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	char shown[64], **list = NULL;
	int rc = yaml_strings(node, row->choices ? CONF_ALGORITHMS_MAX : CONF_SCOPES_MAX,
		(size_t)row->max, &list, err);
	if (rc < 0)
		return rc;
	*(char ***)slot = list;
	if (!list[0] && row->min)
		return yaml_error(node, err, "the list is empty");
	for (; *list; list++) {
		text_clean(shown, sizeof(shown), *list, strlen(*list));
		if (row->choices && !chosen(row->choices, *list))
			return yaml_error(node, err, "'%s' is not one of %s", shown, row->choices);
		if (!row->choices && !scope_ok(*list))
			return yaml_error(node, err, "'%s' is not %s", shown,
				row->min ? "a scope" : "the name of a claim");
	}
	return 0;
}

/* ---- values with more than one form ---- */

static struct conf_provider *provider_at(void *slot, size_t offset)
{
	return (struct conf_provider *)(void *)((char *)slot - offset);
}

/* CLAIM, or {keys_of: CLAIM} */
static int load_groups(void *slot, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	const struct yaml *keys = yaml_get(node, "keys_of");

	if (node->kind != YAML_MAP)
		return load_text(slot, row, node, files, err);
	if (!keys || node->count != 1)
		return yaml_error(node, err, "expected a claim, or {keys_of: CLAIM}");
	provider_at(slot, AT(groups))->groups_keys = true;
	return load_text(slot, row, keys, files, err);
}

static int load_names(void *slot, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, (size_t)row->max, &text, err);

	(void)files;
	if (rc < 0)
		return rc;
	*(bool *)slot = !strcmp(text, "unicode");
	return *(bool *)slot || !strcmp(text, "ascii")
		       ? 0
		       : yaml_error(node, err, "expected ascii or unicode");
}

unsigned conf_provider_names(const struct conf_provider *provider)
{
	return (provider->unicode ? NAME_UNICODE : 0) | (provider->machine ? NAME_WORKLOAD : 0);
}

/* ---- writing one value ---- */

static int put_text(const void *slot, struct buf *out)
{
	const char *text = *(char *const *)slot;

	return text ? yaml_put_text(out, text) : buf_puts(out, "null");
}

static int put_bool(const void *slot, struct buf *out)
{
	return buf_puts(out, *(const bool *)slot ? "true" : "false");
}

static int put_duration(const void *slot, struct buf *out)
{
	char text[YAML_NUMBER_MAX];

	return buf_puts(out, yaml_format_duration(*(const int64_t *)slot, text));
}

static int put_list(const void *slot, struct buf *out)
{
	return yaml_put_texts(out, *(char **const *)slot);
}

static int put_groups(const void *slot, struct buf *out)
{
	if (!provider_at((void *)(uintptr_t)slot, AT(groups))->groups_keys)
		return put_text(slot, out);
	int rc = buf_puts(out, "{keys_of: ");
	rc = rc ? rc : put_text(slot, out);
	return rc ? rc : buf_putc(out, '}');
}

static int put_names(const void *slot, struct buf *out)
{
	return buf_puts(out, *(const bool *)slot ? "unicode" : "ascii");
}

struct kind {
	int (*load)(void *slot, const struct conf_row *row, const struct yaml *node,
		struct files *files, struct err *err);
	int (*put)(const void *slot, struct buf *out);
};
static const struct kind kinds[] = {
	[CONF_TEXT] = { load_text, put_text },
	[CONF_PATH] = { load_text, put_text },
	[CONF_BOOL] = { load_bool, put_bool },
	[CONF_DURATION] = { load_duration, put_duration },
	[CONF_SPECIAL] = { load_list, put_list },
};

static const struct kind groups_kind = { load_groups, put_groups },
			 names_kind = { load_names, put_names };

static const struct {
	const char *key;
	size_t offset;
	const struct kind *kind; /* NULL: that of its row */
} values[] = {
	{ "name", AT(name), NULL },
	{ "issuer", AT(issuer), NULL },
	{ "client_id", AT(client_id), NULL },
	{ "client_secret_file", AT(client_secret_file), NULL },
	{ "audience", AT(audience), NULL },
	{ "scopes", AT(scopes), NULL },
	{ "user", AT(user), NULL },
	{ "groups", AT(groups), &groups_kind },
	{ "names", AT(unicode), &names_kind },
	{ "require", AT(require), NULL },
	{ "algorithms", AT(algorithms), NULL },
	{ "ca_file", AT(ca_file), NULL },
	{ "allow_http", AT(allow_http), NULL },
	{ "machine", AT(machine), NULL },
	{ "skew", AT(skew), NULL },
	{ "token_lifetime", AT(token_lifetime), NULL },
	{ "connect_time", AT(connect_time), NULL },
	{ "answer_time", AT(answer_time), NULL },
	{ "jwks_refresh", AT(jwks_refresh), NULL },
	{ "jwks_max_age", AT(jwks_max_age), NULL },
};

static const struct kind *kind_of(size_t i)
{
	return values[i].kind ? values[i].kind : &kinds[row_of(values[i].key)->type];
}

static int load_fallback(
	void *slot, size_t i, const struct conf_row *row, struct files *files, struct err *err)
{
	struct yaml *node = NULL;

	if (!row->fallback)
		return 0;
	int rc = yaml_parse(row->path,
		(struct bytes){ (const uint8_t *)row->fallback, strlen(row->fallback) }, &node,
		err);
	if (rc == 0)
		rc = kind_of(i)->load(slot, row, node, files, err);
	yaml_free(node);
	return rc;
}

static int load_value(struct conf_provider *provider, size_t i, const struct yaml *map,
	struct files *files, struct err *err)
{
	const struct conf_row *row = row_of(values[i].key);
	const struct yaml *node = yaml_get(map, values[i].key);

	void *slot = (char *)provider + values[i].offset;
	if (!node && row->required)
		return yaml_error(map, err, "'%s' is missing", values[i].key);
	if (!node)
		return load_fallback(slot, i, row, files, err);
	if (yaml_is_null(node) && !row->fallback && !row->required)
		return 0;
	return kind_of(i)->load(slot, row, node, files, err);
}

/* ---- one provider ---- */

static int check_name(const struct conf *conf, const struct conf_provider *provider,
	const struct yaml *node, struct err *err)
{
	char shown[64];

	if (!text_name_ok(provider->name, strlen(provider->name)))
		return yaml_error(yaml_get(node, "name"), err,
			"'%s' is not a valid name for a provider",
			text_clean(shown, sizeof(shown), provider->name, strlen(provider->name)));
	for (const struct conf_provider *p = conf->providers; p != provider; p++)
		if (strcmp(p->name, provider->name) == 0)
			return yaml_error(yaml_get(node, "name"), err,
				"there is more than one provider '%s'", provider->name);
	return 0;
}

/* RFC 8414 section 2 and OpenID Connect Discovery 3: no query, no fragment. A well-known suffix,
 * often copied from a browser, is removed. */
static int check_issuer(const struct conf *conf, struct conf_provider *provider,
	const struct yaml *node, struct err *err)
{
	const struct yaml *issuer = yaml_get(node, "issuer");
	size_t len = strlen(provider->issuer), suffix = strlen(CONF_ISSUER_SUFFIX);
	struct err why = { 0 };

	if (len > suffix && strcmp(provider->issuer + len - suffix, CONF_ISSUER_SUFFIX) == 0)
		provider->issuer[len - suffix] = '\0';
	if (url_check(provider->issuer, provider->allow_http, NULL, &why) < 0)
		return yaml_error(issuer, err, "%s", why.text);
	if (strchr(provider->issuer, '?'))
		return yaml_error(issuer, err, "an issuer cannot have a query");
	for (const struct conf_provider *p = conf->providers; p != provider; p++)
		if (strcmp(p->issuer, provider->issuer) == 0 &&
			strcmp(p->client_id, provider->client_id) == 0)
			return yaml_error(issuer, err,
				"provider '%s' has this issuer and client_id already", p->name);
	return 0;
}

/* Checked here, so that an error shows before the first login. */
int conf_pem_check(struct bytes pem, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *cert = NULL;
	size_t count = 0;

	if (!bio)
		return no_memory(err);
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, (void *)(uintptr_t) ""))) {
		X509_free(cert);
		count++;
	}
	bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(bio);
	if (!end)
		return err_set(err, -EINVAL, "holds a damaged certificate");
	return count > 0 ? 0 : err_set(err, -EINVAL, "holds no certificate in PEM");
}

static int load_ca(struct conf_provider *provider, const struct yaml *node, struct files *files,
	struct err *err)
{
	const struct yaml *ca_file = yaml_get(node, "ca_file");
	struct bytes pem = { 0 };
	struct err why = { 0 };

	if (!provider->ca_file)
		return 0;
	if (files_read(files, provider->ca_file, CONF_CA_SIZE_MAX, &pem, &why) < 0)
		return yaml_error(ca_file, err, "%s", why.text);
	if (conf_pem_check(pem, &why) < 0)
		return yaml_error(ca_file, err, "'%s' %s", provider->ca_file, why.text);
	provider->ca = text_dup(pem.data, pem.len);
	return provider->ca ? 0 : no_memory(err);
}

static int load_provider(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	struct conf_provider *provider = &conf->providers[conf->provider_count++];
	int rc = conf_only(conf_table, conf_table_count, node, "providers[]", err);

	for (size_t i = 0; rc == 0 && i < COUNT(values); i++)
		rc = load_value(provider, i, node, files, err);
	if (rc == 0)
		rc = check_name(conf, provider, node, err);
	if (rc == 0)
		rc = check_issuer(conf, provider, node, err);
	return rc < 0 ? rc : load_ca(provider, node, files, err);
}

int conf_providers_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	int rc = 0;

	if (node->kind != YAML_LIST)
		return yaml_error(node, err, "expected a list");
	if (node->count > CONF_PROVIDERS_MAX)
		return yaml_error(node, err, "more than %d entries", CONF_PROVIDERS_MAX);
	conf->providers = calloc(CONF_PROVIDERS_MAX, sizeof(*conf->providers));
	if (!conf->providers)
		return no_memory(err);
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = load_provider(conf, child, files, err);
	return rc;
}

static int dump_provider(const struct conf_provider *provider, struct buf *out)
{
	int rc = buf_putc(out, '{');

	for (size_t i = 0; rc == 0 && i < COUNT(values); i++) {
		rc = buf_printf(out, "%s%s: ", i > 0 ? ", " : "", values[i].key);
		if (rc == 0)
			rc = kind_of(i)->put((const char *)provider + values[i].offset, out);
	}
	return rc < 0 ? rc : buf_putc(out, '}');
}

int conf_providers_dump(const struct conf *conf, struct buf *out)
{
	int rc = buf_putc(out, '[');

	for (size_t i = 0; rc == 0 && i < conf->provider_count; i++) {
		rc = i > 0 ? buf_puts(out, ", ") : 0;
		if (rc == 0)
			rc = dump_provider(&conf->providers[i], out);
	}
	return rc < 0 ? rc : buf_putc(out, ']');
}

void conf_providers_release(struct conf *conf)
{
	for (size_t i = 0; i < conf->provider_count; i++) {
		struct conf_provider *p = &conf->providers[i];
		char *texts[] = { p->name, p->issuer, p->client_id, p->client_secret_file,
			p->audience, p->user, p->groups, p->ca_file, p->ca };
		for (size_t k = 0; k < COUNT(texts); k++)
			free(texts[k]);
		text_list_free(p->scopes);
		text_list_free(p->algorithms);
		text_list_free(p->require);
	}
	free(conf->providers);
}

/* ---- certificates.revoked ---- */

int conf_revoked_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	const char *path = NULL;
	struct bytes file = { 0 };
	struct krl *krl = NULL;
	struct err why = { 0 };
	int rc = yaml_text(node, FILES_PATH_MAX - 1, &path, err);

	if (rc < 0)
		return rc;
	conf->krl_file = files_resolve(files, path);
	if (!conf->krl_file)
		return yaml_error(node, err, "path is too long");
	if (files_read(files, path, CONF_KRL_SIZE_MAX, &file, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	if (file.len < sizeof(KRL_MAGIC) || memcmp(file.data, KRL_MAGIC, sizeof(KRL_MAGIC)) != 0)
		return yaml_error(node, err, "'%s' is not a key revocation list (ssh-keygen -k)",
			conf->krl_file);
	/* parsed here only as a check; its users parse it again */
	if (krl_parse(file, &krl, &why))
		return yaml_error(node, err, "'%s' cannot be used: %s", conf->krl_file, why.text);
	krl_free(krl);
	conf->krl = text_dup(file.data, file.len);
	conf->krl_len = file.len;
	return conf->krl ? 0 : no_memory(err);
}

int conf_revoked_dump(const struct conf *conf, struct buf *out)
{
	return conf->krl_file ? yaml_put_text(out, conf->krl_file) : buf_puts(out, "null");
}

void conf_revoked_release(struct conf *conf)
{
	free(conf->krl_file);
	free(conf->krl);
}
