/* Private keys of every kind and file form that OpenSSH and OpenSSL make, for the tests of keys. */
#ifndef BARTIZAN_TESTS_KEYGEN_MADE_H
#define BARTIZAN_TESTS_KEYGEN_MADE_H

#include "tests/unit/keygen.h"

static const struct {
	const char *name, *type, *command;
	const char *algorithms[3];
} made[] = {
	{ "ed", "ssh-ed25519", "ssh-keygen -q -t ed25519 -N '' -C 'a comment' -f ed", { "ssh-ed25519" } },
	{ "ec256", "ecdsa-sha2-nistp256", "ssh-keygen -q -t ecdsa -b 256 -N '' -C comment -f ec256", { "ecdsa-sha2-nistp256" } },
	{ "ec384", "ecdsa-sha2-nistp384", "ssh-keygen -q -t ecdsa -b 384 -N '' -f ec384", { "ecdsa-sha2-nistp384" } },
	{ "ec521", "ecdsa-sha2-nistp521", "ssh-keygen -q -t ecdsa -b 521 -N '' -f ec521", { "ecdsa-sha2-nistp521" } },
	{ "rsa", "ssh-rsa", "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa", { "rsa-sha2-512", "rsa-sha2-256" } },
	{ "pem_rsa", "ssh-rsa", "ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f pem_rsa", { "rsa-sha2-512" } },
	{ "pem_ec", "ecdsa-sha2-nistp384", "ssh-keygen -q -t ecdsa -b 384 -m PEM -N '' -f pem_ec", { "ecdsa-sha2-nistp384" } },
	{ "p8_rsa", "ssh-rsa", "ssh-keygen -q -t rsa -b 2048 -m PKCS8 -N '' -f p8_rsa", { "rsa-sha2-256" } },
	{ "p8_ec", "ecdsa-sha2-nistp521", "ssh-keygen -q -t ecdsa -b 521 -m PKCS8 -N '' -f p8_ec", { "ecdsa-sha2-nistp521" } },
	{ "p8_short", "ecdsa-sha2-nistp256",
	  "openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed | openssl pkcs8 -topk8 -nocrypt -out p8_short && "
	  "chmod 600 p8_short && ssh-keygen -y -f p8_short > p8_short.pub", { "ecdsa-sha2-nistp256" } },
	{ "p8_ed", "ssh-ed25519",
	  "openssl genpkey -algorithm ed25519 -out p8_ed && chmod 600 p8_ed && printf 'ssh-ed25519 %s\\n' "
	  "$( (printf '\\0\\0\\0\\013ssh-ed25519\\0\\0\\0\\040'; openssl pkey -in p8_ed -pubout -outform DER | tail -c 32) | base64 -w0) > p8_ed.pub",
	  { "ssh-ed25519" } },
};

static inline int make_keys(void **state)
{
	if (keygen_setup(state) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(made); i++)
		keygen_run("%s", made[i].command);
	return 0;
}

static inline struct sshkey *public_of(const char *name)
{
	BUF_CLEANUP struct buf file = BUF_INIT(FILE_MAX + 1);
	char path[64];
	struct sshkey *key = NULL;
	struct err err = { "" };

	snprintf(path, sizeof(path), "%s.pub", name);
	keygen_read(path, &file);
	if (sshkey_from_line(buf_cstr(&file), &key, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	return key;
}

#endif
