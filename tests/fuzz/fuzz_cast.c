/* Any bytes as a transcript: read, sought, replayed in both modes, mended; and as terminal output: written, and read back whole.
 *
 * What must hold: times never run backwards, everything handed out is valid UTF-8 and bounded, a mended file ends with a whole line that is an event and is mended only once, and
 * a written file has no damaged line. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cast/cast.h"
#include "common/text.h"

#include "tests/fuzz/fuzz.h"

static int file_of(const uint8_t *data, size_t size)
{
	static int fd = -1;
	if (fd < 0)
		fd = memfd_create("cast", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size && !lseek(fd, 0, SEEK_SET));
	return fd;
}

/* Events of the file; *ret_damaged of them could not be read. -1: not even the header. */
static int read_all(int fd, unsigned *ret_damaged)
{
	struct cast_reader *reader;
	struct cast_event event = { 0 };
	struct err err;
	int64_t last = 0;
	int rc, count = 0;
	*ret_damaged = 0;
	if (cast_reader_open(fd, &reader, &err))
		return -1;
	REQUIRE(cast_reader_header(reader)->width >= 1 && cast_reader_header(reader)->height <= CAST_SIZE_MAX);
	while ((rc = cast_reader_next(reader, &event, &err)) == 1 || rc == -EBADMSG) {
		*ret_damaged += rc != 1;
		if (rc != 1)
			continue;
		count++;
		REQUIRE(event.time_us >= last && event.data.len <= CAST_LINE_MAX && text_utf8_valid(buf_data(&event.data), event.data.len));
		last = event.time_us;
	}
	REQUIRE(!rc);
	buf_release(&event.data);
	cast_reader_free(reader);
	return count;
}

static void play(int fd, bool text, uint8_t option)
{
	struct player_options options = { .speed = option % 3, .idle_us = option * 1000, .from_us = (option >> 4) * 100000, .text = text };
	struct player *player;
	struct bytes shown;
	int64_t due, last = 0;
	if (player_open(fd, &options, &player, NULL))
		return;
	while (player_next(player, &due, &shown, NULL) == 1) {
		REQUIRE(due >= last && shown.len && text_utf8_valid(shown.data, shown.len));
		REQUIRE(!text || !memchr(shown.data, 0x1b, shown.len));
		last = due;
	}
	player_free(player);
}

static void mend(int fd)
{
	int64_t last, again;
	unsigned damaged, before;
	char end;
	int events = read_all(fd, &before);
	if (cast_recover(fd, "cut", &last, NULL))
		return;
	off_t size = lseek(fd, 0, SEEK_END);
	REQUIRE(size > 0 && pread(fd, &end, 1, size - 1) == 1 && end == '\n');
	REQUIRE(!cast_recover(fd, "cut", &again, NULL) && again == last && lseek(fd, 0, SEEK_END) == size);
	int after = read_all(fd, &damaged);
	REQUIRE(events < 0 || after == events || after == events + 1);
}

/* The bytes as output: the first of each piece says how long it is and where it goes. */
static void write_back(const uint8_t *data, size_t size)
{
	struct cast *cast;
	unsigned damaged;
	int64_t now = 0;
	uint64_t max = size && data[0] & 1 ? 2048 : 0;
	int fd = file_of(NULL, 0);
	REQUIRE(!cast_open(fd, &(struct cast_header){ .width = 80, .height = 24, .title = "fuzz" }, 0, max, &cast, NULL));
	while (size) {
		uint8_t how = *data++;
		size_t len = how % 64 < --size ? how % 64 : size;
		now += (int64_t)how * 300 - 5000; /* also backwards */
		REQUIRE(!cast_output(cast, now, "oei"[how >> 6 & 1 ? 1 : how >> 7 ? 2 : 0], data, len));
		if (how == 77)
			REQUIRE(!cast_flush(cast));
		if (how == 78)
			REQUIRE(!cast_resize(cast, now, how, (unsigned)len));
		data += len;
		size -= len;
	}
	REQUIRE(!cast_close(cast));
	REQUIRE(!max || lseek(fd, 0, SEEK_END) <= (off_t)max);
	REQUIRE(read_all(fd, &damaged) >= 0 && !damaged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned damaged;
	if (!size)
		return 0;
	int fd = file_of(data + 1, size - 1);
	read_all(fd, &damaged);
	play(fd, false, data[0]);
	play(fd, true, data[0]);
	mend(fd);
	write_back(data, size);
	return 0;
}
