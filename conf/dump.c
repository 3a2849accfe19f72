/* The configuration in force, as YAML that loads again. Values are compared in written form: one
 * that is written like its default is marked. */
#include "conf/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf/special.h"

#define VALUE_MAX (1024 * 1024)

static const void *field(const struct conf *conf, const struct conf_row *row)
{
	return (const char *)conf + row->offset;
}

static int put_text(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	const char *text = *(char *const *)field(conf, row);

	return text ? yaml_put_text(out, text) : buf_puts(out, "null");
}

static int put_int(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	return buf_printf(out, "%" PRId64, *(const int64_t *)field(conf, row));
}

static int put_size(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	char text[YAML_NUMBER_MAX];

	return buf_puts(out, yaml_format_size(*(const int64_t *)field(conf, row), text));
}

static int put_duration(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	char text[YAML_NUMBER_MAX];

	return buf_puts(out, yaml_format_duration(*(const int64_t *)field(conf, row), text));
}

static int put_bool(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	return buf_puts(out, *(const bool *)field(conf, row) ? "true" : "false");
}

static int put_enum(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	unsigned position = (unsigned)*(const enum conf_crypto *)field(conf, row);
	const char *p = row->choices;

	while (position-- > 0)
		p += strcspn(p, "|") + 1;
	return buf_put(out, p, strcspn(p, "|"));
}

static int put_special(const struct conf *conf, const struct conf_row *row, struct buf *out)
{
	return conf_special_find(row->path)->dump(conf, out);
}

static int (*const writers[])(const struct conf *, const struct conf_row *, struct buf *) = {
	[CONF_TEXT] = put_text,
	[CONF_PATH] = put_text,
	[CONF_INT] = put_int,
	[CONF_SIZE] = put_size,
	[CONF_DURATION] = put_duration,
	[CONF_BOOL] = put_bool,
	[CONF_CHOICE] = put_text,
	[CONF_ENUM] = put_enum,
	[CONF_SPECIAL] = put_special,
};

/* All defaults: the result of a file with only the required keys. */
static int load_defaults(struct conf **ret)
{
	static const char text[] = "{version: 1, host_key: /}";
	struct yaml *root = NULL;
	FILES_CLEANUP struct files *files = files_in_memory();

	if (!files)
		return -ENOMEM;
	int rc = yaml_parse(
		"default", (struct bytes){ (const uint8_t *)text, sizeof(text) - 1 }, &root, NULL);
	if (rc < 0)
		return rc;
	rc = conf_load(root, files, ret, NULL);
	yaml_free(root);
	return rc;
}

static bool same(const struct conf *a, const struct conf *b, const struct conf_row *row)
{
	BUF_CLEANUP struct buf x = BUF_INIT(VALUE_MAX);
	BUF_CLEANUP struct buf y = BUF_INIT(VALUE_MAX);

	if (writers[row->type](a, row, &x) < 0 || writers[row->type](b, row, &y) < 0)
		return false;
	return x.len == y.len && memcmp(buf_data(&x), buf_data(&y), x.len) == 0;
}

/* "limits.idle": a line "limits:" before the first row of the group, and the row indented. */
static int dump_row(const struct conf *conf, const struct conf *defaults,
	const struct conf_row *row, const char *previous, struct buf *out)
{
	const char *dot = strchr(row->path, '.');
	size_t group = dot ? (size_t)(dot - row->path) : 0;
	int rc = 0;

	if (dot && strncmp(previous, row->path, group + 1) != 0)
		rc = buf_printf(out, "%.*s:\n", (int)group, row->path);
	if (rc == 0 && dot)
		rc = buf_printf(out, "  %s: ", dot + 1);
	else if (rc == 0)
		rc = buf_printf(out, "%s: ", row->path);
	if (rc == 0)
		rc = writers[row->type](conf, row, out);
	if (rc < 0)
		return rc;
	return buf_puts(out, !row->required && same(conf, defaults, row) ? " # default\n" : "\n");
}

int conf_dump(const struct conf *conf, struct buf *out)
{
	struct conf *defaults = NULL;
	int rc = load_defaults(&defaults);

	if (rc == 0)
		rc = buf_puts(out, "version: 1\n");
	const char *previous = "";
	for (size_t i = 0; rc == 0 && i < conf_table_count; i++) {
		if (conf_table[i].offset == CONF_NO_FIELD)
			continue;
		rc = dump_row(conf, defaults, &conf_table[i], previous, out);
		previous = conf_table[i].path;
	}
	conf_free(defaults);
	return rc;
}
