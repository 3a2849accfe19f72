/* A time zone, read from its TZif file (RFC 8536, version 2 and later) when the configuration is
 * loaded.
 *
 * Not the C library's machinery: that is one global zone, and it opens files when it likes; a role
 * that decides has no files. */
#ifndef BARTIZAN_ZONE_H
#define BARTIZAN_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/files.h"

#define ZONE_NAME_MAX 64
#define ZONE_FILE_MAX (256 * 1024)
#define ZONE_TRANSITIONS_MAX 10000

struct zone;

/* "UTC", or a name below /usr/share/zoneinfo: letters, digits, `/`, `_`, `+`, `-`. The file is read
 * through files, so it is in the bundle. */
int zone_load(struct files *files, const char *name, struct zone **ret, struct err *err);
int zone_parse(const char *name, struct bytes file, struct zone **ret, struct err *err);
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);
int32_t zone_offset(const struct zone *zone, int64_t now); /* seconds east of UTC at that instant */

#endif
