/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-interference-law.c - the pure parts of interference. The vectors are rubik's cpi, in
 * numbers: what is folded, who is an outlier, who is to blame.
 */
#include <math.h>

#include "berth-test.h"
#include "interference/law.h"
#include "interference/signal.h"
#include "macro.h"

#define MINUTE (60 * USEC_PER_SEC)

/* rubik's constants; no floors. */
static const struct law rubik = {
	.sigma = 2,
	.correlation = 0.15,
	.learn = 60,
	.use_least = 0.25,
	.period_usec = MINUTE,
};

#define assert_near(a, b)                                                       \
	do {                                                                    \
		double near_a = (a), near_b = (b);                              \
		if (!(fabs(near_a - near_b) <= 1e-9 * MAX(1.0, fabs(near_b))))  \
			fail_msg("%s is %.12g, not %.12g", #a, near_a, near_b); \
	} while (0)

static struct law_point point_of(uint64_t period, double value, double use)
{
	return (struct law_point){
		.period = period, .time_usec = period * MINUTE, .value = value, .use = use
	};
}

/* n points of mean 1 and deviation 0.1, as the past. */
static struct law_spec learned(const struct law *law, unsigned int n)
{
	struct law_spec spec = { 0 };

	for (unsigned int i = 0; i < n; i++) {
		struct law_point point = point_of(i, i % 2 ? 0.9 : 1.1, 1);

		law_fold(law, &spec, &point);
	}
	return spec;
}

static void test_fold_is_mean_and_deviation(void **state)
{
	struct law_spec spec = { 0 };
	static const double values[] = { 2, 4, 4, 4, 5, 5, 7, 9 };

	(void)state;
	assert_near(law_deviation(&spec), 0);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct law_point point = point_of(i, values[i], 1);

		law_fold(&rubik, &spec, &point);
	}
	assert_int_equal(spec.count, 8);
	assert_near(spec.mean, 5);
	assert_near(law_deviation(&spec), 2);
	assert_near(law_threshold(&rubik, &spec), 9);
}

static void test_fold_skips_who_hardly_ran_and_outliers_of_one_that_has_learned(void **state)
{
	struct law_spec spec = { 0 };
	struct law_point point = point_of(1, 5, 0.24);

	(void)state;
	law_fold(&rubik, &spec, &point);
	assert_int_equal(spec.count, 0);
	point.use = 0.25;
	law_fold(&rubik, &spec, &point);
	assert_int_equal(spec.count, 1);
	/* While it learns, everything is taken; the 60th is the last such one. */
	spec = learned(&rubik, 59);
	point.value = 3;
	law_fold(&rubik, &spec, &point);
	assert_int_equal(spec.count, 60);
	point.value = 30;
	law_fold(&rubik, &spec, &point);
	assert_int_equal(spec.count, 60);
	point.value = 1;
	law_fold(&rubik, &spec, &point);
	assert_int_equal(spec.count, 61);
}

static void test_points_become_the_past_when_they_are_ten_minutes_old(void **state)
{
	struct law_series series = { 0 };
	struct law_spec spec = { 0 };

	(void)state;
	for (unsigned int i = 1; i <= 10; i++) {
		struct law_point point = point_of(i, 1, 1);

		law_add(&rubik, &series, &spec, &point);
		assert_int_equal(spec.count, 0);
	}
	for (unsigned int i = 11; i <= 30; i++) {
		struct law_point point = point_of(i, 1, 1);

		law_add(&rubik, &series, &spec, &point);
		assert_int_equal(series.count, 10);
		assert_int_equal(spec.count, i - 10);
	}
	/* After an hour without any, all of them. */
	law_add(&rubik, &series, &spec, &(struct law_point){ 99, 99 * MINUTE, 1, 1 });
	assert_int_equal(series.count, 1);
	assert_int_equal(spec.count, 30);
}

