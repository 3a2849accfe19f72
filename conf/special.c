/* Lists and maps of the configuration: listen, certificates.trusted, keys, proxy_protocol.from. */
#include "conf/special.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/pattern.h"
#include "common/text.h"
#include "conf/notify.h"
#include "conf/provider.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PATH_LEN 4095

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* The node of the n-th text; a single scalar is a list of one for yaml_strings(). */
static const struct yaml *nth(const struct yaml *node, size_t n)
{
	if (node->kind != YAML_LIST)
		return node;
	const struct yaml *child = node->child;
	while (n-- > 0)
		child = child->next;
	return child;
}

static int expect_list(const struct yaml *node, size_t max, struct err *err)
{
	if (node->kind != YAML_LIST)
		return yaml_error(node, err, "expected a list");
	if (node->count > max)
		return yaml_error(node, err, "more than %zu entries", max);
	return 0;
}

static int load_listen(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	(void)files;
	int rc = yaml_strings(node, CONF_LISTEN_MAX, ADDR_TEXT_MAX, &conf->listen, err);
	if (rc < 0)
		return rc;
	conf->listen_addr = calloc(CONF_LISTEN_MAX, sizeof(*conf->listen_addr));
	if (!conf->listen_addr)
		return no_memory(err);
	for (; conf->listen[conf->listen_count]; conf->listen_count++) {
		struct err why = { 0 };
		if (addr_parse_port(conf->listen[conf->listen_count],
			    &conf->listen_addr[conf->listen_count], &why) < 0)
			return yaml_error(
				nth(node, conf->listen_count), err, "listen: %s", why.text);
	}
	return conf->listen_count > 0 ? 0 : yaml_error(node, err, "listen: no address");
}

static int dump_listen(const struct conf *conf, struct buf *out)
{
	return yaml_put_texts(out, conf->listen);
}

static void release_listen(struct conf *conf)
{
	text_list_free(conf->listen);
	free(conf->listen_addr);
}

/* The one key of a .pub file: blank lines and comments are skipped, a second key is an error. */
static int parse_pub(struct bytes file, struct sshkey **ret, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	FREE_CLEANUP char *text = text_dup(file.data, file.len);

	if (!text)
		return no_memory(err);
	char *save = NULL;
	for (char *line = strtok_r(text, "\r\n", &save); line;
		line = strtok_r(NULL, "\r\n", &save)) {
		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		if (key)
			return err_set(err, -EINVAL, "holds more than one key");
		int rc = sshkey_from_line(line, &key, err);
		if (rc < 0)
			return rc;
	}
	if (!key)
		return err_set(err, -EINVAL, "holds no key");
	if (strncmp(sshkey_type(key), "sk-", 3) == 0)
		return err_set(err, -EINVAL, "a security key cannot be an authority here");
	*ret = key;
	key = NULL;
	return 0;
}

static int load_authority_key(
	struct conf_trusted *trusted, const struct yaml *node, struct files *files, struct err *err)
{
	const char *path = NULL;
	struct bytes file = { 0 };
	struct err why = { 0 };
	int rc = yaml_text(node, PATH_LEN, &path, err);

