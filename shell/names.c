/* Names that change what later words mean: BASH_CMDS[ls]=/bin/rm, PATH, PS4 with set -x; and names
 * whose value some program runs: EDITOR, LD_PRELOAD, PERL5OPT, GIT_SSH_COMMAND.
 *
 * A value that is a command for a shell is looked into; the others are doubts. */
#include <errno.h>
#include <string.h>

#include "shell/code.h"

enum kind {
	KIND_DOUBT,   /* whatever the value is */
	KIND_PROMPT,  /* expanded: a doubt where it holds what expands */
	KIND_PATH,    /* a list of folders: the system's own are none */
	KIND_COMMAND, /* a command, looked into */
	KIND_REMOTE,  /* a command to which a host is added */
	KIND_WORD,    /* a program: a doubt where it is more than one word */
	KIND_FLAGS,   /* a doubt where it looks like more than flags */
	KIND_NOTHING, /* an exception from what follows */
};

static const struct {
	const char *name; /* with * at its end: a prefix, at its beginning: an ending */
	enum kind kind;
	unsigned shells; /* 0: whatever the shell */
} names[] = {
	/* bash */
	{ "BASH_CMDS", KIND_DOUBT, SHELL_BASH },
	{ "BASH_ALIASES", KIND_DOUBT, SHELL_BASH },
	{ "BASH_ENV", KIND_DOUBT, 0 },
	{ "BASH_FUNC_*", KIND_DOUBT, 0 },
	{ "BASH_LOADABLES_PATH", KIND_DOUBT, 0 },
	{ "ENV", KIND_DOUBT, 0 },
	{ "SHELLOPTS", KIND_DOUBT, 0 },
	{ "BASHOPTS", KIND_DOUBT, 0 },
	{ "PROMPT_COMMAND", KIND_DOUBT, 0 },
	{ "PS0", KIND_PROMPT, 0 },
	{ "PS1", KIND_PROMPT, 0 },
	{ "PS2", KIND_PROMPT, 0 },
	{ "PS3", KIND_PROMPT, 0 },
	{ "PS4", KIND_PROMPT, 0 },
	{ "PROMPT*", KIND_PROMPT, 0 },
	{ "RPROMPT*", KIND_PROMPT, 0 },
	{ "RPS1", KIND_PROMPT, 0 },
	{ "SPROMPT", KIND_PROMPT, 0 },
	{ "prompt", KIND_PROMPT, 0 },
	{ "MAIL", KIND_PROMPT, 0 },
	{ "MAILPATH", KIND_PROMPT, 0 },
	{ "PATH", KIND_PATH, 0 },
	{ "path", KIND_PATH, SHELL_ZSH },
	{ "FPATH", KIND_DOUBT, 0 },
	{ "fpath", KIND_DOUBT, SHELL_ZSH },
	{ "HOME", KIND_DOUBT, 0 },
	{ "ZDOTDIR", KIND_DOUBT, 0 },
	{ "XDG_CONFIG_HOME", KIND_DOUBT, 0 },
	{ "XDG_CONFIG_DIRS", KIND_DOUBT, 0 },
	{ "INPUTRC", KIND_DOUBT, 0 },
	{ "HISTCHARS", KIND_DOUBT, 0 },
	{ "histchars", KIND_DOUBT, 0 },
	{ "EXECIGNORE", KIND_DOUBT, 0 },
	/* zsh */
	{ "commands", KIND_DOUBT, SHELL_ZSH },
	{ "functions", KIND_DOUBT, SHELL_ZSH },
	{ "dis_functions", KIND_DOUBT, SHELL_ZSH },
	{ "aliases", KIND_DOUBT, SHELL_ZSH },
	{ "galiases", KIND_DOUBT, SHELL_ZSH },
	{ "saliases", KIND_DOUBT, SHELL_ZSH },
	{ "dis_aliases", KIND_DOUBT, SHELL_ZSH },
	{ "dis_galiases", KIND_DOUBT, SHELL_ZSH },
	{ "dis_saliases", KIND_DOUBT, SHELL_ZSH },
	{ "builtins", KIND_DOUBT, SHELL_ZSH },
	{ "dis_builtins", KIND_DOUBT, SHELL_ZSH },
	{ "reswords", KIND_DOUBT, SHELL_ZSH },
	{ "options", KIND_DOUBT, SHELL_ZSH },
	{ "parameters", KIND_DOUBT, SHELL_ZSH },
	{ "mapfile", KIND_DOUBT, SHELL_ZSH },
	{ "modules", KIND_DOUBT, SHELL_ZSH },
	{ "module_path", KIND_DOUBT, SHELL_ZSH },
	{ "MODULE_PATH", KIND_DOUBT, 0 },
	{ "nameddirs", KIND_DOUBT, SHELL_ZSH },
	{ "userdirs", KIND_DOUBT, SHELL_ZSH },
	{ "patchars", KIND_DOUBT, SHELL_ZSH },
	{ "zsh_eval_context", KIND_DOUBT, SHELL_ZSH },
	{ "periodic", KIND_DOUBT, SHELL_ZSH },
	{ "*_functions", KIND_DOUBT, SHELL_ZSH },
	{ "READNULLCMD", KIND_COMMAND, 0 },
	{ "NULLCMD", KIND_COMMAND, 0 },
	/* fish */
	{ "fish_*", KIND_DOUBT, SHELL_FISH },
	{ "__fish_*", KIND_DOUBT, SHELL_FISH },
	/* the loader, libraries and interpreters */
	{ "LD_*", KIND_DOUBT, 0 },
	{ "DYLD_*", KIND_DOUBT, 0 },
	{ "GCONV_PATH", KIND_DOUBT, 0 },
	{ "LOCPATH", KIND_DOUBT, 0 },
	{ "NLSPATH", KIND_DOUBT, 0 },
	{ "MALLOC_TRACE", KIND_DOUBT, 0 },
	{ "GLIBC_TUNABLES", KIND_DOUBT, 0 },
	{ "OPENSSL_CONF", KIND_DOUBT, 0 },
	{ "OPENSSL_ENGINES", KIND_DOUBT, 0 },
	{ "OPENSSL_MODULES", KIND_DOUBT, 0 },
	{ "KRB5_CONFIG", KIND_DOUBT, 0 },
	{ "PERL5OPT", KIND_DOUBT, 0 },
	{ "PERL5DB", KIND_DOUBT, 0 },
	{ "PERL5LIB", KIND_DOUBT, 0 },
	{ "PERLLIB", KIND_DOUBT, 0 },
	{ "PERL5SHELL", KIND_DOUBT, 0 },
	{ "PYTHONUNBUFFERED", KIND_NOTHING, 0 },
	{ "PYTHONDONTWRITEBYTECODE", KIND_NOTHING, 0 },
	{ "PYTHONIOENCODING", KIND_NOTHING, 0 },
	{ "PYTHONHASHSEED", KIND_NOTHING, 0 },
	{ "PYTHONUTF8", KIND_NOTHING, 0 },
	{ "PYTHONFAULTHANDLER", KIND_NOTHING, 0 },
	{ "PYTHON*", KIND_DOUBT, 0 },
	{ "NODE_OPTIONS", KIND_FLAGS, 0 },
	{ "NODE_PATH", KIND_DOUBT, 0 },
	{ "NODE_REPL_*", KIND_DOUBT, 0 },
	{ "BUN_OPTIONS", KIND_DOUBT, 0 },
	{ "RUBYOPT", KIND_DOUBT, 0 },
	{ "RUBYLIB", KIND_DOUBT, 0 },
	{ "RUBYSHELL", KIND_DOUBT, 0 },
	{ "GEM_PATH", KIND_DOUBT, 0 },
	{ "LUA_*", KIND_DOUBT, 0 },
	{ "PHPRC", KIND_DOUBT, 0 },
	{ "PHP_INI_SCAN_DIR", KIND_DOUBT, 0 },
	{ "AWKPATH", KIND_DOUBT, 0 },
	{ "AWKLIBPATH", KIND_DOUBT, 0 },
	{ "TCLLIBPATH", KIND_DOUBT, 0 },
	{ "TCL_LIBRARY", KIND_DOUBT, 0 },
	{ "R_PROFILE*", KIND_DOUBT, 0 },
	{ "R_ENVIRON*", KIND_DOUBT, 0 },
	{ "JULIA_LOAD_PATH", KIND_DOUBT, 0 },
	{ "JULIA_DEPOT_PATH", KIND_DOUBT, 0 },
	{ "GUILE_LOAD_*", KIND_DOUBT, 0 },
	{ "ERL_*FLAGS", KIND_DOUBT, 0 },
	{ "JAVA_TOOL_OPTIONS", KIND_FLAGS, 0 },
	{ "_JAVA_OPTIONS", KIND_FLAGS, 0 },
	{ "JDK_JAVA_OPTIONS", KIND_FLAGS, 0 },
	{ "MAVEN_OPTS", KIND_FLAGS, 0 },
	{ "JAVA_OPTS", KIND_FLAGS, 0 },
	{ "DOTNET_STARTUP_HOOKS", KIND_DOUBT, 0 },
	{ "CORECLR_*", KIND_DOUBT, 0 },
	/* programs */
	{ "GIT_AUTHOR_*", KIND_NOTHING, 0 },
	{ "GIT_COMMITTER_*", KIND_NOTHING, 0 },
	{ "GIT_TERMINAL_PROMPT", KIND_NOTHING, 0 },
	{ "GIT_TRACE*", KIND_NOTHING, 0 },
	{ "GIT_SSL_NO_VERIFY", KIND_NOTHING, 0 },
	{ "GIT_LFS_SKIP_SMUDGE", KIND_NOTHING, 0 },
	{ "GIT_CURL_VERBOSE", KIND_NOTHING, 0 },
	{ "GIT_MERGE_AUTOEDIT", KIND_NOTHING, 0 },
	{ "GIT_DISCOVERY_ACROSS_FILESYSTEM", KIND_NOTHING, 0 },
	{ "GIT_SSH_COMMAND", KIND_REMOTE, 0 },
	{ "GIT_SSH", KIND_COMMAND, 0 },
	{ "GIT_ASKPASS", KIND_COMMAND, 0 },
	{ "GIT_PAGER", KIND_COMMAND, 0 },
	{ "GIT_EDITOR", KIND_COMMAND, 0 },
	{ "GIT_SEQUENCE_EDITOR", KIND_COMMAND, 0 },
	{ "GIT_EXTERNAL_DIFF", KIND_COMMAND, 0 },
	{ "GIT_PROXY_COMMAND", KIND_COMMAND, 0 },
	{ "GIT_*", KIND_DOUBT, 0 },
	{ "RSYNC_RSH", KIND_REMOTE, 0 },
	{ "CVS_RSH", KIND_REMOTE, 0 },
	{ "SVN_SSH", KIND_REMOTE, 0 },
	{ "BORG_RSH", KIND_REMOTE, 0 },
	{ "RSYNC_CONNECT_PROG", KIND_COMMAND, 0 },
	{ "RSYNC_SHELL", KIND_COMMAND, 0 },
	{ "RSH", KIND_REMOTE, 0 },
	{ "BORG_PASSCOMMAND", KIND_COMMAND, 0 },
	{ "RESTIC_PASSWORD_COMMAND", KIND_COMMAND, 0 },
	{ "RCLONE_PASSWORD_COMMAND", KIND_COMMAND, 0 },
	{ "ANSIBLE_*COMMAND", KIND_COMMAND, 0 },
	{ "*_ASKPASS", KIND_COMMAND, 0 },
	{ "EDITOR", KIND_COMMAND, 0 },
	{ "VISUAL", KIND_COMMAND, 0 },
	{ "FCEDIT", KIND_COMMAND, 0 },
	{ "*_EDITOR", KIND_COMMAND, 0 },
	{ "BROWSER", KIND_COMMAND, 0 },
	{ "PAGER", KIND_COMMAND, 0 },
	{ "MANPAGER", KIND_COMMAND, 0 },
	{ "*_PAGER", KIND_COMMAND, 0 },
	{ "LESSOPEN", KIND_DOUBT, 0 },
	{ "LESSCLOSE", KIND_DOUBT, 0 },
	{ "LESSKEY*", KIND_DOUBT, 0 },
	{ "LESSECURE", KIND_NOTHING, 0 },
	{ "LESSCHARSET", KIND_NOTHING, 0 },
	{ "LESSHISTFILE", KIND_NOTHING, 0 },
	{ "LESS", KIND_FLAGS, 0 },
	{ "MORE", KIND_FLAGS, 0 },
	{ "SHELL", KIND_WORD, 0 },
	{ "CC", KIND_WORD, 0 },
	{ "CXX", KIND_WORD, 0 },
	{ "RUSTC", KIND_WORD, 0 },
	{ "RUSTC_*WRAPPER", KIND_WORD, 0 },
	{ "MAKEFLAGS", KIND_FLAGS, 0 },
	{ "GNUMAKEFLAGS", KIND_FLAGS, 0 },
	{ "MAKEFILES", KIND_DOUBT, 0 },
	{ "TAR_OPTIONS", KIND_DOUBT, 0 },
	{ "VIMINIT", KIND_DOUBT, 0 },
	{ "EXINIT", KIND_DOUBT, 0 },
	{ "GVIMINIT", KIND_DOUBT, 0 },
	{ "MYVIMRC", KIND_DOUBT, 0 },
	{ "VIMRUNTIME", KIND_DOUBT, 0 },
	{ "EMACSLOADPATH", KIND_DOUBT, 0 },
	{ "WGETRC", KIND_DOUBT, 0 },
	{ "CURL_HOME", KIND_DOUBT, 0 },
	{ "MAILRC", KIND_DOUBT, 0 },
	{ "PSQLRC", KIND_DOUBT, 0 },
	{ "SYSTEMD_EDITOR", KIND_COMMAND, 0 },
	{ "FZF_DEFAULT_COMMAND", KIND_COMMAND, 0 },
	{ "FZF_DEFAULT_OPTS", KIND_FLAGS, 0 },
	{ "npm_config_*", KIND_FLAGS, 0 },
	{ "NPM_CONFIG_*", KIND_FLAGS, 0 },
	{ "APT_CONFIG", KIND_DOUBT, 0 },
	{ "CARGO_TARGET_*", KIND_WORD, 0 },
	{ "GOFLAGS", KIND_FLAGS, 0 },
	{ "DOCKER_CLI_PLUGIN_*", KIND_DOUBT, 0 },
};

