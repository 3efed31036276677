/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "telemetry/rollup.h"

#define POD  1u
#define LEFT 2u
#define BOTH 3u

struct world {
	struct hashmap by_id;
	struct target targets[BOTH + 1];
	uint64_t generation;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	for (uint64_t id = POD; id <= BOTH; id++) {
		struct target *target = &world->targets[id];

		target->id = id;
		target->parent = id == POD ? 0 : POD;
		assert_ok(hashmap_put_u64(&world->by_id, id, target));
	}
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	hashmap_done(&world->by_id);
	free(world);
	return 0;
}

/* What the group itself says this time; UINT64_MAX: it cannot be read, the record stays. */
static void take(struct world *world, uint64_t id, uint64_t throttled_usec)
{
	struct target *target = &world->targets[id];

	target->sample.generation = world->generation;
	rollup_begin(target);
	if (throttled_usec != UINT64_MAX)
		target_set(target, SAMPLE_CPU_THROTTLED_USEC, throttled_usec);
}

static uint64_t told(const struct world *world, uint64_t id)
{
	return world->targets[id].sample.value[SAMPLE_CPU_THROTTLED_USEC];
}

static void pass(struct world *world, uint64_t pod, uint64_t left, uint64_t both)
{
	world->generation++;
	take(world, POD, pod);
	take(world, LEFT, left);
	take(world, BOTH, both);
	rollup_end(&world->by_id, world->generation);
}

static void test_rollup_pod_has_its_containers_throttling(void **state)
{
	struct world *world = *state;

	pass(world, 0, 100, 20);
	assert_int_equal(told(world, POD), 120);
	assert_int_equal(told(world, LEFT), 100);
	pass(world, 5, 150, 20);
	assert_int_equal(told(world, POD), 175);
	assert_int_equal(told(world, LEFT), 150);
	/* Nothing moves, nothing is counted twice. */
	pass(world, 5, 150, 20);
	assert_int_equal(told(world, POD), 175);
	/* One that cannot be read this time stays as it was, above it too. */
	pass(world, UINT64_MAX, 160, UINT64_MAX);
	assert_int_equal(told(world, POD), 185);
	assert_int_equal(told(world, BOTH), 20);
}

static void test_rollup_container_that_ends_leaves_its_share(void **state)
{
	struct world *world = *state;

	pass(world, 1, 100, 20);
	/* Not in the next pass: it is gone, and a new one begins at nothing. */
	world->generation++;
	take(world, POD, 1);
	take(world, BOTH, 25);
	rollup_end(&world->by_id, world->generation);
	assert_int_equal(told(world, POD), 126);
	world->targets[LEFT].rollup = (struct target_rollup){ 0 };
	world->targets[LEFT].sample = (struct workload_sample){ 0 };
	pass(world, 1, 7, 25);
	assert_int_equal(told(world, POD), 133);
}

static void test_rollup_what_the_host_does_not_tell_stays_unknown(void **state)
{
	struct world *world = *state;

	pass(world, UINT64_MAX, 100, 20);
	assert_false(sample_knows(&world->targets[POD].sample, SAMPLE_CPU_THROTTLED_USEC));
	assert_int_equal(told(world, POD), 0);
	/* Known from now on: with what those below have had. */
	pass(world, 3, 100, 20);
	assert_int_equal(told(world, POD), 123);
	assert_false(sample_knows(&world->targets[POD].sample, SAMPLE_CPU_PERIODS));
}

static void test_rollup_parents_in_a_ring_end(void **state)
{
	struct world *world = *state;

	world->targets[POD].parent = LEFT;
	pass(world, 1, 1, 0);
	assert_true(told(world, POD) >= 2);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(test_rollup_pod_has_its_containers_throttling),
		WORLD(test_rollup_container_that_ends_leaves_its_share),
		WORLD(test_rollup_what_the_host_does_not_tell_stays_unknown),
		WORLD(test_rollup_parents_in_a_ring_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
