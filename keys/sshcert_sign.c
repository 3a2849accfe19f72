/* Makes user certificates. Only the signer calls this.
 *
 * Nothing is signed that sshcert_check_lasting() would refuse. A new certificate is parsed before
 * it is returned, by the same code that will verify it later. Options and extensions are in the
 * order of bytes (PROTOCOL.certkeys). */
#include <errno.h>
#include <string.h>

#include "common/text.h"
#include "keys/sshcert_impl.h"

#define NONCE_LEN 32
#define PRESENT(text) ((text) && *(text))

static int check_spec(
	const struct sshcert_spec *spec, const struct sshcert_kind **ret_kind, struct err *err)
{
	struct sshcert view = {
		.type = SSHCERT_TYPE_USER,
		.principals = (char **)spec->principals,
		.valid_after = spec->valid_after,
		.valid_before = spec->valid_before,
		.source_address =
			PRESENT(spec->source_address) ? (char *)spec->source_address : NULL,
	};

	if (!spec->key || !spec->key_id || !spec->principals)
		return err_set(err, -EINVAL, "a certificate needs a key, a key id and principals");
	*ret_kind = sshcert_kind_of(sshkey_type(spec->key));
	if (!*ret_kind)
		return err_set(err, -EINVAL, "a key of type %s cannot be certified",
			sshkey_type(spec->key));
	while (view.principals[view.principal_count])
		if (++view.principal_count > SSHCERT_PRINCIPALS_MAX)
			return err_set(err, -EINVAL, "a certificate has at most %d principals",
				SSHCERT_PRINCIPALS_MAX);
	return sshcert_check_lasting(&view, err);
}

static int put_key(const struct sshkey *key, const struct sshcert_kind *kind, const uint8_t *nonce,
	struct buf *out)
{
	struct bytes blob = sshkey_blob(key), type;
	struct wire body = WIRE_OF(blob.data, blob.len);
	int rc = wire_get_string(&body, &type);

	if (rc == 0)
		rc = wire_put_cstring(out, kind->name);
	if (rc == 0)
		rc = wire_put_string(out, nonce, NONCE_LEN);
	return rc < 0 ? rc : buf_put(out, body.data, body.len);
}

static int put_principals(const char *const *principals, struct buf *out)
{
	BUF_CLEANUP struct buf list = BUF_INIT(SSHKEY_BLOB_MAX);
	int rc = 0;

	for (; rc == 0 && *principals; principals++)
		rc = wire_put_cstring(&list, *principals);
	return rc < 0 ? rc : wire_put_bytes(out, buf_bytes(&list));
}

static int put_text_option(struct buf *list, const char *name, const char *value)
{
	BUF_CLEANUP struct buf data = BUF_INIT(SSHKEY_BLOB_MAX);
	int rc;

	if (!PRESENT(value))
		return 0;
	rc = wire_put_cstring(&data, value);
	if (rc == 0)
		rc = wire_put_cstring(list, name);
	return rc < 0 ? rc : wire_put_bytes(list, buf_bytes(&data));
}

static int put_critical(const struct sshcert_spec *spec, struct buf *out)
{
	BUF_CLEANUP struct buf list = BUF_INIT(SSHKEY_BLOB_MAX);
	int rc = put_text_option(&list, SSHCERT_OPTION_FORCE_COMMAND, spec->force_command);

	if (rc == 0)
		rc = put_text_option(&list, SSHCERT_OPTION_SOURCE_ADDRESS, spec->source_address);
	return rc < 0 ? rc : wire_put_bytes(out, buf_bytes(&list));
}

static int put_extensions(unsigned rights, struct buf *out)
{
	BUF_CLEANUP struct buf list = BUF_INIT(SSHKEY_BLOB_MAX);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < SSHCERT_RIGHTS; i++) {
		if (!(rights & sshcert_right_names[i].right))
			continue;
		rc = wire_put_cstring(&list, sshcert_right_names[i].name);
		if (rc == 0)
			rc = wire_put_cstring(&list, "");
	}
	return rc < 0 ? rc : wire_put_bytes(out, buf_bytes(&list));
}

static int put_numbers_and_names(const struct sshcert_spec *spec, struct buf *out)
{
	int rc = wire_put_u64(out, spec->serial);

	if (rc == 0)
		rc = wire_put_u32(out, SSHCERT_TYPE_USER);
	if (rc == 0)
		rc = wire_put_cstring(out, spec->key_id);
	if (rc == 0)
		rc = put_principals(spec->principals, out);
	if (rc == 0)
		rc = wire_put_u64(out, spec->valid_after);
	return rc < 0 ? rc : wire_put_u64(out, spec->valid_before);
}

static int put_all(const struct sshcert_spec *spec, const struct sshcert_kind *kind,
	const struct sshkey *ca, const uint8_t *nonce, struct buf *out)
{
	int rc = put_key(spec->key, kind, nonce, out);

	if (rc == 0)
		rc = put_numbers_and_names(spec, out);
	if (rc == 0)
		rc = put_critical(spec, out);
	if (rc == 0)
		rc = put_extensions(spec->rights, out);
	if (rc == 0)
		rc = wire_put_cstring(out, ""); /* reserved */
	return rc < 0 ? rc : wire_put_bytes(out, sshkey_blob(ca));
}

int sshcert_sign(const struct sshcert_spec *spec, const struct sshkey *ca,
	const uint8_t nonce[static 32], struct buf *out, struct err *err)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX),
			       signature = BUF_INIT(SSHKEY_SIG_MAX);
	SSHCERT_CLEANUP struct sshcert *made = NULL;
	const struct sshcert_kind *kind = NULL;
	int rc;

	rc = check_spec(spec, &kind, err);
	if (rc < 0)
		return rc;
	rc = put_all(spec, kind, ca, nonce, &blob);
	if (rc < 0)
		return err_set(
			err, rc, "the certificate would be longer than %d bytes", SSHKEY_BLOB_MAX);
	rc = sshkey_sign(ca, NULL, buf_bytes(&blob), &signature, err);
	if (rc < 0)
		return err_prefix(err, rc, "CA");
	rc = wire_put_bytes(&blob, buf_bytes(&signature));
	if (rc < 0)
		return err_set(
			err, rc, "the certificate would be longer than %d bytes", SSHKEY_BLOB_MAX);
	rc = sshcert_parse(buf_bytes(&blob), &made, err);
	if (rc < 0)
		return err_prefix(err, rc, "the certificate made here does not verify");
	return buf_put(out, buf_data(&blob), blob.len);
}
