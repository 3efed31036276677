/* SPDX-License-Identifier: Apache-2.0 */
/* SIGKILL amid what is done to a network device: put back by --restore, or by the next start. */
#include <signal.h>

#include "net-world.h"

/* As after SIGKILL: the journal is all that is left, and the next program has another number. */
static void test_killed_daemon_is_taken_over_or_restored(void **state)
{
	char first[32], second[32];
	struct world world;
	uint32_t id;
	int one, two;
	pid_t child;
	int status;

	(void)state;
	net_open(&world);
	one = program_load(&id);
	(void)snprintf(first, sizeof(first), "program %u", id);
	two = program_load(&id);
	(void)snprintf(second, sizeof(second), "program %u", id);
	for (int restore = 0; restore < 2; restore++) {
		world_stop(&world);
		child = fork();
		if (child == 0) {
			/* A loop is of the process that made it. */
			assert_ok(sd_event_new(&world.event));
			world_start(&world);
			_exit(net_claim_done(&world, KNOB_NET_EGRESS, first) < 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_string_equal(text_of(KNOB_NET_EGRESS), first);
		if (restore) {
			assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy,
								  world.runtime_fd, NULL, NULL),
					 0);
		} else {
			world_start(&world);
			assert_string_equal(world_see(&world, 0, KNOB_NET_EGRESS).owner,
					    "previous run");
			assert_string_equal(text_of(KNOB_NET_EGRESS), first);
			assert_ok(net_claim_done(&world, KNOB_NET_EGRESS, second));
			assert_string_equal(text_of(KNOB_NET_EGRESS), second);
			assert_int_equal(actuator_restore_all(world.actuator, false), 0);
			world_stop(&world);
		}
		assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	}
	(void)close(one);
	(void)close(two);
	world_close(&world);
}

/* Put back by --restore, or by a stop of the next run. */
static void restore_after_kill(struct world *world, bool restart)
{
	if (!restart) {
		assert_int_equal(actuator_restore_journal(&world->root, &world->hierarchy,
							  world->runtime_fd, NULL, NULL),
				 0);
		return;
	}
	world_start(world);
	assert_int_equal(actuator_restore_all(world->actuator, false), 0);
	world_stop(world);
}

static void die_before_write(const char *step)
{
	if (strcmp(step, "knob-write") == 0)
		(void)raise(SIGKILL);
}

/* The record is there, and nothing is written yet. */
static void claim_and_die(struct world *world, uint32_t ifindex, enum knob knob, const char *text)
{
	const struct knob_value value = { .text = text };
	const struct actuator_target target = net_target(ifindex);
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (sd_event_new(&world->event) < 0)
			_exit(1);
		world_start(world);
		actuator_failpoint = die_before_write;
		(void)actuator_claim(world->actuator, "one", &target, knob, &value, 0, "a reason");
		/* On the thread, whenever it has a CPU. */
		world_run(world, PATIENCE);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Killed between the clsact and its filter. */
static void test_killed_before_the_filter_leaves_no_clsact(void **state)
{
	char text[32];
	struct world world;
	uint32_t id;
	int program;

	(void)state;
	net_open(&world);
	world_stop(&world);
	program = program_load(&id);
	(void)snprintf(text, sizeof(text), "program %u", id);
	for (int restart = 0; restart < 2; restart++) {
		claim_and_die(&world, LO, KNOB_NET_EGRESS, text);
		request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_NEWQDISC);
		restore_after_kill(&world, restart);
		assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
		/* Somebody else has made it, or come to use it. */
		claim_and_die(&world, LO, KNOB_NET_EGRESS, text);
		request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_NEWQDISC);
		filter_of_others(program);
		restore_after_kill(&world, restart);
		assert_string_equal(text_of(KNOB_NET_EGRESS), "clsact");
		request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_DELQDISC);
		/* It was there before. */
		request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_NEWQDISC);
		claim_and_die(&world, LO, KNOB_NET_EGRESS, text);
		restore_after_kill(&world, restart);
		assert_string_equal(text_of(KNOB_NET_EGRESS), "clsact");
		request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_DELQDISC);
	}
	(void)close(program);
	world_close(&world);
}

/* And taken over by who claims it again. */
static void test_killed_before_the_filter_is_completed_by_a_claim(void **state)
{
	char text[32];
	struct world world;
	uint32_t id;
	int program;

	(void)state;
	net_open(&world);
	world_stop(&world);
	program = program_load(&id);
	(void)snprintf(text, sizeof(text), "program %u", id);
	for (int same = 0; same < 2; same++) {
		claim_and_die(&world, LO, KNOB_NET_EGRESS, same ? text : "program 4294967295");
		request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_NEWQDISC);
		world_start(&world);
		assert_string_equal(world_see(&world, 0, KNOB_NET_EGRESS).owner, "previous run");
		assert_ok(net_claim_done(&world, KNOB_NET_EGRESS, text));
		assert_string_equal(text_of(KNOB_NET_EGRESS), text);
		assert_string_equal(world_see(&world, 0, KNOB_NET_EGRESS).original, "none");
		assert_int_equal(world_stats(&world).foreign_writes, 0);
		net_unclaim_done(&world, KNOB_NET_EGRESS);
		assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
		world_stop(&world);
	}
	(void)close(program);
	world_close(&world);
}

