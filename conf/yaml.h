/* YAML into a tree with positions, by libyaml, for configuration and policy cases.
 *
 * Limits come first: size before parsing, a scan for nesting before libyaml sees it (libyaml is
 * quadratic in depth), node count while parsing. Refused with file:line:column: double keys,
 * aliases and anchors, merge keys, tags, second documents, keys that are not scalars, NUL and
 * invalid UTF-8. All scalars stay text until one of the typed readings is called. */
#ifndef BARTIZAN_CONF_YAML_H
#define BARTIZAN_CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define YAML_SIZE_MAX (1024 * 1024)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 100000

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml { /* a node; the whole tree belongs to its root */
	enum yaml_kind kind;
	char *text; /* scalar: the value; never NULL then */
	size_t text_len;
	bool quoted;		       /* scalar was quoted: "null" and "~" are text then */
	char *key;		       /* this node's key where its parent is a map, else NULL */
	struct yaml *child;	       /* first child of a list or map */
	struct yaml *next;	       /* next sibling */
	size_t count;		       /* children */
	unsigned line, column;	       /* from 1 */
	unsigned key_line, key_column; /* of the key; 0 without one */
	const char *file;	       /* name for messages; owned by the root */
};

/* caller frees the root */
int yaml_parse(const char *name, struct bytes text, struct yaml **ret, struct err *err);
/* another symbol name, because libyaml exports a yaml_free of its own */
void yaml_free(struct yaml *root) __asm__("bartizan_yaml_free");
/* "config.yaml:12:5: …" in front of the formatted text; -EINVAL, so that `return yaml_error(node,
 * err, "…")` is one line. */
int yaml_error(const struct yaml *node, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* the same with the position of the node's key */
int yaml_key_error(const struct yaml *node, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

struct yaml *yaml_get(const struct yaml *map, const char *key); /* NULL when absent or not a map */
/* NULL, or a scalar that is empty, ~ or null without quotes */
bool yaml_is_null(const struct yaml *node);
/* Refuses a key that is not in names (NULL-terminated), and names the nearest one that is. */
int yaml_only(const struct yaml *map, const char *const *names, struct err *err);

/* Typed readings of one scalar node; errors carry its position. */
/* borrowed from the tree */
int yaml_text(const struct yaml *node, size_t max, const char **ret, struct err *err);
int yaml_bool(const struct yaml *node, bool *ret, struct err *err); /* true/false/yes/no/on/off */
int yaml_int(const struct yaml *node, int64_t min, int64_t max, int64_t *ret, struct err *err);
/* 64MiB, 1GiB, 4096 */
int yaml_size(const struct yaml *node, int64_t min, int64_t max, int64_t *ret, struct err *err);
int yaml_duration(
	const struct yaml *node, int64_t min_ms, int64_t max_ms, int64_t *ret_ms, struct err *err);
/* A list of scalars, or one scalar as a list of one, copied; NULL-terminated, caller frees with
 * text_list_free. */
int yaml_strings(
	const struct yaml *node, size_t max_count, size_t max_len, char ***ret, struct err *err);

/* Writing, for dumps: a scalar that reads back as exactly this text, quoted where needed; and a
 * list of them in brackets. */
int yaml_put_text(struct buf *out, const char *text);
int yaml_put_texts(struct buf *out, char *const *list);
/* Durations and sizes as yaml_duration and yaml_size read them, exact: "1h30m", "64MiB". Returns
 * out. */
#define YAML_NUMBER_MAX 64
const char *yaml_format_duration(int64_t ms, char out[static YAML_NUMBER_MAX]);
const char *yaml_format_size(int64_t bytes, char out[static YAML_NUMBER_MAX]);

#endif
