/* Programs that are given code in ways of their own: git, make, editors, pagers, socat, tar; and a
 * few wrappers. */
#include <errno.h>
#include <string.h>

#include "shell/code.h"

static const char unseen[] = "code that is given as text";

static bool is_dash(const struct shell_word *word)
{
	return word->text.len > 1 && word->text.data[0] == '-' && word->kinds[0] != SHELL_UNKNOWN;
}

static bool begins(struct bytes text, const char *with)
{
	return text.len >= strlen(with) && !memcmp(text.data, with, strlen(with));
}

static struct bytes program_of(const struct look *look)
{
	return shell_program(&look->p->state->line->commands[look->index]);
}

/* ---- git ---- */

/* Settings that start nothing, whatever their value: sections, or whole names, in lower case. All
 * others may. */
static const char *const git_harmless[] = { "user.", "author.", "committer.", "color.", "advice.",
	"init.defaultbranch", "safe.", "http.sslverify", "http.postbuffer", "http.version",
	"http.lowspeed", "http.extraheader", "http.useragent", "http.maxrequests", "core.quotepath",
	"core.autocrlf", "core.eol", "core.safecrlf", "core.filemode", "core.longpaths",
	"core.symlinks", "core.ignorecase", "core.abbrev", "core.compression", "core.bare",
	"core.preloadindex", "core.excludesfile", "core.sharedrepository", "core.untrackedcache",
	"commit.gpgsign", "tag.gpgsign", "commit.verbose", "gc.", "pull.", "push.", "fetch.",
	"log.", "merge.ff", "merge.conflictstyle", "rebase.", "rerere.", "i18n.", "pack.", "index.",
	"protocol.version", "transfer.", "branch.", "diff.renames", "diff.algorithm",
	"diff.noprefix", "diff.mnemonicprefix", "diff.renamelimit", "status.", "stash.",
	"submodule.recurse", "submodule.fetchjobs", "checkout.", "clone.defaultremotename",
	"maintenance.", "feature.", "lfs.", "versionsort.", "column.", "grep.", "blame.", NULL };

static bool git_is_harmless(struct bytes setting)
{
	char name[64];
	size_t len = 0;

	while (len < setting.len && len < sizeof(name) - 1 && setting.data[len] != '=') {
		uint8_t c = setting.data[len];
		name[len++] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
	}
	name[len] = 0;
	for (const char *const *known = git_harmless; *known; known++)
		if (!strncmp(name, *known, strlen(*known)))
			return true;
	return false;
}

/* alias.x=!cmd is a script; other settings cannot be looked into. */
static int git_setting(struct look *look, const struct shell_word *word)
{
	const uint8_t *equal = memchr(word->text.data, '=', word->text.len);
	size_t len = equal ? (size_t)(equal - word->text.data) : word->text.len;

	if (code_has((struct bytes){ word->text.data, len < 6 ? len : 6 }, "alias.") &&
		len + 1 < word->text.len && word->text.data[len + 1] == '!') {
		struct shell_word script = code_tail(word, len + 2);
		return code_script(look, &script, "-c alias");
	}
	return shell_literal(word) && git_is_harmless(word->text) ? 0 : code_doubt(look, unseen);
}

static const char *const git_values[] = { "-C", "--git-dir", "--work-tree", "--namespace",
	"--super-prefix", "--attr-source", NULL };

/* Global options: up to the subcommand. */
static int git_options(struct look *look)
{
	int rc = 0;

	while (!rc && look->at < look->count && is_dash(&look->words[look->at])) {
		const struct shell_word *word = &look->words[look->at++];
		if (shell_is(word->text, "-c") && look->at < look->count)
			rc = git_setting(look, &look->words[look->at++]);
		else if (begins(word->text, "--config-env") || begins(word->text, "--exec-path="))
			rc = code_doubt(look, unseen);
		else if (shell_in(word->text, git_values))
			look->at++;
	}
	return rc;
}

