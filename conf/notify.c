/* Where notifications go: a command that is run without a shell, and a webhook, with the
 * authorities for its TLS certificate. See conf/notify.h. */
#include "conf/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/url.h"
#include "conf/provider.h"

int conf_notify_command_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	(void)files;
	int rc = yaml_strings(
		node, CONF_NOTIFY_ARGS_MAX, CONF_NOTIFY_ARG_LEN, &conf->notify_command, err);
	if (rc < 0)
		return rc;
	size_t total = 0;
	for (char **arg = conf->notify_command; *arg; arg++)
		total += strlen(*arg) + 1;
	if (total > CONF_NOTIFY_BYTES_MAX)
		return yaml_error(
			node, err, "the command is longer than %d bytes", CONF_NOTIFY_BYTES_MAX);
	if (conf->notify_command[0] && conf->notify_command[0][0] != '/')
		return yaml_error(node, err,
			"the command must begin with the absolute path of a program: no shell "
			"looks for it");
	return 0;
}

int conf_notify_command_dump(const struct conf *conf, struct buf *out)
{
	return yaml_put_texts(out, conf->notify_command);
}

void conf_notify_command_release(struct conf *conf)
{
	text_list_free(conf->notify_command);
}

/* Notifications contain people, targets and commands: they are sent without TLS only to this
 * machine. */
int conf_notify_webhook_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	(void)files;
	const char *text = NULL;
	struct err why = { 0 };
	int rc = yaml_text(node, URL_MAX, &text, err);
	if (rc < 0)
		return rc;
	if (url_check(text, true, NULL, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	conf->notify_webhook = strdup(text);
	return conf->notify_webhook ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int conf_notify_webhook_dump(const struct conf *conf, struct buf *out)
{
	return conf->notify_webhook ? yaml_put_text(out, conf->notify_webhook)
				    : buf_puts(out, "null");
}

void conf_notify_webhook_release(struct conf *conf)
{
	free(conf->notify_webhook);
}

int conf_notify_ca_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err)
{
	const char *text = NULL;
	struct bytes pem = { 0 };
	struct err why = { 0 };
	int rc = yaml_text(node, CONF_NOTIFY_ARG_LEN, &text, err);

	if (rc < 0)
		return rc;
	conf->notify_ca_file = files_resolve(files, text);
	if (!conf->notify_ca_file)
		return yaml_error(node, err, "the path is too long");
	if (files_read(files, conf->notify_ca_file, CONF_CA_SIZE_MAX, &pem, &why) < 0)
		return yaml_error(node, err, "%s", why.text);
	if (conf_pem_check(pem, &why) < 0)
		return yaml_error(node, err, "'%s' %s", conf->notify_ca_file, why.text);
	conf->notify_ca = text_dup(pem.data, pem.len);
	return conf->notify_ca ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int conf_notify_ca_dump(const struct conf *conf, struct buf *out)
{
	return conf->notify_ca_file ? yaml_put_text(out, conf->notify_ca_file)
				    : buf_puts(out, "null");
}

void conf_notify_ca_release(struct conf *conf)
{
	free(conf->notify_ca_file), free(conf->notify_ca);
}
