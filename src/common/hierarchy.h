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

#define HIERARCHY_DIR_MAX 32u

struct hierarchy_mount {
	/* O_PATH; -EBADF: not mounted. Of v2 it is the root. v1's mounts are in one directory, and
	 * its fd does for all of them: hierarchy_at() and hierarchy_open_root() go on from there.
	 */
	int fd;
	char dir[HIERARCHY_DIR_MAX]; /* from the fd to the root: "memory/"; "": it is the fd */
	int version;                 /* 1 or 2; 0: not mounted */
	char *path;                  /* below the sysroot, such as "/sys/fs/cgroup/cpu,cpuacct" */
	int same_as; /* index of the first controller on the same mount; its own index if first */
};

struct hierarchy {
	enum hierarchy_mode mode;
	struct hierarchy_mount mounts[CONTROLLER_MAX];
	/* Where counters of perf_event_open(2) find groups: the v1 mount of perf_event (version 1),
	 * else cgroup2, which has that controller in every group without offering it (version 2).
	 * No group is watched or made there. NULL and 0: neither is mounted. */
	char *perf_event; /* below the sysroot */
	int perf_event_version;
	/* The v1 mount of net_cls, which v2 has not: what is known of a group is its path. No group
	 * is watched or made there. Below the sysroot; NULL: not mounted. */
	char *net_cls_path;
	/* The directory in which the first v1 mount is, its fd that of the mounts in it. */
	char *v1_path;
	int v1_fd;
};

/* The names: "cpu", "cpuacct", "cpuset", "memory", "io", "pids"; "none", "v1", "v2". */
const char *controller_name(enum controller controller);
const char *hierarchy_mode_name(enum hierarchy_mode mode);

/* 0 also when nothing is mounted (mode HIERARCHY_NONE); -errno if the mount table cannot be read.
 */
int hierarchy_open(const struct sysroot *root, struct hierarchy *ret);
void hierarchy_done(struct hierarchy *hierarchy);
/* What a group of a mount, "" is its root, is called from mount->fd: in buffer, or path itself. */
#define HIERARCHY_PATH_MAX (HIERARCHY_DIR_MAX + 1152u) /* a file of a group, too */
const char *hierarchy_at(const struct hierarchy_mount *mount, const char *path,
			 char buffer[static HIERARCHY_PATH_MAX]);
/* Its root itself, the caller's to close; flags: O_PATH, O_RDONLY. -ENODEV: not mounted. */
int hierarchy_open_root(const struct hierarchy_mount *mount, int flags);
/* Of a group, "" is the root, where perf_event is: an O_RDONLY|O_DIRECTORY fd, the caller's to
 * close. Few ask for one, so none is kept. -EOPNOTSUPP: mounted nowhere; -errno. */
int hierarchy_open_perf_event(const struct hierarchy *hierarchy, const struct sysroot *root,
			      const char *group);
/* The same where net_cls is; -ENODEV: not mounted. */
int hierarchy_open_net_cls(const struct hierarchy *hierarchy, const struct sysroot *root,
			   const char *group);
