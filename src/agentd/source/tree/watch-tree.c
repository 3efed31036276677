/* SPDX-License-Identifier: Apache-2.0 */
#include "source/tree/watch-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>

#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "log.h"

#define WATCH_MASK \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW)
/* Reads of 16 KiB in one turn of the loop; the rest waits for the next one. */
#define DISPATCH_READS 64u

struct node {
	uint64_t pass;
	int watches[CONTROLLER_MAX]; /* one for each of tree->mounts; -1: none */
	bool target;
	char path[];
};

static int directory_look(struct watch_tree *tree, const char *path);

void watch_tree_init(struct watch_tree *tree, const struct hierarchy *hierarchy,
		     const struct globs *globs, watch_look look, void *data)
{
	*tree = (struct watch_tree){
		.hierarchy = hierarchy,
		.globs = globs,
		.look = look,
		.data = data,
		.fd = -EBADF,
	};
	for (size_t i = 0; i < CGROUP_WATCHED; i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[cgroup_watched[i]];
		bool known = mount->version == 0;

		for (size_t k = 0; k < tree->mount_count; k++)
			known |= hierarchy->mounts[tree->mounts[k]].same_as == mount->same_as;
		if (!known)
			tree->mounts[tree->mount_count++] = cgroup_watched[i];
	}
}

void watch_tree_done(struct watch_tree *tree)
{
	struct node *node;

	hashmap_foreach (node, &tree->by_path)
		free(node);
	hashmap_done(&tree->by_path);
	hashmap_done(&tree->by_watch);
	tree->fd = close_keep_errno(tree->fd);
	tree->targets = 0;
}

static int node_ensure(struct watch_tree *tree, const char *path, struct node **ret)
{
	struct node *node = hashmap_get(&tree->by_path, path);
	size_t length = strlen(path);
	int r;

	if (node) {
		*ret = node;
		return 0;
	}
	node = calloc(1, sizeof(*node) + length + 1);
	if (!node)
		return -ENOMEM;
	memcpy(node->path, path, length + 1);
	for (size_t i = 0; i < CONTROLLER_MAX; i++)
		node->watches[i] = -1;
	r = hashmap_put(&tree->by_path, node->path, node);
	if (r < 0) {
		free(node);
		return r;
	}
	*ret = node;
	return 0;
}

static void node_unwatch(struct watch_tree *tree, struct node *node, size_t mount)
{
	if (node->watches[mount] < 0)
		return;
	hashmap_remove_u64(&tree->by_watch, (uint64_t)node->watches[mount]);
	/* EINVAL where the kernel did it already, as it does on a plain file system. */
	(void)inotify_rm_watch(tree->fd, node->watches[mount]);
	node->watches[mount] = -1;
}

static void node_forget(struct watch_tree *tree, struct node *node)
{
	for (size_t i = 0; i < tree->mount_count; i++)
		node_unwatch(tree, node, i);
	tree->targets -= node->target;
	hashmap_remove(&tree->by_path, node->path);
	free(node);
}

static bool node_is_idle(const struct watch_tree *tree, const struct node *node)
{
	for (size_t i = 0; i < tree->mount_count; i++)
		if (node->watches[i] >= 0)
			return false;
	return !node->target;
}

/* The watch of a directory that was renamed goes with it to its new path. */
static void watch_disown(struct watch_tree *tree, int watch)
{
	struct node *node = hashmap_remove_u64(&tree->by_watch, (uint64_t)watch);

	for (size_t i = 0; node && i < tree->mount_count; i++)
		if (node->watches[i] == watch)
			node->watches[i] = -1;
}

/* 1 if the directory is now watched and was not; 0 if it was, or is not there. */
static int node_watch(struct watch_tree *tree, struct node *node, size_t mount)
{
	/* inotify takes no directory fd, and the mount may be below a sysroot: this way leads to it
	 * from the fd. */
	char path[sizeof("/proc/self/fd/2147483647/./") + HIERARCHY_PATH_MAX];
	const struct hierarchy_mount *place = &tree->hierarchy->mounts[tree->mounts[mount]];
	int watch, r;

	if (tree->fd < 0) {
		tree->incomplete = true;
		return 0;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/./%s%s", place->fd, place->dir,
		       node->path);
	watch = inotify_add_watch(tree->fd, path, WATCH_MASK);
	if (watch < 0) {
		r = -errno;
		node_unwatch(tree, node, mount);
		/* Life, except for the root of a hierarchy: that was unmounted. */
		if ((r == -ENOENT || r == -ENOTDIR) && node->path[0] != '\0')
			return 0;
		tree->incomplete = true;
		tree->out_of_watches |= r == -ENOSPC;
		tree->errors++;
		log_debug("cannot watch '%s': %s", node->path, strerrordesc_np(-r));
		return 0;
	}
	if (watch == node->watches[mount])
		return 0;
	node_unwatch(tree, node, mount);
	watch_disown(tree, watch);
	r = hashmap_put_u64(&tree->by_watch, (uint64_t)watch, node);
	if (r < 0) {
		(void)inotify_rm_watch(tree->fd, watch);
		return r;
	}
	node->watches[mount] = watch;
	return 1;
}

struct listing {
	struct watch_tree *tree;
	const char *path;
};

static int child_look(void *data, const char *name)
{
	struct listing *listing = data;
	char path[CGROUP_PATH_MAX];
	int n;

	n = snprintf(path, sizeof(path), "%s%s%s", listing->path, listing->path[0] ? "/" : "",
		     name);
	/* Deeper than any path that a workload can have. */
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	return directory_look(listing->tree, path);
}

