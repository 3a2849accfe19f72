/* Reading the configuration by its table. A default is parsed like a value from the file, so that
 * every test notices a wrong one in the table. */
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "conf/special.h"

#define SEGMENT_MAX 64 /* bytes of one key's name */
#define PREFIX_MAX 256
#define NAMES_MAX 128 /* rows below one prefix, including nested ones; a test counts them */

static void *field(struct conf *conf, const struct conf_row *row)
{
	return (char *)conf + row->offset;
}

static int keep_text(
	struct conf *conf, const struct conf_row *row, const char *text, struct err *err)
{
	char **slot = field(conf, row);

	*slot = strdup(text);
	return *slot ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int load_text(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	const char *text = NULL;
	int rc = yaml_text(node, (size_t)row->max, &text, err);
	return rc < 0 ? rc : keep_text(conf, row, text, err);
}

static int load_path(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, (size_t)row->max, &text, err);

	if (rc < 0)
		return rc;
	FREE_CLEANUP char *full = files_resolve(files, text);
	if (!full)
		return yaml_error(node, err, "path is too long");
	if (strlen(full) > (size_t)row->max)
		return yaml_error(
			node, err, "'%s' is longer than %lld bytes", full, (long long)row->max);
	return keep_text(conf, row, full, err);
}

static int load_int(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	return yaml_int(node, row->min, row->max, field(conf, row), err);
}

static int load_size(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	return yaml_size(node, row->min, row->max, field(conf, row), err);
}

static int load_duration(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	return yaml_duration(node, row->min, row->max, field(conf, row), err);
}

static int load_bool(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	return yaml_bool(node, field(conf, row), err);
}

/* Position of the text in "a|b|c", or -1. */
static int choice(const char *choices, const char *text)
{
	size_t len = strlen(text);
	int position = 0;

	for (const char *p = choices; p; position++) {
		size_t part = strcspn(p, "|");
		if (part == len && memcmp(p, text, len) == 0)
			return position;
		p = p[part] ? p + part + 1 : NULL;
	}
	return -1;
}

static int read_choice(const struct conf_row *row, const struct yaml *node, const char **ret_text,
	int *ret, struct err *err)
{
	char shown[SEGMENT_MAX];
	int rc = yaml_text(node, 64, ret_text, err);

	if (rc < 0)
		return rc;
	*ret = choice(row->choices, *ret_text);
	if (*ret < 0)
		return yaml_error(node, err, "'%s' is not one of %s",
			text_clean(shown, sizeof(shown), *ret_text, strlen(*ret_text)),
			row->choices);
	return 0;
}

static int load_choice(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	const char *text = NULL;
	int position = 0;
	int rc = read_choice(row, node, &text, &position, err);
	return rc < 0 ? rc : keep_text(conf, row, text, err);
}

static int load_enum(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	(void)files;
	const char *text = NULL;
	int position = 0;
	int rc = read_choice(row, node, &text, &position, err);
	if (rc == 0)
		*(enum conf_crypto *)field(conf, row) = (enum conf_crypto)position;
	return rc;
}

static int load_special(struct conf *conf, const struct conf_row *row, const struct yaml *node,
	struct files *files, struct err *err)
{
	return conf_special_find(row->path)->load(conf, node, files, err);
}

static int (*const loaders[])(struct conf *, const struct conf_row *, const struct yaml *,
	struct files *, struct err *) = {
	[CONF_TEXT] = load_text,
	[CONF_PATH] = load_path,
	[CONF_INT] = load_int,
	[CONF_SIZE] = load_size,
	[CONF_DURATION] = load_duration,
	[CONF_BOOL] = load_bool,
	[CONF_CHOICE] = load_choice,
	[CONF_ENUM] = load_enum,
	[CONF_SPECIAL] = load_special,
};

/* The segment of row->path after the prefix: "login_time" for "limits". False when the row is not
 * below the prefix. */
static bool segment(const struct conf_row *row, const char *prefix, char out[static SEGMENT_MAX])
{
	size_t len = strlen(prefix);
	const char *rest = row->path;

	if (len > 0) {
		if (strncmp(rest, prefix, len) != 0 || rest[len] != '.')
			return false;
		rest += len + 1;
	}
	size_t part = strcspn(rest, ".[");
	if (part == 0 || part >= SEGMENT_MAX || *rest == '*')
		return false;
	memcpy(out, rest, part);
	out[part] = '\0';
	return true;
}

