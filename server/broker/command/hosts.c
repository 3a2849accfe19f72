/* hosts scan TARGET: the host keys that a target shows, in the forms in which an administrator pins
 * them, and whether they are the keys pinned now.
 *
 * No key is stored and none is trusted: they came over the network from whoever answered. What was
 * agreed on is kept for `targets --crypto`, as a thing seen. */
#include "common/text.h"
#include "server/broker/command/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "conf/yaml.h"
#include "keys/sshkey.h"
#include "server/broker/dial/scan.h"
#include "server/broker/record/evidence.h"
#include "server/broker/record/target_crypto.h"

struct hosts_scan { /* the state of the command while the scan runs */
	struct caller *caller;
	bool json;
	uint16_t port;
	char name[ADDR_HOST_MAX];
};

static const struct table_column scan_columns[] = {
	{ "target", "TARGET", false },
	{ "port", "PORT", false },
	{ "type", "TYPE", true },
	{ "fingerprint", "FINGERPRINT", true },
	{ "pinned", "PINNED", false },
	{ 0 },
};

static void scan_stop(struct caller *caller)
{
	scan_forget(caller->broker, caller->state);
	free(caller->state);
	caller->state = NULL;
}

static bool in_list(char *const *pinned, const struct sshkey *key)
{
	for (; pinned && *pinned; pinned++) {
		SSHKEY_CLEANUP struct sshkey *one = NULL;
		if (!sshkey_from_line(*pinned, &one, NULL) && sshkey_same(one, key))
			return true;
	}
	return false;
}

/* The name as in known_hosts: "web1", or "[web1]:2222". */
static json_t *known_hosts_line(const struct hosts_scan *scan, const char *key)
{
	return scan->port == 22 ? json_sprintf("%s %s", scan->name, key)
				: json_sprintf("[%s]:%u %s", scan->name, scan->port, key);
}

/* NULL: the line is no key. The key is encoded again, so that nothing but a key can be shown. */
static json_t *scan_row(const struct hosts_scan *scan, const char *line, char *const *pinned)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	BUF_CLEANUP struct buf text = BUF_INIT(2 * SSHKEY_BLOB_MAX);
	char fingerprint[SSHKEY_FP_MAX];

	if (sshkey_from_line(line, &key, NULL) || sshkey_line(key, "", &text))
		return NULL;
	const char *clean = buf_cstr(&text);
	size_t len = clean ? strlen(clean) : 0;
	while (len && clean[len - 1] == ' ')
		len--;
	json_t *key_text = json_stringn(clean ? clean : "", len);
	sshkey_fingerprint(key, fingerprint);
	json_t *row = json_pack("{s:s, s:i, s:s, s:s, s:b, s:o, s:O}", "target", scan->name, "port",
		scan->port, "type", sshkey_type(key), "fingerprint", fingerprint, "pinned",
		(int)in_list(pinned, key), "known_hosts",
		known_hosts_line(scan, json_string_value(key_text)), "key", key_text);
	json_decref(key_text);
	return row;
}

static void tell_lines(struct caller *caller, const json_t *rows)
{
	command_out(caller, "\nfor a known_hosts file (host_keys_file):\n");
	for (size_t i = 0; i < json_array_size(rows); i++)
		command_out(
			caller, "%s\n", json_get_string(json_array_get(rows, i), "known_hosts"));
	command_out(caller, "\nfor the target in the configuration:\n    host_keys:\n");
	for (size_t i = 0; i < json_array_size(rows); i++)
		command_out(caller, "      - \"%s\"\n",
			json_get_string(json_array_get(rows, i), "key"));
	command_out(caller, "\n");
}

static void tell_verdict(
	struct caller *caller, const struct hosts_scan *scan, const json_t *rows, bool any_pinned)
{
	size_t same = 0;

	for (size_t i = 0; i < json_array_size(rows); i++)
		same += json_is_true(json_object_get(json_array_get(rows, i), "pinned"));
	if (same)
		command_error(
			caller, "'%s' shows %zu of the keys that are pinned", scan->name, same);
	else if (any_pinned)
		command_error(caller,
			"'%s' shows NONE of the keys that are pinned: it was replaced, or "
			"something stands in between",
			scan->name);
	if (same < json_array_size(rows))
		command_error(caller, "these keys came over the network and prove nothing: compare "
				      "the fingerprints on the target's own console "
				      "(ssh-keygen -lf) before you pin them");
}

static void scanned(struct caller *caller, const struct hosts_scan *scan, char *const *keys,
	const char *kex, char *const *pinned)
{
	struct command_args args = { .json = scan->json };
	JSON_CLEANUP json_t *rows = json_array();

	for (; rows && *keys; keys++) {
		json_t *row = scan_row(scan, *keys, pinned);
		if (row && *kex) {
			json_object_set_new(row, "kex", json_string(kex));
			json_object_set_new(
				row, "post_quantum", json_boolean(evidence_post_quantum(kex)));
		}
		if (row)
			json_array_append_new(rows, row);
	}
	if (!json_array_size(rows)) {
		command_fail(caller, 1, "'%s' showed no host key that is usable here", scan->name);
		return;
	}
	if (!command_show_list(caller, &args, json_incref(rows), scan_columns))
		return;
	if (!scan->json) {
		command_out(caller, "\nkey exchange: %s (%spost-quantum)\n", *kex ? kex : "-",
			evidence_post_quantum(kex) ? "" : "not ");
		tell_lines(caller, rows);
	}
	tell_verdict(caller, scan, rows, pinned && *pinned);
	command_exit(caller, 0);
}

static void scan_done(void *context, char *const *keys, const char *kex, const char *reason)
{
	struct hosts_scan *scan = context;
	struct caller *caller = scan->caller;
	char **pinned = NULL;

	caller->stop = NULL;
	caller->state = NULL;
	/* the configuration may have been replaced meanwhile */
	const struct target *target = targets_find(caller->broker->config->targets, scan->name);
	if (target)
		target_host_keys(target, scan->name, scan->port, &pinned, NULL);
	if (keys) {
		target_crypto_of_scan(caller->broker, scan->name, scan->port, kex);
		scanned(caller, scan, keys, kex, pinned);
	} else {
		command_fail(caller, EXIT_UNREACHABLE, "'%s': %s", scan->name,
			reason ? reason : "the scan failed");
	}
	text_list_free(pinned);
	free(scan);
}

void command_run_scan(struct caller *caller, const struct command_args *args)
{
	struct err err = { "" };
	struct hosts_scan *scan = calloc(1, sizeof(*scan));

	if (!scan) {
		command_fail(caller, EXIT_GATEWAY, "out of memory");
		return;
	}
	int rc = addr_split_host_port(args->words.items[0], 0, scan->name, &scan->port, &err);
	const struct target *target =
		rc ? NULL : targets_find(caller->broker->config->targets, scan->name);
	if (!target) {
		command_fail(caller, rc ? 2 : 1, "'%.255s': %s", args->words.items[0],
			rc ? err.text : "there is no such target");
		free(scan);
		return;
	}
	if (!scan->port)
		scan->port = target->port;
	scan->caller = caller;
	scan->json = args->json;
	caller->state = scan;
	caller->stop = scan_stop;
	scan_start(caller->broker, target, scan->name, scan->port, scan_done, scan);
}
