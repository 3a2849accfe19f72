/* The reader's work: from a configuration file to the slices that each role may know. See make.h.
 */
#include "server/reader/make.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/files.h"
#include "common/ipc.h"
#include "common/ipc_msg.h"
#include "common/log.h"
#include "policy/config.h"
#include "server/signer/keyring.h"

#define CONTROL_GROUP "bartizan"

/* Only root can change, and only root must: as an ordinary user the line is there for the day it
 * runs as root. */
static int user_find(const struct conf *conf, struct listener_conf *slice, struct err *err)
{
	struct passwd *user;

	slice->uid = slice->gid = UINT32_MAX;
	if (geteuid() != 0 || !conf->run_as || !*conf->run_as)
		return 0;
	errno = 0;
	user = getpwnam(conf->run_as);
	if (!user)
		return err_set(err, -ENOENT, "run_as: no user '%s' on this machine%s%s",
			conf->run_as, errno ? ": " : "", errno ? strerror(errno) : "");
	if (user->pw_uid == 0)
		return err_set(err, -EPERM, "run_as: '%s' is root", conf->run_as);
	slice->uid = user->pw_uid;
	slice->gid = user->pw_gid;
	return 0;
}

static int texts_copy(const struct conf *conf, struct listener_conf *slice, struct err *err)
{
	const struct {
		char **to;
		const char *from;
	} copies[] = {
		{ &slice->host_key, conf->host_key },
		{ &slice->state_dir, conf->state_dir },
		{ &slice->control_socket, conf->control_socket },
		{ &slice->run_as, conf->run_as },
	};

	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		if (!(*copies[i].to = strdup(copies[i].from ? copies[i].from : "")))
			return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int notify_copy(const struct conf *conf, struct listener_conf *slice)
{
	size_t count = 0;

	while (conf->notify_command && conf->notify_command[count])
		count++;
	slice->notify = calloc(count + 1, sizeof(*slice->notify));
	for (size_t i = 0; slice->notify && i < count; i++)
		if (!(slice->notify[i] = strdup(conf->notify_command[i])))
			return -ENOMEM;
	return slice->notify ? 0 : -ENOMEM;
}

static uint32_t limit32(int64_t value)
{
	return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static int listener_conf_fill(const struct conf *conf, struct listener_conf *slice, struct err *err)
{
	struct group *group = getgrnam(CONTROL_GROUP);
	int level = conf->log_level ? log_level_parse(conf->log_level) : LOG_INFO_;

	slice->control_gid = group ? group->gr_gid : UINT32_MAX;
	slice->unauthenticated = limit32(conf->unauthenticated);
	slice->unauthenticated_per_source = limit32(conf->unauthenticated_per_source);
	slice->connections = limit32(conf->connections);
	slice->drain_ms = conf->drain;
	slice->log_level = level < 0 ? LOG_INFO_ : (uint32_t)level;
	slice->session = (struct session_conf){
		.login_time_ms = limit32(conf->login_time),
		.login_attempts = limit32(conf->login_attempts),
		.channels = limit32(conf->channels),
		.legs = limit32(conf->targets_per_connection),
		.keepalive_s = limit32(conf->keepalive / 1000),
		.crypto = conf->crypto,
		.verbose = slice->log_level == LOG_DEBUG_,
	};
	if (notify_copy(conf, slice) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	for (; slice->listen_count < conf->listen_count && slice->listen_count < CONF_LISTEN_MAX;
		slice->listen_count++)
		slice->listen[slice->listen_count] = conf->listen_addr[slice->listen_count];
	for (; slice->proxy_count < conf->proxy_from_count && slice->proxy_count < CONF_NETS_MAX;
		slice->proxy_count++)
		slice->proxy[slice->proxy_count] = conf->proxy_from[slice->proxy_count];
	int rc = texts_copy(conf, slice, err);
	return rc < 0 ? rc : user_find(conf, slice, err);
}

/* Private keys are loaded and thrown away: what is wrong with them is to be known now, not when the
 * signer starts. */
static int keys_check(const struct config *config, struct err *err)
{
	struct sshkey *host SSHKEY_CLEANUP = NULL;
	struct keyring *keyring = NULL;
	int rc = keyring_load(config, &keyring, err);

	keyring_free(keyring);
	if (rc < 0)
		return rc;
	rc = keyring_read_key(AT_FDCWD, config->conf->host_key, &host, err);
	if (rc == 0 && strcmp(sshkey_type(host), "ssh-ed25519") != 0)
		rc = err_set(err, -EINVAL, "'%s' is a %s key, but must be ssh-ed25519",
			config->conf->host_key, sshkey_type(host));
	return rc < 0 ? err_prefix(err, rc, "host_key") : 0;
}

static int config_check(struct files *files, struct config *config, struct listener_conf **ret,
	int *ret_bundle, struct buf *dump, struct err *err)
{
	struct listener_conf *slice = calloc(1, sizeof(*slice));
	int rc = slice ? keys_check(config, err) : err_set(err, -ENOMEM, "out of memory");

	rc = rc < 0 ? rc : listener_conf_fill(config->conf, slice, err);
	if (rc == 0 && dump && config_dump(config, dump) < 0)
		rc = err_set(err, -ENOMEM, "the configuration is too large to show");
	if (rc == 0 && ret_bundle)
		rc = files_bundle(files, ret_bundle, err);
	if (rc < 0) {
		listener_conf_free(slice);
		return rc;
	}
	*ret = slice;
	return 0;
}

int reader_check(const char *path, struct listener_conf **ret, int *ret_bundle, struct buf *dump,
	struct err *err)
{
	struct files *files = files_from_disk();
	struct config *config = NULL;
	int rc = files ? config_load(files, path, &config, err)
		       : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = config_check(files, config, ret, ret_bundle, dump, err);
	config_free(config);
	files_free(files);
	return rc;
}

int reader_main(const char *path, int fd)
{
	struct buf body BUF_CLEANUP = BUF_INIT(LISTENER_CONF_SIZE_MAX);
	struct listener_conf *slice = NULL;
	struct err err = { "" };
	int bundle FD_CLEANUP = -1, rc;

	rc = reader_check(path, &slice, &bundle, NULL, &err);
	if (rc == 0 && listener_conf_encode(slice, &body) < 0)
		rc = err_set(&err, -EMSGSIZE, "the configuration is too large");
	listener_conf_free(slice);
	if (rc < 0)
		return role_report_failed(fd, err.text) < 0;
	struct ipc *link = ipc_new(dup(fd));
	rc = link ? ipc_send_raw(link, IPC_READY, 0, buf_bytes(&body), &bundle, 1) : -ENOMEM;
	ipc_free(link);
	return rc < 0;
}
