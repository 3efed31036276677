/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hierarchy.h - which cgroup controller is mounted where, and as which version. Read from
 * /proc/self/mounts by getmntent(3) below the sysroot: cgroup v2, v1 (each controller its own mount
 * or joined, "cpu,cpuacct"), or hybrid (v1 controllers beside a cgroup2 mount without them).
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/cgroups.rst.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sysroot.h"

enum controller {
	CONTROLLER_CPU,
	CONTROLLER_CPUACCT, /* on v2 the same as cpu */
	CONTROLLER_CPUSET,
	CONTROLLER_MEMORY,
	CONTROLLER_IO, /* blkio on v1 */
	CONTROLLER_PIDS,
	CONTROLLER_MAX,
};

enum hierarchy_mode {
	HIERARCHY_NONE, /* no cgroup mount at all: everything that needs one is off */
	HIERARCHY_V1,   /* v1 and hybrid: the controllers that Berth uses are on v1 */
	HIERARCHY_V2,
};

struct hierarchy_mount {
	int fd;      /* O_PATH of its root; -EBADF: not mounted */
	int version; /* 1 or 2; 0: not mounted */
	char *path;  /* below the sysroot, such as "/sys/fs/cgroup/cpu,cpuacct" */
	int same_as; /* index of the first controller on the same mount; its own index if first */
};

struct hierarchy {
	enum hierarchy_mode mode;
	struct hierarchy_mount mounts[CONTROLLER_MAX];
};

/* The names: "cpu", "cpuacct", "cpuset", "memory", "io", "pids"; "none", "v1", "v2". */
const char *controller_name(enum controller controller);
const char *hierarchy_mode_name(enum hierarchy_mode mode);

/* 0 also when nothing is mounted (mode HIERARCHY_NONE); -errno if the mount table cannot be read.
 */
int hierarchy_open(const struct sysroot *root, struct hierarchy *ret);
void hierarchy_done(struct hierarchy *hierarchy);
