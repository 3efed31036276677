/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob/net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "net-device.h"
#include "parse.h"
#include "rtnl.h"

#define DEFAULT "default "
#define PROGRAM "program "
#define PARTIAL "fq unfinished"
/* Packets of offline flows wait in fq: see pace-law.h, which keeps below these. */
#define FQ_LIMIT      40000u
#define FQ_FLOW_LIMIT 4096u

/* The kernel tries to load what it lacks by itself. */
static int kind_error(int error)
{
	return error == -ENOENT ? -EOPNOTSUPP : error;
}

static bool is_ours(const struct net_qdisc *qdisc)
{
	return qdisc->handle == NET_QDISC_HANDLE && net_qdisc_is_paced(qdisc);
}

/* Not every queue has its fq yet, and none has what somebody else put there. */
static bool is_unfinished(const struct net_qdisc *qdisc)
{
	return qdisc->handle == NET_QDISC_HANDLE && strcmp(qdisc->kind, "mq") == 0 &&
	       qdisc->others == 0;
}

static void qdisc_text(const struct net_qdisc *qdisc, char *text, size_t size)
{
	if (qdisc->handle == 0)
		(void)snprintf(text, size, DEFAULT "%s", qdisc->kind);
	else if (is_ours(qdisc))
		(void)snprintf(text, size, "fq");
	else if (is_unfinished(qdisc))
		(void)snprintf(text, size, PARTIAL);
	else
		(void)snprintf(text, size, "%s %x:", qdisc->kind, qdisc->handle >> 16);
}

static int request_kind(struct rtnl_request *request, const char *kind)
{
	return rtnl_add(request, TCA_KIND, kind, strlen(kind) + 1);
}

static int fq_put(uint32_t ifindex, uint32_t parent, uint32_t handle)
{
	static const uint32_t limit = FQ_LIMIT, flow_limit = FQ_FLOW_LIMIT;
	struct rtnl_request request;
	size_t options = 0;
	int r;

	rtnl_request_init(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex);
	request.traffic.tcm_parent = parent;
	request.traffic.tcm_handle = handle;
	r = request_kind(&request, "fq");
	if (r == 0)
		r = rtnl_nest_begin(&request, TCA_OPTIONS, &options);
	if (r == 0)
		r = rtnl_add(&request, TCA_FQ_PLIMIT, &limit, sizeof(limit));
	if (r == 0)
		r = rtnl_add(&request, TCA_FQ_FLOW_PLIMIT, &flow_limit, sizeof(flow_limit));
	if (r < 0)
		return r;
	rtnl_nest_end(&request, options);
	return kind_error(rtnl_call(&request, NULL, NULL));
}

/* One fq for each queue of the device, below an mq that has a number to be addressed by. */
static int mq_put(uint32_t ifindex, unsigned int queues)
{
	uint64_t end = monotonic_usec() + LIMIT_NET_WRITE_USEC;
	struct rtnl_request request;
	int r;

	if (queues == 0 || queues > LIMIT_NET_QUEUES)
		return -E2BIG;
	rtnl_request_init(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex);
	request.traffic.tcm_parent = TC_H_ROOT;
	request.traffic.tcm_handle = NET_QDISC_HANDLE;
	r = request_kind(&request, "mq");
	if (r == 0)
		r = kind_error(rtnl_call(&request, NULL, NULL));
	/* A device may take its time over each queue. */
	for (uint32_t i = 1; r == 0 && i <= queues; i++)
		r = monotonic_usec() > end ? -ETIMEDOUT : fq_put(ifindex, NET_QDISC_HANDLE | i, 0);
	return r;
}

/* The kernel puts its default there. */
static int qdisc_delete(uint32_t ifindex)
{
	struct rtnl_request request;

	rtnl_request_init(&request, RTM_DELQDISC, 0, ifindex);
	request.traffic.tcm_parent = TC_H_ROOT;
	request.traffic.tcm_handle = NET_QDISC_HANDLE;
	return rtnl_call(&request, NULL, NULL);
}