static int node_list(struct watch_tree *tree, const char *path, size_t mount)
{
	/* The node may be forgotten while its children are looked at. */
	char copy[HIERARCHY_PATH_MAX];
	const struct hierarchy_mount *place = &tree->hierarchy->mounts[tree->mounts[mount]];
	struct listing listing = { .tree = tree, .path = copy + strlen(place->dir) };
	int r;

	(void)snprintf(copy, sizeof(copy), "%s%s", place->dir, path);
	r = file_each_directory(place->fd, copy[0] ? copy : ".", child_look, &listing);
	if (r == -ENOMEM || r == 0)
		return r;
	if (r != -ENOENT && r != -ENODEV) {
		tree->errors++;
		tree->incomplete = tree->blind = true;
		log_debug("cannot list '%s': %s", listing.path, strerrordesc_np(-r));
	}
	return 0;
}

/* Watch first, in every mount, and list after: what appears in between is seen at least once. */
static int inner_look(struct watch_tree *tree, struct node *node)
{
	bool list[CONTROLLER_MAX] = { false };
	char path[CGROUP_PATH_MAX];
	int r;

	memcpy(path, node->path, strlen(node->path) + 1);
	for (size_t i = 0; i < tree->mount_count; i++) {
		if (node->watches[i] >= 0 && !tree->scanning)
			continue;
		r = node_watch(tree, node, i);
		if (r < 0)
			return r;
		list[i] = r > 0 || tree->scanning;
	}
	/* In a scan it stays until the sweep, so that the next mount's listing passes it over. */
	if (!tree->scanning && node_is_idle(tree, node))
		node_forget(tree, node);
	for (size_t i = 0; i < tree->mount_count; i++) {
		if (!list[i])
			continue;
		r = node_list(tree, path, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A directory may have appeared, changed or gone. */
static int directory_look(struct watch_tree *tree, const char *path)
{
	unsigned int match = globs_match(tree->globs, path);
	struct node *node = hashmap_get(&tree->by_path, path);
	bool seen = node && node->pass == tree->pass, there;
	int r;

	if (match == 0 || seen)
		return 0;
	r = node_ensure(tree, path, &node);
	if (r < 0)
		return r;
	node->pass = tree->pass;
	if (match & GLOB_TARGET) {
		there = tree->look(tree->data, path);
		tree->targets += (size_t)there - (size_t)node->target;
		node->target = there;
	}
	if (match & GLOB_INNER)
		return inner_look(tree, node);
	if (!tree->scanning && node_is_idle(tree, node))
		node_forget(tree, node);
	return 0;
}

int watch_tree_scan(struct watch_tree *tree)
{
	struct node *node;
	int r;

	if (tree->fd < 0)
		tree->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	tree->out_of_instances = tree->fd < 0;
	tree->incomplete = tree->out_of_watches = tree->blind = false;
	tree->pass++;
	tree->scanning = true;
	r = directory_look(tree, "");
	tree->scanning = false;
	if (r < 0 || tree->blind)
		return r;
	hashmap_foreach (node, &tree->by_path)
		if (node->pass != tree->pass || node_is_idle(tree, node))
			node_forget(tree, node);
	return 0;
}

static int child_event(struct watch_tree *tree, const struct node *parent, size_t mount,
		       const struct inotify_event *event)
{
	char path[CGROUP_PATH_MAX];
	struct node *node;
	int n;

	n = snprintf(path, sizeof(path), "%s%s%s", parent->path, parent->path[0] ? "/" : "",
		     event->name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	node = hashmap_get(&tree->by_path, path);
	if (node && event->mask & (IN_DELETE | IN_MOVED_FROM)) {
		/* cgroup v1 can rename a group: what is below it has another path now, untold. */
		if (event->mask & IN_MOVED_FROM && node->watches[mount] >= 0)
			return -EOVERFLOW;
		node_unwatch(tree, node, mount);
	}
	return directory_look(tree, path);
}

static int watch_event(struct watch_tree *tree, const struct inotify_event *event)
{
	struct node *node;
	size_t mount = 0;

	if (event->mask & IN_Q_OVERFLOW)
		return -EOVERFLOW;
	node = hashmap_get_u64(&tree->by_watch, (uint64_t)event->wd);
	if (!node)
		return 0;
	tree->pass++;
	if (event->mask & IN_IGNORED) {
		char path[CGROUP_PATH_MAX];

		watch_disown(tree, event->wd);
		memcpy(path, node->path, strlen(node->path) + 1);
		return directory_look(tree, path);
	}
	if (!(event->mask & IN_ISDIR) || event->len == 0)
		return 0;
	while (mount < tree->mount_count && node->watches[mount] != event->wd)
		mount++;
	return mount < tree->mount_count ? child_event(tree, node, mount, event) : 0;
}

int watch_tree_dispatch(struct watch_tree *tree)
{
	_Alignas(struct inotify_event) char buffer[16 * 1024];
	int count = 0, r, result = 0;

	for (unsigned int i = 0; i < DISPATCH_READS; i++) {
		ssize_t n = read(tree->fd, buffer, sizeof(buffer));

		if (n <= 0)
			break;
		for (ssize_t at = 0; at < n; count++) {
			const struct inotify_event *event = (const void *)(buffer + at);

			r = watch_event(tree, event);
			if (r < 0)
				result = r;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return result < 0 ? result : count;
}
