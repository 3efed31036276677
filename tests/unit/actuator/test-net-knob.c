/* SPDX-License-Identifier: Apache-2.0 */
/* Knobs of a network device, on the lo of a namespace of our own: the kernel is the real one. */
#include <linux/capability.h>

#include "net-world.h"

static void test_read_of_a_plain_device_says_default_and_none(void **state)
{
	char text[KNOB_TEXT_MAX];

	(void)state;
	if (namespace_error[0])
		skip();
	assert_string_equal(text_of(KNOB_NET_QDISC), "default noqueue");
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	assert_errno(net_knob_read(KNOB_NET_QDISC, 4711, text, sizeof(text)), ENODEV);
	assert_errno(net_knob_write(KNOB_NET_EGRESS, 4711, "none"), ENODEV);
	assert_errno(net_knob_write(KNOB_NET_QDISC, LO, "htb"), EINVAL);
	assert_errno(net_knob_write(KNOB_NET_EGRESS, LO, "program 0"), EINVAL);
	assert_errno(net_knob_write(KNOB_NET_EGRESS, LO, "program x"), EINVAL);
	/* No such program: what was made for its filter is gone again. */
	assert_errno(net_knob_write(KNOB_NET_EGRESS, LO, "program 4294967295"), EINVAL);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	assert_ok(net_knob_probe());
}

static int answer(uint16_t type, uint16_t flags, int number, size_t size)
{
	struct {
		struct nlmsghdr header;
		int number;
	} message = {
		.header = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
			    .nlmsg_type = type,
			    .nlmsg_flags = flags },
		.number = number,
	};

	return rtnl_answer(&message, message.header.nlmsg_len, NULL, NULL);
}

/* A list that is cut short is no shorter list. */
static void test_rtnl_answer_tells_how_a_dump_ended(void **state)
{
	(void)state;
	assert_ok(answer(NLMSG_DONE, NLM_F_MULTI, 0, sizeof(int)));
	assert_ok(answer(NLMSG_DONE, NLM_F_MULTI, 0, 0));
	assert_errno(answer(NLMSG_DONE, NLM_F_MULTI, -ENOMEM, sizeof(int)), ENOMEM);
	assert_errno(answer(RTM_NEWQDISC, NLM_F_MULTI | NLM_F_DUMP_INTR, 0, 0), EAGAIN);
	assert_int_equal(answer(RTM_NEWQDISC, NLM_F_MULTI, 0, 0), 1);
	assert_errno(answer(NLMSG_ERROR, 0, -EPERM, sizeof(int)), EBADMSG);
}

static void test_write_fq_is_put_back(void **state)
{
	int r;

	(void)state;
	if (namespace_error[0])
		skip();
	r = net_knob_write(KNOB_NET_QDISC, LO, "fq");
	/* A kernel without sch_fq says so, and keeps what it has. */
	if (r == -EOPNOTSUPP) {
		assert_string_equal(text_of(KNOB_NET_QDISC), "default noqueue");
		return;
	}
	assert_ok(r);
	assert_string_equal(text_of(KNOB_NET_QDISC), "fq");
	assert_ok(net_knob_write(KNOB_NET_QDISC, LO, "fq"));
	assert_ok(net_knob_write(KNOB_NET_QDISC, LO, "default noqueue"));
	assert_string_equal(text_of(KNOB_NET_QDISC), "default noqueue");
}

static void test_claim_of_another_ones_qdisc_fails_and_leaves_it(void **state)
{
	struct world world;

	(void)state;
	net_open(&world);
	request_put(TC_H_ROOT, 0x12340000, "pfifo", RTM_NEWQDISC);
	assert_string_equal(text_of(KNOB_NET_QDISC), "pfifo 1234:");
	assert_errno(net_knob_write(KNOB_NET_QDISC, LO, "default noqueue"), EBUSY);
	assert_ok(net_claim_done(&world, KNOB_NET_QDISC, "fq"));
	assert_int_equal(world_see(&world, 0, KNOB_NET_QDISC).status, KNOB_FAILED);
	assert_int_equal(world_see(&world, 0, KNOB_NET_QDISC).error, -EBUSY);
	world_close(&world);
	assert_string_equal(text_of(KNOB_NET_QDISC), "pfifo 1234:");
	request_put(TC_H_ROOT, 0x12340000, "pfifo", RTM_DELQDISC);
	assert_string_equal(text_of(KNOB_NET_QDISC), "default noqueue");
}

static void test_claim_of_a_program_attaches_replaces_and_takes_away(void **state)
{
	char first[32], second[32];
	uint32_t id;
	struct world world;
	int one, two;

	(void)state;
	net_open(&world);
	one = program_load(&id);
	(void)snprintf(first, sizeof(first), "program %u", id);
	two = program_load(&id);
	(void)snprintf(second, sizeof(second), "program %u", id);
	assert_ok(net_claim_done(&world, KNOB_NET_EGRESS, first));
	assert_string_equal(text_of(KNOB_NET_EGRESS), first);
	assert_string_equal(world_see(&world, 0, KNOB_NET_EGRESS).original, "none");
	assert_ok(net_claim_done(&world, KNOB_NET_EGRESS, second));
	assert_string_equal(text_of(KNOB_NET_EGRESS), second);
	net_unclaim_done(&world, KNOB_NET_EGRESS);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	(void)close(one);
	(void)close(two);
	world_close(&world);
}

