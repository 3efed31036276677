/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "psi-stat.h"

#define LINE(kind, total) kind " avg10=1.25 avg60=0.50 avg300=0.01 total=" total "\n"

static void test_psi_stat_parse_all_causes(void **state)
{
	static const char text[] = "cgroup_memory_reclaim\n" LINE("some", "1")
		LINE("full", "2") "global_memory_reclaim\n" LINE("some", "3")
			LINE("full", "4") "compact\n" LINE("some", "5") LINE(
				"full", "6") "cgroup_async_memory_reclaim\n" LINE("some", "7")
				LINE("full", "8") "swap\n" LINE("some", "9")
					LINE("full", "10") "cpu_cfs_bandwidth\n" LINE(
						"full", "12") "cpu_qos\n" LINE("full", "14");
	struct psi_stat stat;

	(void)state;
	assert_ok(psi_stat_parse(text, &stat));
	for (unsigned int cause = 0; cause <= PSI_SWAP; cause++) {
		assert_true(stat.cause[cause].some.present);
		assert_int_equal(stat.cause[cause].some.total_usec, 2 * cause + 1);
		assert_int_equal(stat.cause[cause].full.total_usec, 2 * cause + 2);
	}
	assert_false(stat.cause[PSI_CPU_CFS_BANDWIDTH].some.present);
	assert_int_equal(stat.cause[PSI_CPU_CFS_BANDWIDTH].full.total_usec, 12);
	assert_int_equal(stat.cause[PSI_CPU_QOS].full.total_usec, 14);
	assert_int_equal(stat.cause[PSI_SWAP].some.avg10, 125);
	assert_int_equal(stat.cause[PSI_SWAP].some.avg300, 1);
}

static void test_psi_stat_parse_unknown_cause_is_passed_over(void **state)
{
	struct psi_stat stat;

	(void)state;
	assert_ok(psi_stat_parse("irq_something\n" LINE("some", "99") "swap\n" LINE(
					 "some", "9") "new_cause\nsome nonsense=1\n",
				 &stat));
	assert_int_equal(stat.cause[PSI_SWAP].some.total_usec, 9);
	assert_false(stat.cause[PSI_SWAP].full.present);
	assert_false(stat.cause[PSI_COMPACT].some.present);
}

static void test_psi_stat_parse_blanks_around_names(void **state)
{
	struct psi_stat stat;

	(void)state;
	assert_ok(psi_stat_parse("\n swap\t\r\n\n" LINE("full", "3"), &stat));
	assert_int_equal(stat.cause[PSI_SWAP].full.total_usec, 3);
}

static void test_psi_stat_parse_wrong_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"swap\n",
		LINE("some", "1"), /* of no cause */
		"unknown\n" LINE("some", "1"),
		"swap\nsome avg10=0.00 avg60=0.00 avg300=0.00 total=-1\n",
		"swap\nsome avg10=0.00 avg60=0.00 avg300=0.00\n",
		"swap\nsome avg10=0.0 avg60=0.00 avg300=0.00 total=1\n",
		"swap\nsome avg10=0.00 avg60=0.00 avg300=0.00 total=99999999999999999999\n",
		"some thing\nsome other\n",
	};
	struct psi_stat stat = { .cause[PSI_SWAP].some.total_usec = 77 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_errno(psi_stat_parse(texts[i], &stat), EINVAL);
	assert_int_equal(stat.cause[PSI_SWAP].some.total_usec, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_psi_stat_parse_all_causes),
		cmocka_unit_test(test_psi_stat_parse_unknown_cause_is_passed_over),
		cmocka_unit_test(test_psi_stat_parse_blanks_around_names),
		cmocka_unit_test(test_psi_stat_parse_wrong_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
