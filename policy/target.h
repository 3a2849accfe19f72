/* Targets: the backends, as the configuration names them. */
#ifndef BARTIZAN_TARGET_H
#define BARTIZAN_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/files.h"
#include "common/pattern.h"
#include "conf/yaml.h"

#define TARGET_COUNT_MAX 10000
#define TARGET_LABELS_MAX 64
#define TARGET_HOST_KEYS_MAX 64
#define TARGET_ALLOW_MAX 64
#define TARGET_NAME_MAX 253
#define TARGET_TEXT_MAX 255 /* label names and values */
#define TARGET_KNOWN_HOSTS_MAX (4 * 1024 * 1024)
#define TARGET_DUMP_MAX (16 * 1024 * 1024)

enum target_credential { TARGET_CERTIFICATE, TARGET_KEY, TARGET_PASSWORD };

struct label {
	char *name;
	char *value;
};

struct target {	    /* owned by its struct targets */
	char *name; /* as written: a name, or a pattern with * or ? */
	bool is_pattern;
	/* from address; NULL for a pattern without address: the name asked for is the host */
	char *host;
	uint16_t port; /* 22 unless the address says otherwise */
	struct label *labels;
	size_t label_count;
	/* "type base64" lines from host_keys, NULL-terminated, possibly empty */
	char **host_keys;
	/* contents of host_keys_file, NULL when none; one copy for all targets that name the file
	 */
	const char *known_hosts;
	char *known_hosts_path; /* host_keys_file, resolved; NULL when none */
	enum target_credential credential;
	char *credential_name; /* name of a key in keys, or resolved path of the password file */
	char **crypto_allow;   /* weak algorithms allowed here by name, NULL-terminated */
	char *family;	       /* any | ipv4 | ipv6; NULL: the configuration's */
};

struct targets;

/* list may be NULL: no targets. sketch: for policy cases, where a target needs neither address nor
 * keys nor credential. */
int targets_load(const struct yaml *list, struct files *files, bool sketch, struct targets **ret,
	struct err *err);
void targets_free(struct targets *targets);
/* the `targets` key as YAML, as parsed */
int targets_dump(const struct targets *targets, struct buf *out);
size_t targets_count(const struct targets *targets);
const struct target *targets_at(const struct targets *targets, size_t index);
/* An exact name wins over a pattern; among patterns the first in the file. Case does not matter.
 * NULL: no such target. */
const struct target *targets_find(const struct targets *targets, const char *name);
/* The pinned keys for this target when asked for as `name`, port: its host_keys, and the lines of
 * known_hosts for that name or for the target's host (hashed names, patterns, [host]:port,
 * negation; @revoked removes a key; @cert-authority is skipped). NULL-terminated "type base64"
 * lines; caller frees with text_list_free. Empty: nothing pinned, the target is not to be
 * connected to. */
int target_host_keys(
	const struct target *target, const char *name, uint16_t port, char ***ret, struct err *err);
const char *target_label(const struct target *target, const char *name); /* value or NULL */

#endif
