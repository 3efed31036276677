/* SPDX-License-Identifier: Apache-2.0 */
/* Knobs whose write may block: off the loop, one at a time, and put back whatever happens. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "berth-test.h"
#include "slow-world.h"

#define MIB(n) ((uint64_t)(n) << 20)

/* The writer's one thread waits here until it is drained: what comes after is queued. */
struct block {
	int pipe[2];
	bool done;
};

static void on_unblocked(void *data, int result)
{
	(void)result;
	((struct block *)data)->done = true;
}

static void block_writer(struct world *world, struct block *block)
{
	static const char zeros[4096];
	int fd, size;

	assert_int_equal(pipe2(block->pipe, O_CLOEXEC), 0);
	block->done = false;
	size = fcntl(block->pipe[1], F_GETPIPE_SZ);
	for (int i = 0; i < size; i += (int)sizeof(zeros))
		assert_int_equal(write(block->pipe[1], zeros, sizeof(zeros)), sizeof(zeros));
	fd = fcntl(block->pipe[1], F_DUPFD_CLOEXEC, 3);
	assert_true(fd >= 0);
	assert_ok(slow_writer_add(world->actuator->slow_writer, fd, "x", on_unblocked, block));
}

static void unblock_writer(struct block *block)
{
	static char sink[1 << 20];

	assert_true(read(block->pipe[0], sink, sizeof(sink)) > 0);
	(void)close(block->pipe[0]);
	(void)close(block->pipe[1]);
}

static void settle(struct world *world)
{
	slow_settle(world, world->actuator->slow_writer);
}

static void high_open(struct world *world, int version, const char *original)
{
	world_open(world, version);
	world_set(world, "pods/a", "memory.high", original);
}

static int high_claim(struct world *world, const char *owner, uint64_t bytes)
{
	return world_claim(world, owner, WORLD_A, KNOB_MEMORY_HIGH_BYTES, bytes, 0);
}

static enum knob_status high_status(const struct world *world)
{
	return world_see(world, WORLD_A, KNOB_MEMORY_HIGH_BYTES).status;
}

static void test_actuator_slow_claim_returns_before_the_write(void **state)
{
	struct block block;

	(void)state;
	for (int version = 1; version <= 2; version++) {
		struct world world;

		high_open(&world, version, "max");
		block_writer(&world, &block);
		assert_ok(high_claim(&world, "one", MIB(64)));
		assert_int_equal(high_status(&world), KNOB_PENDING);
		assert_knob(&world, "pods/a", "memory.high", "max");
		unblock_writer(&block);
		settle(&world);
		assert_true(block.done);
		assert_int_equal(high_status(&world), KNOB_WRITTEN);
		assert_knob(&world, "pods/a", "memory.high", "67108864");
		assert_int_equal(world_stats(&world).writes, 1);
		world_unclaim(&world, "one", WORLD_A, KNOB_MEMORY_HIGH_BYTES);
		assert_knob(&world, "pods/a", "memory.high", "max");
		assert_int_equal(world_stats(&world).holdings, 0);
		assert_int_equal(world_stats(&world).foreign_writes, 0);
		world_close(&world);
	}
}

static void test_actuator_slow_claims_meanwhile_end_in_the_last(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(64)));
	assert_ok(high_claim(&world, "one", MIB(32)));
	assert_ok(high_claim(&world, "one", MIB(16)));
	unblock_writer(&block);
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "16777216");
	assert_int_equal(high_status(&world), KNOB_WRITTEN);
	/* The first, and then the one that counts. */
	assert_int_equal(world_stats(&world).writes, 2);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	world_close(&world);
}

static void test_actuator_slow_unclaim_meanwhile_restores_after(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(64)));
	world_unclaim(&world, "one", WORLD_A, KNOB_MEMORY_HIGH_BYTES);
	assert_int_equal(world_stats(&world).holdings, 1);
	unblock_writer(&block);
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "max");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	world_close(&world);
}

/* No loop runs any more: the write is taken out of the queue, and what was there before it counts
 * as ours. */
