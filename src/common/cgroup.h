/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - one control group, read side. A group is named by its path below the root of every
 * hierarchy ("kubepods.slice/x", no leading slash) and identified by the inode number of its
 * directory there, which the kernel does not reuse (kernfs ids are 64 bit since 5.5): a group that
 * is removed and made again under the same path is another group.
 *
 * No fd is kept: a group is opened when it is needed and checked against its inode, so that a
 * thousand groups cost no fds and a write can never hit a successor.
 */
#pragma once

#include <stdint.h>

#include "hierarchy.h"

#define CGROUP_PATH_MAX 1024u /* bytes with NUL; deeper paths are refused with -ENAMETOOLONG */

/* The controllers whose hierarchies are watched, and decide whether a group is there. On v1
 * runtimes and libvirt make and remove a group in one hierarchy after the other, in any order. */
#define CGROUP_WATCHED 3u
extern const enum controller cgroup_watched[CGROUP_WATCHED];

struct cgroup {
	char *path;
	uint64_t inode[CONTROLLER_MAX]; /* 0: not there in that hierarchy (v1 makes them one by one)
					 */
};

/* -EINVAL for "", absolute paths, "." or ".." components and control characters. */
int cgroup_path_check(const char *path);

/* 0; -ENOENT when it is in no hierarchy that is watched, or where none of those is mounted, in none
 * at all: a group that is left in another one would stay for ever. */
int cgroup_new(const struct hierarchy *hierarchy, const char *path, struct cgroup **ret);
struct cgroup *cgroup_free(struct cgroup *group);

/* An O_RDONLY|O_DIRECTORY fd, the caller's to close. -ENOENT: not there (any more); -ESTALE:
 * another group has the path now; -ENODEV: the controller is mounted nowhere. */
int cgroup_open(const struct hierarchy *hierarchy, const struct cgroup *group,
		enum controller controller);