static const char changes[] = "variable that changes what runs";

/* ---- finding ---- */

/* One * at the beginning, at the end or within. */
static bool fits(const char *pattern, struct bytes name)
{
	size_t before = strcspn(pattern, "*"), len = strlen(pattern);

	if (before == len)
		return shell_is(name, pattern);
	size_t after = len - before - 1;
	return name.len >= before + after && !memcmp(name.data, pattern, before) &&
	       !memcmp(name.data + name.len - after, pattern + before + 1, after);
}

/* its row, or -1 */
static int find(const struct shell_parser *p, struct bytes name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if ((names[i].name[0] == '*' || names[i].name[0] == (char)name.data[0]) &&
			fits(names[i].name, name))
			return !names[i].shells || names[i].shells & shell_shells(p) ? (int)i : -1;
	return -1;
}

/* ---- values ---- */

static bool has(struct bytes text, const char *bytes)
{
	for (; *bytes; bytes++)
		if (memchr(text.data, *bytes, text.len))
			return true;
	return false;
}

static const char *const folders[] = { "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin",
	"/usr/local/sbin", "/snap/bin", "$PATH", "${PATH}", "/opt/bin", "/usr/games",
	"/opt/homebrew/bin", NULL };

static bool is_usual_path(struct bytes value)
{
	while (value.len && *value.data == '"') {
		value.data++;
		value.len--;
	}
	for (size_t at = 0; at <= value.len;) {
		const uint8_t *colon = memchr(value.data + at, ':', value.len - at);
		size_t end = colon ? (size_t)(colon - value.data) : value.len;
		struct bytes folder = { value.data + at, end - at };
		while (folder.len > 1 && folder.data[folder.len - 1] == '/')
			folder.len--;
		if (!shell_in(folder, folders))
			return false;
		at = end + 1;
	}
	return true;
}

