/* Reading `targets`. A target that could not be connected to safely (no pinned key, no credential)
 * is an error of the configuration. */
#include "policy/target_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/text.h"
#include "keys/sshkey.h"
#include "policy/keys.h"

#define SSH_PORT 22
#define PATH_LEN 4095
#define KEY_LINE_MAX 24576 /* a blob in base64, its type and a comment */

struct loading {
	struct targets *targets;
	struct files *files;
	bool sketch;
};

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static int keep(const struct yaml *node, size_t max, char **ret, struct err *err)
{
	const char *text = NULL;
	int rc = yaml_text(node, max, &text, err);

	if (rc < 0)
		return rc;
	*ret = strdup(text);
	return *ret ? 0 : no_memory(err);
}

/* A pattern is a name that may hold * and ?; what is left without them must look like a name. */
static bool name_ok(const char *name, bool *ret_pattern)
{
	char plain[TARGET_NAME_MAX + 1];
	size_t len = strlen(name);

	*ret_pattern = strpbrk(name, "*?") != NULL;
	for (size_t i = 0; i <= len; i++)
		plain[i] = name[i] == '*' || name[i] == '?' ? 'x' : name[i];
	return strncmp(name, "re:", 3) != 0 && text_target_ok(plain, len);
}

static int load_name(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	(void)loading;
	const struct yaml *name = yaml_get(node, "name");
	struct target *target = &slot->target;
	char shown[64];
	if (!name)
		return yaml_error(node, err, "'name' is missing");
	int rc = keep(name, TARGET_NAME_MAX, &target->name, err);
	if (rc < 0)
		return rc;
	if (!name_ok(target->name, &target->is_pattern))
		return yaml_error(name, err, "'%s' is not a good name for a target",
			text_clean(shown, sizeof(shown), target->name, strlen(target->name)));
	slot->line = name->line;
	slot->lower = target_lower(target->name);
	if (!slot->lower)
		return no_memory(err);
	return target->is_pattern ? pattern_compile(slot->lower, &slot->pattern, err) : 0;
}

static int load_address(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	const struct yaml *address = yaml_get(node, "address");
	struct target *target = &slot->target;
	const char *text = NULL;
	char host[ADDR_HOST_MAX];
	struct err why = { 0 };

	target->port = SSH_PORT;
	if (!address && !target->is_pattern && !loading->sketch)
		return yaml_error(node, err, "target '%s': 'address' is missing", target->name);
	if (!address)
		return 0;
	int rc = yaml_text(address, 300, &text, err);
	if (rc < 0)
		return rc;
	if (addr_split_host_port(text, SSH_PORT, host, &target->port, &why) < 0)
		return yaml_error(address, err, "target '%s': %s", target->name, why.text);
	if (!text_target_ok(host, strlen(host)) || target->port == 0)
		return yaml_error(address, err, "target '%s': not an address", target->name);
	target->host = strdup(host);
	return target->host ? 0 : no_memory(err);
}

static int load_label(struct target *target, const struct yaml *node, struct err *err)
{
	struct label *label = &target->labels[target->label_count++];
	char shown[64];

	if (!text_name_ok(node->key, strlen(node->key)))
		return yaml_key_error(node, err, "'%s' is not a good name for a label",
			text_clean(shown, sizeof(shown), node->key, strlen(node->key)));
	label->name = strdup(node->key);
	return label->name ? keep(node, TARGET_TEXT_MAX, &label->value, err) : no_memory(err);
}

static int load_labels(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	(void)loading;
	const struct yaml *labels = yaml_get(node, "labels");
	if (!labels)
		return 0;
	if (labels->kind != YAML_MAP)
		return yaml_error(labels, err, "expected a map of labels");
	if (labels->count > TARGET_LABELS_MAX)
		return yaml_error(labels, err, "more than %d labels", TARGET_LABELS_MAX);
	slot->target.labels = calloc(labels->count + 1, sizeof(*slot->target.labels));
	int rc = slot->target.labels ? 0 : no_memory(err);
	for (const struct yaml *child = labels->child; rc == 0 && child; child = child->next)
		rc = load_label(&slot->target, child, err);
	return rc;
}

/* One pinned key, in the form in which keys are compared: "type base64". */
static int normal_key(char **line, const struct yaml *node, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	BUF_CLEANUP struct buf out = BUF_INIT(KEY_LINE_MAX);
	struct err why = { 0 };

	if (sshkey_from_line(*line, &key, &why) < 0)
		return yaml_error(node, err, "host key: %s", why.text);
	if (sshkey_line(key, NULL, &out) < 0)
		return no_memory(err);
	const char *text = buf_cstr(&out);
	char *copy = text ? strdup(text) : NULL;
	if (!copy)
		return no_memory(err);
	free(*line);
	*line = copy;
	return 0;
}

