/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob.h - patterns for cgroup paths, "kubepods.slice/ * / *" (without the blanks): one fnmatch(3)
 * pattern a component, no component matches more than one. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct glob {
	struct glob *next;
	size_t depth;
	char text[]; /* the components, NUL between them */
};

struct globs {
	struct glob *first;
	size_t count;
};

enum glob_match {
	GLOB_TARGET = 1 << 0, /* a whole pattern matches the path */
	GLOB_INNER = 1 << 1,  /* something below the path could match */
};

/* Add one. -EINVAL: empty, absolute, an empty component, "." or "..", too deep; -ENOMEM. */
int globs_add(struct globs *globs, const char *pattern);
void globs_done(struct globs *globs);

/* Bits of enum glob_match. "" is the root of the hierarchy, never a target. */
unsigned int globs_match(const struct globs *globs, const char *path);
