/* TZif: two headers and two blocks of data, of which the second has 64-bit times; then the rule for
 * the rest of time. See zone.h. */
#include "policy/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"
#include "policy/zone_rule.h"

#define FOLDER "/usr/share/zoneinfo/"
#define MAGIC "TZif"
#define TYPES_MAX 256
#define OFFSET_MAX (26 * 3600) /* RFC 8536: -25 to 26 hours */
#define RULE_MAX 256

struct zone {
	char name[ZONE_NAME_MAX + 1];
	size_t count; /* transitions */
	int64_t *times;
	uint8_t *types; /* the type from times[i] on */
	int32_t offsets[TYPES_MAX];
	size_t type_count;
	bool has_rule; /* for the time after the last transition */
	struct zone_rule rule;
};

struct header {
	uint8_t version;
	uint32_t isut, isstd, leaps, times, types, chars;
};

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->times);
	free(zone->types);
	free(zone);
}

const char *zone_name(const struct zone *zone)
{
	return zone->name;
}

static int skip(struct wire *in, size_t len)
{
	if (len > in->len)
		return -EBADMSG;
	in->data += len;
	in->len -= len;
	return 0;
}

static int read_header(struct wire *in, struct header *ret)
{
	uint32_t *const counts[] = { &ret->isut, &ret->isstd, &ret->leaps, &ret->times, &ret->types,
		&ret->chars };

	if (in->len < 44 || memcmp(in->data, MAGIC, 4) != 0)
		return -EBADMSG;
	ret->version = in->data[4];
	int rc = skip(in, 20);
	for (size_t i = 0; rc == 0 && i < sizeof(counts) / sizeof(counts[0]); i++)
		rc = wire_get_u32(in, counts[i]);
	return rc;
}

static bool header_ok(const struct header *h)
{
	return h->times <= ZONE_TRANSITIONS_MAX && h->types <= TYPES_MAX && h->chars <= 1024 &&
	       h->leaps <= 1024 && h->isut <= TYPES_MAX && h->isstd <= TYPES_MAX;
}

static size_t block_size(const struct header *h, size_t time_size)
{
	return h->times * (time_size + 1) + h->types * 6 + h->chars + h->leaps * (time_size + 4) +
	       h->isstd + h->isut;
}

static int read_transitions(struct zone *zone, const struct header *h, struct wire *in)
{
	zone->count = h->times;
	zone->times = calloc(h->times + 1, sizeof(*zone->times));
	zone->types = calloc(h->times + 1, sizeof(*zone->types));
	int rc = zone->times && zone->types ? 0 : -ENOMEM;
	for (size_t i = 0; rc == 0 && i < h->times; i++) {
		uint64_t value = 0;
		rc = wire_get_u64(in, &value);
		zone->times[i] = (int64_t)value;
		if (rc == 0 && i > 0 && zone->times[i] <= zone->times[i - 1])
			rc = -EBADMSG;
	}
	for (size_t i = 0; rc == 0 && i < h->times; i++) {
		rc = wire_get_u8(in, &zone->types[i]);
		if (rc == 0 && zone->types[i] >= h->types)
			rc = -EBADMSG;
	}
	return rc;
}

static int read_types(struct zone *zone, const struct header *h, struct wire *in)
{
	int rc = h->types > 0 ? 0 : -EBADMSG;

	zone->type_count = h->types;
	for (size_t i = 0; rc == 0 && i < h->types; i++) {
		uint32_t offset = 0;
		rc = wire_get_u32(in, &offset);
		zone->offsets[i] = (int32_t)offset;
		if (rc == 0)
			rc = skip(in, 2); /* is summer time, index of the abbreviation */
		if (rc == 0 && (zone->offsets[i] > OFFSET_MAX || zone->offsets[i] < -OFFSET_MAX))
			rc = -EBADMSG;
	}
	return rc;
}