/* A device of four queues that is up, by its number; 0: this kernel has none. */
static uint32_t queues_make(void)
{
	const struct ifinfomsg info = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	static const uint32_t queues = 4;
	struct rtnl_request request;
	size_t link;
	int r;

	rtnl_request_init(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	/* What is about a device begins with less than what is about a qdisc. */
	request.header.nlmsg_len = NLMSG_LENGTH(sizeof(info));
	memset(&request.traffic, 0, sizeof(request.traffic));
	memcpy(&request.traffic, &info, sizeof(info));
	assert_ok(rtnl_add(&request, IFLA_IFNAME, "four0", 6));
	assert_ok(rtnl_add(&request, IFLA_NUM_TX_QUEUES, &queues, sizeof(queues)));
	assert_ok(rtnl_nest_begin(&request, IFLA_LINKINFO, &link));
	assert_ok(rtnl_add(&request, IFLA_INFO_KIND, "ifb", 4));
	rtnl_nest_end(&request, link);
	r = rtnl_call(&request, NULL, NULL);
	if (r < 0)
		print_message("# skipped: no device of four queues: %s\n", strerror(-r));
	return r < 0 ? 0 : if_nametoindex("four0");
}

static void queues_remove(uint32_t ifindex)
{
	const struct ifinfomsg info = { .ifi_index = (int)ifindex };
	struct rtnl_request request;

	rtnl_request_init(&request, RTM_DELLINK, 0, 0);
	request.header.nlmsg_len = NLMSG_LENGTH(sizeof(info));
	memset(&request.traffic, 0, sizeof(request.traffic));
	memcpy(&request.traffic, &info, sizeof(info));
	assert_ok(rtnl_call(&request, NULL, NULL));
}

static void queue_put(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *kind,
		      uint16_t type)
{
	struct rtnl_request request;

	rtnl_request_init(&request, type, type == RTM_NEWQDISC ? NLM_F_CREATE | NLM_F_REPLACE : 0,
			  ifindex);
	request.traffic.tcm_parent = parent;
	request.traffic.tcm_handle = handle;
	assert_ok(rtnl_add(&request, TCA_KIND, kind, strlen(kind) + 1));
	assert_ok(rtnl_call(&request, NULL, NULL));
}

static void assert_queues(uint32_t ifindex, const char *expected)
{
	char text[KNOB_TEXT_MAX];

	assert_ok(net_knob_read(KNOB_NET_QDISC, ifindex, text, sizeof(text)));
	assert_string_equal(text, expected);
}

/* Killed between the mq and the last fq. */
static void test_killed_between_queues_is_put_back(void **state)
{
	struct world world;
	uint32_t ifindex;

	(void)state;
	net_open(&world);
	world_stop(&world);
	ifindex = queues_make();
	for (int restart = 0; ifindex && restart < 2; restart++) {
		assert_queues(ifindex, "default mq");
		claim_and_die(&world, ifindex, KNOB_NET_QDISC, "fq");
		queue_put(ifindex, TC_H_ROOT, NET_QDISC_HANDLE, "mq", RTM_NEWQDISC);
		restore_after_kill(&world, restart);
		assert_queues(ifindex, "default mq");
		/* A queue with a qdisc that neither we nor the kernel put there. */
		claim_and_die(&world, ifindex, KNOB_NET_QDISC, "fq");
		queue_put(ifindex, TC_H_ROOT, NET_QDISC_HANDLE, "mq", RTM_NEWQDISC);
		queue_put(ifindex, NET_QDISC_HANDLE | 2, 0x12340000, "pfifo", RTM_NEWQDISC);
		restore_after_kill(&world, restart);
		assert_queues(ifindex, "mq be27:");
		queue_put(ifindex, TC_H_ROOT, NET_QDISC_HANDLE, "mq", RTM_DELQDISC);
	}
	if (ifindex)
		queues_remove(ifindex);
	world_close(&world);
}

static void test_net_knob_is_part_knows_what_is_half_done(void **state)
{
	(void)state;
	assert_true(net_knob_is_part("fq unfinished", "default mq", "fq"));
	assert_false(net_knob_is_part("mq be27:", "default mq", "fq"));
	assert_false(net_knob_is_part("fq unfinished", "default mq", ""));
	assert_true(net_knob_is_part("clsact", "none", "program 3"));
	assert_false(net_knob_is_part("clsact", "clsact", "program 3"));
	assert_false(net_knob_is_part("none", "none", "program 3"));
	assert_false(net_knob_is_part("clsact", "none", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_daemon_is_taken_over_or_restored),
		cmocka_unit_test(test_killed_before_the_filter_leaves_no_clsact),
		cmocka_unit_test(test_killed_before_the_filter_is_completed_by_a_claim),
		cmocka_unit_test(test_killed_between_queues_is_put_back),
		cmocka_unit_test(test_net_knob_is_part_knows_what_is_half_done),
	};

	net_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
