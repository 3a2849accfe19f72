/* Parsing OpenSSH key revocation lists, and looking up keys in them. See krl.h.
 *
 * The format (PROTOCOL.krl): u64 magic, u32 format version 1, u64 list version, u64 time, u64
 * flags, string reserved, string comment, then sections {u8 type, string contents} to the end.
 * Entries are kept sorted, so that a look-up is fast even in a long list. */
#include "keys/krl.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/wire.h"

#define MAGIC 0x5353484b524c0a00ULL
#define HASH_MAX 32 /* SHA-256; SHA-1 leaves the rest zero */
#define SHA1_LEN 20
#define SHA256_LEN 32

enum section_type {
	S_CERTIFICATES = 1,
	S_KEY = 2,
	S_SHA1 = 3,
	S_SIGNATURE = 4,
	S_SHA256 = 5,
	S_EXTENSION = 255
};
enum cert_section_type {
	C_SERIALS = 0x20,
	C_RANGE = 0x21,
	C_BITMAP = 0x22,
	C_KEY_IDS = 0x23,
	C_EXTENSION = 0x39
};

struct range {
	uint64_t first, last;
};

struct section {	 /* certificates of one authority */
	struct bytes ca; /* owned; empty: any authority */
	struct range *ranges;
	size_t range_count, range_room;
	struct bytes *key_ids; /* owned */
	size_t key_id_count, key_id_room;
};

struct hash {
	uint8_t bytes[HASH_MAX];
};

struct hashes {
	struct hash *list;
	size_t count, room;
};

struct krl {
	uint64_t version;
	size_t entries;
	struct section *sections;
	size_t section_count, section_room;
	struct hashes sha1, sha256; /* revoked keys are kept as their SHA-256 */
};

/* Makes room for one more entry; the list may move. */
static int room_for(
	struct krl *krl, void **list, size_t count, size_t *room, size_t size, struct err *err)
{
	if (krl->entries >= KRL_ENTRIES_MAX)
		return err_set(
			err, -EMSGSIZE, "the list has more than %d entries", KRL_ENTRIES_MAX);
	if (count < *room)
		return 0;
	size_t more = *room ? *room * 2 : 16;
	void *grown = reallocarray(*list, more, size);
	if (!grown)
		return err_set(err, -ENOMEM, "out of memory");
	*list = grown;
	*room = more;
	return 0;
}

/* ---- entries ---- */

static int add_range(
	struct krl *krl, struct section *section, uint64_t first, uint64_t last, struct err *err)
{
	void *list = section->ranges;
	int rc = room_for(krl, &list, section->range_count, &section->range_room,
		sizeof(*section->ranges), err);
	section->ranges = list;
	if (rc)
		return rc;
	section->ranges[section->range_count++] = (struct range){ first, last };
	krl->entries++;
	return 0;
}

static int add_key_id(struct krl *krl, struct section *section, struct bytes id, struct err *err)
{
	void *list = section->key_ids;
	int rc = id.len <= KRL_KEY_ID_MAX
			 ? room_for(krl, &list, section->key_id_count, &section->key_id_room,
				   sizeof(*section->key_ids), err)
			 : err_set(err, -EMSGSIZE, "a key id is longer than %d bytes",
				   KRL_KEY_ID_MAX);
	section->key_ids = list;
	if (rc)
		return rc;
	const uint8_t *copy = (uint8_t *)text_dup(id.data, id.len);
	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	section->key_ids[section->key_id_count++] = (struct bytes){ copy, id.len };
	krl->entries++;
	return 0;
}

static int add_hash(
	struct krl *krl, struct hashes *to, const uint8_t *data, size_t len, struct err *err)
{
	void *list = to->list;
	int rc = room_for(krl, &list, to->count, &to->room, sizeof(*to->list), err);
	to->list = list;
	if (rc)
		return rc;
	to->list[to->count] = (struct hash){ 0 };
	memcpy(to->list[to->count++].bytes, data, len);
	krl->entries++;
	return 0;
}

static int digest(const EVP_MD *kind, struct bytes blob, struct hash *ret)
{
	*ret = (struct hash){ 0 };
	return EVP_Digest(blob.data, blob.len, ret->bytes, NULL, kind, NULL) == 1 ? 0 : -EIO;
}

/* ---- certificates ---- */

static int serials(struct krl *krl, struct section *section, struct wire *in, struct err *err)
{
	uint64_t serial;
	int rc = 0;

	while (!rc && !wire_done(in)) {
		if (wire_get_u64(in, &serial))
			return err_set(
				err, -EBADMSG, "a list of serials ends in the middle of one");
		rc = add_range(krl, section, serial, serial, err);
	}
	return rc;
}

