/* The table of keys: defaults, limits, refusals, the dump, and that example, manual and code say the same. The example and the manual are
 * read from the source folder, in which tests run. */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>

#include "policy/keys.h"
#include "tests/unit/policy_world.h"

#define LEAST "version: 1\nhost_key: /k\n"

static void test_defaults(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(LEAST);
	const struct conf *conf = config->conf;
	assert_int_equal(conf->listen_count, 2);
	assert_int_equal(conf->listen_addr[0].port, 2222);
	assert_int_equal(conf->listen_addr[1].family, AF_INET6);
	assert_string_equal(conf->state_dir, "/var/lib/bartizan");
	assert_string_equal(conf->control_socket, "/run/bartizan/control.sock");
	assert_null(conf->run_as);
	assert_null(conf->issuing_key);
	assert_null(conf->break_glass);
	assert_string_equal(conf->log_level, "info");
	assert_int_equal(conf->drain, 8 * 3600 * 1000);
	assert_int_equal(conf->cert_lifetime, 10 * 3600 * 1000);
	assert_int_equal(conf->login_time, 60000);
	assert_int_equal(conf->crypto, CONF_CRYPTO_MODERN);
	assert_int_equal(conf->min_free, 64 << 20);
	assert_string_equal(conf->resolve_family, "any");
	assert_int_equal(conf->trusted_count + conf->key_count + conf->proxy_from_count, 0);
	assert_int_equal(targets_count(config->targets) + ruleset_count(config->ruleset), 0);
}

