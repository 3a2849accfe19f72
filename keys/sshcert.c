/* Certificates: from hostile bytes to struct sshcert.
 *
 * The layout (PROTOCOL.certkeys):
 *
 *	string type, string nonce, the body of the plain key, uint64 serial, uint32 type,
 *	string key id, string principals, uint64 valid after, uint64 valid before,
 *	string critical options, string extensions, string reserved, string CA key,
 *	string signature
 *
 * principals is a list of strings; options and extensions are pairs of string name, string data.
 *
 * A parsed certificate has a valid signature by cert->ca, a plain key. Whether that key is trusted
 * and the certificate is valid now and here is checked elsewhere. A field that OpenSSH ignores
 * (nonce's length, reserved, unknown extensions) is ignored here too. */
#include "keys/sshcert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "keys/sshcert_impl.h"

static const struct sshcert_kind kinds[] = {
	{ "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1 },
	{ "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2 },
	{ "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2 },
	{ "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2 },
	{ "ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2 },
	{ "sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2 },
	{ "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct fields { /* fields that are parsed later; borrowed from the blob */
	struct bytes key_id, principals, critical, extensions, ca;
};

const struct sshcert_kind *sshcert_kind_find(struct bytes name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (wire_equal(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

const struct sshcert_kind *sshcert_kind_of(const char *key_type)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].key_type, key_type) == 0)
			return &kinds[i];
	return NULL;
}

bool sshcert_is_cert_type(struct bytes name)
{
	static const char middle[] = "-cert-v0", end[] = "@openssh.com";
	size_t tail = strlen(middle) + 1 + strlen(end);
	const uint8_t *at;

	if (name.len <= tail)
		return false;
	at = name.data + name.len - tail;
	return memcmp(at, middle, strlen(middle)) == 0 && at[strlen(middle)] >= '0' &&
	       at[strlen(middle)] <= '9' && memcmp(at + strlen(middle) + 1, end, strlen(end)) == 0;
}

static int truncated(struct err *err, const char *where)
{
	return err_set(err, -EBADMSG, "certificate is truncated in its %s", where);
}

int sshcert_text(struct bytes value, const char *what, char **ret, struct err *err)
{
	if (value.len > 0 && memchr(value.data, '\0', value.len))
		return err_set(err, -EBADMSG, "certificate has a NUL byte in its %s", what);
	*ret = text_dup(value.data, value.len);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int take_type(
	struct sshcert *cert, struct wire *in, const struct sshcert_kind **ret, struct err *err)
{
	struct bytes name;
	char shown[96];

	if (wire_get_string(in, &name) < 0)
		return truncated(err, "type");
	*ret = sshcert_kind_find(name);
	if (*ret)
		return sshcert_text(name, "type", &cert->type_name, err);
	text_clean(shown, sizeof(shown), name.data, name.len);
	if (!sshcert_is_cert_type(name))
		return err_set(err, -EBADMSG, "'%s' is not the type of a certificate", shown);
	return err_set(err, -EBADMSG, "certificate type '%s' is not supported", shown);
}

/* The certificate contains the body of the plain key as it is in the key's own blob: puts the type
 * before it and parses that. */
static int take_key(
	struct sshcert *cert, struct wire *in, const struct sshcert_kind *kind, struct err *err)
{
	BUF_CLEANUP struct buf plain = BUF_INIT(SSHKEY_BLOB_MAX);
	struct bytes nonce, field;
	const uint8_t *start;
	int rc;

	if (wire_get_string(in, &nonce) < 0)
		return truncated(err, "nonce");
	start = in->data;
	for (size_t i = 0; i < kind->fields; i++)
		if (wire_get_string(in, &field) < 0)
			return truncated(err, "key");
	rc = wire_put_cstring(&plain, kind->key_type);
	if (rc == 0)
		rc = buf_put(&plain, start, (size_t)(in->data - start));
	if (rc < 0)
		return err_set(err, rc, "certificate's key is too long");
	rc = sshkey_from_blob(buf_bytes(&plain), &cert->key, err);
	return rc < 0 ? err_prefix(err, rc, "certificate's key") : 0;
}

static int read_fields(
	struct sshcert *cert, struct wire *in, struct fields *fields, struct err *err)
{
	struct bytes reserved;

	if (wire_get_u64(in, &cert->serial) < 0)
		return truncated(err, "serial");
	if (wire_get_u32(in, &cert->type) < 0)
		return truncated(err, "type number");
	if (wire_get_string(in, &fields->key_id) < 0)
		return truncated(err, "key id");
	if (wire_get_string(in, &fields->principals) < 0)
		return truncated(err, "principals");
	if (wire_get_u64(in, &cert->valid_after) < 0 || wire_get_u64(in, &cert->valid_before) < 0)
		return truncated(err, "validity");
	if (wire_get_string(in, &fields->critical) < 0)
		return truncated(err, "critical options");
	if (wire_get_string(in, &fields->extensions) < 0)
		return truncated(err, "extensions");
	if (wire_get_string(in, &reserved) < 0)
		return truncated(err, "reserved field");
	return wire_get_string(in, &fields->ca) < 0 ? truncated(err, "CA key") : 0;
}

static int take_principals(struct sshcert *cert, struct bytes list, struct err *err)
{
	struct wire in = WIRE_OF(list.data, list.len);
	struct bytes name;
	int rc;

	cert->principals = calloc(SSHCERT_PRINCIPALS_MAX + 1, sizeof(*cert->principals));
	if (!cert->principals)
		return err_set(err, -ENOMEM, "out of memory");
	while (!wire_done(&in)) {
		if (cert->principal_count == SSHCERT_PRINCIPALS_MAX)
			return err_set(err, -EBADMSG, "certificate has more than %d principals",
				SSHCERT_PRINCIPALS_MAX);
		if (wire_get_string(&in, &name) < 0)
			return truncated(err, "list of principals");
		rc = sshcert_text(
			name, "principals", &cert->principals[cert->principal_count], err);
		if (rc < 0)
			return rc;
		cert->principal_count++;
	}
	return 0;
}

/* CVE-2025-49825: a certificate in place of the CA key was taken for the key in it, so that the
 * owner of any certificate could act as a CA. */
static int take_ca(struct sshcert *cert, struct bytes ca, struct err *err)
{
	struct wire in = WIRE_OF(ca.data, ca.len);
	struct bytes name;
	int rc;

	if (wire_get_string(&in, &name) == 0 && sshcert_is_cert_type(name))
		return err_set(err, -EBADMSG, "certificate's CA key is itself a certificate");
	rc = sshkey_from_blob(ca, &cert->ca, err);
	if (rc < 0)
		return err_prefix(err, rc, "certificate's CA key");
	if (strncmp(sshkey_type(cert->ca), "sk-", 3) == 0)
		return err_set(err, -EBADMSG,
			"certificate's CA key is of type %s, which is not accepted for a CA",
			sshkey_type(cert->ca));
	return 0;
}

static int understand(struct sshcert *cert, const struct fields *fields, struct err *err)
{
	int rc;

	if (cert->type != SSHCERT_TYPE_USER && cert->type != SSHCERT_TYPE_HOST)
		return err_set(
			err, -EBADMSG, "certificate has the unknown type number %u", cert->type);
	rc = sshcert_text(fields->key_id, "key id", &cert->key_id, err);
	if (rc == 0)
		rc = take_principals(cert, fields->principals, err);
	if (rc == 0)
		rc = sshcert_take_options(cert, fields->critical, fields->extensions, err);
	return rc < 0 ? rc : take_ca(cert, fields->ca, err);
}

static int take_all(struct sshcert *cert, struct bytes blob, struct err *err)
{
	struct wire in = WIRE_OF(blob.data, blob.len);
	const struct sshcert_kind *kind = NULL;
	struct fields fields = { 0 };
	struct bytes body, signature;
	int rc;

	rc = take_type(cert, &in, &kind, err);
	if (rc == 0)
		rc = take_key(cert, &in, kind, err);
	if (rc == 0)
		rc = read_fields(cert, &in, &fields, err);
	if (rc < 0)
		return rc;
	body = (struct bytes){ blob.data, blob.len - in.len };
	if (wire_get_string(&in, &signature) < 0)
		return truncated(err, "signature");
	if (!wire_done(&in))
		return err_set(err, -EBADMSG, "certificate has %zu trailing bytes", in.len);
	rc = understand(cert, &fields, err);
	if (rc < 0)
		return rc;
	rc = sshkey_verify(cert->ca, signature, body, err);
	return rc < 0 ? err_prefix(err, rc, "certificate's signature by its CA") : 0;
}

int sshcert_parse(struct bytes blob, struct sshcert **ret, struct err *err)
{
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	int rc;

	if (blob.len > SSHKEY_BLOB_MAX)
		return err_set(err, -EBADMSG, "certificate of %zu bytes is longer than %d",
			blob.len, SSHKEY_BLOB_MAX);
	cert = calloc(1, sizeof(*cert));
	if (!cert)
		return err_set(err, -ENOMEM, "out of memory");
	rc = take_all(cert, blob, err);
	if (rc < 0)
		return rc;
	*ret = cert;
	cert = NULL;
	return 0;
}

void sshcert_free(struct sshcert *cert)
{
	if (!cert)
		return;
	for (size_t i = 0; i < cert->principal_count; i++)
		free(cert->principals[i]);
	free(cert->principals);
	free(cert->type_name);
	free(cert->key_id);
	free(cert->force_command);
	free(cert->source_address);
	free(cert->unknown_critical);
	sshkey_free(cert->key);
	sshkey_free(cert->ca);
	free(cert);
}

void sshcert_freep(struct sshcert **cert)
{
	sshcert_free(*cert);
	*cert = NULL;
}
