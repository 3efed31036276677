/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - the host's own line of the snapshot, from /proc/stat, /proc/meminfo and /proc/pressure.
 */
#pragma once

#include "sysroot.h"
#include "telemetry/snapshot.h"

/* Fill what can be read and leave the rest as it was. The number of files that could not be read
 * although the host has them. */
unsigned int node_read(const struct sysroot *root, uint64_t clock_ticks,
		       struct snapshot_node *node);