static void test_suffers_by_three_of_five_minutes(void **state)
{
	static const struct {
		double values[5]; /* of the minutes 101 to 105 */
		double use;
		unsigned int learned;
		bool suffers;
	} rows[] = {
		{ { 1, 1, 1, 1, 1 }, 1, 61, false },
		{ { 1, 1, 2, 2, 2 }, 1, 61, true },
		{ { 2, 1, 2, 1, 2 }, 1, 61, true },
		{ { 1, 1, 1, 2, 2 }, 1, 61, false },
		{ { 2, 2, 2, 2, 2 }, 1, 60, false },    /* n must be over 60 */
		{ { 2, 2, 2, 2, 2 }, 0.24, 61, false }, /* it hardly runs */
		{ { 1.1, 1.1, 1.1, 1.1, 1.1 }, 1, 61, false },
		{ { 1.3, 1.3, 1.3, 1.1, 1.1 }, 1, 61, true },
	};

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		struct law_spec spec = learned(&rubik, rows[row].learned);
		struct law_series series = { 0 };

		for (unsigned int i = 0; i < 5; i++) {
			struct law_point point =
				point_of(101 + i, rows[row].values[i], rows[row].use);

			law_add(&rubik, &series, &spec, &point);
		}
		if (law_suffers(&rubik, &series, &spec, 105 * MINUTE, 0) != rows[row].suffers)
			fail_msg("row %zu", row);
		/* Six minutes later nothing is recent. */
		assert_false(law_suffers(&rubik, &series, &spec, 111 * MINUTE, 0));
		assert_false(law_suffers(&rubik, &series, &spec, 105 * MINUTE, 105 * MINUTE));
	}
}

static void test_floors_keep_a_steady_one_from_being_a_victim(void **state)
{
	struct law law = rubik;
	struct law_spec spec = { .count = 100, .mean = 1, .squares = 0 };

	(void)state;
	assert_near(law_threshold(&law, &spec), 1);
	law.least_ratio = 1.05;
	assert_near(law_threshold(&law, &spec), 1.05);
	law.least = 2;
	assert_near(law_threshold(&law, &spec), 2);
	spec.squares = 100; /* a deviation of 1 */
	assert_near(law_threshold(&law, &spec), 3);
}

/* Over a threshold of 1.2: sum of u/sum(u) * (1 - t/v), or (v/t - 1) where v is below. */
static void test_correlation_vectors(void **state)
{
	static const struct {
		double values[4], use[4], correlation;
	} rows[] = {
		{ { 2.4, 2.4, 2.4, 2.4 }, { 1, 1, 1, 1 }, 0.5 },
		{ { 2.4, 0.6, 2.4, 0.6 }, { 1, 0, 1, 0 }, 0.5 },
		{ { 2.4, 0.6, 2.4, 0.6 }, { 0, 1, 0, 1 }, -0.5 },
		{ { 2.4, 0.6, 2.4, 0.6 }, { 1, 1, 1, 1 }, 0 },
		{ { 2.4, 1.2, 1.2, 1.2 }, { 3, 1, 0, 0 }, 0.375 },
		{ { 2.4, 2.4, 2.4, 2.4 }, { 0, 0, 0, 0 }, 0 }, /* it did not run */
		{ { 0, 0, 0, 0 }, { 1, 1, 1, 1 }, -1 },
	};
	struct law_spec spec = { .count = 100, .mean = 1, .squares = 1 };

	(void)state;
	assert_near(law_threshold(&rubik, &spec), 1.2);
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		struct law_series victim = { 0 }, suspect = { 0 };

		for (unsigned int i = 0; i < 4; i++) {
			struct law_point point = point_of(10 + i, rows[row].values[i], 1);
			struct law_point used = point_of(10 + i, 0, rows[row].use[i]);

			law_add(&rubik, &victim, &spec, &point);
			law_add_use(&suspect, &used);
		}
		assert_near(law_correlation(&rubik, &victim, &spec, &suspect, 13 * MINUTE),
			    rows[row].correlation);
	}
}

