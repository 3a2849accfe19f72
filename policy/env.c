/* See env_block.h. */
#include "policy/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/env_block.h"
#include "common/text.h"

#define NAME_MAX_LEN 255 /* a longer name goes nowhere */

/* ---- what goes on ---- */

/* How programs speak to their user, and what git needs to speak with its server: nothing of it says
 * what to run. */
static const char *const default_names[] = { "LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM",
	"NO_COLOR", "TZ", "GIT_PROTOCOL", NULL };

const char *const *env_default(void)
{
	return default_names;
}

int env_rule_load(const struct yaml *node, struct env_rule *ret, struct err *err)
{
	ret->given = true;
	if (node->kind == YAML_LIST && !node->count)
		return 0;
	return patterns_load(node, PATTERN_MAX, false, &ret->names, err);
}

void env_rule_release(struct env_rule *rule)
{
	patterns_release(&rule->names);
}

/* A name, or the beginning of names with a star behind it. */
static bool fits(const char *name, struct bytes text)
{
	size_t len = strlen(name);
	bool open = len && name[len - 1] == '*';

	len -= open;
	return text.len >= len && (open || text.len == len) && !memcmp(name, text.data, len);
}

static bool goes_on(const struct env_rule *rule, const char *always, struct bytes name)
{
	if (name.len > NAME_MAX_LEN)
		return false;
	if (always && fits(always, name))
		return true;
	if (rule && rule->given)
		return patterns_match(&rule->names, name.data, name.len) == PATTERN_YES;
	for (size_t i = 0; default_names[i]; i++)
		if (fits(default_names[i], name))
			return true;
	return false;
}

struct pick {
	struct env_variable variable;
	size_t place;
};

static int by_name(const void *a, const void *b)
{
	const struct pick *left = a, *right = b;
	const struct bytes x = left->variable.name, y = right->variable.name;
	int rc = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

	if (rc || x.len != y.len)
		return rc ? rc : x.len < y.len ? -1 : 1;
	return left->place < right->place ? -1 : 1;
}

static bool same_name(const struct pick *a, const struct pick *b)
{
	return a->variable.name.len == b->variable.name.len &&
	       !memcmp(a->variable.name.data, b->variable.name.data, a->variable.name.len);
}

static size_t count_of(struct bytes block)
{
	struct env_variable variable;
	size_t count = 0;

	while (env_next(&block, &variable))
		count++;
	return count;
}

int env_filter(const struct env_rule *rule, const char *always, struct bytes block, struct buf *out)
{
	FREE_CLEANUP struct pick *picks = calloc(count_of(block) + 1, sizeof(*picks));
	struct env_variable variable;
	size_t count = 0;
	int rc = picks ? 0 : -ENOMEM;

	while (!rc && env_next(&block, &variable))
		if (goes_on(rule, always, variable.name)) {
			picks[count] = (struct pick){ variable, count };
			count++;
		}
	if (!rc && count)
		qsort(picks, count, sizeof(*picks), by_name);
	for (size_t i = 0; !rc && i < count; i++)
		if (i + 1 == count || !same_name(&picks[i], &picks[i + 1]))
			rc = env_put(out, picks[i].variable.name, picks[i].variable.value);
	return rc;
}

/* ---- what is a doubt ---- */

/* Each lets somebody who sets it have something run, loaded or read as code, by a program that was
 * started for something else. */
