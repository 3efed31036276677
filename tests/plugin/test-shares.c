/* SPDX-License-Identifier: Apache-2.0 */
/* test-shares.c - the service: whom it limits, when, what it says, and that it lets go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "fake-agent.h"
#include "fixture-copy.h"
#include "macro.h"
#include "shares/shares.h"

extern const struct berth_plugin berth_plugin;

#define GIB   (UINT64_C(1) << 30)
#define MIB   (UINT64_C(1) << 20)
#define TICK  (5 * USEC_PER_SEC)
#define ON    "shares: {enabled: true}"
#define LIMIT KNOB_MEMORY_HIGH_BYTES
#define NONE  UINT64_MAX

struct world {
	char dir[32];
	struct fake_agent *fake;
};

static void put(const struct world *world, const char *path, const char *text)
{
	char name[PATH_MAX], *slash;
	FILE *file;

	(void)snprintf(name, sizeof(name), "%s/%s", world->dir, path);
	for (slash = strchr(name + strlen(world->dir) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(name, 0755);
		*slash = '/';
	}
	file = fopen(name, "we");
	assert_non_null(file);
	(void)fprintf(file, "%s\n", text);
	assert_int_equal(fclose(file), 0);
}

static void world_open(struct world *world, int version, const char *settings)
{
	struct fake_agent *fake = fake_agent_new();

	*world = (struct world){ .dir = "/tmp/berth-shares.XXXXXX", .fake = fake };
	assert_non_null(mkdtemp(world->dir));
	if (version == 2)
		put(world, "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0");
	else
		put(world, "proc/self/mounts", "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0");
	if (version == 2)
		put(world, "sys/fs/cgroup/cgroup.controllers", "cpu io memory");
	else
		put(world, "sys/fs/cgroup/memory/memory.use_hierarchy", "1");
	shares_root = world->dir;
	fake->has_node = true;
	fake->node = (struct node_sample){
		.cpus = 2,
		.memory_total_bytes = 16 * GIB,
		.memory_available_bytes = 8 * GIB,
		.memory_free_bytes = 4 * GIB,
		.swap_total_bytes = 8 * GIB,
		.swap_free_bytes = 8 * GIB,
	};
	fake->now_usec = 100 * USEC_PER_SEC;
	assert_ok(fake_agent_start(fake, &berth_plugin, settings));
}

static void world_close(struct world *world)
{
	world->fake = fake_agent_free(world->fake);
	fixture_remove(world->dir);
	shares_root = NULL;
}

static void sampled(struct world *world, uint64_t id, uint64_t anon, uint64_t cache)
{
	struct workload_sample *sample = fake_agent_sample(world->fake, id);

	sample->known[0] = sample->known[1] = ~UINT64_C(0);
	sample->value[SAMPLE_MEMORY_BYTES] = anon + cache;
	sample->value[SAMPLE_MEMORY_WORKING_SET_BYTES] = anon + cache / 2;
	sample->value[SAMPLE_MEMORY_INACTIVE_ANON_BYTES] = anon;
	sample->value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] = cache / 2;
	sample->value[SAMPLE_MEMORY_ACTIVE_FILE_BYTES] = cache - cache / 2;
}

/* A group of the given anonymous memory and page cache; its directory is there. */
static uint64_t add(struct world *world, const char *name, enum qos_level level, uint64_t anon,
		    uint64_t cache)
{
	uint64_t id = fake_agent_add(world->fake, "pod", "batch", name, level);
	char path[128];

	(void)snprintf(path, sizeof(path), "sys/fs/cgroup/fake/%s/memory.current", name);
	put(world, path, "0");
	(void)snprintf(path, sizeof(path), "sys/fs/cgroup/memory/fake/%s/memory.usage_in_bytes",
		       name);
	put(world, path, "0");
	sampled(world, id, anon, cache);
	return id;
}

static void tick(struct world *world)
{
	assert_ok(fake_agent_advance(world->fake, TICK));
}

static void available(struct world *world, uint64_t percent)
{
	struct node_sample *node = &world->fake->node;

	node->memory_available_bytes = node->memory_total_bytes / 100 * percent;
}