/* rubik dereferences nil here, and crashes. */
static void test_empty_series_are_no_reason_to_fall(void **state)
{
	struct law_series none = { 0 }, one = { 0 };
	struct law_spec spec = { 0 };
	struct law_point point = point_of(1, 1, 1);
	bool correlates;

	(void)state;
	assert_near(law_correlation(&rubik, &none, &spec, &none, 0), 0);
	assert_near(law_recent_use(&rubik, &none, 0), 0);
	assert_false(law_suffers(&rubik, &none, &spec, 0, 0));
	assert_int_equal(law_blame(&rubik, NULL, 0, 0, &correlates), -1);
	assert_false(correlates);
	law_add_use(&one, &point);
	assert_near(law_correlation(&rubik, &none, &spec, &one, MINUTE), 0);
	assert_near(law_correlation(&rubik, &one, &spec, &none, MINUTE), 0);
	/* No numbers. */
	point.value = NAN;
	law_add(&rubik, &none, &spec, &point);
	point.value = INFINITY;
	law_add(&rubik, &none, &spec, &point);
	point.value = -1;
	law_add(&rubik, &none, &spec, &point);
	point.use = NAN;
	law_add_use(&none, &point);
	assert_int_equal(none.count, 0);
	/* A clock that went back counts nothing as recent. */
	assert_near(law_recent_use(&rubik, &one, 0), 0);
}

static void test_blame_the_one_that_correlates_else_the_largest(void **state)
{
	static const struct {
		struct law_suspect suspects[3];
		int blamed;
		bool correlates;
	} rows[] = {
		{ { { 1, 0.16, 0.5 }, { 2, 0.4, 0.2 }, { 3, 0.1, 9 } }, 1, true },
		{ { { 1, 0.15, 0.5 }, { 2, 0.1, 0.2 }, { 3, -1, 9 } }, 2, false },
		{ { { 1, 0.9, 0.1 }, { 2, 0.2, 0.2 }, { 3, 0, 0 } }, 1, true }, /* 0.1 is left */
		{ { { 1, 0.9, 0.1 }, { 2, 0.9, 0.05 }, { 3, 0.9, 0 } }, -1, false },
	};

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		bool correlates;

		assert_int_equal(law_blame(&rubik, rows[row].suspects, 3, 0.1, &correlates),
				 rows[row].blamed);
		assert_int_equal(correlates, rows[row].correlates);
	}
}

/* One that is counted in each of the rounds that make a period. */
static void test_uses_of_one_period_are_one_point(void **state)
{
	struct law_series series = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 20 * 7; i++) {
		struct law_point point = point_of(i / 7, 0, i % 7);

		point.time_usec = i * MINUTE;
		law_add_use(&series, &point);
	}
	assert_int_equal(series.count, LAW_POINTS);
	for (unsigned int i = 0; i < series.count; i++) {
		assert_int_equal(series.points[i].period, 20 - LAW_POINTS + i);
		assert_near(series.points[i].use, 3);
		assert_int_equal(series.points[i].time_usec,
				 (series.points[i].period * 7 + 6) * MINUTE);
	}
}

/* ---- properties ---- */

static uint64_t seed = 42;

static double random_to(double most)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(seed >> 33) / (double)(1ULL << 31) * most;
}

