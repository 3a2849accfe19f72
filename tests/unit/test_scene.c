/* The reader of scenes: what they say, and that whatever is not a scene is an error that says
 * where. */
#include "tests/unit/scene.h"

static char told[400]; /* what the words of a scene were given */

static void tell(void *world, const struct scene_step *step)
{
	static const char *const matches[] = { "", "has ", "without " };
	size_t len = strlen(told);

	(void)world;
	len += (size_t)snprintf(told + len, sizeof told - len, "%s", step->word->name);
	for (size_t i = 0; i < step->count; i++) {
		const struct scene_arg *arg = &step->args[i];

		len += (size_t)snprintf(told + len, sizeof told - len, " %s%d<%.*s>",
			matches[arg->match], arg->number, (int)arg->text.len,
			arg->text.len ? (const char *)buf_data(&arg->text) : "");
	}
	snprintf(told + len, sizeof told - len, ";");
}

static void *begin(void)
{
	return told;
}

static void end(void *world)
{
	(void)world;
}

static const char *const colors[] = { "red", "green", NULL };
static const struct scene_word words[] = {
	{ "size", "nn", tell, SCENE_BEGINS, NULL },
	{ "say", "t", tell, SCENE_DOES, NULL },
	{ "paint", "w?tn", tell, SCENE_DOES, colors },
	{ "seen", "m", tell, SCENE_EXPECTS, NULL },
	{ NULL, NULL, NULL, SCENE_DOES, NULL },
};
static const struct scene_kind kind = { words, begin, end };

static void test_what_scenes_say(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ "# c\n\nscene a\n\tseen \"\"", "seen 0<>;" },
		{ "scene a\n\tseen \"x\"\n\n# c\n\t# c\n\tseen has \"#\" # c\nscene b # 1\n\tseen "
		  "without \"y\"\n",
			"seen 0<x>;seen has 0<#>;seen without 0<y>;" },
		{ "scene a\n\tsize 80 24\n\tpaint green\n\tpaint red \"x\" 7\n\tseen \"\"\n",
			"size 80<> 24<>;paint 1<>;paint 0<> 0<x> 7<>;seen 0<>;" },
		{ "scene a\n\tseen \"\\e\\r\\n\\t\\b\\\\\\\"\\x7f\\xC3\\xa4\"\n",
			"seen 0<\033\r\n\t\b\\\"\x7f\xc3\xa4>;" },
		{ "scene a\n\tsay \"a\" 3*\"bc\" \"\" 1*\"d\"\n\tseen \"\"\n",
			"say 0<abcbcbcd>;seen 0<>;" },
		{ "scene a\n\twith \"x\" green 7\n\twith \"y\" red 80\n\tsize $3 1\n\tsay \"<\" $1 "
		  "\">\"\n\tpaint $2\n\tseen $1\n",
			"size 7<> 1<>;say 0<<x>>;paint 1<>;seen 0<x>;size 80<> 1<>;say "
			"0<<y>>;paint 0<>;seen 0<y>;" },
		{ "scene a\n\twith has\n\twith without\n\tseen $1 \"x\"\n",
			"seen has 0<x>;seen without 0<x>;" },
		{ "scene a\n\tseen \"$1\"\n", "seen 0<$1>;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scenes all = { .kind = &kind };
		struct err err = { "" };

		told[0] = 0;
		if (scenes_read(&all, "f", cases[i].text, &err))
			fail_msg("case %zu: %s", i, err.text);
		for (size_t s = 0; s < all.count; s++) {
			void *scene = &all.list[s];

			scene_play(&scene);
		}
		assert_string_equal(told, cases[i].told);
		scenes_release(&all);
	}
}

static void test_names(void **state)
{
	struct scenes all = { .kind = &kind };
	struct err err;

	(void)state;
	assert_int_equal(scenes_read(&all, "f",
				 "scene it's \"a\" # 1\n\twith \"x\"\n\twith  \"y\"\n\tseen "
				 "$1\nscene b\n\tseen \"\"",
				 &err),
		0);
	assert_int_equal(all.count, 3);
	assert_string_equal(all.list[0].name, "it's \"a\" # 1: with \"x\"");
	assert_string_equal(all.list[1].name, "it's \"a\" # 1: with  \"y\"");
	assert_string_equal(all.list[2].name, "b");
	assert_int_equal(all.list[1].steps[0].line, 4);
	scenes_release(&all);
}

