/* SPDX-License-Identifier: Apache-2.0 */
#include "source/glob.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "limits.h"
#include "macro.h"

int globs_add(struct globs *globs, const char *pattern)
{
	cleanup_free char *text = NULL;
	size_t depth = 1;
	struct glob *grown;
	int r;

	/* What is no path can match none either. */
	r = cgroup_path_check(pattern);
	if (r < 0)
		return -EINVAL;
	text = strdup(pattern);
	if (!text)
		return -ENOMEM;
	for (char *at = text; *at; at++)
		if (*at == '/') {
			*at = '\0';
			depth++;
		}
	if (depth > LIMIT_GLOB_DEPTH)
		return -EINVAL;
	grown = reallocarray(globs->globs, globs->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	globs->globs = grown;
	globs->globs[globs->count++] = (struct glob){ .text = TAKE_PTR(text), .depth = depth };
	return 0;
}

void globs_done(struct globs *globs)
{
	for (size_t i = 0; i < globs->count; i++)
		free(globs->globs[i].text);
	free(globs->globs);
	*globs = (struct globs){ 0 };
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
	for (size_t i = 0; i < globs->count; i++)
		match |= glob_match(&globs->globs[i], components, depth);
	return match;
}
