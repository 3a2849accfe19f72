/* Builds the tree from libyaml's events. The only file that includes yaml.h.
 *
 * What YAML can do beyond maps, lists and scalars is refused event by event, so nothing of it ever
 * reaches a tree: a configuration that says who may enter must have one reading. */
#include "conf/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/text.h"
#include "conf/yaml_scan.h"

#define KEY_SHOWN 64 /* bytes of a key in a message */

struct root { /* the first node, and the name that every node points to */
	struct yaml node;
	char name[];
};

struct builder {
	const char *name;
	struct root *root;
	struct yaml *open[YAML_DEPTH_MAX]; /* maps and lists not yet ended */
	struct yaml **tail[YAML_DEPTH_MAX];
	size_t depth;
	char *key; /* a key that was read and whose value is next */
	yaml_mark_t key_at;
	size_t nodes;
	size_t documents;
	bool done;
	struct err *err;
};

static int refuse(struct builder *b, yaml_mark_t at, const char *what)
{
	return err_set(
		b->err, -EINVAL, "%s:%zu:%zu: %s", b->name, at.line + 1, at.column + 1, what);
}

static void node_free(struct yaml *node)
{
	while (node) {
		struct yaml *next = node->next;
		node_free(node->child);
		free(node->text);
		free(node->key);
		free(node);
		node = next;
	}
}

void yaml_free(struct yaml *root)
{
	node_free(root); /* the root is the first member of struct root */
}

static struct yaml *node_new(struct builder *b)
{
	if (b->root)
		return calloc(1, sizeof(struct yaml));
	size_t size = strlen(b->name) + 1;
	b->root = calloc(1, sizeof(*b->root) + size);
	if (!b->root)
		return NULL;
	memcpy(b->root->name, b->name, size);
	return &b->root->node;
}

/* Adds a new node to the innermost open container, with the key that was read before it. */
static int place(
	struct builder *b, enum yaml_kind kind, const yaml_event_t *event, struct yaml **ret)
{
	if (++b->nodes > YAML_NODES_MAX)
		return refuse(b, event->start_mark, "the document has too many nodes");
	struct yaml *node = node_new(b);
	if (!node)
		return err_set(b->err, -ENOMEM, "%s: out of memory", b->name);
	node->kind = kind;
	node->file = b->root->name;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	if (b->depth > 0) {
		node->key = b->key;
		node->key_line = b->key ? (unsigned)b->key_at.line + 1 : 0;
		node->key_column = b->key ? (unsigned)b->key_at.column + 1 : 0;
		b->key = NULL;
		*b->tail[b->depth - 1] = node;
		b->tail[b->depth - 1] = &node->next;
		b->open[b->depth - 1]->count++;
	}
	*ret = node;
	return 0;
}

static bool wants_key(const struct builder *b)
{
	return b->depth > 0 && b->open[b->depth - 1]->kind == YAML_MAP && !b->key;
}

static int take_key(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	if (!*text)
		return refuse(b, event->start_mark, "a key is empty");
	if (strcmp(text, "<<") == 0)
		return refuse(b, event->start_mark, "merge keys are not allowed");
	b->key = strdup(text);
	b->key_at = event->start_mark;
	return b->key ? 0 : err_set(b->err, -ENOMEM, "%s: out of memory", b->name);
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (event->data.scalar.anchor)
		return refuse(b, event->start_mark, "anchors are not allowed");
	if (event->data.scalar.tag)
		return refuse(b, event->start_mark, "tags are not allowed");
	if (memchr(text, '\0', len))
		return refuse(b, event->start_mark, "a NUL character");
	if (wants_key(b))
		return take_key(b, event);
	struct yaml *node = NULL;
	int rc = place(b, YAML_SCALAR, event, &node);
	if (rc < 0)
		return rc;
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text_len = len;
	node->text = text_dup(text, len);
	return node->text ? 0 : err_set(b->err, -ENOMEM, "%s: out of memory", b->name);
}

static int open_container(
	struct builder *b, const yaml_event_t *event, enum yaml_kind kind, bool anchor, bool tag)
{
	if (anchor)
		return refuse(b, event->start_mark, "anchors are not allowed");
	if (tag)
		return refuse(b, event->start_mark, "tags are not allowed");
	if (wants_key(b))
		return refuse(b, event->start_mark, "a key must be a scalar");
	if (b->depth == YAML_DEPTH_MAX)
		return refuse(b, event->start_mark, "nested too deep");
	struct yaml *node = NULL;
	int rc = place(b, kind, event, &node);
	if (rc < 0)
		return rc;
	b->open[b->depth] = node;
	b->tail[b->depth] = &node->child;
	b->depth++;
	return 0;
}

static int on_list(struct builder *b, const yaml_event_t *event)
{
	return open_container(b, event, YAML_LIST, event->data.sequence_start.anchor,
		event->data.sequence_start.tag);
}

static int on_map(struct builder *b, const yaml_event_t *event)
{
	return open_container(b, event, YAML_MAP, event->data.mapping_start.anchor,
		event->data.mapping_start.tag);
}

