/* The bundle of files: reading from disk, resolving, packing, and what a bundle never does. */
#include "common/files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire.h"
#include "tests/unit/scratch.h"

static void put_file(const struct scratch *scratch, const char *name, const char *text)
{
	FD_CLEANUP int fd = scratch_file(scratch, name);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static void test_round(void **state)
{
	(void)state;
	struct scratch scratch = scratch_new();
	char path[128], sub[128];
	struct bytes got = { 0 };
	struct err err = { 0 };
	FD_CLEANUP int fd = -1;
	FILES_CLEANUP struct files *disk = files_from_disk(), *bundle = NULL;
	put_file(&scratch, "config.yaml", "first");
	put_file(&scratch, "ca.pub", "second");
	snprintf(path, sizeof(path), "%s/config.yaml", scratch.path);
	snprintf(sub, sizeof(sub), "%s/ca.pub", scratch.path);
	assert_null(files_first(disk));
	assert_int_equal(files_read(disk, path, 100, &got, &err), 0);
	assert_memory_equal(got.data, "first", 5);
	assert_int_equal(files_read(disk, "ca.pub", 100, &got, &err), 0); /* relative to the first file's folder */
	assert_int_equal(got.len, 6);
	assert_int_equal(files_read(disk, sub, 5, &got, &err), -EFBIG);   /* the limit holds for what is remembered, too */
	assert_int_equal(files_read(disk, "missing", 5, &got, &err), -ENOENT);
	assert_int_equal(files_read(disk, scratch.path, 5, &got, &err) < 0, 1); /* a folder */
	assert_string_equal(files_first(disk), path);

	assert_int_equal(files_bundle(disk, &fd, &err), 0);
	scratch_remove(&scratch); /* from here on nothing is on disk */
	assert_int_equal(files_from_bundle(fd, &bundle, &err), 0);
	assert_string_equal(files_first(bundle), path);
	assert_int_equal(files_read(bundle, "ca.pub", 6, &got, &err), 0);
	assert_memory_equal(got.data, "second", 6);
	assert_int_equal(files_read(bundle, "/etc/passwd", 100000, &got, &err), -ENOENT); /* a bundle opens nothing */
	FILES_CLEANUP struct files *again = NULL;
	assert_int_equal(files_from_bundle(fd, &again, &err), 0); /* the shared offset does not matter */
}

static void test_resolve(void **state)
{
	(void)state;
	FILES_CLEANUP struct files *files = files_in_memory();
	assert_int_equal(files_add(files, "/etc/bartizan/config.yaml", bytes_of("x")), 0);
	FREE_CLEANUP char *relative = files_resolve(files, "keys/ca"), *absolute = files_resolve(files, "/keys/ca");
	assert_string_equal(relative, "/etc/bartizan/keys/ca");
	assert_string_equal(absolute, "/keys/ca");
	char longest[FILES_PATH_MAX + 1];
	memset(longest, 'x', FILES_PATH_MAX);
	longest[0] = '/';
	longest[FILES_PATH_MAX] = 0;
	assert_null(files_resolve(files, longest));
	longest[FILES_PATH_MAX - 1] = 0;
	FREE_CLEANUP char *just = files_resolve(files, longest);
	assert_non_null(just);
	assert_int_equal(files_add(files, "relative", bytes_of("x")), -EINVAL);
	assert_int_equal(files_add(files, "/etc/bartizan/config.yaml", bytes_of("y")), -EINVAL);
	FILES_CLEANUP struct files *root = files_in_memory();
	assert_int_equal(files_add(root, "/config.yaml", bytes_of("x")), 0);
	FREE_CLEANUP char *top = files_resolve(root, "ca");
	assert_string_equal(top, "/ca");
}

static void test_limits(void **state)
{
	(void)state;
	FILES_CLEANUP struct files *files = files_in_memory();
	char path[32];
	for (int i = 0; i < FILES_COUNT_MAX; i++) {
		snprintf(path, sizeof(path), "/f%d", i);
		assert_int_equal(files_add(files, path, bytes_of("x")), 0);
	}
	assert_int_equal(files_add(files, "/more", bytes_of("x")), -E2BIG);
	FILES_CLEANUP struct files *large = files_in_memory();
	uint8_t *data = calloc(1, FILES_SIZE_MAX);
	assert_int_equal(files_add(large, "/a", (struct bytes){ data, FILES_SIZE_MAX - 1 }), 0);
	assert_int_equal(files_add(large, "/b", (struct bytes){ data, 2 }), -EFBIG);
	assert_int_equal(files_add(large, "/c", (struct bytes){ data, 1 }), 0);
	free(data);
	FD_CLEANUP int fd = -1;
	assert_int_equal(files_bundle(large, &fd, NULL), 0); /* the largest bundle packs and unpacks */
	FILES_CLEANUP struct files *again = NULL;
	assert_int_equal(files_from_bundle(fd, &again, NULL), 0);
}

static int unpack(const struct buf *bundle)
{
	FD_CLEANUP int fd = fd_memfd("test", buf_data(bundle), bundle->len);
	FILES_CLEANUP struct files *files = NULL;
	struct err err = { 0 };
	int rc = files_from_bundle(fd, &files, &err);
	assert_true(rc == 0 || (!files && *err.text));
	return rc;
}

static void test_damaged(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf good = BUF_INIT(4096);
	assert_int_equal(wire_put_u32(&good, 0x42545a46), 0);
	assert_int_equal(wire_put_u32(&good, 2), 0);
	assert_int_equal(wire_put_cstring(&good, "/a") + wire_put_cstring(&good, "x"), 0);
	assert_int_equal(wire_put_cstring(&good, "/b") + wire_put_cstring(&good, ""), 0);
	assert_int_equal(unpack(&good), 0);
	for (size_t len = 1; len < good.len; len++) { /* truncated anywhere */
		struct buf cut = { .base = (uint8_t *)(uintptr_t)buf_data(&good), .len = len, .cap = len, .max = len };
		assert_true(unpack(&cut) < 0);
	}
	assert_int_equal(buf_putc(&good, 0), 0); /* trailing byte */
	assert_true(unpack(&good) < 0);
	static const struct {
		uint32_t magic, count;
		const char *path;
	} bad[] = {
		{ 0x42545a47, 1, "/a" },
		{ 0x42545a46, 2, "/a" },
		{ 0x42545a46, FILES_COUNT_MAX + 1, "/a" },
		{ 0x42545a46, 1, "a" },
		{ 0x42545a46, 1, "" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		BUF_CLEANUP struct buf out = BUF_INIT(4096);
		assert_int_equal(wire_put_u32(&out, bad[i].magic) + wire_put_u32(&out, bad[i].count), 0);
		assert_int_equal(wire_put_cstring(&out, bad[i].path) + wire_put_cstring(&out, "x"), 0);
		assert_true(unpack(&out) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round), cmocka_unit_test(test_resolve), cmocka_unit_test(test_limits), cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
