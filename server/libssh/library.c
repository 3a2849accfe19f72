/* libssh and OpenSSL, made ready once before any fork, so that a sandboxed session opens no file;
 * and the check of libssh's version. See library.h.
 */
#include "server/libssh/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/log.h"
#include "server/libssh/debian_version.h"
#include "server/libssh/transport.h"

#define POST_QUANTUM_SINCE SSH_VERSION_INT(0, 12, 0)
#define DROPS "the parts of the protocol that libssh drops are not relayed"

bool library_post_quantum(void)
{
	return ssh_version(POST_QUANTUM_SINCE) != NULL;
}

#ifdef BARTIZAN_LIBSSH_STATIC

#define ORIGIN "Debian's source " BARTIZAN_LIBSSH_STATIC ", static"

const char *library_missing(void)
{
	return NULL;
}

/* The library is linked statically; packaging/libssh.sh builds no older version. */
static int check_version(struct err *err)
{
	return ssh_version(SSH_VERSION_INT(0, 12, 2))
		       ? 0
		       : err_set(err, -ENOTSUP, "libssh %s is too old: 0.12.2 is needed",
				 ssh_version(0));
}

#else

#define ORIGIN "the system's"
#define NEEDED_UPSTREAM SSH_VERSION_INT(0, 10, 6)
/* older builds of 0.10.6 miss fixes: CVE-2026-59847, -59850, -59843 */
#define NEEDED_DEBIAN "0.10.6-0+deb12u3"
#define DPKG_STATUS "/var/lib/dpkg/status"

const char *library_missing(void)
{
	return library_post_quantum() ? DROPS : "no post-quantum key exchange; " DROPS;
}

static int check_version(struct err *err)
{
	if (!ssh_version(NEEDED_UPSTREAM))
		return err_set(err, -ENOTSUP,
			"libssh %s is too old: 0.10.6 is needed, on Debian 12 the package "
			"libssh-4 " NEEDED_DEBIAN " or newer",
			ssh_version(0));
	/* The library knows its release but not Debian's revision, which has the fixes: where there
	 * is a package database, it is asked. */
	char version[128];
	int rc = debian_version_installed(DPKG_STATUS, "libssh-4", version, sizeof(version));
	if (rc == -ENOENT)
		/* not Debian, or another package name: the release number alone must do */
		return 0;
	if (!rc && debian_version_compare(version, NEEDED_DEBIAN) >= 0)
		return 0;
	return err_set(err, -ENOTSUP,
		"libssh-4 %s is too old: %s or newer is needed (apt-get install libssh-4); older "
		"builds lack security fixes",
		rc ? "of unknown version" : version, NEEDED_DEBIAN);
}

#endif

void library_describe(char *out, size_t size)
{
	const char *version = ssh_version(0); /* "0.12.2/openssl" */

	snprintf(out, size, "libssh %.*s (" ORIGIN "), %s", (int)strcspn(version, "/"), version,
		OpenSSL_version(OPENSSL_VERSION));
}

static void tell(void)
{
	char words[LIBRARY_WORDS_MAX];
	const char *missing = library_missing();

	library_describe(words, sizeof(words));
	log_info("%s", words);
	if (missing)
		log_warning("with this libssh: %s (built with LIBSSH=system)", missing);
}

int session_library_init(struct err *err)
{
	uint8_t warm[32];
	int rc = check_version(err);

	if (rc)
		return rc;
	tell();
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
				    OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
		NULL);
	if (RAND_bytes(warm, sizeof(warm)) != 1 || ssh_init() != SSH_OK)
		return err_set(err, -EIO, "OpenSSL or libssh cannot be initialised");
	/* Fetch now what OpenSSL would otherwise load from files on first use. */
	static const char *const ciphers[] = { "AES-256-GCM", "AES-128-GCM", "AES-256-CTR",
		"ChaCha20" };
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, ciphers[i], NULL));
	transport_log_setup();
	return 0;
}
