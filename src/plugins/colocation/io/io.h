/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h - block IO of colocation: limits by annotation and by level (limit.c), shares, priority
 * classes and latency targets by level (weight.c), io.cost of devices (cost.c), and what
 * turns these decisions into claims (io.c).
 */
#pragma once

#include <stdbool.h>

#include "colocation.h"
#include "io/disks.h"

#define IO_ANNOTATION "volcano.sh/blkio-limit"
/* Four limits and a target of each disk, and what is of the group as a whole. */
#define IO_WANTS_MAX (5u * DISKS_MAX + 4u)
#define IO_ITEM_MAX  400u /* bytes of one item of a list */
#define IO_REASON    192u /* LIMIT_REASON of berthd */

struct io_want {
	enum knob knob;
	uint64_t device; /* 0: of the group as a whole */
	uint64_t number;
};

/* What one workload is to get, and sentences for `berthctl explain`. */
struct io_wants {
	size_t count;
	char limits[IO_REASON], shares[IO_REASON];
	struct io_want items[IO_WANTS_MAX];
};

/* What a decision may look at besides the workload; read when capabilities or disks change. */
struct io_host {
	struct disks disks;
	bool has_limits;
	bool is_v2; /* limits of a group hold for what is below it */
	bool has_weight, has_bfq_weight, has_prio_class, has_latency, has_writeback, has_cost;
};

/* How a workload stands to those around it. */
struct io_place {
	const char *annotation; /* its own, or its pod's; NULL: none */
	bool is_pod, has_parent_workload, parent_is_offline;
};

/* limit.c */
/* -EINVAL: reterr says what is wrong, and *ret is empty. Devices that are not here are passed over;
 * note names them. */
int io_limits_parse(const char *json, const struct disks *disks, struct io_wants *ret, char *note,
		    size_t note_size, char *reterr, size_t size);
void io_limits_decide(const struct colocation_config *config, const struct io_host *host,
		      const struct berth_workload *workload, const struct io_place *place,
		      struct io_wants *ret);
/* One item of io.limits.*: "GLOB read_bps=100Mi ...". 0; -EINVAL: reterr. */
int io_limit_check(const char *item, char *reterr, size_t size);

/* weight.c */
void io_shares_decide(const struct colocation_config *config, const struct io_host *host,
		      const struct berth_workload *workload, const struct io_place *place,
		      struct io_wants *ret);
/* One item of io.latency: "GLOB 10ms". */
int io_latency_check(const char *item, char *reterr, size_t size);

/* cost.c */
struct io_cost {
	char glob[64];
	char model[256], qos[192]; /* as the kernel takes them; "" not given */
};
/* One item of io.cost: "GLOB rbps=1 ... rpct=95 ...". */
int io_cost_parse(const char *item, struct io_cost *ret, char *reterr, size_t size);

/* item.c: words of an item. */
/* The first word; -EINVAL: none, or too long. *ret_rest is what follows. */
int io_item_glob(const char *item, char *glob, size_t size, const char **ret_rest, char *reterr,
		 size_t error_size);
/* The next KEY=VALUE of *rest. 1; 0: the end; -EINVAL with reterr. */
int io_item_next(const char **rest, char *key, size_t key_size, char *value, size_t value_size,
		 char *reterr, size_t size);

void io_wants_add(struct io_wants *wants, enum knob knob, uint64_t device, uint64_t number);
const struct io_want *io_wants_get(const struct io_wants *wants, enum knob knob, uint64_t device);

/* io.c */
struct io {
	struct agent *agent;
	const struct colocation_config *config;
	struct io_host host;
	struct disks gone;           /* that the last change took away */
	struct agent_source *source; /* of new and gone devices */
	int inotify_fd;
	struct disk costs[DISKS_MAX]; /* claimed, by io.cost */
	size_t cost_count;
};

/* The service: see service.h. */
int io_check(const struct colocation_config *config, struct berth_error *reterr);
int io_start(struct agent *agent, void *self, const struct colocation_config *config,
	     void **ret_state);
int io_apply(void *state, const struct colocation_config *config);
void io_probe(void *state);
void io_decide(void *state, const struct berth_workload *workload, bool parent_is_offline);
void io_stop(void *state);
