/* The signer's answers, and what it refuses whatever the broker asks; and the keyring behind it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/files.h"
#include "keys/sshcert.h"
#include "common/text.h"
#include "common/wire.h"
#include "server/reader/slices.h"
#include "server/signer/signer.h"
#include "tests/unit/scratch.h"

#define DAY (24 * 3600ULL)

static struct scratch scratch;
static struct keyring *keyring;
static struct ipc *signer_link, *broker_link;

/* ---- a folder with a configuration and its keys ---- */

static void put_file(const char *name, const void *data, size_t len, mode_t mode)
{
	unlinkat(scratch.fd, name, 0);
	int fd = scratch_file(&scratch, name);

	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void put_ed25519(const char *name, struct buf *line)
{
	struct sshkey *key SSHKEY_CLEANUP = NULL;
	struct buf file BUF_CLEANUP = BUF_INIT(SSHKEY_FILE_MAX);

	assert_int_equal(sshkey_generate_ed25519(&key, NULL), 0);
	assert_int_equal(sshkey_private_file(key, "test", &file), 0);
	put_file(name, buf_data(&file), file.len, 0600);
	if (line)
		assert_int_equal(sshkey_line(key, "", line), 0);
}

static void put_rsa(const char *name)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	long len = BIO_get_mem_data(bio, &data);
	put_file(name, data, (size_t)len, 0600);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

static void put_config(void)
{
	struct buf host BUF_CLEANUP = BUF_INIT(4096), text BUF_CLEANUP = BUF_INIT(65536);

	put_ed25519("host", &host);
	put_ed25519("ca", NULL);
	put_ed25519("router", NULL);
	put_rsa("old");
	put_file("pw", "s3cret\r\nsecond line\n", 20, 0600);
	assert_int_equal(buf_printf(&text,
		"version: 1\nhost_key: host\ncertificates: {issuing_key: ca}\nkeys: {router: {file: router}, old: {file: old}}\ntargets:\n"
		"  - {name: a, address: \"10.0.0.1\", host_keys: [\"%.*s\"], credential: {password_file: pw}}\n"
		"  - {name: b, address: \"10.0.0.2\", host_keys: [\"%.*s\"], credential: {password_file: pw}}\n",
		(int)strcspn(buf_cstr(&host), "\n"), buf_cstr(&host), (int)strcspn(buf_cstr(&host), "\n"), buf_cstr(&host)), 0);
	put_file("config.yaml", buf_data(&text), text.len, 0600);
}

static int load(struct keyring **ret, struct err *err)
{
	char path[128];
	struct files *files = files_from_disk();
	struct config *config = NULL;

	snprintf(path, sizeof(path), "%s/config.yaml", scratch.path);
	int rc = config_load(files, path, &config, err);
	if (rc < 0)
		print_error("config: %s\n", err->text);
	assert_int_equal(rc, 0);
	struct slices slices;
	assert_int_equal(slices_make(config, &slices, err), 0);
	rc = keyring_load(&slices.signer, ret, err);
	slices_release(&slices);
	config_free(config);
	files_free(files);
	return rc;
}

static int setup(void **state)
{
	(void)state;
	struct err err;
	int fds[2];

	scratch = scratch_new();
	put_config();
	assert_int_equal(load(&keyring, &err), 0);
	assert_int_equal(keyring_audit(keyring, scratch.fd, (uid_t)-1, (gid_t)-1, &err), 0);
	assert_int_equal(fd_pair(SOCK_SEQPACKET, fds), 0);
	signer_link = ipc_new(fds[0]);
	broker_link = ipc_new(fds[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keyring_free(keyring);
	ipc_free(signer_link);
	ipc_free(broker_link);
	scratch_remove(&scratch);
	return 0;
}

/* ---- asking ---- */

static struct msg_signed ask(enum ipc_type type, const void *msg)
{
	struct ipc_raw raw = { 0 };
	struct msg_signed answer = { 0 };

	assert_int_equal(ipc_send(broker_link, type, 5, msg, NULL, 0), 0);
	assert_int_equal(ipc_recv(signer_link, &raw), 1);
	assert_int_equal(signer_answer(keyring, signer_link, &raw), 0);
	assert_int_equal(ipc_recv(broker_link, &raw), 1);
	assert_int_equal(raw.type, IPC_SIGNED);
	assert_int_equal(raw.id, 5);
	assert_int_equal(ipc_msg_decode(IPC_SIGNED, raw.body, &answer, NULL), 0);
	return answer;
}

static void assert_refused(enum ipc_type type, const void *msg, const char *reason)
{
	struct msg_signed answer = ask(type, msg);

	if (answer.ok || !strstr(answer.reason, reason))
		print_error("expected a refusal with '%s', got %s '%s'\n", reason, answer.ok ? "yes" : "no", answer.reason);
	assert_false(answer.ok);
	assert_int_equal(answer.data.len, 0);
	assert_non_null(strstr(answer.reason, reason));
	ipc_msg_free(IPC_SIGNED, &answer);
}

static struct msg_signed assert_signed(enum ipc_type type, const void *msg)
{
	struct msg_signed answer = ask(type, msg);

	if (!answer.ok)
		print_error("refused: %s\n", answer.reason);
	assert_true(answer.ok);
	return answer;
}

/* ---- certificates ---- */

static struct sshkey *user_key;
static char issuing[] = "issuing", key_id[] = "alice 42", empty[] = "", source[] = "10.0.0.0/8", deploy[] = "deploy";
static char *principals[] = { deploy, NULL };

static struct msg_sign_cert cert_ask(void)
{
	if (!user_key)
		assert_int_equal(sshkey_generate_ed25519(&user_key, NULL), 0);
	return (struct msg_sign_cert){ .key = issuing, .pubkey = sshkey_blob(user_key), .serial = 42, .key_id = key_id, .principals = principals,
		.valid_after = 1000000,
		.valid_before = 1000000 + DAY, .force_command = empty, .source_address = source, .rights = SSHCERT_PTY };
}

static void test_cert(void **state)
{
	(void)state;
	struct msg_sign_cert asked = cert_ask();
	struct sshcert *cert SSHCERT_CLEANUP = NULL;

	struct msg_signed answer = assert_signed(IPC_SIGN_CERT, &asked);
	assert_int_equal(sshcert_parse(answer.data, &cert, NULL), 0);
	assert_int_equal(cert->serial, 42);
	assert_string_equal(cert->key_id, "alice 42");
	assert_string_equal(cert->principals[0], "deploy");
	assert_string_equal(cert->source_address, "10.0.0.0/8");
	assert_null(cert->force_command);
	assert_int_equal(cert->rights, SSHCERT_PTY);
	assert_true(sshkey_same(cert->ca, keyring_key(keyring, "issuing")));
	assert_true(sshkey_same(cert->key, user_key));
	ipc_msg_free(IPC_SIGNED, &answer);
}

static void test_cert_twice_differs(void **state)
{
	(void)state;
	struct msg_sign_cert asked = cert_ask();
	struct msg_signed first = assert_signed(IPC_SIGN_CERT, &asked), second = assert_signed(IPC_SIGN_CERT, &asked);

	assert_false(wire_same(first.data, second.data)); /* the nonce */
	ipc_msg_free(IPC_SIGNED, &first);
	ipc_msg_free(IPC_SIGNED, &second);
}

static void test_cert_lifetime(void **state)
{
	(void)state;
	struct msg_sign_cert asked = cert_ask();

	asked.valid_before = asked.valid_after + 7 * DAY;
	struct msg_signed answer = assert_signed(IPC_SIGN_CERT, &asked);
	ipc_msg_free(IPC_SIGNED, &answer);
	asked.valid_before++;
	assert_refused(IPC_SIGN_CERT, &asked, "longer than 7 days");
	asked.valid_before = SSHCERT_FOREVER;
	assert_refused(IPC_SIGN_CERT, &asked, "longer than 7 days");
	asked.valid_before = asked.valid_after;
	assert_refused(IPC_SIGN_CERT, &asked, "end before it begins");
}

static void test_cert_keys(void **state)
{
	(void)state;
	struct msg_sign_cert asked = cert_ask();
	char *names[] = { (char[]){ "audit" }, (char[]){ "nobody" }, (char[]){ "" } };

	for (size_t i = 0; i < 3; i++) {
		asked.key = names[i];
		assert_refused(IPC_SIGN_CERT, &asked, "no key");
	}
	asked = cert_ask();
	asked.pubkey.len--;
	assert_refused(IPC_SIGN_CERT, &asked, "");
}

static void test_cert_principals(void **state)
{
	(void)state;
	struct msg_sign_cert asked = cert_ask();
	char *none[] = { NULL }, *comma[] = { (char[]){ "a,b" }, NULL }, *star[] = { (char[]){ "*" }, NULL };

	asked.principals = none;
	assert_refused(IPC_SIGN_CERT, &asked, "");
	asked.principals = comma;
	assert_refused(IPC_SIGN_CERT, &asked, "");
	asked.principals = star;
	assert_refused(IPC_SIGN_CERT, &asked, "");
}

/* ---- audit ---- */

static struct buf checkpoint(const char *prefix, size_t hash_len, bool tail)
{
	struct buf out = BUF_INIT(1024);
	uint8_t hash[64] = { 1 };

	assert_int_equal(wire_put_cstring(&out, prefix), 0);
	assert_int_equal(wire_put_u64(&out, 17), 0);
	assert_int_equal(wire_put_string(&out, hash, hash_len), 0);
	if (tail)
		assert_int_equal(buf_putc(&out, 0), 0);
	return out;
}

static void test_audit(void **state)
{
	(void)state;
	struct buf data = checkpoint("bartizan-audit-checkpoint-v1", 32, false);
	struct msg_sign_audit asked = { .data = buf_bytes(&data) };
	struct msg_signed answer = assert_signed(IPC_SIGN_AUDIT, &asked);

	assert_int_equal(sshkey_verify(keyring_key(keyring, "audit"), answer.data, asked.data, NULL), 0);
	ipc_msg_free(IPC_SIGNED, &answer);
	buf_release(&data);
}

static void test_audit_refused(void **state)
{
	(void)state;
	struct buf wrong[] = { checkpoint("bartizan-audit-checkpoint-v2", 32, false), checkpoint("bartizan-audit-checkpoint-v1", 31, false),
		checkpoint("bartizan-audit-checkpoint-v1", 33, false), checkpoint("bartizan-audit-checkpoint-v1", 32, true),
		checkpoint("", 32, false) };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct msg_sign_audit asked = { .data = buf_bytes(&wrong[i]) };

		assert_refused(IPC_SIGN_AUDIT, &asked, "not a checkpoint");
		buf_release(&wrong[i]);
	}
}

/* ---- agent ---- */

struct userauth { uint8_t type; const char *login, *service, *method; uint8_t signature; const char *algorithm, *key; bool tail; size_t session; const char *host_key; };

static struct buf userauth_make(const struct userauth *u)
{
	struct buf out = BUF_INIT(IPC_BLOB_MAX);
	uint8_t session[65] = { 9 };

	wire_put_string(&out, session, u->session);
	wire_put_u8(&out, u->type);
	wire_put_cstring(&out, u->login);
	wire_put_cstring(&out, u->service);
	wire_put_cstring(&out, u->method);
	wire_put_u8(&out, u->signature);
	wire_put_cstring(&out, u->algorithm);
	wire_put_bytes(&out, sshkey_blob(keyring_key(keyring, u->key)));
	if (u->host_key)
		wire_put_cstring(&out, u->host_key);
	if (u->tail)
		buf_putc(&out, 0);
	return out;
}

static const struct userauth good = { 50, "deploy", "ssh-connection", "publickey", 1, "ssh-ed25519", "router", false, 32, NULL };
static const struct userauth good_rsa = { 50, "deploy", "ssh-connection", "publickey", 1, "rsa-sha2-512", "old", false, 64, NULL };
#define HOSTBOUND "publickey-hostbound-v00@openssh.com"
static const struct userauth good_hostbound = { 50, "deploy", "ssh-connection", HOSTBOUND, 1, "ssh-ed25519", "router", false, 32, "a host key" };

static void test_agent(void **state)
{
	(void)state;
	char router[] = "router", old[] = "old", login[] = "deploy";
	const struct { const struct userauth *what; char *key; uint32_t flags; } cases[] = { { &good, router, 0 }, { &good_rsa, old, 4 },
		{ &good_hostbound, router, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf data = userauth_make(cases[i].what);
		struct msg_sign_agent asked = { .key = cases[i].key, .login = login, .data = buf_bytes(&data), .flags = cases[i].flags };
		struct msg_signed answer = assert_signed(IPC_SIGN_AGENT, &asked);
		struct wire in = WIRE_OF(answer.data.data, answer.data.len);

		assert_int_equal(sshkey_verify(keyring_key(keyring, cases[i].key), answer.data, asked.data, NULL), 0);
		assert_true(wire_next_is(&in, cases[i].what->algorithm));
		ipc_msg_free(IPC_SIGNED, &answer);
		buf_release(&data);
	}
}

static void agent_refused(const struct userauth *what, const char *key, const char *login, uint32_t flags, const char *reason)
{
	struct buf data = userauth_make(what);
	struct msg_sign_agent asked = { .key = (char *)(uintptr_t)key, .login = (char *)(uintptr_t)login, .data = buf_bytes(&data), .flags = flags };

	assert_refused(IPC_SIGN_AGENT, &asked, reason);
	buf_release(&data);
}

static void test_agent_refused(void **state)
{
	(void)state;
	struct userauth u;

#define WRONG(field, value, reason) u = good; u.field = value; agent_refused(&u, "router", "deploy", 0, reason)
	WRONG(type, 51, "not an SSH login request");
	WRONG(session, 19, "not an SSH login request");
	WRONG(session, 65, "not an SSH login request");
	WRONG(login, "root", "not for 'deploy'");
	WRONG(service, "ssh-userauth", "not a publickey login");
	WRONG(method, "hostbased", "not a publickey login");
	WRONG(signature, 0, "not a publickey login");
	WRONG(signature, 2, "not a publickey login");
	WRONG(algorithm, "rsa-sha2-512", "does not name the algorithm");
	WRONG(key, "issuing", "for another key");
	WRONG(tail, true, "does not end");
	WRONG(host_key, "a host key", "does not end");
	WRONG(method, HOSTBOUND, "does not end");
	WRONG(method, HOSTBOUND "x", "not a publickey login");
	u = good_hostbound, u.tail = true;
	agent_refused(&u, "router", "deploy", 0, "does not end");
	u = good_hostbound, u.host_key = "";
	agent_refused(&u, "router", "deploy", 0, "does not end");
	agent_refused(&good, "audit", "deploy", 0, "no key");
	agent_refused(&good, "none", "deploy", 0, "no key");
	agent_refused(&good, "router", "", 0, "not for ''");
	agent_refused(&good, "router", "deploy", 4, "flags");
	agent_refused(&good_rsa, "old", "deploy", 0, "flags"); /* SHA-1 */
	agent_refused(&good_rsa, "old", "deploy", 2, "rsa-sha2-256");
	agent_refused(&good_rsa, "old", "deploy", 6, "flags");
}

static void agent_truncated(const struct userauth *what)
{
	struct buf data = userauth_make(what);
	char router[] = "router", login[] = "deploy";

	for (size_t len = 0; len < data.len; len++) {
		struct msg_sign_agent asked = { .key = router, .login = login, .data = { buf_data(&data), len } };
		const char *algorithm;

		assert_true(signer_userauth_check(&asked, keyring_key(keyring, "router"), &algorithm, NULL) < 0);
	}
	buf_release(&data);
}

static void test_agent_truncated(void **state)
{
	(void)state;
	agent_truncated(&good);
	agent_truncated(&good_hostbound);
}

/* ---- passwords, keys, nonsense ---- */

static void test_password(void **state)
{
	(void)state;
	char path[128], other[] = "/etc/shadow";
	struct msg_password asked = { .file = path };

	snprintf(path, sizeof(path), "%s/pw", scratch.path);
	struct msg_signed answer = assert_signed(IPC_PASSWORD, &asked);
	assert_true(wire_equal(answer.data, "s3cret")); /* one line, without its end */
	ipc_msg_free(IPC_SIGNED, &answer);
	asked.file = other;
	assert_refused(IPC_PASSWORD, &asked, "no password file");
	assert_int_equal(keyring->password_count, 1); /* two targets, one file */
}

static void test_keys(void **state)
{
	(void)state;
	const char *expected[] = { "issuing", "router", "old", "audit" };
	struct msg_keys_answer answer;
	struct ipc_raw raw;

	assert_int_equal(ipc_send(broker_link, IPC_KEYS, 6, &(struct msg_empty){ 0 }, NULL, 0), 0);
	assert_int_equal(ipc_recv(signer_link, &raw), 1);
	assert_int_equal(signer_answer(keyring, signer_link, &raw), 0);
	assert_int_equal(ipc_recv(broker_link, &raw), 1);
	assert_int_equal(ipc_msg_decode(raw.type, raw.body, &answer, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		struct sshkey *key SSHKEY_CLEANUP = NULL;

		assert_string_equal(answer.names[i], expected[i]);
		assert_int_equal(sshkey_from_line(answer.lines[i], &key, NULL), 0);
		assert_true(sshkey_same(key, keyring_key(keyring, expected[i])));
	}
	assert_null(answer.names[4]);
	ipc_msg_free(IPC_KEYS_ANSWER, &answer);
}

static void test_nonsense(void **state)
{
	(void)state;
	struct ipc_raw raw;
	uint8_t junk[] = { 0, 0, 0, 99, 1 };

	assert_int_equal(ipc_send(broker_link, IPC_SCAN, 1, &(struct msg_empty){ 0 }, NULL, 0), 0);
	assert_int_equal(ipc_recv(signer_link, &raw), 1);
	assert_int_equal(signer_answer(keyring, signer_link, &raw), -EBADMSG); /* not a question for a signer */
	assert_int_equal(ipc_recv(broker_link, &raw), 0);

	assert_int_equal(ipc_send_raw(broker_link, IPC_PASSWORD, 1, (struct bytes){ junk, sizeof(junk) }, NULL, 0), 0);
	assert_int_equal(ipc_recv(signer_link, &raw), 1);
	assert_int_equal(signer_answer(keyring, signer_link, &raw), -EBADMSG);
	assert_int_equal(ipc_recv(broker_link, &raw), 1); /* answered, so that the broker does not wait */
	assert_int_equal(raw.type, IPC_SIGNED);

	assert_int_equal(ipc_send_raw(broker_link, IPC_KEYS, 1, (struct bytes){ NULL, 0 }, &scratch.fd, 1), 0);
	assert_int_equal(ipc_recv(signer_link, &raw), 1);
	assert_int_equal(raw.fd_count, 1);
	assert_int_equal(signer_answer(keyring, signer_link, &raw), -EBADMSG);
	ipc_raw_close(&raw);
}

/* ---- the keyring ---- */

static void load_refused(const char *reason)
{
	struct keyring *other = NULL;
	struct err err = { "" };

	assert_true(load(&other, &err) < 0);
	if (!strstr(err.text, reason))
		print_error("expected '%s', got '%s'\n", reason, err.text);
	assert_non_null(strstr(err.text, reason));
}

static void test_keyring_refused(void **state)
{
	(void)state;
	char path[128];

	snprintf(path, sizeof(path), "%s/ca", scratch.path);
	chmod(path, 0604);
	load_refused("permissions 0604");
	chmod(path, 0600);
	put_file("ca", "not a key", 9, 0600);
	load_refused("key 'issuing': '");
	unlink(path);
	load_refused("No such file");
	put_ed25519("ca", NULL);
	put_file("pw", "\n", 1, 0600);
	load_refused("no password in its first line");
	put_file("pw", "", 0, 0600);
	load_refused("no password in its first line");
	char longest[KEYRING_PASSWORD_MAX + 1];
	memset(longest, 'x', sizeof(longest));
	put_file("pw", longest, sizeof(longest), 0600);
	load_refused("longer than 1024");
	put_file("pw", longest, KEYRING_PASSWORD_MAX, 0600);
	struct keyring *other = NULL;
	assert_int_equal(load(&other, NULL), 0);
	keyring_free(other);
}

static void test_audit_key(void **state)
{
	(void)state;
	struct keyring first = { 0 };
	struct keyring *second = calloc(1, sizeof(*second));
	struct stat st;
	struct err err;

	assert_int_equal(fstatat(scratch.fd, "audit_key", &st, 0), 0); /* made by setup() */
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keyring_audit(second, scratch.fd, (uid_t)-1, (gid_t)-1, &err), 0);
	assert_true(sshkey_same(keyring_key(second, "audit"), keyring_key(keyring, "audit"))); /* and read again, not made again */
	keyring_free(second);

	assert_int_equal(unlinkat(scratch.fd, "audit_key", 0), 0);
	assert_int_equal(symlinkat("host", scratch.fd, "audit_key"), 0);
	assert_int_equal(keyring_audit(&first, scratch.fd, (uid_t)-1, (gid_t)-1, &err), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cert), cmocka_unit_test(test_cert_twice_differs), cmocka_unit_test(test_cert_lifetime),
		cmocka_unit_test(test_cert_keys),
		cmocka_unit_test(test_cert_principals), cmocka_unit_test(test_audit), cmocka_unit_test(test_audit_refused),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_agent_refused), cmocka_unit_test(test_agent_truncated), cmocka_unit_test(test_password),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_keyring_refused), cmocka_unit_test(test_audit_key),
	};
	int rc = cmocka_run_group_tests(tests, setup, teardown);

	sshkey_free(user_key);
	return rc;
}
