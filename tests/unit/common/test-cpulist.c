/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "cpulist.h"
#include "macro.h"

static void test_cpulist_parse_table_matches(void **state)
{
	static const struct {
		const char *text, *formatted;
		int error;
		unsigned int count;
	} cases[] = {
		{ "", "", 0, 0 },
		{ "\n", "", 0, 0 },
		{ "0", "0", 0, 1 },
		{ "0-3,8,10-11", "0-3,8,10-11", 0, 7 },
		{ "0-3\n", "0-3", 0, 4 },
		{ "0-3\ngarbage", "0-3", 0, 4 },
		{ "3,2,1,0", "0-3", 0, 4 },
		{ "1,1,1", "1", 0, 1 },
		{ "0-2,1-5", "0-5", 0, 6 },
		{ "5-5", "5", 0, 1 },
		{ "0-31:2/8", "0-1,8-9,16-17,24-25", 0, 8 },
		{ "62-65", "62-65", 0, 4 },
		{ "0-8191", "0-8191", 0, 8192 },
		{ "8191", "8191", 0, 1 },
		{ "8192", NULL, ERANGE, 0 },
		{ "0-8192", NULL, ERANGE, 0 },
		{ "99999999999999999999", NULL, ERANGE, 0 },
		{ "3-1", NULL, EINVAL, 0 },
		{ "-1", NULL, EINVAL, 0 },
		{ "1-", NULL, EINVAL, 0 },
		{ "1--2", NULL, EINVAL, 0 },
		{ "1-2-3", NULL, EINVAL, 0 },
		{ ",", NULL, EINVAL, 0 },
		{ "1,", NULL, EINVAL, 0 },
		{ "1,\n", NULL, EINVAL, 0 },
		{ ",1", NULL, EINVAL, 0 },
		{ "1,,2", NULL, EINVAL, 0 },
		{ "1 2", NULL, EINVAL, 0 },
		{ " 1", NULL, EINVAL, 0 },
		{ "0x1", NULL, EINVAL, 0 },
		{ "0-7:1", NULL, EINVAL, 0 },
		{ "0-7:1/0", NULL, EINVAL, 0 },
		{ "0-7:0/2", NULL, EINVAL, 0 },
		{ "0-7:3/2", NULL, EINVAL, 0 },
		{ "all", NULL, EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cpulist list = { .bits = { 1ULL << 63 } };
		char text[256];
		int r = cpulist_parse(cases[i].text, &list);

		if (r != -cases[i].error)
			fail_msg("'%s': %d", cases[i].text, r);
		if (r < 0) {
			/* Untouched. */
			assert_int_equal(cpulist_count(&list), 1);
			assert_true(cpulist_has(&list, 63));
			continue;
		}
		assert_int_equal(cpulist_count(&list), cases[i].count);
		assert_int_equal(cpulist_format(&list, text, sizeof(text)),
				 strlen(cases[i].formatted));
		assert_string_equal(text, cases[i].formatted);
	}
}

static void test_cpulist_add_out_of_range_is_nothing(void **state)
{
	struct cpulist list = { 0 };

	(void)state;
	cpulist_add(&list, CPULIST_MAX);
	cpulist_add(&list, UINT32_MAX);
	assert_int_equal(cpulist_count(&list), 0);
	assert_false(cpulist_has(&list, CPULIST_MAX));
	cpulist_add(&list, CPULIST_MAX - 1);
	assert_true(cpulist_has(&list, CPULIST_MAX - 1));
}

static void test_cpulist_format_short_buffer_is_refused(void **state)
{
	struct cpulist list = { 0 };
	char text[12];

	(void)state;
	assert_ok(cpulist_parse("0-3,8,10-11", &list));
	assert_errno(cpulist_format(&list, text, 11), ENOSPC);
	assert_int_equal(cpulist_format(&list, text, 12), 11);
	assert_errno(cpulist_format(&list, text, 0), ENOSPC);
}

/* The longest there is: every other CPU. */
static void test_cpulist_format_worst_case_comes_back(void **state)
{
	static char text[64 * 1024];
	struct cpulist list = { 0 }, again = { 0 };

	(void)state;
	for (unsigned int cpu = 0; cpu < CPULIST_MAX; cpu += 2)
		cpulist_add(&list, cpu);
	assert_ok(cpulist_format(&list, text, sizeof(text)));
	assert_ok(cpulist_parse(text, &again));
	assert_memory_equal(&list, &again, sizeof(list));
}

static void test_cpulist_sets_are_computed(void **state)
{
	struct cpulist a = { 0 }, b = { 0 }, none = { 0 };
	char text[64];

	(void)state;
	assert_ok(cpulist_parse("0-3,8191", &a));
	assert_ok(cpulist_parse("2-5", &b));
	assert_false(cpulist_is_within(&a, &b));
	cpulist_intersect(&b, &a);
	assert_ok(cpulist_format(&b, text, sizeof(text)));
	assert_string_equal(text, "2-3");
	assert_true(cpulist_is_within(&b, &a));
	cpulist_subtract(&a, &b);
	assert_ok(cpulist_format(&a, text, sizeof(text)));
	assert_string_equal(text, "0-1,8191");
	cpulist_unite(&a, &b);
	assert_ok(cpulist_format(&a, text, sizeof(text)));
	assert_string_equal(text, "0-3,8191");
	assert_false(cpulist_equals(&a, &b));
	assert_true(cpulist_is_within(&none, &a) && cpulist_is_empty(&none));
	cpulist_subtract(&a, &a);
	assert_true(cpulist_is_empty(&a) && cpulist_equals(&a, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpulist_parse_table_matches),
		cmocka_unit_test(test_cpulist_add_out_of_range_is_nothing),
		cmocka_unit_test(test_cpulist_format_short_buffer_is_refused),
		cmocka_unit_test(test_cpulist_format_worst_case_comes_back),
		cmocka_unit_test(test_cpulist_sets_are_computed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
