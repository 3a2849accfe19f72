/* The configuration and every public file it names, as one sealed bundle.
 *
 * A short-lived child of the listener reads them from disk, checks everything and packs them into a
 * sealed memfd (fd_memfd); the roles parse that, so a process without privileges needs no access to
 * the disk, all roles see the same bytes, and a session sees none. Private keys and passwords are
 * never in it: the signer reads them itself.
 *
 * Format: wire encoding: u32 magic 0x42545a46, u32 count, then per file: string path, string
 * contents. The first is the configuration. */
#ifndef BARTIZAN_FILES_H
#define BARTIZAN_FILES_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

#define FILES_COUNT_MAX 1024
#define FILES_SIZE_MAX (16 * 1024 * 1024) /* of all contents together */
#define FILES_PATH_MAX 4096

struct files;

/* reads on demand, remembers what it read */
struct files *files_from_disk(void);
/* reads the whole bundle; fd stays the caller's */
int files_from_bundle(int fd, struct files **ret, struct err *err);
/* all that was read so far, in that order */
int files_bundle(const struct files *files, int *ret_fd, struct err *err);
/* Contains only what files_add() puts in: for tests and fuzzing, and for a configuration that is
 * not on disk. path is absolute; the first is the configuration. */
struct files *files_in_memory(void);
int files_add(struct files *files, const char *path, struct bytes contents);
void files_free(struct files *files);
void files_freep(struct files **files);
#define FILES_CLEANUP __attribute__((cleanup(files_freep)))
/* Contents, borrowed until files_free(). A relative path is relative to the configuration's folder
 * (set by the first read). */
int files_read(
	struct files *files, const char *path, size_t max, struct bytes *ret, struct err *err);
/* path of the first file: the configuration; NULL when none */
const char *files_first(const struct files *files);
/* The path as a role opens it (a signer's key): absolute, or joined to the configuration's folder.
 * Caller frees. */
char *files_resolve(const struct files *files, const char *path);

#endif
