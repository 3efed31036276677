/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight.c - shares of the disks by level: io.weight where io.cost rules, io.bfq.weight under
 * the scheduler bfq, a priority class that mq-deadline and bfq go by, and a latency target for
 * critical workloads. Each where this host has it.
 *
 * A weight counts among siblings, so it is the pod's group that gets it and not its containers.
 * Normal workloads keep what they have: the kernel's default of 100.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "io/io.h"
#include "macro.h"
#include "parse.h"

/* Ten times each way between high and batch; critical against batch is 100 to 1, as rubik has it.
 */
static const struct {
	enum qos_level level;
	uint64_t weight;
	enum io_prio_class prio;
} shares[] = {
	{ QOS_CRITICAL, 1000, IO_PRIO_NO_CHANGE },
	{ QOS_HIGH, 500, IO_PRIO_NO_CHANGE },
	{ QOS_BATCH, 10, IO_PRIO_TO_BE },
	{ QOS_SCAVENGER, 1, IO_PRIO_IDLE },
};

static int latency_parse(const char *item, char *glob, size_t glob_size, uint64_t *ret,
			 char *reterr, size_t size)
{
	const char *rest;
	int r = io_item_glob(item, glob, glob_size, &rest, reterr, size);

	if (r < 0)
		return r;
	if (parse_usec(rest, ret) < 0 || *ret == 0 || *ret > 60 * UINT64_C(1000000)) {
		(void)snprintf(reterr, size, "'%.40s' is not a time of 1us to 60s", rest);
		return -EINVAL;
	}
	return 0;
}

int io_latency_check(const char *item, char *reterr, size_t size)
{
	uint64_t usec;
	char glob[64];

	return latency_parse(item, glob, sizeof(glob), &usec, reterr, size);
}

static void latency_decide(char *const *items, const struct disks *disks, struct io_wants *ret)
{
	for (; items && *items; items++) {
		char glob[64], error[128];
		uint64_t usec;

		if (latency_parse(*items, glob, sizeof(glob), &usec, error, sizeof(error)) < 0)
			continue;
		for (size_t d = 0; d < disks->count; d++)
			if (fnmatch(glob, disks->items[d].name, 0) == 0)
				io_wants_add(ret, KNOB_IO_LATENCY_USEC, disks->items[d].device,
					     usec);
	}
}

/* Its group has no siblings but those of one workload. */
static bool is_inside_workload(const struct berth_workload *workload, const struct io_place *place)
{
	return strcmp(workload->kind, "container") == 0 && place->has_parent_workload;
}

static void weight_decide(const struct colocation_config *config, const struct io_host *host,
			  uint64_t weight, struct io_wants *ret)
{
	if (weight == 0) {
		(void)snprintf(ret->shares, sizeof(ret->shares), "normal: the kernel's shares");
		return;
	}
	if (!config->io_weights || (!host->has_weight && !host->has_bfq_weight)) {
		(void)snprintf(ret->shares, sizeof(ret->shares), "no share: %s",
			       config->io_weights
				       ? "no disk has io.cost (plugins.colocation.io.cost) "
					 "and none is under bfq"
				       : "io.weights is false");
		return;
	}
	if (host->has_weight)
		io_wants_add(ret, KNOB_IO_WEIGHT, 0, weight);
	if (host->has_bfq_weight)
		io_wants_add(ret, KNOB_IO_BFQ_WEIGHT, 0, weight);
	(void)snprintf(ret->shares, sizeof(ret->shares), "weight %u of 100%s%s",
		       (unsigned int)weight, host->has_weight ? " on disks with io.cost" : "",
		       host->has_bfq_weight ? " and under bfq" : "");
}

void io_shares_decide(const struct colocation_config *config, const struct io_host *host,
		      const struct berth_workload *workload, const struct io_place *place,
		      struct io_wants *ret)
{
	uint64_t weight = 0;
	enum io_prio_class prio = IO_PRIO_NO_CHANGE;

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		if (shares[i].level != workload->qos)
			continue;
		weight = shares[i].weight;
		prio = shares[i].prio;
	}
	if (is_inside_workload(workload, place)) {
		(void)snprintf(ret->shares, sizeof(ret->shares), "shares are its pod's");
	} else {
		weight_decide(config, host, weight, ret);
		if (host->has_latency && workload->qos == QOS_CRITICAL)
			latency_decide(config->io_latency, &host->disks, ret);
	}
	/* Not handed down: each group's own requests. */
	if (config->io_prio_class && host->has_prio_class && prio != IO_PRIO_NO_CHANGE)
		io_wants_add(ret, KNOB_IO_PRIO_CLASS, 0, (uint64_t)prio);
	/* With limits or weights on v1, buffered writes have to count for the same group. */
	if (config->io_writeback && host->has_writeback && ret->count > 0)
		io_wants_add(ret, KNOB_MEMORY_WB_BLKIO, 0, 1);
}
