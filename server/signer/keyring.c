/* See keyring.h. A file that everybody on the machine may read is refused: a key in it is no longer
 * private. */
#include "server/signer/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/text.h"

static int secret_read(int dir, const char *path, size_t max, struct buf *ret, struct err *err)
{
	struct stat st;

	if (fstatat(dir, path, &st, 0) == 0 && (st.st_mode & 0007))
		return err_set(err, -EPERM,
			"'%s': permissions %04o let everybody at it; chmod o= it", path,
			(unsigned)st.st_mode & 07777);
	return fd_read_file(dir, path, max, ret, err);
}

int keyring_read_key(int dir, const char *path, struct sshkey **ret, struct err *err)
{
	struct buf file = BUF_INIT(SSHKEY_FILE_MAX);
	int rc = secret_read(dir, path, SSHKEY_FILE_MAX, &file, err);

	if (rc == 0) {
		rc = sshkey_from_private(buf_bytes(&file), ret, err);
		if (rc < 0)
			err_prefix(err, rc, "'%s'", path);
	}
	buf_burn(&file);
	return rc;
}

/* The key is the keyring's from here on, on failure it is freed. */
static int key_add(struct keyring *keyring, const char *name, struct sshkey *key, struct err *err)
{
	struct keyring_key *grown;
	char *copy;

	if (keyring_key(keyring, name)) {
		sshkey_free(key);
		return err_set(err, -EEXIST,
			"keys: the name '%s' is reserved for a key of the gateway's own", name);
	}
	copy = strdup(name);
	grown = copy ? reallocarray(keyring->keys, keyring->key_count + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		sshkey_free(key);
		return err_set(err, -ENOMEM, "out of memory");
	}
	keyring->keys = grown;
	keyring->keys[keyring->key_count++] = (struct keyring_key){ .name = copy, .key = key };
	return 0;
}

static int key_load(struct keyring *keyring, const char *name, const char *path, struct err *err)
{
	struct sshkey *key = NULL;
	int rc = keyring_read_key(AT_FDCWD, path, &key, err);

	return rc < 0 ? err_prefix(err, rc, "key '%s'", name) : key_add(keyring, name, key, err);
}

/* The first line, without its line end. */
static int password_load(struct keyring_password *entry, struct err *err)
{
	struct buf file = BUF_INIT(KEYRING_PASSWORD_MAX);
	int rc = secret_read(AT_FDCWD, entry->file, KEYRING_PASSWORD_MAX, &file, err);

	if (rc == 0) {
		const char *text = (const char *)buf_data(&file);
		const char *end = file.len ? memchr(text, '\n', file.len) : NULL;
		size_t len = end ? (size_t)(end - text) : file.len;

		if (len && text[len - 1] == '\r')
			len--;
		if (!len || memchr(text, '\0', len))
			rc = err_set(
				err, -EINVAL, "'%s': no password in its first line", entry->file);
		else if (!(entry->text = text_dup(text, len)))
			rc = err_set(err, -ENOMEM, "out of memory");
	}
	buf_burn(&file);
	return rc < 0 ? err_prefix(err, rc, "password file") : 0;
}

static int password_compare(const void *a, const void *b)
{
	return strcmp(((const struct keyring_password *)a)->file,
		((const struct keyring_password *)b)->file);
}

/* One entry a file, however many targets use it; sorted, for keyring_password(). */
static int passwords_collect(struct keyring *keyring, char *const *files, struct err *err)
{
	size_t count = 0, kept = 0;

	while (files && files[count])
		count++;
	keyring->passwords = calloc(count + 1, sizeof(*keyring->passwords));
	if (!keyring->passwords)
		return err_set(err, -ENOMEM, "out of memory");
	for (; keyring->password_count < count; keyring->password_count++) {
		char *file = strdup(files[keyring->password_count]);

		if (!file)
			return err_set(err, -ENOMEM, "out of memory");
		keyring->passwords[keyring->password_count].file = file;
	}
	qsort(keyring->passwords, count, sizeof(*keyring->passwords), password_compare);
	for (size_t i = 0; i < count; i++) {
		if (kept && password_compare(
				    &keyring->passwords[kept - 1], &keyring->passwords[i]) == 0)
			free(keyring->passwords[i].file);
		else
			keyring->passwords[kept++] = keyring->passwords[i];
	}
	keyring->password_count = kept;
	return 0;
}