static int qdisc_write(uint32_t ifindex, const char *text)
{
	struct net_qdisc qdisc;
	int r = net_qdisc_look(ifindex, &qdisc);

	if (r < 0)
		return r;
	if (strncmp(text, DEFAULT, strlen(DEFAULT)) == 0)
		return qdisc.handle == NET_QDISC_HANDLE ? qdisc_delete(ifindex) : -EBUSY;
	if (strcmp(text, "fq") != 0)
		return -EINVAL;
	/* A half-made mq of ours, of a daemon that was killed, is made anew. */
	if (qdisc.handle != 0 && qdisc.handle != NET_QDISC_HANDLE)
		return -EBUSY;
	if (strcmp(qdisc.kind, "mq") != 0)
		return fq_put(ifindex, TC_H_ROOT, NET_QDISC_HANDLE);
	r = mq_put(ifindex, qdisc.queues);
	if (r < 0)
		(void)qdisc_delete(ifindex);
	return r;
}

static void egress_text(const struct net_egress *egress, char *text, size_t size)
{
	if (egress->program)
		(void)snprintf(text, size, PROGRAM "%u", egress->program);
	else
		(void)snprintf(text, size, "%s", egress->has_clsact ? "clsact" : "none");
}

static int clsact_set(uint32_t ifindex, bool there)
{
	struct rtnl_request request;
	int r;

	rtnl_request_init(&request, there ? RTM_NEWQDISC : RTM_DELQDISC,
			  there ? NLM_F_CREATE | NLM_F_EXCL : 0, ifindex);
	request.traffic.tcm_parent = TC_H_CLSACT;
	request.traffic.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	r = request_kind(&request, "clsact");
	if (r == 0)
		r = kind_error(rtnl_call(&request, NULL, NULL));
	return r == -EEXIST && there ? 0 : r;
}

static void filter_request(struct rtnl_request *request, uint16_t type, uint16_t flags,
			   uint32_t ifindex)
{
	rtnl_request_init(request, type, flags, ifindex);
	request->traffic.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
	request->traffic.tcm_handle = NET_FILTER_HANDLE;
	request->traffic.tcm_info = TC_H_MAKE(NET_FILTER_PRIO << 16, htons(ETH_P_ALL));
}

/* Whoever claims it has it open in this process: a container without CAP_SYS_ADMIN may not ask the
 * kernel for a program by its id. -EPERM: none of our fds is it. */
static int program_among_ours(uint32_t program)
{
	DIR *directory = opendir("/proc/self/fdinfo");
	const struct dirent *entry;
	char line[32];
	int fd = -EPERM;

	if (!directory)
		return -errno;
	(void)snprintf(line, sizeof(line), "prog_id:\t%u\n", program);
	while (fd < 0 && (entry = readdir(directory))) {
		char text[1024];
		uint64_t number;
		int length;

		if (parse_u64(entry->d_name, &number) < 0 || number > INT_MAX)
			continue;
		length = file_read(dirfd(directory), entry->d_name, text, sizeof(text) - 1);
		if (length < 0)
			continue;
		/* Read without its last newline. */
		text[length] = '\n';
		text[length + 1] = '\0';
		if (strstr(text, line))
			fd = fcntl((int)number, F_DUPFD_CLOEXEC, 0);
	}
	(void)closedir(directory);
	return fd < 0 ? -EPERM : fd;
}

static int program_open(uint32_t program)
{
	union bpf_attr which = { .prog_id = program };
	int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &which, sizeof(which));

	if (fd >= 0)
		return fd;
	if (errno == EPERM)
		return program_among_ours(program);
	return errno == ENOENT ? -EINVAL : -errno;
}

