/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nested.h - lists of CPUs in groups that contain each other. cgroup v1 holds them to it: a group's
 * list is within its parent's (EACCES) and contains those of its children (EBUSY), and while the
 * group has tasks it is never empty (ENOSPC); runtimes give each group below a copy.
 * kernel/cgroup/cpuset.c, validate_change(). On v2 a list is a wish, of which the kernel takes what
 * the parent has. Here are the files; claim/nested.c knows who holds what.
 */
#pragma once

#include <dirent.h>

#include "actuator/knob/writer.h"
#include "cpulist.h"

/* Is this the version in which the knob has to fit the groups above and below? */
bool knob_is_nested(enum knob knob, int version);

/* What the parent has; empty where it cannot be told. */
void nested_parent(const struct knob_file *file, struct cpulist *ret);
/* As much of it as the parent has; nothing in common: what the parent has. */
void nested_bound(const struct knob_file *file, struct cpulist *list);

/* Groups below that hold `from` without a record of ours were made, by copy, while that was the
 * value of the group: they get `to`. keep(): this group is somebody's own. */
void nested_restore_below(const struct knob_place *place, const char *from, const char *to,
			  bool (*keep)(void *data, const char *path), void *data);

/* The directories of the groups below; NULL: none, or none any more. */
DIR *nested_below_open(int dirfd);
const char *nested_below_next(DIR *dir);
/* -ENAMETOOLONG: too long, or more than LIMIT_CPUSET_LEVELS deep. */
int nested_below_path(const char *parent, const char *name, char path[static CGROUP_PATH_MAX]);