static void test_actuator_slow_restore_all_while_queued(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	for (int pause = 0; pause <= 1; pause++) {
		high_open(&world, 2, "max");
		assert_ok(high_claim(&world, "one", MIB(64)));
		settle(&world);
		assert_knob(&world, "pods/a", "memory.high", "67108864");
		block_writer(&world, &block);
		assert_ok(high_claim(&world, "one", MIB(32)));
		assert_int_equal(actuator_restore_all(world.actuator, pause), 0);
		assert_knob(&world, "pods/a", "memory.high", "max");
		assert_int_equal(world_stats(&world).foreign_writes, 0);
		unblock_writer(&block);
		settle(&world);
		assert_knob(&world, "pods/a", "memory.high", "max");
		if (pause) {
			actuator_resume(world.actuator);
			settle(&world);
			assert_knob(&world, "pods/a", "memory.high", "33554432");
		}
		world_close(&world);
	}
}

/* EFBIG stands for what the kernel may say. */
static void writes_fail(bool fail)
{
	static struct rlimit saved;
	struct rlimit none;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (fail)
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	none = (struct rlimit){ .rlim_cur = fail ? 0 : saved.rlim_cur, .rlim_max = saved.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

/* What the file holds is still known for ours when it is put back the second time. */
static void test_actuator_slow_restore_that_fails_while_queued_is_tried_again(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	assert_ok(high_claim(&world, "one", MIB(64)));
	settle(&world);
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(32)));
	writes_fail(true);
	assert_int_equal(actuator_restore_all(world.actuator, false), 1);
	writes_fail(false);
	assert_knob(&world, "pods/a", "memory.high", "67108864");
	unblock_writer(&block);
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_knob(&world, "pods/a", "memory.high", "max");
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

/* The same after a write that the kernel has, and that the loop has not heard of. */
static void test_actuator_slow_restore_that_fails_after_the_write_is_tried_again(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	assert_ok(high_claim(&world, "one", MIB(64)));
	settle(&world);
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(32)));
	unblock_writer(&block);
	while (strcmp(world_get(&world, "pods/a", "memory.high"), "33554432") != 0)
		(void)usleep(1000);
	writes_fail(true);
	assert_int_equal(actuator_restore_all(world.actuator, false), 1);
	writes_fail(false);
	assert_knob(&world, "pods/a", "memory.high", "33554432");
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_knob(&world, "pods/a", "memory.high", "max");
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	world_close(&world);
}

static void test_actuator_slow_group_gone_meanwhile(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(64)));
	actuator_target_gone(world.actuator, world_target(WORLD_A));
	assert_int_equal(world_stats(&world).holdings, 0);
	unblock_writer(&block);
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "max");
	world_close(&world);
}

/* As after SIGKILL: nothing is put back, and the next run finds the record. */
static void test_actuator_slow_killed_meanwhile_is_restored_by_the_next_run(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	for (int written = 0; written <= 1; written++) {
		high_open(&world, 2, "max");
		assert_ok(high_claim(&world, "one", MIB(64)));
		settle(&world);
		block_writer(&world, &block);
		assert_ok(high_claim(&world, "one", MIB(32)));
		if (written)
			world_set(&world, "pods/a", "memory.high", "33554432");
		holding_slow_forget(world.actuator, list_entry(world.actuator->holdings.next,
							       struct holding, list));
		unblock_writer(&block);
		world_stop(&world);
		world_start(&world);
		assert_int_equal(actuator_restore_all(world.actuator, false), 0);
		assert_knob(&world, "pods/a", "memory.high", "max");
		world_close(&world);
	}
}

