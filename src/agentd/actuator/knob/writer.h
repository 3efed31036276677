/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - the one place where a knob's file is written. A file is opened for one change and
 * closed again: a thousand groups cost no fds, and the inode check of cgroup_open() keeps a write
 * from hitting a successor of the same name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "actuator/knob/table.h"
#include "cgroup.h"
#include "cleanup.h"
#include "sysroot.h"

struct knob_place {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	const struct cgroup *group; /* NULL for a host knob */
	enum knob knob;
	uint32_t device; /* of a KNOB_DEVICE, else 0; knob/line.h */
};

/* An open knob. Zero-initialise with KNOB_FILE_NULL. */
struct knob_file {
	const struct sysroot *root; /* of a KNOB_RESCTRL */
	int dirfd, fd;
	int version;
	enum knob knob;
	uint32_t device;
	const char *name;
};

#define KNOB_FILE_NULL                        \
	{                                     \
		.dirfd = -EBADF, .fd = -EBADF \
	}

/* The version of the knob's hierarchy; 1 for a host knob; 0: nowhere. */
int knob_place_version(const struct knob_place *place);

/* For reading and writing, or for reading only. -ENOENT, -ESTALE: the group is gone; -ENXIO: the
 * group is there, the file is not (yet); -EOPNOTSUPP: no such knob in this version; -errno. */
int knob_file_open(const struct knob_place *place, bool writable, struct knob_file *ret);
void knob_file_done(struct knob_file *file);

/* The knob's text: what the file holds without its newline, or the knob's part of it. -EMSGSIZE:
 * longer than that. */
int knob_file_read(const struct knob_file *file, char *text, size_t size);
int knob_file_write(const struct knob_file *file, const char *text);

#define cleanup_knob_file CLEANUP(knob_file_done)
