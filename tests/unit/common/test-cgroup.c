/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "fixture-copy.h"
#include "macro.h"

struct tree {
	char path[32];
	struct sysroot root;
	struct hierarchy hierarchy;
	int cgroup; /* where cgroups are mounted; -1: the tree has none */
};

static int tree_setup(void **state, const char *name)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -1;
	(void)snprintf(tree->path, sizeof(tree->path), "/tmp/berth-test.XXXXXX");
	if (fixture_copy(name, tree->path) < 0 || sysroot_open(tree->path, &tree->root) < 0 ||
	    hierarchy_open(&tree->root, &tree->hierarchy) < 0)
		return -1;
	tree->cgroup = openat(tree->root.root, "sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = tree;
	return 0;
}

static int v1_setup(void **state)
{
	return tree_setup(state, "k8s-v1");
}

static int v2_setup(void **state)
{
	return tree_setup(state, "k8s-v2");
}

static int libvirt_setup(void **state)
{
	return tree_setup(state, "libvirt");
}

static int none_setup(void **state)
{
	return tree_setup(state, "none");
}

static int tree_teardown(void **state)
{
	struct tree *tree = *state;

	(void)close_keep_errno(tree->cgroup);
	hierarchy_done(&tree->hierarchy);
	sysroot_done(&tree->root);
	fixture_remove(tree->path);
	free(tree);
	return 0;
}

static void test_cgroup_path_check_table_matches(void **state)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{ "a", 0 },
		{ "kubepods.slice/x", 0 },
		{ "machine.slice/machine-qemu\\x2d1\\x2dvm.scope", 0 },
		{ "a..b/...", 0 },
		{ "\xc3\xa9", 0 },
		{ " ", 0 },
		{ "", EINVAL },
		{ "/", EINVAL },
		{ "/a", EINVAL },
		{ "a/", EINVAL },
		{ "a//b", EINVAL },
		{ ".", EINVAL },
		{ "..", EINVAL },
		{ "a/..", EINVAL },
		{ "../a", EINVAL },
		{ "a/./b", EINVAL },
		{ "a/../b", EINVAL },
		{ "a\nb", EINVAL },
		{ "a\tb", EINVAL },
		{ "a\x7f", EINVAL },
		{ "a/\x01", EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (cgroup_path_check(cases[i].path) != -cases[i].error)
			fail_msg("'%s': %d", cases[i].path, cgroup_path_check(cases[i].path));
}

static void test_cgroup_path_check_length_is_bounded(void **state)
{
	char path[CGROUP_PATH_MAX + 1];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[CGROUP_PATH_MAX - 1] = '\0';
	assert_ok(cgroup_path_check(path));
	path[CGROUP_PATH_MAX - 1] = 'a';
	path[CGROUP_PATH_MAX] = '\0';
	assert_errno(cgroup_path_check(path), ENAMETOOLONG);
}

static uint64_t inode_of(const struct tree *tree, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(tree->cgroup, path, &st, 0), 0);
	return st.st_ino;
}

static void test_cgroup_new_v1_has_an_inode_a_mount(void **state)
{
	struct tree *tree = *state;
	struct cgroup *group = NULL;

	assert_ok(cgroup_new(&tree->hierarchy, "kubepods.slice", &group));
	assert_string_equal(group->path, "kubepods.slice");
	assert_true(group->inode[CONTROLLER_CPU] == inode_of(tree, "cpu/kubepods.slice"));
	assert_true(group->inode[CONTROLLER_CPUACCT] == group->inode[CONTROLLER_CPU]);
	assert_true(group->inode[CONTROLLER_MEMORY] == inode_of(tree, "memory/kubepods.slice"));
	assert_true(group->inode[CONTROLLER_MEMORY] != group->inode[CONTROLLER_CPU]);
	group = cgroup_free(group);
	assert_null(group);
	assert_null(cgroup_free(NULL));
}

static void test_cgroup_new_missing_is_refused(void **state)
{
	struct tree *tree = *state;
	struct cgroup *group = NULL;

	assert_errno(cgroup_new(&tree->hierarchy, "none", &group), ENOENT);
	assert_errno(cgroup_new(&tree->hierarchy, "../cgroup", &group), EINVAL);
	/* A file is no group. */
	assert_errno(cgroup_new(&tree->hierarchy, "cgroup.procs", &group), ENOENT);
	assert_null(group);
}

