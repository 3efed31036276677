/* SPDX-License-Identifier: Apache-2.0 */
/* Kept files of a group of cgroup v2 made of plain ones, some of which say what kernfs says. */
#include <dlfcn.h>

#include "berth-test.h"
#include "sysroot.h"
#include "telemetry/collect/collector.h"
#include "telemetry/collect/stat-file.h"
#include "workload/tree.h"

static ino_t dead; /* the file of a controller that was taken away, behind an fd from before */

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	static ssize_t (*real)(int, void *, size_t, off_t);
	struct stat st;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pread");
	if (dead != 0 && fstat(fd, &st) == 0 && st.st_ino == dead) {
		errno = ENODEV;
		return -1;
	}
	return real(fd, buffer, size, offset);
}

struct world {
	struct tree *tree;
	struct sysroot root;
	struct collector *collector;
	struct cgroup *group;
	struct target target;
};

static void path_of(const struct world *world, const char *name, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/0/g/%s", world->tree->path, name);
}

static void file_put(const struct world *world, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	path_of(world, name, path, sizeof(path));
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_ok(fclose(file));
}

/* Its inode number stays taken, by another name. */
static void file_kill(const struct world *world, const char *name)
{
	char path[256], other[300];
	struct stat st;

	path_of(world, name, path, sizeof(path));
	(void)snprintf(other, sizeof(other), "%s.dead", path);
	assert_ok(stat(path, &st));
	assert_ok(rename(path, other));
	dead = st.st_ino;
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	dead = 0;
	world->tree = tree_new(1);
	assert_ok(sysroot_open(world->tree->path, &world->root));
	tree_mkdir(world->tree, 0, "g");
	assert_ok(cgroup_new(&world->tree->hierarchy, "g", &world->group));
	file_put(world, "cpu.stat", "usage_usec 8\n");
	file_put(world, "memory.current", "4096\n");
	world->target = (struct target){ .id = 1, .group = world->group };
	assert_ok(collector_files_new(&world->root, &world->tree->hierarchy, &world->collector));
	return *state = world, 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	world->collector->ops->forget(world->collector, &world->target);
	(void)world->collector->ops->free(world->collector);
	cgroup_free(world->group);
	sysroot_done(&world->root);
	tree_free(world->tree);
	free(world);
	return 0;
}

static int pass(struct world *world)
{
	return world->collector->ops->take(world->collector, &world->target);
}

static bool knows(const struct world *world, enum sample_value value)
{
	return sample_knows(&world->target.sample, value);
}

/* A controller was taken from a group that lives on: no pass is without the rest of it. */
static void test_controller_goes(void **state)
{
	struct world *world = *state;
	struct collector_status status;

	assert_ok(pass(world));
	assert_true(knows(world, SAMPLE_MEMORY_BYTES));
	file_kill(world, "memory.current");
	assert_ok(pass(world));
	assert_ok(pass(world));
	assert_false(world->target.gone);
	assert_int_equal(world->collector->errors, 0);
	assert_false(knows(world, SAMPLE_MEMORY_BYTES));
	assert_true(knows(world, SAMPLE_CPU_USAGE_USEC));
	world->collector->ops->status(world->collector, &status);
	assert_int_equal(status.kept_files, 1);
	/* It is given back: there is another file under the name. */
	file_put(world, "memory.current", "8192\n");
	world->collector->ops->rest(world->collector);
	assert_ok(pass(world));
	assert_int_equal(world->target.sample.value[SAMPLE_MEMORY_BYTES], 8192);
	world->collector->ops->status(world->collector, &status);
	assert_int_equal(status.kept_files, 2);
}

static void test_group_goes(void **state)
{
	struct world *world = *state;

	assert_ok(pass(world));
	file_kill(world, "cpu.stat");
	tree_make_again(world->tree, 0, "g");
	assert_errno(pass(world), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_controller_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_goes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
