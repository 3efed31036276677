/* SPDX-License-Identifier: Apache-2.0 */
/* net-world.h - a namespace of our own with the real kernel's lo, and an actuator beside it. */
#pragma once

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "actuator/knob/net.h"
#include "actuator/knob/writer.h"
#include "berth-test.h"
#include "net-device.h"
#include "rtnl.h"
#include "slow-world.h"

#define LO       1u
#define PATIENCE (60 * USEC_PER_SEC) /* the writer's thread may have to wait for a CPU */

static char namespace_error[128];

/* A program that lets everything pass; its fd, and its id in *ret. */
static inline int program_load(uint32_t *ret)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct bpf_prog_info info = { 0 };
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.insn_cnt = ARRAY_SIZE(code),
		.insns = (uint64_t)(uintptr_t)code,
		.license = (uint64_t)(uintptr_t) "GPL",
	};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	union bpf_attr ask = {
		.info = { .bpf_fd = (uint32_t)fd,
			  .info_len = sizeof(info),
			  .info = (uint64_t)(uintptr_t)&info },
	};

	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &ask, sizeof(ask)), 0);
	*ret = info.id;
	return fd;
}

static inline const char *text_of(enum knob knob)
{
	static char text[2][KNOB_TEXT_MAX];
	char *line = text[knob == KNOB_NET_EGRESS];

	assert_ok(net_knob_read(knob, LO, line, KNOB_TEXT_MAX));
	return line;
}

static inline void request_put(uint32_t parent, uint32_t handle, const char *kind, uint16_t type)
{
	struct rtnl_request request;

	rtnl_request_init(&request, type, type == RTM_NEWQDISC ? NLM_F_CREATE : 0, LO);
	request.traffic.tcm_parent = parent;
	request.traffic.tcm_handle = handle;
	assert_ok(rtnl_add(&request, TCA_KIND, kind, strlen(kind) + 1));
	assert_ok(rtnl_call(&request, NULL, NULL));
}

/* Somebody else's filter, which needs a program too. */
static inline void filter_of_others(int program)
{
	static const uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtnl_request request;
	uint32_t number = (uint32_t)program;
	size_t options;

	rtnl_request_init(&request, RTM_NEWTFILTER, NLM_F_CREATE, LO);
	request.traffic.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	request.traffic.tcm_info = TC_H_MAKE(7u << 16, 0x0300u);
	assert_ok(rtnl_add(&request, TCA_KIND, "bpf", 4));
	assert_ok(rtnl_nest_begin(&request, TCA_OPTIONS, &options));
	assert_ok(rtnl_add(&request, TCA_BPF_FD, &number, sizeof(number)));
	assert_ok(rtnl_add(&request, TCA_BPF_NAME, "others", 7));
	assert_ok(rtnl_add(&request, TCA_BPF_FLAGS, &flags, sizeof(flags)));
	rtnl_nest_end(&request, options);
	assert_ok(rtnl_call(&request, NULL, NULL));
}

static inline struct actuator_target net_target(uint32_t ifindex)
{
	return (struct actuator_target){ .target = { TARGET_NET, ifindex }, .label = "lo" };
}

static inline int net_claim(struct world *world, enum knob knob, const char *text)
{
	const struct knob_value value = { .text = text };
	const struct actuator_target target = net_target(LO);

	return actuator_claim(world->actuator, "one", &target, knob, &value, 0, "a reason");
}

/* Until no thread writes the knob any more. */
static inline void net_settled(struct world *world, enum knob knob)
{
	struct world_seen seen = world_see(world, 0, knob);

	while (seen.count && seen.status == KNOB_PENDING && seen.error == 0) {
		assert_true(sd_event_run(world->event, PATIENCE) > 0);
		seen = world_see(world, 0, knob);
	}
	slow_settle(world, world->actuator->net_writer);
}

/* And written, or refused. */
static inline int net_claim_done(struct world *world, enum knob knob, const char *text)
{
	int r = net_claim(world, knob, text);

	net_settled(world, knob);
	return r;
}

static inline void net_unclaim(struct world *world, enum knob knob)
{
	actuator_unclaim(world->actuator, "one", net_target(LO).target, knob);
}

static inline void net_unclaim_done(struct world *world, enum knob knob)
{
	net_unclaim(world, knob);
	net_settled(world, knob);
}

static inline void net_open(struct world *world)
{
	if (namespace_error[0])
		skip();
	world_open(world, 2);
}

/* A device that was never up has no qdisc at all. */
static inline int lo_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
}

static inline void net_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0 || lo_up() < 0)
		(void)snprintf(namespace_error, sizeof(namespace_error), "%s", strerror(errno));
	if (namespace_error[0])
		print_message("# skipped: no network namespace: %s\n", namespace_error);
}