static void test_properties(void **state)
{
	(void)state;
	for (unsigned int run = 0; run < 500; run++) {
		struct law_series victim = { 0 }, suspect = { 0 }, doubled = { 0 };
		struct law_spec spec = { 0 };
		double lowest = 1e9, highest = 0, correlation, scaled;
		uint64_t time = 0, outside;

		for (unsigned int i = 0; i < 300; i++) {
			struct law_point point = {
				.period = i,
				.time_usec = time += (uint64_t)random_to(3 * MINUTE),
				.value = random_to(5),
				.use = random_to(4),
			};
			struct law_point used = point;

			if (point.use >= rubik.use_least) {
				lowest = MIN(lowest, point.value);
				highest = MAX(highest, point.value);
			}
			law_add(&rubik, &victim, &spec, &point);
			used.use = random_to(8);
			law_add_use(&suspect, &used);
			used.use *= 2;
			law_add_use(&doubled, &used);
			assert_in_range(victim.count, 1, LAW_POINTS);
			assert_true(spec.count + victim.count <= i + 1);
			if (spec.count > 0)
				assert_true(spec.mean >= lowest - 1e-9 &&
					    spec.mean <= highest + 1e-9);
			assert_true(spec.squares >= 0);
			correlation = law_correlation(&rubik, &victim, &spec, &suspect, time);
			assert_true(correlation >= -1 && correlation < 1);
			/* How much it uses is not how it goes with it. */
			scaled = law_correlation(&rubik, &victim, &spec, &doubled, time);
			assert_near(correlation, scaled);
			outside = law_count_outside(&rubik, &victim, &spec, time, 0);
			assert_true(outside <= victim.count);
			/* Later, and after a later time, never more is outside. */
			assert_true(law_count_outside(&rubik, &victim, &spec, time,
						      time - MIN(time, MINUTE)) <= outside);
			assert_true(law_count_outside(&rubik, &victim, &spec, time + MINUTE, 0) <=
				    outside);
			/* One that suffers more does not stop to suffer. */
			if (law_suffers(&rubik, &victim, &spec, time, 0)) {
				struct law_series worse = victim;

				for (unsigned int k = 0; k < worse.count; k++)
					worse.points[k].value *= 2;
				assert_true(law_suffers(&rubik, &worse, &spec, time, 0));
			}
		}
	}
}

/* ---- signals ---- */

static struct workload_sample sample_at(uint64_t seconds)
{
	struct workload_sample sample = {
		.size = sizeof(sample),
		.generation = seconds,
		.time_usec = seconds * USEC_PER_SEC,
		.known = { ~UINT64_C(0), ~UINT64_C(0) },
	};

	sample.value[SAMPLE_CPU_USAGE_USEC] = seconds * USEC_PER_SEC / 2;
	return sample;
}

static void test_signal_cpi_is_of_what_was_counted_between(void **state)
{
	struct workload_sample a = sample_at(10), b = sample_at(20);
	struct signal_reading before, now;
	double value;

	(void)state;
	a.value[SAMPLE_CYCLES] = 5000000;
	a.value[SAMPLE_INSTRUCTIONS] = 9000000;
	b.value[SAMPLE_CYCLES] = 5000000 + 23000000;
	b.value[SAMPLE_INSTRUCTIONS] = 9000000 + 10000000;
	signal_read(&a, &before);
	signal_read(&b, &now);
	assert_true(signal_value(SIGNAL_CPI, &before, &now, &value));
	assert_near(value, 2.3);
	assert_true(signal_use(&before, &now, &value));
	assert_near(value, 0.5);
	/* Nothing was counted, or not enough to divide by. */
	now.instructions = before.instructions + 999999;
	assert_false(signal_value(SIGNAL_CPI, &before, &now, &value));
	now.instructions = before.instructions - 1;
	assert_false(signal_value(SIGNAL_CPI, &before, &now, &value));
	now.has_counters = false;
	assert_false(signal_value(SIGNAL_CPI, &before, &now, &value));
	/* Never counted before. */
	before.has_counters = false;
	before.cycles = before.instructions = 0;
	now.has_counters = true;
	now.instructions = 28000000 / 2;
	assert_true(signal_value(SIGNAL_CPI, &before, &now, &value));
	assert_near(value, 2);
}