static uint64_t limit_of(struct world *world, uint64_t id, enum knob knob)
{
	const struct fake_claim *claim = fake_agent_claim_as(world->fake, "shares", id, knob);

	return claim ? claim->number : NONE;
}

static const char *said(const struct world *world, uint64_t id)
{
	const char *text = fake_agent_description(world->fake, id, "shares");

	return text ? text : "";
}

static double shown(const struct world *world, const char *name, uint64_t id)
{
	double value = -1;

	(void)fake_agent_metric(world->fake, name, id, &value);
	return value;
}

static void test_off_nothing_wakes_up(void **state)
{
	struct world world;
	size_t sources;
	uint64_t id;

	(void)state;
	world_open(&world, 2, NULL);
	id = add(&world, "a", QOS_BATCH, GIB, GIB);
	sources = fake_agent_sources(world.fake);
	available(&world, 1);
	tick(&world);
	assert_int_equal(world.fake->node_calls, 0);
	assert_int_equal(limit_of(&world, id, LIMIT), NONE);
	assert_non_null(strstr(said(&world, 0), "off"));
	/* On, it wakes up while there is somebody offline, and only then. */
	assert_ok(fake_agent_apply(world.fake, ON));
	assert_int_equal(fake_agent_sources(world.fake), sources + 1);
	fake_agent_set_level(world.fake, id, QOS_NORMAL);
	assert_int_equal(fake_agent_sources(world.fake), sources);
	fake_agent_set_level(world.fake, id, QOS_BATCH);
	assert_int_equal(fake_agent_sources(world.fake), sources + 1);
	fake_agent_remove(world.fake, id);
	assert_int_equal(fake_agent_sources(world.fake), sources);
	world_close(&world);
}

static void test_plenty_limits_nobody_and_looks_at_no_workload(void **state)
{
	struct world world;
	uint64_t id;

	(void)state;
	world_open(&world, 2, ON);
	id = add(&world, "a", QOS_BATCH, GIB, GIB);
	for (int i = 0; i < 5; i++)
		tick(&world);
	assert_int_equal(limit_of(&world, id, LIMIT), NONE);
	assert_int_equal(world.fake->fresh_calls, 0);
	assert_non_null(strstr(said(&world, 0), "nobody is limited"));
	assert_non_null(strstr(said(&world, 0), "8191 MiB of 16384 MiB are available") ||
			strstr(said(&world, 0), "8192 MiB of 16384 MiB are available"));
	world_close(&world);
}

static void test_short_divides_by_request_and_lets_go(void **state)
{
	struct world world;
	uint64_t one, two, online;

	(void)state;
	world_open(&world, 2, ON);
	one = add(&world, "one", QOS_BATCH, 2 * GIB, 0);
	two = add(&world, "two", QOS_SCAVENGER, 2 * GIB, 0);
	online = add(&world, "web", QOS_HIGH, 2 * GIB, 0);
	fake_agent_workload(world.fake, one)->view.memory_request_bytes = 3 * GIB;
	fake_agent_update(world.fake, one);
	fake_agent_workload(world.fake, two)->view.memory_request_bytes = GIB;
	fake_agent_update(world.fake, two);
	available(&world, 5);
	tick(&world);
	/* 4 GiB held, 5 % available, 10 % reserved: 3.2 GiB for both. The first has asked for
	 * enough to keep what it has and a step more; the second one goes down by a step. */
	assert_int_equal(limit_of(&world, one, LIMIT), 2 * GIB + 2 * GIB / 8);
	assert_int_equal(limit_of(&world, two, LIMIT), 2 * GIB - 2 * GIB / 8);
	assert_int_equal(limit_of(&world, online, LIMIT), NONE);
	assert_non_null(strstr(said(&world, two), "memory.high 1792 MiB, on the way to"));
	assert_non_null(strstr(said(&world, two), "2 offline workloads"));
	assert_non_null(strstr(said(&world, 0), "are reserved"));
	assert_true(shown(&world, "shares_budget_bytes", 0) > 3.0 * (double)GIB);
	assert_true(shown(&world, "share_bytes", two) > 0.7 * (double)GIB);
	/* A limit that nobody renews ends. */
	assert_true(fake_agent_claim_as(world.fake, "shares", one, LIMIT)->lease_usec >= 2 * TICK);
	assert_true(fake_agent_claim_as(world.fake, "shares", one, LIMIT)->lease_usec <= 12 * TICK);
	/* The one that asked for less comes down to its share; the other gets what it asked for. */
	for (int i = 0; i < 30; i++) {
		uint64_t a = limit_of(&world, one, LIMIT), b = limit_of(&world, two, LIMIT);

		sampled(&world, one, MIN(2 * GIB, a), 0);
		sampled(&world, two, MIN(2 * GIB, b), 0);
		world.fake->node.memory_available_bytes =
			16 * GIB / 100 * 5 + 4 * GIB - MIN(2 * GIB, a) - MIN(2 * GIB, b);
		tick(&world);
	}
	assert_in_range(limit_of(&world, two, LIMIT), 750 * MIB, 1500 * MIB);
	assert_true(limit_of(&world, one, LIMIT) > limit_of(&world, two, LIMIT));
	available(&world, 50);
	for (int i = 0; i < 13; i++)
		tick(&world);
	assert_int_equal(limit_of(&world, one, LIMIT), NONE);
	assert_int_equal(limit_of(&world, two, LIMIT), NONE);
	assert_non_null(strstr(said(&world, one), "plentiful"));
	assert_true(shown(&world, "share_bytes", one) == 0);
	assert_true(shown(&world, "shares_budget_bytes", 0) == 0);
	world_close(&world);
}

