/* Reading `guards` of the configuration, and writing it again. Whatever is written and empty is an
 * error, as everywhere in the policy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "policy/guard_impl.h"

#define PLACE_MAX 512

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* ---- entries ---- */

static const struct {
	const char *key;
	enum guard_verdict verdict;
} verdicts[] = { { "deny", GUARD_DENY }, { "approve", GUARD_APPROVE }, { "warn", GUARD_WARN },
	{ "allow", GUARD_ALLOW } };
#define VERDICTS (sizeof(verdicts) / sizeof(*verdicts))

static const struct yaml *first(const struct yaml *node)
{
	return node->kind == YAML_LIST ? node->child : node;
}

static int load_pattern(
	struct guard_entry *entry, const char *text, const struct yaml *node, struct err *err)
{
	struct guard_pattern *pattern = &entry->patterns[entry->count];
	struct err why = { "" };
	int rc = pattern_compile(text, &pattern->pattern, &why);

	if (rc)
		return rc == -ENOMEM ? no_memory(err) : yaml_error(node, err, "%s", why.text);
	entry->count++;
	if (strncmp(text, "re:", 3) != 0 && !(pattern->automaton = guard_automaton_new(text)))
		return no_memory(err);
	return 0;
}

static int load_patterns(
	struct guard_entry *entry, const struct yaml *node, size_t room, struct err *err)
{
	char **list = NULL;
	size_t count = 0;
	int rc = yaml_strings(node, GUARD_PATTERNS_MAX, PATTERN_MAX, &list, err);

	if (rc < 0)
		return rc;
	while (list[count])
		count++;
	if (!count)
		rc = yaml_error(node, err, "'%s' is empty: it would never match", node->key);
	else if (count > room)
		rc = yaml_error(
			node, err, "more than %d patterns in one guard", GUARD_PATTERNS_MAX);
	else if (!(entry->patterns = calloc(count, sizeof(*entry->patterns))))
		rc = no_memory(err);
	const struct yaml *child = first(node);
	for (size_t i = 0; !rc && i < count; i++, child = child->next)
		rc = load_pattern(entry, list[i], child, err);
	text_list_free(list);
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

static int load_entry(struct guard *guard, const struct yaml *node, size_t room, struct err *err)
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
	rc = load_patterns(entry, patterns, room, err);
	return rc || !by ? rc : load_by(entry, by, err);
}

/* ---- guards ---- */

static int load_entries(struct guard *guard, const struct yaml *list, struct err *err)
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
		rc = load_entry(guard, child, GUARD_PATTERNS_MAX - patterns, err);
		patterns += guard->entries[guard->count - 1].count;
	}
	return rc;
}

static int load_blind(struct guard *guard, const struct yaml *node, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, GUARD_NAME_MAX, &text, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < VERDICTS; i++) {
		if (verdicts[i].verdict != GUARD_APPROVE && !strcmp(text, verdicts[i].key)) {
			guard->blind = verdicts[i].verdict;
			return 0;
		}
	}
	return yaml_error(node, err, "expected allow, warn or deny");
}

static int load_guard(struct guard *guard, const struct yaml *node, struct err *err)
{
	static const char *const keys[] = { "rules", "blind", NULL };
	char name[64];
	size_t len = strlen(node->key);

	if (!text_name_ok(node->key, len))
		return yaml_key_error(node, err, "'%s' is not a name of a guard",
			text_clean(name, sizeof(name), node->key, len));
	guard->blind = GUARD_WARN;
	guard->name = strdup(node->key);
	if (!guard->name)
		return no_memory(err);
	if (node->kind != YAML_MAP)
		return load_entries(guard, node, err);
	const struct yaml *rules = yaml_get(node, "rules"), *blind = yaml_get(node, "blind");
	int rc = yaml_only(node, keys, err);
	if (!rc && !rules)
		rc = yaml_error(node, err, "a guard needs 'rules'");
	if (!rc)
		rc = load_entries(guard, rules, err);
	return !rc && blind ? load_blind(guard, blind, err) : rc;
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
	for (const struct yaml *child = !rc && map ? map->child : NULL; !rc && child;
		child = child->next)
		rc = load_guard(&guards->list[guards->count++], child, err);
	if (rc)
		guards_free(guards);
	else
		*ret = guards;
	return rc;
}

static void guard_release(struct guard *guard)
{
	for (size_t i = 0; i < guard->count; i++) {
		struct guard_entry *entry = &guard->entries[i];
		for (size_t k = 0; k < entry->count; k++) {
			pattern_free(entry->patterns[k].pattern);
			free(entry->patterns[k].automaton);
		}
		free(entry->patterns);
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
	if (guards)
		free(guards->list);
	free(guards);
}

/* ---- asking ---- */

const struct guard *guards_find(const struct guards *guards, const char *name)
{
	for (size_t i = 0; i < guards->count; i++)
		if (!strcmp(guards->list[i].name, name))
			return &guards->list[i];
	return NULL;
}

const char *guard_name(const struct guard *guard)
{
	return guard->name;
}

enum guard_verdict guard_blind(const struct guard *guard)
{
	return guard->blind;
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

static int dump_entry(const struct guard_entry *entry, const char *indent, struct buf *out)
{
	int rc = buf_printf(out, "%s- {%s: [", indent, guard_verdict_name(entry->verdict));

	for (size_t i = 0; !rc && i < entry->count; i++) {
		if (i > 0)
			rc = buf_puts(out, ", ");
		if (!rc)
			rc = yaml_put_text(out, pattern_text(entry->patterns[i].pattern));
	}
	if (!rc)
		rc = buf_puts(out, "]");
	if (!rc && entry->by)
		rc = buf_puts(out, ", by: ");
	if (!rc && entry->by)
		rc = yaml_put_texts(out, entry->by);
	return rc ? rc : buf_puts(out, "}\n");
}

int guards_dump(const struct guards *guards, struct buf *out)
{
	int rc = guards->count ? buf_puts(out, "guards:\n") : 0;

	for (size_t g = 0; !rc && g < guards->count; g++) {
		const struct guard *guard = &guards->list[g];
		rc = buf_puts(out, "  ");
		if (!rc)
			rc = yaml_put_text(out, guard->name);
		if (!rc)
			rc = buf_printf(out, ":\n    blind: %s\n    rules:\n",
				guard_verdict_name(guard->blind));
		for (size_t i = 0; !rc && i < guard->count; i++)
			rc = dump_entry(&guard->entries[i], "      ", out);
	}
	return rc;
}
