/* See debian_version.h. */
#include "server/libssh/debian_version.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `~` sorts before everything, even the end of the text; letters sort before other characters. */
static int order(int c)
{
	if (c == '~')
		return -1;
	if (!c || isdigit(c))
		return 0;
	return isalpha(c) ? c : c + 256;
}

static int compare_part(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t i = 0, j = 0;

	while (i < a_len || j < b_len) {
		while ((i < a_len && !isdigit((unsigned char)a[i])) ||
			(j < b_len && !isdigit((unsigned char)b[j]))) {
			int x = order(i < a_len ? (unsigned char)a[i] : 0);
			int y = order(j < b_len ? (unsigned char)b[j] : 0);
			if (x != y)
				return x - y;
			i += i < a_len;
			j += j < b_len;
		}
		unsigned long long x = 0, y = 0;
		while (i < a_len && isdigit((unsigned char)a[i]))
			x = x * 10 + (unsigned)(a[i++] - '0');
		while (j < b_len && isdigit((unsigned char)b[j]))
			y = y * 10 + (unsigned)(b[j++] - '0');
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

struct parts {
	unsigned long epoch;
	const char *upstream, *revision;
	size_t upstream_len, revision_len;
};

static struct parts split(const char *version)
{
	struct parts parts = { .upstream = version };
	const char *colon = strchr(version, ':');

	if (colon) {
		parts.epoch = strtoul(version, NULL, 10);
		parts.upstream = colon + 1;
	}
	const char *dash = strrchr(parts.upstream, '-');
	parts.upstream_len = dash ? (size_t)(dash - parts.upstream) : strlen(parts.upstream);
	parts.revision = dash ? dash + 1 : "";
	parts.revision_len = strlen(parts.revision);
	return parts;
}

int debian_version_compare(const char *a, const char *b)
{
	struct parts x = split(a), y = split(b);

	if (x.epoch != y.epoch)
		return x.epoch < y.epoch ? -1 : 1;
	int rc = compare_part(x.upstream, x.upstream_len, y.upstream, y.upstream_len);
	return rc ? rc : compare_part(x.revision, x.revision_len, y.revision, y.revision_len);
}

static const char *field(const char *line, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(line, name, len) ? line + len : NULL;
}

int debian_version_installed(const char *status_path, const char *package, char *out, size_t size)
{
	FILE *file = fopen(status_path, "re");
	char *line = NULL;
	size_t cap = 0;
	int ours = 0, installed = 0, rc = -ENOENT;

	while (file && rc == -ENOENT && getline(&line, &cap, file) > 0) {
		const char *value;
		line[strcspn(line, "\n")] = 0;
		if ((value = field(line, "Package: ")))
			ours = !strcmp(value, package), installed = 0;
		else if (ours && (value = field(line, "Status: ")))
			installed = strstr(value, " installed") != NULL;
		else if (ours && installed && (value = field(line, "Version: ")))
			rc = snprintf(out, size, "%s", value) < (int)size ? 0 : -ENOSPC;
	}
	free(line);
	if (file)
		fclose(file);
	return rc;
}
