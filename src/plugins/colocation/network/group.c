/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - offline workloads: each has the program that notes whose packets leave. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "network/internal.h"
#include "network/unified.h"

static void group_describe(struct network *network, const struct group *group)
{
	const char *text = "offline: leaves by offline's line";

	if (group->error == -ENOENT)
		text = "not paced: it is in no group of cgroup v2";
	else if (group->error == -EPERM)
		text = "not paced: its group or one above has a BPF program that allows no other";
	else if (group->error < 0)
		text = strerrordesc_np(-group->error);
	else if (group->link < 0)
		text = "not paced: no device is";
	network->agent->api->describe(network->agent, group->id, "network", text);
}

static int group_attach(struct network *network, const struct group *group)
{
	cleanup_close int fd = -EBADF;

	if (network->unified < 0)
		return network->unified == -ENODEV ? -ENOENT : network->unified;
	fd = unified_group_open(network->unified, group->cgroup);
	return fd < 0 ? fd : pace_programs_attach(network->programs, fd);
}

static void group_update(struct network *network, struct group *group, bool active)
{
	if (active && group->link < 0) {
		int r = group_attach(network, group);

		group->link = r < 0 ? -EBADF : r;
		group->error = r < 0 ? r : 0;
	} else if (!active) {
		group->link = close_keep_errno(group->link);
		group->error = 0;
	}
	group_describe(network, group);
}

static void group_free(struct group *group)
{
	group->link = close_keep_errno(group->link);
	free(group->cgroup);
	free(group);
}

int network_group_add(struct network *network, const struct berth_workload *workload)
{
	struct group *group = hashmap_get_u64(&network->groups, workload->id);
	int r;

	if (!group) {
		group = calloc(1, sizeof(*group));
		if (!group)
			return -ENOMEM;
		*group = (struct group){ .id = workload->id, .link = -EBADF };
		group->cgroup = strdup(workload->cgroup);
		r = group->cgroup ? hashmap_put_u64(&network->groups, group->id, group) : -ENOMEM;
		if (r < 0) {
			group_free(group);
			return r;
		}
	}
	if (network->by_bwm)
		network_bwm_class(network, group);
	else if (network->programs)
		group_update(network, group, network_is_active(network));
	return 0;
}

void network_group_remove(struct network *network, uint64_t id)
{
	struct group *group = hashmap_remove_u64(&network->groups, id);

	if (!group)
		return;
	network_bwm_unclass(network, group);
	network->agent->api->describe(network->agent, id, "network", NULL);
	group_free(group);
}

void network_groups_update(struct network *network)
{
	bool active = network->programs && network_is_active(network);
	struct group *group;

	hashmap_foreach (group, &network->groups)
		group_update(network, group, active);
	if (network->programs)
		pace_programs_set_groups(network->programs, (uint32_t)network->groups.count);
}

void network_groups_drop(struct network *network)
{
	struct group *group;

	hashmap_foreach (group, &network->groups)
		network_group_remove(network, group->id);
	hashmap_done(&network->groups);
}
