/* SPDX-License-Identifier: Apache-2.0 */
/* test-shares-law.c - the pure parts of memory shares: the gate, budgets, water, steps, rubik's
 * fssr. */
#include <stdlib.h>
#include <string.h>

#include "berth-test.h"
#include "macro.h"
#include "shares/fssr.h"
#include "shares/law.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define PAGE   4096u

static const struct shares_law law = {
	.total = GIB(16),
	.reserve = GIB(2),
	.release = GIB(4),
	.step = MIB(800),
};

static struct shares_member member(uint64_t use_mib, uint64_t cache_mib, uint64_t weight)
{
	return (struct shares_member){
		.weight = weight,
		.use = MIB(use_mib),
		.working_set = MIB(use_mib),
		.cache = MIB(cache_mib),
		.limit = SHARES_NONE,
		.high = SHARES_NONE,
	};
}

static void test_shares_gate_opens_at_once_and_closes_late(void **state)
{
	struct shares_gate gate = { 0 };
	uint64_t plenty = law.release + law.release / 8;

	(void)state;
	assert_false(shares_gate(&gate, &law, law.release));
	assert_true(shares_gate(&gate, &law, law.release - 1));
	for (unsigned int i = 0; i < 100; i++)
		assert_true(shares_gate(&gate, &law, plenty - 1));
	for (unsigned int i = 1; i < SHARES_CALM; i++)
		assert_true(shares_gate(&gate, &law, plenty));
	/* One bad period, and it begins again. */
	assert_true(shares_gate(&gate, &law, plenty - 1));
	for (unsigned int i = 1; i < SHARES_CALM; i++)
		assert_true(shares_gate(&gate, &law, plenty));
	assert_false(shares_gate(&gate, &law, plenty));
	assert_false(shares_gate(&gate, &law, law.release));
}

static void test_shares_budget_counts_page_cache_once(void **state)
{
	struct shares_member members[] = { member(1000, 600, 1), member(500, 0, 1) };

	(void)state;
	/* 400 + 500 held, 3 GiB (with the 600 of cache) available, 2 GiB reserved. */
	assert_int_equal(shares_budget(&law, members, 2, GIB(3)), MIB(900 + 1024));
	assert_int_equal(shares_budget(&law, members, 2, MIB(1148)), 0);
	assert_int_equal(shares_budget(&law, members, 0, GIB(1)), 0);
	members[0].cache = UINT64_MAX; /* nonsense of the kernel's counters */
	assert_int_equal(shares_budget(&law, members, 1, GIB(3)), GIB(1));
}

static void test_shares_unused_share_goes_to_those_that_want_more(void **state)
{
	struct shares_member members[] = { member(4000, 4000, 1), member(100, 100, 1),
					   member(4000, 4000, 2) };

	(void)state;
	members[0].hungry = members[2].hungry = true;
	shares_decide(&law, members, 3, MIB(6112));
	/* It has 100 and a step of 12.5 more; 2 : 1 is what the others have of the rest. */
	assert_int_equal(members[1].share, MIB(100) + MIB(100) / 8);
	assert_in_range(members[0].share, MIB(1999), MIB(2000));
	assert_in_range(members[2].share, MIB(3999), MIB(4000));
}

static void test_shares_what_is_over_is_room_for_all(void **state)
{
	struct shares_member members[] = { member(800, 800, 1), member(800, 800, 3) };

	(void)state;
	shares_decide(&law, members, 2, MIB(5800));
	/* 900 each, and 4000 more by weight. */
	assert_in_range(members[0].share, MIB(1900) - 2, MIB(1900));
	assert_in_range(members[1].share, MIB(3900) - 2, MIB(3900));
	/* As far as its own limit allows. */
	members[1].high = members[0].high = SHARES_NONE;
	members[1].limit = MIB(1000);
	shares_decide(&law, members, 2, MIB(5800));
	assert_int_equal(members[1].share, MIB(1000));
	assert_int_equal(members[1].refusal, SHARES_OWN_LIMIT);
	assert_int_equal(members[1].high, SHARES_NONE);
	assert_in_range(members[0].share, MIB(4800) - 2, MIB(4800));
}

