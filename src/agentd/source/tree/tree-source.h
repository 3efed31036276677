/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree-source.h - what a source that watches the cgroup tree is made of, besides what it looks for:
 * the watch tree on the loop, scans when events were lost or inotify has nothing left, its state.
 */
#pragma once

#include "source/source-internal.h"
#include "source/tree/watch-tree.h"

struct tree_source;

struct tree_source_ops {
	watch_look look; /* data: the struct tree_source */
	/* A look at everything: what was not looked at between them is gone. */
	void (*begin)(struct tree_source *self);
	void (*end)(struct tree_source *self);
	void (*ready)(struct tree_source *self); /* source_set_state() when all is well */
};

struct tree_source {
	struct source source; /* first: source_ops.new allocates the whole */
	const struct tree_source_ops *ops;
	struct globs globs; /* to be filled before tree_source_open() */
	struct watch_tree tree;
	bool is_auto; /* nobody asked for it: on a host without cgroups it is off, not down */
	bool has_tree;
	sd_event_source *io, *timer;
};

struct tree_source *tree_source_of(struct source *source);

/* size: of the whole, which begins with a struct tree_source. */
int tree_source_new(const struct source_ops *source_ops, const struct tree_source_ops *ops,
		    size_t size, const struct source_context *context, struct source **ret);
/* Look at all that the globs lead to, and watch it. Only -ENOMEM is an error. */
int tree_source_open(struct tree_source *self);
/* Stop watching and forget the globs. Nothing is told. */
void tree_source_close(struct tree_source *self);
/* Nothing to look for: all that was told is gone. */
void tree_source_idle(struct tree_source *self, enum source_state state, const char *detail);