static void test_who_requests_nothing_counts_as_the_least(void **state)
{
	struct world world;
	uint64_t ids[3];

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		world_open(&world, 2,
			   turn ? "shares: {enabled: true, by: equal}" : "shares: {enabled: true}");
		ids[0] = add(&world, "much", QOS_BATCH, 2 * GIB, 0);
		ids[1] = add(&world, "little", QOS_BATCH, 2 * GIB, 0);
		ids[2] = add(&world, "none", QOS_BATCH, 2 * GIB, 0);
		fake_agent_workload(world.fake, ids[0])->view.memory_request_bytes = 2 * GIB;
		fake_agent_update(world.fake, ids[0]);
		fake_agent_workload(world.fake, ids[1])->view.memory_request_bytes = GIB;
		fake_agent_update(world.fake, ids[1]);
		available(&world, 0);
		world.fake->node.memory_available_bytes = 160 * MIB;
		tick(&world);
		assert_true(shown(&world, "share_bytes", ids[1]) ==
			    shown(&world, "share_bytes", ids[2]));
		assert_true((shown(&world, "share_bytes", ids[0]) >
			     1.2 * shown(&world, "share_bytes", ids[1])) == (turn == 0));
		world_close(&world);
	}
}

/* Every way out takes the limit away. */
static void test_every_end_lets_go(void **state)
{
	struct world world;
	uint64_t id;

	(void)state;
	for (int end = 0; end < 5; end++) {
		world_open(&world, 2, ON);
		id = add(&world, "a", QOS_BATCH, 2 * GIB, 0);
		available(&world, 5);
		tick(&world);
		assert_int_not_equal(limit_of(&world, id, LIMIT), NONE);
		if (end == 0) {
			assert_ok(fake_agent_apply(world.fake, NULL));
		} else if (end == 1) {
			fake_agent_set_level(world.fake, id, QOS_NORMAL);
		} else if (end == 2) {
			fake_agent_workload(world.fake, id)->view.flags = WORKLOAD_IGNORED;
			fake_agent_update(world.fake, id);
		} else if (end == 3) {
			fake_agent_knob(world.fake, LIMIT, false, "gone");
			fake_agent_capabilities(world.fake);
		} else {
			assert_ok(
				fake_agent_apply(world.fake, "shares: {enabled: true, law: fssr}"));
		}
		assert_int_equal(limit_of(&world, id, LIMIT), NONE);
		assert_int_equal(limit_of(&world, id, KNOB_MEMORY_HIGH_ASYNC_RATIO), NONE);
		if (end != 4) {
			assert_string_equal(said(&world, id), "");
			assert_true(shown(&world, "shares_budget_bytes", 0) == 0);
			assert_true(shown(&world, "share_bytes", id) == 0);
		}
		world_close(&world);
	}
}