static const char *const suspects[] = {
	/* shells */
	"BASH_ENV",
	"ENV",
	"BASH_FUNC_*",
	"BASHOPTS",
	"SHELLOPTS",
	"BASH_LOADABLES_PATH",
	"BASH_XTRACEFD",
	"PROMPT_COMMAND",
	"PS0",
	"PS1",
	"PS2",
	"PS3",
	"PS4",
	"IFS",
	"PATH",
	"CDPATH",
	"FPATH",
	"ZDOTDIR",
	"HOME",
	"SHELL",
	"fish_*",
	/* the loader and the C library */
	"LD_*",
	"DYLD_*",
	"GLIBC_TUNABLES",
	"GCONV_PATH",
	"LOCPATH",
	"NLSPATH",
	"HOSTALIASES",
	"MALLOC_*",
	/* interpreters */
	"PERL5OPT",
	"PERL5LIB",
	"PERL5DB",
	"PERLLIB",
	"PERLIO*",
	"PYTHON*",
	"RUBYOPT",
	"RUBYLIB",
	"NODE_*",
	"NPM_CONFIG_*",
	"npm_config_*",
	"JAVA_TOOL_OPTIONS",
	"_JAVA_OPTIONS",
	"JDK_JAVA_OPTIONS",
	"CLASSPATH",
	"LUA_*",
	"PHPRC",
	"PHP_INI_SCAN_DIR",
	"TCLLIBPATH",
	"R_PROFILE*",
	"R_ENVIRON*",
	"R_LIBS*",
	"GUILE_*",
	"ERL_*",
	"AWKPATH",
	"AWKLIBPATH",
	"GAWK*",
	/* programs that run others */
	"GIT_*",
	"SSH_ASKPASS",
	"SUDO_ASKPASS",
	"SUDO_EDITOR",
	"EDITOR",
	"VISUAL",
	"PAGER",
	"*_PAGER",
	"*_EDITOR",
	"MANPAGER",
	"MANOPT",
	"LESS",
	"LESSOPEN",
	"LESSCLOSE",
	"LESSKEY*",
	"BROWSER",
	"RSYNC_RSH",
	"CVS_RSH",
	"SVN_SSH",
	"TAR_OPTIONS",
	"RSH",
	"MAKEFLAGS",
	"MAKEFILES",
	"GNUMAKEFLAGS",
	"VIMINIT",
	"GVIMINIT",
	"EXINIT",
	"VIM",
	"VIMRUNTIME",
	"MYVIMRC",
	"XDG_*",
	"PSQLRC",
	"PSQL_*",
	"PGSYSCONFDIR",
	"PGSERVICEFILE",
	"MYSQL_*",
	"OPENSSL_*",
	"KUBECONFIG",
	"DOCKER_*",
	"ANSIBLE_*",
	"TF_*",
	"TERMCAP",
	"TERMINFO*",
	"INPUTRC",
	"SYSTEMD_*",
	"FZF_*",
	"RIPGREP_CONFIG_PATH",
	"WGETRC",
	"CURL_HOME",
	"GNUPGHOME",
	"CC",
	"CXX",
};

/* Of names that are suspects together: those that are none. */
static const char *const harmless[] = { "GIT_PROTOCOL" };

static bool in(const char *const *list, size_t count, struct bytes name)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]) - 1;
		if (*list[i] == '*' ? name.len >= len &&
					      !memcmp(name.data + name.len - len, list[i] + 1, len)
				    : fits(list[i], name))
			return true;
	}
	return false;
}

/* A value that old shells take for a function, and run what stands behind it. */
static bool is_function(struct bytes value)
{
	return value.len >= 2 && !memcmp(value.data, "()", 2);
}

const char *env_suspect(struct bytes block, char out[static ENV_NAME_SHOWN])
{
	struct env_variable variable;

	while (env_next(&block, &variable)) {
		bool named = in(suspects, sizeof(suspects) / sizeof(suspects[0]), variable.name) &&
			     !in(harmless, sizeof(harmless) / sizeof(harmless[0]), variable.name);
		if (named || is_function(variable.value))
			return text_clean(
				out, ENV_NAME_SHOWN, variable.name.data, variable.name.len);
	}
	return NULL;
}

/* The guard's own word on a doubt: a command whose name is known only when it runs. */
static const struct bytes unknown_command = { (const uint8_t *)"\"$x\"", 4 };

static const char *const verbs[] = { [GUARD_ALLOW] = "allows",
	[GUARD_WARN] = "warns of",
	[GUARD_APPROVE] = "wants an approval for",
	[GUARD_DENY] = "denies" };

int env_judge(const struct guard *guard, struct bytes block, struct judgement *ret)
{
	char name[ENV_NAME_SHOWN];

	*ret = (struct judgement){ .verdict = GUARD_ALLOW };
	if (!env_suspect(block, name))
		return 0;
	int rc = guard_judge_for(guard, 0, unknown_command, ret);
	if (!rc)
		snprintf(ret->reason, sizeof(ret->reason),
			"guard '%s' %s what it cannot see: the variable '%s' of the environment "
			"can "
			"make programs run something else",
			guard_name(guard), verbs[ret->verdict], name);
	return rc;
}
