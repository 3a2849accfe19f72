/* Patterns that say less than their writer thinks: "rm -r*" misses `rm -fr`, `rm x -r` and
 * `rm --recursive`. Each is told with the entry that catches them all. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/guard_impl.h"
#include "policy/preset.h"

#define OPTION_MAX 64
#define WARNING_MAX 4096

struct spelling { /* of a pattern: a program, and options in one word */
	struct bytes program;
	const char *text;
	char option[OPTION_MAX]; /* -rf, --force */
};

/* The first word without wildcards, and the first behind it that begins with a dash. */
static bool read_spelling(const char *text, struct spelling *ret)
{
	size_t name = strcspn(text, " "), len;
	const char *at = strstr(text, " -");

	if (!name || strcspn(text, "*?\\") < name || !at || !strncmp(text, "re:", 3))
		return false;
	at++;
	len = strcspn(at, " *?=\\");
	if (len < 2 || len >= OPTION_MAX ||
		!isalpha((unsigned char)at[len > 2 && at[1] == '-' ? 2 : 1]))
		return false;
	ret->text = text;
	ret->program = (struct bytes){ (const uint8_t *)text, name };
	memcpy(ret->option, at, len);
	ret->option[len] = 0;
	return true;
}

/* The preset's row that is about one of these options of this program; NULL: none. */
static const struct guard_program *find_row(
	const struct guard_list *lists, const struct spelling *spelling)
{
	for (size_t i = 0; i < preset_count; i++) {
		for (size_t k = 0; k < lists[i].count; k++) {
			const struct guard_program *row = lists[i].patterns[k].program;
			if (row && guard_program_names(row, spelling->program) &&
				guard_program_has(row, spelling->option, spelling->text))
				return row;
		}
	}
	return NULL;
}

static bool is_known(const struct guard_list *lists, struct bytes name)
{
	for (size_t i = 0; i < preset_count; i++)
		for (size_t k = 0; k < lists[i].count; k++)
			if (lists[i].patterns[k].program &&
				guard_program_names(lists[i].patterns[k].program, name))
				return true;
	return false;
}

/* Without a row: each letter of the cluster is an option of its own. */
static int put_options(const struct spelling *spelling, struct buf *out)
{
	int rc = buf_printf(out, "{program: %.*s, options: [", (int)spelling->program.len,
		(const char *)spelling->program.data);

	if (!rc && spelling->option[1] == '-')
		return buf_printf(out, "%s]}", spelling->option);
	for (const char *at = spelling->option + 1; !rc && *at; at++)
		rc = buf_printf(out, "%s-%c", at > spelling->option + 1 ? ", " : "", *at);
	return rc ? rc : buf_puts(out, "]}");
}

static int warn(const struct guard *guard, const struct guard_pattern *pattern,
	const struct guard_list *lists, guard_warning_fn *say, void *arg)
{
	BUF_CLEANUP struct buf text = BUF_INIT(WARNING_MAX);
	struct spelling spelling;

	if (!pattern->pattern || !read_spelling(pattern_text(pattern->pattern), &spelling))
		return 0;
	const struct guard_program *row = find_row(lists, &spelling);
	if (!row && !is_known(lists, spelling.program))
		return 0;
	int rc = buf_printf(&text,
		"guard '%s': '%s' misses other spellings of the same options; this catches them: ",
		guard->name, pattern_text(pattern->pattern));
	if (!rc)
		rc = row ? guard_program_dump(row, &text) : put_options(&spelling, &text);
	const char *shown = rc ? NULL : buf_cstr(&text);
	if (shown)
		say(pattern->line, pattern->column, shown, arg);
	return rc == -ENOMEM ? rc : 0;
}

static int warn_all(const struct guards *guards, const struct guard_list *lists,
	guard_warning_fn *say, void *arg)
{
	int rc = 0;

	for (size_t g = 0; !rc && g < guards->count; g++) {
		const struct guard *guard = &guards->list[g];
		for (size_t i = 0; !rc && i < guard->count; i++)
			for (size_t k = 0; !rc && k < guard->entries[i].count; k++)
				if (guard->entries[i].verdict >= GUARD_APPROVE)
					rc = warn(guard, &guard->entries[i].patterns[k], lists, say,
						arg);
	}
	return rc;
}

int guards_warn(const struct guards *guards, guard_warning_fn *say, void *arg)
{
	struct guard_list *lists = calloc(preset_count, sizeof(*lists));
	struct err err = { "" };
	int rc = lists ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < preset_count; i++)
		rc = guard_list_load(&lists[i], &presets[i], &err);
	if (!rc)
		rc = warn_all(guards, lists, say, arg);
	for (size_t i = 0; lists && i < preset_count; i++)
		guard_list_release(&lists[i]);
	free(lists);
	return rc;
}