static int serial_range(struct krl *krl, struct section *section, struct wire *in, struct err *err)
{
	uint64_t first, last;

	if (wire_get_u64(in, &first) || wire_get_u64(in, &last) || !wire_done(in))
		return err_set(err, -EBADMSG, "a range of serials is malformed");
	if (first > last)
		return err_set(err, -EBADMSG, "a range of serials ends before it begins");
	return add_range(krl, section, first, last, err);
}

/* The bitmap is a positive mpint: bit n stands for serial offset + n. Neighbours become one range.
 */
static int serial_bitmap(struct krl *krl, struct section *section, struct wire *in, struct err *err)
{
	uint64_t offset, first = 0;
	struct bytes map;
	bool open = false;
	int rc = 0;

	if (wire_get_u64(in, &offset) || wire_get_string(in, &map) || !wire_done(in))
		return err_set(err, -EBADMSG, "a bitmap of serials is malformed");
	if (map.len > KRL_BITMAP_MAX)
		return err_set(err, -EMSGSIZE, "a bitmap of serials is longer than %d bytes",
			KRL_BITMAP_MAX);
	if (map.len && map.data[0] & 0x80)
		return err_set(err, -EBADMSG, "a bitmap of serials is negative");
	if ((uint64_t)map.len * 8 > UINT64_MAX - offset)
		return err_set(err, -EBADMSG, "a bitmap of serials goes beyond the largest serial");
	for (uint64_t bit = 0; !rc && bit <= (uint64_t)map.len * 8; bit++) {
		bool set = bit < (uint64_t)map.len * 8 &&
			   map.data[map.len - 1 - bit / 8] >> bit % 8 & 1;
		if (set && !open)
			first = bit;
		else if (!set && open)
			rc = add_range(krl, section, offset + first, offset + bit - 1, err);
		open = set;
	}
	return rc;
}

static int key_ids(struct krl *krl, struct section *section, struct wire *in, struct err *err)
{
	struct bytes id;
	int rc = 0;

	while (!rc && !wire_done(in)) {
		if (wire_get_string(in, &id))
			return err_set(err, -EBADMSG, "a list of key ids is malformed");
		rc = add_key_id(krl, section, id, err);
	}
	return rc;
}

/* {string name, bool critical, string contents}. No extension is known, so a critical one is an
 * error. */
static int extension(struct wire *in, struct err *err)
{
	struct bytes name, contents;
	uint8_t critical;
	char show[128];

	if (wire_get_string(in, &name) || wire_get_u8(in, &critical) ||
		wire_get_string(in, &contents) || !wire_done(in) || critical > 1)
		return err_set(err, -EBADMSG, "an extension is malformed");
	return critical ? err_set(err, -EBADMSG, "extension '%s' is critical and unknown",
				  text_clean(show, sizeof(show), name.data, name.len))
			: 0;
}

static int cert_extension(
	struct krl *krl, struct section *section, struct wire *in, struct err *err)
{
	(void)krl, (void)section;
	return extension(in, err);
}

static const struct {
	uint8_t type;
	int (*parse)(struct krl *krl, struct section *section, struct wire *in, struct err *err);
} cert_sections[] = {
	{ C_SERIALS, serials },
	{ C_RANGE, serial_range },
	{ C_BITMAP, serial_bitmap },
	{ C_KEY_IDS, key_ids },
	{ C_EXTENSION, cert_extension },
};
#define CERT_SECTIONS (sizeof(cert_sections) / sizeof(cert_sections[0]))

static struct section *section_new(struct krl *krl, struct bytes ca, struct err *err)
{
	void *list = krl->sections;
	if (krl->section_count >= KRL_SECTIONS_MAX) {
		err_set(err, -EMSGSIZE, "the list has more than %d sections of certificates",
			KRL_SECTIONS_MAX);
		return NULL;
	}
	int rc = room_for(
		krl, &list, krl->section_count, &krl->section_room, sizeof(*krl->sections), err);
	krl->sections = list;
	if (rc)
		return NULL;
	struct section *section = &krl->sections[krl->section_count];
	*section = (struct section){ .ca = { (uint8_t *)text_dup(ca.data, ca.len), ca.len } };
	if (!section->ca.data) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	krl->section_count++;
	return section;
}

