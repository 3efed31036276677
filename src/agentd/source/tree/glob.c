/* SPDX-License-Identifier: Apache-2.0 */
#include "source/tree/glob.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "limit.h"

int globs_add(struct globs *globs, const char *pattern)
{
	size_t length = strlen(pattern);
	struct glob *glob;
	size_t depth = 1;

	/* What is no path can match none either. */
	if (cgroup_path_check(pattern) < 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		depth += pattern[i] == '/';
	if (depth > LIMIT_GLOB_DEPTH)
		return -EINVAL;
	glob = calloc(1, sizeof(*glob) + length + 1);
	if (!glob)
		return -ENOMEM;
	glob->depth = depth;
	for (size_t i = 0; i < length; i++)
		glob->text[i] = (char)(pattern[i] == '/' ? '\0' : pattern[i]);
	glob->next = globs->first;
	globs->first = glob;
	globs->count++;
	return 0;
}

void globs_done(struct globs *globs)
{
	while (globs->first) {
		struct glob *next = globs->first->next;

		free(globs->first);
		globs->first = next;
	}
	globs->count = 0;
}

/* Components are NUL separated on both sides. */
static unsigned int glob_match(const struct glob *glob, const char *path, size_t depth)
{
	const char *pattern = glob->text;

	if (depth > glob->depth)
		return 0;
	for (size_t i = 0; i < depth; i++) {
		if (fnmatch(pattern, path, 0) != 0)
			return 0;
		pattern += strlen(pattern) + 1;
		path += strlen(path) + 1;
	}
	return depth == glob->depth ? GLOB_TARGET : GLOB_INNER;
}

unsigned int globs_match(const struct globs *globs, const char *path)
{
	char components[CGROUP_PATH_MAX];
	size_t length = strlen(path), depth = length > 0;
	unsigned int match = 0;

	if (length >= sizeof(components))
		return 0;
	memcpy(components, path, length + 1);
	for (size_t i = 0; i < length; i++)
		if (components[i] == '/') {
			components[i] = '\0';
			depth++;
		}
	for (const struct glob *glob = globs->first; glob; glob = glob->next)
		match |= glob_match(glob, components, depth);
	return match;
}
