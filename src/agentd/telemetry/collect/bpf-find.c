/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/bpf-find.h"

#include <stdlib.h>

#include "cleanup.h"
#include "hierarchy.h"

#define FIND_AT_ONCE (FOUND_GROUPS / 2) /* other directories of this hierarchy are open, too */

static int target_compare(const void *a, const void *b)
{
	uint64_t left = (*(struct target *const *)a)->group->inode[CONTROLLER_CPU];
	uint64_t right = (*(struct target *const *)b)->group->inode[CONTROLLER_CPU];

	return (left > right) - (left < right);
}

static void found_apply(struct target **targets, size_t count, const struct found_group *found,
			size_t found_count)
{
	struct cgroup group = { 0 };
	struct target key = { .group = &group };
	const struct target *wanted = &key;

	qsort(targets, count, sizeof(*targets), target_compare);
	for (size_t i = 0; i < found_count; i++) {
		struct target **target;

		group.inode[CONTROLLER_CPU] = found[i].id;
		target = bsearch(&wanted, targets, count, sizeof(*targets), target_compare);
		if (!target)
			continue;
		(*target)->address = found[i].address;
		(*target)->serial = found[i].serial;
		(*target)->psi = found[i].psi;
	}
}

/* A few groups that are new: where are they in the kernel? */
static int groups_find(struct bpf_cgroups *bpf, const struct hierarchy *hierarchy,
		       struct target **targets, size_t count)
{
	const struct found_group *found;
	int fds[FIND_AT_ONCE];
	size_t found_count = 0;
	int r;

	/* Checked against the inode; what is gone is found out when it is read. */
	for (size_t i = 0; i < count; i++)
		fds[i] = cgroup_open(hierarchy, targets[i]->group, CONTROLLER_CPU);
	r = bpf_cgroups_find(bpf, &found, &found_count);
	for (size_t i = 0; i < count; i++)
		(void)close_keep_errno(fds[i]);
	if (r >= 0)
		found_apply(targets, count, found, found_count);
	return r;
}

int bpf_find(struct bpf_cgroups *bpf, const struct hierarchy *hierarchy,
	     struct target *const *targets, size_t count)
{
	struct target *some[FIND_AT_ONCE];
	size_t found = 0;
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		if (targets[i]->address == 0)
			some[found++] = targets[i];
		if (found == 0 || (found < FIND_AT_ONCE && i + 1 < count))
			continue;
		r = groups_find(bpf, hierarchy, some, found);
		found = 0;
	}
	return r;
}
