/* How often unknown keys may have a provider asked: a few times in a period, never in a burst. */
#include "oidc/refresh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PERIOD 300000

static void test_a_few_times(void **state)
{
	(void)state;
	struct refresh refresh = { 0 };
	assert_true(refresh_take(&refresh, 0, PERIOD));
	assert_false(refresh_take(&refresh, 1, PERIOD));
	assert_false(refresh_take(&refresh, REFRESH_GAP_MS - 1, PERIOD));
	for (int i = 1; i < REFRESH_MAX; i++)
		assert_true(refresh_take(&refresh, i * REFRESH_GAP_MS, PERIOD)); /* a second rotation within the period */
	assert_false(refresh_take(&refresh, REFRESH_MAX * REFRESH_GAP_MS, PERIOD));
	assert_false(refresh_take(&refresh, PERIOD - 1, PERIOD));
	assert_true(refresh_take(&refresh, PERIOD, PERIOD));
}

/* Asked every millisecond for ten periods: never more than that many in any period. */
static void test_never_more(void **state)
{
	(void)state;
	struct refresh refresh = { 0 };
	int64_t times[1000];
	size_t count = 0;
	for (int64_t now = 0; now < 10 * PERIOD; now++)
		if (refresh_take(&refresh, now, PERIOD))
			times[count++] = now;
	assert_int_equal(count, 10 * REFRESH_MAX);
	for (size_t i = 0; i + 1 < count; i++) {
		assert_true(times[i + 1] - times[i] >= REFRESH_GAP_MS);
		assert_true(i + REFRESH_MAX >= count || times[i + REFRESH_MAX] - times[i] >= PERIOD);
	}
}

static void test_short_period(void **state)
{
	(void)state;
	struct refresh refresh = { 0 };
	assert_true(refresh_take(&refresh, 0, 1000));
	assert_false(refresh_take(&refresh, 999, 1000));
	assert_true(refresh_take(&refresh, 1000, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_few_times), cmocka_unit_test(test_never_more), cmocka_unit_test(test_short_period) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