static bool looks_like_flags(struct bytes value)
{
	static const char *const parts[] = { "agent", "onerror", "onoutofmemory", "xx:flags",
		"require", "import", "loader", "eval", "exec", "command", "program", "shell",
		"preview", "execute", "-r ", "rsh", NULL };

	for (const char *const *part = parts; *part; part++)
		if (code_has(value, *part))
			return false;
	return !has(value, "!|`;&<>(");
}

/* /bin/bash and its like, in the system's folders */
static bool is_system_shell(struct bytes text)
{
	static const char *const places[] = { "/bin/", "/usr/bin/", "/usr/local/bin/", NULL };

	for (const char *const *place = places; *place; place++) {
		size_t len = strlen(*place);
		if (text.len > len && !memcmp(text.data, *place, len) &&
			shell_in((struct bytes){ text.data + len, text.len - len }, shell_names))
			return true;
	}
	return false;
}

static int add_host(struct shell_parser *p, struct bytes value, const char *via)
{
	static const char more[] = " HOST :";
	uint8_t *text = shell_alloc(p->state, value.len + sizeof(more));

	if (!text)
		return -ENOMEM;
	memcpy(text, value.data, value.len);
	memcpy(text + value.len, more, sizeof(more) - 1);
	return shell_read_text(p, (struct bytes){ text, value.len + sizeof(more) - 1 }, via, false);
}

