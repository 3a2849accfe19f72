/* Names of kinds and verdicts; copying and comparing identities. No decision is made here. */
#include "common/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static const char *const kind_names[ACCESS_KINDS] = {
	[ACCESS_SHELL] = "shell",
	[ACCESS_EXEC] = "exec",
	[ACCESS_SFTP] = "sftp",
	[ACCESS_SUBSYSTEM] = "subsystem",
	[ACCESS_LOCAL_FORWARD] = "local-forward",
	[ACCESS_REMOTE_FORWARD] = "remote-forward",
	[ACCESS_AGENT] = "agent",
	[ACCESS_X11] = "x11",
	[ACCESS_TUNNEL] = "tunnel",
};
static const char *const verdict_names[] = {
	[VERDICT_DENY] = "deny", [VERDICT_HOLD] = "hold", [VERDICT_ALLOW] = "allow"
};
static const char *const hold_names[] = {
	[HOLD_NONE] = "none", [HOLD_LOGIN] = "login", [HOLD_APPROVAL] = "approval"
};

const char *access_kind_name(enum access_kind kind)
{
	return (unsigned)kind < ACCESS_KINDS ? kind_names[kind] : "unknown";
}

int access_kind_parse(const char *name, enum access_kind *ret)
{
	for (unsigned i = 0; i < ACCESS_KINDS; i++)
		if (!strcmp(name, kind_names[i])) {
			*ret = (enum access_kind)i;
			return 0;
		}
	return -EINVAL;
}

const char *verdict_name(enum verdict verdict)
{
	return (unsigned)verdict < sizeof(verdict_names) / sizeof(verdict_names[0])
		       ? verdict_names[verdict]
		       : "unknown";
}

const char *hold_name(enum hold hold)
{
	return (unsigned)hold < sizeof(hold_names) / sizeof(hold_names[0]) ? hold_names[hold]
									   : "unknown";
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	for (size_t i = 0; identity->groups && identity->groups[i]; i++)
		free(identity->groups[i]);
	free(identity->groups);
	for (size_t i = 0; identity->claims && identity->claims[i].name; i++) {
		free(identity->claims[i].name);
		free(identity->claims[i].value);
	}
	free(identity->claims);
	free(identity->user);
	free(identity->provider);
	free(identity->subject);
	free(identity->key_id);
	free(identity->key_fp);
	free(identity->ca_fp);
	free(identity->force_command);
	free(identity);
}

void identity_freep(struct identity **identity)
{
	identity_free(*identity);
	*identity = NULL;
}

/* NULL stays NULL. */
static bool copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

static bool copy_groups(const struct identity *from, struct identity *to)
{
	to->groups = calloc(from->group_count + 1, sizeof(*to->groups));
	if (!to->groups)
		return false;
	for (; to->group_count < from->group_count; to->group_count++)
		if (!copy_text(from->groups[to->group_count], &to->groups[to->group_count]))
			return false;
	return true;
}

static bool copy_claims(const struct identity *from, struct identity *to)
{
	size_t count = 0;

	while (from->claims && from->claims[count].name)
		count++;
	if (!count)
		return true;
	to->claims = calloc(count + 1, sizeof(*to->claims));
	for (size_t i = 0; to->claims && i < count; i++)
		if (!copy_text(from->claims[i].name, &to->claims[i].name) ||
			!copy_text(from->claims[i].value, &to->claims[i].value))
			return false;
	return to->claims != NULL;
}

struct identity *identity_copy(const struct identity *identity)
{
	struct identity *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->serial = identity->serial;
	copy->expires = identity->expires;
	copy->rights = identity->rights;
	copy->login_time = identity->login_time;
	copy->machine = identity->machine;
	if (!copy_text(identity->user, &copy->user) ||
		!copy_text(identity->provider, &copy->provider) ||
		!copy_text(identity->subject, &copy->subject) ||
		!copy_text(identity->key_id, &copy->key_id) ||
		!copy_text(identity->key_fp, &copy->key_fp) ||
		!copy_text(identity->ca_fp, &copy->ca_fp) ||
		!copy_text(identity->force_command, &copy->force_command) ||
		!copy_groups(identity, copy) || !copy_claims(identity, copy))
		identity_freep(&copy);
	return copy;
}

static bool same_text(const char *a, const char *b)
{
	return a && b && *a && !strcmp(a, b);
}

/* An identity without provider or subject is equal to none, not even itself. */
bool identity_same(const struct identity *a, const struct identity *b)
{
	return a && b && same_text(a->provider, b->provider) && same_text(a->subject, b->subject);
}

bool identity_in_group(const struct identity *identity, const char *group)
{
	for (size_t i = 0; i < identity->group_count; i++)
		if (text_equal(identity->groups[i], group))
			return true;
	return false;
}
