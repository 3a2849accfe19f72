/* A preset as text: what `bartizan policy guards --show` prints. */
#include "policy/preset.h"

#include <stdbool.h>
#include <string.h>

#include "conf/yaml.h"
#include "shell/code.h"

static int dump_row(const char *row, struct buf *out)
{
	int rc = buf_puts(out, "- ");

	if (!rc)
		rc = *row == '{' ? buf_puts(out, row) : yaml_put_text(out, row);
	return rc ? rc : buf_puts(out, "\n");
}

/* ---- the table of code ---- */

/* An option of a row that carries code: its sign is one of these. */
static bool carries(const char *option, size_t len, size_t *ret_name)
{
	size_t name = 1;

	while (name < len && !strchr(":$!#^?%~=@|+&", option[name]))
		name++;
	*ret_name = name;
	for (size_t i = name; i < len; i++)
		if (strchr("=$?@|+&%", option[i]))
			return true;
	return false;
}

static int dump_options(const struct wrapper *row, bool *ret_any, struct buf *out)
{
	int rc = 0;

	for (const char *at = row->options; !rc && at && *at; at += *at == ' ') {
		size_t len = strcspn(at, " "), name;
		if (len && carries(at, len, &name)) {
			bool whole = name > 1 && !(row->traits & WRAP_SINGLE);
			rc = buf_printf(out, "%s%s%.*s", *ret_any ? ", " : ", options: [",
				whole ? "--" : "-", (int)name, at);
			*ret_any = true;
		}
		at += len;
	}
	return rc || !*ret_any ? rc : buf_puts(out, "]");
}

static const char *remark(const struct wrapper *row)
{
	if (row->traits & CODE_ALWAYS)
		return "  # whatever is typed at it";
	if (row->traits & (CODE_INPUT | CODE_FED))
		return "  # and its standard input";
	if (row->traits & CODE_WORDS && row->look == code_look)
		return "  # some of its subcommands";
	return row->look == code_look ? "" : "  # as far as its text runs something";
}

/* Wrappers stand in the same table; they are looked through, and carry nothing. */
static bool is_wrapper(const struct wrapper *row)
{
	return !row->look || row->look == wrap_sg || row->look == wrap_capsh ||
	       row->look == wrap_ip || row->look == wrap_runcon || row->look == wrap_renamed ||
	       row->look == wrap_multicall;
}

static int dump_code(const struct wrapper *row, struct buf *out)
{
	bool any = false;
	int rc = buf_puts(out, "- {program: ");

	if (!rc)
		rc = yaml_put_text(out, row->name);
	if (!rc)
		rc = dump_options(row, &any, out);
	return rc ? rc : buf_printf(out, "}%s\n", remark(row));
}

int preset_dump(const struct preset *preset, struct buf *out)
{
	int rc = buf_printf(out, "# %s: %s\n", preset->name, preset->help);

	for (size_t i = 0; !rc && preset->rows[i]; i++)
		rc = dump_row(preset->rows[i], out);
	for (size_t i = 0; !rc && preset->code && i < code_row_count; i++)
		if (!is_wrapper(&code_rows[i]))
			rc = dump_code(&code_rows[i], out);
	return rc;
}
