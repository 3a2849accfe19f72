/* See lapse.h. */
#include "store/lapse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/sql.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

int lapse_read(struct lapse_reading *ret)
{
	char text[64] = "";
	struct timespec up;
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 36 || clock_gettime(CLOCK_BOOTTIME, &up))
		return -EIO;
	*ret = (struct lapse_reading){ .boottime_ms =
					       (int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000,
		.wall_ms = clock_wall_ms() };
	size_t count = 0;
	/* 36 characters, 32 of them hexadecimal digits */
	for (const char *at = text; *at && count < 32; at++) {
		unsigned digit;
		if (sscanf((char[]){ *at, 0 }, "%1x", &digit) == 1) {
			ret->boot[count / 2] = (uint8_t)(ret->boot[count / 2] << 4 | digit);
			count++;
		}
	}
	return count == 32 ? 0 : -EIO;
}

struct stored {
	struct lapse_reading reading;
	int64_t lapse_ms;
};

static int load(struct store *store, struct stored *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql_query(store, &stmt, err,
		"SELECT boot, boottime, wall, lapse FROM lapse WHERE one = 1", "");

	if (!rc)
		rc = sql_step(store, stmt, err);
	*ret = (struct stored){ 0 };
	if (rc == 1) {
		if (sqlite3_column_bytes(stmt, 0) == 16)
			memcpy(ret->reading.boot, sqlite3_column_blob(stmt, 0), 16);
		ret->reading.boottime_ms = sql_int(stmt, 1);
		ret->reading.wall_ms = sql_int(stmt, 2);
		ret->lapse_ms = sql_int(stmt, 3);
	}
	sql_close(store, stmt);
	return rc < 0 ? rc : 0;
}

int lapse_now(
	struct store *store, const struct lapse_reading *reading, int64_t *ret_ms, struct err *err)
{
	struct stored stored;
	int rc = load(store, &stored, err);

	if (rc)
		return rc;
	bool same_boot = !memcmp(stored.reading.boot, reading->boot, 16);
	int64_t passed = same_boot ? reading->boottime_ms - stored.reading.boottime_ms
				   : reading->wall_ms - stored.reading.wall_ms;
	int64_t now = stored.lapse_ms + (passed > 0 && stored.reading.wall_ms ? passed : 0);
	rc = sql_run(store, err, "INSERT OR REPLACE INTO lapse VALUES (1, ?, ?, ?, ?)", "biii",
		(struct bytes){ reading->boot, 16 }, reading->boottime_ms, reading->wall_ms, now);
	if (!rc)
		*ret_ms = now;
	return rc;
}
