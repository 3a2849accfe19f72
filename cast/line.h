/* One line of an asciicast: formatting and parsing, shared by writer, reader and recovery. Private
 * to cast/. */
#ifndef BARTIZAN_CAST_LINE_H
#define BARTIZAN_CAST_LINE_H

#include "cast/cast.h"
#include "common/buf.h"
#include "common/text.h"

#define CAST_LABEL_MAX 4096		    /* bytes of a marker's text before escaping */
#define CAST_TIME_MAX_US 1000000000000000LL /* 31 years: a later time is treated as damage */

/* Appends data as the inside of a JSON string: escaped, valid UTF-8. carry as in text_utf8(). */
int cast_escape(struct buf *out, const void *data, size_t len, struct text_carry *carry);
int cast_line_begin(struct buf *out, int64_t time_us, char code); /* [1.234567, "o", " */
int cast_line_end(struct buf *out);				  /* "]\n */
/* a whole line; at most CAST_LABEL_MAX bytes of data */
int cast_line(struct buf *out, int64_t time_us, char code, const void *data, size_t len);
int cast_header_line(struct buf *out, const struct cast_header *header);

/* A line without its newline. false: damaged. event->data is replaced. */
bool cast_line_parse(struct bytes line, struct cast_event *event);

#endif