static void test_shares_who_can_give_nothing_back_is_left_alone(void **state)
{
	struct shares_member members[] = { member(1000, 10, 1), member(1000, 1000, 1) };

	(void)state;
	members[0].hungry = members[1].hungry = true;
	shares_decide(&law, members, 2, MIB(1400));
	assert_int_equal(members[0].refusal, SHARES_NOTHING_TO_RECLAIM);
	assert_int_equal(members[0].high, SHARES_NONE);
	/* It stays, so that the other one has what is left. */
	assert_int_equal(members[1].share, MIB(400));
	/* Swap makes the difference. */
	members[0].swappable = MIB(900);
	members[0].high = members[1].high = SHARES_NONE;
	shares_decide(&law, members, 2, MIB(1400));
	assert_int_equal(members[0].refusal, SHARES_OK);
	assert_int_equal(members[0].share, MIB(700));
	assert_int_equal(members[0].high, MIB(1000 - 125));
	/* Swap fills up: the limit goes, and does not come back for a little. */
	members[0].swappable = MIB(20);
	shares_decide(&law, members, 2, MIB(1400));
	assert_int_equal(members[0].refusal, SHARES_NOTHING_TO_RECLAIM);
	members[0].swappable = MIB(100);
	shares_decide(&law, members, 2, MIB(1400));
	assert_int_equal(members[0].refusal, SHARES_NOTHING_TO_RECLAIM);
	members[0].swappable = MIB(120);
	shares_decide(&law, members, 2, MIB(1400));
	assert_int_equal(members[0].refusal, SHARES_OK);
}

static void test_shares_steps_down_fast_up_slowly_and_rest(void **state)
{
	struct shares_member one = member(1000, 1000, 1);

	(void)state;
	/* The first limit takes nothing that the group does not hold. */
	shares_decide(&law, &one, 1, MIB(2000));
	assert_in_range(one.high, MIB(2000) - 1, MIB(2000));
	shares_decide(&law, &one, 1, MIB(500));
	assert_int_equal(one.high, MIB(875));
	/* It did not come down: the limit waits for it. */
	shares_decide(&law, &one, 1, MIB(500));
	assert_int_equal(one.high, MIB(875));
	one.use = one.cache = MIB(875);
	shares_decide(&law, &one, 1, MIB(500));
	assert_int_equal(one.high, ((MIB(875) - MIB(875) / 8) + PAGE - 1) / PAGE * PAGE);
	one.use = one.cache = MIB(600);
	shares_decide(&law, &one, 1, MIB(600));
	assert_int_equal(one.high, MIB(600));
	/* Up by a quarter of a step, and not for less than that. */
	shares_decide(&law, &one, 1, MIB(618));
	assert_int_equal(one.high, MIB(600));
	one.hungry = true;
	shares_decide(&law, &one, 1, MIB(900));
	assert_int_equal(one.high, MIB(600) + MIB(75) / 4);
	/* What could be reclaimed is gone: not one period below what the group cannot give. */
	one.cache = MIB(100);
	one.use = MIB(900);
	shares_decide(&law, &one, 1, MIB(100));
	assert_true(one.high >= MIB(800));
}

/* ---- properties ---- */

static uint64_t random_below(unsigned int *seed, uint64_t limit)
{
	uint64_t value = (uint64_t)(unsigned int)rand_r(seed) << 31 ^ (unsigned int)rand_r(seed);

	return limit ? value % limit : 0;
}

static struct shares_member random_member(unsigned int *seed)
{
	struct shares_member one = { .use = random_below(seed, GIB(6)), .limit = SHARES_NONE };

	one.cache = random_below(seed, one.use + 1);
	one.swappable = random_below(seed, 3) ? random_below(seed, one.use - one.cache + 1) : 0;
	one.working_set = one.use - random_below(seed, one.cache + 1);
	one.weight = random_below(seed, 4) ? random_below(seed, GIB(4)) : 0;
	if (random_below(seed, 4) == 0)
		one.limit = one.use + random_below(seed, GIB(2)) + PAGE;
	one.hungry = random_below(seed, 2);
	one.high = random_below(seed, 3) ? one.use + random_below(seed, GIB(1)) : SHARES_NONE;
	if (one.high != SHARES_NONE && random_below(seed, 4) == 0)
		one.high = MAX(one.use / 2, (uint64_t)PAGE);
	return one;
}

static uint64_t taken(const struct shares_member *members, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		if (members[i].refusal != SHARES_NOTHING_TO_RECLAIM)
			sum += members[i].share;
	return sum;
}

static uint64_t left_for_others(const struct shares_member *members, size_t count, uint64_t budget)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].refusal == SHARES_NOTHING_TO_RECLAIM)
			budget = budget > members[i].use ? budget - members[i].use : 0;
	return budget;
}

/* Nobody gets less than the smaller of its fair share and its wants. */
static void assert_fair(const struct shares_member *members, size_t count, uint64_t rest)
{
	uint64_t weights = 0;

	for (size_t i = 0; i < count; i++)
		if (members[i].refusal != SHARES_NOTHING_TO_RECLAIM)
			weights += MAX(members[i].weight, UINT64_C(1));
	for (size_t i = 0; i < count; i++) {
		const struct shares_member *one = &members[i];
		uint64_t wants = one->hungry ? one->limit
					     : MIN(one->use + shares_step(&law, one), one->limit);
		uint64_t fair = (uint64_t)((unsigned __int128)rest * MAX(one->weight, UINT64_C(1)) /
					   MAX(weights, UINT64_C(1)));

		if (one->refusal == SHARES_NOTHING_TO_RECLAIM)
			continue;
		assert_true(one->share + count + 1 >= MIN(fair, wants));
		assert_true(one->share <= one->limit);
	}
}

