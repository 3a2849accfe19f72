/* Versions of Debian packages: which one is installed, which one is newer (Debian Policy
 * section 5.6.12). */
#ifndef BARTIZAN_LIBSSH_DEBIAN_VERSION_H
#define BARTIZAN_LIBSSH_DEBIAN_VERSION_H

#include <stddef.h>

int debian_version_compare(const char *a, const char *b); /* <0, 0, >0 */
/* From dpkg's status file. 0; -ENOENT: no such file, or the package is not installed; -ENOSPC. */
int debian_version_installed(const char *status_path, const char *package, char *out, size_t size);

#endif
