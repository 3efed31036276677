/* SPDX-License-Identifier: Apache-2.0 */
/* Knobs of network devices are written and put back off the loop, in order. */
#include <string.h>

#include "limit.h"
#include "net-world.h"

/* The writer's thread is held up here, as by a device that takes its time. */
struct block {
	int pipe[2], begun[2];
	unsigned int ended;
};

static int block_run(const void *argument)
{
	const struct block *block = argument;
	char byte = 0;

	if (write(block->begun[1], &byte, 1) < 0)
		return -errno;
	return read(block->pipe[0], &byte, 1) < 0 ? -errno : 0;
}

static int nothing_run(const void *argument)
{
	(void)argument;
	return 0;
}

static void on_unblocked(void *data, int result)
{
	(void)result;
	((struct block *)data)->ended++;
}

static void block_net(struct world *world, struct block *block)
{
	char byte;

	block->ended = 0;
	assert_int_equal(pipe2(block->begun, O_CLOEXEC), 0);
	assert_int_equal(pipe2(block->pipe, O_CLOEXEC), 0);
	assert_ok(slow_writer_call(world->actuator->net_writer, block_run, block, sizeof(*block),
				   on_unblocked, block));
	assert_int_equal(read(block->begun[0], &byte, 1), 1);
}

static void unblock_net(struct block *block)
{
	(void)close(block->pipe[1]);
}

static void block_done(const struct block *block)
{
	(void)close(block->pipe[0]);
	(void)close(block->begun[0]);
	(void)close(block->begun[1]);
}

struct egress {
	struct world world;
	struct block block;
	int program;
	char text[32];
};

static void egress_open(struct egress *egress)
{
	uint32_t id;

	net_open(&egress->world);
	egress->program = program_load(&id);
	(void)snprintf(egress->text, sizeof(egress->text), "program %u", id);
}

static void egress_close(struct egress *egress)
{
	block_done(&egress->block);
	(void)close(egress->program);
	world_close(&egress->world);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
}

static void egress_settle(struct egress *egress)
{
	slow_settle(&egress->world, egress->world.actuator->net_writer);
}

static enum knob_status egress_status(const struct egress *egress)
{
	return world_see(&egress->world, 0, KNOB_NET_EGRESS).status;
}

static void test_claim_of_a_device_returns_before_the_write(void **state)
{
	struct egress egress;

	(void)state;
	egress_open(&egress);
	world_set(&egress.world, "pods/a", "memory.high", "max");
	block_net(&egress.world, &egress.block);
	assert_ok(net_claim(&egress.world, KNOB_NET_EGRESS, egress.text));
	assert_int_equal(egress_status(&egress), KNOB_PENDING);
	/* Files and the slow ones among them do not wait for a device. */
	assert_ok(world_claim(&egress.world, "one", WORLD_A, KNOB_CPU_WEIGHT, 50, 0));
	assert_knob(&egress.world, "pods/a", "cpu.weight", "50");
	assert_ok(world_claim(&egress.world, "one", WORLD_A, KNOB_MEMORY_HIGH_BYTES, 1u << 26, 0));
	world_until(&egress.world,
		    world_see(&egress.world, WORLD_A, KNOB_MEMORY_HIGH_BYTES).status ==
			    KNOB_WRITTEN);
	assert_knob(&egress.world, "pods/a", "memory.high", "67108864");
	assert_int_equal(egress_status(&egress), KNOB_PENDING);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	unblock_net(&egress.block);
	egress_settle(&egress);
	assert_int_equal(egress.block.ended, 1);
	assert_int_equal(egress_status(&egress), KNOB_WRITTEN);
	assert_string_equal(text_of(KNOB_NET_EGRESS), egress.text);
	net_unclaim_done(&egress.world, KNOB_NET_EGRESS);
	assert_int_equal(world_stats(&egress.world).foreign_writes, 0);
	egress_close(&egress);
}

static void test_unclaim_of_a_device_returns_before_it_is_put_back(void **state)
{
	struct egress egress;

	(void)state;
	egress_open(&egress);
	assert_ok(net_claim_done(&egress.world, KNOB_NET_EGRESS, egress.text));
	block_net(&egress.world, &egress.block);
	net_unclaim(&egress.world, KNOB_NET_EGRESS);
	assert_string_equal(text_of(KNOB_NET_EGRESS), egress.text);
	assert_int_equal(egress_status(&egress), KNOB_PENDING);
	unblock_net(&egress.block);
	egress_settle(&egress);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	assert_int_equal(world_stats(&egress.world).holdings, 0);
	assert_int_equal(world_stats(&egress.world).restores, 1);
	egress_close(&egress);
}