static void test_clsact_of_others_stays(void **state)
{
	char text[32];
	struct world world;
	uint32_t id;
	int program;

	(void)state;
	net_open(&world);
	program = program_load(&id);
	(void)snprintf(text, sizeof(text), "program %u", id);
	/* It was there before. */
	request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_NEWQDISC);
	assert_ok(net_claim_done(&world, KNOB_NET_EGRESS, text));
	assert_string_equal(text_of(KNOB_NET_EGRESS), text);
	net_unclaim_done(&world, KNOB_NET_EGRESS);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "clsact");
	request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_DELQDISC);
	/* Or somebody has come to use ours. */
	assert_ok(net_claim_done(&world, KNOB_NET_EGRESS, text));
	filter_of_others(program);
	net_unclaim_done(&world, KNOB_NET_EGRESS);
	assert_string_equal(text_of(KNOB_NET_EGRESS), "clsact");
	assert_int_equal(world_see(&world, 0, KNOB_NET_EGRESS).count, 0);
	request_put(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), "clsact", RTM_DELQDISC);
	(void)close(program);
	world_close(&world);
}

/* In a container: CAP_NET_ADMIN and CAP_BPF, but no CAP_SYS_ADMIN. */
static void test_write_program_without_sys_admin_takes_the_fd_that_is_open(void **state)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	char text[32];
	uint32_t id;
	int program, status;
	pid_t child;

	(void)state;
	if (namespace_error[0])
		skip();
	program = program_load(&id);
	(void)snprintf(text, sizeof(text), "program %u", id);
	child = fork();
	if (child == 0) {
		int r = (int)syscall(SYS_capget, &header, data);

		data[0].effective &= ~(1u << CAP_SYS_ADMIN);
		r = r < 0 ? r : (int)syscall(SYS_capset, &header, data);
		_exit(r < 0 ? 2 : net_knob_write(KNOB_NET_EGRESS, LO, text) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_string_equal(text_of(KNOB_NET_EGRESS), text);
	assert_ok(net_knob_write(KNOB_NET_EGRESS, LO, "none"));
	assert_errno(net_knob_write(KNOB_NET_EGRESS, LO, "program 4294967295"), EINVAL);
	assert_ok(net_knob_write(KNOB_NET_EGRESS, LO, "none"));
	assert_string_equal(text_of(KNOB_NET_EGRESS), "none");
	(void)close(program);
}

static void test_claim_of_what_is_no_network_device_is_refused(void **state)
{
	const struct knob_value text = { .text = "fq" }, number = { .number = 1 };
	const struct actuator_target net = net_target(LO);
	const struct actuator_target disk = { .target = { TARGET_DEVICE, 0x800 } };
	const struct actuator_target none = net_target(0);
	struct world world;

	(void)state;
	net_open(&world);
	assert_errno(actuator_claim(world.actuator, "one", &disk, KNOB_NET_QDISC, &text, 0, ""),
		     EINVAL);
	assert_errno(
		actuator_claim(world.actuator, "one", &net, KNOB_DEVICE_COST_QOS, &text, 0, ""),
		EINVAL);
	assert_errno(actuator_claim(world.actuator, "one", &net, KNOB_CPU_IDLE, &number, 0, ""),
		     EINVAL);
	assert_errno(actuator_claim(world.actuator, "one", &none, KNOB_NET_QDISC, &text, 0, ""),
		     EINVAL);
	world_close(&world);
}

static void test_net_knob_same_knows_what_means_the_same(void **state)
{
	(void)state;
	assert_true(net_knob_same("default fq_codel", "default mq"));
	assert_true(net_knob_same("none", "clsact"));
	assert_true(net_knob_same("program 3", "program 3"));
	assert_false(net_knob_same("program 3", "program 4"));
	assert_false(net_knob_same("default fq", "fq"));
	assert_false(net_knob_same("program 3", "none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_of_a_plain_device_says_default_and_none),
		cmocka_unit_test(test_rtnl_answer_tells_how_a_dump_ended),
		cmocka_unit_test(test_write_fq_is_put_back),
		cmocka_unit_test(test_claim_of_another_ones_qdisc_fails_and_leaves_it),
		cmocka_unit_test(test_claim_of_a_program_attaches_replaces_and_takes_away),
		cmocka_unit_test(test_clsact_of_others_stays),
		cmocka_unit_test(test_write_program_without_sys_admin_takes_the_fd_that_is_open),
		cmocka_unit_test(test_claim_of_what_is_no_network_device_is_refused),
		cmocka_unit_test(test_net_knob_same_knows_what_means_the_same),
	};

	net_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