static const struct {
	const char *name, *options; /* as of code_rows */
} git_subs[] = {
	{ "rebase", "x$ exec$ s: X: C: strategy:" },
	{ "difftool", "x$ extcmd$ t: tool:" },
	{ "mergetool", "t: tool:" },
	{ "grep", "O? open-files-in-pager? e: f: A: B: C: m:" },
	{ "clone", "u$ upload-pack$ c= config= b: o: j: template: depth: branch: reference:" },
	{ "fetch", "upload-pack$ j: depth:" },
	{ "pull", "upload-pack$ s: X: j:" },
	{ "push", "receive-pack$ exec$ o: repo:" },
	{ "ls-remote", "upload-pack$ exec$" },
	{ "fetch-pack", "upload-pack$ exec$" },
	{ "send-pack", "receive-pack$ exec$" },
	{ "archive", "exec$ remote: o: format: prefix:" },
	{ "filter-branch",
		"env-filter$ tree-filter$ index-filter$ parent-filter$ msg-filter$ commit-filter$ "
		"tag-name-filter$ setup$ d:" },
	{ "filter-repo",
		"callback= blob-callback= commit-callback= tag-callback= message-callback= "
		"filename-callback= name-callback= email-callback= refname-callback=" },
	{ "send-email", "sendmail-cmd$ to-cmd$ cc-cmd$ header-cmd$ smtp-server:@" },
	{ "daemon", "access-hook$" },
	{ "instaweb", "d$ httpd$ b$ browser$" },
	{ "web--browse", "b$ browser$ t:" },
	{ "shell", "c$" },
};

static int git_config(struct look *look)
{
	size_t operands = 0, setting = 0;

	for (size_t i = look->at; i < look->count; i++) {
		if (is_dash(&look->words[i]))
			continue;
		bool value = operands++ > 0;
		setting = value ? setting : i;
		if (shell_is(look->words[i].text, "set") || shell_is(look->words[i].text, "get") ||
			shell_is(look->words[i].text, "list"))
			operands--;
	}
	if (operands < 2 || git_is_harmless(look->words[setting].text))
		return 0;
	return code_doubt(look, unseen);
}

static int git_sub(struct look *look, struct bytes sub)
{
	static const char *const joined[] = { "foreach", NULL };

	if (shell_is(sub, "config"))
		return git_config(look);
	if (shell_is(sub, "bisect") && look->at + 1 < look->count &&
		shell_is(look->words[look->at].text, "run"))
		return wrap_child(
			look, look->words + look->at + 1, look->count - look->at - 1, "bisect run");
	if (shell_is(sub, "submodule")) {
		while (look->at < look->count && !shell_in(look->words[look->at].text, joined))
			look->at++;
		while (++look->at < look->count && is_dash(&look->words[look->at]))
			;
		code_mark(look);
		return look->at < look->count ? wrap_joined(look, NULL, look->words + look->at,
							look->count - look->at)
					      : 0;
	}
	for (size_t i = 0; i < sizeof(git_subs) / sizeof(*git_subs); i++) {
		struct wrapper row = { .name = git_subs[i].name,
			.options = git_subs[i].options,
			.traits = WRAP_PERMUTE };
		if (!shell_is(sub, git_subs[i].name))
			continue;
		const struct wrapper *outer = look->row;
		look->row = &row;
		int rc = code_look(look);
		look->row = outer;
		return rc;
	}
	return 0;
}

int code_git(struct look *look)
{
	static const char prefix[] = "git-";
	struct bytes name = program_of(look);

	for (size_t i = 1; i < look->count; i++)
		if (code_has(look->words[i].text, "ext::") ||
			code_has(look->words[i].text, "--upload-pack") ||
			code_has(look->words[i].text, "--receive-pack"))
			return code_doubt(look, unseen);
	if (begins(name, prefix))
		return git_sub(look, (struct bytes){ name.data + sizeof(prefix) - 1,
					     name.len - sizeof(prefix) + 1 });
	int rc = git_options(look);
	if (rc || look->at >= look->count)
		return rc;
	const struct shell_word *sub = &look->words[look->at++];
	return git_sub(look, sub->text);
}

/* ---- make ---- */

/* VAR=value may become a command: CC='rm -r x #'. Flags and single words are what people pass. */
static bool make_value_is_plain(struct bytes value)
{
	bool blank = false;

	for (size_t i = 0; i < value.len; i++) {
		blank |= value.data[i] == ' ' || value.data[i] == '\t';
		if (value.data[i] && strchr("$`;|&<>\n(", value.data[i]))
			return false;
	}
	return !blank || value.data[0] == '-';
}

static int make_word(struct look *look, const struct shell_word *word)
{
	static const char *const names[] = { "SHELL", ".SHELLFLAGS", "MAKEFLAGS", "MAKEFILES",
		"MAKE", "GNUMAKEFLAGS", NULL };
	const uint8_t *equal = memchr(word->text.data, '=', word->text.len);
	size_t len = equal ? (size_t)(equal - word->text.data) : 0;

	if (!equal)
		return 0;
	struct shell_word value = code_tail(word, len + 1);
	while (len && strchr(":+?!", word->text.data[len - 1]))
		len--;
	bool plain = !shell_in((struct bytes){ word->text.data, len }, names) &&
		     make_value_is_plain(value.text);
	return plain ? 0 : code_doubt(look, unseen);
}

