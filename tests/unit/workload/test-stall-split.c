/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "telemetry/stall/split.h"

static uint64_t sum_of(const struct split *split, unsigned int kind)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		sum += split->parts[kind][i];
	return sum;
}

static void test_split_pass_one_cause_has_all(void **state)
{
	struct split split = { 0 };
	const struct split_input input = { .number = { 1000, 400 },
					   .weight[STALL_SWAP] = 990,
					   .elapsed_usec = 10000 };

	(void)state;
	split_pass(&split, &input);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_SWAP], 1000);
	assert_int_equal(split.parts[SPLIT_FULL][STALL_SWAP], 400);
}

static void test_split_pass_shares_by_weight(void **state)
{
	struct split split = { 0 };
	const struct split_input input = {
		.number = { 1000, 100 },
		.weight = { [STALL_CGROUP_RECLAIM] = 3000, [STALL_SWAP] = 1000 },
		.elapsed_usec = 10000
	};

	(void)state;
	split_pass(&split, &input);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_CGROUP_RECLAIM], 750);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_SWAP], 250);
	assert_int_equal(split.parts[SPLIT_FULL][STALL_CGROUP_RECLAIM], 75);
	assert_int_equal(split.parts[SPLIT_FULL][STALL_SWAP], 25);
}

static void test_split_begin_what_was_before_is_in_no_part(void **state)
{
	struct split split = { 0 };
	const struct split_input input = { .number = { 5100, 0 }, .elapsed_usec = 10000 };

	(void)state;
	split_begin(&split, (const uint64_t[]){ 5000, 0 });
	split_pass(&split, &input);
	assert_int_equal(sum_of(&split, SPLIT_SOME), 100);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_OTHER], 100);
}

/* The kernel's number comes 2 s after the waits that it is about; by then others wait for something
 * else. */
static void test_split_pass_weights_wait_for_a_number_that_comes_late(void **state)
{
	struct split split = { 0 };
	struct split_input input = { .weight[STALL_COMPACT] = 100000, .elapsed_usec = 100000 };

	(void)state;
	split_pass(&split, &input);
	assert_int_equal(sum_of(&split, SPLIT_SOME), 0);
	/* A little of it comes: the rest still waits. */
	input = (struct split_input){ .number = { 1000, 0 }, .elapsed_usec = 100000 };
	split_pass(&split, &input);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_COMPACT], 1000);
	input = (struct split_input){ .number = { 91000, 0 },
				      .weight[STALL_SWAP] = 1000,
				      .elapsed_usec = 100000 };
	split_pass(&split, &input);
	assert_true(split.parts[SPLIT_SOME][STALL_COMPACT] > 88000);
	assert_int_equal(sum_of(&split, SPLIT_SOME), 91000);
}

static void test_split_pass_wait_that_goes_on_is_shared_like_those_before(void **state)
{
	struct split split = { 0 };
	struct split_input input = { .number = { 1000000, 0 },
				     .weight[STALL_CGROUP_RECLAIM] = 1000000,
				     .elapsed_usec = 1000000 };

	(void)state;
	split_pass(&split, &input);
	input = (struct split_input){ .number = { 2000000, 0 }, .elapsed_usec = 1000000 };
	split_pass(&split, &input);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_CGROUP_RECLAIM], 2000000);
	/* A minute later that says nothing. */
	input = (struct split_input){ .number = { 2000300, 0 }, .elapsed_usec = 60000000 };
	split_pass(&split, &input);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_OTHER], 300);
}

static void test_split_pass_partial_rest_is_other(void **state)
{
	struct split split = { 0 };
	const struct split_input input = { .number = { 1000, 500 },
					   .weight[STALL_CGROUP_RECLAIM] = 400,
					   .elapsed_usec = 10000,
					   .is_partial = true };

	(void)state;
	split_pass(&split, &input);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_CGROUP_RECLAIM], 400);
	assert_int_equal(split.parts[SPLIT_SOME][STALL_OTHER], 600);
	assert_int_equal(split.parts[SPLIT_FULL][STALL_OTHER], 300);
}

static void test_split_pass_number_that_goes_back_is_unchanged(void **state)
{
	struct split split = { 0 };
	struct split_input input = { .number = { 1000, 10 },
				     .weight[STALL_SWAP] = 5,
				     .elapsed_usec = 10000 };

	(void)state;
	split_pass(&split, &input);
	input.number[SPLIT_SOME] = 900;
	split_pass(&split, &input);
	assert_int_equal(sum_of(&split, SPLIT_SOME), 1000);
	input.number[SPLIT_SOME] = 1001;
	split_pass(&split, &input);
	assert_int_equal(sum_of(&split, SPLIT_SOME), 1001);
}

/* xorshift64: the same sequence in each run. */
static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? seed % below : 0;
}

/* From none to more than a day at once; seldom large. */
static uint64_t draw_usec(void)
{
	return draw(3) == 0 ? 0 : draw(UINT64_C(1) << draw(38));
}

static void check_pass(struct split *split, const struct split_input *input, const uint64_t *begun)
{
	const struct split before = *split;

	split_pass(split, input);
	for (unsigned int kind = 0; kind < SPLIT_KINDS; kind++) {
		assert_int_equal(sum_of(split, kind), split->seen[kind] - begun[kind]);
		assert_true(split->seen[kind] == MAX(before.seen[kind], input->number[kind]));
		for (unsigned int i = 0; i < STALL_CAUSES; i++)
			assert_true(split->parts[kind][i] >= before.parts[kind][i]);
	}
	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		assert_true(split->pending[i] >= 0);
}

static void test_split_pass_random_sums_are_exact_and_never_go_back(void **state)
{
	(void)state;
	for (unsigned int sequence = 1; sequence <= 300; sequence++) {
		struct split split = { 0 };
		uint64_t begun[SPLIT_KINDS], number[SPLIT_KINDS];

		seed = sequence * UINT64_C(0x9e3779b97f4a7c15);
		number[SPLIT_SOME] = begun[SPLIT_SOME] = draw_usec();
		number[SPLIT_FULL] = begun[SPLIT_FULL] = draw(begun[SPLIT_SOME]);
		split_begin(&split, begun);
		for (unsigned int pass = 0; pass < 200; pass++) {
			struct split_input input = { .elapsed_usec = draw_usec(),
						     .is_partial = draw(2) };

			number[SPLIT_SOME] += draw_usec();
			number[SPLIT_FULL] += draw_usec();
			memcpy(input.number, number, sizeof(number));
			/* Now and then an older reading. */
			if (draw(10) == 0)
				input.number[SPLIT_SOME] -= draw(input.number[SPLIT_SOME]);
			for (unsigned int i = 0; i < STALL_CAUSES; i++)
				input.weight[i] = draw_usec();
			check_pass(&split, &input, begun);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_pass_one_cause_has_all),
		cmocka_unit_test(test_split_pass_shares_by_weight),
		cmocka_unit_test(test_split_begin_what_was_before_is_in_no_part),
		cmocka_unit_test(test_split_pass_weights_wait_for_a_number_that_comes_late),
		cmocka_unit_test(test_split_pass_wait_that_goes_on_is_shared_like_those_before),
		cmocka_unit_test(test_split_pass_partial_rest_is_other),
		cmocka_unit_test(test_split_pass_number_that_goes_back_is_unchanged),
		cmocka_unit_test(test_split_pass_random_sums_are_exact_and_never_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
