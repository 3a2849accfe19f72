/* The rows that are lists or maps: how each is read, written and freed. Used by conf.c and
 * conf/dump.c alone. */
#ifndef BARTIZAN_CONF_SPECIAL_H
#define BARTIZAN_CONF_SPECIAL_H

#include "conf/conf.h"

struct conf_special {
	const char *path;
	int (*load)(
		struct conf *conf, const struct yaml *node, struct files *files, struct err *err);
	int (*dump)(const struct conf *conf, struct buf *out); /* in flow style, on one line */
	void (*release)(struct conf *conf);
};

const struct conf_special *conf_special_find(const char *path); /* NULL: the row has no field */
extern const struct conf_special conf_specials[];
extern const size_t conf_special_count;

#endif
