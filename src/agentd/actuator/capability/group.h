/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group.h - the group that files are tried in: "berth.probe" below the root of each
 * hierarchy, made and removed again, since the root itself lacks most of them (NOT_ON_ROOT). Where
 * none can be made (a read-only mount, a fixture tree that is no cgroup file system) the sample
 * group is looked at and nothing is written.
 */
#pragma once

#include <stdbool.h>

#include "hierarchy.h"

struct probe_group {
	const struct hierarchy_mount *mount;
	int top;     /* of the hierarchy's root; -EBADF: not mounted, or error says why */
	int fd;      /* of the group's directory; -EBADF: error says why */
	int error;   /* -errno */
	bool is_own; /* it is berth.probe: may be written to */
	bool remove; /* this entry removes it; the others of the mount share it */
};

/* CONTROLLER_MAX of them, one for each controller. */
void probe_groups_open(const struct hierarchy *hierarchy, const char *sample_group,
		       struct probe_group *groups);
/* False when another daemon's probe has removed the group meanwhile: what was found is void. */
bool probe_groups_close(struct probe_group *groups);

/* v2: in cgroup.controllers, in cgroup.subtree_control of the root? */
bool probe_group_offers(const struct probe_group *group, enum controller controller);
bool probe_group_enables(const struct probe_group *group, enum controller controller);

int probe_group_write(const struct probe_group *group, const char *file, const char *text);
/* Only ask whether it could be read and written: a file of lines is not written back. */
int probe_group_see(const struct probe_group *group, const char *file);
/* Write back what the file holds, in the group of our own; elsewhere only ask for the permission.
 * 0; -ENOENT no such file; -errno as the kernel refuses. */
int probe_group_try(const struct probe_group *group, const char *file);
