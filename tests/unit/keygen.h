/* For tests that compare with OpenSSH: a temporary directory, ssh-keygen in it, files read from it. */
#ifndef BARTIZAN_TESTS_KEYGEN_H
#define BARTIZAN_TESTS_KEYGEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/sshkey.h"
#include "common/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FILE_MAX 100000

static char keygen_dir[] = "/tmp/bartizan-keys-XXXXXX";

/* Runs a shell line in the directory; the test fails when it does. */
__attribute__((format(printf, 1, 2))) static inline void keygen_run(const char *fmt, ...)
{
	char line[4096], command[4500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "cd %s && { %s; } >log 2>&1", keygen_dir, line);
	if (system(command) != 0)
		fail_msg("failed: %s", line);
}

static inline int keygen_setup(void **state)
{
	(void)state;
	return mkdtemp(keygen_dir) ? 0 : -1;
}

static inline int keygen_teardown(void **state)
{
	(void)state;
	keygen_run("rm -rf %s", keygen_dir);
	return 0;
}

static inline void keygen_read(const char *name, struct buf *out)
{
	char path[256];
	uint8_t *room;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", keygen_dir, name);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(buf_grow(out, FILE_MAX, &room), 0);
	buf_grow_done(out, fread(room, 1, FILE_MAX, file));
	fclose(file);
}

static inline void keygen_write(const char *name, struct bytes data)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", keygen_dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(fwrite(data.data, 1, data.len, file), data.len);
	assert_int_equal(fclose(file), 0);
}

static inline struct sshkey *keygen_private(const char *name)
{
	BUF_CLEANUP struct buf file = BUF_INIT(FILE_MAX);
	struct sshkey *key = NULL;
	struct err err = { "" };

	keygen_read(name, &file);
	if (sshkey_from_private(buf_bytes(&file), &key, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	return key;
}

/* The second word of a .pub or -cert.pub file. */
static inline void keygen_blob(const char *name, struct buf *out)
{
	BUF_CLEANUP struct buf file = BUF_INIT(FILE_MAX + 1);
	const char *start;

	keygen_read(name, &file);
	start = strchr(buf_cstr(&file), ' ') + 1;
	assert_int_equal(text_base64_decode(out, start, strcspn(start, " \n")), 0);
}

static inline void assert_words(const char *name, const struct err *err, const char *words)
{
	if (!strstr(err->text, words))
		fail_msg("%s: expected '%s' in '%s'", name, words, err->text);
}

#endif