static int certificates(struct krl *krl, struct wire *in, struct err *err)
{
	struct bytes ca, reserved, contents;
	uint8_t type;

	if (wire_get_string(in, &ca) || wire_get_string(in, &reserved))
		return err_set(err, -EBADMSG, "a section of certificates is malformed");
	struct section *section = section_new(krl, ca, err);
	int rc = section ? 0 : -EMSGSIZE;
	while (!rc && !wire_done(in)) {
		size_t i = 0;
		if (wire_get_u8(in, &type) || wire_get_string(in, &contents))
			return err_set(err, -EBADMSG, "a section of certificates is malformed");
		while (i < CERT_SECTIONS && cert_sections[i].type != type)
			i++;
		struct wire part = WIRE_OF(contents.data, contents.len);
		rc = i < CERT_SECTIONS
			     ? cert_sections[i].parse(krl, section, &part, err)
			     : err_set(err, -EBADMSG,
				       "a section of certificates has a part of unknown type %u",
				       type);
	}
	return rc;
}

/* ---- keys ---- */

static int keys(struct krl *krl, struct wire *in, struct err *err)
{
	struct bytes blob;
	struct hash hash;
	int rc = 0;

	while (!rc && !wire_done(in)) {
		if (wire_get_string(in, &blob) || !blob.len)
			return err_set(err, -EBADMSG, "a list of keys is malformed");
		rc = digest(EVP_sha256(), blob, &hash)
			     ? -EIO
			     : add_hash(krl, &krl->sha256, hash.bytes, SHA256_LEN, err);
	}
	return rc;
}

static int fingerprints(
	struct krl *krl, struct hashes *to, size_t len, struct wire *in, struct err *err)
{
	struct bytes hash;
	int rc = 0;

	while (!rc && !wire_done(in)) {
		if (wire_get_string(in, &hash) || hash.len != len)
			return err_set(err, -EBADMSG, "a list of fingerprints is malformed");
		rc = add_hash(krl, to, hash.data, len, err);
	}
	return rc;
}

static int sha1(struct krl *krl, struct wire *in, struct err *err)
{
	return fingerprints(krl, &krl->sha1, SHA1_LEN, in, err);
}

static int sha256(struct krl *krl, struct wire *in, struct err *err)
{
	return fingerprints(krl, &krl->sha256, SHA256_LEN, in, err);
}

static int signature(struct krl *krl, struct wire *in, struct err *err)
{
	(void)krl, (void)in;
	return err_set(err, -EBADMSG, "signed lists are not supported");
}

static int list_extension(struct krl *krl, struct wire *in, struct err *err)
{
	(void)krl;
	return extension(in, err);
}

