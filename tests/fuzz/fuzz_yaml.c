/* The configuration: any bytes to a tree, and any tree to a configuration. What loads must print, and what is printed must load again and print
 * the same. */
#include <stdlib.h>
#include <string.h>

#include "policy/config.h"
#include "policy/decide.h"

#include "tests/fuzz/fuzz.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH9s5XSBtm24mseS88GoDOSpHY7461+2h+uiSAAJbnET"

static struct bytes text_bytes(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static int load(struct bytes text, struct config **ret, struct err *err)
{
	struct files *files = files_in_memory();
	REQUIRE(files && files_add(files, "/c/config.yaml", text) == 0);
	REQUIRE(files_add(files, "/c/ca.pub", text_bytes(KEY "\n")) == 0);
	REQUIRE(files_add(files, "/c/hosts", text_bytes("web1,*.db,!x.db " KEY "\n@revoked y " KEY "\n|1|AAAA|AAAA " KEY "\n")) == 0);
	int rc = config_load_all(files, "config.yaml", ret, err);
	files_free(files);
	return rc;
}

static void ask(const struct config *config)
{
	char *groups[] = { "sre", NULL };
	const struct identity who = { .user = "alice", .groups = groups, .group_count = 1, .rights = 31 };
	struct access access = {
		.who = &who, .target = "web1", .login = "deploy", .kind = ACCESS_EXEC, .detail = text_bytes("ls -l"), .now = 1795860000
	};
	struct buf trace = BUF_INIT(1024 * 1024);
	struct decision decision, again;
	addr_parse("10.1.2.3", &access.source, NULL);
	const struct target *target = targets_find(config->targets, access.target);
	decide(config->ruleset, target, &access, &decision);
	REQUIRE(decide_explain(config->ruleset, target, &access, &again, &trace) == 0 || trace.len > 0);
	REQUIRE(decision.verdict == again.verdict && decision.rule == again.rule && strcmp(decision.reason, again.reason) == 0 && *decision.reason);
	REQUIRE(target || decision.verdict == VERDICT_DENY);
	if (decision.verdict == VERDICT_ALLOW) /* what is allowed is never hidden from the list of targets */
		REQUIRE(decide_any(config->ruleset, target, &access, &again));
	buf_release(&trace);
	char **keys = NULL;
	if (target && target_host_keys(target, "web1", 22, &keys, NULL) == 0)
		text_list_free(keys);
}

static void check(const struct config *config)
{
	struct buf first = BUF_INIT(CONFIG_DUMP_MAX), second = BUF_INIT(CONFIG_DUMP_MAX);
	struct config *again = NULL;
	struct err err = { "" };
	REQUIRE(config_dump(config, &first) == 0);
	if (first.len <= YAML_SIZE_MAX) {
		REQUIRE(load(buf_bytes(&first), &again, &err) == 0);
		REQUIRE(config_dump(again, &second) == 0);
		REQUIRE(first.len == second.len && memcmp(buf_data(&first), buf_data(&second), first.len) == 0);
	}
	config_free(again);
	buf_release(&first);
	buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct yaml *root = NULL;
	struct err err = { "" };
	int rc = yaml_parse("fuzz", (struct bytes){ data, size }, &root, &err);
	REQUIRE(rc == 0 ? root != NULL : !root && *err.text);
	yaml_free(root);
	if (rc < 0)
		return 0;
	rc = load((struct bytes){ data, size }, &config, &err);
	REQUIRE(rc == 0 ? config != NULL : !config && *err.text);
	if (rc < 0)
		return 0;
	ask(config);
	check(config);
	config_free(config);
	return 0;
}
