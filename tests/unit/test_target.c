/* Targets: names, patterns, what a target must have, and the keys that are pinned for it. */
#include "common/text.h"
#include "policy/target.h"

#include <errno.h>

#include "tests/unit/policy_world.h"

#define HEAD "version: 1\nhost_key: /k\nkeys: {ca: {file: x}}\ntargets:\n"
#define REST ", host_keys: ['" KEY_A "'], credential: {certificate: ca}}\n"

static const struct target *find(const struct config *config, const char *name)
{
	return targets_find(config->targets, name);
}

static void test_find(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(
		HEAD "- {name: '*.example.com', labels: {n: '1'}" REST "- {name: a.*, address: '[::1]:2200', labels: {n: '2'}" REST
		     "- {name: Web1, address: 10.0.0.1" REST "- {name: a.example.com, address: 'h:22'" REST "- {name: 'db?', address: x" REST);
	assert_int_equal(targets_count(config->targets), 5);
	assert_string_equal(find(config, "web1")->name, "Web1");
	assert_string_equal(find(config, "WEB1")->host, "10.0.0.1");
	assert_int_equal(find(config, "web1")->port, 22);
	assert_string_equal(find(config, "a.example.com")->host, "h"); /* an exact name wins */
	assert_string_equal(target_label(find(config, "b.EXAMPLE.com"), "n"), "1");
	assert_null(find(config, "b.example.com")->host);
	assert_string_equal(target_label(find(config, "a.x"), "n"), "2");
	assert_string_equal(find(config, "a.x")->host, "::1");
	assert_int_equal(find(config, "a.x")->port, 2200);
	assert_null(target_label(find(config, "a.x"), "m"));
	static const char *const none[] = { "web", "web11", "", "example.com", "db12", "../web1", "web1\n", "a b.example.com", "*.example.com",
		"-a.example.com" };
	for (size_t i = 0; i < COUNT(none); i++)
		if (find(config, none[i]))
			fail_msg("'%s' is a target", none[i]);
	char longest[300];
	memset(longest, 'x', sizeof(longest));
	strcpy(longest + 253 - 12, ".example.com");
	assert_non_null(find(config, longest));
	strcpy(longest + 254 - 12, ".example.com");
	longest[254 - 13] = 'x';
	assert_null(find(config, longest));
	assert_null(targets_at(config->targets, 5));
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ HEAD "- {address: x" REST, "config.yaml:5:3: 'name' is missing" },
		{ HEAD "- {name: 'a b', address: x" REST, "not a good name" },
		{ HEAD "- {name: 're:x*', address: x" REST, "not a good name" },
		{ HEAD "- {name: -a, address: x" REST, "not a good name" },
		{ HEAD "- {name: a" REST, "target 'a': 'address' is missing" },
		{ HEAD "- {name: a, address: 'x:y'" REST, "target 'a':" },
		{ HEAD "- {name: a, address: 'x:0'" REST, "target 'a':" },
		{ HEAD "- {name: a, address: 'x:65536'" REST, "target 'a':" },
		{ HEAD "- {name: a, address: 'x y'" REST, "target 'a':" },
		{ HEAD "- {name: a, address: x" REST "- {name: A, address: x" REST, "target 'A' is there twice: first in line 5" },
		{ HEAD "- {name: 'a*', address: x" REST "- {name: 'A*', address: x" REST, "is there twice" },
		{ HEAD "- {name: a, address: x, credential: {certificate: ca}}", "its host key must be pinned" },
		{ HEAD "- {name: a, address: x, host_keys: [], credential: {certificate: ca}}", "its host key must be pinned" },
		{ HEAD "- {name: a, address: x, host_keys: [rubbish], credential: {certificate: ca}}", "config.yaml:5:37: host key:" },
		{ HEAD "- {name: a, address: x, host_keys_file: none, credential: {certificate: ca}}",
			"target 'a': '/etc/bartizan/none' is not among" },
		{ HEAD "- {name: a, address: x, host_keys_file: known_hosts}", "target 'a': 'credential' is missing" },
		{ HEAD "- {name: a, address: x, host_keys_file: known_hosts, credential: {}}", "exactly one of" },
		{ HEAD "- {name: a, address: x, host_keys_file: known_hosts, credential: {key: ca, certificate: ca}}", "exactly one of" },
		{ HEAD "- {name: a, address: x, host_keys_file: known_hosts, credential: {cert: ca}}", "unknown key 'cert'" },
		{ HEAD "- {name: a, address: x, host_keys_file: known_hosts, credential: {key: cb}}",
			"config.yaml:5:72: target 'a': there is no key 'cb' in 'keys'" },
		{ HEAD "- {name: a, address: x, family: ipv5" REST, "expected any, ipv4 or ipv6" },
		{ HEAD "- {name: a, address: x, crypto: {allow: ['a b']}" REST, "not a name of an algorithm" },
		{ HEAD "- {name: a, address: x, crypto: {}" REST, "'allow' is missing" },
		{ HEAD "- {name: a, address: x, labels: {env: [a]}" REST, "expected a text" },
		{ HEAD "- {name: a, address: x, labels: {'a b': c}" REST, "not a good name for a label" },
		{ HEAD "- {name: a, address: x, lables: {a: c}" REST, "did you mean 'labels'" },
		{ HEAD "- a\n", "expected a map" },
		{ "version: 1\nhost_key: /k\ntargets: {a: b}", "expected a list of targets" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		world_refused(cases[i].text, cases[i].words);
}

