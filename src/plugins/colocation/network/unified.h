/* SPDX-License-Identifier: Apache-2.0 */
/* unified.h - a workload's directory in the cgroup v2 hierarchy, which BPF programs go by, on a
 * host whose controllers may all be on v1. */
#pragma once

/* An O_PATH fd of its root; -ENODEV: cgroup v2 is mounted nowhere. */
int unified_open(void);
/* O_RDONLY; -ENOENT: the group is not there. */
int unified_group_open(int root, const char *path);