static void test_without_swap_and_page_cache_there_is_no_limit(void **state)
{
	static const struct {
		int version;
		const char *file, *text;
		bool limited;
	} cases[] = {
		{ 2, "fake/a/memory.swap.max", "max", true },
		{ 2, "fake/a/memory.swap.max", "0", false },
		{ 2, "fake/memory.swap.max", "0", false },
		{ 2, "fake/a/memory.swap.max", "10485760", false },
		{ 2, "fake/a/memory.swap.max", "8589934592", true },
		/* openEuler's v1 */
		{ 1, "memory/fake/a/memory.swap.max", "max", true },
		{ 1, "memory/fake/a/memory.swap.max", "0", false },
		{ 1, "memory/fake/a/memory.swapfile", "none", false },
		{ 1, "memory/fake/a/memory.swapfile", "all", true },
		{ 1, "memory/fake/a/memory.swapfile", "/dev/sdb", true },
		{ 1, "memory/fake/a/memory.swappiness", "0", false },
		{ 1, "memory/fake/a/memory.swappiness", "60", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world world;
		char path[128];
		uint64_t id;

		world_open(&world, cases[i].version, ON);
		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s", cases[i].file);
		put(&world, path, cases[i].text);
		id = add(&world, "a", QOS_BATCH, 2 * GIB, 4 * MIB);
		available(&world, 5);
		tick(&world);
		if ((limit_of(&world, id, LIMIT) != NONE) != cases[i].limited)
			fail_msg("%s with '%s': %s", cases[i].file, cases[i].text,
				 said(&world, id));
		if (!cases[i].limited) {
			assert_non_null(strstr(said(&world, id), "it would stand still"));
			assert_non_null(strstr(said(&world, id), "page cache 4 MiB"));
			assert_true(shown(&world, "shares_refused", 0) == 1);
		}
		/* Page cache is as good, as far as it goes. */
		sampled(&world, id, GIB, GIB);
		tick(&world);
		assert_int_not_equal(limit_of(&world, id, LIMIT), NONE);
		assert_true(limit_of(&world, id, LIMIT) >= GIB);
		world_close(&world);
	}
}

static void test_node_without_swap(void **state)
{
	struct world world;
	uint64_t id;

	(void)state;
	world_open(&world, 2, ON);
	id = add(&world, "a", QOS_BATCH, 2 * GIB, 0);
	world.fake->node.swap_total_bytes = world.fake->node.swap_free_bytes = 0;
	available(&world, 5);
	tick(&world);
	assert_int_equal(limit_of(&world, id, LIMIT), NONE);
	assert_non_null(strstr(said(&world, id), "to swap 0 MiB"));
	/* swapon: the limit comes. It fills up: the limit goes. */
	world.fake->node.swap_free_bytes = 4 * GIB;
	tick(&world);
	assert_int_not_equal(limit_of(&world, id, LIMIT), NONE);
	world.fake->node.swap_free_bytes = 0;
	tick(&world);
	assert_int_equal(limit_of(&world, id, LIMIT), NONE);
	world_close(&world);
}

/* What one group sends to swap is not there for another one. */
static void test_swap_is_counted_once(void **state)
{
	static const struct {
		unsigned int groups;
		uint64_t swap_mib;
		bool limited;
	} rows[] = { { 3, 512, false }, { 3, 1024, true }, { 1, 512, true } };

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		struct world world;
		uint64_t ids[3], taken = 0;

		world_open(&world, 2, ON);
		world.fake->node.swap_free_bytes = rows[row].swap_mib * MIB;
		for (unsigned int i = 0; i < rows[row].groups; i++)
			ids[i] = add(&world,
				     i == 0   ? "a"
				     : i == 1 ? "b"
					      : "c",
				     QOS_BATCH, 2 * GIB, 0);
		available(&world, 2);
		tick(&world);
		for (unsigned int i = 0; i < rows[row].groups; i++) {
			uint64_t limit = limit_of(&world, ids[i], LIMIT);

			assert_int_equal(limit != NONE, rows[row].limited);
			taken += limit == NONE ? 0 : 2 * GIB - limit;
		}
		assert_in_range(taken, 0, rows[row].swap_mib * MIB);
		world_close(&world);
	}
}

