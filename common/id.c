/* Identifiers: ULIDs (github.com/ulid/spec) and the short names of approvals. */
#include "common/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"

#define TIME_DIGITS 10

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const char readable[] = "23456789ABCDEFGHJKMNPQRSTVWXYZ"; /* no 0 O, 1 I L, U V */
#define READABLE_COUNT (sizeof(readable) - 1)

/* A predictable id must never be used. After boot getrandom() fails only if the sandbox forbids it,
 * which is a bug. */
static void randomize(uint8_t *out, size_t len)
{
	ssize_t n;

	do
		n = getrandom(out, len, 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len)
		abort();
}

void id_ulid(int64_t wall_ms, const uint8_t random[static 10], char out[static ID_ULID_LEN + 1])
{
	uint64_t time = (uint64_t)wall_ms & 0xffffffffffffu;
	unsigned bits = 0, held = 0;
	char *digit = out + TIME_DIGITS;

	for (int i = TIME_DIGITS; i--; time >>= 5)
		out[i] = crockford[time & 0x1f];
	for (int i = 0; i < 10; i++) {
		bits = (bits << 8 | random[i]) & 0xffff;
		for (held += 8; held >= 5; held -= 5)
			*digit++ = crockford[bits >> (held - 5) & 0x1f];
	}
	*digit = 0;
}

void id_ulid_new(char out[static ID_ULID_LEN + 1])
{
	uint8_t random[10];

	randomize(random, sizeof(random));
	id_ulid(clock_wall_ms(), random, out);
}

bool id_ulid_ok(const char *text)
{
	return strnlen(text, ID_ULID_LEN + 1) == ID_ULID_LEN &&
	       strspn(text, crockford) == ID_ULID_LEN && text[0] <= '7';
}

void id_short_new(char out[static ID_SHORT_LEN + 1])
{
	for (int i = 0; i < ID_SHORT_LEN;) {
		uint8_t byte;
		randomize(&byte, 1);
		/* larger values would make some letters more frequent */
		if (byte < 256 / READABLE_COUNT * READABLE_COUNT)
			out[i++] = readable[byte % READABLE_COUNT];
	}
	out[ID_SHORT_LEN] = 0;
}

bool id_short_ok(const char *text)
{
	return strnlen(text, ID_SHORT_LEN + 1) == ID_SHORT_LEN &&
	       strspn(text, readable) == ID_SHORT_LEN;
}
