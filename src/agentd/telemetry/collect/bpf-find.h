/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf-find.h - where groups are in the kernel, by opening their directories for a moment.
 */
#pragma once

#include "telemetry/collect/bpf-cgroups.h"

struct hierarchy;

/* Sets the address and serial number of targets that have none. A group that is gone keeps none,
 * and is no error. 0 or -errno. */
int bpf_find(struct bpf_cgroups *bpf, const struct hierarchy *hierarchy,
	     struct target *const *targets, size_t count);