static void assert_step(const struct shares_member *before, const struct shares_member *after)
{
	uint64_t step = shares_step(&law, before), floor = shares_floor(before);
	uint64_t forced = MAX(floor, before->use > step ? before->use - step : 0);

	if (after->refusal != SHARES_OK) {
		assert_int_equal(after->high, SHARES_NONE);
		return;
	}
	/* Never below what it cannot give, its use and its working set by more than a step. */
	assert_true(after->high >= forced);
	assert_true(after->high + step >= before->working_set);
	assert_int_equal(after->high % PAGE, 0);
	assert_true(after->high < after->limit);
	if (before->high == SHARES_NONE)
		return;
	/* Up by a quarter of a step, unless it has to be. */
	assert_true(after->high <= MAX(before->high + step / 4, forced) + PAGE);
	if (after->high + PAGE < before->high)
		assert_true(before->high >
			    MAX(after->share, floor) + shares_dead_band(&law, before));
}

static void test_shares_properties(void **state)
{
	unsigned int seed = 20261128;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct shares_member before[8], after[8];
		size_t count = 1 + random_below(&seed, ARRAY_SIZE(after));
		uint64_t budget = random_below(&seed, GIB(16)), rest;

		for (size_t i = 0; i < count; i++)
			before[i] = after[i] = random_member(&seed);
		shares_decide(&law, after, count, budget);
		rest = left_for_others(after, count, budget);
		assert_true(taken(after, count) <= rest);
		assert_fair(after, count, rest);
		for (size_t i = 0; i < count; i++)
			assert_step(&before[i], &after[i]);
	}
}

static void test_shares_more_budget_is_no_less_for_anybody(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct shares_member less[6], more[6];
		uint64_t budget = random_below(&seed, GIB(12));

		for (size_t i = 0; i < ARRAY_SIZE(less); i++)
			less[i] = more[i] = random_member(&seed);
		shares_decide(&law, less, ARRAY_SIZE(less), budget);
		shares_decide(&law, more, ARRAY_SIZE(more), budget + random_below(&seed, GIB(4)));
		for (size_t i = 0; i < ARRAY_SIZE(less); i++)
			assert_true(more[i].share + 2 * ARRAY_SIZE(less) >= less[i].share);
	}
}

static void test_shares_order_does_not_matter(void **state)
{
	unsigned int seed = 11;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct shares_member there[5], back[5];
		uint64_t budget = random_below(&seed, GIB(12));
		size_t count = ARRAY_SIZE(there);

		for (size_t i = 0; i < count; i++)
			there[i] = back[count - 1 - i] = random_member(&seed);
		shares_decide(&law, there, count, budget);
		shares_decide(&law, back, count, budget);
		for (size_t i = 0; i < count; i++) {
			uint64_t a = there[i].share, b = back[count - 1 - i].share;

			assert_true(MAX(a, b) - MIN(a, b) <= 2 * count);
		}
	}
}

/* ---- a node of 16 GiB, by the period ---- */

struct node {
	struct shares_member members[3];
	uint64_t wants[3]; /* what each would hold if it could */
	uint64_t online;
	struct shares_gate gate;
};

static uint64_t node_available(const struct node *node)
{
	uint64_t held = node->online;

	for (size_t i = 0; i < ARRAY_SIZE(node->members); i++)
		held += node->members[i].use;
	return held < law.total ? law.total - held : 0;
}

/* Anonymous memory with enough swap; each grows by 200 MiB a period at most. Returns how many
 * limits changed. */
static unsigned int node_period(struct node *node)
{
	struct shares_member *members = node->members, next[ARRAY_SIZE(node->members)];
	size_t count = ARRAY_SIZE(node->members);
	unsigned int changes = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t wanted = MIN(node->wants[i], members[i].use + MIB(200));

		members[i].use = MIN(wanted, members[i].high);
		members[i].working_set = members[i].swappable = members[i].use;
		members[i].hungry =
			node->wants[i] > members[i].use && members[i].use >= members[i].high;
	}
	if (!shares_gate(&node->gate, &law, node_available(node))) {
		for (size_t i = 0; i < count; i++)
			members[i].high = SHARES_NONE;
		return 0;
	}
	memcpy(next, members, sizeof(next));
	shares_decide(&law, next, count, shares_budget(&law, next, count, node_available(node)));
	for (size_t i = 0; i < count; i++) {
		changes += next[i].high != members[i].high;
		members[i] = next[i];
	}
	return changes;
}

