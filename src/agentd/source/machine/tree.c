/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - groups whose name says that they are a machine's. */
#include "macro.h"
#include "source/machine/internal.h"
#include "source/machine/scope.h"

/* Where libvirt puts them: see machine/scope.h. A partition of its own (<resource>) is any
 * directory at the top, and so is the group of a libvirtd that does not run in the root. */
static const char *const patterns[] = {
	"machine.slice/machine-*.scope",   "machine.slice/*.slice/machine-*.scope",
	"*/machine.slice/machine-*.scope", "*/*.libvirt-qemu",
	"*/machine/*.libvirt-qemu",        "*/*.partition/*.libvirt-qemu",
};

static bool group_look(void *data, const char *path)
{
	struct machines *self = machines_of(data);
	struct machine_scope scope;

	/* machined's container machines have such a name as well. */
	if (!machine_scope_parse(path, &scope) || path[scope.length] != '\0')
		return false;
	/* Where there is a scope there is systemd, whose bus may have come meanwhile. */
	machine_bus_open(&self->bus);
	return machines_hear_tree(self, path, scope.machine);
}

int machines_tree_patterns(struct globs *globs)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		int r = globs_add(globs, patterns[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

struct machines *machines_of(struct tree_source *tree)
{
	return container_of(tree, struct machines, tree);
}

/* What is gone is found by looking at what is known, which processes and machined know of too. */
static void on_begin(struct tree_source *tree)
{
	(void)tree;
}

static void on_end(struct tree_source *tree)
{
	machines_check_tree(machines_of(tree));
}

static void on_ready(struct tree_source *tree)
{
	machines_update_state(machines_of(tree));
}

const struct tree_source_ops machines_tree_ops = {
	.look = group_look,
	.begin = on_begin,
	.end = on_end,
	.ready = on_ready,
};