/* Of an assignment that is a part of the line a guard may name it: that settles the doubt. */
static int doubt(struct shell_parser *p, size_t part, const struct shell_word *word)
{
	struct shell_line *line = p->state->line;
	size_t before = line->doubt_count;
	int rc = shell_doubt(p, part, word->source, changes);

	if (line->doubt_count > before)
		line->doubts[before].code = part != SHELL_NO_COMMAND;
	return rc;
}

static int judge_value(struct shell_parser *p, size_t part, int kind, const struct shell_word *word,
	const struct shell_word *value)
{
	const struct bytes text = value->text;
	bool literal = shell_literal(value), fine = false;

	if (!text.len && kind != KIND_DOUBT)
		return 0;
	switch (kind) {
	case KIND_PROMPT:
		fine = literal && !has(text, "`") && !memmem(text.data, text.len, "$(", 2) &&
		       !has(text, "@[");
		break;
	case KIND_PATH: fine = is_usual_path(text); break;
	case KIND_WORD:
		fine = literal && !has(text, " \t\n;|&$`(<>") &&
		       (!has(text, "/") || is_system_shell(text));
		break;
	case KIND_FLAGS: fine = looks_like_flags(text); break;
	case KIND_COMMAND:
	case KIND_REMOTE:
		if (!literal)
			break;
		const char *via = shell_via(
			p, (struct bytes){ word->text.data, text.data - word->text.data - 1 }, "");
		if (!via)
			return -ENOMEM;
		return kind == KIND_REMOTE ? add_host(p, text, via)
					   : shell_read_text(p, text, via, false);
	}
	return fine ? 0 : doubt(p, part, word);
}

/* zsh's own in lower case are arrays; as simple variables they are somebody's own. */
static bool is_scalar(const struct shell_word *word, size_t len)
{
	struct bytes rest = { word->text.data + len, word->text.len - len };

	rest.data += rest.len && *rest.data == '+';
	return !rest.len || (*rest.data == '=' && (rest.len < 2 || rest.data[1] != '('));
}

int shell_name_judge(struct shell_parser *p, size_t part, const struct shell_word *word)
{
	size_t len = 0;

	while (len < word->text.len && word->kinds[len] <= SHELL_QUOTED &&
		shell_name_byte(word->text.data[len], len == 0))
		len++;
	int row = len ? find(p, (struct bytes){ word->text.data, len }) : -1;
	if (row < 0 || names[row].kind == KIND_NOTHING ||
		(names[row].shells == SHELL_ZSH && is_scalar(word, len)))
		return 0;
	const uint8_t *equal = memchr(word->text.data + len, '=', word->text.len - len);
	if (!equal) /* read PATH, for PATH in: any value */
		return doubt(p, part, word);
	struct shell_word value = code_tail(word, (size_t)(equal - word->text.data) + 1);
	return judge_value(p, part, (int)names[row].kind, word, &value);
}
