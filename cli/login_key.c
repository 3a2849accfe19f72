/* Gets a key's certificate from the gateway, and stores both.
 *
 * The private half is written once, into a private folder, because ssh reads keys from files;
 * folder and files are removed before login_key_certify() returns, also on failure. */
#include "cli/login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/text.h"

#define FOLDER_MAX 512
#define PATH_TEXT_MAX 4096
#define ANSWER_MAX (SSHKEY_BLOB_MAX * 2)

struct work { /* while the folder exists */
	const struct login_conf *conf;
	struct login_guard guard;
	char folder[FOLDER_MAX], path[FOLDER_MAX + 8]; /* path: the key's file */
	char comment[LOGIN_COMMENT_MAX];
};

void login_key_release(struct login_key *key)
{
	sshkey_free(key->key);
	sshcert_free(key->cert);
	buf_release(&key->line);
	*key = (struct login_key){ 0 };
}

/* ---- the folder ---- */

/* Makes the folder in the user's runtime folder, which is in memory, if there is one. */
static int folder_make(struct work *work, struct err *err)
{
	const char *base = getenv("XDG_RUNTIME_DIR");

	if (!base || *base != '/' || access(base, W_OK))
		base = getenv("TMPDIR");
	if (!base || *base != '/')
		base = "/tmp";
	if (snprintf(work->folder, sizeof(work->folder), "%s/bartizan-XXXXXX", base) >=
		(int)sizeof(work->folder))
		return err_set(err, -ENAMETOOLONG, "'%.200s': too long a name for a folder", base);
	if (!mkdtemp(work->folder))
		return err_set(err, -errno, "'%s': %s", base, strerror(errno));
	snprintf(work->path, sizeof(work->path), "%s/key", work->folder);
	return 0;
}

static void folder_remove(const struct work *work)
{
	static const char *const names[] = { "key", "key.pub", "key-cert.pub" };
	FD_CLEANUP int fd = open(work->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(fd, names[i], 0);
	if (rmdir(work->folder))
		cli_error("'%s' could not be removed: %s", work->folder, strerror(errno));
}

/* ---- files ---- */

/* Writes a temporary file and renames it, so that the file is always whole. */
static int write_file(const char *path, struct bytes text, struct err *err)
{
	char temporary[PATH_TEXT_MAX + 32];

	snprintf(temporary, sizeof(temporary), "%s.%ld.new", path, (long)getpid());
	FD_CLEANUP int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "'%s': %s", temporary, strerror(errno));
	int rc = fd_write_all(fd, text.data, text.len);
	if (!rc && fsync(fd))
		rc = -errno;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc)
		unlink(temporary);
	return rc ? err_set(err, rc, "'%s': %s", path, strerror(-rc)) : 0;
}

static int write_line(const char *path, const char *line, const char *comment, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(ANSWER_MAX + LOGIN_COMMENT_MAX);
	int rc = buf_printf(&text, "%s %s\n", line, comment);

	return rc ? err_set(err, rc, "'%s': too long", path)
		  : write_file(path, buf_bytes(&text), err);
}

static int write_private(
	const char *path, const struct sshkey *key, const char *comment, struct err *err)
{
	struct buf secret = BUF_INIT(SSHKEY_FILE_MAX);
	int rc = sshkey_private_file(key, comment, &secret);

	rc = rc ? err_set(err, rc, "the new key cannot be written")
		: write_file(path, buf_bytes(&secret), err);
	buf_burn(&secret);
	return rc;
}

static int cert_path(const char *path, char out[static PATH_TEXT_MAX], struct err *err)
{
	if (snprintf(out, PATH_TEXT_MAX, "%s-cert.pub", path) >= PATH_TEXT_MAX)
		return err_set(err, -ENAMETOOLONG, "'%.200s…': too long a name", path);
	return 0;
}

