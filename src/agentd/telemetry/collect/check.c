/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - records of BPF against files, at the passes that are taken anyway. The biggest
 * group whose files tell of a part is the one that has the most to compare.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "sample.h"
#include "telemetry/collect/bpf.h"

void collect_bpf_explain(struct bpf_collector *collector)
{
	const struct cgroup_layout *layout = bpf_cgroups_layout(collector->bpf);
	bool without_io = layout->parts & ~collector->available & PART_IO;

	(void)snprintf(collector->detail, sizeof(collector->detail), "%s%s%s", layout->missing,
		       layout->missing[0] && without_io ? "; " : "",
		       without_io ? "io: BPF reads cgroup v2 only, and blkio is on v1" : "");
}

/* Into a target that has its values and names no files. */
static int records_read(struct bpf_collector *collector, struct target *target, unsigned int *parts)
{
	struct cgroup_record *record = bpf_cgroups_records(collector->bpf);
	int r;

	record->address = target->address;
	record->serial = target->serial;
	record->psi = target->psi;
	r = bpf_cgroups_read(collector->bpf, 1, false);
	if (r < 0)
		return r;
	if (!(record->filled & RECORD_THERE))
		return -ENOENT;
	/* Of such a group the file is read anyway. */
	if (record->filled & RECORD_IO_MORE)
		*parts &= ~(unsigned int)PART_IO;
	cgroup_layout_apply(bpf_cgroups_layout(collector->bpf), record, *parts,
			    collector_files_devices(collector->files), target);
	return 0;
}

static void copy_init(struct target *copy, const struct target *target)
{
	*copy = (struct target){
		.group = target->group,
		.address = target->address,
		.serial = target->serial,
		.psi = target->psi,
	};
}

/* 0: both were read, and the comparison knows what came out. */
static int group_attempt(struct bpf_collector *collector, const struct target *target,
			 unsigned int parts, struct bpf_comparison *comparison)
{
	cleanup_free struct target *copies = calloc(3, sizeof(*copies));
	unsigned int compared = parts;
	int r;

	if (!copies)
		return -ENOMEM;
	for (size_t i = 0; i < 3; i++)
		copy_init(&copies[i], target);
	r = collector_files_read(collector->files, &copies[0], parts);
	flush_begin(&collector->flush);
	flush_group(&collector->flush, target->group->path);
	if (r >= 0)
		r = records_read(collector, &copies[1], &compared);
	if (r >= 0)
		r = collector_files_read(collector->files, &copies[2], parts);
	if (r >= 0)
		bpf_check(bpf_cgroups_layout(collector->bpf), compared, &copies[0], &copies[1],
			  &copies[2], comparison);
	for (size_t i = 0; i < 3; i++)
		collector->files->ops->forget(collector->files, &copies[i]);
	return r;
}

/* One that goes meanwhile tells nothing. */
static void group_check(struct bpf_collector *collector, const struct target *target,
			unsigned int parts, struct bpf_verdict *ret)
{
	struct bpf_comparison comparison = { 0 };

	*ret = (struct bpf_verdict){ .value = SAMPLE_MAX };
	for (unsigned int i = 0; i < LIMIT_BPF_ATTEMPTS; i++) {
		if (group_attempt(collector, target, parts, &comparison) < 0) {
			*ret = (struct bpf_verdict){ .value = SAMPLE_MAX };
			return;
		}
		bpf_verdict(&comparison, ret);
		if (!(ret->differ | ret->moved))
			return;
	}
}

static void check_tell(struct bpf_collector *collector, const struct target *target,
		       const struct bpf_verdict *verdict)
{
	char names[128] = "";

	for (unsigned int i = 0; i < SAMPLE_PARTS; i++) {
		size_t length = strlen(names);

		if (verdict->differ & (1u << i))
			(void)snprintf(names + length, sizeof(names) - length, "%s%s",
				       length > 0 ? ", " : "", sample_part_name(1u << i));
	}
	(void)snprintf(collector->detail, sizeof(collector->detail),
		       "BPF does not agree with the files of '%.64s' on %s%s%s",
		       target->group->path, names, verdict->value < SAMPLE_MAX ? ", such as " : "",
		       verdict->value < SAMPLE_MAX ? sample_value_name(verdict->value) : "");
}

/* Biggest first; an order that is the same in the next pass, where nothing changed. */
static int target_compare(const void *a, const void *b)
{
	const struct target *left = *(struct target *const *)a, *right = *(struct target *const *)b;
	uint64_t left_bytes = left->sample.value[SAMPLE_MEMORY_BYTES];
	uint64_t right_bytes = right->sample.value[SAMPLE_MEMORY_BYTES];

	if (left_bytes != right_bytes)
		return left_bytes < right_bytes ? 1 : -1;
	return (left->id > right->id) - (left->id < right->id);
}

/* Of all parts that are not judged; those that no group told of are in neither of its masks. */
static void groups_check(struct bpf_collector *collector, struct bpf_verdict *ret)
{
	unsigned int open = collector->judge.open, looked = 0;
	size_t i;

	qsort(collector->targets, collector->count, sizeof(struct target *), target_compare);
	if (collector->check_from >= collector->count)
		collector->check_from = 0;
	for (i = collector->check_from; i < collector->count && looked < LIMIT_BPF_GROUPS && open;
	     i++) {
		const struct target *target = collector->targets[i];
		struct bpf_verdict verdict;

		if (target->address == 0 || target->gone)
			continue;
		looked++;
		group_check(collector, target, open, &verdict);
		open &= ~(verdict.agree | verdict.differ);
		ret->agree |= verdict.agree;
		ret->differ |= verdict.differ;
		if (verdict.differ)
			check_tell(collector, target, &verdict);
	}
	/* The same groups are asked again for what differed, others for what they do not tell. */
	collector->check_from = ret->agree | ret->differ ? 0 : i;
}

bool collect_bpf_check(struct bpf_collector *collector)
{
	unsigned int before = collector->parts, lost;
	struct bpf_verdict verdict = { 0 };
	uint64_t now = monotonic_usec();

	if (collector->judge.open == 0 || now < collector->check_after_usec)
		return false;
	groups_check(collector, &verdict);
	if (!(verdict.agree | verdict.differ))
		collector->check_after_usec = now + LIMIT_BPF_CHECK_USEC;
	lost = bpf_judge_pass(&collector->judge, &verdict);
	if (lost)
		log_warning("%s; these are read from files", collector->detail);
	collector->parts = (before | verdict.agree) & ~verdict.differ;
	if (collector->parts != before && collector->parts == collector->available)
		collect_bpf_explain(collector);
	return before & ~collector->parts;
}