static void test_signal_latency_is_the_99th_percentile(void **state)
{
	struct workload_sample a = sample_at(10), b = sample_at(20);
	struct sample_latency first = { .count = { [0] = 1000 } }, second = first;
	struct signal_reading before, now;
	double value;

	(void)state;
	a.latency = &first;
	b.latency = &second;
	second.count[0] += 980;
	second.count[7] += 20; /* 512 to 1024 us */
	signal_read(&a, &before);
	signal_read(&b, &now);
	assert_true(signal_value(SIGNAL_LATENCY, &before, &now, &value));
	assert_near(value, (512 + 512 * 10.0 / 20) / 1e6);
	/* Of few, the longest. */
	now.latency.count[0] = 1000;
	now.latency.count[7] = 10;
	assert_true(signal_value(SIGNAL_LATENCY, &before, &now, &value));
	assert_near(value, 1024 / 1e6);
	now.latency.count[7] = 9;
	assert_false(signal_value(SIGNAL_LATENCY, &before, &now, &value));
	now.latency.count[7] = 20;
	now.latency.count[0] = 999;
	assert_false(signal_value(SIGNAL_LATENCY, &before, &now, &value));
	now.has_latency = false;
	assert_false(signal_value(SIGNAL_LATENCY, &before, &now, &value));
}

static void test_signal_pressure_is_without_its_own_quota(void **state)
{
	struct workload_sample a = sample_at(10), b = sample_at(20);
	struct signal_reading before, now;
	double value;

	(void)state;
	b.value[SAMPLE_PRESSURE_CPU_SOME_USEC] = 4 * USEC_PER_SEC;
	signal_read(&a, &before);
	signal_read(&b, &now);
	assert_true(signal_value(SIGNAL_PRESSURE, &before, &now, &value));
	assert_near(value, 0.4);
	/* As every kernel tells, also with telemetry.causes: false. */
	b.value[SAMPLE_CPU_THROTTLED_USEC] = 3 * USEC_PER_SEC;
	signal_read(&b, &now);
	assert_true(signal_value(SIGNAL_PRESSURE, &before, &now, &value));
	assert_near(value, 0.1);
	now.throttled_usec = 9 * USEC_PER_SEC;
	assert_true(signal_value(SIGNAL_PRESSURE, &before, &now, &value));
	assert_near(value, 0);
	now.waited_usec = 90 * USEC_PER_SEC;
	now.throttled_usec = 0;
	assert_true(signal_value(SIGNAL_PRESSURE, &before, &now, &value));
	assert_near(value, 1);
	now.has_pressure = false;
	assert_false(signal_value(SIGNAL_PRESSURE, &before, &now, &value));
}

static void test_signal_needs_two_samples_of_one_group(void **state)
{
	struct workload_sample a = sample_at(10), b = sample_at(20);
	struct signal_reading before, now, nothing;
	double value;

	(void)state;
	signal_read(NULL, &nothing);
	signal_read(&a, &before);
	signal_read(&b, &now);
	assert_false(signal_value(SIGNAL_PRESSURE, &nothing, &now, &value));
	assert_false(signal_value(SIGNAL_PRESSURE, &before, &nothing, &value));
	assert_false(signal_value(SIGNAL_PRESSURE, &now, &before, &value));
	assert_false(signal_value(SIGNAL_PRESSURE, &before, &before, &value));
	assert_false(signal_value(SIGNAL_AUTO, &before, &now, &value));
	now.generation = before.generation;
	assert_false(signal_use(&before, &now, &value));
	signal_read(&b, &now);
	now.cpu_usec = before.cpu_usec - 1;
	assert_false(signal_use(&before, &now, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold_is_mean_and_deviation),
		cmocka_unit_test(
			test_fold_skips_who_hardly_ran_and_outliers_of_one_that_has_learned),
		cmocka_unit_test(test_points_become_the_past_when_they_are_ten_minutes_old),
		cmocka_unit_test(test_suffers_by_three_of_five_minutes),
		cmocka_unit_test(test_floors_keep_a_steady_one_from_being_a_victim),
		cmocka_unit_test(test_correlation_vectors),
		cmocka_unit_test(test_empty_series_are_no_reason_to_fall),
		cmocka_unit_test(test_blame_the_one_that_correlates_else_the_largest),
		cmocka_unit_test(test_uses_of_one_period_are_one_point),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_signal_cpi_is_of_what_was_counted_between),
		cmocka_unit_test(test_signal_latency_is_the_99th_percentile),
		cmocka_unit_test(test_signal_pressure_is_without_its_own_quota),
		cmocka_unit_test(test_signal_needs_two_samples_of_one_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