/* Wanted again while it is put back: it is, and then written anew. */
static void test_claim_while_it_is_put_back_is_written_after(void **state)
{
	struct egress egress;

	(void)state;
	egress_open(&egress);
	assert_ok(net_claim_done(&egress.world, KNOB_NET_EGRESS, egress.text));
	block_net(&egress.world, &egress.block);
	net_unclaim(&egress.world, KNOB_NET_EGRESS);
	assert_ok(net_claim(&egress.world, KNOB_NET_EGRESS, egress.text));
	unblock_net(&egress.block);
	egress_settle(&egress);
	assert_int_equal(egress_status(&egress), KNOB_WRITTEN);
	assert_string_equal(text_of(KNOB_NET_EGRESS), egress.text);
	assert_string_equal(world_see(&egress.world, 0, KNOB_NET_EGRESS).original, "none");
	assert_int_equal(world_stats(&egress.world).writes, 2);
	assert_int_equal(world_stats(&egress.world).restores, 1);
	net_unclaim_done(&egress.world, KNOB_NET_EGRESS);
	assert_int_equal(world_stats(&egress.world).holdings, 0);
	egress_close(&egress);
}

/* And the other way round. */
static void test_unclaim_while_it_is_written_is_put_back_after(void **state)
{
	struct egress egress;

	(void)state;
	egress_open(&egress);
	block_net(&egress.world, &egress.block);
	assert_ok(net_claim(&egress.world, KNOB_NET_EGRESS, egress.text));
	net_unclaim(&egress.world, KNOB_NET_EGRESS);
	assert_int_equal(world_stats(&egress.world).holdings, 1);
	unblock_net(&egress.block);
	egress_settle(&egress);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	assert_int_equal(world_stats(&egress.world).holdings, 0);
	egress_close(&egress);
}

/* A stop has no loop any more. What is queued is taken out of the queue. */
static void test_stop_while_queued_puts_back(void **state)
{
	struct egress egress;

	(void)state;
	for (int restoring = 0; restoring < 2; restoring++) {
		egress_open(&egress);
		if (restoring)
			assert_ok(net_claim_done(&egress.world, KNOB_NET_EGRESS, egress.text));
		block_net(&egress.world, &egress.block);
		if (restoring)
			net_unclaim(&egress.world, KNOB_NET_EGRESS);
		else
			assert_ok(net_claim(&egress.world, KNOB_NET_EGRESS, egress.text));
		assert_int_equal(actuator_restore_all(egress.world.actuator, false), 0);
		assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
		assert_int_equal(world_stats(&egress.world).holdings, 0);
		unblock_net(&egress.block);
		egress_close(&egress);
	}
}

/* Nobody waits for ever: it is told, and tried again by the timer. */
static void test_claim_with_a_full_queue_is_tried_again(void **state)
{
	struct egress egress;

	(void)state;
	egress_open(&egress);
	block_net(&egress.world, &egress.block);
	for (unsigned int i = 0; i < LIMIT_NET_WRITES; i++)
		assert_ok(slow_writer_call(egress.world.actuator->net_writer, nothing_run, "", 1,
					   on_unblocked, &egress.block));
	assert_ok(net_claim(&egress.world, KNOB_NET_EGRESS, egress.text));
	assert_int_equal(egress_status(&egress), KNOB_FAILED);
	assert_int_equal(world_see(&egress.world, 0, KNOB_NET_EGRESS).error, -EAGAIN);
	unblock_net(&egress.block);
	world_until(&egress.world, egress_status(&egress) == KNOB_WRITTEN);
	assert_int_equal(egress.block.ended, LIMIT_NET_WRITES + 1);
	net_unclaim_done(&egress.world, KNOB_NET_EGRESS);
	egress_close(&egress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim_of_a_device_returns_before_the_write),
		cmocka_unit_test(test_unclaim_of_a_device_returns_before_it_is_put_back),
		cmocka_unit_test(test_claim_while_it_is_put_back_is_written_after),
		cmocka_unit_test(test_unclaim_while_it_is_written_is_put_back_after),
		cmocka_unit_test(test_stop_while_queued_puts_back),
		cmocka_unit_test(test_claim_with_a_full_queue_is_tried_again),
	};

	net_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
