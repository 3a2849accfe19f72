/* The shell guard on hostile bytes of both sides: a small script of output, input, resizes, answers and time.
 *
 * libvterm and the guard must survive everything; nothing is forwarded twice or out of nowhere. The sources are included: the fuzzers link against
 * the library below server/ only. */
#include "lineguard/lineguard.c"
#include "lineguard/clear.c"
#include "lineguard/follow.c"
#include "lineguard/input.c"
#include "lineguard/keys.c"
#include "lineguard/line.c"
#include "lineguard/notice.c"
#include "lineguard/prompt.c"
#include "lineguard/read.c"
#include "lineguard/settle.c"
#include "lineguard/typing.c"
#include "lineguard/verdict.c"
#include "lineguard/screen.c"
#include "lineguard/screen_scan.c"

#include "tests/fuzz/fuzz.h"

struct world {
	size_t typed, forwarded, made; /* bytes; made: Ctrl-C and Ctrl-U of the guard's own */
	bool failed;
};

static void check(bool good)
{
	if (!good)
		__builtin_trap();
}

static void on_forward(void *context, const uint8_t *data, size_t len)
{
	struct world *world = context;
	uint8_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + data[i]); /* a sanitizer sees a bad pointer */
	(void)sum;
	world->forwarded += len;
	world->made += len == 1 && (*data == 0x03 || *data == 0x15);
	check(world->forwarded <= world->typed + world->made);
}

static void on_show(void *context, const uint8_t *data, size_t len)
{
	(void)context;
	check(data && len);
}

static enum line_verdict on_judge(void *context, const struct line *line, struct line_answer *answer)
{
	uint8_t sum = 0;
	(void)context;
	check(line->count <= LINEGUARD_TEXTS_MAX && (line->confidence == LINE_BLIND) == (line->why != NULL) &&
		!line->continues == !(line->count && line->texts[0].joined));
	for (size_t i = 0; i < line->count; i++)
		for (size_t at = 0; at < line->texts[i].text.len; at++)
			sum = (uint8_t)(sum + line->texts[i].text.data[at]);
	memset(answer->notice, 'n', sizeof answer->notice);
	return (enum line_verdict)(sum % 4);
}

static void on_note(void *context, const struct line *line, enum line_end end, int64_t took)
{
	(void)context;
	check(line && line_end_name(end) && took >= 0);
}

static void on_failed(void *context, const char *why)
{
	struct world *world = context;
	check(!world->failed && strcmp(why, "a change of state that is not allowed") != 0);
	world->failed = true;
}

/* Each step is a letter, a length and that many bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lineguard_callbacks callbacks = { on_forward, on_show, on_judge, on_note, on_failed };
	struct world world = { 0 };
	struct lineguard_options options = { .columns = 20, .rows = 6, .callbacks = &callbacks, .context = &world };
	struct lineguard *guard = lineguard_new(&options);
	int64_t now = 1000000;
	check(guard);
	while (size >= 2) {
		uint8_t what = data[0] & 7;
		size_t len = data[1] < size - 2 ? data[1] : size - 2;
		const uint8_t *bytes = data + 2;
		data += 2 + len;
		size -= 2 + len;
		now += what * 4000;
		if (what <= 2) {
			lineguard_output(guard, now, bytes, len);
		} else if (what <= 4) {
			world.typed += len;
			lineguard_input(guard, now, bytes, len);
		} else if (what == 5) {
			now += (int64_t)len * 20000;
			lineguard_turn(guard, now);
		} else if (what == 6) {
			lineguard_resize(guard, now, len ? bytes[0] : 0, len > 1 ? bytes[1] % 60 : 0);
		} else {
			lineguard_answer(guard, now, (enum line_verdict)(len % 4), "answer");
		}
		while (lineguard_due(guard) <= now)
			lineguard_turn(guard, now);
	}
	lineguard_free(guard);
	return 0;
}
