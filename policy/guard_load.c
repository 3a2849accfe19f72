/* Reading `guards` of the configuration, and writing it again. Whatever is written and empty is an
 * error, as everywhere in the policy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/guard_impl.h"
#include "policy/preset.h"

#define PLACE_MAX 512

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* ---- elements ---- */

static int compile_text(struct guard_pattern *pattern, const char *text, struct err *err)
{
	int rc = pattern_compile(text, &pattern->pattern, err);

	if (!rc && strncmp(text, "re:", 3) && !(pattern->automaton = guard_automaton_new(text)))
		rc = no_memory(err);
	return rc;
}

static int load_text(struct guard_pattern *pattern, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	struct err why = { "" };
	int rc = yaml_text(node, PATTERN_MAX, &text, err);

	if (rc < 0)
		return rc;
	rc = compile_text(pattern, text, &why);
	if (rc)
		return rc == -ENOMEM ? no_memory(err) : yaml_error(node, err, "%s", why.text);
	return 0;
}

/* How an element is written in reasons: "{program: rm, options: [-r]}", and of a preset
 * "destructive: {program: …}". */
static int show(struct guard_pattern *pattern, const char *preset, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(GUARD_DUMP_MAX);
	int rc = preset ? buf_printf(&text, "%s: ", preset) : 0;

	if (!rc && pattern->program)
		rc = guard_program_dump(pattern->program, &text);
	else if (!rc)
		rc = yaml_put_text(&text, pattern_text(pattern->pattern));
	const char *shown = rc ? NULL : buf_cstr(&text);
	return shown && (pattern->shown = strdup(shown)) ? 0 : no_memory(err);
}

/* ---- presets ---- */

/* A row is a pattern as it is, or {program: …} in YAML. */
static int load_row(
	struct guard_list *list, const struct preset *preset, const char *row, struct err *err)
{
	struct guard_pattern *pattern = &list->patterns[list->count++];
	struct bytes text = { (const uint8_t *)row, strlen(row) };
	struct yaml *node = NULL;
	int rc;

	if (*row != '{') {
		rc = compile_text(pattern, row, err);
	} else {
		rc = yaml_parse(preset->name, text, &node, err);
		if (!rc)
			rc = guard_program_load(node, &pattern->program, err);
		yaml_free(node);
	}
	return rc ? rc : show(pattern, preset->name, err);
}

int guard_list_load(struct guard_list *list, const struct preset *preset, struct err *err)
{
	size_t count = 0;
	int rc = 0;

	while (preset->rows[count])
		count++;
	list->patterns = calloc(count + 1, sizeof(*list->patterns));
	if (!list->patterns)
		return no_memory(err);
	list->preset = preset;
	while (!rc && list->count < count)
		rc = load_row(list, preset, preset->rows[list->count], err);
	return rc;
}

/* ---- elements and entries ---- */

static const struct {
	const char *key;
	enum guard_verdict verdict;
} verdicts[] = { { "deny", GUARD_DENY }, { "approve", GUARD_APPROVE }, { "warn", GUARD_WARN },
	{ "allow", GUARD_ALLOW } };
#define VERDICTS (sizeof(verdicts) / sizeof(*verdicts))

static int load_preset(struct guards *guards, struct guard_pattern *pattern,
	const struct yaml *node, struct err *err)
{
	static const char *const keys[] = { "preset", NULL };
	const char *name = NULL;
	int rc = yaml_only(node, keys, err);

	if (!rc)
		rc = yaml_text(yaml_get(node, "preset"), GUARD_NAME_MAX, &name, err);
	if (rc)
		return rc;
	size_t index = preset_find(name);
	if (index == preset_count)
		return yaml_error(node, err,
			"there is no preset '%s': 'bartizan policy guards' lists them", name);
	pattern->preset = &guards->presets[index];
	return pattern->preset->preset
		       ? 0
		       : guard_list_load(&guards->presets[index], &presets[index], err);
}

