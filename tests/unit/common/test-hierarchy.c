/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "fixture-copy.h"
#include "hierarchy.h"
#include "macro.h"

struct expected {
	int version;
	const char *path; /* NULL: not mounted */
	enum controller same_as;
};

static void check(const struct hierarchy *hierarchy, enum hierarchy_mode mode,
		  const struct expected expected[static CONTROLLER_MAX])
{
	assert_string_equal(hierarchy_mode_name(hierarchy->mode), hierarchy_mode_name(mode));
	for (int i = 0; i < CONTROLLER_MAX; i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[i];

		if (mount->version != expected[i].version)
			fail_msg("%s: version %d", controller_name(i), mount->version);
		if (!expected[i].path) {
			assert_null(mount->path);
			assert_int_equal(mount->fd, -EBADF);
			assert_int_equal(mount->same_as, i);
			continue;
		}
		assert_string_equal(mount->path, expected[i].path);
		assert_int_equal(mount->same_as, expected[i].same_as);
		assert_true(fcntl(mount->fd, F_GETFD) & FD_CLOEXEC);
	}
}

static void open_fixture(const char *name, struct hierarchy *ret)
{
	struct sysroot root = SYSROOT_NULL;
	char path[PATH_MAX];

	assert_ok(sysroot_open(fixture_path(name, path, sizeof(path)), &root));
	assert_ok(hierarchy_open(&root, ret));
	sysroot_done(&root);
}

static void test_hierarchy_open_v1_joined(void **state)
{
	static const struct expected expected[CONTROLLER_MAX] = {
		[CONTROLLER_CPU] = { 1, "/sys/fs/cgroup/cpu,cpuacct", CONTROLLER_CPU },
		[CONTROLLER_CPUACCT] = { 1, "/sys/fs/cgroup/cpu,cpuacct", CONTROLLER_CPU },
		[CONTROLLER_CPUSET] = { 1, "/sys/fs/cgroup/cpuset", CONTROLLER_CPUSET },
		[CONTROLLER_MEMORY] = { 1, "/sys/fs/cgroup/memory", CONTROLLER_MEMORY },
		[CONTROLLER_IO] = { 1, "/sys/fs/cgroup/blkio", CONTROLLER_IO },
		[CONTROLLER_PIDS] = { 1, "/sys/fs/cgroup/pids", CONTROLLER_PIDS },
	};
	const struct hierarchy_mount *mount;
	struct hierarchy hierarchy;
	char buffer[HIERARCHY_PATH_MAX];
	const char *path;
	int fd;

	(void)state;
	open_fixture("k8s-v1", &hierarchy);
	check(&hierarchy, HIERARCHY_V1, expected);
	/* One fd for all of them, from which each is reached. */
	mount = &hierarchy.mounts[CONTROLLER_CPU];
	assert_int_equal(mount->fd, hierarchy.mounts[CONTROLLER_MEMORY].fd);
	path = hierarchy_at(mount, "kubepods.slice/cpu.shares", buffer);
	assert_string_equal(path, "cpu,cpuacct/kubepods.slice/cpu.shares");
	assert_ok(faccessat(mount->fd, path, F_OK, 0));
	fd = hierarchy_open_root(&hierarchy.mounts[CONTROLLER_MEMORY], O_RDONLY);
	assert_ok(faccessat(fd, "kubepods.slice/cgroup.procs", F_OK, 0));
	assert_int_equal(close(fd), 0);
	/* In its mount table and not in its tree, so that cgroup2 has it. */
	assert_int_equal(hierarchy.perf_event_version, 2);
	hierarchy_done(&hierarchy);
	assert_int_equal(hierarchy.mounts[CONTROLLER_CPU].fd, -EBADF);
	assert_null(hierarchy.perf_event);
	assert_int_equal(hierarchy.perf_event_version, 0);
	hierarchy_done(&hierarchy);
}

static void test_hierarchy_open_v1_separate(void **state)
{
	static const struct expected expected[CONTROLLER_MAX] = {
		[CONTROLLER_CPU] = { 1, "/sys/fs/cgroup/cpu", CONTROLLER_CPU },
		[CONTROLLER_CPUACCT] = { 1, "/sys/fs/cgroup/cpuacct", CONTROLLER_CPUACCT },
		[CONTROLLER_CPUSET] = { 1, "/sys/fs/cgroup/cpuset", CONTROLLER_CPUSET },
		[CONTROLLER_MEMORY] = { 1, "/sys/fs/cgroup/memory", CONTROLLER_MEMORY },
		[CONTROLLER_IO] = { 1, "/sys/fs/cgroup/blkio", CONTROLLER_IO },
		[CONTROLLER_PIDS] = { 0, NULL, 0 },
	};
	struct hierarchy hierarchy;

	(void)state;
	open_fixture("k8s-v1-cgroupfs", &hierarchy);
	check(&hierarchy, HIERARCHY_V1, expected);
	hierarchy_done(&hierarchy);
}

