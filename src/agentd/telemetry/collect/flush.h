/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush.h - bring the counters of groups up to date. The kernel adds the CPUs' shares up when a
 * file that shows them is read (rstat); who reads its memory directly has that done first, once for
 * each group below the root, which covers all groups in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limit.h"

#define FLUSH_FILES 3u

struct flush_group {
	char *name;
	size_t length; /* of the name */
	int fds[FLUSH_FILES];
	uint64_t pass; /* the last one that wanted it */
};

struct flush {
	int root;           /* of the hierarchy, borrowed */
	unsigned int files; /* of each group that are read */
	struct flush_group groups[LIMIT_FLUSH_GROUPS];
	unsigned int count, last;
	uint64_t pass;
};

/* by_subsystem: a file of each controller must be read, not only cpu.stat. */
void flush_init(struct flush *flush, int root, bool by_subsystem);
/* Files are closed; it may be used again. */
void flush_rest(struct flush *flush);

/* One pass: begin, the path of each group that will be read, end. */
void flush_begin(struct flush *flush);
void flush_group(struct flush *flush, const char *path);
void flush_end(struct flush *flush);
