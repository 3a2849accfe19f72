/* See listener_conf.h. One table of fields makes encoder and decoder, as in common/ipc_msg.c; both
 * sides are the same binary, yet every length is checked. */
#include "server/role/listener_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"

enum field_type { FRONT_U32, FRONT_I64, FRONT_BOOL, FRONT_TEXT };

struct field {
	enum field_type type;
	size_t offset;
};

#define U32(f)                                               \
	{                                                    \
		FRONT_U32, offsetof(struct listener_conf, f) \
	}
#define I64(f)                                               \
	{                                                    \
		FRONT_I64, offsetof(struct listener_conf, f) \
	}
#define BOOL(f)                                               \
	{                                                     \
		FRONT_BOOL, offsetof(struct listener_conf, f) \
	}
#define TEXT(f)                                               \
	{                                                     \
		FRONT_TEXT, offsetof(struct listener_conf, f) \
	}

static const struct field fields[] = {
	TEXT(host_key),
	TEXT(state_dir),
	TEXT(control_socket),
	TEXT(run_as),
	U32(uid),
	U32(gid),
	U32(control_gid),
	U32(unauthenticated),
	U32(unauthenticated_per_source),
	U32(connections),
	I64(drain_ms),
	U32(log_level),
	U32(session.login_time_ms),
	U32(session.login_attempts),
	U32(session.channels),
	U32(session.legs),
	U32(session.keepalive_s),
	U32(session.crypto),
	BOOL(session.verbose),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static int field_put(const struct listener_conf *conf, const struct field *field, struct buf *out)
{
	const void *at = (const char *)conf + field->offset;

	switch (field->type) {
	case FRONT_U32: return wire_put_u32(out, *(const uint32_t *)at);
	case FRONT_I64: return wire_put_u64(out, (uint64_t) * (const int64_t *)at);
	case FRONT_BOOL: return wire_put_u8(out, *(const bool *)at);
	case FRONT_TEXT: return wire_put_cstring(out, *(char *const *)at ? *(char *const *)at : "");
	}
	return -EINVAL;
}

static int field_get(struct wire *in, const struct field *field, struct listener_conf *conf)
{
	void *at = (char *)conf + field->offset;
	uint64_t wide = 0;
	uint8_t byte = 0;
	int rc = -EBADMSG;

	switch (field->type) {
	case FRONT_U32: return wire_get_u32(in, at);
	case FRONT_TEXT: return wire_get_cstring(in, LISTENER_CONF_TEXT_MAX, at);
	case FRONT_I64:
		rc = wire_get_u64(in, &wide);
		*(int64_t *)at = (int64_t)wide;
		break;
	case FRONT_BOOL:
		rc = wire_get_u8(in, &byte);
		*(bool *)at = byte == 1;
		break;
	}
	return rc < 0 || byte > 1 ? -EBADMSG : 0;
}

static int addr_put(const struct addr *addr, struct buf *out)
{
	int rc = wire_put_u8(out, addr->family == AF_INET6 ? 6 : 4);

	rc = rc < 0 ? rc : wire_put_string(out, addr->ip, sizeof(addr->ip));
	return rc < 0 ? rc : wire_put_u16(out, addr->port);
}

static int addr_get(struct wire *in, struct addr *ret)
{
	struct bytes ip;
	uint8_t version;

	if (wire_get_u8(in, &version) < 0 || wire_get_string(in, &ip) < 0 ||
		wire_get_u16(in, &ret->port) < 0)
		return -EBADMSG;
	if ((version != 4 && version != 6) || ip.len != sizeof(ret->ip))
		return -EBADMSG;
	ret->family = version == 6 ? AF_INET6 : AF_INET;
	memcpy(ret->ip, ip.data, ip.len);
	return 0;
}

static int notify_put(char *const *notify, struct buf *out)
{
	uint32_t count = 0;

	while (notify && notify[count])
		count++;
	int rc = wire_put_u32(out, count);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = wire_put_cstring(out, notify[i]);
	return rc;
}

static int notify_get(struct wire *in, char ***ret)
{
	uint32_t count;
	int rc = 0;

	if (wire_get_u32(in, &count) < 0 || count > CONF_NOTIFY_ARGS_MAX)
		return -EBADMSG;
	char **list = *ret = calloc((size_t)count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = wire_get_cstring(in, LISTENER_CONF_TEXT_MAX, &list[i]);
	return rc;
}

int listener_conf_encode(const struct listener_conf *conf, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < FIELDS; i++)
		rc = field_put(conf, &fields[i], out);
	rc = rc < 0 ? rc : wire_put_u32(out, (uint32_t)conf->listen_count);
	for (size_t i = 0; rc == 0 && i < conf->listen_count; i++)
		rc = addr_put(&conf->listen[i], out);
	rc = rc < 0 ? rc : wire_put_u32(out, (uint32_t)conf->proxy_count);
	for (size_t i = 0; rc == 0 && i < conf->proxy_count; i++) {
		rc = addr_put(&conf->proxy[i].base, out);
		rc = rc < 0 ? rc : wire_put_u32(out, conf->proxy[i].bits);
	}
	return rc < 0 ? rc : notify_put(conf->notify, out);
}

static int lists_get(struct wire *in, struct listener_conf *conf)
{
	uint32_t count, bits;

	if (wire_get_u32(in, &count) < 0 || count > CONF_LISTEN_MAX)
		return -EBADMSG;
	for (conf->listen_count = 0; conf->listen_count < count; conf->listen_count++)
		if (addr_get(in, &conf->listen[conf->listen_count]) < 0)
			return -EBADMSG;
	if (wire_get_u32(in, &count) < 0 || count > CONF_NETS_MAX)
		return -EBADMSG;
	for (conf->proxy_count = 0; conf->proxy_count < count; conf->proxy_count++) {
		struct net *net = &conf->proxy[conf->proxy_count];

		if (addr_get(in, &net->base) < 0 || wire_get_u32(in, &bits) < 0 || bits > 128)
			return -EBADMSG;
		net->bits = bits;
	}
	return notify_get(in, &conf->notify);
}

int listener_conf_decode(struct bytes in, struct listener_conf **ret)
{
	struct wire wire = WIRE_OF(in.data, in.len);
	struct listener_conf *conf = calloc(1, sizeof(*conf));
	int rc = conf ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < FIELDS; i++)
		rc = field_get(&wire, &fields[i], conf);
	rc = rc < 0 ? rc : lists_get(&wire, conf);
	if (rc == 0 && !wire_done(&wire))
		rc = -EBADMSG;
	if (rc < 0) {
		listener_conf_free(conf);
		return rc;
	}
	*ret = conf;
	return 0;
}

void listener_conf_free(struct listener_conf *conf)
{
	if (!conf)
		return;
	free(conf->host_key);
	free(conf->state_dir);
	free(conf->control_socket);
	free(conf->run_as);
	text_list_free(conf->notify);
	free(conf);
}

bool listener_conf_proxy(const struct listener_conf *conf, const struct addr *peer)
{
	for (size_t i = 0; i < conf->proxy_count; i++)
		if (net_contains(&conf->proxy[i], peer))
			return true;
	return false;
}