static int load_element(struct guards *guards, struct guard_pattern *pattern,
	const struct yaml *node, struct err *err)
{
	pattern->line = node->line;
	pattern->column = node->column;
	if (node->kind == YAML_LIST)
		return yaml_error(node, err, "expected a pattern, a program or a preset");
	if (node->kind == YAML_SCALAR)
		return load_text(pattern, node, err);
	if (yaml_get(node, "preset"))
		return load_preset(guards, pattern, node, err);
	int rc = guard_program_load(node, &pattern->program, err);
	return rc ? rc : show(pattern, NULL, err);
}

static int load_patterns(struct guards *guards, struct guard_entry *entry, const struct yaml *node,
	size_t room, struct err *err)
{
	const struct yaml *child = node->kind == YAML_LIST ? node->child : node;
	size_t count = node->kind == YAML_LIST ? node->count : 1;
	int rc = 0;

	if (!count)
		return yaml_error(node, err, "'%s' is empty: it would never match", node->key);
	if (count > room)
		return yaml_error(
			node, err, "more than %d patterns in one guard", GUARD_PATTERNS_MAX);
	if (!(entry->patterns = calloc(count, sizeof(*entry->patterns))))
		return no_memory(err);
	for (size_t i = 0; !rc && i < count; i++, child = child->next)
		rc = load_element(guards, &entry->patterns[entry->count++], child, err);
	return rc;
}

static int load_by(struct guard_entry *entry, const struct yaml *node, struct err *err)
{
	char place[PLACE_MAX], name[64];
	int rc = yaml_strings(node, GUARD_ROLES_MAX, GUARD_NAME_MAX, &entry->by, err);

	if (rc < 0)
		return rc;
	if (!entry->by[0])
		return yaml_error(node, err, "'by' is empty: nobody could approve");
	for (char **role = entry->by; *role; role++)
		if (!text_name_ok(*role, strlen(*role)))
			return yaml_error(node, err, "'%s' is not a name of a role",
				text_clean(name, sizeof(name), *role, strlen(*role)));
	snprintf(place, sizeof(place), "%s:%u:%u", node->file, node->line, node->column);
	entry->place = strdup(place);
	return entry->place ? 0 : no_memory(err);
}

static int load_entry(struct guards *guards, struct guard *guard, const struct yaml *node,
	size_t room, struct err *err)
{
	static const char *const keys[] = { "deny", "approve", "warn", "allow", "by", NULL };
	struct guard_entry *entry = &guard->entries[guard->count++];
	const struct yaml *patterns = NULL, *by = NULL;
	size_t found = 0;

	if (node->kind != YAML_MAP)
		return yaml_error(node, err, "expected an entry such as {deny: [\"mkfs*\"]}");
	int rc = yaml_only(node, keys, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < VERDICTS; i++) {
		const struct yaml *value = yaml_get(node, verdicts[i].key);
		if (!value)
			continue;
		patterns = value;
		entry->verdict = verdicts[i].verdict;
		found++;
	}
	if (found != 1)
		return yaml_error(node, err, "an entry needs one of deny, approve, warn and allow");
	by = yaml_get(node, "by");
	if (by && entry->verdict != GUARD_APPROVE)
		return yaml_key_error(by, err, "'by' has a meaning only beside 'approve'");
	if (!by && entry->verdict == GUARD_APPROVE)
		return yaml_error(node, err, "'approve' needs 'by': the roles that may");
	rc = load_patterns(guards, entry, patterns, room, err);
	return rc || !by ? rc : load_by(entry, by, err);
}

/* ---- guards ---- */

static int load_entries(
	struct guards *guards, struct guard *guard, const struct yaml *list, struct err *err)
{
	size_t patterns = 0;

	if (list->kind != YAML_LIST || !list->count)
		return yaml_error(
			list, err, "expected a list of entries such as {deny: [\"mkfs*\"]}");
	if (list->count > GUARD_ENTRIES_MAX)
		return yaml_error(
			list, err, "more than %d entries in one guard", GUARD_ENTRIES_MAX);
	guard->entries = calloc(list->count, sizeof(*guard->entries));
	int rc = guard->entries ? 0 : no_memory(err);
	for (const struct yaml *child = list->child; !rc && child; child = child->next) {
		rc = load_entry(guards, guard, child, GUARD_PATTERNS_MAX - patterns, err);
		patterns += guard->entries[guard->count - 1].count;
	}
	return rc;
}

