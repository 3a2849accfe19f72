/* The settings of a login: the options, else client.yaml, a small map that people or their
 * administrators write.
 *
 * $XDG_CONFIG_HOME/bartizan/client.yaml, else ~/.config/bartizan/client.yaml; it may be absent
 * unless it was named. It contains no secret. */
#include "cli/login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/fd.h"
#include "common/text.h"
#include "common/url.h"
#include "conf/provider.h"
#include "conf/yaml.h"

static const char *const keys[] = { "gateway", "port", "issuer", "client_id", "ca_file", "scopes",
	"user", "ssh_config", "callback_port", NULL };
static const char *const default_scopes[] = { "openid", "email", "profile", NULL };

/* ---- the file ---- */

struct source { /* of values: an option wins over the file */
	const struct yaml *root;
	const char *path; /* of the file */
};

static char *default_path(void)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int rc = -1;

	if (base && *base == '/')
		rc = asprintf(&path, "%s/bartizan/client.yaml", base);
	else if (home && *home == '/')
		rc = asprintf(&path, "%s/.config/bartizan/client.yaml", home);
	return rc < 0 ? NULL : path;
}

static int read_file(const char *path, bool named, struct yaml **ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(YAML_SIZE_MAX);
	int rc = fd_read_file(AT_FDCWD, path, YAML_SIZE_MAX, &text, err);

	if (rc == -ENOENT && !named)
		return 0;
	struct yaml *root = NULL;
	if (!rc)
		rc = yaml_parse(path, buf_bytes(&text), &root, err);
	if (!rc && !yaml_is_null(root) && root->kind != YAML_MAP)
		rc = yaml_error(root, err, "expected a map of keys");
	if (!rc && root && root->kind == YAML_MAP)
		rc = yaml_only(root, keys, err);
	if (rc)
		yaml_free(root);
	else
		*ret = root;
	return rc;
}

