/* Plain SSH keys: their kinds, parsing of public blobs and lines, comparison, fingerprints.
 *
 * Bytes come from clients, backends and certificates: a blob is accepted only if its type name
 * belongs to its body and nothing follows. Signatures are in sshkey_sig.c, private files in
 * sshkey_file.c, the checks of public numbers in sshkey_public.c. */
#include "keys/sshkey.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "common/text.h"
#include "keys/sshcert.h"
#include "keys/sshkey_impl.h"

int sshkey_refuse(struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return err_set(err, -EBADMSG, "%s", text);
}

static int read_type(struct wire *in, const struct sshkey_kind **ret, struct err *err)
{
	struct bytes name;
	char shown[96];

	if (wire_get_string(in, &name) < 0)
		return sshkey_refuse(err, "key is truncated in its type");
	*ret = sshkey_kind_find(name);
	if (*ret)
		return 0;
	if (sshcert_is_cert_type(name))
		return sshkey_refuse(err, "is a certificate, not a key");
	return sshkey_refuse(err, "key type '%s' is not supported",
		text_clean(shown, sizeof(shown), name.data, name.len));
}

static int read_body(struct sshkey *key, struct err *err)
{
	struct bytes blob = buf_bytes(&key->blob);
	struct wire in = WIRE_OF(blob.data, blob.len);
	int rc;

	rc = read_type(&in, &key->kind, err);
	if (rc < 0)
		return rc;
	rc = key->kind->read(key->kind, &in, &key->pkey, err);
	if (rc < 0)
		return rc;
	if (key->kind->sk && wire_get_string(&in, &key->application) < 0)
		return sshkey_refuse(
			err, "%s key is truncated in its application", key->kind->name);
	if (!wire_done(&in))
		return sshkey_refuse(err, "%s key has %zu trailing bytes", key->kind->name, in.len);
	return 0;
}

int sshkey_from_blob(struct bytes blob, struct sshkey **ret, struct err *err)
{
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	int rc;

	if (blob.len > SSHKEY_BLOB_MAX)
		return sshkey_refuse(
			err, "key of %zu bytes is longer than %d", blob.len, SSHKEY_BLOB_MAX);
	key = calloc(1, sizeof(*key));
	if (!key)
		return err_set(err, -ENOMEM, "out of memory");
	buf_init(&key->blob, SSHKEY_BLOB_MAX);
	rc = buf_put(&key->blob, blob.data, blob.len);
	if (rc < 0)
		return err_set(err, rc, "out of memory");
	rc = read_body(key, err);
	if (rc < 0)
		return rc;
	*ret = key;
	key = NULL;
	return 0;
}

/* A word ends at a blank or at the end of the line; *line is moved after it. */
static struct bytes take_word(const char **line)
{
	const char *start = *line + strspn(*line, " \t");
	size_t len = strcspn(start, " \t\r\n");

	*line = start + len;
	return (struct bytes){ (const uint8_t *)start, len };
}

int sshkey_from_line(const char *line, struct sshkey **ret, struct err *err)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	const char *rest = line;
	struct bytes type, base64, inner = { NULL, 0 };
	struct wire in;
	char shown[96];

	type = take_word(&rest);
	if (!sshkey_kind_find(type) && !sshcert_is_cert_type(type))
		return sshkey_refuse(err, "'%s' is not a key type",
			text_clean(shown, sizeof(shown), type.data, type.len));
	base64 = take_word(&rest);
	rest += strcspn(rest, "\n");
	if (rest[strspn(rest, "\r\n \t")] != '\0')
		return sshkey_refuse(err, "there is more than one line");
	if (base64.len == 0 || base64.len > SSHKEY_FILE_MAX ||
		text_base64_decode(&blob, (const char *)base64.data, base64.len) < 0)
		return sshkey_refuse(err, "key of type '%.*s' is not base64", (int)type.len,
			(const char *)type.data);
	in = WIRE_OF(buf_data(&blob), blob.len);
	if (wire_get_string(&in, &inner) < 0 || !wire_same(inner, type))
		return sshkey_refuse(err, "key type '%.*s' does not fit what follows it",
			(int)type.len, (const char *)type.data);
	return sshkey_from_blob(buf_bytes(&blob), ret, err);
}

void sshkey_free(struct sshkey *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey); /* OpenSSL clears private parts */
	buf_release(&key->blob);
	free(key);
}

void sshkey_freep(struct sshkey **key)
{
	sshkey_free(*key);
	*key = NULL;
}

const char *sshkey_type(const struct sshkey *key)
{
	return key->kind->name;
}

struct bytes sshkey_blob(const struct sshkey *key)
{
	return buf_bytes(&key->blob);
}

bool sshkey_same(const struct sshkey *a, const struct sshkey *b)
{
	return wire_same(sshkey_blob(a), sshkey_blob(b));
}

/* A line break in a comment would add a second line to an authorized_keys file. */
static bool comment_ok(const char *comment)
{
	for (; *comment; comment++)
		if ((unsigned char)*comment < ' ' || *comment == 0x7f)
			return false;
	return true;
}

int sshkey_line(const struct sshkey *key, const char *comment, struct buf *out)
{
	BUF_CLEANUP struct buf line = BUF_INIT(SSHKEY_FILE_MAX);
	bool has_comment = comment && *comment;
	int rc;

	if (has_comment && !comment_ok(comment))
		return -EINVAL;
	rc = buf_printf(&line, "%s ", key->kind->name);
	if (rc == 0)
		rc = text_base64(&line, buf_data(&key->blob), key->blob.len);
	if (rc == 0 && has_comment)
		rc = buf_putc(&line, ' ');
	if (rc == 0 && has_comment)
		rc = buf_puts(&line, comment);
	return rc < 0 ? rc : buf_put(out, buf_data(&line), line.len);
}

void sshkey_fingerprint_blob(struct bytes blob, char out[static SSHKEY_FP_MAX])
{
	BUF_CLEANUP struct buf text = BUF_INIT(SSHKEY_FP_MAX);
	uint8_t digest[32];
	size_t len = 0;

	snprintf(out, SSHKEY_FP_MAX, "SHA256:unknown");
	if (!EVP_Q_digest(NULL, "SHA256", NULL, blob.data, blob.len, digest, &len) ||
		text_base64(&text, digest, len) < 0)
		return;
	while (text.len > 0 && buf_data(&text)[text.len - 1] == '=')
		text.len--;
	snprintf(out, SSHKEY_FP_MAX, "SHA256:%.*s", (int)text.len, (const char *)buf_data(&text));
}

void sshkey_fingerprint(const struct sshkey *key, char out[static SSHKEY_FP_MAX])
{
	sshkey_fingerprint_blob(sshkey_blob(key), out);
}