/* Where no entry approves, nobody is named who could. */
static int check_doubt(const struct guard *guard, const struct yaml *node, struct err *err)
{
	if (guard->on_doubt == GUARD_APPROVE && !guard_can_hold(guard))
		return yaml_error(node, err,
			"'on_doubt: approve' needs an entry that approves: its roles are asked");
	return 0;
}

static int load_verdict(const struct yaml *node, unsigned allowed, const char *expected,
	enum guard_verdict *ret, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, GUARD_NAME_MAX, &text, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < VERDICTS; i++) {
		if (allowed >> verdicts[i].verdict & 1 && !strcmp(text, verdicts[i].key)) {
			*ret = verdicts[i].verdict;
			return 0;
		}
	}
	return yaml_error(node, err, "expected %s", expected);
}

#define ALL_VERDICTS 0xfu

static int load_guard_map(
	struct guards *guards, struct guard *guard, const struct yaml *node, struct err *err)
{
	static const char *const keys[] = { "rules", "blind", "on_doubt", NULL };
	const struct yaml *rules = yaml_get(node, "rules"), *blind = yaml_get(node, "blind"),
			  *doubt = yaml_get(node, "on_doubt");
	int rc = yaml_only(node, keys, err);

	if (!rc && !rules)
		rc = yaml_error(node, err, "a guard needs 'rules'");
	if (!rc)
		rc = load_entries(guards, guard, rules, err);
	if (!rc && blind)
		rc = load_verdict(blind, ALL_VERDICTS & ~(1u << GUARD_APPROVE),
			"allow, warn or deny", &guard->blind, err);
	if (rc || !doubt)
		return rc;
	guard->says_doubt = true;
	rc = load_verdict(
		doubt, ALL_VERDICTS, "approve, deny, warn or allow", &guard->on_doubt, err);
	return rc ? rc : check_doubt(guard, doubt, err);
}

static int load_guard(
	struct guards *guards, struct guard *guard, const struct yaml *node, struct err *err)
{
	char name[64];
	size_t len = strlen(node->key);

	if (!text_name_ok(node->key, len))
		return yaml_key_error(node, err, "'%s' is not a name of a guard",
			text_clean(name, sizeof(name), node->key, len));
	guard->blind = GUARD_WARN;
	guard->name = strdup(node->key);
	if (!guard->name)
		return no_memory(err);
	return node->kind == YAML_MAP ? load_guard_map(guards, guard, node, err)
				      : load_entries(guards, guard, node, err);
}

int guards_load(const struct yaml *map, struct guards **ret, struct err *err)
{
	struct guards *guards = calloc(1, sizeof(*guards));
	int rc = guards ? 0 : no_memory(err);

	if (!rc && map && map->kind != YAML_MAP)
		rc = yaml_error(map, err, "expected a map of guards");
	if (!rc && map && map->count > GUARD_COUNT_MAX)
		rc = yaml_error(map, err, "more than %d guards", GUARD_COUNT_MAX);
	if (!rc && !(guards->list = calloc(map ? map->count + 1 : 1, sizeof(*guards->list))))
		rc = no_memory(err);
	if (!rc && !(guards->presets = calloc(preset_count, sizeof(*guards->presets))))
		rc = no_memory(err);
	for (const struct yaml *child = !rc && map ? map->child : NULL; !rc && child;
		child = child->next)
		rc = load_guard(guards, &guards->list[guards->count++], child, err);
	if (rc)
		guards_free(guards);
	else
		*ret = guards;
	return rc;
}

static void patterns_free(struct guard_pattern *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pattern_free(patterns[i].pattern);
		free(patterns[i].automaton);
		guard_program_free(patterns[i].program);
		free(patterns[i].shown);
	}
	free(patterns);
}

void guard_list_release(struct guard_list *list)
{
	patterns_free(list->patterns, list->count);
}

static void guard_release(struct guard *guard)
{
	for (size_t i = 0; i < guard->count; i++) {
		struct guard_entry *entry = &guard->entries[i];
		patterns_free(entry->patterns, entry->count);
		text_list_free(entry->by);
		free(entry->place);
	}
	free(guard->entries);
	free(guard->name);
}