/* The journal is written anew while a write waits: what the file holds still counts as ours. */
static void test_actuator_slow_killed_after_a_compaction_is_restored(void **state)
{
	struct world world;
	struct block block;
	uint64_t bytes = 0, most = 0;

	(void)state;
	high_open(&world, 2, "max");
	assert_ok(high_claim(&world, "one", MIB(64)));
	settle(&world);
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(32)));
	for (uint64_t i = 1; bytes >= most; i++) {
		most = bytes;
		assert_true(i < 10000);
		assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, i, 0));
		bytes = world_stats(&world).journal_bytes;
	}
	holding_slow_forget(world.actuator,
			    list_entry(world.actuator->holdings.next, struct holding, list));
	unblock_writer(&block);
	world_stop(&world);
	world_start(&world);
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_knob(&world, "pods/a", "memory.high", "max");
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	world_close(&world);
}

/* Another one writes while our write waits: that is the original from then on. */
static void test_actuator_slow_foreign_write_meanwhile_is_found(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	assert_ok(high_claim(&world, "one", MIB(64)));
	settle(&world);
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(32)));
	/* Handed over, and not yet heard of: as if it had come between. */
	unblock_writer(&block);
	while (strcmp(world_get(&world, "pods/a", "memory.high"), "33554432") != 0)
		(void)usleep(1000);
	world_set(&world, "pods/a", "memory.high", "50331648");
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "33554432");
	assert_int_equal(high_status(&world), KNOB_WRITTEN);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_MEMORY_HIGH_BYTES).foreign, 1);
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "memory.high", "50331648");
	world_close(&world);
}

/* What the kubelet or an admin allows is never exceeded, whatever is claimed. */
static void test_actuator_limit_is_never_above_the_original(void **state)
{
	struct world world;

	(void)state;
	high_open(&world, 2, "33554432");
	assert_ok(high_claim(&world, "one", MIB(64)));
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "33554432");
	assert_int_equal(world_stats(&world).writes, 0);
	assert_ok(high_claim(&world, "two", MIB(16)));
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "16777216");
	actuator_drop_owner(world.actuator, "two");
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "33554432");
	/* A pod resized in place: that is the original now. */
	world_set(&world, "pods/a", "memory.high", "50331648");
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "50331648");
	assert_ok(high_claim(&world, "one", MIB(40)));
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "41943040");
	actuator_drop_owner(world.actuator, "one");
	settle(&world);
	assert_knob(&world, "pods/a", "memory.high", "50331648");
	world_close(&world);
}

static void test_actuator_slow_write_that_fails_is_told_and_tried_again(void **state)
{
	struct world world;
	struct block block;

	(void)state;
	high_open(&world, 2, "max");
	block_writer(&world, &block);
	assert_ok(high_claim(&world, "one", MIB(64)));
	writes_fail(true);
	unblock_writer(&block);
	settle(&world);
	writes_fail(false);
	assert_int_equal(high_status(&world), KNOB_FAILED);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_MEMORY_HIGH_BYTES).error, -EFBIG);
	assert_knob(&world, "pods/a", "memory.high", "max");
	/* One second, by the timer. */
	world_until(&world, high_status(&world) == KNOB_WRITTEN);
	assert_knob(&world, "pods/a", "memory.high", "67108864");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_slow_claim_returns_before_the_write),
		cmocka_unit_test(test_actuator_slow_claims_meanwhile_end_in_the_last),
		cmocka_unit_test(test_actuator_slow_unclaim_meanwhile_restores_after),
		cmocka_unit_test(test_actuator_slow_restore_all_while_queued),
		cmocka_unit_test(test_actuator_slow_restore_that_fails_while_queued_is_tried_again),
		cmocka_unit_test(
			test_actuator_slow_restore_that_fails_after_the_write_is_tried_again),
		cmocka_unit_test(test_actuator_slow_group_gone_meanwhile),
		cmocka_unit_test(test_actuator_slow_killed_meanwhile_is_restored_by_the_next_run),
		cmocka_unit_test(test_actuator_slow_killed_after_a_compaction_is_restored),
		cmocka_unit_test(test_actuator_slow_foreign_write_meanwhile_is_found),
		cmocka_unit_test(test_actuator_limit_is_never_above_the_original),
		cmocka_unit_test(test_actuator_slow_write_that_fails_is_told_and_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
