/* Reading arguments by a table. See args.h. */
#include "common/args.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/clock.h"

#define AT(base, row, ctype) ((ctype *)((char *)(base) + (row)->offset))

struct given { /* one option as it stands in argv */
	const struct arg_row *row;
	const char *value; /* NULL for a flag */
};

/* "12", "0.5", "1.25": times 1000, at most three decimals. */
static int milli_parse(const char *text, int64_t *ret)
{
	int64_t whole = 0, part = 0, scale = 1000;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole < INT64_MAX / 100000; p++)
		whole = whole * 10 + (*p - '0');
	if (p == text)
		return -EINVAL;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && scale > 1; p++) {
			scale /= 10;
			part += (*p - '0') * scale;
		}
	if (*p)
		return -EINVAL;
	*ret = whole * 1000 + part;
	return 0;
}

static int int_parse(const char *text, int64_t *ret)
{
	int64_t value;
	int rc = strchr(text, '.') ? -EINVAL : milli_parse(text, &value);

	if (!rc)
		*ret = value / 1000;
	return rc;
}

static int duration_parse(const char *text, int64_t *ret)
{
	return milli_parse(text, ret) ? clock_duration_parse(text, ret, NULL) : 0;
}

static int put_number(const struct given *given, int (*parse)(const char *, int64_t *),
	const char *what, void *ret, struct err *err)
{
	int64_t value, max = given->row->max ? given->row->max : INT64_MAX;

	if (parse(given->value, &value))
		return err_set(err, -EINVAL, "option '--%s': '%s' is not %s", given->row->name,
			given->value, what);
	if (value < given->row->min || value > max)
		return err_set(err, -EINVAL, "option '--%s': '%s' is out of range",
			given->row->name, given->value);
	*AT(ret, given->row, int64_t) = value;
	return 0;
}

static int list_add(struct args_list *list, const char *item)
{
	if (list->count == ARGS_LIST_MAX)
		return -E2BIG;
	list->items[list->count++] = item;
	list->items[list->count] = NULL;
	return 0;
}

static int put(const struct given *given, void *ret, struct err *err)
{
	switch (given->row->type) {
	case ARG_FLAG: *AT(ret, given->row, bool) = true; return 0;
	case ARG_TEXT: *AT(ret, given->row, const char *) = given->value; return 0;
	case ARG_LIST:
		if (list_add(AT(ret, given->row, struct args_list), given->value))
			return err_set(err, -EINVAL, "option '--%s' is given more than %d times",
				given->row->name, ARGS_LIST_MAX);
		return 0;
	case ARG_INT: return put_number(given, int_parse, "a number", ret, err);
	case ARG_DURATION:
		return put_number(given, duration_parse, "a duration (90s, 15m, 1h30m)", ret, err);
	case ARG_MILLI: return put_number(given, milli_parse, "a number", ret, err);
	}
	return -EINVAL;
}

static const struct arg_row *find(const struct arg_row *rows, const char *name, size_t len)
{
	for (; rows && rows->name; rows++)
		if (!strncmp(rows->name, name, len) && !rows->name[len])
			return rows;
	return NULL;
}

/* Takes the option at **argv and moves *argv to its last word. */
static int take(const struct arg_row *rows, char *const **argv, struct given *ret, struct err *err)
{
	const char *name = **argv + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct arg_row *row = find(rows, name, len);

	if (!row)
		return err_set(
			err, -EINVAL, "unknown option '--%.*s'", (int)(len > 64 ? 64 : len), name);
	if (row->type == ARG_FLAG && equals)
		return err_set(err, -EINVAL, "option '--%s' takes no value", row->name);
	const char *value = equals ? equals + 1 : NULL;
	if (row->type != ARG_FLAG && !value) {
		if (!(*argv)[1])
			return err_set(err, -EINVAL, "option '--%s' needs a value", row->name);
		value = *++*argv;
	}
	*ret = (struct given){ row, value };
	return 0;
}

int args_parse(const struct arg_row *rows, char *const *argv, void *ret, struct args_list *words,
	struct err *err)
{
	uint64_t seen = 0;
	bool options = true;

	*words = (struct args_list){ 0 };
	for (; *argv; argv++) {
		struct given given = { 0 };
		if (options && !strcmp(*argv, "--")) {
			options = false;
			continue;
		}
		if (!options || (*argv)[0] != '-' || !(*argv)[1]) {
			if (list_add(words, *argv))
				return err_set(err, -EINVAL, "the command has more than %d words",
					ARGS_LIST_MAX);
			continue;
		}
		if ((*argv)[1] != '-')
			return err_set(err, -EINVAL, "unknown option '%.64s'", *argv);
		if (take(rows, &argv, &given, err))
			return -EINVAL;
		uint64_t bit = UINT64_C(1) << ((given.row - rows) & 63);
		if ((seen & bit) && given.row->type != ARG_LIST)
			return err_set(
				err, -EINVAL, "option '--%s' is given twice", given.row->name);
		seen |= bit;
		if (put(&given, ret, err))
			return -EINVAL;
	}
	return 0;
}
