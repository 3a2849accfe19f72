/* The shell guard with a scripted shell and a clock of its own: what goes out, what is judged and
 * how surely, and what never goes out. The scripts are tests/lineguard/scenes/; how a scene is
 * written is told in scene_read.h. The words here, first what happens:
 *
 *	terminal COLUMNS ROWS   instead of 80 24; the first step or none
 *	keys TEXT               the user types
 *	output TEXT             the backend prints
 *	pass MS                 time goes by, with a turn of the guard whenever one is due
 *	type TEXT               keys that must be forwarded at once, and their echo 5 ms later
 *	prompt                  a prompt, with bracketed paste switched on, and 120 ms
 *	ran                     a command ran: a new line, bracketed paste off, and a prompt
 *	verdict VERDICT         on the lines that follow, with NOTICE; allow to begin with
 *	answer VERDICT [TEXT]   for the line on hold, with that notice or none
 *	forget WHAT             sent, shown or judged, so far
 *
 * and what must have come of it by then:
 *
 *	sent MATCH              went to the backend; then it is forgotten
 *	shown MATCH             the guard itself showed to the user; then it is forgotten
 *	judged NUMBER           so often the judge was asked
 *	texts MATCH             about these candidates, the last time; joined by `|`
 *	confidence NAME         read as surely as this
 *	why MATCH               blind because of this
 *	noted NUMBER            so many lines have ended
 *	ended NAME              the last of them in this way
 *	hidden NUMBER           so many as typed without echo, with no letter of them told
 *	waiting ANSWER          yes or no: a line is on hold
 *
 * At the end of every scene the guard must not have failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineguard/lineguard.h"
#include "lineguard/screen.h"

#define MS 1000

#include "tests/unit/scene.h"

#define NOTICE "no\x1b[31m!"

/* numbers that scenes are written with */
_Static_assert(LINEGUARD_HELD_MAX == 65536, "hold.scene: held input is bounded");
_Static_assert(SCREEN_COLUMNS_MAX == 512, "blind.scene: a terminal too large");

struct world {
	struct lineguard *guard;
	int64_t now;
	struct buf sent, shown;
	enum line_verdict verdict;
	int judged, notes, failures;
	int confidence; /* -1: nothing was judged yet */
	char why[80], texts[4096];
	int end; /* -1: no line has ended yet */
	int hidden;
};

static void on_forward(void *context, const uint8_t *data, size_t len)
{
	assert_int_equal(buf_put(&((struct world *)context)->sent, data, len), 0);
}

static void on_show(void *context, const uint8_t *data, size_t len)
{
	assert_int_equal(buf_put(&((struct world *)context)->shown, data, len), 0);
}

static enum line_verdict on_judge(
	void *context, const struct line *line, struct line_answer *answer)
{
	struct world *world = context;
	BUF_CLEANUP struct buf texts = BUF_INIT(sizeof world->texts - 1);

	world->judged++;
	world->confidence = line->confidence;
	strcpy(world->why, line->why ? line->why : "");
	for (size_t i = 0; i < line->count; i++) {
		if (i)
			buf_putc(&texts, '|');
		buf_put(&texts, line->texts[i].text.data, line->texts[i].text.len);
	}
	strcpy(world->texts, buf_cstr(&texts));
	strcpy(answer->notice, NOTICE);
	return world->verdict;
}

static void on_note(void *context, const struct line *line, enum line_end end, int64_t took_us)
{
	struct world *world = context;

	world->notes++;
	world->end = end;
	world->hidden += end == LINE_HIDDEN && line->count == 0;
	assert_true(took_us >= 0);
}

static void on_failed(void *context, const char *why)
{
	(void)why;
	((struct world *)context)->failures++;
}

static const struct lineguard_callbacks callbacks = { on_forward, on_show, on_judge, on_note,
	on_failed };

static void open_terminal(struct world *world, unsigned columns, unsigned rows)
{
	struct lineguard_options options = {
		.columns = columns, .rows = rows, .callbacks = &callbacks, .context = world
	};

	lineguard_free(world->guard);
	world->guard = lineguard_new(&options);
	assert_non_null(world->guard);
}

static void *world_begin(void)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->sent = BUF_INIT(1 << 20);
	world->shown = BUF_INIT(1 << 20);
	world->now = 1000 * MS;
	world->confidence = world->end = -1;
	open_terminal(world, 80, 24);
	return world;
}

static void world_end(void *context)
{
	struct world *world = context;

	assert_int_equal(world->failures, 0);
	lineguard_free(world->guard);
	buf_release(&world->sent);
	buf_release(&world->shown);
	free(world);
}

/* ---- what happens ---- */

static void pass(struct world *world, int64_t ms)
{
	int64_t until = world->now + ms * MS;

	while (lineguard_due(world->guard) <= until) {
		world->now = lineguard_due(world->guard) > world->now ? lineguard_due(world->guard)
								      : world->now;
		lineguard_turn(world->guard, world->now);
	}
	world->now = until;
}

static void output(struct world *world, const char *text)
{
	lineguard_output(world->guard, world->now, (const uint8_t *)text, strlen(text));
}

static void prompt(struct world *world)
{
	output(world, "\033[?2004h$ ");
	pass(world, 120);
}

static void do_terminal(void *world, const struct scene_step *step)
{
	open_terminal(world, (unsigned)step->args[0].number, (unsigned)step->args[1].number);
}

static void do_keys(void *context, const struct scene_step *step)
{
	struct world *world = context;
	struct bytes keys = buf_bytes(&step->args[0].text);

	lineguard_input(world->guard, world->now, keys.data, keys.len);
}