static void test_shares_follow_a_node_down_and_up(void **state)
{
	struct node node = { .online = GIB(4) };
	unsigned int changes = 0;
	uint64_t least = UINT64_MAX;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		node.members[i] = member(1024, 0, i + 1);
		node.wants[i] = GIB(1);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(node_period(&node), 0);
	/* All want everything: together they get all but the reserve, by weight. */
	for (size_t i = 0; i < 3; i++)
		node.wants[i] = GIB(16);
	for (int i = 0; i < 200; i++) {
		(void)node_period(&node);
		least = MIN(least, node_available(&node));
	}
	assert_true(least >= law.reserve - MIB(600)); /* one period of growth of all three */
	assert_in_range(node_available(&node), law.reserve - MIB(100), law.reserve + MIB(700));
	assert_in_range(node.members[2].use * 10 / node.members[0].use, 25, 35);
	for (int i = 0; i < 12; i++)
		changes += node_period(&node);
	assert_true(changes <= 6);
	/* Online work comes: within two minutes the reserve is there again. */
	node.online = GIB(8);
	for (int i = 0; i < 24; i++)
		(void)node_period(&node);
	assert_true(node_available(&node) >= law.reserve - MIB(150));
	/* It goes: they have its memory back, slowly. */
	node.online = GIB(4);
	for (int i = 0; i < 12; i++)
		(void)node_period(&node);
	assert_true(node_available(&node) > law.reserve + GIB(1));
	for (int i = 0; i < 200; i++)
		(void)node_period(&node);
	assert_in_range(node_available(&node), law.reserve - MIB(100), law.reserve + MIB(700));
	/* And when they want little again, nobody is limited. */
	for (size_t i = 0; i < 3; i++)
		node.wants[i] = GIB(1);
	for (int i = 0; i < 40; i++)
		(void)node_period(&node);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(node.members[i].high, SHARES_NONE);
}

/* The algorithm as rubik documents it, in words: start at 80 %, down by 10 to 30, up by 1 after a
 * minute of plenty. */
static void test_fssr_is_rubiks(void **state)
{
	struct fssr fssr = { 0 };
	uint64_t total = 100 * GIB(1);

	(void)state;
	assert_int_equal(fssr_tick(&fssr, total, GIB(15)), 80 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, total, GIB(10)), 80 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, total, GIB(10) - 1), 70 * GIB(1));
	for (int i = 0; i < 10; i++)
		(void)fssr_tick(&fssr, total, 0);
	assert_int_equal(fssr.high, 30 * GIB(1));
	for (int i = 0; i < 12; i++)
		assert_int_equal(fssr_tick(&fssr, total, GIB(20) + 1), 30 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, total, GIB(20) + 1), 31 * GIB(1));
	/* Twice the reserve is not more than that. */
	for (int i = 0; i < 11; i++)
		assert_int_equal(fssr_tick(&fssr, total, GIB(30)), 31 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, total, GIB(20)), 31 * GIB(1));
	for (int i = 0; i < 12; i++)
		assert_int_equal(fssr_tick(&fssr, total, GIB(30)), 31 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, total, GIB(30)), 32 * GIB(1));
	for (int i = 0; i < 13 * 60; i++)
		(void)fssr_tick(&fssr, total, GIB(30));
	assert_int_equal(fssr.high, 80 * GIB(1));
}

/* Memory that is plugged in or taken away, as virtual machines have it. */
static void test_fssr_follows_a_host_that_changes(void **state)
{
	struct fssr fssr = { 0 };

	(void)state;
	assert_int_equal(fssr_tick(&fssr, 100 * GIB(1), GIB(15)), 80 * GIB(1));
	/* Sixteen times as much: 80 of it is less than a tenth. */
	assert_int_equal(fssr_tick(&fssr, 1600 * GIB(1), GIB(1)), 480 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, 100 * GIB(1), GIB(15)), 80 * GIB(1));
	assert_int_equal(fssr_tick(&fssr, 1600 * GIB(1), GIB(200)), 480 * GIB(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_gate_opens_at_once_and_closes_late),
		cmocka_unit_test(test_shares_budget_counts_page_cache_once),
		cmocka_unit_test(test_shares_unused_share_goes_to_those_that_want_more),
		cmocka_unit_test(test_shares_what_is_over_is_room_for_all),
		cmocka_unit_test(test_shares_who_can_give_nothing_back_is_left_alone),
		cmocka_unit_test(test_shares_steps_down_fast_up_slowly_and_rest),
		cmocka_unit_test(test_shares_properties),
		cmocka_unit_test(test_shares_more_budget_is_no_less_for_anybody),
		cmocka_unit_test(test_shares_order_does_not_matter),
		cmocka_unit_test(test_shares_follow_a_node_down_and_up),
		cmocka_unit_test(test_fssr_is_rubiks),
		cmocka_unit_test(test_fssr_follows_a_host_that_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
