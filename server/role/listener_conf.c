/* See listener_conf.h. */
#include "server/role/listener_conf.h"

#define CONF struct listener_conf

static const struct slice_field net_fields[] = {
	SLICE(ADDR, struct net, base, 0),
	SLICE(U32, struct net, bits, 128),
};
static const struct slice_field addr_fields[] = { { SLICE_ADDR, 0, 0, 0, NULL } };

static const struct slice_shape net_shape = SLICE_SHAPE(struct net, net_fields);
static const struct slice_shape addr_shape = SLICE_SHAPE(struct addr, addr_fields);

static const struct slice_field fields[] = {
	SLICE(TEXT, CONF, host_key, SLICE_TEXT_MAX),
	SLICE(TEXT, CONF, state_dir, SLICE_TEXT_MAX),
	SLICE(TEXT, CONF, control_socket, SLICE_TEXT_MAX),
	SLICE(TEXT, CONF, run_as, SLICE_TEXT_MAX),
	SLICE(U32, CONF, uid, 0),
	SLICE(U32, CONF, gid, 0),
	SLICE(U32, CONF, control_gid, 0),
	SLICE(U32, CONF, unauthenticated, 0),
	SLICE(U32, CONF, unauthenticated_per_source, 0),
	SLICE(U32, CONF, connections, 0),
	SLICE(I64, CONF, drain_ms, 0),
	SLICE(U32, CONF, log_level, 0),
	SLICE(U32, CONF, session.login_time_ms, 0),
	SLICE(U32, CONF, session.login_attempts, 0),
	SLICE(U32, CONF, session.channels, 0),
	SLICE(U32, CONF, session.legs, 0),
	SLICE(U32, CONF, session.keepalive_s, 0),
	SLICE(U32, CONF, session.crypto, 0),
	SLICE(BOOL, CONF, session.verbose, 0),
	SLICE_LIST_OF(CONF, listen, listen_count, CONF_LISTEN_MAX, &addr_shape),
	SLICE_LIST_OF(CONF, proxy, proxy_count, CONF_NETS_MAX, &net_shape),
	SLICE(TEXTS, CONF, notify, CONF_NOTIFY_ARGS_MAX),
};
static const struct slice_shape shape = SLICE_SHAPE(CONF, fields);

int listener_conf_encode(const struct listener_conf *conf, struct buf *out)
{
	return slice_encode(&shape, conf, out);
}

int listener_conf_decode(struct bytes in, struct listener_conf **ret)
{
	void *slice;
	int rc = slice_decode(&shape, in, &slice);

	if (rc == 0)
		*ret = slice;
	return rc;
}

void listener_conf_free(struct listener_conf *conf)
{
	slice_free(&shape, conf);
}

bool listener_conf_proxy(const struct listener_conf *conf, const struct addr *peer)
{
	for (size_t i = 0; i < conf->proxy_count; i++)
		if (net_contains(&conf->proxy[i], peer))
			return true;
	return false;
}
