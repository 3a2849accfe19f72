/* The signer's and egress's slices: filled from a whole configuration, sealed, opened; what must not
 * be in them; and every way an encoded slice can be malformed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"
#include "common/wire.h"
#include "server/reader/slices.h"
#include "server/role/slice.h"

#define HOST_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

static const char text[] =
	"version: 1\nhost_key: /etc/b/host\ncertificates: {issuing_key: /etc/b/ca}\nkeys: {router: {file: /etc/b/router}}\n"
	"providers:\n"
	"  - {name: corp, issuer: \"https://id.example.com\", client_id: bz, client_secret_file: secret, scopes: [openid, groups], user: email}\n"
	"  - {name: lab, issuer: \"http://127.0.0.1:9\", allow_http: true, client_id: bz, user: email, connect_time: 3s, answer_time: 4s, jwks_refresh: 5s}\n"
	"notify: {webhook: \"https://chat.example.com/x\", headers_file: headers}\nlimits: {keepalive: 90s}\n"
	"targets:\n"
	"  - {name: a, address: \"10.0.0.1\", host_keys: [\"" HOST_KEY "\"], credential: {password_file: pw}}\n"
	"  - {name: b, address: \"10.0.0.2\", host_keys: [\"" HOST_KEY "\"], credential: {password_file: /pw2}}\n"
	"  - {name: c, address: \"10.0.0.3\", host_keys: [\"" HOST_KEY "\"], credential: {key: router}}\n";

static struct files *files;
static struct config *config;
static struct slices slices;

static int setup(void **state)
{
	(void)state;
	struct err err = { "" };

	files = files_in_memory();
	assert_int_equal(files_add(files, "/etc/b/config.yaml", (struct bytes){ (const uint8_t *)text, strlen(text) }), 0);
	if (config_load(files, "/etc/b/config.yaml", &config, &err) < 0 || slices_make(config, &slices, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	slices_release(&slices);
	config_free(config);
	files_free(files);
	return 0;
}

static void assert_sealed(int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

static bool holds(int fd, const char *words)
{
	struct buf bytes BUF_CLEANUP = BUF_INIT(SLICE_SIZE_MAX);

	assert_int_equal(fd_read_memfd(fd, SLICE_SIZE_MAX, &bytes), 0);
	return memmem(buf_data(&bytes), bytes.len, words, strlen(words));
}

static void test_signer(void **state)
{
	(void)state;
	struct err err = { "" };
	struct signer_conf *back = NULL;
	int fd FD_CLEANUP = signer_conf_seal(&slices.signer, &err);

	assert_sealed(fd);
	assert_int_equal(signer_conf_open(fd, &back, &err), 0);
	assert_string_equal(back->issuing_key, "/etc/b/ca");
	assert_int_equal(back->key_count, 1);
	assert_string_equal(back->keys[0].name, "router");
	assert_string_equal(back->keys[0].file, "/etc/b/router");
	assert_string_equal(back->passwords[0], "/etc/b/pw");
	assert_string_equal(back->passwords[1], "/pw2");
	assert_null(back->passwords[2]);
	signer_conf_free(back);
	assert_true(holds(fd, "/etc/b/pw"));
	assert_false(holds(fd, "10.0.0.1"));
	assert_false(holds(fd, "example.com"));
}

static void test_signer_without_anything(void **state)
{
	(void)state;
	const struct signer_conf none = { 0 };
	struct signer_conf *back = NULL;
	struct err err = { "" };
	int fd FD_CLEANUP = signer_conf_seal(&none, &err);

	assert_int_equal(signer_conf_open(fd, &back, &err), 0);
	assert_null(back->issuing_key);
	assert_int_equal(back->key_count, 0);
	assert_null(back->passwords[0]);
	signer_conf_free(back);
}

static void test_egress(void **state)
{
	(void)state;
	struct err err = { "" };
	struct egress_conf *back = NULL;
	int fd FD_CLEANUP = egress_conf_seal(&slices.egress, &err);

	assert_sealed(fd);
	assert_int_equal(egress_conf_open(fd, &back, &err), 0);
	assert_int_equal(back->keepalive_s, 90);
	assert_string_equal(back->webhook, "https://chat.example.com/x");
	assert_null(back->webhook_ca);
	assert_string_equal(back->webhook_headers, "/etc/b/headers");
	assert_int_equal(back->provider_count, 2);
	const struct egress_provider *corp = &back->providers[0], *lab = &back->providers[1];
	assert_string_equal(corp->name, "corp");
	assert_string_equal(corp->issuer, "https://id.example.com");
	assert_string_equal(corp->client_id, "bz");
	assert_string_equal(corp->client_secret_file, "/etc/b/secret");
	assert_null(corp->ca);
	assert_string_equal(corp->scopes[1], "groups");
	assert_null(corp->scopes[2]);
	assert_false(corp->allow_http);
	assert_string_equal(lab->name, "lab");
	assert_null(lab->client_secret_file);
	assert_true(lab->allow_http);
	assert_int_equal(lab->connect_time, 3000);
	assert_int_equal(lab->answer_time, 4000);
	assert_int_equal(lab->jwks_refresh, 5000);
	egress_conf_free(back);
	assert_false(holds(fd, "10.0.0.1"));
	assert_false(holds(fd, "/etc/b/ca"));
	assert_false(holds(fd, "/etc/b/router"));
}

/* A file of authorities is longer than any other text, and as many providers may name it. */
static void test_egress_largest(void **state)
{
	(void)state;
	static char ca[EGRESS_CA_MAX + 2];
	static struct egress_conf conf;
	struct egress_conf *back = NULL;
	struct err err = { "" };

	memset(ca, 'c', EGRESS_CA_MAX);
	conf = (struct egress_conf){ .webhook_ca = ca, .provider_count = EGRESS_PROVIDERS_MAX };
	for (size_t i = 0; i < EGRESS_PROVIDERS_MAX; i++)
		conf.providers[i].ca = ca;
	int fd FD_CLEANUP = egress_conf_seal(&conf, &err);
	assert_int_equal(egress_conf_open(fd, &back, &err), 0);
	assert_int_equal(strlen(back->providers[EGRESS_PROVIDERS_MAX - 1].ca), EGRESS_CA_MAX);
	egress_conf_free(back);
	ca[EGRESS_CA_MAX] = 'c';
	assert_int_equal(egress_conf_seal(&conf, &err), -EMSGSIZE);
	conf = (struct egress_conf){ .provider_count = EGRESS_PROVIDERS_MAX + 1 };
	assert_int_equal(egress_conf_seal(&conf, &err), -EMSGSIZE);
}

