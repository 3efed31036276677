/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - virtual machines, heard of in three ways: systemd-machined (machine/bus.c),
 * the names of cgroups (machine/tree.c), QEMU's processes (machine/look.h, on a worker). What they
 * say of one cgroup is put together in machine/table.c; machine.c holds the state and the clock.
 */
#pragma once

#include "hashmap.h"
#include "source/machine/bus.h"
#include "source/machine/look.h"
#include "source/tree/tree-source.h"
#include "worker/pool.h"

#define MACHINE_VIA_BUS     "machined"
#define MACHINE_VIA_SCOPE   "scope name"
#define MACHINE_VIA_PROCESS "command line"

struct machine {
	struct machines *machines;
	char *cgroup;
	char *scope_name; /* in the tree under this name; NULL: not */
	char *bus_name;   /* machined's; NULL: it does not know it */
	char *bus_uuid;
	pid_t bus_leader;
	bool walked; /* a QEMU process has the group to itself */
	struct machine_finding found;
	bool told;       /* to the registry */
	const char *via; /* as it was told */
	/* Looks at its processes: more than one, since libvirt makes the group before it runs QEMU
	 * and the vCPUs' groups after. */
	unsigned int looks;
	uint64_t due_usec;     /* of the next one; 0: none but the walk's */
	int pid_fd;            /* of a machine that nothing but a walk would see end */
	sd_event_source *exit; /* on it */
};

struct machines {
	struct tree_source tree; /* machine/tree.c */
	uint64_t enabled;        /* enum auto_switch */
	struct hashmap by_cgroup;
	size_t told; /* of them: to the registry */
	struct machine_bus bus;
	/* Looks, one at a time. */
	struct worker_pool *pool;
	struct machine_look *look; /* under way */
	bool walk_again;           /* asked for meanwhile */
	bool walked;               /* once */
	bool qemu_seen;
	size_t shared;
	uint64_t walk_due_usec; /* 0: none */
	sd_event_source *timer;
	uint64_t armed_usec; /* what the timer waits for; UINT64_MAX: nothing */
};

/* machine.c: something changed that the state shows. */
void machines_update_state(struct machines *self);
/* machine.c: set the clock for what is due next. */
void machines_arm(struct machines *self);
/* machine.c: or at least for this. */
void machines_arm_by(struct machines *self, uint64_t due_usec);
/* machine.c: look at every process soon. */
void machines_walk(struct machines *self);

/* machine/table.c */
/* A group with the name of a machine, which may be new or gone. True if it is there. */
bool machines_hear_tree(struct machines *self, const char *cgroup, const char *name);
/* Events of the tree may have been lost: are those from there still there? */
void machines_check_tree(struct machines *self);
/* machined has it, or has not (name NULL). */
void machines_hear_bus(struct machines *self, const char *cgroup, const char *name,
		       const char *uuid, pid_t leader);
/* A look has ended; takes the findings' texts over. */
void machines_hear_look(struct machines *self, struct machine_look *look);
/* Forget all, and tell the registry, which at the end may be gone before its sources. */
void machines_table_clear(struct machines *self, bool tell);

/* machine/tree.c */
extern const struct tree_source_ops machines_tree_ops;
/* Where the groups of machines may be. 0 or -ENOMEM. */
int machines_tree_patterns(struct globs *globs);
struct machines *machines_of(struct tree_source *tree);
