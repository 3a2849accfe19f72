/* The keys that are pinned for a target: its own, and those of a known_hosts file.
 *
 * Format of the file: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Lines that do not parse are passed
 * over, as OpenSSH does: they pin nothing. */
#include "policy/target_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/text.h"
#include "keys/sshkey.h"

#define SSH_PORT 22
#define SHA1_LEN 20
#define HOST_TEXT_MAX 300
#define KEY_LINE_MAX 24576

/* the names under which a line may pin a key, in lower case, "[host]:port" where the port is not 22
 */
struct wanted {
	char names[2][HOST_TEXT_MAX];
	size_t count;
};

struct found {
	char **keys, **revoked; /* each TARGET_HOST_KEYS_MAX + 1 */
	size_t key_count, revoked_count;
};

static void want(struct wanted *wanted, const char *host, uint16_t port)
{
	char *out = wanted->names[wanted->count++];

	if (port == SSH_PORT)
		snprintf(out, HOST_TEXT_MAX, "%s", host);
	else
		snprintf(out, HOST_TEXT_MAX, "[%s]:%u", host, port);
	for (; *out; out++)
		*out = (char)tolower((unsigned char)*out);
}

/* Shell-like match of one entry: * and ? only. One point of return, so the cost is at most text
 * times pattern. */
static bool wildcard(const char *pattern, size_t pattern_len, const char *text)
{
	const char *p = pattern, *end = pattern + pattern_len, *star = NULL, *mark = NULL;

	while (*text) {
		if (p < end && *p == '*') {
			star = ++p;
			mark = text;
		} else if (p < end && (*p == '?' || tolower((unsigned char)*p) == *text)) {
			p++;
			text++;
		} else if (star) {
			p = star;
			text = ++mark;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

/* "|1|salt|hash": HMAC-SHA1 of the name under the salt. */
static bool hashed_match(const char *entry, size_t len, const char *name)
{
	BUF_CLEANUP struct buf salt = BUF_INIT(64);
	BUF_CLEANUP struct buf hash = BUF_INIT(64);
	unsigned char computed[EVP_MAX_MD_SIZE];
	unsigned computed_len = 0;
	const char *bar = memchr(entry + 3, '|', len - 3);

	if (!bar || text_base64_decode(&salt, entry + 3, (size_t)(bar - entry) - 3) < 0 ||
		text_base64_decode(&hash, bar + 1, (size_t)(entry + len - bar) - 1) < 0)
		return false;
	if (!HMAC(EVP_sha1(), buf_data(&salt), (int)salt.len, (const unsigned char *)name,
		    strlen(name), computed, &computed_len))
		return false;
	return hash.len == SHA1_LEN && computed_len == SHA1_LEN &&
	       memcmp(buf_data(&hash), computed, SHA1_LEN) == 0;
}

/* The comma-separated hosts of a line against one name; a negated entry that matches takes the
 * whole line away. */
static bool hosts_match(const char *hosts, size_t len, const char *name)
{
	bool matched = false;

	if (len > 3 && memcmp(hosts, "|1|", 3) == 0)
		return hashed_match(hosts, len, name);
	while (len > 0) {
		size_t part = 0;
		while (part < len && hosts[part] != ',')
			part++;
		bool negated = part > 0 && *hosts == '!';
		if (wildcard(hosts + negated, part - negated, name)) {
			if (negated)
				return false;
			matched = true;
		}
		hosts += part + (part < len);
		len -= part + (part < len);
	}
	return matched;
}

static bool line_is_for(const char *hosts, size_t len, const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (hosts_match(hosts, len, wanted->names[i]))
			return true;
	return false;
}

static bool listed(char *const *list, size_t count, const char *line)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], line) == 0)
			return true;
	return false;
}

/* Takes the normal form of a key into the list; a key that does not parse, or is there already, is
 * passed over. */
static int take(char **list, size_t *count, const char *text)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	BUF_CLEANUP struct buf out = BUF_INIT(KEY_LINE_MAX);

	if (sshkey_from_line(text, &key, NULL) < 0)
		return 0;
	int rc = sshkey_line(key, NULL, &out);
	const char *line = rc < 0 ? NULL : buf_cstr(&out);
	if (!line)
		return -ENOMEM;
	if (listed(list, *count, line))
		return 0;
	if (*count == TARGET_HOST_KEYS_MAX)
		return -E2BIG;
	list[*count] = strdup(line);
	return list[*count] ? ((*count)++, 0) : -ENOMEM;
}

static int take_line(struct found *found, const char *line, const struct wanted *wanted)
{
	bool revoked = false;

	line += strspn(line, " \t");
	if (*line == '@') {
		size_t marker = strcspn(line, " \t");
		revoked = marker == 8 && memcmp(line, "@revoked", 8) == 0;
		if (!revoked)
			return 0;
		line += marker;
		line += strspn(line, " \t");
	}
	size_t hosts = strcspn(line, " \t");
	if (*line == '#' || !line[hosts] || !line_is_for(line, hosts, wanted))
		return 0;
	const char *key = line + hosts + strspn(line + hosts, " \t");
	return revoked ? take(found->revoked, &found->revoked_count, key)
		       : take(found->keys, &found->key_count, key);
}

static int take_file(struct found *found, const char *text, const struct wanted *wanted)
{
	FREE_CLEANUP char *copy = strdup(text);
	char *save = NULL;

	if (!copy)
		return -ENOMEM;
	int rc = 0;
	for (char *line = strtok_r(copy, "\r\n", &save); rc == 0 && line;
		line = strtok_r(NULL, "\r\n", &save))
		rc = take_line(found, line, wanted);
	return rc;
}

static void drop_revoked(struct found *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->key_count; i++) {
		if (listed(found->revoked, found->revoked_count, found->keys[i]))
			free(found->keys[i]);
		else
			found->keys[kept++] = found->keys[i];
	}
	for (size_t i = kept; i < found->key_count; i++)
		found->keys[i] = NULL;
	found->key_count = kept;
}

static int collect(struct found *found, const struct target *target, const struct wanted *wanted)
{
	int rc = 0;

	for (char **line = target->host_keys; rc == 0 && *line; line++)
		rc = take(found->keys, &found->key_count, *line);
	if (rc == 0 && target->known_hosts)
		rc = take_file(found, target->known_hosts, wanted);
	if (rc == 0)
		drop_revoked(found);
	return rc;
}

int target_host_keys(
	const struct target *target, const char *name, uint16_t port, char ***ret, struct err *err)
{
	struct wanted wanted = { .count = 0 };
	struct found found = { calloc(TARGET_HOST_KEYS_MAX + 1, sizeof(char *)),
		calloc(TARGET_HOST_KEYS_MAX + 1, sizeof(char *)), 0, 0 };
	int rc = -EINVAL;

	if (!text_target_ok(name, strlen(name)))
		rc = err_set(err, rc, "not a name of a target");
	else if (!found.keys || !found.revoked)
		rc = err_set(err, -ENOMEM, "out of memory");
	else {
		want(&wanted, name, port);
		if (target->host)
			want(&wanted, target->host, port);
		rc = collect(&found, target, &wanted);
		if (rc == -E2BIG)
			err_set(err, rc, "target '%s': more than %d host keys", target->name,
				TARGET_HOST_KEYS_MAX);
		else if (rc < 0)
			err_set(err, rc, "target '%s': host keys: %s", target->name, strerror(-rc));
	}
	text_list_free(found.revoked);
	if (rc < 0) {
		text_list_free(found.keys);
		return rc;
	}
	*ret = found.keys;
	return 0;
}