/* Whether FILE-cert.pub ends with the comment of this program. */
static bool is_ours(const char *path)
{
	BUF_CLEANUP struct buf text = BUF_INIT(SSHKEY_FILE_MAX);
	char cert[PATH_TEXT_MAX];

	if (cert_path(path, cert, NULL) ||
		fd_read_file(AT_FDCWD, cert, SSHKEY_FILE_MAX - 1, &text, NULL) || !buf_cstr(&text))
		return false;
	char *line = (char *)(uintptr_t)buf_cstr(&text), *blob = strchr(line, ' '),
	     *comment = blob ? strchr(blob + 1, ' ') : NULL;
	line[strcspn(line, "\n")] = 0;
	return comment && agent_ours(comment + 1, NULL, NULL, NULL);
}

int login_out_check(const char *out, struct err *err)
{
	char cert[PATH_TEXT_MAX];
	int rc = cert_path(out, cert, err);

	if (rc)
		return rc;
	if ((!faccessat(AT_FDCWD, out, F_OK, AT_SYMLINK_NOFOLLOW) ||
		    !faccessat(AT_FDCWD, cert, F_OK, AT_SYMLINK_NOFOLLOW)) &&
		!is_ours(out))
		return err_set(err, -EEXIST,
			"'%.300s' or its certificate exists and is not of an earlier 'bartizan "
			"login': it stays as it is",
			out);
	return 0;
}

/* ---- the certificate ---- */

/* The answer must be exactly one line: a certificate for this key and user that is valid now. */
static int take_certificate(
	struct bytes answer, const struct login_conf *conf, struct login_key *key, struct err *err)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(SSHKEY_BLOB_MAX);
	const char *text = (const char *)answer.data,
		   *space = answer.len ? memchr(text, ' ', answer.len) : NULL;
	size_t len = answer.len && text[answer.len - 1] == '\n' ? answer.len - 1 : answer.len;

	if (!space || (size_t)(space - text) >= len || memchr(text, '\n', len))
		return err_set(err, -EBADMSG, "the gateway's answer is not a certificate");
	size_t left = len - (size_t)(space + 1 - text);
	const char *end = memchr(space + 1, ' ', left);
	if (end)
		left = (size_t)(end - space - 1);
	if (text_base64_decode(&blob, space + 1, left))
		return err_set(err, -EBADMSG, "the gateway's answer is not a certificate");
	int rc = sshcert_parse(buf_bytes(&blob), &key->cert, err);
	if (rc)
		return err_prefix(err, rc, "the gateway's certificate");
	int64_t now = clock_wall();
	if (key->cert->type != SSHCERT_TYPE_USER || !sshkey_same(key->cert->key, key->key) ||
		key->cert->principal_count != 1)
		return err_set(err, -EBADMSG, "the gateway's certificate is not one for this key");
	if (!text_name_ok(key->cert->principals[0], strlen(key->cert->principals[0])))
		return err_set(err, -EBADMSG, "the gateway's certificate has an invalid user name");
	if (key->cert->valid_after > (uint64_t)now || key->cert->valid_before <= (uint64_t)now)
		return err_set(err, -EBADMSG,
			"the gateway's certificate is not valid now: do the clocks agree?");
	if (conf->user && strcmp(conf->user, key->cert->principals[0]))
		return err_set(err, -EACCES, "'%s' has logged in, but it should have been '%s'",
			key->cert->principals[0], conf->user);
	buf_init(&key->line, ANSWER_MAX);
	return buf_printf(&key->line, "%.*s", (int)(space + 1 + left - text), text) ||
			       !buf_cstr(&key->line)
		       ? err_set(err, -ENOMEM, "out of memory")
		       : 0;
}

static int exchange(struct work *work, struct bytes token, struct login_key *key, struct err *err)
{
	static const char *const words[] = { "login", "--token", NULL };
	const struct login_ssh ssh = { .identity = work->path, .user = "token", .words = words };
	const char *argv[LOGIN_SSH_WORDS_MAX];
	BUF_CLEANUP struct buf scratch = { 0 };
	BUF_CLEANUP struct buf answer = { 0 };
	struct buf input = BUF_INIT(token.len + 1);
	int rc = login_ssh_command(work->conf, &ssh, &scratch, argv);

	if (!rc)
		rc = buf_put(&input, token.data, token.len);
	if (!rc)
		rc = buf_putc(&input, '\n');
	const struct login_program program = { argv, buf_bytes(&input), ANSWER_MAX };
	rc = rc ? err_set(err, rc, "out of memory")
		: login_run(&work->guard, &program, &answer, err);
	buf_burn(&input);
	if (rc > 0)
		return err_set(
			err, -EACCES, "the gateway '%s' sent no certificate", work->conf->gateway);
	return rc ? rc : take_certificate(buf_bytes(&answer), work->conf, key, err);
}

