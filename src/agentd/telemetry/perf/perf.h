/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf.h - cycles, instructions, and references and misses of the last-level cache of a workload's
 * group (sample values), counted by the CPUs in windows that somebody asks for. Between windows no
 * file is open and nothing is counted. A window needs four fds for each CPU: so many workloads are
 * counted at once as LIMIT_PERF_FDS lets, the others have to wait for their turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cgroup.h"
#include "hashmap.h"

struct perf;

struct perf_kind;

/* event NULL: nothing can be counted. kind NULL: perf_hardware (perf/probe.h). 0 or -ENOMEM. The
 * root, the hierarchy and the kind are borrowed. */
int perf_new(const struct sysroot *root, const struct hierarchy *hierarchy, sd_event *event,
	     const struct perf_kind *kind, struct perf **ret);
struct perf *perf_free(struct perf *perf);

/* Can this host count by group? Tried once. *ret_reason, valid until perf_recheck(), says why not,
 * or by what. */
bool perf_available(struct perf *perf, const char **ret_reason);
/* The policy was read again: so try again. */
void perf_recheck(struct perf *perf);

/* Count this workload (by its id) from now on until usec from now, or longer if it is being counted
 * for longer. Files are opened and closed from the loop, a few at a time. 0; -EOPNOTSUPP as
 * perf_available(); -ENOSPC: so many are counted that it has to wait; -ERANGE: for longer than
 * LIMIT_PERF_USEC; -ENOENT, -ESTALE: the group went, or is not in the hierarchy of perf_event;
 * -ENOMEM. */
int perf_count(struct perf *perf, uint64_t id, const struct cgroup *group, uint64_t usec);
/* How many workloads have room at once. */
unsigned int perf_room(struct perf *perf);
/* fds that are open for it now. */
unsigned int perf_files(const struct perf *perf);

/* Bring the values of those that were ever counted up to now, in their records (struct target by
 * id). */
void perf_pass(struct perf *perf, const struct hashmap *targets);
/* The workload goes. */
void perf_forget(struct perf *perf, uint64_t id);
