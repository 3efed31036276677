/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "plugin/quarantine.h"

#define START_USEC (1000 * USEC_PER_SEC)

/* count failures, step apart; the last one's answer. */
static bool fail_times(struct quarantine *quarantine, uint64_t *now, unsigned int count,
		       uint64_t step)
{
	bool resting = false;

	for (unsigned int i = 0; i < count; i++) {
		*now += step;
		quarantine_calm(quarantine, *now);
		resting = quarantine_failure(quarantine, *now);
		if (resting && i + 1 < count)
			fail_msg("rests after %u failures", i + 1);
	}
	return resting;
}

static void test_quarantine_failure_ten_in_a_minute_rests(void **state)
{
	struct quarantine quarantine = {};
	uint64_t now = START_USEC;

	(void)state;
	assert_false(fail_times(&quarantine, &now, QUARANTINE_FAILURES - 1, USEC_PER_SEC));
	assert_true(fail_times(&quarantine, &now, 1, USEC_PER_SEC));
	assert_int_equal(quarantine.until_usec, now + QUARANTINE_FIRST_USEC);
}

static void test_quarantine_failure_slower_than_the_window_never_rests(void **state)
{
	struct quarantine quarantine = {};
	uint64_t now = START_USEC;

	(void)state;
	assert_false(fail_times(&quarantine, &now, 100, QUARANTINE_WINDOW_USEC / 5));
}

static void test_quarantine_failure_again_after_rest_rests_twice_as_long(void **state)
{
	struct quarantine quarantine = {};
	uint64_t now = START_USEC, expected = QUARANTINE_FIRST_USEC;

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		assert_true(fail_times(&quarantine, &now, QUARANTINE_FAILURES, 1000));
		assert_int_equal(quarantine.until_usec - now, expected);
		expected = MIN(expected * 2, QUARANTINE_LAST_USEC);
		now = quarantine.until_usec;
	}
	assert_int_equal(expected, QUARANTINE_LAST_USEC);
}

static void test_quarantine_calm_minute_without_failure_shortens_the_rest(void **state)
{
	struct quarantine quarantine = {};
	uint64_t now = START_USEC;

	(void)state;
	assert_true(fail_times(&quarantine, &now, QUARANTINE_FAILURES, 1000));
	now = quarantine.until_usec + QUARANTINE_WINDOW_USEC;
	assert_true(fail_times(&quarantine, &now, QUARANTINE_FAILURES, 1000));
	assert_int_equal(quarantine.until_usec - now, QUARANTINE_FIRST_USEC);
}

static void test_quarantine_calm_while_resting_is_not_running(void **state)
{
	struct quarantine quarantine = {};
	uint64_t now = START_USEC;

	(void)state;
	assert_true(fail_times(&quarantine, &now, QUARANTINE_FAILURES, 1000));
	quarantine_calm(&quarantine, quarantine.until_usec);
	assert_int_equal(quarantine.rest_usec, QUARANTINE_FIRST_USEC);
}

static void test_quarantine_rest_without_failures_rests_at_once(void **state)
{
	struct quarantine quarantine = {};

	(void)state;
	quarantine_rest(&quarantine, START_USEC);
	assert_int_equal(quarantine.until_usec, START_USEC + QUARANTINE_FIRST_USEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quarantine_failure_ten_in_a_minute_rests),
		cmocka_unit_test(test_quarantine_failure_slower_than_the_window_never_rests),
		cmocka_unit_test(test_quarantine_failure_again_after_rest_rests_twice_as_long),
		cmocka_unit_test(test_quarantine_calm_minute_without_failure_shortens_the_rest),
		cmocka_unit_test(test_quarantine_calm_while_resting_is_not_running),
		cmocka_unit_test(test_quarantine_rest_without_failures_rests_at_once),
	};

	return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