static void test_values(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config =
		world_config("version: 1\nhost_key: keys/host\nlisten: 127.0.0.1:22\nrun_as: bartizan\ndrain: 0\n"
			     "certificates: {issuing_key: ca, lifetime: 1m, trusted: [{key: step_user_ca.pub, user: key_id}]}\nkeys: {a: {file: x}, "
			     "b: {file: /y}}\n"
			     "proxy_protocol: {from: 10.0.0.0/8}\ncrypto: {minimum: strict}\ntranscripts: {min_free: 0}\nlog: {level: debug}\n");
	const struct conf *conf = config->conf;
	assert_string_equal(conf->host_key, "/etc/bartizan/keys/host");
	assert_string_equal(conf->issuing_key, "/etc/bartizan/ca");
	assert_int_equal(conf->listen_count, 1);
	assert_string_equal(conf->run_as, "bartizan");
	assert_int_equal(conf->drain, 0);
	assert_int_equal(conf->trusted_count, 1);
	assert_int_equal(conf->trusted[0].user, CONF_USER_KEY_ID);
	assert_string_equal(sshkey_type(conf->trusted[0].key), "ssh-ed25519");
	assert_string_equal(conf_key_find(conf, "a")->file, "/etc/bartizan/x");
	assert_string_equal(conf_key_find(conf, "b")->file, "/y");
	assert_null(conf_key_find(conf, "c"));
	assert_int_equal(conf->crypto, CONF_CRYPTO_STRICT);
	assert_int_equal(conf->proxy_from_count, 1);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *words; } cases[] = {
		{ "host_key: /k", "config.yaml:1:1: 'version' is missing" },
		{ "version: 2\nhost_key: /k", "config.yaml:1:10: the version of the configuration must be 1" },
		{ "version: 1", "config.yaml:1:1: 'host_key' is missing" },
		{ "version: 1\nhost_key:", "config.yaml:2:10: expected a text" },
		{ "[1]", "expected a map" },
		{ LEAST "listn: x", "config.yaml:3:1: unknown key 'listn': did you mean 'listen'?" },
		{ LEAST "limits: {idel: 1m}", "config.yaml:3:10: unknown key 'idel': did you mean 'idle'?" },
		{ LEAST "limits:", "expected a map" },
		{ LEAST "limits: []", "expected a map" },
		{ LEAST "limits.idle: 1m", "unknown key 'limits.idle'" },
		{ LEAST "certificates: {trusted: [{key: step_user_ca.pub, usr: x}]}", "unknown key 'usr': did you mean 'user'?" },
		{ LEAST "certificates: {trusted: [{key: step_user_ca.pub, user: x}]}", "expected principal or key_id" },
		{ LEAST "certificates: {trusted: [{user: principal}]}", "'key' is missing" },
		{ LEAST "certificates: {trusted: [{key: none.pub}]}", "is not among the files" },
		{ LEAST "certificates: {trusted: [{key: known_hosts}]}", "config.yaml:3:32:" },
		{ LEAST "certificates: {trusted: [{key: step_user_ca.pub}, {key: /etc/bartizan/step_user_ca.pub}]}", "listed twice" },
		{ LEAST "certificates: {trusted: {key: x}}", "expected a list" },
		{ LEAST "certificates: {lifetime: 59s}", "is not between 1m and 7d" },
		{ LEAST "certificates: {lifetime: 169h}", "is not between 1m and 7d" },
		{ LEAST "keys: {a: b}", "expected a map" },
		{ LEAST "keys: {a: {}}", "'file' is missing" },
		{ LEAST "keys: {a: {fil: x}}", "did you mean 'file'" },
		{ LEAST "keys: {'a b': {file: x}}", "not a valid name" },
		{ LEAST "keys: [a]", "expected a map" },
		{ LEAST "listen: []", "no address" },
		{ LEAST "listen: [localhost]", "config.yaml:3:10: listen:" },
		{ LEAST "listen: ['1.2.3.4:22', '1.2.3.4:99999']", "config.yaml:3:24: listen:" },
		{ LEAST "log: {level: loud}", "'loud' is not one of error|warning|info|debug" },
		{ LEAST "crypto: {minimum: none}", "is not one of" },
		{ LEAST "limits: {channels: 0}", "is not between 1 and 1024" },
		{ LEAST "limits: {channels: 1025}", "is not between 1 and 1024" },
		{ LEAST "limits: {channels: many}", "'many' is not a number" },
		{ LEAST "limits: {idle: 5}", "'5' is not a duration" },
		{ LEAST "transcripts: {min_free: 5 apples}", "is not a size" },
		{ LEAST "transcripts: {break_glass: sre}", "config.yaml:3:28: there is no role 'sre'" },
		{ LEAST "proxy_protocol: {from: [10.0.0.1/8]}", "config.yaml:3:25:" },
		{ LEAST "approvals: {pending_total: 0}", "is not between 1 and 100000" },
		{ LEAST "approvals: {wait_without_terminal: 61m}", "is not between 0 and 1h" },
		{ LEAST "approvals: {reason_max: 1025}", "is not between 1 and 1KiB" },
		{ LEAST "approval: {}", "did you mean 'approvals'" },
		{ LEAST "drain: 1h\ndrain: 2h", "config.yaml:4:1: the key 'drain' appears twice" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		world_refused(cases[i].text, cases[i].words);
	char path[300], text[400];
	memset(path, 'x', 108);
	path[0] = '/';
	path[108] = 0;
	snprintf(text, sizeof(text), LEAST "control_socket: %s", path);
	world_refused(text, "longer than 107 bytes");
	path[107] = 0;
	snprintf(text, sizeof(text), LEAST "control_socket: %s", path);
	CONFIG_CLEANUP struct config *config = world_config(text);
	assert_string_equal(config->conf->control_socket, path);
}

/* A list of n entries, from a form with one %zu. */
static char *many(const char *head, const char *entry, size_t count, const char *tail)
{
	BUF_CLEANUP struct buf out = BUF_INIT(4 * 1024 * 1024);
	assert_int_equal(buf_puts(&out, head), 0);
	for (size_t i = 0; i < count; i++) {
		char number[24];
		const char *mark = strchr(entry, '#');
		snprintf(number, sizeof(number), "%zu", i + 1);
		assert_int_equal(buf_printf(&out, "%.*s%s%s", (int)(mark - entry), entry, number, mark + 1), 0);
	}
	assert_int_equal(buf_puts(&out, tail), 0);
	return strdup(buf_cstr(&out));
}

static void test_limits(void **state)
{
	(void)state;
	static const struct { const char *head, *entry, *tail; size_t max; } lists[] = {
		{ LEAST "listen: [", "'127.0.0.1:#',", "]", CONF_LISTEN_MAX },
		{ LEAST "keys: {", "k#: {file: x},", "}", CONF_KEYS_MAX },
		{ LEAST "proxy_protocol: {from: [", "10.0.0.#,", "]}", CONF_NETS_MAX },
	};
	for (size_t i = 0; i < COUNT(lists); i++) {
		char *text = many(lists[i].head, lists[i].entry, lists[i].max, lists[i].tail);
		config_free(world_config(text));
		free(text);
		text = many(lists[i].head, lists[i].entry, lists[i].max + 1, lists[i].tail);
		world_refused(text, "more than");
		free(text);
	}
	char *text = many(LEAST "certificates: {trusted: [", "{key: x#},", CONF_TRUSTED_MAX + 1, "]}");
	world_refused(text, "more than 64 entries");
	free(text);
}

static char *dump(const struct config *config)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CONFIG_DUMP_MAX);
	assert_int_equal(config_dump(config, &out), 0);
	return strdup(buf_cstr(&out));
}