static int by_key(const void *a, const void *b)
{
	const struct yaml *x = *(const struct yaml *const *)a, *y = *(const struct yaml *const *)b;
	int order = strcmp(x->key, y->key);

	if (order != 0)
		return order;
	if (x->key_line != y->key_line)
		return x->key_line < y->key_line ? -1 : 1;
	return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

/* Sorting keeps this fast for maps of any size that the node limit allows. */
static int no_double_keys(struct builder *b, const struct yaml *map)
{
	if (map->count < 2)
		return 0;
	FREE_CLEANUP struct yaml **list = calloc(map->count, sizeof(*list));
	if (!list)
		return err_set(b->err, -ENOMEM, "%s: out of memory", b->name);
	size_t n = 0;
	for (struct yaml *child = map->child; child; child = child->next)
		list[n++] = child;
	qsort(list, n, sizeof(*list), by_key);
	for (size_t i = 1; i < n; i++) {
		char shown[KEY_SHOWN];
		if (strcmp(list[i - 1]->key, list[i]->key) == 0)
			return err_set(b->err, -EINVAL,
				"%s:%u:%u: the key '%s' appears twice: first in line %u", b->name,
				list[i]->key_line, list[i]->key_column,
				text_clean(
					shown, sizeof(shown), list[i]->key, strlen(list[i]->key)),
				list[i - 1]->key_line);
	}
	return 0;
}

static int on_end(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	struct yaml *node = b->open[--b->depth];
	return node->kind == YAML_MAP ? no_double_keys(b, node) : 0;
}

static int on_alias(struct builder *b, const yaml_event_t *event)
{
	return refuse(b, event->start_mark, "aliases are not allowed");
}

static int on_document(struct builder *b, const yaml_event_t *event)
{
	if (b->documents++ > 0)
		return refuse(b, event->start_mark, "a second document is not allowed");
	if (event->data.document_start.version_directive ||
		event->data.document_start.tag_directives.start !=
			event->data.document_start.tag_directives.end)
		return refuse(b, event->start_mark, "directives are not allowed");
	return 0;
}

static int on_stream_end(struct builder *b, const yaml_event_t *event)
{
	b->done = true;
	return b->root ? 0 : refuse(b, event->start_mark, "the text is empty");
}

static int on_nothing(struct builder *b, const yaml_event_t *event)
{
	(void)b;
	(void)event;
	return 0;
}

static int (*const handlers[])(struct builder *b, const yaml_event_t *event) = {
	[YAML_NO_EVENT] = on_nothing,
	[YAML_STREAM_START_EVENT] = on_nothing,
	[YAML_STREAM_END_EVENT] = on_stream_end,
	[YAML_DOCUMENT_START_EVENT] = on_document,
	[YAML_DOCUMENT_END_EVENT] = on_nothing,
	[YAML_ALIAS_EVENT] = on_alias,
	[YAML_SCALAR_EVENT] = on_scalar,
	[YAML_SEQUENCE_START_EVENT] = on_list,
	[YAML_SEQUENCE_END_EVENT] = on_end,
	[YAML_MAPPING_START_EVENT] = on_map,
	[YAML_MAPPING_END_EVENT] = on_end,
};

/* libyaml gives a byte offset for invalid UTF-8, and a mark for other errors. */
static int parser_error(const struct builder *b, const yaml_parser_t *parser, struct bytes text)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(b->err, -ENOMEM, "%s: out of memory", b->name);
	size_t line = parser->problem_mark.line, column = parser->problem_mark.column;
	if (parser->error == YAML_READER_ERROR) {
		line = column = 0;
		for (size_t i = 0; i < parser->problem_offset && i < text.len; i++) {
			column++;
			if (text.data[i] == '\n') {
				line++;
				column = 0;
			}
		}
	}
	const char *problem = parser->problem ? parser->problem : "not YAML";
	if (!parser->context || parser->error == YAML_READER_ERROR)
		return err_set(
			b->err, -EINVAL, "%s:%zu:%zu: %s", b->name, line + 1, column + 1, problem);
	return err_set(b->err, -EINVAL, "%s:%zu:%zu: %s %s that begins in line %zu", b->name,
		line + 1, column + 1, problem, parser->context, parser->context_mark.line + 1);
}

static int build(struct builder *b, yaml_parser_t *parser, struct bytes text)
{
	int rc = 0;

	while (rc == 0 && !b->done) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event))
			return parser_error(b, parser, text);
		rc = handlers[event.type](b, &event);
		yaml_event_delete(&event);
	}
	return rc;
}

static struct bytes without_bom(struct bytes text)
{
	if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		return (struct bytes){ text.data + 3, text.len - 3 };
	return text;
}

int yaml_parse(const char *name, struct bytes text, struct yaml **ret, struct err *err)
{
	if (text.len > YAML_SIZE_MAX)
		return err_set(err, -EFBIG, "%s: more than %d bytes", name, YAML_SIZE_MAX);
	text = without_bom(text);
	int rc = yaml_scan(name, text, err);
	if (rc < 0)
		return rc;
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return err_set(err, -ENOMEM, "%s: out of memory", name);
	/* no guess of the encoding: UTF-16 is refused */
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&parser, text.data ? text.data : (const uint8_t *)"", text.len);
	struct builder b = { .name = name, .err = err };
	rc = build(&b, &parser, text);
	yaml_parser_delete(&parser);
	free(b.key);
	if (rc < 0) {
		yaml_free(b.root ? &b.root->node : NULL);
		return rc;
	}
	*ret = &b.root->node;
	return 0;
}
