/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch-tree.h - the directories of the cgroup hierarchies that patterns lead through, each with an
 * inotify watch in every hierarchy mount, and the groups that the patterns match. Level-triggered:
 * an event only says where to look.
 *
 * kernfs tells of a child made or removed, but neither IN_DELETE_SELF nor IN_IGNORED of a directory
 * that went (seen up to 6.18): the watch on a removed directory is taken away when its parent
 * tells.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hashmap.h"
#include "hierarchy.h"
#include "source/tree/glob.h"

/* A group that matches a pattern may be new, changed or gone: look. True if it is there. */
typedef bool (*watch_look)(void *data, const char *path);

struct watch_tree {
	const struct hierarchy *hierarchy;
	const struct globs *globs; /* borrowed */
	watch_look look;
	void *data;
	int fd; /* inotify; -EBADF: none could be had */
	struct hashmap by_path, by_watch;
	enum controller mounts[CONTROLLER_MAX]; /* one for each distinct mount that is watched */
	size_t mount_count, targets;
	uint64_t pass;         /* of looking: in one pass each group is looked at once */
	bool scanning;         /* the pass covers everything */
	uint64_t errors;       /* directories that could not be read or watched */
	bool incomplete;       /* a watch is missing: scan again in a while */
	bool blind;            /* a directory could not be listed: absence proves nothing */
	bool out_of_watches;   /* and that is why */
	bool out_of_instances; /* or this is */
};

void watch_tree_init(struct watch_tree *tree, const struct hierarchy *hierarchy,
		     const struct globs *globs, watch_look look, void *data);
void watch_tree_done(struct watch_tree *tree);

/* Look at everything from the root, and make watches what they should be. 0 or -ENOMEM. */
int watch_tree_scan(struct watch_tree *tree);
/* Read what the inotify fd holds. The number of events; -ENOMEM; -EOVERFLOW: some were lost, or are
 * beyond following one by one: scan. */
int watch_tree_dispatch(struct watch_tree *tree);
