/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - cgroup hierarchies out of plain directories below a temporary one (stat and inotify work
 * there as well), and a listener that writes down what the registry tells.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "macro.h"
#include "workload/registry.h"

#define TREE_EVENTS 8192

struct tree_event {
	enum workload_change change;
	uint64_t id;
	char name[160];
	enum qos_level qos;
};

struct tree {
	char path[64];
	struct hierarchy hierarchy;
	struct settings settings;
	struct registry registry;
	struct tree_event events[TREE_EVENTS];
	size_t event_count;
};

static inline int tree_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_listen(void *data, enum workload_change change, struct workload *workload)
{
	struct tree *tree = data;
	struct tree_event *event = &tree->events[tree->event_count];

	if (tree->event_count >= TREE_EVENTS)
		return;
	tree->event_count++;
	*event = (struct tree_event){ change, workload->view.id, "", workload->view.qos };
	(void)snprintf(event->name, sizeof(event->name), "%s", workload->view.name);
}

/* `mounts` distinct hierarchies: 1 is like cgroup v2, 3 like v1 with cpu, cpuacct, memory. */
static inline struct tree *tree_new(unsigned int mounts)
{
	static const enum controller controllers[] = { CONTROLLER_CPU, CONTROLLER_MEMORY,
						       CONTROLLER_CPUACCT };
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	(void)snprintf(tree->path, sizeof(tree->path), "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(tree->path));
	for (int i = 0; i < CONTROLLER_MAX; i++)
		tree->hierarchy.mounts[i] = (struct hierarchy_mount){ .fd = -EBADF, .same_as = i };
	tree->hierarchy.mode = mounts == 1 ? HIERARCHY_V2 : HIERARCHY_V1;
	for (unsigned int i = 0; i < ARRAY_SIZE(controllers); i++) {
		struct hierarchy_mount *mount = &tree->hierarchy.mounts[controllers[i]];
		char path[96];

		if (i >= mounts) {
			*mount = tree->hierarchy.mounts[CONTROLLER_CPU];
			mount->path = NULL;
			continue;
		}
		(void)snprintf(path, sizeof(path), "%s/%u", tree->path, i);
		assert_ok(mkdir(path, 0700));
		mount->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		mount->version = mounts == 1 ? 2 : 1;
		mount->same_as = (int)controllers[i];
	}
	tree->settings.default_qos = 2; /* normal */
	registry_init(&tree->registry, &tree->hierarchy, &tree->settings, tree_listen, tree);
	return tree;
}

static inline void tree_free(struct tree *tree)
{
	registry_done(&tree->registry);
	hierarchy_done(&tree->hierarchy);
	(void)nftw(tree->path, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
	free(tree);
}

static inline int tree_at(const struct tree *tree, unsigned int mount, const char *group, bool make)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%u/%s", tree->path, mount, group);
	if ((make ? mkdir(path, 0700) : rmdir(path)) < 0)
		return -errno;
	return 0;
}

static inline void tree_mkdir(const struct tree *tree, unsigned int mount, const char *group)
{
	assert_ok(tree_at(tree, mount, group, true));
}

static inline void tree_rmdir(const struct tree *tree, unsigned int mount, const char *group)
{
	assert_ok(tree_at(tree, mount, group, false));
}

/* File systems hand a freed inode number out again; kernfs does not. Keep the old one taken. */
static inline void tree_make_again(const struct tree *tree, unsigned int mount, const char *group)
{
	char path[256], kept[256];

	(void)snprintf(path, sizeof(path), "%s/%u/%s", tree->path, mount, group);
	(void)snprintf(kept, sizeof(kept), "%s/kept-%u-%zu", tree->path, mount, tree->event_count);
	assert_ok(rename(path, kept));
	assert_ok(mkdir(path, 0700));
}

static inline size_t tree_count(const struct tree *tree, enum workload_change change)
{
	size_t count = 0;

	for (size_t i = 0; i < tree->event_count; i++)
		count += tree->events[i].change == change;
	return count;
}

/* The events since the last call, as "+name ~name -name". */
static inline const char *tree_said(struct tree *tree)
{
	static char text[4096];
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < tree->event_count && length + 200 < sizeof(text); i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%c%s",
					   i ? " " : "", "+~-"[tree->events[i].change],
					   tree -> events[i].name);
	tree->event_count = 0;
	return text;
}
