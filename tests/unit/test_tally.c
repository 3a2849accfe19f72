/* Events of one type: so many at once, some more as time passes, the others counted and told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/tally.h"

static enum session_event event;
static uint64_t more;

static void test_allowance(void **state)
{
	(void)state;
	struct tally tally = { .allowance = 3, .every = 1000 };
	for (int i = 0; i < 3; i++)
		assert_true(tally_admit(&tally, EVENT_X11_REFUSED, 5000));
	assert_int_equal(tally_due(&tally), TALLY_NEVER);
	assert_false(tally_admit(&tally, EVENT_X11_REFUSED, 5000));
	assert_false(tally_admit(&tally, EVENT_X11_REFUSED, 5400));
	assert_true(tally_admit(&tally, EVENT_AGENT_REFUSED, 5400)); /* another type */
	assert_int_equal(tally_due(&tally), 6000);
	assert_false(tally_take(&tally, 5999, false, &event, &more));
	assert_true(tally_take(&tally, 6000, false, &event, &more));
	assert_int_equal(event, EVENT_X11_REFUSED);
	assert_int_equal(more, 2);
	assert_false(tally_take(&tally, 9999, true, &event, &more));
	assert_true(tally_admit(&tally, EVENT_X11_REFUSED, 6000)); /* a second has passed: one more */
	assert_false(tally_admit(&tally, EVENT_X11_REFUSED, 6000));
	assert_true(tally_take(&tally, 6000, true, &event, &more)); /* the end */
	assert_int_equal(more, 1);
	for (int i = 0; i < 3; i++)
		assert_true(tally_admit(&tally, EVENT_X11_REFUSED, 60000)); /* no more is saved up than that */
	assert_false(tally_admit(&tally, EVENT_X11_REFUSED, 60000));
}

static void test_grave(void **state)
{
	(void)state;
	struct tally tally = { .allowance = 1, .every = 1000 };
	static const enum session_event grave[] = { EVENT_HOST_KEY_MISMATCH, EVENT_BACKEND_AUTH_FAILED, EVENT_TRANSCRIPT_FAILED, EVENT_BAD_SIGNATURE };
	for (size_t i = 0; i < sizeof(grave) / sizeof(grave[0]); i++)
		for (int n = 0; n < 50; n++)
			assert_true(tally_admit(&tally, grave[i], 1));
	assert_int_equal(tally_due(&tally), TALLY_NEVER);
}

static void test_numbers_of_others(void **state)
{
	(void)state;
	struct tally tally = { .allowance = 5, .every = 1000 };
	tally_add(&tally, EVENT_FORWARD_REFUSED, 40, 10);
	tally_add(&tally, EVENT_FORWARD_REFUSED, UINT64_MAX, 20);
	assert_int_equal(tally_due(&tally), 1010);
	assert_true(tally_take(&tally, 1010, false, &event, &more));
	assert_true(more == UINT64_MAX);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SESSION_EVENTS; i++) {
		assert_int_equal(session_event_parse(session_event_name((enum session_event)i), &event), 0);
		assert_int_equal(event, i);
	}
	assert_true(session_event_parse("x11", &event) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowance),
		cmocka_unit_test(test_grave),
		cmocka_unit_test(test_numbers_of_others),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
