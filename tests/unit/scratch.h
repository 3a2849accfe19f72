/* A folder for one test, and what a file holds. */
#ifndef BARTIZAN_TEST_SCRATCH_H
#define BARTIZAN_TEST_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fd.h"

struct scratch { char path[64]; int fd; };

static inline struct scratch scratch_new(void)
{
	struct scratch scratch = { .path = "/tmp/bartizan-test-XXXXXX" };
	if (!mkdtemp(scratch.path) || (scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	return scratch;
}

static inline int scratch_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void scratch_remove(struct scratch *scratch)
{
	close(scratch->fd);
	nftw(scratch->path, scratch_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int scratch_file(const struct scratch *scratch, const char *name)
{
	int fd = openat(scratch->fd, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	return fd;
}

/* The whole file with a NUL behind it; caller frees. */
static inline char *scratch_slurp(int fd)
{
	BUF_CLEANUP struct buf all = BUF_INIT(64 * 1024 * 1024);
	if (lseek(fd, 0, SEEK_SET) || fd_read_all(fd, all.max, &all, NULL))
		abort();
	char *text = malloc(all.len + 1);
	if (!text)
		abort();
	for (size_t i = 0; i < all.len; i++)
		text[i] = (char)buf_data(&all)[i];
	text[all.len] = 0;
	return text;
}

#endif