static int keyring_fill(struct keyring *keyring, const struct signer_conf *conf, struct err *err)
{
	int rc = 0;

	if (conf->issuing_key)
		rc = key_load(keyring, KEYRING_ISSUING, conf->issuing_key, err);
	for (size_t i = 0; rc == 0 && i < conf->key_count; i++)
		rc = key_load(keyring, conf->keys[i].name, conf->keys[i].file, err);
	if (rc == 0 && keyring_key(keyring, KEYRING_AUDIT))
		rc = err_set(err, -EEXIST,
			"keys: the name '%s' is reserved for a key of the gateway's own",
			KEYRING_AUDIT);
	rc = rc < 0 ? rc : passwords_collect(keyring, conf->passwords, err);
	for (size_t i = 0; rc == 0 && i < keyring->password_count; i++)
		rc = password_load(&keyring->passwords[i], err);
	return rc;
}

int keyring_load(const struct signer_conf *conf, struct keyring **ret, struct err *err)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	int rc =
		keyring ? keyring_fill(keyring, conf, err) : err_set(err, -ENOMEM, "out of memory");

	if (rc < 0) {
		keyring_free(keyring);
		return rc;
	}
	*ret = keyring;
	return 0;
}

/* Whole or not at all: written under another name, synced, then linked, so that of two instances
 * that start together one wins and both use its key. */
static int audit_create(int dir, uid_t uid, gid_t gid, struct err *err)
{
	struct sshkey *key SSHKEY_CLEANUP = NULL;
	struct buf file = BUF_INIT(SSHKEY_FILE_MAX);
	char temporary[64];
	int rc = sshkey_generate_ed25519(&key, err);

	rc = rc < 0 ? rc : sshkey_private_file(key, "bartizan audit key", &file);
	snprintf(temporary, sizeof(temporary), KEYRING_AUDIT_FILE ".%ld", (long)getpid());
	unlinkat(dir, temporary, 0);
	int fd FD_CLEANUP =
		rc < 0 ? -1
		       : openat(dir, temporary,
				 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (rc == 0 && fd < 0)
		rc = -errno;
	if (rc == 0 && geteuid() == 0 && uid != (uid_t)-1 && fchown(fd, uid, gid) < 0)
		rc = -errno;
	rc = rc < 0 ? rc : fd_write_all(fd, buf_data(&file), file.len);
	if (rc == 0 && (fsync(fd) < 0 ||
			       (linkat(dir, temporary, dir, KEYRING_AUDIT_FILE, 0) < 0 &&
				       errno != EEXIST) ||
			       fsync(dir) < 0))
		rc = -errno;
	unlinkat(dir, temporary, 0);
	buf_burn(&file);
	return rc < 0 ? err_set(err, rc, "cannot create '%s' in the state directory: %s",
				KEYRING_AUDIT_FILE, strerror(-rc))
		      : 0;
}

int keyring_audit(struct keyring *keyring, int state_dir, uid_t uid, gid_t gid, struct err *err)
{
	struct sshkey *key = NULL;
	struct stat st;
	int rc = 0;

	if (fstatat(state_dir, KEYRING_AUDIT_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		rc = errno == ENOENT ? audit_create(state_dir, uid, gid, err)
				     : err_set(err, -errno, "'%s': %s", KEYRING_AUDIT_FILE,
					       strerror(errno));
	/* the state directory is the broker's: it must not lead a reader with privileges elsewhere
	 */
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, -ELOOP, "'%s' in the state directory is not a regular file",
			KEYRING_AUDIT_FILE);
	rc = rc < 0 ? rc : keyring_read_key(state_dir, KEYRING_AUDIT_FILE, &key, err);
	return rc < 0 ? err_prefix(err, rc, "audit key")
		      : key_add(keyring, KEYRING_AUDIT, key, err);
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (size_t i = 0; i < keyring->key_count; i++) {
		free(keyring->keys[i].name);
		sshkey_free(keyring->keys[i].key);
	}
	for (size_t i = 0; i < keyring->password_count; i++) {
		free(keyring->passwords[i].file);
		if (keyring->passwords[i].text)
			text_burn(keyring->passwords[i].text, strlen(keyring->passwords[i].text));
		free(keyring->passwords[i].text);
	}
	free(keyring->keys);
	free(keyring->passwords);
	free(keyring);
}

const struct sshkey *keyring_key(const struct keyring *keyring, const char *name)
{
	for (size_t i = 0; i < keyring->key_count; i++)
		if (strcmp(keyring->keys[i].name, name) == 0)
			return keyring->keys[i].key;
	return NULL;
}

const char *keyring_password(const struct keyring *keyring, const char *file)
{
	struct keyring_password wanted = { .file = (char *)(uintptr_t)file };
	const struct keyring_password *found = bsearch(&wanted, keyring->passwords,
		keyring->password_count, sizeof(wanted), password_compare);

	return found ? found->text : NULL;
}
