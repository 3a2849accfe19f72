/* What the signer answers: one handler a message. See signer.h for what it refuses on its own. */
#include "server/signer/signer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/text.h"
#include "common/wire.h"
#include "keys/sshcert.h"

#define USERAUTH_REQUEST 50 /* SSH_MSG_USERAUTH_REQUEST */
#define AGENT_RSA_SHA2_256 2
#define AGENT_RSA_SHA2_512 4

static const struct sshkey *signing_key(
	const struct keyring *keyring, const char *name, struct err *err)
{
	const struct sshkey *key =
		strcmp(name, KEYRING_AUDIT) == 0 ? NULL : keyring_key(keyring, name);

	if (!key)
		err_set(err, -ENOENT, "no key '%s' for that", name);
	return key;
}

static int cert_times(const struct msg_sign_cert *ask, struct err *err)
{
	if (ask->valid_before <= ask->valid_after)
		return err_set(err, -EINVAL, "the certificate would end before it begins");
	if (ask->valid_before - ask->valid_after > SIGNER_LIFETIME_MAX)
		return err_set(err, -EINVAL, "the certificate would live longer than %d days",
			SIGNER_LIFETIME_MAX / (24 * 3600));
	return 0;
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static int sign_cert(
	const struct keyring *keyring, const void *msg, struct buf *out, struct err *err)
{
	const struct msg_sign_cert *ask = msg;
	const struct sshkey *ca = signing_key(keyring, ask->key, err);
	struct sshkey *key SSHKEY_CLEANUP = NULL;
	uint8_t nonce[32];
	int rc = ca ? cert_times(ask, err) : -ENOENT;

	rc = rc < 0 ? rc : sshkey_from_blob(ask->pubkey, &key, err);
	if (rc < 0)
		return rc;
	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return err_set(err, -EIO, "no randomness");
	const struct sshcert_spec spec = {
		.key = key,
		.serial = ask->serial,
		.key_id = ask->key_id,
		.principals = (const char *const *)ask->principals,
		.rights = ask->rights,
		.valid_after = ask->valid_after,
		.valid_before = ask->valid_before,
		.force_command = or_null(ask->force_command),
		.source_address = or_null(ask->source_address),
	};
	return sshcert_sign(&spec, ca, nonce, out, err);
}

/* string prefix, u64 seq, string hash, nothing else. */
static int sign_audit(
	const struct keyring *keyring, const void *msg, struct buf *out, struct err *err)
{
	const struct msg_sign_audit *ask = msg;
	struct wire in = WIRE_OF(ask->data.data, ask->data.len);
	const struct sshkey *key = keyring_key(keyring, KEYRING_AUDIT);
	struct bytes hash;
	uint64_t seq;

	if (!wire_next_is(&in, SIGNER_AUDIT_PREFIX) || wire_get_u64(&in, &seq) < 0 ||
		wire_get_string(&in, &hash) < 0 || hash.len != 32 || !wire_done(&in))
		return err_set(err, -EINVAL, "not a checkpoint of the audit chain");
	return key ? sshkey_sign(key, NULL, ask->data, out, err)
		   : err_set(err, -ENOENT, "no audit key");
}

static const char *userauth_algorithm(const struct sshkey *key, uint32_t flags)
{
	if (strcmp(sshkey_type(key), "ssh-rsa") != 0)
		return flags == 0 ? sshkey_type(key) : NULL;
	if (flags == AGENT_RSA_SHA2_512)
		return "rsa-sha2-512";
	/* without a flag the protocol means SHA-1, which is never signed with */
	return flags == AGENT_RSA_SHA2_256 ? "rsa-sha2-256" : NULL;
}

#define METHOD_PLAIN "publickey"
/* the request ends with the server's host key (PROTOCOL of OpenSSH, section 3.1); libssh asks so
 * since 0.12, wherever the server can */
#define METHOD_HOSTBOUND "publickey-hostbound-v00@openssh.com"

static bool hostbound_end(struct wire *in, bool hostbound)
{
	struct bytes host_key;

	return (!hostbound || (wire_get_string(in, &host_key) == 0 && host_key.len)) &&
	       wire_done(in);
}

int signer_userauth_check(const struct msg_sign_agent *ask, const struct sshkey *key,
	const char **ret_algorithm, struct err *err)
{
	struct wire in = WIRE_OF(ask->data.data, ask->data.len);
	const char *algorithm = userauth_algorithm(key, ask->flags);
	struct bytes session, login, method, blob;
	uint8_t type, signature;

	if (!algorithm)
		return err_set(err, -EINVAL, "signature flags %u do not fit a %s key",
			(unsigned)ask->flags, sshkey_type(key));
	if (wire_get_string(&in, &session) < 0 || session.len < 20 || session.len > 64 ||
		wire_get_u8(&in, &type) < 0 || type != USERAUTH_REQUEST)
		return err_set(err, -EINVAL, "not an SSH login request");
	if (wire_get_string(&in, &login) < 0 || !wire_equal(login, ask->login))
		return err_set(err, -EACCES, "the login request is not for '%s'", ask->login);
	if (!wire_next_is(&in, "ssh-connection") || wire_get_string(&in, &method) < 0 ||
		(!wire_equal(method, METHOD_PLAIN) && !wire_equal(method, METHOD_HOSTBOUND)) ||
		wire_get_u8(&in, &signature) < 0 || signature != 1)
		return err_set(err, -EINVAL, "not a publickey login request");
	if (!wire_next_is(&in, algorithm))
		return err_set(err, -EINVAL, "the login request does not name the algorithm '%s'",
			algorithm);
	if (wire_get_string(&in, &blob) < 0 || !wire_same(blob, sshkey_blob(key)))
		return err_set(err, -EACCES, "the login request is for another key");
	if (!hostbound_end(&in, wire_equal(method, METHOD_HOSTBOUND)))
		return err_set(err, -EINVAL, "the login request does not end as it should");
	*ret_algorithm = algorithm;
	return 0;
}

static int sign_agent(
	const struct keyring *keyring, const void *msg, struct buf *out, struct err *err)
{
	const struct msg_sign_agent *ask = msg;
	const struct sshkey *key = signing_key(keyring, ask->key, err);
	const char *algorithm = NULL;
	int rc = key ? signer_userauth_check(ask, key, &algorithm, err) : -ENOENT;

	return rc < 0 ? rc : sshkey_sign(key, algorithm, ask->data, out, err);
}

static int password(
	const struct keyring *keyring, const void *msg, struct buf *out, struct err *err)
{
	const struct msg_password *ask = msg;
	const char *text = keyring_password(keyring, ask->file);

	return text ? buf_puts(out, text)
		    : err_set(err, -ENOENT, "no password file '%s'", ask->file);
}

typedef int sign_fn(
	const struct keyring *keyring, const void *msg, struct buf *out, struct err *err);

static const struct {
	enum ipc_type type;
	sign_fn *sign;
} questions[] = {
	{ IPC_SIGN_CERT, sign_cert },
	{ IPC_SIGN_AUDIT, sign_audit },
	{ IPC_SIGN_AGENT, sign_agent },
	{ IPC_PASSWORD, password },
};

static sign_fn *question_find(unsigned type)
{
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (questions[i].type == type)
			return questions[i].sign;
	return NULL;
}

static int answer_send(
	struct ipc *link, uint32_t id, int rc, const struct err *err, const struct buf *out)
{
	struct msg_signed answer = { .ok = rc == 0,
		.reason = (char *)(uintptr_t)(rc == 0 ? "" : err->text) };

	if (rc == 0)
		answer.data = buf_bytes(out);
	return ipc_send(link, IPC_SIGNED, id, &answer, NULL, 0);
}

/* The public halves of all keys, in the order of the keyring. */
static int answer_keys(const struct keyring *keyring, struct ipc *link, uint32_t id)
{
	char **names = calloc(keyring->key_count + 1, sizeof(*names)),
	     **lines = calloc(keyring->key_count + 1, sizeof(*lines));
	int rc = names && lines ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < keyring->key_count; i++) {
		struct buf line BUF_CLEANUP = BUF_INIT(IPC_TEXT_MAX);

		rc = sshkey_line(keyring->keys[i].key, keyring->keys[i].name, &line);
		names[i] = keyring->keys[i].name;
		lines[i] = rc < 0 ? NULL : text_dup(buf_data(&line), line.len);
		rc = lines[i] ? rc : -ENOMEM;
	}
	struct msg_keys_answer answer = { .names = names, .lines = lines };
	if (rc == 0)
		rc = ipc_send(link, IPC_KEYS_ANSWER, id, &answer, NULL, 0);
	for (size_t i = 0; lines && i < keyring->key_count; i++)
		free(lines[i]);
	free(lines);
	free(names);
	return rc;
}

int signer_answer(const struct keyring *keyring, struct ipc *link, const struct ipc_raw *raw)
{
	_Alignas(16) char msg[IPC_STRUCT_MAX];
	struct buf out = BUF_INIT(IPC_BLOB_MAX);
	struct err err = { "" };
	sign_fn *sign = question_find(raw->type);
	int rc;

	if ((!sign && raw->type != IPC_KEYS) || raw->fd_count)
		return -EBADMSG;
	if (ipc_msg_decode(raw->type, raw->body, msg, &err) < 0) {
		answer_send(link, raw->id, -EBADMSG, &err, &out);
		return -EBADMSG;
	}
	if (!sign) {
		rc = answer_keys(keyring, link, raw->id);
	} else {
		rc = sign(keyring, msg, &out, &err);
		rc = answer_send(link, raw->id, rc, &err, &out);
	}
	buf_burn(&out); /* it may hold a password */
	ipc_msg_free(raw->type, msg);
	return rc;
}
