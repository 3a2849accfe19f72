/* Keys: the first byte chooses what the rest is: a blob, a line, a private file, the inside of an openssh-key-v1 file, or a signature blob by
 * a key of each kind (which must never be found valid, since no fuzzer makes one). */
#include <stdlib.h>
#include <string.h>

#include "keys/sshkey.h"
#include "common/text.h"

#include "tests/fuzz/fuzz.h"

/* A key that was taken must be taken again, from its blob and from its line, as the same key. */
static void round_trip(struct sshkey *key)
{
	BUF_CLEANUP struct buf line = BUF_INIT(SSHKEY_FILE_MAX);
	SSHKEY_CLEANUP struct sshkey *again = NULL, *owned = key, *third = NULL;

	REQUIRE(sshkey_from_blob(sshkey_blob(owned), &again, NULL) == 0 && sshkey_same(owned, again));
	REQUIRE(sshkey_line(owned, "comment", &line) == 0);
	REQUIRE(sshkey_from_line(buf_cstr(&line), &third, NULL) == 0 && sshkey_same(owned, third));
}

static void from_blob(struct bytes data)
{
	struct sshkey *key = NULL;
	struct err err = { "" };

	if (sshkey_from_blob(data, &key, &err) == 0)
		round_trip(key);
	else
		REQUIRE(!key && *err.text);
}

static void from_line(struct bytes data)
{
	FREE_CLEANUP char *line = text_dup(data.data, data.len);
	struct sshkey *key = NULL;

	if (line && sshkey_from_line(line, &key, NULL) == 0)
		round_trip(key);
}

static void from_private(struct bytes data)
{
	struct sshkey *key = NULL;

	if (sshkey_from_private(data, &key, NULL) < 0)
		return;
	round_trip(key);
}

static void from_inside(struct bytes data)
{
	BUF_CLEANUP struct buf file = BUF_INIT(2 * SSHKEY_FILE_MAX);

	if (buf_puts(&file, "-----BEGIN OPENSSH PRIVATE KEY-----\n") < 0 || text_base64(&file, data.data, data.len) < 0 ||
	    buf_puts(&file, "\n-----END OPENSSH PRIVATE KEY-----\n") < 0)
		return;
	from_private(buf_bytes(&file));
}

static void as_signature(struct bytes data)
{
	static const char *const lines[] = {
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILbFAkSC07tbgbBQT/9wAIk02Iz6EmAfifjI66Z+BLxl",
		"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAILbFAkSC07tbgbBQT/9wAIk02Iz6E"
		"mAfifjI66Z+BLxlAAAABHNzaDo=",
		"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIG4O7WauwWG3xEHimmSvH9zldio"
		"0NyX5y4uXZ1IV/fWeJYdDExdQD6i+i7/ywITpVVvbcgl1LGmICq+Tc/BVNQ=",
		"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDgkkb6KHu3JiSlUXM/DnA57ccO2wvlOpGgSkPsGCnDx/dg6Rnvn1UrqMAbUctx"
		"EsiOzSWlaxgcBgmq+Xvp1Uf9WPJf3+UIyyEpAxoBaluCApwLhhHcZokvrEv0Jb+hJpLN4OK6hNpEI/UM0zPhd5kBdX/f9OnNIMH2"
		"v8U+9UiGYwbD11Ti+U81FDqLYi3tOHrA1UWnEnmlaSxq/nkqn2Gvtbyqcri1oRu6txaCJVGO5x8YmSJflyQPW3IjhTR4kVg+ADem"
		"YZG0Xl5JCa5b4oq+cpr14xFmGoL9lJX69quPEtQmI0g35n+1yM1flehVxEyS25GzTCIguEuBghvzDzfz",
	};
	static struct sshkey *keys[sizeof(lines) / sizeof(lines[0])];
	static const struct bytes message = { (const uint8_t *)"message", 7 };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err err = { "" };

		if (!keys[i])
			REQUIRE(sshkey_from_line(lines[i], &keys[i], NULL) == 0);
		REQUIRE(sshkey_verify(keys[i], data, message, &err) < 0 && *err.text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ways[])(struct bytes data) = { from_blob, from_line, from_private, from_inside, as_signature };
	struct bytes rest = { data + 1, size - 1 };

	if (size > 0)
		ways[data[0] % (sizeof(ways) / sizeof(ways[0]))](rest);
	return 0;
}
