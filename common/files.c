/* The bundle: a list of {path, contents} in the order of reading, each path absolute and there
 * once. See files.h.
 *
 * A bundle that was received answers from itself alone; only files_from_disk() ever opens anything.
 */
#include "common/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/wire.h"

#define MAGIC 0x42545a46
#define BUNDLE_MAX (FILES_SIZE_MAX + FILES_COUNT_MAX * (FILES_PATH_MAX + 8) + 8)

struct entry {
	char *path;
	struct buf contents;
};

struct files {
	bool disk;
	struct entry *entries;
	size_t count;
	size_t size; /* of all contents */
};

static struct files *files_new(bool disk)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files)
		return NULL;
	files->disk = disk;
	files->entries = calloc(FILES_COUNT_MAX, sizeof(*files->entries));
	if (!files->entries) {
		free(files);
		return NULL;
	}
	return files;
}

struct files *files_from_disk(void)
{
	return files_new(true);
}

struct files *files_in_memory(void)
{
	return files_new(false);
}

void files_free(struct files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->count; i++) {
		free(files->entries[i].path);
		buf_release(&files->entries[i].contents);
	}
	free(files->entries);
	free(files);
}

void files_freep(struct files **files)
{
	files_free(*files);
	*files = NULL;
}

const char *files_first(const struct files *files)
{
	return files->count > 0 ? files->entries[0].path : NULL;
}

static char *join(const char *folder, size_t folder_len, const char *path)
{
	char *out = NULL;

	if (folder_len + strlen(path) + 2 > FILES_PATH_MAX)
		return NULL;
	return asprintf(&out, "%.*s/%s", (int)folder_len, folder, path) < 0 ? NULL : out;
}

char *files_resolve(const struct files *files, const char *path)
{
	if (*path == '/')
		return strlen(path) < FILES_PATH_MAX ? strdup(path) : NULL;
	const char *first = files_first(files);
	if (first)
		return join(first, (size_t)(strrchr(first, '/') - first), path);
	char folder[FILES_PATH_MAX];
	return getcwd(folder, sizeof(folder)) ? join(folder, strlen(folder), path) : NULL;
}

static const struct entry *find(const struct files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->entries[i].path, path) == 0)
			return &files->entries[i];
	return NULL;
}

/* Takes path and contents over, also on failure. */
static int append(struct files *files, char *path, struct buf *contents, struct err *err)
{
	int rc = 0;

	if (files->count == FILES_COUNT_MAX)
		rc = err_set(err, -E2BIG, "'%s': the configuration names more than %d files", path,
			FILES_COUNT_MAX);
	else if (contents->len > FILES_SIZE_MAX - files->size)
		rc = err_set(err, -EFBIG, "'%s': all files together are larger than %d bytes", path,
			FILES_SIZE_MAX);
	if (rc < 0) {
		free(path);
		buf_release(contents);
		return rc;
	}
	files->entries[files->count++] = (struct entry){ .path = path, .contents = *contents };
	files->size += contents->len;
	*contents = BUF_INIT(0);
	return 0;
}

int files_add(struct files *files, const char *path, struct bytes contents)
{
	if (*path != '/' || strlen(path) >= FILES_PATH_MAX || find(files, path))
		return -EINVAL;
	struct buf copy = BUF_INIT(FILES_SIZE_MAX);
	int rc = buf_put(&copy, contents.data, contents.len);
	char *name = rc < 0 ? NULL : strdup(path);
	if (!name) {
		buf_release(&copy);
		return rc < 0 ? rc : -ENOMEM;
	}
	return append(files, name, &copy, NULL);
}

static int read_disk(struct files *files, const char *path, size_t max, struct err *err)
{
	struct buf contents = BUF_INIT(max);
	int rc = fd_read_file(AT_FDCWD, path, max, &contents, err);
	char *name = rc < 0 ? NULL : strdup(path);

	if (!name) {
		buf_release(&contents);
		return rc < 0 ? rc : err_set(err, -ENOMEM, "out of memory");
	}
	return append(files, name, &contents, err);
}

int files_read(
	struct files *files, const char *path, size_t max, struct bytes *ret, struct err *err)
{
	FREE_CLEANUP char *full = files_resolve(files, path);

	if (!full)
		return err_set(err, -ENAMETOOLONG, "'%s': path is too long", path);
	const struct entry *entry = find(files, full);
	if (!entry) {
		if (!files->disk)
			return err_set(err, -ENOENT,
				"'%s' is not among the files of the configuration", full);
		int rc = read_disk(files, full, max, err);
		if (rc < 0)
			return rc;
		entry = &files->entries[files->count - 1];
	}
	if (entry->contents.len > max)
		return err_set(err, -EFBIG, "'%s' is larger than %zu bytes", full, max);
	*ret = buf_bytes(&entry->contents);
	return 0;
}

int files_bundle(const struct files *files, int *ret_fd, struct err *err)
{
	BUF_CLEANUP struct buf out = BUF_INIT(BUNDLE_MAX);
	int rc = wire_put_u32(&out, MAGIC);

	if (rc == 0)
		rc = wire_put_u32(&out, (uint32_t)files->count);
	for (size_t i = 0; rc == 0 && i < files->count; i++) {
		rc = wire_put_cstring(&out, files->entries[i].path);
		if (rc == 0)
			rc = wire_put_bytes(&out, buf_bytes(&files->entries[i].contents));
	}
	if (rc < 0)
		return err_set(err, rc, "configuration bundle: %s", strerror(-rc));
	int fd = fd_memfd("bartizan-config", buf_data(&out), out.len);
	if (fd < 0)
		return err_set(err, fd, "configuration bundle: %s", strerror(-fd));
	*ret_fd = fd;
	return 0;
}

static int parse_entry(struct files *files, struct wire *in)
{
	FREE_CLEANUP char *path = NULL;
	struct bytes contents = { 0 };
	int rc = wire_get_cstring(in, FILES_PATH_MAX - 1, &path);

	if (rc == 0)
		rc = wire_get_string(in, &contents);
	return rc < 0 ? rc : files_add(files, path, contents);
}

static int parse_bundle(struct files *files, struct bytes bundle)
{
	struct wire in = { bundle.data, bundle.len };
	uint32_t magic = 0, count = 0;
	int rc = wire_get_u32(&in, &magic);

	if (rc == 0)
		rc = wire_get_u32(&in, &count);
	if (rc < 0 || magic != MAGIC || count > FILES_COUNT_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = parse_entry(files, &in);
	if (rc < 0)
		return rc;
	return wire_done(&in) ? 0 : -EBADMSG;
}

int files_from_bundle(int fd, struct files **ret, struct err *err)
{
	BUF_CLEANUP struct buf bundle = BUF_INIT(BUNDLE_MAX);
	int rc = fd_read_memfd(fd, BUNDLE_MAX, &bundle);

	if (rc < 0)
		return err_set(err, rc, "configuration bundle: %s", strerror(-rc));
	FILES_CLEANUP struct files *files = files_new(false);
	rc = files ? parse_bundle(files, buf_bytes(&bundle)) : -ENOMEM;
	if (rc < 0)
		return err_set(err, rc, "configuration bundle: %s", strerror(-rc));
	*ret = files;
	files = NULL;
	return 0;
}
