/* Scenes as cmocka tests, and what their words say when something is otherwise than a scene wants
 * it. What a scene is, and how it is written: scene_read.h. */
#ifndef BARTIZAN_TEST_SCENE_H
#define BARTIZAN_TEST_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>

#include "common/fd.h"
#include "common/text.h"
#include "tests/unit/scene_read.h"

/* ---- what words say when it is otherwise ---- */

static inline void scene_expect(const struct scene_step *step, bool as_wanted, const char *found)
{
	if (!as_wanted)
		fail_msg("%s:%d:%.*s, but it is %s", step->file, step->line,
			(int)strcspn(step->source, "\n"), step->source, found);
}

static inline bool scene_matches(const struct scene_arg *wanted, struct bytes found)
{
	struct bytes want = buf_bytes(&wanted->text);
	bool has = !want.len || (found.len && memmem(found.data, found.len, want.data, want.len));

	if (wanted->match == SCENE_WHOLE)
		return has && want.len == found.len;
	return has == (wanted->match == SCENE_HAS);
}

/* The first argument, a match, against what was found. */
static inline void scene_expect_text(const struct scene_step *step, struct bytes found)
{
	BUF_CLEANUP struct buf visible = BUF_INIT(SCENE_TEXT_MAX);

	if (buf_putc(&visible, '"') || text_visible(&visible, found.data, found.len, 1000) ||
		buf_putc(&visible, '"'))
		abort();
	scene_expect(step, scene_matches(&step->args[0], found), buf_cstr(&visible));
}

static inline void scene_expect_string(const struct scene_step *step, const char *found)
{
	scene_expect_text(step, (struct bytes){ (const uint8_t *)found, strlen(found) });
}

static inline void scene_expect_number(const struct scene_step *step, long found)
{
	char text[32];

	snprintf(text, sizeof text, "%ld", found);
	scene_expect(step, step->args[0].number == found, text);
}

/* The first argument, a name; found: its place among the names. */
static inline void scene_expect_name(const struct scene_step *step, int found)
{
	scene_expect(step, step->args[0].number == found,
		found < 0 ? "nothing yet" : step->word->names[found]);
}

/* ---- playing ---- */

static inline void scene_play(void **state)
{
	const struct scene *scene = *state;
	void *world = scene->kind->begin();

	for (size_t i = 0; i < scene->count; i++)
		scene->steps[i].word->play(world, &scene->steps[i]);
	scene->kind->end(world);
}

static inline int scenes_read_folder(struct scenes *all, const char *folder, struct err *err)
{
	char pattern[200];
	glob_t found;
	int rc;

	snprintf(pattern, sizeof pattern, "%s/*.scene", folder);
	if (glob(pattern, 0, NULL, &found))
		return err_set(err, -ENOENT,
			"no %s here: scenes are played from the root of the repository", pattern);
	rc = 0;
	for (size_t i = 0; !rc && i < found.gl_pathc; i++) {
		BUF_CLEANUP struct buf text = BUF_INIT(SCENE_TEXT_MAX);

		rc = fd_read_file(AT_FDCWD, found.gl_pathv[i], SCENE_TEXT_MAX, &text, err);
		if (!rc && strlen(buf_cstr(&text)) < text.len)
			rc = err_set(err, -EINVAL, "%s: holds a NUL", found.gl_pathv[i]);
		if (!rc)
			rc = scenes_read(all, found.gl_pathv[i], buf_cstr(&text), err);
	}
	globfree(&found);
	return rc;
}

/* The scenes of a folder as cmocka tests; how many failed, for main() to return. */
static inline int scenes_run(const char *folder, const struct scene_kind *kind)
{
	struct scenes all = { .kind = kind };
	struct CMUnitTest *tests = NULL;
	struct err err;
	int failed = scenes_read_folder(&all, folder, &err) ? -1 : 0;

	if (failed)
		fprintf(stderr, "%s\n", err.text);
	for (size_t i = 0; !failed && i < all.count; i++) {
		tests = scene_grown(tests, i, sizeof *tests);
		tests[i] = (struct CMUnitTest){ .name = all.list[i].name,
			.test_func = scene_play,
			.initial_state = &all.list[i] };
	}
	if (!failed)
		failed = _cmocka_run_group_tests(folder, tests, all.count, NULL, NULL);
	free(tests);
	scenes_release(&all);
	return failed ? 1 : 0;
}

#endif