static void test_async_ratio_only_where_the_kernel_has_it(void **state)
{
	struct world world;
	uint64_t id;

	(void)state;
	for (int has = 0; has <= 1; has++) {
		world_open(&world, 1, "shares: {enabled: true, async_ratio: 70}");
		fake_agent_knob(world.fake, KNOB_MEMORY_HIGH_ASYNC_RATIO, has, "no openEuler");
		id = add(&world, "a", QOS_BATCH, 2 * GIB, 0);
		available(&world, 5);
		tick(&world);
		assert_int_not_equal(limit_of(&world, id, LIMIT), NONE);
		assert_int_equal(limit_of(&world, id, KNOB_MEMORY_HIGH_ASYNC_RATIO),
				 has ? 70 : NONE);
		world_close(&world);
	}
	world_open(&world, 1, "shares: {enabled: true, async_ratio: 0}");
	id = add(&world, "a", QOS_BATCH, 2 * GIB, 0);
	available(&world, 5);
	tick(&world);
	assert_int_equal(limit_of(&world, id, KNOB_MEMORY_HIGH_ASYNC_RATIO), NONE);
	world_close(&world);
}

static void test_containers_go_by_their_pod(void **state)
{
	struct world world;
	uint64_t pod, container;

	(void)state;
	world_open(&world, 2, ON);
	pod = add(&world, "a", QOS_BATCH, 2 * GIB, 0);
	container = fake_agent_add_child(world.fake, pod, "main");
	sampled(&world, container, 2 * GIB, 0);
	fake_agent_set_level(world.fake, container, QOS_BATCH);
	available(&world, 5);
	tick(&world);
	assert_int_not_equal(limit_of(&world, pod, LIMIT), NONE);
	assert_int_equal(limit_of(&world, container, LIMIT), NONE);
	world_close(&world);
}

static void test_numbers_that_cannot_be_read_renew_nothing(void **state)
{
	struct world world;
	unsigned int claims;
	uint64_t id;

	(void)state;
	world_open(&world, 2, ON);
	id = add(&world, "a", QOS_BATCH, 2 * GIB, 0);
	available(&world, 5);
	tick(&world);
	claims = world.fake->claim_calls;
	world.fake->has_node = false;
	tick(&world);
	assert_non_null(strstr(said(&world, 0), "no decision"));
	assert_int_equal(world.fake->claim_calls, claims);
	world.fake->has_node = true;
	world.fake->fresh_error = -EIO;
	tick(&world);
	assert_non_null(strstr(said(&world, 0), "no decision"));
	assert_int_equal(world.fake->claim_calls, claims);
	/* It was never sampled, or not its memory. */
	world.fake->fresh_error = 0;
	fake_agent_sample(world.fake, id)->known[0] = 0;
	tick(&world);
	assert_int_equal(world.fake->claim_calls, claims);
	world_close(&world);
}