static void test_cgroup_open_reads_escaped_names(void **state)
{
	struct tree *tree = *state;
	struct cgroup *group = NULL;
	char text[16];
	int fd;

	assert_ok(cgroup_new(&tree->hierarchy,
			     "machine.slice/machine-qemu\\x2d1\\x2dtcg1.scope/libvirt/vcpu0",
			     &group));
	fd = cgroup_open(&tree->hierarchy, group, CONTROLLER_CPU);
	assert_ok(fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_ok(file_read(fd, "cgroup.type", text, sizeof(text)));
	assert_string_equal(text, "threaded");
	assert_int_equal(close(fd), 0);
	(void)cgroup_free(group);
}

static void test_cgroup_open_controller_mounted_nowhere(void **state)
{
	struct tree *tree = *state;
	struct cgroup group = { .path = (char[]){ "a" } };

	assert_errno(cgroup_open(&tree->hierarchy, &group, CONTROLLER_CPU), ENODEV);
}

static void remove_tree(const struct tree *tree, const char *path)
{
	char whole[128];

	(void)snprintf(whole, sizeof(whole), "%s/sys/fs/cgroup/%s", tree->path, path);
	fixture_remove(whole);
}

/* The inode numbers of a temporary file system may come again at once; kernfs's do not. */
static void replace(const struct tree *tree, const char *path)
{
	char old[128];

	(void)snprintf(old, sizeof(old), "%s.old", path);
	assert_int_equal(renameat(tree->cgroup, path, tree->cgroup, old), 0);
	assert_int_equal(mkdirat(tree->cgroup, path, 0700), 0);
}

static void test_cgroup_open_successor_is_stale(void **state)
{
	struct tree *tree = *state;
	struct cgroup *group = NULL;

	assert_ok(cgroup_new(&tree->hierarchy, "kubepods.slice", &group));
	replace(tree, "kubepods.slice");
	assert_errno(cgroup_open(&tree->hierarchy, group, CONTROLLER_CPU), ESTALE);
	(void)cgroup_free(group);
}

static void test_cgroup_open_vanished_is_enoent(void **state)
{
	struct tree *tree = *state;
	struct cgroup *group = NULL;

	assert_ok(cgroup_new(&tree->hierarchy, "kubepods.slice", &group));
	remove_tree(tree, "kubepods.slice");
	assert_errno(cgroup_open(&tree->hierarchy, group, CONTROLLER_CPU), ENOENT);
	(void)cgroup_free(group);
}

static void test_cgroup_new_v1_in_one_hierarchy_only(void **state)
{
	struct tree *tree = *state;
	struct cgroup *group = NULL;

	/* runc makes the directories one hierarchy after the other. */
	assert_int_equal(mkdirat(tree->cgroup, "memory/new", 0700), 0);
	assert_ok(cgroup_new(&tree->hierarchy, "new", &group));
	assert_int_equal(group->inode[CONTROLLER_CPU], 0);
	assert_true(group->inode[CONTROLLER_MEMORY] == inode_of(tree, "memory/new"));
	assert_errno(cgroup_open(&tree->hierarchy, group, CONTROLLER_CPU), ENOENT);
	remove_tree(tree, "memory/new");
	(void)cgroup_free(group);
}

/* libvirt and runc remove them so as well, and nobody hears of the last ones. */
static void test_cgroup_new_v1_left_where_nobody_looks_is_gone(void **state)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{ "blkio/left", ENOENT }, { "cpuset/left", ENOENT }, { "pids/left", ENOENT },
		{ "memory/left", 0 },     { "cpu/left", 0 },
	};
	struct tree *tree = *state;
	struct cgroup *group = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		group = NULL;
		assert_int_equal(mkdirat(tree->cgroup, cases[i].path, 0700), 0);
		r = cgroup_new(&tree->hierarchy, "left", &group);
		if (r != -cases[i].error)
			fail_msg("%s: %d", cases[i].path, r);
		(void)cgroup_free(group);
		remove_tree(tree, cases[i].path);
	}
	/* Where none of those that are watched is mounted, another will do. */
	for (int i = 0; i < CONTROLLER_MAX; i++)
		if (i != CONTROLLER_IO)
			tree->hierarchy.mounts[i].version = 0;
	assert_int_equal(mkdirat(tree->cgroup, "blkio/left", 0700), 0);
	assert_ok(cgroup_new(&tree->hierarchy, "left", &group));
	(void)cgroup_free(group);
}

#define TREE_TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup_path_check_table_matches),
		cmocka_unit_test(test_cgroup_path_check_length_is_bounded),
		TREE_TEST(test_cgroup_new_v1_has_an_inode_a_mount, v1_setup),
		TREE_TEST(test_cgroup_new_missing_is_refused, v2_setup),
		TREE_TEST(test_cgroup_open_reads_escaped_names, libvirt_setup),
		TREE_TEST(test_cgroup_open_controller_mounted_nowhere, none_setup),
		TREE_TEST(test_cgroup_open_successor_is_stale, v2_setup),
		TREE_TEST(test_cgroup_open_vanished_is_enoent, v2_setup),
		TREE_TEST(test_cgroup_new_v1_in_one_hierarchy_only, v1_setup),
		TREE_TEST(test_cgroup_new_v1_left_where_nobody_looks_is_gone, v1_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