static void test_credentials(void **state)
{
	(void)state;
	CONFIG_CLEANUP struct config *config = world_config(HEAD "- {name: a, address: x" REST
		"- {name: b, address: x, host_keys_file: known_hosts, credential: {key: ca}, crypto: {allow: [ssh-rsa]}, family: ipv4}\n"
		"- {name: c, address: x, host_keys_file: /etc/bartizan/known_hosts, credential: {password_file: pw}}\n");
	assert_int_equal(find(config, "a")->credential, TARGET_CERTIFICATE);
	assert_int_equal(find(config, "b")->credential, TARGET_KEY);
	assert_string_equal(find(config, "b")->credential_name, "ca");
	assert_string_equal(find(config, "b")->crypto_allow[0], "ssh-rsa");
	assert_string_equal(find(config, "b")->family, "ipv4");
	assert_null(find(config, "a")->crypto_allow[0]);
	assert_int_equal(find(config, "c")->credential, TARGET_PASSWORD);
	assert_string_equal(find(config, "c")->credential_name, "/etc/bartizan/pw");
	assert_ptr_equal(find(config, "b")->known_hosts, find(config, "c")->known_hosts); /* one copy */
}

/* Letters of the keys that are pinned, in order: "AB"; "!" for an error. */
static const char *pinned(const char *known_hosts, const char *own, const char *host, const char *name, uint16_t port)
{
	static char out[8];
	char *keys[] = { (char *)(uintptr_t)own, NULL };
	struct target target = {
		.name = (char[]){ "t" }, .host = (char *)(uintptr_t)host, .host_keys = own ? keys : keys + 1, .known_hosts = known_hosts
	};
	char **list = NULL;
	size_t n = 0;
	if (target_host_keys(&target, name, port, &list, NULL) < 0)
		return "!";
	for (char **key = list; *key && n < sizeof(out) - 1; key++)
		out[n++] = strcmp(*key, KEY_A) == 0 ? 'A' : strcmp(*key, KEY_B) == 0 ? 'B' : strcmp(*key, KEY_C) == 0 ? 'C' : '?';
	out[n] = 0;
	text_list_free(list);
	return out;
}