static void test_hierarchy_open_v2_shares_one_mount(void **state)
{
	static const char *const names[] = { "k8s-v2", "k8s-v2-cgroupfs", "libvirt" };
	struct expected expected[CONTROLLER_MAX];

	(void)state;
	for (int i = 0; i < CONTROLLER_MAX; i++)
		expected[i] = (struct expected){ 2, "/sys/fs/cgroup", CONTROLLER_CPU };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct hierarchy hierarchy;

		open_fixture(names[i], &hierarchy);
		check(&hierarchy, HIERARCHY_V2, expected);
		/* No controller is offered by that name: every group has it. */
		assert_int_equal(hierarchy.perf_event_version, 2);
		assert_string_equal(hierarchy.perf_event, "/sys/fs/cgroup");
		assert_string_equal(hierarchy.mounts[CONTROLLER_CPU].dir, "");
		hierarchy_done(&hierarchy);
	}
}

static const struct expected expected_none[CONTROLLER_MAX];

static void test_hierarchy_open_no_mount_is_none(void **state)
{
	struct hierarchy hierarchy;

	(void)state;
	open_fixture("none", &hierarchy);
	check(&hierarchy, HIERARCHY_NONE, expected_none);
	hierarchy_done(&hierarchy);
}

/* Trees of a test's own: mounts, then the directories that exist, "PATH:TEXT" with a file. */
struct tree {
	char path[32];
	struct sysroot root;
};

static int tree_setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -1;
	(void)snprintf(tree->path, sizeof(tree->path), "/tmp/berth-test.XXXXXX");
	if (fixture_copy("none", tree->path) < 0 || sysroot_open(tree->path, &tree->root) < 0)
		return -1;
	*state = tree;
	return 0;
}

static int tree_teardown(void **state)
{
	struct tree *tree = *state;

	sysroot_done(&tree->root);
	fixture_remove(tree->path);
	free(tree);
	return 0;
}