static void do_output(void *context, const struct scene_step *step)
{
	struct world *world = context;
	struct bytes text = buf_bytes(&step->args[0].text);

	lineguard_output(world->guard, world->now, text.data, text.len);
}

static void do_pass(void *world, const struct scene_step *step)
{
	pass(world, step->args[0].number);
}

static void do_prompt(void *world, const struct scene_step *step)
{
	(void)step;
	prompt(world);
}

static void do_ran(void *world, const struct scene_step *step)
{
	(void)step;
	output(world, "\r\n\033[?2004l\r");
	prompt(world);
}

static void do_verdict(void *world, const struct scene_step *step)
{
	((struct world *)world)->verdict = (enum line_verdict)step->args[0].number;
}

static void do_answer(void *context, const struct scene_step *step)
{
	struct world *world = context;
	struct bytes text = buf_bytes(&step->args[1].text);
	char notice[LINE_NOTICE_MAX];

	snprintf(notice, sizeof notice, "%.*s", (int)text.len, (const char *)text.data);
	lineguard_answer(world->guard, world->now, (enum line_verdict)step->args[0].number,
		step->count > 1 ? notice : NULL);
}

static const char *const forgotten[] = { "sent", "shown", "judged", NULL };

static void do_forget(void *context, const struct scene_step *step)
{
	struct world *world = context;

	switch (step->args[0].number) {
	case 0: buf_clear(&world->sent); break;
	case 1: buf_clear(&world->shown); break;
	default: world->judged = 0;
	}
}

/* ---- what must have come of it ---- */

static void expect_sent(void *context, const struct scene_step *step)
{
	struct world *world = context;

	scene_expect_text(step, buf_bytes(&world->sent));
	buf_clear(&world->sent);
}

static void do_type(void *world, const struct scene_step *step)
{
	do_keys(world, step);
	expect_sent(world, step);
	pass(world, 5);
	do_output(world, step);
	pass(world, 5);
}

static void expect_shown(void *context, const struct scene_step *step)
{
	struct world *world = context;

	scene_expect_text(step, buf_bytes(&world->shown));
	buf_clear(&world->shown);
}

static void expect_texts(void *world, const struct scene_step *step)
{
	scene_expect_string(step, ((struct world *)world)->texts);
}

static void expect_why(void *world, const struct scene_step *step)
{
	scene_expect_string(step, ((struct world *)world)->why);
}

static void expect_judged(void *world, const struct scene_step *step)
{
	scene_expect_number(step, ((struct world *)world)->judged);
}

static void expect_confidence(void *world, const struct scene_step *step)
{
	scene_expect_name(step, ((struct world *)world)->confidence);
}

static void expect_noted(void *world, const struct scene_step *step)
{
	scene_expect_number(step, ((struct world *)world)->notes);
}

static void expect_ended(void *world, const struct scene_step *step)
{
	scene_expect_name(step, ((struct world *)world)->end);
}

static void expect_hidden(void *world, const struct scene_step *step)
{
	scene_expect_number(step, ((struct world *)world)->hidden);
}

static void expect_waiting(void *world, const struct scene_step *step)
{
	scene_expect_name(step, lineguard_waiting(((struct world *)world)->guard));
}

static const char *const confidences[] = {
	[LINE_EXACT] = "exact", [LINE_SCREEN] = "screen", [LINE_BLIND] = "blind", NULL
};
static const char *const ends[] = { [LINE_FORWARDED] = "forwarded",
	[LINE_CLEARED] = "cleared",
	[LINE_STUCK] = "stuck",
	[LINE_SWALLOWED] = "swallowed",
	[LINE_CANCELLED] = "cancelled",
	[LINE_HIDDEN] = "hidden",
	NULL };
static const char *const no_yes[] = { "no", "yes", NULL };
static const char *const verdicts[] = { [LINE_ALLOW] = "allow",
	[LINE_WARN] = "warn",
	[LINE_HOLD] = "hold",
	[LINE_DENY] = "deny",
	NULL };

static const struct scene_word words[] = {
	{ "terminal", "nn", do_terminal, SCENE_BEGINS, NULL },
	{ "keys", "t", do_keys, SCENE_DOES, NULL },
	{ "output", "t", do_output, SCENE_DOES, NULL },
	{ "pass", "n", do_pass, SCENE_DOES, NULL },
	{ "type", "t", do_type, SCENE_DOES, NULL },
	{ "prompt", "", do_prompt, SCENE_DOES, NULL },
	{ "ran", "", do_ran, SCENE_DOES, NULL },
	{ "verdict", "w", do_verdict, SCENE_DOES, verdicts },
	{ "answer", "w?t", do_answer, SCENE_DOES, verdicts },
	{ "forget", "w", do_forget, SCENE_DOES, forgotten },
	{ "sent", "m", expect_sent, SCENE_EXPECTS, NULL },
	{ "shown", "m", expect_shown, SCENE_EXPECTS, NULL },
	{ "judged", "n", expect_judged, SCENE_EXPECTS, NULL },
	{ "texts", "m", expect_texts, SCENE_EXPECTS, NULL },
	{ "confidence", "w", expect_confidence, SCENE_EXPECTS, confidences },
	{ "why", "m", expect_why, SCENE_EXPECTS, NULL },
	{ "noted", "n", expect_noted, SCENE_EXPECTS, NULL },
	{ "ended", "w", expect_ended, SCENE_EXPECTS, ends },
	{ "hidden", "n", expect_hidden, SCENE_EXPECTS, NULL },
	{ "waiting", "w", expect_waiting, SCENE_EXPECTS, no_yes },
	{ NULL, NULL, NULL, SCENE_DOES, NULL },
};

int main(void)
{
	static const struct scene_kind kind = { words, world_begin, world_end };

	return scenes_run("tests/lineguard/scenes", &kind);
}