static int load_host_keys(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	(void)loading;
	const struct yaml *keys = yaml_get(node, "host_keys");
	struct target *target = &slot->target;
	if (!keys) {
		target->host_keys = calloc(1, sizeof(*target->host_keys));
		return target->host_keys ? 0 : no_memory(err);
	}
	int rc = yaml_strings(keys, TARGET_HOST_KEYS_MAX, KEY_LINE_MAX, &target->host_keys, err);
	const struct yaml *child = keys->kind == YAML_LIST ? keys->child : keys;
	for (char **line = target->host_keys; rc == 0 && *line; line++, child = child->next)
		rc = normal_key(line, child, err);
	return rc;
}

static const char *known_hosts_find(const struct targets *targets, const char *path)
{
	for (size_t i = 0; i < targets->known_hosts_count; i++)
		if (strcmp(targets->known_hosts[i].path, path) == 0)
			return targets->known_hosts[i].text;
	return NULL;
}

/* Thousands of targets may name one file: there is one copy. */
static int known_hosts_add(struct targets *targets, const char *path, struct bytes file,
	const char **ret, struct err *err)
{
	struct known_hosts *grown =
		reallocarray(targets->known_hosts, targets->known_hosts_count + 1, sizeof(*grown));

	if (!grown)
		return no_memory(err);
	targets->known_hosts = grown;
	grown += targets->known_hosts_count;
	*grown = (struct known_hosts){ strdup(path), text_dup(file.data, file.len) };
	targets->known_hosts_count++;
	*ret = grown->text;
	return grown->path && grown->text ? 0 : no_memory(err);
}

static int load_host_keys_file(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	const struct yaml *path_node = yaml_get(node, "host_keys_file");
	struct target *target = &slot->target;
	const char *path = NULL;
	struct bytes file = { 0 };
	struct err why = { 0 };

	if (!path_node)
		return 0;
	int rc = yaml_text(path_node, PATH_LEN, &path, err);
	if (rc < 0)
		return rc;
	target->known_hosts_path = files_resolve(loading->files, path);
	if (!target->known_hosts_path)
		return no_memory(err);
	target->known_hosts = known_hosts_find(loading->targets, target->known_hosts_path);
	if (target->known_hosts)
		return 0;
	if (files_read(loading->files, path, TARGET_KNOWN_HOSTS_MAX, &file, &why) < 0)
		return yaml_error(path_node, err, "target '%s': %s", target->name, why.text);
	/* it would hide the lines behind it */
	if (memchr(file.data ? file.data : (const uint8_t *)"", '\0', file.len))
		return yaml_error(path_node, err, "target '%s': '%s' holds a NUL character",
			target->name, path);
	return known_hosts_add(
		loading->targets, target->known_hosts_path, file, &target->known_hosts, err);
}

static int check_pinned(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	if (!loading->sketch && !slot->target.known_hosts && !slot->target.host_keys[0])
		return yaml_error(node, err,
			"target '%s': neither 'host_keys' nor 'host_keys_file': its host key must "
			"be pinned",
			slot->target.name);
	return 0;
}

static int load_credential(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	static const char *const names[] = {
		[TARGET_CERTIFICATE] = "certificate",
		[TARGET_KEY] = "key",
		[TARGET_PASSWORD] = "password_file",
	};
	const struct yaml *credential = yaml_get(node, "credential");
	struct target *target = &slot->target;

	if (!credential && loading->sketch)
		return 0;
	if (!credential)
		return yaml_error(node, err, "target '%s': 'credential' is missing", target->name);
	int rc = policy_only(credential, "targets[].credential", err);
	if (rc < 0)
		return rc;
	if (credential->count != 1)
		return yaml_error(credential, err,
			"target '%s': exactly one of certificate, key, password_file",
			target->name);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(credential->child->key, names[i]) == 0)
			target->credential = (enum target_credential)i;
	rc = keep(credential->child, PATH_LEN, &target->credential_name, err);
	if (rc < 0 || target->credential != TARGET_PASSWORD)
		return rc;
	char *full = files_resolve(loading->files, target->credential_name);
	free(target->credential_name);
	target->credential_name = full;
	return full ? 0 : no_memory(err);
}

