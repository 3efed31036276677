/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf-cgroups.h - cgroups.bpf.c in the kernel: load it, find groups, read chunks of them. Loading
 * reads the kernel's type information (BTF) and waits for the verifier: 100 ms and much more on a
 * slow machine, megabytes that are freed after. So new() may be called on another thread.
 */
#pragma once

#include "telemetry/collect/cgroup-layout.h"

struct bpf_cgroups;

/* sys: the host's /sys, where reasons are. 0; -errno with the reason, for people, in ret_detail. */
int bpf_cgroups_new(int root, struct bpf_cgroups **ret, char *ret_detail, size_t size);
struct bpf_cgroups *bpf_cgroups_free(struct bpf_cgroups *bpf);

/* Where values are; the caller may drop some. */
struct cgroup_layout *bpf_cgroups_layout(struct bpf_cgroups *bpf);
/* cpu.stat brings the counters of all controllers up to date, or only its own (since 6.16). */
bool bpf_cgroups_flush_by_subsystem(const struct bpf_cgroups *bpf);

/* RECORD_COUNT of them, in memory that is shared with the kernel. */
struct cgroup_record *bpf_cgroups_records(struct bpf_cgroups *bpf);
/* Fill the first `count`, whose address and serial are set; cpu_only: but for memory and io. 0 or
 * -errno. */
int bpf_cgroups_read(struct bpf_cgroups *bpf, uint32_t count, bool cpu_only);

/* Where the groups are in the kernel whose directories this thread has open now: *ret_count of
 * them, valid until the next call. 0 or -errno. */
int bpf_cgroups_find(struct bpf_cgroups *bpf, const struct found_group **ret, size_t *ret_count);
