/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "psi.h"

#define SOME "some avg10=1.50 avg60=0.07 avg300=100.00 total=123456\n"
#define FULL "full avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551615\n"

static void test_psi_parse_both_lines_are_read(void **state)
{
	struct psi psi = { 0 };

	(void)state;
	assert_ok(psi_parse(SOME FULL, &psi));
	assert_true(psi.some.present);
	assert_int_equal(psi.some.avg10, 150);
	assert_int_equal(psi.some.avg60, 7);
	assert_int_equal(psi.some.avg300, 10000);
	assert_int_equal(psi.some.total_usec, 123456);
	assert_true(psi.full.present);
	assert_true(psi.full.total_usec == UINT64_MAX);
}

static void test_psi_parse_accepted_table(void **state)
{
	static const struct {
		const char *text;
		bool some, full;
	} cases[] = {
		{ SOME, true, false },
		{ FULL, false, true }, /* /proc/pressure/irq */
		{ FULL SOME, true, true },
		{ "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", true, false },
		{ "some total=0 avg300=0.00 avg60=0.00 avg10=0.00\n", true, false },
		{ "some avg10=0.00 avg60=0.00 avg300=0.00 avg900=oops total=0\n", true, false },
		{ "other avg10=x\n" SOME "\n\n", true, false },
		{ "  some  avg10=0.00  avg60=0.00 avg300=0.00 total=0 \n", true, false },
		{ "somewhat total=x\n" SOME, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct psi psi = { 0 };
		int r = psi_parse(cases[i].text, &psi);

		if (r != 0 || psi.some.present != cases[i].some ||
		    psi.full.present != cases[i].full)
			fail_msg("'%s': %d", cases[i].text, r);
	}
}

static void test_psi_parse_malformed_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"\n",
		"other total=0\n",
		"some\n",
		"some avg10=0.00 avg60=0.00 avg300=0.00\n",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=\n",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=-1\n",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551616\n",
		"some avg10=0 avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=0.0 avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=0.000 avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=.00 avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=nan avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=0,00 avg60=0.00 avg300=0.00 total=0\n",
		"some avg10=99999999999.00 avg60=0.00 avg300=0.00 total=0\n",
		"some avg60=0.00 avg300=0.00 total=0\n",
		SOME "full avg10=x avg60=0.00 avg300=0.00 total=0\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct psi psi = { .some = { .total_usec = 42 } };
		int r = psi_parse(cases[i], &psi);

		if (r != -EINVAL || psi.some.total_usec != 42 || psi.full.present)
			fail_msg("'%s': %d", cases[i], r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_psi_parse_both_lines_are_read),
		cmocka_unit_test(test_psi_parse_accepted_table),
		cmocka_unit_test(test_psi_parse_malformed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
