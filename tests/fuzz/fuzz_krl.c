/* Key revocation lists: hostile bytes are refused in words or become a list that can be asked anything. */
#include <stdlib.h>
#include <string.h>

#include "keys/krl.h"

#include "tests/fuzz/fuzz.h"

static void ask(const struct krl *krl, struct bytes key, struct bytes ca, uint64_t serial, const char *key_id)
{
	const struct krl_question question = { key, ca, serial, key_id };
	const char *by;
	bool revoked = krl_revoked(krl, &question, &by);
	REQUIRE(revoked == (by != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t serials[] = { 0, 1, 2, 255, 256, UINT64_MAX - 1, UINT64_MAX };
	struct krl *krl = NULL;
	struct err err = { "" };
	if (krl_parse((struct bytes){ data, size }, &krl, &err)) {
		REQUIRE(!krl && *err.text);
		return 0;
	}
	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++)
		for (size_t part = 0; part < size; part += 1 + size / 7)
			ask(krl, (struct bytes){ data + part, size - part }, (struct bytes){ data, part }, serials[i], "key id");
	ask(krl, (struct bytes){ data, size }, (struct bytes){ NULL, 0 }, 7, NULL);
	krl_free(krl);
	return 0;
}