/* A file of the source folder; caller frees. */
static char *source(const char *path)
{
	BUF_CLEANUP struct buf out = BUF_INIT(YAML_SIZE_MAX);
	struct err err = { 0 };
	if (fd_read_file(AT_FDCWD, path, YAML_SIZE_MAX, &out, &err) < 0)
		fail_msg("%s (tests run in the source folder)", err.text);
	return strdup(buf_cstr(&out));
}

/* The example with what is for a later version. */
static char *whole_example(void)
{
	char *text = source("config.example.yaml");
	for (char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, "#+", 2) == 0)
			memmove(p, p + 2, strlen(p + 2) + 1);
	return text;
}

/* What is printed loads again, and prints the same. Caller frees. */
static char *dump_twice(const char *text, struct config *(*load)(const char *))
{
	CONFIG_CLEANUP struct config *config = load(text);
	char *first = dump(config);
	CONFIG_CLEANUP struct config *again = load(first);
	FREE_CLEANUP char *second = dump(again);
	assert_string_equal(first, second);
	return first;
}

static void test_dump(void **state)
{
	(void)state;
	FREE_CLEANUP char *example = source("config.example.yaml"), *all = whole_example();
	FREE_CLEANUP char *now = dump_twice(example, world_config), *later = dump_twice(all, world_all);
	assert_non_null(strstr(now, "  login_time: 1m # default\n"));
	assert_non_null(strstr(now, "run_as: bartizan\n"));
	assert_non_null(strstr(now, "host_key: /etc/bartizan/host_ed25519\n"));
	assert_non_null(strstr(now, "{groups: [admins], login_within: 1h, lifetime: 2h}"));
	assert_non_null(strstr(now, "claims: {repository: [org/app], ref: [refs/heads/main, \"refs/tags/v*\"]}"));
	assert_non_null(strstr(later, "    approval: {by: lead, votes: 1, window: 1h, expires: 15m, uses: 0, reason: optional, ticket: "));
	assert_non_null(strstr(later, "    break_glass: true\n"));
	for (size_t i = 0; i < conf_table_count; i++) {
		const char *last = strrchr(conf_table[i].path, '.');
		char key[80];
		snprintf(key, sizeof(key), "%s:", last ? last + 1 : conf_table[i].path);
		if (!strstr(later, key))
			fail_msg("the dump has no '%s'", conf_table[i].path);
	}
}