static void test_malformed(void **state)
{
	(void)state;
	struct buf whole BUF_CLEANUP = BUF_INIT(SLICE_SIZE_MAX);
	struct err err = { "" };
	struct egress_conf *egress = NULL;
	struct signer_conf *signer = NULL;
	int fd FD_CLEANUP = egress_conf_seal(&slices.egress, &err), empty FD_CLEANUP = memfd_create("empty", MFD_CLOEXEC);

	assert_int_equal(fd_read_memfd(fd, SLICE_SIZE_MAX, &whole), 0);
	for (size_t len = 1; len < whole.len; len++) {
		int cut FD_CLEANUP = fd_memfd("cut", buf_data(&whole), len);

		assert_int_equal(egress_conf_open(cut, &egress, &err), -EBADMSG);
	}
	assert_int_equal(buf_putc(&whole, 0), 0);
	int longer FD_CLEANUP = fd_memfd("longer", buf_data(&whole), whole.len);
	assert_int_equal(egress_conf_open(longer, &egress, &err), -EBADMSG);
	assert_int_equal(egress_conf_open(empty, &egress, &err), -EBADMSG);
	assert_int_equal(signer_conf_open(fd, &signer, &err), -EBADMSG); /* somebody else's */
	assert_null(egress);
	assert_null(signer);
}

static void test_too_many(void **state)
{
	(void)state;
	const uint32_t counts[][2] = { { SIGNER_KEYS_MAX + 1, 0 }, { UINT32_MAX, 0 }, { 0, SIGNER_PASSWORDS_MAX + 1 }, { 0, UINT32_MAX } };
	struct signer_conf *back = NULL;
	struct err err = { "" };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct buf bytes BUF_CLEANUP = BUF_INIT(1 << 20);

		assert_int_equal(wire_put_cstring(&bytes, "/ca"), 0);
		assert_int_equal(wire_put_u32(&bytes, counts[i][0]), 0);
		assert_int_equal(wire_put_u32(&bytes, counts[i][1]), 0);
		for (uint32_t k = 0; k < SIGNER_PASSWORDS_MAX + 1; k++)
			assert_int_equal(wire_put_cstring(&bytes, ""), 0);
		int fd FD_CLEANUP = fd_memfd("many", buf_data(&bytes), bytes.len);
		assert_int_equal(signer_conf_open(fd, &back, &err), -EBADMSG);
	}
	assert_null(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signer), cmocka_unit_test(test_signer_without_anything), cmocka_unit_test(test_egress),
		cmocka_unit_test(test_egress_largest), cmocka_unit_test(test_malformed), cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
