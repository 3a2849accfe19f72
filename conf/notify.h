/* notify.command, webhook and ca_file: how they are read, written and freed. Rows of
 * conf/special.c; used by it alone. */
#ifndef BARTIZAN_CONF_NOTIFY_H
#define BARTIZAN_CONF_NOTIFY_H

#include "conf/conf.h"

int conf_notify_command_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err);
int conf_notify_command_dump(const struct conf *conf, struct buf *out);
void conf_notify_command_release(struct conf *conf);

int conf_notify_webhook_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err);
int conf_notify_webhook_dump(const struct conf *conf, struct buf *out);
void conf_notify_webhook_release(struct conf *conf);

int conf_notify_ca_load(
	struct conf *conf, const struct yaml *node, struct files *files, struct err *err);
int conf_notify_ca_dump(const struct conf *conf, struct buf *out);
void conf_notify_ca_release(struct conf *conf);

#endif