static void test_notify(void **state)
{
	(void)state;
	static const struct { const char *text, *words; } cases[] = {
		{ "{command: [tell]}", "config.yaml:3:19: the command must begin with the absolute path" },
		{ "{command: [./tell]}", "the command must begin with the absolute path" },
		{ "{command: {a: b}}", "expected a list, not a map" },
		{ "{webhook: 'http://example.com/'}", "config.yaml:3:19:" },
		{ "{webhook: 'ftp://127.0.0.1/'}", "config.yaml:3:19:" },
		{ "{webhook: 'https://u:p@example.com/'}", "config.yaml:3:19:" },
		{ "{webhok: x}", "did you mean 'webhook'" },
		{ "{ca_file: none.pem}", "is not among the files" },
		{ "{ca_file: known_hosts}", "config.yaml:3:19: '/etc/bartizan/known_hosts' holds no certificate" },
		{ "[x]", "expected a map" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[300];
		snprintf(text, sizeof(text), LEAST "notify: %s", cases[i].text);
		world_refused_all(text, cases[i].words);
	}
	CONFIG_CLEANUP struct config *config = world_all(LEAST "notify: {command: /bin/tell, webhook: 'http://[::1]:8/', headers_file: h, ca_file: corp_ca.pem}\n"
							      "approvals: {pending_per_person: 1, wait_without_terminal: 0}");
	assert_string_equal(config->conf->notify_command[0], "/bin/tell");
	assert_null(config->conf->notify_command[1]);
	assert_string_equal(config->conf->notify_webhook, "http://[::1]:8/");
	assert_string_equal(config->conf->notify_headers, "/etc/bartizan/h");
	assert_string_equal(config->conf->notify_ca_file, "/etc/bartizan/corp_ca.pem");
	assert_string_equal(config->conf->notify_ca, WORLD_CA);
	assert_int_equal(config->conf->pending_per_person, 1);
	assert_int_equal(config->conf->pending_total, 1000);
	assert_int_equal(config->conf->wait_without_terminal, 0);
	assert_int_equal(config->conf->reason_max, 1024);
	CONFIG_CLEANUP struct config *plain_config = world_config(LEAST);
	assert_null(plain_config->conf->notify_command[0]);
	assert_null(plain_config->conf->notify_webhook);
	assert_null(plain_config->conf->notify_ca_file);
	assert_null(plain_config->conf->notify_ca);
}

/* The listener has to be told: what does not fit there is refused here, with its line. */
static void test_notify_command_is_bounded(void **state)
{
	(void)state;
	static const struct { size_t count, len; const char *words; } cases[] = {
		{ 63, 1, NULL }, { 64, 1, "more than 64" }, { 4, 4093, NULL }, { 4, 4094, "config.yaml:3:19: the command is longer than 16384 bytes" },
		{ 1, 4095, NULL }, { 1, 4096, "longer than 4095 bytes" },
	}; /* count arguments of so many bytes, behind a program of 7 bytes; NULL: taken */
	for (size_t i = 0; i < COUNT(cases); i++) {
		FREE_CLEANUP char *text = calloc(1, 65536);
		char *p = stpcpy(text, LEAST "notify: {command: [/tell12");
		for (size_t n = 0; n < cases[i].count; n++) {
			p = stpcpy(p, ", ");
			p = (char *)memset(p, 'x', cases[i].len) + cases[i].len;
		}
		stpcpy(p, "]}");
		if (cases[i].words)
			world_refused_all(text, cases[i].words);
		else
			config_free(world_config(text));
	}
}

/* The node at "targets[].labels": any entry of a list, any name of a map. */
static const struct yaml *at_path(const struct yaml *node, const char *path)
{
	size_t len = strcspn(path, ".[");
	char part[64];
	if (!node || !*path)
		return node;
	snprintf(part, sizeof(part), "%.*s", (int)len, path);
	const char *rest = path + len;
	if (strcmp(part, "*") != 0 && len > 0)
		return at_path(yaml_get(node, part), *rest == '.' ? rest + 1 : rest);
	if (len == 0)
		rest += 2; /* [] */
	rest += *rest == '.';
	for (const struct yaml *child = node->child; child; child = child->next) {
		const struct yaml *found = at_path(child, rest);
		if (found)
			return found;
	}
	return NULL;
}

static void in_example(const struct conf_row *row, const struct yaml *root)
{
	const struct yaml *node = at_path(root, row->path);
	if (!node)
		fail_msg("config.example.yaml has no '%s'", row->path);
	if (row->offset != CONF_NO_FIELD && row->fallback && row->type != CONF_SPECIAL && strcmp(node->text, row->fallback) != 0)
		fail_msg("config.example.yaml: '%s' is %s, but the default is %s", row->path, node->text, row->fallback);
}

/* Text of the manual without its macros: lines joined, ".Ql x" becomes "x". */
static char *plain(const char *text)
{
	char *out = calloc(1, strlen(text) + 2), *p = out;
	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t macro = *text == '.' ? (size_t)4 < len ? 4 : len : 0;
		p = mempcpy(p, text + macro, len - macro);
		*p++ = ' ';
		text += len + (text[len] == '\n');
	}
	return out;
}

static void in_manual(const struct conf_row *row, const char *manual)
{
	char item[160], words[200];
	snprintf(item, sizeof(item), "\n.It Sy %s%s\n", row->path, row->offset != CONF_NO_FIELD && !row->reloadable ? " Ns \\(dg" : "");
	const char *at = strstr(manual, item);
	if (!at) {
		fail_msg("bartizan.yaml(5) has no '%s'", item + 1);
		return;
	}
	const char *end = strstr(at + 1, "\n.It Sy ");
	FREE_CLEANUP char *entry = strndup(at + strlen(item), end ? (size_t)(end - at) - strlen(item) + 1 : 1000);
	FREE_CLEANUP char *text = plain(entry);
	snprintf(words, sizeof(words), "%.*s", (int)strcspn(row->doc, ".,:;*("), row->doc);
	if (strncmp(text, words, strlen(words)) != 0)
		fail_msg("bartizan.yaml(5): '%s' begins '%.80s', the table has '%s'", row->path, text, row->doc);
	if (row->required && !strstr(text, "Required."))
		fail_msg("bartizan.yaml(5): '%s' is required", row->path);
	bool simple = row->fallback && !strpbrk(row->fallback, "[{\"");
	snprintf(words, sizeof(words), simple && strchr(row->fallback, ':') ? "Default: \\(dq%s\\(dq" : "Default: %s", simple ? row->fallback : "");
	if ((simple && !strstr(text, words)) || (!row->fallback && !row->required && row->offset != CONF_NO_FIELD && !strstr(text, "Default: null")))
		fail_msg("bartizan.yaml(5): '%s' needs '%s' in '%s'", row->path, simple ? words : "Default: null", text);
}

