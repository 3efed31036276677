/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/tree/tree-source.h"

struct cgroupfs {
	struct tree_source tree;
	size_t bad_globs;
};

static_assert(offsetof(struct cgroupfs, tree) == 0, "the source is allocated as its whole");

static struct cgroupfs *cgroupfs_of(struct tree_source *tree)
{
	return container_of(tree, struct cgroupfs, tree);
}

/* The registry looks at the directory itself, so that an event never needs to be believed. */
static bool group_look(void *data, const char *path)
{
	struct tree_source *tree = data;
	struct registry *registry = tree->source.context->registry;
	const struct workload_record record = {
		.kind = "cgroup",
		.namespace = "",
		.name = path,
		.cgroup = path,
	};
	int r;

	r = registry_put(registry, source_cgroupfs.name, source_cgroupfs.rank, &record);
	if (r == 0)
		return true;
	if (r == -ENOENT) {
		registry_drop(registry, source_cgroupfs.name, path);
	} else if (r != -ENOSPC) {
		tree->source.errors++;
		log_debug("ignoring cgroup '%s': %s", path, strerrordesc_np(-r));
	}
	return false;
}

static void snapshot_begin(struct tree_source *tree)
{
	registry_snapshot_begin(tree->source.context->registry, source_cgroupfs.name);
}

static void snapshot_end(struct tree_source *tree)
{
	registry_snapshot_end(tree->source.context->registry, source_cgroupfs.name);
}

static void ready(struct tree_source *tree)
{
	size_t bad = cgroupfs_of(tree)->bad_globs;

	if (bad > 0)
		source_set_state(&tree->source, SOURCE_READY,
				 "%zu globs, %zu of no use, %zu groups", tree->globs.count + bad,
				 bad, tree->source.workloads);
	else
		source_set_state(&tree->source, SOURCE_READY, "%zu globs, %zu groups",
				 tree->globs.count, tree->source.workloads);
}

static const struct tree_source_ops cgroupfs_tree_ops = {
	.look = group_look,
	.begin = snapshot_begin,
	.end = snapshot_end,
	.ready = ready,
};

static int globs_read(struct cgroupfs *self, char *const *patterns)
{
	int r;

	for (; patterns && *patterns; patterns++) {
		r = self->tree.globs.count < LIMIT_GLOBS ? globs_add(&self->tree.globs, *patterns)
							 : -ENOSPC;
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			continue;
		self->bad_globs++;
		self->tree.source.errors++;
		log_warning("ignoring '%s' of sources.cgroups.paths: %s", *patterns,
			    r == -ENOSPC ? "too many"
					 : "expected a path of at most 32 components below the "
					   "cgroup root, like kubepods.slice/*");
	}
	return 0;
}

static int cgroupfs_apply(struct source *source, const struct settings *settings)
{
	struct tree_source *tree = tree_source_of(source);
	struct cgroupfs *self = cgroupfs_of(tree);
	int r;

	tree_source_close(tree);
	self->bad_globs = 0;
	r = globs_read(self, settings->cgroup_paths);
	if (r < 0)
		return r;
	if (tree->globs.count > 0)
		return tree_source_open(tree);
	if (self->bad_globs > 0)
		tree_source_idle(tree, SOURCE_DOWN, "no valid path in sources.cgroups.paths");
	else
		tree_source_idle(tree, SOURCE_OFF, "no path in sources.cgroups.paths");
	return 0;
}

static struct source *cgroupfs_free(struct source *source)
{
	if (!source)
		return NULL;
	tree_source_close(tree_source_of(source));
	free(cgroupfs_of(tree_source_of(source)));
	return NULL;
}

static int cgroupfs_new(const struct source_context *context, struct source **ret)
{
	return tree_source_new(&source_cgroupfs, &cgroupfs_tree_ops, sizeof(struct cgroupfs),
			       context, ret);
}

const struct source_ops source_cgroupfs = {
	.name = "cgroups",
	.rank = 30,
	.new = cgroupfs_new,
	.apply = cgroupfs_apply,
	.free = cgroupfs_free,
};