int code_make(struct look *look)
{
	static const struct wrapper row = { .name = "make",
		.options = "f: file: makefile: eval= E= C: directory: I: include-dir: j:: o: W: "
			   "l:: S: version! help! v!",
		.traits = WRAP_PERMUTE };
	int rc = 0;

	for (size_t i = 1; !rc && i < look->count; i++) {
		const struct shell_word *word = &look->words[i];
		static const char *const attached[] = { "-f-", "-f/dev/stdin", "--file=-",
			"--makefile=-", "--file=/dev/stdin", NULL };
		if (!is_dash(word))
			rc = make_word(look, word);
		if (!rc && (code_is_input(word) || shell_in(word->text, attached)))
			rc = code_doubt(look, unseen);
	}
	if (rc)
		return rc;
	look->row = &row;
	return code_look(look);
}

/* ---- editors and pagers ---- */

int code_vi(struct look *look)
{
	static const struct wrapper row = { .name = "vi",
		.options = "c= cmd= S:? s:? u:@ U: r:: e? E? es? i: T: t: q: w: W: l lua= "
			   "remote-expr= remote-send= version! help!",
		.traits = WRAP_PERMUTE | WRAP_SINGLE | CODE_FED };

	for (size_t i = 1; i < look->count; i++) {
		struct bytes text = look->words[i].text;
		if (text.len > 1 && text.data[0] == '+' && !strchr("0123456789/", text.data[1]))
			return code_doubt(look, unseen);
	}
	look->row = &row;
	return code_look(look);
}

/* less +!cmd, more +!cmd */
int code_pager(struct look *look)
{
	for (size_t i = 1; i < look->count; i++) {
		struct bytes text = look->words[i].text;
		if (text.len && text.data[0] == '+' &&
			(memchr(text.data, '!', text.len) || memchr(text.data, '|', text.len) ||
				memchr(text.data, '#', text.len)))
			return code_doubt(look, unseen);
	}
	return 0;
}

/* ---- words that are code ---- */

int code_socat(struct look *look)
{
	static const char *const kinds[] = { "exec:", "system:", "shell:", NULL };

	for (size_t i = 1; i < look->count; i++)
		for (const char *const *kind = kinds; *kind; kind++)
			if (code_has(look->words[i].text, *kind) || !shell_literal(&look->words[i]))
				return code_doubt(look, unseen);
	return 0;
}

int code_scripts(struct look *look)
{
	int rc = 0;

	for (size_t i = 1; !rc && i < look->count; i++)
		if (!is_dash(&look->words[i]))
			rc = code_script(look, &look->words[i], "");
	return rc;
}

int code_pipes(struct look *look)
{
	int rc = 0;

	for (size_t i = 1; !rc && i < look->count; i++) {
		if (!look->words[i].text.len || look->words[i].text.data[0] != '|')
			continue;
		struct shell_word script = code_tail(&look->words[i], 1);
		rc = code_script(look, &script, "|");
	}
	return rc;
}

/* rename 'code' files, where it is the one of perl. */
int code_perl_words(struct look *look)
{
	size_t i = 1;

	while (i < look->count && is_dash(&look->words[i]))
		i++;
	if (i == look->count)
		return 0;
	const struct shell_word *word = &look->words[i];
	bool plain = shell_literal(word);
	for (size_t k = 0; k < word->text.len; k++)
		plain &= !strchr("({`;$@%&", word->text.data[k]) || !word->text.data[k];
	bool letters =
		begins(word->text, "s") || begins(word->text, "y") || begins(word->text, "tr");
	if (plain && letters && word->text.len > 2) { /* s/a/b/g, without e */
		size_t end = word->text.len;
		while (end > 0 && strchr("gimsxr", word->text.data[end - 1]))
			end--;
		plain = end > 0 && word->text.data[end - 1] != 'e';
	}
	return plain ? 0 : code_doubt(look, unseen);
}

/* tar cIf cmd file: a first word without a dash is options whose arguments follow in their order.
 */
int code_tar(struct look *look)
{
	int rc = 0;

	if (look->count > 1 && !is_dash(&look->words[1]) && shell_literal(&look->words[1])) {
		static const char take_next[] = "fbICTXgKNVLHF";
		struct bytes letters = look->words[1].text;
		size_t at = 2;
		for (size_t i = 0; !rc && i < letters.len && at < look->count; i++) {
			if (!letters.data[i] || !strchr(take_next, letters.data[i]))
				continue;
			if (letters.data[i] == 'I' || letters.data[i] == 'F')
				rc = code_script(look, &look->words[at], "-I");
			at++;
		}
	}
	return rc ? rc : code_look(look);
}

