/* Certificates: hostile blobs. The first byte chooses: 0: the rest is the whole blob; else: the rest is all up to the reserved field, and a
 * CA of ours signs it, so that what lies behind the signature check is reached too. Whatever parses must keep the promises of sshcert.h. */
#include <stdlib.h>
#include <string.h>

#include "keys/sshcert.h"
#include "common/wire.h"

#include "tests/fuzz/fuzz.h"

static void check_promises(const struct sshcert *cert)
{
	struct bytes key = sshkey_blob(cert->key), ca = sshkey_blob(cert->ca);
	struct sshkey *again = NULL;
	struct addr source;
	struct err err = { "" };
	int rc;

	REQUIRE(sshcert_is_cert_type((struct bytes){ (const uint8_t *)cert->type_name, strlen(cert->type_name) }));
	REQUIRE(sshkey_from_blob(key, &again, NULL) == 0 && sshkey_same(again, cert->key));
	sshkey_freep(&again);
	REQUIRE(sshkey_from_blob(ca, &again, NULL) == 0 && strncmp(sshkey_type(again), "sk-", 3) != 0);
	sshkey_free(again);
	REQUIRE(cert->principal_count <= SSHCERT_PRINCIPALS_MAX && !cert->principals[cert->principal_count]);
	REQUIRE(!cert->force_command || *cert->force_command);
	REQUIRE(!cert->source_address || *cert->source_address);
	REQUIRE(addr_parse("10.1.2.3", &source, NULL) == 0);
	rc = sshcert_check(cert, 1800000000, &source, &err);
	REQUIRE(rc == 0 || *err.text);
	REQUIRE(rc < 0 || (cert->type == SSHCERT_TYPE_USER && cert->principal_count > 0 && !cert->unknown_critical && !cert->verify_required));
}

static void parse(struct bytes blob)
{
	struct sshcert *cert = NULL;
	struct err err = { "" };

	if (sshcert_parse(blob, &cert, &err) == 0)
		check_promises(cert);
	else
		REQUIRE(!cert && *err.text);
	sshcert_free(cert);
}

static void parse_signed(struct bytes head)
{
	static struct sshkey *ca;
	struct buf blob = BUF_INIT(2 * SSHKEY_BLOB_MAX), signature = BUF_INIT(SSHKEY_SIG_MAX);

	if (!ca)
		REQUIRE(sshkey_generate_ed25519(&ca, NULL) == 0);
	if (buf_put(&blob, head.data, head.len) == 0 && wire_put_cstring(&blob, "") == 0 && wire_put_bytes(&blob, sshkey_blob(ca)) == 0) {
		REQUIRE(sshkey_sign(ca, NULL, buf_bytes(&blob), &signature, NULL) == 0);
		REQUIRE(wire_put_bytes(&blob, buf_bytes(&signature)) == 0);
		parse(buf_bytes(&blob));
	}
	buf_release(&blob);
	buf_release(&signature);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = { data + 1, size - 1 };

	if (size == 0)
		return 0;
	if (data[0] == 0)
		parse(rest);
	else
		parse_signed(rest);
	return 0;
}
