/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disks.h - the whole disks of this host, as /sys/block has them: what io.max and io.cost take. The
 * kernel answers ENODEV to a partition, so one is told apart here and named.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DISKS_MAX 256u /* more are not looked at */

struct disk {
	char name[32];   /* "sda" */
	uint64_t device; /* dev_t */
	uint64_t is_bfq; /* its scheduler is bfq, at the time of reading */
};

struct disks {
	struct disk items[DISKS_MAX];
	size_t count;
};

/* Where sysfs is; tests have one of their own. */
extern const char *disks_sys;

/* By name; without those of no size, such as unused loop devices. 0 or -errno, and then none. */
int disks_read(struct disks *ret);

/* "/dev/sda", "sda" or "8:0". 0; -ENOENT: not here; -EINVAL: a partition, or no such name at all.
 * reterr says which, for people. */
int disks_find(const struct disks *disks, const char *text, const struct disk **ret, char *reterr,
	       size_t size);
