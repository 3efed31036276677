/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - a look at QEMU processes, for the worker: reading a command line waits for the
 * process's memory lock, which a machine that swaps may hold for long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "hierarchy.h"
#include "sysroot.h"

/* What was seen of one machine; texts are NULL where nothing was. */
struct machine_finding {
	char *cgroup;
	pid_t leader; /* 0: no QEMU process in it (yet) */
	char *name, *uuid;
	char *vcpus, *emulator, *iothreads, *threads; /* for explain */
	bool has_groups;                              /* of vCPUs */
};

struct machine_look {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	char **groups; /* to look at */
	size_t group_count;
	bool walk; /* and at every process, for machines that no group's name tells of */
	/* Filled in: of the groups, in their order; then of the walk. */
	struct machine_finding *findings;
	size_t count, capacity;
	size_t shared; /* QEMU processes that have no group to themselves */
	bool seen;     /* the walk saw a QEMU process, whosever */
};

int machine_look_new(const struct sysroot *root, const struct hierarchy *hierarchy, bool walk,
		     struct machine_look **ret);
struct machine_look *machine_look_free(struct machine_look *look);
int machine_look_add(struct machine_look *look, const char *group); /* before it runs */
/* On a thread: data is a struct machine_look. 0 or -ENOMEM. */
int machine_look_run(void *data);

void machine_finding_done(struct machine_finding *finding);

/* machine/group.c: fill in what is to be seen of the group. leader: 0: look for it. -ENOMEM. */
int machine_group_look(const struct sysroot *root, const struct hierarchy *hierarchy,
		       const char *group, pid_t leader, struct machine_finding *ret);
/* machine/process.c: the group that the QEMU process pid has to itself, or NULL with *ret_shared
 * set if it has none, or NULL where it is not for us: in a pod. -ENOMEM. */
int machine_process_group(const struct sysroot *root, const struct hierarchy *hierarchy, pid_t pid,
			  char **ret_group, bool *ret_shared);
