/* `targets` as YAML, as parsed. */
#include "policy/target_impl.h"

#include <stdio.h>
#include <string.h>

/* Rows of a dump are written one after the other; after a failure nothing more is. */
struct dump {
	struct buf *out;
	int rc;
};

static void put(struct dump *dump, const char *text)
{
	if (dump->rc == 0)
		dump->rc = buf_puts(dump->out, text);
}

static void put_text(struct dump *dump, const char *key, const char *text)
{
	put(dump, key);
	if (dump->rc == 0)
		dump->rc = yaml_put_text(dump->out, text);
}

static void put_list(struct dump *dump, const char *key, char *const *list)
{
	put(dump, key);
	if (dump->rc == 0)
		dump->rc = yaml_put_texts(dump->out, list);
}

static void put_address(struct dump *dump, const struct target *target)
{
	char text[300];

	snprintf(text, sizeof(text), strchr(target->host, ':') ? "[%s]:%u" : "%s:%u", target->host,
		target->port);
	put_text(dump, "\n    address: ", text);
}

static void put_labels(struct dump *dump, const struct target *target)
{
	for (size_t i = 0; i < target->label_count; i++) {
		put_text(dump, i == 0 ? "\n    labels: {" : ", ", target->labels[i].name);
		put_text(dump, ": ", target->labels[i].value);
	}
	put(dump, target->label_count > 0 ? "}" : "");
}

static void put_target(struct dump *dump, const struct target *target)
{
	static const char *const credentials[] = {
		[TARGET_CERTIFICATE] = "\n    credential: {certificate: ",
		[TARGET_KEY] = "\n    credential: {key: ",
		[TARGET_PASSWORD] = "\n    credential: {password_file: ",
	};

	put_text(dump, "\n  - name: ", target->name);
	if (target->host)
		put_address(dump, target);
	put_labels(dump, target);
	if (target->host_keys[0])
		put_list(dump, "\n    host_keys: ", target->host_keys);
	if (target->known_hosts_path)
		put_text(dump, "\n    host_keys_file: ", target->known_hosts_path);
	if (target->credential_name) {
		put_text(dump, credentials[target->credential], target->credential_name);
		put(dump, "}");
	}
	if (target->crypto_allow[0]) {
		put_list(dump, "\n    crypto: {allow: ", target->crypto_allow);
		put(dump, "}");
	}
	if (target->family)
		put_text(dump, "\n    family: ", target->family);
}

int targets_dump(const struct targets *targets, struct buf *out)
{
	struct dump dump = { out, 0 };

	put(&dump, targets->count > 0 ? "targets:" : "targets: []");
	for (size_t i = 0; i < targets->count; i++)
		put_target(&dump, &targets->slots[i].target);
	put(&dump, "\n");
	return dump.rc;
}
