/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "telemetry/stall/average.h"

/* kernel/sched/psi.c: 2 s steps, fixed point of 11 bits; include/linux/sched/loadavg.h calc_load().
 */
#define KERNEL_STEP_USEC (2 * USEC_PER_SEC)
#define FIXED_1          2048ULL

static const uint64_t kernel_keep[SAMPLE_WINDOWS] = { 1677, 1981, 2034 };

static uint64_t kernel_step(uint64_t average, unsigned int window, uint64_t stalled_usec)
{
	uint64_t percent = stalled_usec * 100 * FIXED_1 / KERNEL_STEP_USEC;
	uint64_t keep = kernel_keep[window];
	uint64_t next = average * keep + percent * (FIXED_1 - keep);

	if (percent >= average)
		next += FIXED_1 - 1;
	return next / FIXED_1;
}

static int hundredths(float share)
{
	return (int)(share * 10000.0F + 0.5F);
}

static int kernel_hundredths(uint64_t average)
{
	return (int)(average * 100 / FIXED_1);
}

static void test_average_step_is_the_kernels_for_its_steps(void **state)
{
	static const uint64_t stalls[] = { 2000000, 2000000, 0,       500000, 1999999, 0,       0,
					   0,       123456,  2000000, 0,      1000000, 1000000, 7 };
	uint64_t kernel[SAMPLE_WINDOWS] = { 0 };
	float ours[SAMPLE_WINDOWS] = { 0 };
	struct average_decay decay = { 0 };

	(void)state;
	average_decay_set(&decay, KERNEL_STEP_USEC);
	for (unsigned int step = 0; step < 300; step++) {
		uint64_t stalled = stalls[step % ARRAY_SIZE(stalls)];

		average_step(ours, &decay, stalled);
		for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++) {
			kernel[window] = kernel_step(kernel[window], window, stalled);
			/* Its constants have 11 bits: exp(-2/300) is 2034.4. 0.6 percent points. */
			assert_in_range(
				abs(hundredths(ours[window]) - kernel_hundredths(kernel[window])),
				0, 60);
		}
	}
}

static void test_average_step_length_of_steps_does_not_matter(void **state)
{
	float one[SAMPLE_WINDOWS] = { 0.3F, 0.2F, 0.1F }, many[SAMPLE_WINDOWS];
	struct average_decay decay = { 0 };

	(void)state;
	memcpy(many, one, sizeof(many));
	average_decay_set(&decay, 7 * USEC_PER_SEC);
	average_step(one, &decay, 7 * USEC_PER_SEC / 4);
	average_decay_set(&decay, USEC_PER_SEC / 10);
	for (unsigned int i = 0; i < 70; i++)
		average_step(many, &decay, USEC_PER_SEC / 40);
	for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
		assert_in_range(abs(hundredths(one[window]) - hundredths(many[window])), 0, 2);
}

static void known(struct workload_sample *sample, enum sample_value value, uint64_t number)
{
	sample->value[value] = number;
	sample->known[value / 64] |= UINT64_C(1) << (value % 64);
}

#define SWAP (SAMPLE_CAUSE_SWAP_SOME_USEC - SAMPLE_PRESSURE_FIRST)

static void test_averages_update_begins_at_nothing(void **state)
{
	struct averages averages = { 0 };
	struct average_decay decay = { 0 };
	struct workload_sample sample = { 0 };

	(void)state;
	/* An hour before anybody looked. */
	known(&sample, SAMPLE_CAUSE_SWAP_SOME_USEC, 3600 * USEC_PER_SEC);
	averages_update(&averages, &decay, USEC_PER_SEC, &sample);
	assert_int_equal(sample.averages[SWAP][WINDOW_10S], 0);
	known(&sample, SAMPLE_CAUSE_SWAP_SOME_USEC, 3610 * USEC_PER_SEC);
	averages_update(&averages, &decay, 11 * USEC_PER_SEC, &sample);
	/* 1 - 1/e */
	assert_in_range(sample.averages[SWAP][WINDOW_10S], 6320, 6322);
	/* One that is not known has none. */
	assert_int_equal(sample.averages[0][WINDOW_10S], 0);
}

static void test_averages_update_never_more_than_all_and_never_less_than_none(void **state)
{
	struct averages averages = { 0 };
	struct average_decay decay = { 0 };
	struct workload_sample sample = { 0 };
	uint64_t total = 5 * USEC_PER_SEC;

	(void)state;
	known(&sample, SAMPLE_CAUSE_SWAP_SOME_USEC, 0);
	averages_update(&averages, &decay, 1, &sample);
	for (uint64_t now = 2; now < 100 * USEC_PER_SEC; now += 700001) {
		known(&sample, SAMPLE_CAUSE_SWAP_SOME_USEC, total);
		averages_update(&averages, &decay, now, &sample);
		assert_in_range(sample.averages[SWAP][WINDOW_10S], 0, 10000);
		/* At once, as a late total comes; then it stands still, and goes back. */
		total = now < 50 * USEC_PER_SEC ? total + 5 * USEC_PER_SEC : 1;
	}
	assert_in_range(sample.averages[SWAP][WINDOW_10S], 0, 800);
}

static void test_averages_update_value_that_is_known_again_begins_anew(void **state)
{
	struct averages averages = { 0 };
	struct average_decay decay = { 0 };
	struct workload_sample sample = { 0 };

	(void)state;
	known(&sample, SAMPLE_CAUSE_SWAP_SOME_USEC, 0);
	averages_update(&averages, &decay, USEC_PER_SEC, &sample);
	memset(sample.known, 0, sizeof(sample.known));
	averages_update(&averages, &decay, 2 * USEC_PER_SEC, &sample);
	known(&sample, SAMPLE_CAUSE_SWAP_SOME_USEC, 50 * USEC_PER_SEC);
	averages_update(&averages, &decay, 3 * USEC_PER_SEC, &sample);
	assert_int_equal(sample.averages[SWAP][WINDOW_10S], 0);
	/* Twice in one microsecond. */
	averages_update(&averages, &decay, 3 * USEC_PER_SEC, &sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_average_step_is_the_kernels_for_its_steps),
		cmocka_unit_test(test_average_step_length_of_steps_does_not_matter),
		cmocka_unit_test(test_averages_update_begins_at_nothing),
		cmocka_unit_test(test_averages_update_never_more_than_all_and_never_less_than_none),
		cmocka_unit_test(test_averages_update_value_that_is_known_again_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
