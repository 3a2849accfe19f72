/* See crypto_bar.h. The lists are in order of preference: AES-GCM first, because it is cheaper than
 * ChaCha20 on a CPU with AES instructions. Group exchange is left out: libssh cannot tell
 * afterwards which group was agreed on. */
#include "server/libssh/crypto_bar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/libssh/library.h"

/* preferred, so that traffic recorded today cannot be read by a future quantum computer; available
 * since libssh 0.12 */
#define KEX_POST_QUANTUM                                \
	"mlkem768x25519-sha256,sntrup761x25519-sha512," \
	"sntrup761x25519-sha512@openssh.com"
#define KEX_CURVE "curve25519-sha256,curve25519-sha256@libssh.org"
#define KEX_NIST "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
#define KEX_GROUPS "diffie-hellman-group18-sha512,diffie-hellman-group16-sha512"
#define AEAD "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com"
#define ETM "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"

static const struct {
	const char *kex, *ciphers, *macs;
} levels[] = {
	[CONF_CRYPTO_STRICT] = { KEX_CURVE, AEAD, ETM },
	[CONF_CRYPTO_MODERN] = { KEX_CURVE "," KEX_NIST "," KEX_GROUPS,
		AEAD ",aes256-ctr,aes192-ctr,aes128-ctr", ETM },
	[CONF_CRYPTO_COMPATIBLE] = { KEX_CURVE "," KEX_NIST "," KEX_GROUPS
					       ",diffie-hellman-group14-sha256",
		AEAD ",aes256-ctr,aes192-ctr,aes128-ctr", ETM ",hmac-sha2-256,hmac-sha2-512" },
};

enum list { LIST_KEX, LIST_CIPHER, LIST_MAC, LIST_HOST_KEY };

static const struct { /* what an old target may be allowed by name */
	const char *name;
	enum list list;
} weak[] = {
	{ "diffie-hellman-group14-sha256", LIST_KEX },
	{ "diffie-hellman-group14-sha1", LIST_KEX },
	{ "diffie-hellman-group1-sha1", LIST_KEX },
	{ "aes256-ctr", LIST_CIPHER },
	{ "aes192-ctr", LIST_CIPHER },
	{ "aes128-ctr", LIST_CIPHER },
	{ "aes256-cbc", LIST_CIPHER },
	{ "aes192-cbc", LIST_CIPHER },
	{ "aes128-cbc", LIST_CIPHER },
	{ "3des-cbc", LIST_CIPHER },
	{ "hmac-sha2-256", LIST_MAC },
	{ "hmac-sha2-512", LIST_MAC },
	{ "hmac-sha1", LIST_MAC },
	{ "hmac-sha1-etm@openssh.com", LIST_MAC },
	{ "ssh-rsa", LIST_HOST_KEY },
};

static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (!strncmp(at, name, len) && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

static int add(char list[static CRYPTO_LIST_MAX], const char *name)
{
	if (listed(list, name))
		return 0;
	size_t len = strlen(list);
	int n = snprintf(list + len, CRYPTO_LIST_MAX - len, ",%s", name);
	return n < 0 || (size_t)n >= CRYPTO_LIST_MAX - len ? -ENOSPC : 0;
}

static char *list_of(struct crypto_bar *bar, enum list list)
{
	if (list == LIST_KEX)
		return bar->kex;
	return list == LIST_CIPHER ? bar->ciphers : bar->macs;
}

static int allow_one(struct crypto_bar *bar, const char *name, struct err *err)
{
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		if (strcmp(weak[i].name, name))
			continue;
		if (weak[i].list == LIST_HOST_KEY) {
			bar->ssh_rsa = true;
			return 0;
		}
		return add(list_of(bar, weak[i].list), name);
	}
	return err_set(err, -EINVAL, "unknown algorithm '%s' in crypto.allow", name);
}

int crypto_bar_make(
	enum conf_crypto minimum, char *const *allow, struct crypto_bar *ret, struct err *err)
{
	*ret = (struct crypto_bar){ 0 };
	/* error texts show this list: it has no name that the library does not know */
	snprintf(ret->kex, sizeof(ret->kex), "%s%s",
		library_post_quantum() ? KEX_POST_QUANTUM "," : "", levels[minimum].kex);
	snprintf(ret->ciphers, sizeof(ret->ciphers), "%s", levels[minimum].ciphers);
	snprintf(ret->macs, sizeof(ret->macs), "%s", levels[minimum].macs);
	int rc = 0;
	for (size_t i = 0; !rc && allow && allow[i]; i++)
		rc = allow_one(ret, allow[i], err);
	return rc;
}

int crypto_bar_apply_server(const struct crypto_bar *bar, ssh_bind bind)
{
	const struct {
		enum ssh_bind_options_e option;
		const char *value;
	} settings[] = {
		{ SSH_BIND_OPTIONS_KEY_EXCHANGE, bar->kex },
		{ SSH_BIND_OPTIONS_CIPHERS_C_S, bar->ciphers },
		{ SSH_BIND_OPTIONS_CIPHERS_S_C, bar->ciphers },
		{ SSH_BIND_OPTIONS_HMAC_C_S, bar->macs },
		{ SSH_BIND_OPTIONS_HMAC_S_C, bar->macs },
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (ssh_bind_options_set(bind, settings[i].option, settings[i].value) != SSH_OK)
			return -EINVAL;
	return 0;
}

int crypto_bar_apply_client(const struct crypto_bar *bar, ssh_session session)
{
	const struct {
		enum ssh_options_e option;
		const char *value;
	} settings[] = {
		{ SSH_OPTIONS_KEY_EXCHANGE, bar->kex },
		{ SSH_OPTIONS_CIPHERS_C_S, bar->ciphers },
		{ SSH_OPTIONS_CIPHERS_S_C, bar->ciphers },
		{ SSH_OPTIONS_HMAC_C_S, bar->macs },
		{ SSH_OPTIONS_HMAC_S_C, bar->macs },
		{ SSH_OPTIONS_COMPRESSION, "no" },
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (ssh_options_set(session, settings[i].option, settings[i].value) < 0)
			return -EINVAL;
	return 0;
}

static int check_one(const char *what, const char *list, const char *name, struct err *err)
{
	if (name && listed(list, name))
		return 0;
	return err_set(err, -EPERM, "the %s agreed on, '%s', is below the cryptographic bar: %s",
		what, name ? name : "none", list);
}

int crypto_bar_check(const struct crypto_bar *bar, ssh_session session, struct err *err)
{
	const char *in = ssh_get_cipher_in(session), *out = ssh_get_cipher_out(session);
	int rc = check_one("key exchange", bar->kex, ssh_get_kex_algo(session), err);

	if (!rc)
		rc = check_one("cipher", bar->ciphers, in, err);
	if (!rc)
		rc = check_one("cipher", bar->ciphers, out, err);
	/* an AEAD cipher brings its own MAC: libssh then reports a name of its own */
	if (!rc && in && !listed(AEAD, in))
		rc = check_one("MAC", bar->macs, ssh_get_hmac_in(session), err);
	if (!rc && out && !listed(AEAD, out))
		rc = check_one("MAC", bar->macs, ssh_get_hmac_out(session), err);
	return rc;
}
