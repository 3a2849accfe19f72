/* One configuration: read, checked as a whole, or refused as a whole. See config.h. */
#include "policy/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct config_unsupported config_unsupported[] = {
	{ "rules[]", "mask" },
	{ NULL, NULL },
};

void config_free(struct config *config)
{
	if (!config)
		return;
	conf_free(config->conf);
	targets_free(config->targets);
	ruleset_free(config->ruleset);
	free(config);
}

void config_freep(struct config **config)
{
	config_free(*config);
	*config = NULL;
}

/* The node of the n-th target: positions for what is found after loading. */
static const struct yaml *target_node(const struct yaml *root, size_t n)
{
	const struct yaml *node = yaml_get(root, "targets")->child;

	while (n-- > 0)
		node = node->next;
	return yaml_get(node, "credential");
}

static int check_credentials(const struct config *config, const struct yaml *root, struct err *err)
{
	for (size_t i = 0; i < targets_count(config->targets); i++) {
		const struct target *target = targets_at(config->targets, i);
		if (target->credential != TARGET_PASSWORD &&
			!conf_key_find(config->conf, target->credential_name))
			return yaml_error(target_node(root, i)->child, err,
				"target '%s': there is no key '%s' in 'keys'", target->name,
				target->credential_name);
	}
	return 0;
}

static int check_break_glass(const struct config *config, const struct yaml *root, struct err *err)
{
	const char *role = config->conf->break_glass;

	if (role && !ruleset_has_role(config->ruleset, role))
		return yaml_error(yaml_get(yaml_get(root, "transcripts"), "break_glass"), err,
			"there is no role '%s'", role);
	return 0;
}

/* Nothing but nothing in it, as in what `bartizand -T` prints: asks for nothing. */
static bool asks_nothing(const struct yaml *node)
{
	if (node->kind == YAML_SCALAR)
		return yaml_is_null(node);
	for (const struct yaml *child = node->child; child; child = child->next)
		if (!asks_nothing(child))
			return false;
	return true;
}

static int refuse_in(const struct yaml *map, const char *prefix, struct err *err)
{
	for (const struct config_unsupported *row = config_unsupported; row->key; row++) {
		const struct yaml *node =
			strcmp(row->prefix, prefix) == 0 ? yaml_get(map, row->key) : NULL;
		if (node && (*prefix || !asks_nothing(node)))
			return yaml_key_error(
				node, err, "'%s' is not supported by this version", row->key);
	}
	return 0;
}

static int refuse_unsupported(const struct yaml *root, struct err *err)
{
	const struct yaml *rules = yaml_get(root, "rules");
	int rc = refuse_in(root, "", err);

	for (const struct yaml *rule = rules ? rules->child : NULL; rc == 0 && rule;
		rule = rule->next)
		rc = refuse_in(rule, "rules[]", err);
	return rc;
}

static int load(
	struct config *config, const struct yaml *root, struct files *files, struct err *err)
{
	int rc = conf_load(root, files, &config->conf, err);

	if (rc == 0)
		rc = targets_load(yaml_get(root, "targets"), files, false, &config->targets, err);
	if (rc == 0)
		rc = ruleset_load(root, config->targets, files, &config->ruleset, err);
	if (rc == 0)
		rc = check_credentials(config, root, err);
	return rc < 0 ? rc : check_break_glass(config, root, err);
}

static int read_config(
	struct files *files, const char *path, bool all, struct config **ret, struct err *err)
{
	struct bytes text = { 0 };
	struct yaml *root = NULL;
	int rc = files_read(files, path, YAML_SIZE_MAX, &text, err);

	if (rc == 0)
		rc = yaml_parse(path, text, &root, err);
	if (rc < 0)
		return rc;
	CONFIG_CLEANUP struct config *config = calloc(1, sizeof(*config));
	rc = config ? 0 : err_set(err, -ENOMEM, "out of memory");
	if (rc == 0 && !all)
		rc = refuse_unsupported(root, err);
	if (rc == 0)
		rc = load(config, root, files, err);
	yaml_free(root);
	if (rc < 0)
		return rc;
	*ret = config;
	config = NULL;
	return 0;
}

int config_load(struct files *files, const char *path, struct config **ret, struct err *err)
{
	return read_config(files, path, false, ret, err);
}

int config_load_all(struct files *files, const char *path, struct config **ret, struct err *err)
{
	return read_config(files, path, true, ret, err);
}

int config_dump(const struct config *config, struct buf *out)
{
	int rc = conf_dump(config->conf, out);

	if (rc == 0)
		rc = targets_dump(config->targets, out);
	return rc < 0 ? rc : ruleset_dump(config->ruleset, out);
}
