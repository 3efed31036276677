/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resctrl.h - shares of the caches and of the memory bandwidth, by /sys/fs/resctrl
 * (Documentation/filesystems/resctrl.rst): what the host has to give (resctrl/host.c), what a class
 * is to get of it (resctrl/value.c), the groups of Berth's classes (resctrl.c) and the threads in
 * them (resctrl/tasks.c).
 *
 * A class is a directory berth_NAME beside whatever others have made. It is ours if it carries our
 * mark, the mode of its directory: made with it by mkdir(2), so that there is no instant without,
 * and gone with it. What does not carry it is never written to or removed, whatever its name.
 *
 * What a class holds has one text, the same for all domains and whatever their numbers:
 *	absent			there is no such group
 *	foreign			there is one, and it is not ours
 *	L3=3 MB=20		masks in hexadecimal, bandwidth as the kernel counts it
 *	L3=3,8:7 MB=20		domain 8 is not as the first one
 * and what is asked for another: "l3=20 l2=100 mb=10 full_mbps=25600", in percent of what one
 *domain has. full_mbps: the bandwidth of a domain, where the kernel counts in megabytes or in units
 *of its own and so cannot tell what 100 percent are; without it such bandwidth is not limited.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"
#include "cgroup.h"
#include "hierarchy.h"
#include "limit.h"
#include "strbuf.h"
#include "sysroot.h"

#define RESCTRL_PATH    "sys/fs/resctrl" /* below the sysroot */
#define RESCTRL_ABSENT  "absent"
#define RESCTRL_FOREIGN "foreign"

enum resctrl_kind { RESCTRL_L3, RESCTRL_L2, RESCTRL_MB };

/* How the kernel counts bandwidth. */
enum resctrl_unit {
	RESCTRL_PERCENT,
	RESCTRL_MBPS, /* mounted with mba_MBps */
	RESCTRL_AMD,  /* steps of an eighth of a gigabyte a second */
};

struct resctrl_resource {
	char name[16]; /* of its lines in schemata: "L3", "L3CODE", "L2", "MB" */
	enum resctrl_kind kind;
	/* A cache: the bits that there are, those that a device may use too, those that somebody
	 * has for himself, and how many a mask needs at least. */
	uint64_t bits, shared, taken, bits_min;
	/* Bandwidth. highest: what the default group has. */
	enum resctrl_unit unit;
	uint64_t lowest, step, highest;
	bool is_fixed; /* the kernel takes no value: a delay that is not linear */
	uint32_t domains[LIMIT_RESCTRL_DOMAINS];
	size_t domain_count;
};

struct resctrl_host {
	struct resctrl_resource resources[LIMIT_RESCTRL_RESOURCES];
	size_t count;
	uint64_t closids; /* groups that there may be, the default one counted; 0: not told */
};

#define RESCTRL_CLASSES ((unsigned int)CACHE_CLASSES)

struct resctrl_share {
	uint64_t percent[3]; /* by enum resctrl_kind */
	uint64_t full_mbps;  /* 0: not told */
};

/* resctrl/host.c */
/* The mounted directory, the caller's to close. -ENODEV: not mounted. */
int resctrl_open(const struct sysroot *root);
/* -EOPNOTSUPP: mounted, and nothing in it that Berth could share out. */
int resctrl_host_read(const struct sysroot *root, int resctrl_fd, struct resctrl_host *ret);

/* resctrl/value.c */
/* -EINVAL: no such text. What is not mentioned is 100 percent. */
int resctrl_share_parse(const char *text, struct resctrl_share *ret);
/* So many percent of the cache as one run of bits, away from what others have for themselves (else
 * fewer bits), and as far as it can be from what devices use too. 0: no run of bits is free. */
uint64_t resctrl_mask(const struct resctrl_resource *resource, uint64_t percent);
/* On the kernel's grid and never above what was asked for, but for the least that it takes. */
uint64_t resctrl_bandwidth(const struct resctrl_resource *resource,
			   const struct resctrl_share *share);
/* The share as the text of a class. -ENOSPC: no cache bits are free; -EMSGSIZE. */
int resctrl_format(const struct resctrl_host *host, const struct resctrl_share *share, char *text,
		   size_t size);
/* The kernel's schemata as that text. -EINVAL: it is none. */
int resctrl_summary(const struct resctrl_host *host, const char *schemata, char *text, size_t size);
/* That text as the kernel's schemata, a line a resource. -EINVAL. */
int resctrl_expand(const struct resctrl_host *host, const char *text, struct strbuf *schemata);

/* resctrl.c */
/* "berth_low": 0 to RESCTRL_CLASSES - 1, enum cache_class. */
const char *resctrl_class_group(unsigned int class);
/* The class of KNOB_CACHE_LOW and so on; -EINVAL: not such a knob. */
int resctrl_class_of(enum knob knob);
/* 1 ours, 0 somebody else's, -ENOENT. */
int resctrl_is_ours(int resctrl_fd, const char *group);
int resctrl_read(const struct sysroot *root, int resctrl_fd, unsigned int class, char *text,
		 size_t size);
/* Makes the group where it is missing; "absent" removes it. -EEXIST: there is one that is not ours.
 * -ENOSPC: the hardware has no more groups. */
int resctrl_write(const struct sysroot *root, int resctrl_fd, unsigned int class, const char *text);
/* Why the last write failed, a phrase: the kernel's own last_cmd_status too. */
void resctrl_explain(int resctrl_fd, unsigned int class, int error, char *text, size_t size);

/* resctrl/tasks.c */
/* Every thread of the group, and of those below it, that is in the default group or in one of ours
 * joins the class; threads that somebody has put elsewhere are left there. How many were moved;
 * -ENXIO: the class has no group (yet); -ENOENT, -ESTALE: the cgroup is gone; -E2BIG: those that
 * fit were moved; or the last -errno when a thread that lives was refused. */
int resctrl_tasks_join(const struct sysroot *root, const struct hierarchy *hierarchy,
		       const struct cgroup *group, unsigned int class);
/* And back to the default group, those that are in the class. */
int resctrl_tasks_leave(const struct sysroot *root, const struct hierarchy *hierarchy,
			const struct cgroup *group, unsigned int class);