static int filter_put(uint32_t ifindex, uint32_t program)
{
	static const uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	cleanup_close int fd = program_open(program);
	struct rtnl_request request;
	uint32_t number;
	size_t options = 0;
	int r;

	if (fd < 0)
		return fd;
	number = (uint32_t)fd;
	filter_request(&request, RTM_NEWTFILTER, NLM_F_CREATE, ifindex);
	r = request_kind(&request, "bpf");
	if (r == 0)
		r = rtnl_nest_begin(&request, TCA_OPTIONS, &options);
	if (r == 0)
		r = rtnl_add(&request, TCA_BPF_FD, &number, sizeof(number));
	if (r == 0)
		r = rtnl_add(&request, TCA_BPF_NAME, NET_FILTER_NAME, sizeof(NET_FILTER_NAME));
	if (r == 0)
		r = rtnl_add(&request, TCA_BPF_FLAGS, &flags, sizeof(flags));
	if (r < 0)
		return r;
	rtnl_nest_end(&request, options);
	return kind_error(rtnl_call(&request, NULL, NULL));
}

static int filter_delete(uint32_t ifindex)
{
	struct rtnl_request request;
	int r;

	filter_request(&request, RTM_DELTFILTER, 0, ifindex);
	r = request_kind(&request, "bpf");
	return r < 0 ? r : rtnl_call(&request, NULL, NULL);
}

static int egress_write(uint32_t ifindex, const char *text)
{
	struct net_egress egress;
	uint64_t program = 0;
	int r = net_egress_look(ifindex, &egress);

	if (r < 0)
		return r;
	if (strncmp(text, PROGRAM, strlen(PROGRAM)) == 0) {
		r = parse_u64(text + strlen(PROGRAM), &program);
		if (r < 0 || program == 0 || program > UINT32_MAX)
			return -EINVAL;
		r = egress.has_clsact ? 0 : clsact_set(ifindex, true);
		if (r < 0)
			return r;
		r = filter_put(ifindex, (uint32_t)program);
		/* Left there it would be taken for somebody's, and for the original. */
		if (r < 0 && !egress.has_clsact)
			(void)clsact_set(ifindex, false);
		return r;
	}
	if (strcmp(text, "clsact") != 0 && strcmp(text, "none") != 0)
		return -EINVAL;
	if (egress.program)
		r = filter_delete(ifindex);
	/* Others have come to use it: it stays. */
	if (r == 0 && text[0] == 'n' && egress.has_clsact && egress.others == 0)
		r = clsact_set(ifindex, false);
	return r;
}

int net_knob_read(enum knob knob, uint32_t ifindex, char *text, size_t size)
{
	struct net_qdisc qdisc;
	struct net_egress egress;
	int r = net_qdisc_look(ifindex, &qdisc);

	if (r < 0)
		return r;
	if (knob == KNOB_NET_QDISC) {
		qdisc_text(&qdisc, text, size);
		return 0;
	}
	r = net_egress_look(ifindex, &egress);
	if (r == 0)
		egress_text(&egress, text, size);
	return r;
}

int net_knob_write(enum knob knob, uint32_t ifindex, const char *text)
{
	return knob == KNOB_NET_QDISC ? qdisc_write(ifindex, text) : egress_write(ifindex, text);
}

static bool is_without_filter(const char *text)
{
	return strcmp(text, "none") == 0 || strcmp(text, "clsact") == 0;
}

bool net_knob_same(const char *a, const char *b)
{
	if (strncmp(a, DEFAULT, strlen(DEFAULT)) == 0)
		return strncmp(b, DEFAULT, strlen(DEFAULT)) == 0;
	return strcmp(a, b) == 0 || (is_without_filter(a) && is_without_filter(b));
}

bool net_knob_is_part(const char *current, const char *original, const char *text)
{
	if (strcmp(current, PARTIAL) == 0)
		return strcmp(text, "fq") == 0;
	/* The clsact is made for the filter, and outlives it by a moment. */
	return strcmp(current, "clsact") == 0 && strcmp(original, "none") == 0 &&
	       (strncmp(text, PROGRAM, strlen(PROGRAM)) == 0 || strcmp(text, "clsact") == 0);
}

int net_knob_probe(void)
{
	struct rtnl_request request;
	int r;

	/* Of no device: whether we may is asked before what. */
	rtnl_request_init(&request, RTM_DELQDISC, 0, 0);
	request.traffic.tcm_parent = TC_H_ROOT;
	r = rtnl_call(&request, NULL, NULL);
	return r == -EPERM || r == -EACCES || r == -EAFNOSUPPORT ? r : 0;
}