void guards_free(struct guards *guards)
{
	for (size_t i = 0; guards && i < guards->count; i++)
		guard_release(&guards->list[i]);
	for (size_t i = 0; guards && guards->presets && i < preset_count; i++)
		guard_list_release(&guards->presets[i]);
	if (guards) {
		free(guards->presets);
		free(guards->list);
	}
	free(guards);
}

/* ---- asking ---- */

size_t guards_count(const struct guards *guards)
{
	return guards->count;
}

const struct guard *guards_at(const struct guards *guards, size_t index)
{
	return &guards->list[index];
}

const struct guard *guards_find(const struct guards *guards, const char *name)
{
	for (size_t i = 0; i < guards->count; i++)
		if (!strcmp(guards->list[i].name, name))
			return &guards->list[i];
	return NULL;
}

size_t guard_entries(const struct guard *guard)
{
	return guard->count;
}

const char *guard_name(const struct guard *guard)
{
	return guard->name;
}

enum guard_verdict guard_blind(const struct guard *guard)
{
	return guard->blind;
}

/* What the guard can do short of a deny, where it does not say it. */
enum guard_verdict guard_on_doubt(const struct guard *guard)
{
	if (guard->says_doubt)
		return guard->on_doubt;
	return guard_can_hold(guard) ? GUARD_APPROVE : GUARD_DENY;
}

bool guard_can_hold(const struct guard *guard)
{
	for (size_t i = 0; i < guard->count; i++)
		if (guard->entries[i].verdict == GUARD_APPROVE)
			return true;
	return false;
}

int guards_check_roles(const struct guards *guards,
	bool (*has_role)(const char *role, const void *arg), const void *arg, struct err *err)
{
	for (size_t g = 0; g < guards->count; g++) {
		for (size_t i = 0; i < guards->list[g].count; i++) {
			const struct guard_entry *entry = &guards->list[g].entries[i];
			for (char **role = entry->by; role && *role; role++)
				if (!has_role(*role, arg))
					return err_set(err, -EINVAL, "%s: there is no role '%s'",
						entry->place, *role);
		}
	}
	return 0;
}

/* ---- writing ---- */

static int dump_element(const struct guard_pattern *pattern, struct buf *out)
{
	if (pattern->preset)
		return buf_printf(out, "{preset: %s}", pattern->preset->preset->name);
	return pattern->program ? guard_program_dump(pattern->program, out)
				: yaml_put_text(out, pattern_text(pattern->pattern));
}

static int dump_entry(const struct guard_entry *entry, const char *indent, struct buf *out)
{
	int rc = buf_printf(out, "%s- {%s: [", indent, guard_verdict_name(entry->verdict));

	for (size_t i = 0; !rc && i < entry->count; i++) {
		if (i > 0)
			rc = buf_puts(out, ", ");
		if (!rc)
			rc = dump_element(&entry->patterns[i], out);
	}
	if (!rc)
		rc = buf_puts(out, "]");
	if (!rc && entry->by)
		rc = buf_puts(out, ", by: ");
	if (!rc && entry->by)
		rc = yaml_put_texts(out, entry->by);
	return rc ? rc : buf_puts(out, "}\n");
}

int guard_dump(const struct guard *guard, struct buf *out)
{
	int rc = buf_puts(out, "  ");

	if (!rc)
		rc = yaml_put_text(out, guard->name);
	if (!rc)
		rc = buf_printf(out, ":\n    blind: %s\n    on_doubt: %s\n    rules:\n",
			guard_verdict_name(guard->blind),
			guard_verdict_name(guard_on_doubt(guard)));
	for (size_t i = 0; !rc && i < guard->count; i++)
		rc = dump_entry(&guard->entries[i], "      ", out);
	return rc;
}

int guards_dump(const struct guards *guards, struct buf *out)
{
	int rc = guards->count ? buf_puts(out, "guards:\n") : 0;

	for (size_t g = 0; !rc && g < guards->count; g++)
		rc = guard_dump(&guards->list[g], out);
	return rc;
}
