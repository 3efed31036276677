/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psi-stat.h - parse pressure.stat of openEuler's and Kylin's kernels (CONFIG_PSI_FINE_GRAINED):
 * for each cause its name on a line of its own, then lines as in the other pressure files:
 *
 *     swap
 *     some avg10=0.00 avg60=0.00 avg300=0.00 total=0
 *     full avg10=0.00 avg60=0.00 avg300=0.00 total=0
 */
#pragma once

#include "psi.h"

enum psi_cause {
	PSI_CGROUP_MEMORY_RECLAIM,
	PSI_GLOBAL_MEMORY_RECLAIM,
	PSI_COMPACT,
	PSI_CGROUP_ASYNC_MEMORY_RECLAIM,
	PSI_SWAP,
	PSI_CPU_CFS_BANDWIDTH,
	PSI_CPU_QOS,
	PSI_CAUSES
};

struct psi_stat {
	struct psi cause[PSI_CAUSES];
};

/* Causes and lines that are not known are passed over, any may be missing (which ones there are
 * differs between releases); a malformed number is -EINVAL, and so is a text without any cause that
 * is known. *ret is set only on success. */
int psi_stat_parse(const char *text, struct psi_stat *ret);
