/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of the service share: network.c (when), line.c (devices), group.c
 * (offline workloads), report.c (numbers); bwm.c does it by openEuler's module instead.
 */
#pragma once

#include "colocation.h"
#include "hashmap.h"
#include "network/devices.h"
#include "network/network.h"
#include "network/programs.h"

enum line_state {
	LINE_WAITS, /* claimed, and not there yet: a dry run, a pause, a failure that is tried again
		     */
	LINE_ACTIVE,
	LINE_REFUSED, /* somebody else's qdisc, or no fq: nothing is claimed */
};

/* Offline's line on one device. */
struct line {
	struct net_device device;
	enum line_state state;
	bool claims_qdisc, claims_egress;
	char detail[128];
};

struct group {
	uint64_t id; /* of the workload */
	char *cgroup;
	int link;       /* -EBADF: not attached */
	int error;      /* of the last attempt */
	bool has_class; /* claimed for bwm */
};

struct network_metrics {
	struct agent_metric *online_bytes, *bytes, *delayed, *dropped, *marked, *policed;
	struct agent_metric *rate, *online_rate;
};

struct network {
	struct agent *agent;
	void *self;
	const struct network_config *config;
	bool by_bwm, has_limits;        /* has_limits: bwm's are claimed */
	char by[192];                   /* which of the two ways, and why */
	struct pace_programs *programs; /* from the first offline workload on */
	bool loading;                   /* a worker is at it */
	char detail[160];               /* why they are not there */
	struct line lines[PACE_DEVICES];
	size_t line_count, devices_found;
	struct hashmap groups; /* offline ones, by workload id */
	int unified;           /* root of cgroup v2, while programs are loaded */
	int watch_fd;
	bool watch_told; /* that it cannot be had */
	struct agent_source *watch, *timer;
	struct network_metrics metrics;
};

/* line.c: brings the lines in line with the devices that there are. */
void network_lines_update(struct network *network);
void network_lines_drop(struct network *network);
bool network_is_active(const struct network *network);

/* group.c */
int network_group_add(struct network *network, const struct berth_workload *workload);
void network_group_remove(struct network *network, uint64_t id);
/* Attaches those that are not yet if a line is active, else detaches all. */
void network_groups_update(struct network *network);
void network_groups_drop(struct network *network);

/* bwm.c */
int network_bwm_check(const struct network_config *config, struct berth_error *reterr);
/* By what, as the policy and the host are now. detail is set where it is nothing. */
bool network_bwm_wanted(struct network *network);
/* Its limits are claimed while there are offline workloads. */
void network_bwm_update(struct network *network);
void network_bwm_class(struct network *network, struct group *group);
void network_bwm_unclass(struct network *network, struct group *group);

/* report.c */
void network_report(struct network *network);