static void test_what_is_no_scene(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "scene a\n\tseen \"\"\n\tnope \"\"\n", "f:3: there is no word 'nope'" },
		{ "scene a\n\t$1 \"\"\n", "f:2: there is no word '$1'" },
		{ "scene a\n\tseen \"\"\n\twith \"x\"\n", "f:3: there is no word 'with'" },
		{ "scene a\n\tscene b\n", "f:2: there is no word 'scene'" },
		{ "scene a\nseen \"\"\n", "f:2: this is no scene and no step" },
		{ "scene a\n        seen \"\"\n", "f:2: this is no scene and no step" },
		{ "scenes\n", "f:1: this is no scene and no step" },
		{ "\n\tseen \"\"\n", "f:2: a step without a scene" },
		{ "scene  \n\tseen \"\"\n", "f:1: a scene without a name" },
		{ "scene a\n\tsay \"x\"\n", "f:2: 'a' expects nothing" },
		{ "scene a\n\tseen \"\"\nscene b\nscene c\n", "f:3: 'b' expects nothing" },
		{ "scene a\n\tseen \"\"\nscene a\n\tseen \"\"\n", "f:4: 'a' is there twice" },
		{ "scene a\n\twith 1\n\twith 1\n\tsize $1 2\n\tseen \"\"\n",
			"f:5: 'a: with 1' is there twice" },
		{ "scene a\n\tsay \"\"\n\tsize 1 1\n", "f:3: 'size' is no first step" },
		{ "scene a\n\tsize 1\n", "f:2: 'size': argument 2 is missing or wrong" },
		{ "scene a\n\tsize 1 x\n", "f:2: 'size': argument 2 is missing or wrong" },
		{ "scene a\n\tsize 1 -1\n", "f:2: 'size': argument 2 is missing or wrong" },
		{ "scene a\n\tsize 1 1000000000\n", "f:2: 'size': argument 2 is missing or wrong" },
		{ "scene a\n\tsize 1 2 3\n", "f:2: 'size': too many arguments" },
		{ "scene a\n\tsay x\n", "f:2: 'say': argument 1 is missing or wrong" },
		{ "scene a\n\tsay\n", "f:2: 'say': argument 1 is missing or wrong" },
		{ "scene a\n\tsay \"x\" y\n", "f:2: 'say': too many arguments" },
		{ "scene a\n\tpaint blue\n", "f:2: 'paint': argument 1 is missing or wrong" },
		{ "scene a\n\tpaint \"red\"\n", "f:2: 'paint': argument 1 is missing or wrong" },
		{ "scene a\n\tpaint red 7\n", "f:2: 'paint': argument 2 is missing or wrong" },
		{ "scene a\n\tpaint red \"x\"\n", "f:2: 'paint': argument 3 is missing or wrong" },
		{ "scene a\n\tseen has \"\"\n", "f:2: 'seen': argument 1 is missing or wrong" },
		{ "scene a\n\tseen is \"x\"\n", "f:2: 'seen': argument 1 is missing or wrong" },
		{ "scene a\n\tsay $1\n", "f:2: 'say': argument 1 is missing or wrong" },
		{ "scene a\n\tsay \"x\" $1\n", "f:2: 'say': too many arguments" },
		{ "scene a\n\twith \"x\" \"y\"\n\twith \"z\"\n\tsay $1\n\tseen $2\n",
			"f:5: 'seen': argument 1 is missing or wrong" },
		{ "scene a\n\twith \"x\" \"y\"\n\tseen $1\n",
			"f:3: 'a: with \"x\" \"y\"' never uses $2" },
		{ "scene a\n\twith \"x\"\n\tseen $0\n",
			"f:3: 'seen': argument 1 is missing or wrong" },
		{ "scene a\n\tsay \"x\n\tseen \"\"\n", "f:2: a text is not closed" },
		{ "scene a\n\tsay \"x", "f:2: a text is not closed" },
		{ "scene a\n\tsay \"x\\", "f:2: there is no escape" },
		{ "scene a\n\tsay \"\\q\"\n", "f:2: there is no escape '\\q'" },
		{ "scene a\n\tsay \"\\x1\"\n", "f:2: there is no escape '\\x'" },
		{ "scene a\n\tsay \"x\"\"y\"\n", "f:2: a space is missing before '\"'" },
		{ "scene a\n\tsay \"x\"#\n", "f:2: a space is missing before '#'" },
		{ "scene a\n\tsay 0*\"x\"\n", "f:2: a text is too long, or repeated no times" },
		{ "scene a\n\tsay 1048577*\"x\"\n",
			"f:2: a text is too long, or repeated no times" },
		{ "scene a\n\tsay 99999999999999999999*\"x\"\n",
			"f:2: a text is too long, or repeated no times" },
		{ "scene a\n\tsay 1048576*\"x\" \"x\"\n",
			"f:2: 'say': argument 1 is missing or wrong" },
		{ "scene a\n\tsay 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
			"f:2: too many words in a line" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scenes all = { .kind = &kind };
		struct err err = { "nothing" };
		int rc = scenes_read(&all, "f", cases[i].text, &err);

		if (!rc || strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("case %zu: '%s', expected '%s'", i, err.text, cases[i].error);
		scenes_release(&all);
	}
}

/* What a word finds is compared with the whole text, or looked for in it. */
static void test_matches(void **state)
{
	static const struct {
		enum scene_match match;
		const char *want, *found;
		bool good;
	} cases[] = {
		{ SCENE_WHOLE, "", "", true },
		{ SCENE_WHOLE, "ab", "ab", true },
		{ SCENE_WHOLE, "ab", "abc", false },
		{ SCENE_WHOLE, "ab", "ac", false },
		{ SCENE_WHOLE, "", "a", false },
		{ SCENE_HAS, "b", "abc", true },
		{ SCENE_HAS, "b", "", false },
		{ SCENE_HAS, "b", "ac", false },
		{ SCENE_WITHOUT, "b", "abc", false },
		{ SCENE_WITHOUT, "b", "ac", true },
		{ SCENE_WITHOUT, "b", "", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scene_step step = { .count = 1 };

		step.args[0].match = cases[i].match;
		step.args[0].text = BUF_INIT(10);
		assert_int_equal(buf_puts(&step.args[0].text, cases[i].want), 0);
		if (scene_matches(&step.args[0], (struct bytes){ (const uint8_t *)cases[i].found,
							 strlen(cases[i].found) }) != cases[i].good)
			fail_msg("case %zu", i);
		buf_release(&step.args[0].text);
	}
}

static void test_no_scenes_are_an_error(void **state)
{
	struct scenes all = { .kind = &kind };
	struct err err = { "" };

	(void)state;
	assert_int_equal(scenes_read_folder(&all, "tests/lineguard", &err), -ENOENT);
	assert_non_null(strstr(err.text, "no tests/lineguard/*.scene here"));
	scenes_release(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_scenes_say),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_no_scene),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_no_scenes_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