static void tree_write(const struct tree *tree, const char *path, const char *text)
{
	int fd = openat(tree->root.root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void tree_directory(const struct tree *tree, const char *path)
{
	assert_int_equal(mkdirat(tree->root.root, path, 0700), 0);
}

static void test_hierarchy_open_hybrid_splits_controllers(void **state)
{
	static const struct expected expected[CONTROLLER_MAX] = {
		[CONTROLLER_CPU] = { 1, "/cpu", CONTROLLER_CPU },
		[CONTROLLER_CPUACCT] = { 0, NULL, 0 },
		[CONTROLLER_CPUSET] = { 0, NULL, 0 },
		[CONTROLLER_MEMORY] = { 2, "/unified", CONTROLLER_MEMORY },
		[CONTROLLER_IO] = { 2, "/unified", CONTROLLER_MEMORY },
		[CONTROLLER_PIDS] = { 0, NULL, 0 },
	};
	struct hierarchy hierarchy;

	tree_directory(*state, "cpu");
	tree_directory(*state, "unified");
	tree_write(*state, "unified/cgroup.controllers", "io memory hugetlb\n");
	/* cgroup2 first: the order of the table must not matter. */
	tree_write(*state, "proc/self/mounts",
		   "cgroup2 /unified cgroup2 rw 0 0\n"
		   "cgroup /cpu cgroup rw,cpu 0 0\n");
	assert_ok(hierarchy_open(&((struct tree *)*state)->root, &hierarchy));
	check(&hierarchy, HIERARCHY_V1, expected);
	hierarchy_done(&hierarchy);
}

static void test_hierarchy_open_v1_beats_v2(void **state)
{
	struct hierarchy hierarchy;

	tree_directory(*state, "memory");
	tree_directory(*state, "unified");
	tree_write(*state, "unified/cgroup.controllers", "memory\n");
	tree_write(*state, "proc/self/mounts",
		   "cgroup2 /unified cgroup2 rw 0 0\n"
		   "cgroup /memory cgroup rw,memory 0 0\n");
	assert_ok(hierarchy_open(&((struct tree *)*state)->root, &hierarchy));
	assert_int_equal(hierarchy.mounts[CONTROLLER_MEMORY].version, 1);
	assert_string_equal(hierarchy.mounts[CONTROLLER_MEMORY].path, "/memory");
	hierarchy_done(&hierarchy);
}

static void test_hierarchy_open_odd_tables(void **state)
{
	static const struct {
		const char *mounts, *path; /* of memory; NULL: not mounted */
		enum hierarchy_mode mode;
	} cases[] = {
		{ "", NULL, HIERARCHY_NONE },
		{ "garbage\n\n \nshort line\n", NULL, HIERARCHY_NONE },
		{ "cgroup /a\\040b cgroup rw,memory 0 0\n", "/a b", HIERARCHY_V1 },
		{ "cgroup /a\\134x2db cgroup rw,memory 0 0\n", "/a\\x2db", HIERARCHY_V1 },
		{ "cgroup /gone cgroup rw,memory 0 0\n", NULL, HIERARCHY_NONE },
		{ "cgroup /gone cgroup rw,memory 0 0\ncgroup /one cgroup rw,memory 0 0\n", "/one",
		  HIERARCHY_V1 },
		{ "cgroup /one cgroup rw,memory 0 0\ncgroup /two cgroup rw,memory 0 0\n", "/one",
		  HIERARCHY_V1 },
		{ "cgroup /one cgroup rw,name=memory 0 0\n", NULL, HIERARCHY_NONE },
		{ "cgroup /one cgroup rw,memory_recursiveprot 0 0\n", NULL, HIERARCHY_NONE },
		{ "memory /one tmpfs rw,memory 0 0\n", NULL, HIERARCHY_NONE },
		{ "cgroup2 /gone cgroup2 rw 0 0\n", NULL, HIERARCHY_NONE },
		{ "cgroup2 /one cgroup2 rw 0 0\n", NULL, HIERARCHY_V2 }, /* lists no controller */
	};
	struct tree *tree = *state;

	tree_directory(tree, "one");
	tree_directory(tree, "two");
	tree_directory(tree, "a b");
	tree_directory(tree, "a\\x2db");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hierarchy hierarchy;
		const char *path;

		tree_write(tree, "proc/self/mounts", cases[i].mounts);
		assert_ok(hierarchy_open(&tree->root, &hierarchy));
		path = hierarchy.mounts[CONTROLLER_MEMORY].path;
		if (hierarchy.mode != cases[i].mode || !path != !cases[i].path ||
		    (path && strcmp(path, cases[i].path) != 0))
			fail_msg("'%s': %s, %s", cases[i].mounts,
				 hierarchy_mode_name(hierarchy.mode), path ? path : "none");
		hierarchy_done(&hierarchy);
	}
}

/* An overlay's options may fill pages; the line after it must still be read. */
static void test_hierarchy_open_long_line_is_passed_over(void **state)
{
	static char mounts[40000];
	struct tree *tree = *state;
	struct hierarchy hierarchy;
	size_t length = (size_t)snprintf(mounts, sizeof(mounts), "overlay /x overlay lowerdir=");

	while (length < 35000)
		length += (size_t)snprintf(mounts + length, sizeof(mounts) - length,
					   "/layer,memory:");
	(void)snprintf(mounts + length, sizeof(mounts) - length,
		       " 0 0\ncgroup /one cgroup rw,memory 0 0\n");
	tree_directory(tree, "one");
	tree_write(tree, "proc/self/mounts", mounts);
	assert_ok(hierarchy_open(&tree->root, &hierarchy));
	assert_string_equal(hierarchy.mounts[CONTROLLER_MEMORY].path, "/one");
	hierarchy_done(&hierarchy);
}

static void test_hierarchy_open_no_table_is_an_error(void **state)
{
	struct tree *tree = *state;
	struct sysroot root = SYSROOT_NULL;
	struct hierarchy hierarchy;

	assert_int_equal(unlinkat(tree->root.root, "proc/self/mounts", 0), 0);
	assert_errno(hierarchy_open(&tree->root, &hierarchy), ENOENT);
	assert_errno(hierarchy_open(&root, &hierarchy), EBADF);
}

static void test_names_are_of_the_interface(void **state)
{
	static const char *const names[] = { "cpu", "cpuacct", "cpuset", "memory", "io", "pids" };

	(void)state;
	for (int i = 0; i < CONTROLLER_MAX; i++)
		assert_string_equal(controller_name(i), names[i]);
	assert_string_equal(controller_name(CONTROLLER_MAX), "unknown");
	assert_string_equal(hierarchy_mode_name(HIERARCHY_NONE), "none");
	assert_string_equal(hierarchy_mode_name(HIERARCHY_V1), "v1");
	assert_string_equal(hierarchy_mode_name(HIERARCHY_V2), "v2");
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hierarchy_open_v1_joined),
		cmocka_unit_test(test_hierarchy_open_v1_separate),
		cmocka_unit_test(test_hierarchy_open_v2_shares_one_mount),
		cmocka_unit_test(test_hierarchy_open_no_mount_is_none),
		TREE_TEST(test_hierarchy_open_hybrid_splits_controllers),
		TREE_TEST(test_hierarchy_open_v1_beats_v2),
		TREE_TEST(test_hierarchy_open_odd_tables),
		TREE_TEST(test_hierarchy_open_long_line_is_passed_over),
		TREE_TEST(test_hierarchy_open_no_table_is_an_error),
		cmocka_unit_test(test_names_are_of_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