/* One text: from the option, else from the file. *ret NULL: from neither. */
static int take(
	const struct source *from, const char *option, const char *key, char **ret, struct err *err)
{
	const struct yaml *node = yaml_get(from->root, key);
	const char *text = option;
	int rc = option || !node ? 0 : yaml_text(node, LOGIN_TEXT_MAX, &text, err);

	if (rc || !text)
		return rc;
	*ret = strdup(text);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* A path in the file is relative to the file. */
static int take_path(
	const struct source *from, const char *option, const char *key, char **ret, struct err *err)
{
	FREE_CLEANUP char *text = NULL;
	int rc = take(from, option, key, &text, err);

	if (rc || !text)
		return rc;
	const char *slash = option || *text == '/' ? NULL : strrchr(from->path, '/');
	int folder = slash ? (int)(slash + 1 - from->path) : 0;
	if (asprintf(ret, "%.*s%s", folder, from->path, text) < 0) {
		*ret = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* ---- one rule for each value ---- */

static int take_gateway(const struct source *from, const struct login_options *options,
	struct login_conf *conf, struct err *err)
{
	FREE_CLEANUP char *text = NULL;
	char host[ADDR_HOST_MAX];
	int64_t port = 0;
	const struct yaml *node = options->gateway ? NULL : yaml_get(from->root, "port");
	int rc = take(from, options->gateway, "gateway", &text, err);

	if (!rc && !text)
		return err_set(err, -EINVAL,
			"the gateway is not known: name it with '--gateway', or as 'gateway' in "
			"'%s'",
			from->path);
	if (!rc && node)
		rc = yaml_int(node, 1, 65535, &port, err);
	if (!rc && (addr_split_host_port(text, (uint16_t)port, host, &conf->port, err) ||
			   !text_target_ok(host, strlen(host))))
		rc = err_set(
			err, -EINVAL, "'%.255s' is not a gateway: a host name, or host:port", text);
	if (rc)
		return rc;
	conf->gateway = strdup(host);
	return conf->gateway ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int take_callback(const struct source *from, const struct login_options *options,
	struct login_conf *conf, struct err *err)
{
	int64_t port = options->callback_port;
	const struct yaml *node = port ? NULL : yaml_get(from->root, "callback_port");
	int rc = node ? yaml_int(node, 1, 65535, &port, err) : 0;

	conf->callback_port = (uint16_t)port;
	return rc;
}

static int take_issuer(const struct source *from, const struct login_options *options,
	struct login_conf *conf, struct err *err)
{
	int rc = take(from, options->issuer, "issuer", &conf->issuer, err);

	if (rc || !conf->issuer)
		return rc;
	size_t len = strlen(conf->issuer), suffix = strlen(CONF_ISSUER_SUFFIX);
	if (len > suffix && !strcmp(conf->issuer + len - suffix, CONF_ISSUER_SUFFIX))
		conf->issuer[len - suffix] = 0;
	rc = url_check(conf->issuer, false, NULL, err);
	return rc ? err_prefix(err, rc, "issuer '%.255s'", conf->issuer) : 0;
}

static int take_user(const struct source *from, const struct login_options *options,
	struct login_conf *conf, struct err *err)
{
	int rc = take(from, options->user, "user", &conf->user, err);

	if (!rc && conf->user && !text_name_ok(conf->user, strlen(conf->user)))
		rc = err_set(err, -EINVAL, "'%.255s' is not a user name", conf->user);
	return rc;
}

static int take_ca(const struct source *from, const struct login_options *options,
	struct login_conf *conf, struct err *err)
{
	FREE_CLEANUP char *path = NULL;
	int rc = take_path(from, options->ca_file, "ca_file", &path, err);

	if (!rc && path)
		rc = fd_read_file(AT_FDCWD, path, LOGIN_CA_MAX - 1, &conf->ca, err);
	if (!rc && path &&
		(!buf_cstr(&conf->ca) ||
			!strstr(buf_cstr(&conf->ca), "-----BEGIN CERTIFICATE-----")))
		rc = err_set(err, -EINVAL, "'%s' holds no certificate in PEM", path);
	return rc;
}

static int copy_scopes(const char *const *list, size_t count, char ***ret)
{
	*ret = calloc(count + 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < count; i++)
		if (!((*ret)[i] = strdup(list[i])))
			return -ENOMEM;
	return *ret ? 0 : -ENOMEM;
}

static int take_scopes(const struct source *from, const struct login_options *options,
	struct login_conf *conf, struct err *err)
{
	const struct yaml *node = options->scopes.count ? NULL : yaml_get(from->root, "scopes");

	if (node)
		return yaml_strings(node, LOGIN_SCOPES_MAX, 255, &conf->scopes, err);
	const char *const *list = options->scopes.count ? options->scopes.items : default_scopes;
	size_t count = options->scopes.count
			       ? options->scopes.count
			       : sizeof(default_scopes) / sizeof(default_scopes[0]) - 1;
	return copy_scopes(list, count, &conf->scopes) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

/* ---- all ---- */

void login_conf_release(struct login_conf *conf)
{
	free(conf->gateway), free(conf->issuer), free(conf->client_id), free(conf->user),
		free(conf->ssh_config);
	text_list_free(conf->scopes);
	buf_release(&conf->ca);
	*conf = (struct login_conf){ 0 };
}

int login_conf_load(const struct login_options *options, struct login_conf *ret, struct err *err)
{
	FREE_CLEANUP char *path =
		options->client_config ? strdup(options->client_config) : default_path();
	LOGIN_CONF_CLEANUP struct login_conf conf = { .ca = BUF_INIT(LOGIN_CA_MAX) };
	struct yaml *root = NULL;
	int rc = path ? read_file(path, options->client_config, &root, err) : 0;
	const struct source from = { root, path ? path : "client.yaml" };

	if (!rc)
		rc = take_gateway(&from, options, &conf, err);
	if (!rc)
		rc = take_issuer(&from, options, &conf, err);
	if (!rc)
		rc = take_callback(&from, options, &conf, err);
	if (!rc)
		rc = take(&from, options->client_id, "client_id", &conf.client_id, err);
	if (!rc)
		rc = take_user(&from, options, &conf, err);
	if (!rc)
		rc = take_path(&from, options->ssh_config, "ssh_config", &conf.ssh_config, err);
	if (!rc)
		rc = take_ca(&from, options, &conf, err);
	if (!rc)
		rc = take_scopes(&from, options, &conf, err);
	yaml_free(root);
	if (rc)
		return rc;
	*ret = conf;
	conf = (struct login_conf){ 0 };
	return 0;
}

const char *login_gateway(const struct login_conf *conf, char out[static LOGIN_GATEWAY_MAX])
{
	bool six = strchr(conf->gateway, ':');

	if (conf->port)
		snprintf(out, LOGIN_GATEWAY_MAX, six ? "[%s]:%u" : "%s:%u", conf->gateway,
			conf->port);
	else
		snprintf(out, LOGIN_GATEWAY_MAX, "%s", conf->gateway);
	return out;
}