static const struct {
	uint8_t type;
	int (*parse)(struct krl *krl, struct wire *in, struct err *err);
} sections[] = {
	{ S_CERTIFICATES, certificates },
	{ S_KEY, keys },
	{ S_SHA1, sha1 },
	{ S_SIGNATURE, signature },
	{ S_SHA256, sha256 },
	{ S_EXTENSION, list_extension },
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* ---- the list ---- */

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static int by_bytes(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;
	int rc = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);

	return rc ? rc : (x->len > y->len) - (x->len < y->len);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

/* Overlapping ranges become one, so that only the last range that begins before a serial can
 * contain it. */
static void merge(struct section *section)
{
	size_t kept = 0;

	qsort(section->ranges, section->range_count, sizeof(*section->ranges), by_first);
	for (size_t i = 0; i < section->range_count; i++) {
		struct range *last = kept ? &section->ranges[kept - 1] : NULL;
		const struct range *next = &section->ranges[i];
		if (last && next->first <= last->last)
			last->last = next->last > last->last ? next->last : last->last;
		else
			section->ranges[kept++] = *next;
	}
	section->range_count = kept;
}

static void sort(struct krl *krl)
{
	for (size_t i = 0; i < krl->section_count; i++) {
		struct section *section = &krl->sections[i];
		if (section->range_count)
			merge(section);
		if (section->key_id_count)
			qsort(section->key_ids, section->key_id_count, sizeof(*section->key_ids),
				by_bytes);
	}
	if (krl->sha1.count)
		qsort(krl->sha1.list, krl->sha1.count, sizeof(struct hash), by_hash);
	if (krl->sha256.count)
		qsort(krl->sha256.list, krl->sha256.count, sizeof(struct hash), by_hash);
}

static int header(struct krl *krl, struct wire *in, struct err *err)
{
	uint64_t magic, time, flags;
	uint32_t format;
	struct bytes reserved, comment;

	if (wire_get_u64(in, &magic) || magic != MAGIC)
		return err_set(err, -EBADMSG, "not a key revocation list (ssh-keygen -k)");
	if (wire_get_u32(in, &format) || format != 1)
		return err_set(err, -EBADMSG, "its format is not version 1");
	if (wire_get_u64(in, &krl->version) || wire_get_u64(in, &time) ||
		wire_get_u64(in, &flags) || wire_get_string(in, &reserved) ||
		wire_get_string(in, &comment))
		return err_set(err, -EBADMSG, "its header is cut off");
	return 0;
}

static int body(struct krl *krl, struct wire *in, struct err *err)
{
	struct bytes contents;
	uint8_t type;
	int rc = 0;

	while (!rc && !wire_done(in)) {
		size_t i = 0;
		if (wire_get_u8(in, &type) || wire_get_string(in, &contents))
			return err_set(err, -EBADMSG, "a section is cut off");
		while (i < SECTIONS && sections[i].type != type)
			i++;
		struct wire part = WIRE_OF(contents.data, contents.len);
		rc = i < SECTIONS ? sections[i].parse(krl, &part, err)
				  : err_set(err, -EBADMSG, "a section is of unknown type %u", type);
	}
	return rc;
}

int krl_parse(struct bytes data, struct krl **ret, struct err *err)
{
	struct wire in = WIRE_OF(data.data, data.len);

	if (data.len > KRL_SIZE_MAX)
		return err_set(err, -EMSGSIZE, "longer than %d bytes", KRL_SIZE_MAX);
	struct krl *krl = calloc(1, sizeof(*krl));
	int rc = krl ? header(krl, &in, err) : err_set(err, -ENOMEM, "out of memory");
	if (!rc)
		rc = body(krl, &in, err);
	if (rc) {
		krl_free(krl);
		return rc;
	}
	sort(krl);
	*ret = krl;
	return 0;
}

void krl_free(struct krl *krl)
{
	for (size_t i = 0; krl && i < krl->section_count; i++) {
		struct section *section = &krl->sections[i];
		for (size_t k = 0; k < section->key_id_count; k++)
			free((void *)section->key_ids[k].data);
		free(section->key_ids);
		free(section->ranges);
		free((void *)section->ca.data);
	}
	if (!krl)
		return;
	free(krl->sections);
	free(krl->sha1.list);
	free(krl->sha256.list);
	free(krl);
}

uint64_t krl_version(const struct krl *krl)
{
	return krl->version;
}

size_t krl_entries(const struct krl *krl)
{
	return krl->entries;
}

/* ---- look-ups ---- */

static bool has_serial(const struct section *section, uint64_t serial)
{
	size_t low = 0, high = section->range_count;

	while (low < high) { /* the first range that begins after the serial */
		size_t middle = low + (high - low) / 2;
		if (section->ranges[middle].first <= serial)
			low = middle + 1;
		else
			high = middle;
	}
	return low && serial <= section->ranges[low - 1].last;
}

static bool has_key(const struct krl *krl, struct bytes blob)
{
	struct hash hash;

	if (digest(EVP_sha256(), blob, &hash)) /* in doubt it counts as revoked */
		return true;
	if (krl->sha256.count &&
		bsearch(&hash, krl->sha256.list, krl->sha256.count, sizeof(hash), by_hash))
		return true;
	if (!krl->sha1.count)
		return false;
	return digest(EVP_sha1(), blob, &hash) ||
	       bsearch(&hash, krl->sha1.list, krl->sha1.count, sizeof(hash), by_hash);
}

static const char *in_section(const struct section *section, const struct krl_question *question)
{
	struct bytes id = { (const uint8_t *)question->key_id,
		question->key_id ? strlen(question->key_id) : 0 };

	if (section->ca.len && !wire_same(section->ca, question->ca))
		return NULL;
	if (question->key_id && section->key_id_count &&
		bsearch(&id, section->key_ids, section->key_id_count, sizeof(id), by_bytes))
		return "its key id";
	return has_serial(section, question->serial) ? "its serial" : NULL;
}

bool krl_revoked(const struct krl *krl, const struct krl_question *question, const char **ret_by)
{
	*ret_by = NULL;
	if (has_key(krl, question->key))
		*ret_by = "its key";
	else if (question->ca.len && has_key(krl, question->ca))
		*ret_by = "the key of its authority";
	for (size_t i = 0; !*ret_by && question->ca.len && i < krl->section_count; i++)
		*ret_by = in_section(&krl->sections[i], question);
	return *ret_by;
}