	if (rc < 0)
		return rc;
	trusted->path = files_resolve(files, path);
	if (!trusted->path)
		return no_memory(err);
	if (files_read(files, path, SSHKEY_FILE_MAX, &file, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	if (parse_pub(file, &trusted->key, &why) < 0)
		return yaml_error(node, err, "'%s': %s", path, why.text);
	return 0;
}

static int load_user_from(enum conf_user_from *ret, const struct yaml *node, struct err *err)
{
	const char *text = "principal";

	if (node) {
		int rc = yaml_text(node, 64, &text, err);
		if (rc < 0)
			return rc;
	}
	if (strcmp(text, "principal") != 0 && strcmp(text, "key_id") != 0)
		return yaml_error(node, err, "expected principal or key_id");
	*ret = strcmp(text, "principal") == 0 ? CONF_USER_PRINCIPAL : CONF_USER_KEY_ID;
	return 0;
}

static int load_principal_pattern(
	struct conf_trusted *trusted, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct err why = { 0 };

	if (!node || yaml_is_null(node))
		return 0;
	if (trusted->user != CONF_USER_PRINCIPAL)
		return yaml_error(node, err, "is for 'user: principal'");
	int rc = yaml_text(node, PATTERN_MAX, &text, err);
	if (!rc && (!*text || pattern_compile(text, &trusted->principal_pattern, &why)))
		rc = yaml_error(node, err, "%s", *text ? why.text : "is empty");
	return rc;
}

static int load_one_trusted(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	struct conf_trusted *trusted = &conf->trusted[conf->trusted_count++];
	int rc = conf_only(conf_table, conf_table_count, node, "certificates.trusted[]", err);

	if (rc < 0)
		return rc;
	const struct yaml *key = yaml_get(node, "key");
	if (!key)
		return yaml_error(node, err, "'key' is missing");
	rc = load_authority_key(trusted, key, files, err);
	if (rc == 0)
		rc = load_user_from(&trusted->user, yaml_get(node, "user"), err);
	if (rc == 0)
		rc = load_principal_pattern(trusted, yaml_get(node, "principal_pattern"), err);
	for (size_t i = 0; rc == 0 && i + 1 < conf->trusted_count; i++)
		if (sshkey_same(conf->trusted[i].key, trusted->key))
			return yaml_error(key, err, "this authority is listed twice");
	return rc;
}

static int load_trusted(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	int rc = expect_list(node, CONF_TRUSTED_MAX, err);

	if (rc < 0)
		return rc;
	conf->trusted = calloc(CONF_TRUSTED_MAX, sizeof(*conf->trusted));
	if (!conf->trusted)
		return no_memory(err);
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = load_one_trusted(conf, child, files, err);
	return rc;
}

static int put_pattern(const struct pattern *pattern, struct buf *out)
{
	return pattern ? yaml_put_text(out, pattern_text(pattern)) : buf_puts(out, "null");
}

static int dump_trusted(const struct conf *conf, struct buf *out)
{
	int rc = buf_putc(out, '[');

	for (size_t i = 0; rc == 0 && i < conf->trusted_count; i++) {
		rc = buf_puts(out, i > 0 ? ", {key: " : "{key: ");
		if (rc == 0)
			rc = yaml_put_text(out, conf->trusted[i].path);
		if (rc == 0)
			rc = buf_puts(out, conf->trusted[i].user == CONF_USER_KEY_ID
						   ? ", user: key_id"
						   : ", user: principal");
		if (rc == 0)
			rc = buf_puts(out, ", principal_pattern: ");
		if (rc == 0)
			rc = put_pattern(conf->trusted[i].principal_pattern, out);
		if (rc == 0)
			rc = buf_putc(out, '}');
	}
	return rc < 0 ? rc : buf_putc(out, ']');
}

static void release_trusted(struct conf *conf)
{
	for (size_t i = 0; i < conf->trusted_count; i++) {
		sshkey_free(conf->trusted[i].key);
		pattern_free(conf->trusted[i].principal_pattern);
		free(conf->trusted[i].path);
	}
	free(conf->trusted);
}

static int load_one_key(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	struct conf_key *key = &conf->keys[conf->key_count++];
	const char *path = NULL;
	char shown[64];

	if (!text_name_ok(node->key, strlen(node->key)))
		return yaml_key_error(node, err, "'%s' is not a valid name for a key",
			text_clean(shown, sizeof(shown), node->key, strlen(node->key)));
	int rc = conf_only(conf_table, conf_table_count, node, "keys.*", err);
	if (rc < 0)
		return rc;
	const struct yaml *file = yaml_get(node, "file");
	if (!file)
		return yaml_error(node, err, "'file' is missing");
	rc = yaml_text(file, PATH_LEN, &path, err);
	if (rc < 0)
		return rc;
	key->name = strdup(node->key);
	key->file = files_resolve(files, path);
	return key->name && key->file ? 0 : no_memory(err);
}

static int load_keys(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	if (node->kind != YAML_MAP)
		return yaml_error(node, err, "expected a map of names");
	if (node->count > CONF_KEYS_MAX)
		return yaml_error(node, err, "more than %d keys", CONF_KEYS_MAX);
	conf->keys = calloc(CONF_KEYS_MAX, sizeof(*conf->keys));
	int rc = conf->keys ? 0 : no_memory(err);
	for (const struct yaml *child = node->child; rc == 0 && child; child = child->next)
		rc = load_one_key(conf, child, files, err);
	return rc;
}

static int dump_keys(const struct conf *conf, struct buf *out)
{
	int rc = buf_putc(out, '{');

	for (size_t i = 0; rc == 0 && i < conf->key_count; i++) {
		rc = i > 0 ? buf_puts(out, ", ") : 0;
		if (rc == 0)
			rc = yaml_put_text(out, conf->keys[i].name);
		if (rc == 0)
			rc = buf_puts(out, ": {file: ");
		if (rc == 0)
			rc = yaml_put_text(out, conf->keys[i].file);
		if (rc == 0)
			rc = buf_putc(out, '}');
	}
	return rc < 0 ? rc : buf_putc(out, '}');
}

static void release_keys(struct conf *conf)
{
	for (size_t i = 0; i < conf->key_count; i++) {
		free(conf->keys[i].name);
		free(conf->keys[i].file);
	}
	free(conf->keys);
}

static int load_proxy_from(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	(void)files;
	char **list = NULL;
	int rc = yaml_strings(node, CONF_NETS_MAX, ADDR_TEXT_MAX, &list, err);
	if (rc < 0)
		return rc;
	conf->proxy_from = calloc(CONF_NETS_MAX, sizeof(*conf->proxy_from));
	if (!conf->proxy_from)
		rc = no_memory(err);
	for (size_t i = 0; rc == 0 && list[i]; i++) {
		struct err why = { 0 };
		if (net_parse(list[i], &conf->proxy_from[conf->proxy_from_count++], &why) < 0)
			rc = yaml_error(nth(node, i), err, "%s", why.text);
	}
	text_list_free(list);
	return rc;
}

static int dump_proxy_from(const struct conf *conf, struct buf *out)
{
	int rc = buf_putc(out, '[');

	for (size_t i = 0; rc == 0 && i < conf->proxy_from_count; i++) {
		char text[ADDR_TEXT_MAX];
		rc = buf_printf(out, "%s\"%s/%u\"", i > 0 ? ", " : "",
			addr_format(&conf->proxy_from[i].base, text), conf->proxy_from[i].bits);
	}
	return rc < 0 ? rc : buf_putc(out, ']');
}

static void release_proxy_from(struct conf *conf)
{
	free(conf->proxy_from);
}

const struct conf_special conf_specials[] = {
	{ "listen", load_listen, dump_listen, release_listen },
	{ "certificates.trusted", load_trusted, dump_trusted, release_trusted },
	{ "keys", load_keys, dump_keys, release_keys },
	{ "proxy_protocol.from", load_proxy_from, dump_proxy_from, release_proxy_from },
	{ "certificates.revoked", conf_revoked_load, conf_revoked_dump, conf_revoked_release },
	{ "providers", conf_providers_load, conf_providers_dump, conf_providers_release },
	{ "notify.command", conf_notify_command_load, conf_notify_command_dump,
		conf_notify_command_release },
	{ "notify.webhook", conf_notify_webhook_load, conf_notify_webhook_dump,
		conf_notify_webhook_release },
	{ "notify.ca_file", conf_notify_ca_load, conf_notify_ca_dump, conf_notify_ca_release },
};
const size_t conf_special_count = COUNT(conf_specials);

const struct conf_special *conf_special_find(const char *path)
{
	for (size_t i = 0; i < COUNT(conf_specials); i++)
		if (strcmp(conf_specials[i].path, path) == 0)
			return &conf_specials[i];
	return NULL;
}