static void test_fssr_gives_each_the_same(void **state)
{
	struct world world;
	uint64_t one, two;

	(void)state;
	world_open(&world, 2, "shares: {enabled: true, law: fssr}");
	one = add(&world, "one", QOS_BATCH, GIB, 0);
	two = add(&world, "two", QOS_BATCH, 2 * GIB, GIB);
	tick(&world);
	/* 80 % of the host, each, from the first moment. */
	assert_int_equal(limit_of(&world, one, LIMIT) >> 20, 13107);
	assert_int_equal(limit_of(&world, two, LIMIT), limit_of(&world, one, LIMIT));
	assert_true(shown(&world, "shares_budget_bytes", 0) ==
		    2 * (double)limit_of(&world, one, LIMIT));
	assert_int_equal(limit_of(&world, one, KNOB_MEMORY_HIGH_ASYNC_RATIO), 80);
	/* By what is free, though all of it is available. */
	world.fake->node.memory_free_bytes = GIB;
	tick(&world);
	assert_int_equal(limit_of(&world, one, LIMIT) >> 20, 11468);
	for (int i = 0; i < 10; i++)
		tick(&world);
	assert_int_equal(limit_of(&world, one, LIMIT) >> 20, 4915);
	assert_non_null(strstr(said(&world, one), "(fssr)"));
	assert_non_null(strstr(said(&world, 0), "fssr"));
	/* And yet nobody is made to stand still: not when it comes to its limit, either. */
	put(&world, "sys/fs/cgroup/fake/two/memory.swap.max", "0");
	sampled(&world, two, 4 * GIB, 0);
	tick(&world);
	assert_int_equal(limit_of(&world, two, LIMIT), NONE);
	assert_non_null(strstr(said(&world, two), "of 4096 MiB only 0 MiB could be given back"));
	assert_true(shown(&world, "shares_refused", 0) == 1);
	sampled(&world, two, 6 * GIB, 0);
	tick(&world);
	assert_int_equal(limit_of(&world, two, LIMIT), NONE);
	assert_non_null(strstr(said(&world, two), "stand still"));
	assert_int_equal(limit_of(&world, one, LIMIT) >> 20, 4915);
	world_close(&world);
}

static void test_limit_that_is_refused_is_none(void **state)
{
	struct world world;
	uint64_t id;

	(void)state;
	world_open(&world, 2, ON);
	id = add(&world, "a", QOS_BATCH, 4 * GIB, 4 * GIB);
	world.fake->claim_error[LIMIT] = -ENOSPC;
	available(&world, 5);
	tick(&world);
	assert_int_equal(limit_of(&world, id, LIMIT), NONE);
	assert_non_null(strstr(said(&world, id), "no memory.high: refused: No space left"));
	assert_true(shown(&world, "share_bytes", id) == 0);
	world.fake->claim_error[LIMIT] = 0;
	tick(&world);
	assert_true(limit_of(&world, id, LIMIT) < 8 * GIB);
	assert_non_null(strstr(said(&world, id), "on the way to"));
	world_close(&world);
}

static void test_settings_that_contradict_are_refused(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, NULL);
	assert_errno(fake_agent_apply(world.fake, "shares: {reserve_percent: 20}"), EINVAL);
	assert_non_null(strstr(world.fake->error, "shares.reserve_percent"));
	assert_errno(fake_agent_apply(world.fake, "shares: {law: rubik}"), EINVAL);
	assert_errno(fake_agent_apply(world.fake, "shares: {async_ratio: 100}"), EINVAL);
	assert_ok(
		fake_agent_apply(world.fake, "shares: {reserve_percent: 20, release_percent: 30}"));
	world_close(&world);
}

static void test_host_without_memory_high_says_so(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1, NULL);
	fake_agent_knob(world.fake, LIMIT, false, "this kernel's groups have no memory.high");
	assert_ok(fake_agent_apply(world.fake, ON));
	(void)add(&world, "a", QOS_BATCH, GIB, GIB);
	available(&world, 5);
	tick(&world);
	assert_int_equal(world.fake->node_calls, 0);
	assert_non_null(strstr(said(&world, 0), "no memory.high"));
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_nothing_wakes_up),
		cmocka_unit_test(test_plenty_limits_nobody_and_looks_at_no_workload),
		cmocka_unit_test(test_short_divides_by_request_and_lets_go),
		cmocka_unit_test(test_who_requests_nothing_counts_as_the_least),
		cmocka_unit_test(test_every_end_lets_go),
		cmocka_unit_test(test_without_swap_and_page_cache_there_is_no_limit),
		cmocka_unit_test(test_node_without_swap),
		cmocka_unit_test(test_swap_is_counted_once),
		cmocka_unit_test(test_async_ratio_only_where_the_kernel_has_it),
		cmocka_unit_test(test_containers_go_by_their_pod),
		cmocka_unit_test(test_numbers_that_cannot_be_read_renew_nothing),
		cmocka_unit_test(test_fssr_gives_each_the_same),
		cmocka_unit_test(test_limit_that_is_refused_is_none),
		cmocka_unit_test(test_settings_that_contradict_are_refused),
		cmocka_unit_test(test_host_without_memory_high_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