static bool is_key(const char *path, size_t len)
{
	for (size_t i = 0; i < conf_table_count + policy_key_count; i++) {
		const char *row = i < conf_table_count ? conf_table[i].path : policy_keys[i - conf_table_count].path;
		if (strncmp(row, path, len) == 0 && (!row[len] || row[len] == '.')) /* a group of keys has an entry of its own, too */
			return true;
	}
	return false;
}

static void test_documents(void **state)
{
	(void)state;
	FREE_CLEANUP char *example = whole_example(), *manual = source("man/bartizan.yaml.5");
	struct yaml *root = NULL;
	assert_int_equal(yaml_parse("config.example.yaml", world_bytes(example), &root, NULL), 0);
	for (size_t i = 0; i < conf_table_count + policy_key_count; i++) {
		const struct conf_row *row = i < conf_table_count ? &conf_table[i] : &policy_keys[i - conf_table_count];
		in_example(row, root);
		in_manual(row, manual);
	}
	yaml_free(root);
	static const char item[] = "\n.It Sy ";
	for (const char *p = strstr(manual, item); p; p = strstr(p + 1, item)) {
		const char *path = p + strlen(item);
		if (!is_key(path, strcspn(path, " \n")))
			fail_msg("bartizan.yaml(5) has a key that the code does not have: '%.40s'", path);
	}
}

static bool is_unsupported(const char *key)
{
	for (const struct config_unsupported *row = config_unsupported; row->key; row++)
		if (strcmp(row->key, key) == 0)
			return true;
	return false;
}

/* The manual's list of what is refused names each of these keys, and no other. */
static void check_list(const char *manual)
{
	static const char head[] = "\nNot supported by this version and refused:\n", item[] = ".Ql ";
	const char *list = strstr(manual, head);
	size_t count = 0, want = 0;
	assert_int_equal(list != NULL, config_unsupported->key != NULL);
	for (const char *p = list ? list + strlen(head) : ""; strncmp(p, item, strlen(item)) == 0; p = strchr(p, '\n') + 1, count++) {
		char key[64];
		snprintf(key, sizeof(key), "%.*s", (int)strcspn(p + strlen(item), " \n"), p + strlen(item));
		if (!is_unsupported(key))
			fail_msg("bartizan.yaml(5) says that '%s' is not supported", key);
	}
	while (config_unsupported[want].key)
		want++;
	assert_int_equal(count, want);
}

/* What is for a later version is refused, its defaults are not, and the example keeps it apart as long as there is any. */
static void test_unsupported(void **state)
{
	(void)state;
	FREE_CLEANUP char *example = source("config.example.yaml"), *manual = source("man/bartizan.yaml.5"), *all = whole_example();
	bool apart = false;
	check_list(manual);
	for (const struct config_unsupported *row = config_unsupported; row->key; row++) {
		char text[300], words[100], path[100];
		snprintf(text, sizeof(text),
			*row->prefix ? LEAST "rules:\n- {name: a, deny: '*'}\n- {name: b, allow: [exec], %s: x}" : LEAST "%s: {x: y}", row->key);
		snprintf(words, sizeof(words), "config.yaml:%s: '%s' is not supported by this version", *row->prefix ? "5:28" : "3:1", row->key);
		world_refused(text, words);
		snprintf(path, sizeof(path), "%s%s%s", row->prefix, *row->prefix ? "." : "", row->key);
		apart |= is_key(path, strlen(path));
	}
	assert_int_equal(strcmp(example, all) != 0, apart);
	config_free(world_config(LEAST "guards: {}\nnotify: {command: [], webhook: null, headers_file: }"));
}

/* conf_only() keeps the names below one prefix in an array of 128. */
static void test_table(void **state)
{
	(void)state;
	assert_true(conf_table_count <= 128);
	assert_true(policy_key_count <= 128);
	for (size_t i = 0; i < conf_table_count; i++) {
		assert_non_null(conf_table[i].doc);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(conf_table[i].path, conf_table[k].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values), cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_dump), cmocka_unit_test(test_documents), cmocka_unit_test(test_table),
		cmocka_unit_test(test_unsupported), cmocka_unit_test(test_notify), cmocka_unit_test(test_notify_command_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