static bool algorithm_ok(const char *name)
{
	return name[strspn(name,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+")] ==
	       '\0';
}

static int load_crypto(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	(void)loading;
	const struct yaml *crypto = yaml_get(node, "crypto");
	if (!crypto)
		return 0;
	int rc = policy_only(crypto, "targets[].crypto", err);
	if (rc < 0)
		return rc;
	const struct yaml *allow = yaml_get(crypto, "allow");
	if (!allow)
		return yaml_error(crypto, err, "'allow' is missing");
	rc = yaml_strings(allow, TARGET_ALLOW_MAX, 64, &slot->target.crypto_allow, err);
	for (char **name = slot->target.crypto_allow; rc == 0 && *name; name++)
		if (!algorithm_ok(*name))
			return yaml_error(allow, err, "target '%s': not a name of an algorithm",
				slot->target.name);
	return rc;
}

static int load_family(
	struct loading *loading, struct target_slot *slot, const struct yaml *node, struct err *err)
{
	(void)loading;
	const struct yaml *family = yaml_get(node, "family");
	if (!family)
		return 0;
	int rc = keep(family, 8, &slot->target.family, err);
	if (rc < 0)
		return rc;
	const char *text = slot->target.family;
	if (strcmp(text, "any") != 0 && strcmp(text, "ipv4") != 0 && strcmp(text, "ipv6") != 0)
		return yaml_error(family, err, "expected any, ipv4 or ipv6");
	return 0;
}

static int (*const steps[])(
	struct loading *, struct target_slot *, const struct yaml *, struct err *) = {
	load_name,
	load_address,
	load_labels,
	load_host_keys,
	load_host_keys_file,
	check_pinned,
	load_credential,
	load_crypto,
	load_family,
};

static int load_one(struct loading *loading, const struct yaml *node, struct err *err)
{
	struct target_slot *slot = &loading->targets->slots[loading->targets->count++];
	int rc = policy_only(node, "targets[]", err);

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](loading, slot, node, err);
	if (rc == 0 && !slot->target.crypto_allow) {
		slot->target.crypto_allow = calloc(1, sizeof(char *));
		rc = slot->target.crypto_allow ? 0 : no_memory(err);
	}
	return rc;
}

static int by_lower(const void *a, const void *b)
{
	const struct target_slot *x = *(const struct target_slot *const *)a,
				 *y = *(const struct target_slot *const *)b;
	int order = strcmp(x->lower, y->lower);

	return order != 0 ? order : (x > y) - (x < y);
}

/* Sorts all names, refuses one that is there twice, then keeps the exact ones as the index. */
static int build_index(struct targets *targets, const struct yaml *list, struct err *err)
{
	targets->exact = calloc(targets->count + 1, sizeof(*targets->exact));
	if (!targets->exact)
		return no_memory(err);
	for (size_t i = 0; i < targets->count; i++)
		targets->exact[i] = &targets->slots[i];
	qsort(targets->exact, targets->count, sizeof(*targets->exact), by_lower);
	for (size_t i = 1; i < targets->count; i++)
		if (strcmp(targets->exact[i - 1]->lower, targets->exact[i]->lower) == 0)
			return err_set(err, -EINVAL,
				"%s:%u: target '%s' is there twice: first in line %u", list->file,
				targets->exact[i]->line, targets->exact[i]->target.name,
				targets->exact[i - 1]->line);
	for (size_t i = 0; i < targets->count; i++)
		if (!targets->exact[i]->pattern)
			targets->exact[targets->exact_count++] = targets->exact[i];
	return 0;
}

static int load_all(struct loading *loading, const struct yaml *list, struct err *err)
{
	if (!list)
		return 0;
	if (list->kind != YAML_LIST)
		return yaml_error(list, err, "expected a list of targets");
	if (list->count > TARGET_COUNT_MAX)
		return yaml_error(list, err, "more than %d targets", TARGET_COUNT_MAX);
	loading->targets->slots = calloc(list->count + 1, sizeof(*loading->targets->slots));
	int rc = loading->targets->slots ? 0 : no_memory(err);
	for (const struct yaml *child = list->child; rc == 0 && child; child = child->next)
		rc = load_one(loading, child, err);
	return rc < 0 ? rc : build_index(loading->targets, list, err);
}

int targets_load(const struct yaml *list, struct files *files, bool sketch, struct targets **ret,
	struct err *err)
{
	struct loading loading = { calloc(1, sizeof(struct targets)), files, sketch };
	int rc = loading.targets ? load_all(&loading, list, err) : no_memory(err);

	if (rc < 0) {
		targets_free(loading.targets);
		return rc;
	}
	*ret = loading.targets;
	return 0;
}
