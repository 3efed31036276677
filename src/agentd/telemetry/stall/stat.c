/* SPDX-License-Identifier: Apache-2.0 */
/* stat.c - the vendor's rung: pressure.stat says everything itself. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "telemetry/stall/internal.h"

#define STAT_TEXT 4096u /* seven causes of two lines are under 1.5 KiB */

/* SAMPLE_MAX: the file has no such line. */
static const enum sample_value values[PSI_CAUSES][SPLIT_KINDS] = {
	[PSI_CGROUP_MEMORY_RECLAIM] = { SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_SOME_USEC,
					SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_FULL_USEC },
	[PSI_GLOBAL_MEMORY_RECLAIM] = { SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_SOME_USEC,
					SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_FULL_USEC },
	[PSI_COMPACT] = { SAMPLE_CAUSE_COMPACT_SOME_USEC, SAMPLE_CAUSE_COMPACT_FULL_USEC },
	[PSI_CGROUP_ASYNC_MEMORY_RECLAIM] = { SAMPLE_CAUSE_CGROUP_ASYNC_MEMORY_RECLAIM_SOME_USEC,
					      SAMPLE_CAUSE_CGROUP_ASYNC_MEMORY_RECLAIM_FULL_USEC },
	[PSI_SWAP] = { SAMPLE_CAUSE_SWAP_SOME_USEC, SAMPLE_CAUSE_SWAP_FULL_USEC },
	[PSI_CPU_CFS_BANDWIDTH] = { SAMPLE_MAX, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC },
	[PSI_CPU_QOS] = { SAMPLE_MAX, SAMPLE_CAUSE_CPU_QOS_FULL_USEC },
};

bool stall_vendor_is_at(int fd, const char *name)
{
	return fd >= 0 && faccessat(fd, name, R_OK, 0) == 0;
}

static int vendor_open(struct stall *stall)
{
	const struct hierarchy_mount *mounts = stall->hierarchy->mounts;
	cleanup_close int cpuacct = hierarchy_open_root(&mounts[CONTROLLER_CPUACCT], O_PATH);

	if (stall_vendor_is_at(stall->root->root, "proc/pressure/stat") ||
	    stall_vendor_is_at(cpuacct, "pressure.stat"))
		return 0;
	stall_say(stall, "no pressure.stat, which openEuler's and Kylin's kernels have (with "
			 "psi=1, on cgroup v1 also psi_v1=1)");
	return -EOPNOTSUPP;
}

static void vendor_close(struct stall *stall)
{
	(void)stall;
}

static const struct psi_line *line_of(const struct psi *psi, unsigned int kind)
{
	return kind == SPLIT_SOME ? &psi->some : &psi->full;
}

static uint64_t *total_of(struct stall_target *state, unsigned int cause, unsigned int kind)
{
	if (cause == PSI_CPU_CFS_BANDWIDTH)
		return &state->cfs_told_usec;
	if (cause == PSI_CPU_QOS)
		return &state->qos_told_usec;
	return &state->split.parts[kind][cause];
}

/* Totals go on where another way left them, and never back. */
static void value_set(struct target *target, unsigned int cause, unsigned int kind,
		      const struct psi_line *line)
{
	struct stall_target *state = target->stall;
	uint64_t *last = &state->vendor_total[cause][kind];
	uint64_t *total = total_of(state, cause, kind);

	if (!state->vendor_seen[cause][kind])
		*last = *total == 0 ? 0 : line->total_usec;
	state->vendor_seen[cause][kind] = true;
	if (line->total_usec > *last) {
		*total += line->total_usec - *last;
		*last = line->total_usec;
	}
	target_set(target, values[cause][kind], *total);
}

/* What the kernel's memory pressure has over its causes is the rest, as far as it is more: causes
 * of several tasks overlap in time. */
static void other_set(struct target *target, unsigned int kind)
{
	static const enum sample_value wholes[] = { SAMPLE_PRESSURE_MEMORY_SOME_USEC,
						    SAMPLE_PRESSURE_MEMORY_FULL_USEC };
	static const enum sample_value others[] = { SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC,
						    SAMPLE_CAUSE_MEMORY_OTHER_FULL_USEC };
	uint64_t *parts = target->stall->split.parts[kind], sum = 0;

	if (!sample_knows(&target->sample, wholes[kind]))
		return;
	for (unsigned int cause = 0; cause < STALL_OTHER; cause++)
		sum += parts[cause];
	if (target->sample.value[wholes[kind]] > sum + parts[STALL_OTHER])
		parts[STALL_OTHER] = target->sample.value[wholes[kind]] - sum;
	target_set(target, others[kind], parts[STALL_OTHER]);
}

ANALYZER_LEAK_IGNORE_BEGIN
static void vendor_take(struct stall *stall, struct target *target)
{
	struct stall_target *state = target->stall;
	cleanup_close int fd = cgroup_open(stall->hierarchy, target->group, CONTROLLER_CPUACCT);
	char text[STAT_TEXT];
	struct psi_stat stat;

	if (fd < 0 || file_read(fd, "pressure.stat", text, sizeof(text)) < 0 ||
	    psi_stat_parse(text, &stat) < 0)
		return;
	if (!state->vendor)
		state->vendor = malloc(sizeof(*state->vendor));
	if (!state->vendor)
		return;
	*state->vendor = stat;
	for (unsigned int cause = 0; cause < PSI_CAUSES; cause++) {
		for (unsigned int kind = 0; kind < SPLIT_KINDS; kind++) {
			const struct psi_line *line = line_of(&stat.cause[cause], kind);

			if (line->present && values[cause][kind] != SAMPLE_MAX)
				value_set(target, cause, kind, line);
		}
	}
	other_set(target, SPLIT_SOME);
	other_set(target, SPLIT_FULL);
}
ANALYZER_LEAK_IGNORE_END

void stall_vendor_averages(struct target *target)
{
	const struct psi_stat *stat = target->stall->vendor;

	for (unsigned int cause = 0; stat && cause < PSI_CAUSES; cause++) {
		for (unsigned int kind = 0; kind < SPLIT_KINDS; kind++) {
			const struct psi_line *line = line_of(&stat->cause[cause], kind);
			uint32_t *averages;

			if (!line->present || values[cause][kind] == SAMPLE_MAX)
				continue;
			averages = target->sample
					   .averages[values[cause][kind] - SAMPLE_PRESSURE_FIRST];
			target->stall->averages.moving |=
				UINT32_C(1) << (values[cause][kind] - SAMPLE_PRESSURE_FIRST);
			averages[WINDOW_10S] = line->avg10;
			averages[WINDOW_60S] = line->avg60;
			averages[WINDOW_300S] = line->avg300;
		}
	}
}

const struct stall_ops stall_vendor_ops = {
	.is_vendor = true,
	.sees_swap = true,
	.open = vendor_open,
	.close = vendor_close,
	.take = vendor_take,
};

_Static_assert((unsigned int)PSI_SWAP == STALL_SWAP &&
		       (unsigned int)PSI_CGROUP_MEMORY_RECLAIM == STALL_CGROUP_RECLAIM &&
		       (unsigned int)PSI_GLOBAL_MEMORY_RECLAIM == STALL_GLOBAL_RECLAIM &&
		       (unsigned int)PSI_COMPACT == STALL_COMPACT &&
		       (unsigned int)PSI_CGROUP_ASYNC_MEMORY_RECLAIM == STALL_ASYNC_RECLAIM,
	       "the causes of memory have one order");
