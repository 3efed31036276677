/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "kube-cgroup.h"
#include "source/pods/pods.h"
#include "source/tree/tree-source.h"

struct kubepods {
	struct tree_source tree;
	char root[96];      /* the first that was found, for people; "" none */
	bool several_roots; /* and others */
};

static_assert(offsetof(struct kubepods, tree) == 0, "the source is allocated as its whole");

/*
 * Where the roots of kubelets are, and how groups below one are called. Each component of a pattern
 * that leads on costs an inotify watch for every directory that it matches: so one of any name is
 * looked into at the top only (kubelet --cgroup-root=/NAME), and below that only what kubelets in
 * containers and nested slices are called.
 */
static const char *const cgroupfs_roots[] = {
	"",
	"*/",
	"docker/*/",
	"docker/*/kubelet/",
	"system.slice/docker-*.scope/",
	"system.slice/docker-*.scope/kubelet/",
};

static const char *const cgroupfs_groups[] = {
	"kubepods/pod*",
	"kubepods/pod*/*",
	"kubepods/b*/pod*",
	"kubepods/b*/pod*/*",
};

static const char *const systemd_roots[] = {
	"",
	"*.slice/",
	"*.slice/*-*.slice/",
	"docker/*/",
	"docker/*/kubelet.slice/",
	"system.slice/docker-*.scope/",
	"system.slice/docker-*.scope/kubelet.slice/",
};

static const char *const systemd_groups[] = {
	"*kubepods.slice/*kubepods-pod*.slice",
	"*kubepods.slice/*kubepods-pod*.slice/*",
	"*kubepods.slice/*kubepods-b*.slice/*kubepods-b*-pod*.slice",
	"*kubepods.slice/*kubepods-b*.slice/*kubepods-b*-pod*.slice/*",
};

/* Where kubelet and runtime disagree about the driver. */
static const char *const mixed_groups[] = {
	"*kubepods-*.slice:*:*",
	"system.slice/*kubepods-*.slice:*:*",
	"system.slice/containerd.service/*kubepods-*.slice:*:*",
	"system.slice/kubelet.service/*kubepods-*.slice:*:*",
	"*kubepods.slice/*kubepods-*.slice:*:*",
	"*kubepods.slice/*kubepods-b*.slice/*kubepods-*.slice:*:*",
};

static struct kubepods *kubepods_of(struct tree_source *tree)
{
	return container_of(tree, struct kubepods, tree);
}

/* Up to the directory that is a kubelet's root. */
static void root_note(struct kubepods *self, const char *path)
{
	char root[CGROUP_PATH_MAX];
	struct kube_cgroup parsed;
	size_t length;

	(void)snprintf(root, sizeof(root), "%s", path);
	do {
		char *slash = strrchr(root, '/');

		if (!slash)
			return;
		*slash = '\0';
		kube_cgroup_parse(root, &parsed);
	} while (parsed.kind != KUBE_ROOT);
	length = strnlen(root, sizeof(self->root) - 1);
	if (self->root[0] == '\0') {
		memcpy(self->root, root, length);
		self->root[length] = '\0';
	} else if (strncmp(self->root, root, sizeof(self->root) - 1) != 0) {
		self->several_roots = true;
	}
}

static bool group_look(void *data, const char *path)
{
	struct tree_source *tree = data;

	if (!pods_group(tree->source.context->pods, path))
		return false;
	root_note(kubepods_of(tree), path);
	return true;
}

static void snapshot_begin(struct tree_source *tree)
{
	struct kubepods *self = kubepods_of(tree);

	self->root[0] = '\0';
	self->several_roots = false;
	pods_groups_begin(tree->source.context->pods);
}

static void snapshot_end(struct tree_source *tree)
{
	pods_groups_end(tree->source.context->pods);
}

static void ready(struct tree_source *tree)
{
	struct kubepods *self = kubepods_of(tree);
	struct pods_stats stats;

	if (tree->source.workloads == 0) {
		self->root[0] = '\0';
		self->several_roots = false;
		source_set_state(&tree->source, SOURCE_READY, "no kubepods here yet");
		return;
	}
	pods_stats(tree->source.context->pods, &stats);
	source_set_state(&tree->source, SOURCE_READY, "%zu group%s of %zu pod%s%s%s%s",
			 tree->source.workloads, tree->source.workloads == 1 ? "" : "s",
			 stats.with_group, stats.with_group == 1 ? "" : "s",
			 self->root[0] ? " under " : "", self->root,
			 self->several_roots ? " and elsewhere" : "");
}

static const struct tree_source_ops kubepods_tree_ops = {
	.look = group_look,
	.begin = snapshot_begin,
	.end = snapshot_end,
	.ready = ready,
};

static int globs_add_below(struct globs *globs, const char *const *roots, size_t root_count,
			   const char *const *groups, size_t group_count)
{
	char pattern[256];
	int r;

	for (size_t i = 0; i < root_count; i++)
		for (size_t k = 0; k < group_count; k++) {
			(void)snprintf(pattern, sizeof(pattern), "%s%s", roots[i], groups[k]);
			r = globs_add(globs, pattern);
			if (r < 0)
				return r;
		}
	return 0;
}

static int kubepods_apply(struct source *source, const struct settings *settings)
{
	static const char *const top[] = { "" };
	struct tree_source *tree = tree_source_of(source);
	int r;

	tree_source_close(tree);
	if (settings->kubernetes_enabled == SWITCH_FALSE) {
		tree_source_idle(tree, SOURCE_OFF, "sources.kubernetes.enabled is false");
		return 0;
	}
	tree->is_auto = settings->kubernetes_enabled == SWITCH_AUTO;
	r = globs_add_below(&tree->globs, cgroupfs_roots, ARRAY_SIZE(cgroupfs_roots),
			    cgroupfs_groups, ARRAY_SIZE(cgroupfs_groups));
	if (r == 0)
		r = globs_add_below(&tree->globs, systemd_roots, ARRAY_SIZE(systemd_roots),
				    systemd_groups, ARRAY_SIZE(systemd_groups));
	if (r == 0)
		r = globs_add_below(&tree->globs, top, ARRAY_SIZE(top), mixed_groups,
				    ARRAY_SIZE(mixed_groups));
	return r < 0 ? r : tree_source_open(tree);
}

static struct source *kubepods_free(struct source *source)
{
	if (!source)
		return NULL;
	tree_source_close(tree_source_of(source));
	free(kubepods_of(tree_source_of(source)));
	return NULL;
}

static int kubepods_new(const struct source_context *context, struct source **ret)
{
	return tree_source_new(&source_kubepods, &kubepods_tree_ops, sizeof(struct kubepods),
			       context, ret);
}

const struct source_ops source_kubepods = {
	.name = "kubepods",
	.rank = PODS_RANK,
	.new = kubepods_new,
	.apply = kubepods_apply,
	.free = kubepods_free,
};