static void test_known_hosts(void **state)
{
	(void)state;
	static const struct { const char *file, *name; uint16_t port; const char *keys; } cases[] = {
		{ "web1 " KEY_A "\n", "web1", 22, "A" },
		{ "web1 " KEY_A " comment\r\n", "web1", 22, "A" },
		{ "web1 " KEY_A, "WEB1", 22, "A" },
		{ "WEB1 " KEY_A, "web1", 22, "A" },
		{ "web1 " KEY_A "\n", "web11", 22, "" },
		{ "web1 " KEY_A "\n", "web1", 2222, "" },
		{ "[web1]:2222 " KEY_A "\n", "web1", 2222, "A" },
		{ "[web1]:2222 " KEY_A "\n", "web1", 22, "" },
		{ "x,web1 " KEY_A "\nweb1 " KEY_B "\n", "web1", 22, "AB" },
		{ "web1 " KEY_A "\nweb1 " KEY_A "\n", "web1", 22, "A" },
		{ "web* " KEY_A "\n", "web1", 22, "A" },
		{ "web? " KEY_A "\n", "web12", 22, "" },
		{ "web*,!web2 " KEY_A "\n", "web2", 22, "" },
		{ "web*,!web2 " KEY_A "\n", "web1", 22, "A" },
		{ "!web1 " KEY_A "\n", "web2", 22, "" },
		{ "# web1 " KEY_A "\n\n  web1  " KEY_A "\n", "web1", 22, "A" },
		{ "#web1 " KEY_A "\n", "#web1", 22, "!" },
		{ "@cert-authority web1 " KEY_A "\n", "web1", 22, "" },
		{ "@unknown web1 " KEY_A "\n", "web1", 22, "" },
		{ "web1 " KEY_A "\nweb1 " KEY_B "\n@revoked * " KEY_A "\n", "web1", 22, "B" },
		{ "@revoked web2 " KEY_A "\nweb1 " KEY_A "\n", "web1", 22, "A" },
		{ "web1 ssh-ed25519 AAAA\nweb1 " KEY_B "\nweb1\nweb1 \n", "web1", 22, "B" },
		{ "10.0.0.1 " KEY_C "\n", "web1", 22, "C" },    /* the target's host */
		{ "@revoked 10.0.0.1 " KEY_A "\nweb1 " KEY_A "\n", "web1", 22, "" },
		{ "", "web1", 22, "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *got = pinned(cases[i].file, NULL, "10.0.0.1", cases[i].name, cases[i].port);
		if (strcmp(got, cases[i].keys) != 0)
			fail_msg("case %zu: '%s' instead of '%s'", i, got, cases[i].keys);
	}
	assert_string_equal(pinned("web1 " KEY_A "\nweb1 " KEY_B, KEY_A, NULL, "web1", 22), "AB");
	assert_string_equal(pinned("@revoked web1 " KEY_A "\nweb1 " KEY_B, KEY_A, NULL, "web1", 22), "B");
	assert_string_equal(pinned(NULL, KEY_A, NULL, "any", 1), "A");
}

/* Hashed by ssh-keygen -H, as users have them. */
static void test_hashed(void **state)
{
	(void)state;
	char folder[] = "/tmp/bartizan-hosts-XXXXXX", command[1024];
	BUF_CLEANUP struct buf file = BUF_INIT(8192);
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command),
		"cd %s && printf '%%s\\n' 'web1 %s' '[web2]:2222 %s' > f && ssh-keygen -q -H -f f >log 2>&1 && cat f >g && rm f f.old log", folder,
		KEY_A, KEY_B);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s/g", folder);
	assert_int_equal(fd_read_file(-100, command, 8192, &file, NULL), 0);
	const char *text = buf_cstr(&file);
	assert_null(strstr(text, "web1"));
	assert_string_equal(pinned(text, NULL, NULL, "web1", 22), "A");
	assert_string_equal(pinned(text, NULL, NULL, "web2", 2222), "B");
	assert_string_equal(pinned(text, NULL, NULL, "web2", 22), "");
	assert_string_equal(pinned(text, NULL, NULL, "web3", 22), "");
	unlink(command);
	rmdir(folder);
	assert_string_equal(
		pinned("|1| " KEY_A "\n|1|x " KEY_A "\n|1|x|y " KEY_A "\n|1||  " KEY_A "\n|2|AAAA|AAAA " KEY_A "\n", NULL, NULL, "web1", 22), "");
}

static void test_limits(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf text = BUF_INIT(1024 * 1024), more = BUF_INIT(1024 * 1024);
	assert_int_equal(buf_puts(&text, HEAD), 0);
	for (size_t i = 0; i < TARGET_COUNT_MAX; i++)
		assert_int_equal(buf_printf(&text, "- {name: h%zu, address: x, host_keys_file: k}\n", i) < 0, 0);
	assert_int_equal(buf_puts(&text, "- {}\n"), 0);
	world_refused(buf_cstr(&text), "more than 10000 targets");
	assert_int_equal(buf_puts(&more, HEAD "- {name: a, address: x, labels: {"), 0);
	for (size_t i = 0; i <= TARGET_LABELS_MAX; i++)
		assert_int_equal(buf_printf(&more, "l%zu: v,", i) < 0, 0);
	assert_int_equal(buf_puts(&more, "}" REST), 0);
	world_refused(buf_cstr(&more), "more than 64 labels");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find), cmocka_unit_test(test_refused), cmocka_unit_test(test_credentials), cmocka_unit_test(test_known_hosts),
		cmocka_unit_test(test_hashed), cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
