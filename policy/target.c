/* The set of targets: finding one by the name a client asks for. Names are compared without regard
 * to case, as host names are. */
#include "policy/target_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

char *target_lower(const char *name)
{
	char *copy = strdup(name);

	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static void slot_release(struct target_slot *slot)
{
	struct target *target = &slot->target;

	for (size_t i = 0; i < target->label_count; i++) {
		free(target->labels[i].name);
		free(target->labels[i].value);
	}
	free(target->labels);
	free(target->name);
	free(target->host);
	text_list_free(target->host_keys);
	free(target->known_hosts_path);
	free(target->credential_name);
	text_list_free(target->crypto_allow);
	free(target->family);
	pattern_free(slot->pattern);
	free(slot->lower);
}

void targets_free(struct targets *targets)
{
	if (!targets)
		return;
	for (size_t i = 0; i < targets->count; i++)
		slot_release(&targets->slots[i]);
	for (size_t i = 0; i < targets->known_hosts_count; i++) {
		free(targets->known_hosts[i].path);
		free(targets->known_hosts[i].text);
	}
	free(targets->known_hosts);
	free(targets->exact);
	free(targets->slots);
	free(targets);
}

size_t targets_count(const struct targets *targets)
{
	return targets->count;
}

const struct target *targets_at(const struct targets *targets, size_t index)
{
	return index < targets->count ? &targets->slots[index].target : NULL;
}

static int by_name(const void *key, const void *slot)
{
	return strcmp(key, (*(const struct target_slot *const *)slot)->lower);
}

const struct target *targets_find(const struct targets *targets, const char *name)
{
	if (!text_target_ok(name, strlen(name)))
		return NULL;
	FREE_CLEANUP char *lower = target_lower(name);
	if (!lower)
		return NULL;
	struct target_slot **exact = NULL;
	if (targets->exact_count > 0)
		exact = bsearch(lower, targets->exact, targets->exact_count,
			sizeof(*targets->exact), by_name);
	if (exact)
		return &(*exact)->target;
	for (size_t i = 0; i < targets->count; i++)
		if (targets->slots[i].pattern && pattern_match(targets->slots[i].pattern, lower,
							 strlen(lower)) == PATTERN_YES)
			return &targets->slots[i].target;
	return NULL;
}

const char *target_label(const struct target *target, const char *name)
{
	for (size_t i = 0; i < target->label_count; i++)
		if (strcmp(target->labels[i].name, name) == 0)
			return target->labels[i].value;
	return NULL;
}