/* ---- wrappers ---- */

/* sg GROUP [-c] 'cmd', newgrp GROUP: a command is one word, which a shell reads. */
int wrap_sg(struct look *look)
{
	int rc = 0;
	bool found = false, group = false;

	for (size_t i = 1; !rc && i < look->count; i++) {
		const struct bytes text = look->words[i].text;
		if (shell_is(text, "-") || shell_is(text, "-c") || shell_is(text, "-l"))
			continue;
		if (!group) {
			group = true;
			continue;
		}
		rc = wrap_script(look, &look->words[i], "-c");
		found = true;
	}
	return rc || found ? rc : wrap_input(look, "shell whose commands cannot be seen");
}

/* capsh … -- ARGUMENTS OF A SHELL */
int wrap_capsh(struct look *look)
{
	size_t i = 1;

	for (; i < look->count; i++) {
		const struct bytes text = look->words[i].text;
		if (shell_is(text, "--") || shell_is(text, "=="))
			break;
		if (begins(text, "--shell=") || begins(text, "--chroot=") || begins(text, "+"))
			return wrap_doubt(look, "shell whose commands cannot be seen");
	}
	if (i == look->count)
		return 0;
	look->at = i + 1;
	return wrap_shell(look);
}

static bool abbreviates(struct bytes text, const char *whole, size_t least)
{
	return text.len >= least && text.len <= strlen(whole) &&
	       !memcmp(whole, text.data, text.len);
}

/* ip [options] netns exec NAME cmd, ip vrf exec NAME cmd; both words may be abbreviated */
int wrap_ip(struct look *look)
{
	size_t i = 1;

	for (; i + 1 < look->count; i++) {
		bool object = abbreviates(look->words[i].text, "netns", 3) ||
			      abbreviates(look->words[i].text, "vrf", 1);
		if (object && abbreviates(look->words[i + 1].text, "exec", 1))
			break;
	}
	for (size_t k = 1; k < look->count; k++)
		if (abbreviates(look->words[k].text, "-batch", 2) ||
			abbreviates(look->words[k].text, "-force", 6))
			return wrap_doubt(look, "commands that come from somewhere else");
	if (i + 1 >= look->count)
		return 0;
	/* with -all there is no name */
	int rc = i + 2 < look->count
			 ? wrap_child(look, look->words + i + 2, look->count - i - 2, "exec")
			 : 0;
	return rc || i + 3 >= look->count
		       ? rc
		       : wrap_child(look, look->words + i + 3, look->count - i - 3, "exec");
}

/* runcon CONTEXT cmd, or runcon -t TYPE cmd: the first word may be either. */
int wrap_runcon(struct look *look)
{
	int rc = wrap_options(look);

	for (size_t skip = 0; !rc && skip < 2 && look->at + skip < look->count; skip++)
		rc = wrap_child(
			look, look->words + look->at + skip, look->count - look->at - skip, "");
	return rc;
}

/* zsh's zf_rm is rm. */
int wrap_renamed(struct look *look)
{
	struct shell_word *words =
		shell_alloc(look->p->state, look->count * sizeof(struct shell_word));

	if (!words)
		return -ENOMEM;
	memcpy(words, look->words, look->count * sizeof(struct shell_word));
	words[0] = code_tail(&words[0], words[0].text.len - program_of(look).len + 3);
	return wrap_child(look, words, look->count, "");
}

/* coreutils --coreutils-prog=rm -r x */
int wrap_multicall(struct look *look)
{
	static const char option[] = "--coreutils-prog";

	if (look->count < 2)
		return 0;
	if (!begins(look->words[1].text, option) || !shell_literal(&look->words[1]))
		return wrap_child(look, look->words + 1, look->count - 1, "");
	const uint8_t *equal = memchr(look->words[1].text.data, '=', look->words[1].text.len);
	if (!equal)
		return wrap_doubt(look, "option of a wrapper that is not known");
	struct shell_word *words =
		shell_alloc(look->p->state, look->count * sizeof(struct shell_word));
	if (!words)
		return -ENOMEM;
	memcpy(words, look->words + 1, (look->count - 1) * sizeof(struct shell_word));
	words[0] = code_tail(&words[0], (size_t)(equal - look->words[1].text.data) + 1);
	return words[0].text.len ? wrap_child(look, words, look->count - 1, "") : 0;
}