static int read_footer(struct zone *zone, struct wire *in)
{
	char text[RULE_MAX + 1];

	if (in->len < 2 || in->len > RULE_MAX + 2 || in->data[0] != '\n' ||
		in->data[in->len - 1] != '\n')
		return -EBADMSG;
	size_t len = in->len - 2;
	memcpy(text, in->data + 1, len);
	text[len] = '\0';
	zone->has_rule = len > 0;
	return len > 0 ? zone_rule_parse(text, &zone->rule) : 0;
}

static int parse(struct zone *zone, struct bytes file, struct err *err)
{
	struct wire in = { file.data, file.len };
	struct header h;
	int rc = read_header(&in, &h);

	if (rc < 0 || !header_ok(&h) || h.version < '2' || skip(&in, block_size(&h, 4)) < 0)
		return err_set(err, -EBADMSG, "not a time zone file of version 2 or later");
	rc = read_header(&in, &h);
	if (rc < 0 || !header_ok(&h) || in.len < block_size(&h, 8))
		return err_set(err, -EBADMSG, "damaged time zone file");
	if (h.leaps > 0)
		return err_set(
			err, -EINVAL, "counts leap seconds, which the system clock does not");
	rc = read_transitions(zone, &h, &in);
	if (rc == 0)
		rc = read_types(zone, &h, &in);
	if (rc == 0)
		rc = skip(&in, h.chars + h.isstd + h.isut);
	if (rc == 0)
		rc = read_footer(zone, &in);
	return rc < 0 ? err_set(err, rc, "damaged time zone file") : 0;
}

int zone_parse(const char *name, struct bytes file, struct zone **ret, struct err *err)
{
	size_t len = strlen(name);
	struct zone *zone = len <= ZONE_NAME_MAX ? calloc(1, sizeof(*zone)) : NULL;

	if (!zone)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(zone->name, name, len + 1);
	int rc = parse(zone, file, err);
	if (rc < 0) {
		zone_free(zone);
		return rc;
	}
	*ret = zone;
	return 0;
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > ZONE_NAME_MAX || *name == '/' || strstr(name, "//") ||
		name[len - 1] == '/')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-") ==
	       len;
}

static int utc(struct zone **ret, struct err *err)
{
	struct zone *zone = calloc(1, sizeof(*zone));

	if (!zone)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(zone->name, "UTC", 4);
	*ret = zone;
	return 0;
}

int zone_load(struct files *files, const char *name, struct zone **ret, struct err *err)
{
	char path[sizeof(FOLDER) + ZONE_NAME_MAX] = FOLDER;
	char shown[ZONE_NAME_MAX];
	struct bytes file = { 0 };
	struct err why = { 0 };

	if (strcmp(name, "UTC") == 0)
		return utc(ret, err);
	text_clean(shown, sizeof(shown), name, strlen(name));
	if (!name_ok(name))
		return err_set(err, -EINVAL, "'%s' is not a name of a time zone", shown);
	memcpy(path + sizeof(FOLDER) - 1, name, strlen(name) + 1);
	int rc = files_read(files, path, ZONE_FILE_MAX, &file, &why);
	if (rc == -ENOENT)
		return err_set(err, rc,
			"time zone '%s' is unknown here: %s (is the package tzdata installed?)",
			shown, why.text);
	if (rc == 0)
		rc = zone_parse(name, file, ret, &why);
	return rc < 0 ? err_set(err, rc, "time zone '%s': %s", shown, why.text) : 0;
}

/* The last transition at or before now; 0 for none. */
static size_t transition_before(const struct zone *zone, int64_t now)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (zone->times[middle] <= now)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int32_t zone_offset(const struct zone *zone, int64_t now)
{
	size_t passed = transition_before(zone, now);

	if (passed == zone->count && zone->has_rule)
		return zone_rule_offset(&zone->rule, now);
	/* before the first: type 0 (RFC 8536 section 3.2) */
	return zone->offsets[passed > 0 ? zone->types[passed - 1] : 0];
}
