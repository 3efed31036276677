/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capability.h - what this host can do, found by trying the files, never by kernel version: once at
 * start, again on reload and when a file is missing that was there.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"
#include "hierarchy.h"
#include "sysroot.h"

enum feature {
	FEATURE_CGROUP,
	FEATURE_PSI,
	FEATURE_CGROUP_PSI,
	FEATURE_BPF,
	FEATURE_RESCTRL,
	FEATURE_ROOT,
	FEATURE_MAX
};

struct capability {
	bool available;
	bool multilevel;  /* of KNOB_CPU_QOS_LEVEL: takes -2 to 2 */
	char detail[160]; /* "/sys/fs/cgroup/cpu/GROUP/cpu.idle", or why not and what to do */
};

/* Whether it is there, and `detail`. For those who probe. */
__attribute__((format(printf, 3, 4))) void capability_tell(struct capability *capability,
							   bool available, const char *format, ...);

struct capabilities {
	struct capability knobs[KNOB_MAX];
	struct capability features[FEATURE_MAX];
};

const char *feature_name(enum feature feature); /* "cgroup", "psi", … */

/* sample_group: path of an existing group to look at where a probe group cannot be made; may be
 * NULL. Makes and removes a group "berth.probe" of its own in each hierarchy that it can write. */
void capabilities_probe(const struct sysroot *root, const struct hierarchy *hierarchy,
			const char *sample_group, struct capabilities *ret);