int conf_only(const struct conf_row *rows, size_t rows_count, const struct yaml *map,
	const char *prefix, struct err *err)
{
	char names[NAMES_MAX][SEGMENT_MAX];
	const char *list[NAMES_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < rows_count && count < NAMES_MAX; i++)
		if (segment(&rows[i], prefix, names[count])) {
			list[count] = names[count];
			count++;
		}
	list[count] = NULL;
	return yaml_only(map, list, err);
}

/* A group is a map that contains only rows: "limits", "certificates". */
static bool is_group(const char *path)
{
	size_t len = strlen(path);
	bool below = false;

	for (size_t i = 0; i < conf_table_count; i++) {
		if (strcmp(conf_table[i].path, path) == 0)
			return false;
		below |= strncmp(conf_table[i].path, path, len) == 0 &&
			 conf_table[i].path[len] == '.';
	}
	return below;
}

static int check_keys(const struct yaml *root, struct err *err)
{
	int rc = conf_only(conf_table, conf_table_count, root, "", err);

	for (const struct yaml *child = root->child; rc == 0 && child; child = child->next)
		if (is_group(child->key))
			rc = conf_only(conf_table, conf_table_count, child, child->key, err);
	return rc;
}

static const struct yaml *lookup(const struct yaml *root, const char *path)
{
	char part[PREFIX_MAX];

	while (root && *path) {
		size_t len = strcspn(path, ".");
		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		root = yaml_get(root, part);
		path += path[len] ? len + 1 : len;
	}
	return root;
}

static int load_fallback(
	struct conf *conf, const struct conf_row *row, struct files *files, struct err *err)
{
	struct yaml *node = NULL;

	if (!row->fallback)
		return 0;
	int rc = yaml_parse(row->path,
		(struct bytes){ (const uint8_t *)row->fallback, strlen(row->fallback) }, &node,
		err);
	if (rc < 0)
		return rc;
	rc = loaders[row->type](conf, row, node, files, err);
	yaml_free(node);
	return rc;
}

static int load_row(struct conf *conf, const struct conf_row *row, const struct yaml *root,
	struct files *files, struct err *err)
{
	const struct yaml *node = lookup(root, row->path);

	if (row->offset == CONF_NO_FIELD)
		return 0;
	if (!node && row->required)
		return yaml_error(root, err, "'%s' is missing", row->path);
	if (!node)
		return load_fallback(conf, row, files, err);
	if (!row->fallback && !row->required && yaml_is_null(node))
		return 0;
	return loaders[row->type](conf, row, node, files, err);
}

static int check_version(const struct yaml *root, struct err *err)
{
	const struct yaml *version = yaml_get(root, "version");

	if (root->kind != YAML_MAP)
		return yaml_error(root, err, "expected a map of keys");
	if (!version)
		return yaml_error(root, err, "'version' is missing: write 'version: 1'");
	if (version->kind != YAML_SCALAR || strcmp(version->text, "1") != 0)
		return yaml_error(version, err, "the version of the configuration must be 1");
	return 0;
}

int conf_load(const struct yaml *root, struct files *files, struct conf **ret, struct err *err)
{
	int rc = check_version(root, err);

	if (rc == 0)
		rc = check_keys(root, err);
	if (rc < 0)
		return rc;
	struct conf *conf = calloc(1, sizeof(*conf));
	if (!conf)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < conf_table_count; i++)
		rc = load_row(conf, &conf_table[i], root, files, err);
	if (rc < 0) {
		conf_free(conf);
		return rc;
	}
	*ret = conf;
	return 0;
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf_table_count; i++) {
		enum conf_type type = conf_table[i].type;
		if (conf_table[i].offset != CONF_NO_FIELD &&
			(type == CONF_TEXT || type == CONF_PATH || type == CONF_CHOICE))
			free(*(char **)field(conf, &conf_table[i]));
	}
	for (size_t i = 0; i < conf_special_count; i++)
		conf_specials[i].release(conf);
	free(conf);
}

const struct conf_key *conf_key_find(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->key_count; i++)
		if (strcmp(conf->keys[i].name, name) == 0)
			return &conf->keys[i];
	return NULL;
}
