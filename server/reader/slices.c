/* See slices.h. */
#include "server/reader/slices.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "conf/provider.h"

#define CONTROL_GROUP "bartizan"

/* The roles' headers know nothing of conf/ and policy/: here both sides meet. */
_Static_assert(SIGNER_KEYS_MAX >= CONF_KEYS_MAX, "a slice holds every key");
_Static_assert(SIGNER_PASSWORDS_MAX >= TARGET_COUNT_MAX, "a slice holds every password file");
_Static_assert(EGRESS_PROVIDERS_MAX >= CONF_PROVIDERS_MAX, "a slice holds every provider");
_Static_assert(EGRESS_SCOPES_MAX >= CONF_SCOPES_MAX, "a slice holds every scope");
_Static_assert(EGRESS_CA_MAX >= CONF_CA_SIZE_MAX, "a slice holds every file of authorities");

static uint32_t limit32(int64_t value)
{
	if (value < 0)
		return 0;
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* ---- the listener's ---- */

/* Only root can become somebody else, and only root has to: for an ordinary user run_as is there
 * for the day when it is root who starts the gateway. */
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

static int listener_fill(const struct conf *conf, struct listener_conf *slice, struct err *err)
{
	struct group *group = getgrnam(CONTROL_GROUP);
	int level = conf->log_level ? log_level_parse(conf->log_level) : LOG_INFO_;

	*slice = (struct listener_conf){
		.host_key = conf->host_key,
		.state_dir = conf->state_dir,
		.control_socket = conf->control_socket,
		.run_as = conf->run_as,
		.control_gid = group ? group->gr_gid : UINT32_MAX,
		.unauthenticated = limit32(conf->unauthenticated),
		.unauthenticated_per_source = limit32(conf->unauthenticated_per_source),
		.connections = limit32(conf->connections),
		.drain_ms = conf->drain,
		.log_level = level < 0 ? LOG_INFO_ : (uint32_t)level,
		.notify = conf->notify_command,
	};
	slice->session = (struct session_conf){
		.login_time_ms = limit32(conf->login_time),
		.login_attempts = limit32(conf->login_attempts),
		.channels = limit32(conf->channels),
		.legs = limit32(conf->targets_per_connection),
		.keepalive_s = limit32(conf->keepalive / 1000),
		.crypto = conf->crypto,
		.verbose = slice->log_level == LOG_DEBUG_,
	};
	for (; slice->listen_count < conf->listen_count && slice->listen_count < CONF_LISTEN_MAX;
		slice->listen_count++)
		slice->listen[slice->listen_count] = conf->listen_addr[slice->listen_count];
	for (; slice->proxy_count < conf->proxy_from_count && slice->proxy_count < CONF_NETS_MAX;
		slice->proxy_count++)
		slice->proxy[slice->proxy_count] = conf->proxy_from[slice->proxy_count];
	return user_find(conf, slice, err);
}

/* ---- the signer's ---- */

/* The configuration keeps the texts, const because they are not the slice's to change. */
static char *borrowed(const char *text)
{
	return (char *)(uintptr_t)text;
}

static int signer_fill(const struct config *config, struct signer_conf *slice, struct err *err)
{
	const struct conf *conf = config->conf;
	size_t targets = targets_count(config->targets), count = 0;

	*slice = (struct signer_conf){ .issuing_key = conf->issuing_key };
	for (; slice->key_count < conf->key_count; slice->key_count++)
		slice->keys[slice->key_count] = (struct signer_key){
			.name = conf->keys[slice->key_count].name,
			.file = conf->keys[slice->key_count].file,
		};
	slice->passwords = calloc(targets + 1, sizeof(*slice->passwords));
	if (!slice->passwords)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < targets; i++) {
		const struct target *target = targets_at(config->targets, i);

		if (target->credential == TARGET_PASSWORD)
			slice->passwords[count++] = borrowed(target->credential_name);
	}
	return 0;
}

/* ---- egress's ---- */

static void egress_fill(const struct conf *conf, struct egress_conf *slice)
{
	*slice = (struct egress_conf){
		.keepalive_s = limit32(conf->keepalive / 1000),
		.webhook = conf->notify_webhook,
		.webhook_ca = conf->notify_ca,
		.webhook_headers = conf->notify_headers,
	};
	for (; slice->provider_count < conf->provider_count; slice->provider_count++) {
		const struct conf_provider *provider = &conf->providers[slice->provider_count];

		slice->providers[slice->provider_count] = (struct egress_provider){
			.name = provider->name,
			.issuer = provider->issuer,
			.client_id = provider->client_id,
			.client_secret_file = provider->client_secret_file,
			.ca = provider->ca,
			.scopes = provider->scopes,
			.allow_http = provider->allow_http,
			.connect_time = provider->connect_time,
			.answer_time = provider->answer_time,
			.jwks_refresh = provider->jwks_refresh,
		};
	}
}

int slices_make(const struct config *config, struct slices *ret, struct err *err)
{
	struct slices slices = { 0 };
	int rc = listener_fill(config->conf, &slices.listener, err);

	rc = rc < 0 ? rc : signer_fill(config, &slices.signer, err);
	if (rc < 0)
		return rc;
	egress_fill(config->conf, &slices.egress);
	*ret = slices;
	return 0;
}

void slices_release(struct slices *slices)
{
	free(slices->signer.passwords);
	slices->signer.passwords = NULL;
}
