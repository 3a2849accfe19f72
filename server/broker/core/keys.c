/* The public halves of the keys that the signer holds. */
#include "server/broker/core/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"

void public_keys_release(struct public_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->list[i].name);
		sshkey_free(keys->list[i].key);
	}
	free(keys->list);
	*keys = (struct public_keys){ 0 };
}

int public_keys_load(struct public_keys *keys, const struct msg_keys_answer *msg, struct err *err)
{
	size_t count = 0;
	int rc = 0;

	while (msg->names[count] && msg->lines[count])
		count++;
	if (msg->names[count] || msg->lines[count])
		return err_set(err, -EBADMSG,
			"the signer sent more names than keys, or more keys than names");
	struct public_keys loaded = { calloc(count + 1, sizeof(*loaded.list)), 0 };
	for (size_t i = 0; loaded.list && !rc && i < count; i++, loaded.count++) {
		loaded.list[i].name = strdup(msg->names[i]);
		rc = loaded.list[i].name ? sshkey_from_line(msg->lines[i], &loaded.list[i].key, err)
					 : -ENOMEM;
	}
	if (rc || !loaded.list) {
		public_keys_release(&loaded);
		return rc ? err_prefix(err, rc, "a public key of the signer")
			  : err_set(err, -ENOMEM, "out of memory");
	}
	public_keys_release(keys);
	*keys = loaded;
	return 0;
}

const struct sshkey *public_keys_find(const struct public_keys *keys, const char *name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (!strcmp(keys->list[i].name, name))
			return keys->list[i].key;
	return NULL;
}

const struct sshkey *broker_key(struct broker *broker, const char *name)
{
	return public_keys_find(&broker->private->keys, name);
}