/* ---- where it goes ---- */

/* Removes earlier keys for the same gateway, which the new one replaces. */
static int remove_old(const struct login_key *key, const char *gateway, struct err *err)
{
	FD_CLEANUP int fd = -1;
	struct agent_keys keys = { 0 };
	int rc = agent_open(&fd, err);

	if (!rc)
		rc = agent_list(fd, &keys, err);
	for (size_t i = 0; !rc && i < keys.count; i++) {
		SSHCERT_CLEANUP struct sshcert *cert = NULL;
		struct bytes own = sshkey_blob(key->key), blob = keys.list[i].blob;
		if (!agent_ours(keys.list[i].comment, gateway, NULL, NULL))
			continue;
		bool is_new = blob.len == own.len && !memcmp(blob.data, own.data, own.len);
		if (!is_new && !sshcert_parse(blob, &cert, NULL))
			is_new = sshkey_same(cert->key, key->key);
		if (!is_new)
			rc = agent_remove(fd, blob, err);
	}
	agent_keys_release(&keys);
	return rc;
}

static int to_agent(struct work *work, const struct login_key *key, struct err *err)
{
	char cert[PATH_TEXT_MAX], seconds[32], gateway[LOGIN_GATEWAY_MAX];
	BUF_CLEANUP struct buf answer = { 0 };
	const char *argv[] = { "ssh-add", "-q", "-t", seconds, work->path, NULL };
	int64_t left = (int64_t)(key->cert->valid_before - (uint64_t)clock_wall());

	if (left > INT32_MAX)
		left = INT32_MAX;
	snprintf(seconds, sizeof(seconds), "%lld", (long long)(left > 0 ? left : 1));
	int rc = cert_path(work->path, cert, err);
	if (!rc)
		rc = write_private(work->path, key->key, work->comment, err);
	if (!rc)
		rc = write_line(cert, (const char *)buf_data(&key->line), work->comment, err);
	const struct login_program program = { argv, { NULL, 0 }, 4096 };
	if (!rc)
		rc = login_run(&work->guard, &program, &answer, err);
	if (rc > 0)
		return err_set(err, -EACCES,
			"ssh-agent did not take the new key; '--out FILE' needs no agent");
	return rc ? rc : remove_old(key, login_gateway(work->conf, gateway), err);
}

static int to_files(
	struct work *work, const char *out, const struct login_key *key, struct err *err)
{
	char cert[PATH_TEXT_MAX];
	/* checked again, because the login may have taken minutes */
	int rc = login_out_check(out, err);

	if (!rc)
		rc = cert_path(out, cert, err);
	if (!rc)
		rc = write_private(out, key->key, work->comment, err);
	return rc ? rc : write_line(cert, (const char *)buf_data(&key->line), work->comment, err);
}

/* ---- all ---- */

static int get(struct work *work, const char *out, struct bytes token, struct login_key *key,
	struct err *err)
{
	char gateway[LOGIN_GATEWAY_MAX];
	int rc = write_private(work->path, key->key, "bartizan", err);

	if (!rc)
		rc = exchange(work, token, key, err);
	if (rc)
		return rc;
	snprintf(work->comment, sizeof(work->comment), LOGIN_COMMENT "%s@%s",
		key->cert->principals[0], login_gateway(work->conf, gateway));
	return out ? to_files(work, out, key, err) : to_agent(work, key, err);
}

int login_key_certify(const struct login_conf *conf, const char *out, struct bytes token,
	struct login_key *key, struct err *err)
{
	struct work work = { .conf = conf };
	int rc = login_guard_begin(&work.guard, err);

	if (rc)
		return rc;
	rc = folder_make(&work, err);
	if (!rc) {
		rc = get(&work, out, token, key, err);
		folder_remove(&work);
	}
	login_guard_end(&work.guard);
	return rc;
}
