/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu-tree.h - the CPUs of a host that a test makes up, as /sys/devices/system shows them.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"

struct cpu_tree {
	const char *name;
	unsigned int nodes, cores, threads; /* cores of each node, threads of each core */
	/* Siblings are numbered as most firmware does: all first threads, then all second ones. */
	const char *offline; /* CPUs that are not there, as a list of one-digit or single ones */
};

static inline void tree_write(const char *dir, const char *path, const char *text)
{
	char full[512];
	FILE *stream;

	(void)snprintf(full, sizeof(full), "%s/%s", dir, path);
	for (char *slash = strchr(full + strlen(dir) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	stream = fopen(full, "we");
	assert_non_null(stream);
	(void)fprintf(stream, "%s\n", text);
	assert_int_equal(fclose(stream), 0);
}

static inline bool tree_is_offline(const struct cpu_tree *tree, unsigned int cpu)
{
	char text[16];
	const char *found;

	(void)snprintf(text, sizeof(text), ",%u,", cpu);
	found = tree->offline ? strstr(tree->offline, text) : NULL;
	return found != NULL;
}

/* offline: ",3,7," */
static inline void cpu_tree_make(const struct cpu_tree *tree, char *dir)
{
	unsigned int physical = tree->nodes * tree->cores;
	char online[1024] = "", nodes[64];

	assert_non_null(mkdtemp(dir));
	for (unsigned int cpu = 0; cpu < physical * tree->threads; cpu++) {
		char path[128], siblings[64] = "";

		if (tree_is_offline(tree, cpu))
			continue;
		(void)snprintf(online + strlen(online), sizeof(online) - strlen(online), "%s%u",
			       online[0] ? "," : "", cpu);
		for (unsigned int thread = 0; thread < tree->threads; thread++) {
			unsigned int sibling = cpu % physical + thread * physical;

			if (!tree_is_offline(tree, sibling))
				(void)snprintf(siblings + strlen(siblings),
					       sizeof(siblings) - strlen(siblings), "%s%u",
					       siblings[0] ? "," : "", sibling);
		}
		(void)snprintf(path, sizeof(path),
			       "sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
		tree_write(dir, path, siblings);
	}
	tree_write(dir, "sys/devices/system/cpu/online", online);
	for (unsigned int node = 0; node < tree->nodes; node++) {
		char path[128], list[512] = "";

		for (unsigned int thread = 0; thread < tree->threads; thread++)
			(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u-%u",
				       list[0] ? "," : "", thread * physical + node * tree->cores,
				       thread * physical + (node + 1) * tree->cores - 1);
		(void)snprintf(path, sizeof(path), "sys/devices/system/node/node%u/cpulist", node);
		tree_write(dir, path, list);
	}
	(void)snprintf(nodes, sizeof(nodes), "0-%u", tree->nodes - 1);
	tree_write(dir, "sys/devices/system/node/online", nodes);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
				  struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline void cpu_tree_remove(const char *dir)
{
	(void)nftw(dir, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
