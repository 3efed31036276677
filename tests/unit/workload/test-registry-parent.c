/* SPDX-License-Identifier: Apache-2.0 */
/* test-registry-parent.c - a workload whose source names no parent gets the nearest one above it.
 */
#include "berth-test.h"
#include "tree.h"

static int put(struct tree *tree, const char *cgroup)
{
	const struct workload_record record = { .kind = "cgroup",
						.name = cgroup,
						.cgroup = cgroup };

	return registry_put(&tree->registry, "s", 1, &record);
}

static const char *parent_of(const struct tree *tree, const char *cgroup)
{
	const struct workload *workload = registry_find_path(&tree->registry, cgroup);
	const struct workload *parent;

	assert_non_null(workload);
	parent = registry_get(&tree->registry, workload->view.parent);
	if (!parent)
		assert_int_equal(workload->view.parent, 0);
	return parent ? parent->cgroup->path : "";
}

static int setup(void **state)
{
	static const char *const paths[] = { "a", "a/b", "a/b/c", "a/bb", "ab" };
	struct tree *tree = tree_new(1);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		tree_mkdir(tree, 0, paths[i]);
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	tree_free(*state);
	return 0;
}

static void test_registry_put_top_down_nearest_above_is_the_parent(void **state)
{
	struct tree *tree = *state;

	assert_ok(put(tree, "a"));
	assert_ok(put(tree, "ab"));
	assert_ok(put(tree, "a/b/c"));
	assert_string_equal(parent_of(tree, "a"), "");
	assert_string_equal(parent_of(tree, "ab"), "");
	assert_string_equal(parent_of(tree, "a/b/c"), "a");
	assert_string_equal(tree_said(tree), "+a +ab +a/b/c");
}

static void test_registry_put_between_two_takes_only_what_is_below_it(void **state)
{
	struct tree *tree = *state;

	assert_ok(put(tree, "a/b/c"));
	assert_ok(put(tree, "a/bb"));
	assert_ok(put(tree, "a"));
	assert_string_equal(tree_said(tree), "+a/b/c +a/bb +a ~a/b/c ~a/bb");
	assert_ok(put(tree, "a/b"));
	assert_string_equal(tree_said(tree), "+a/b ~a/b/c");
	assert_string_equal(parent_of(tree, "a/b/c"), "a/b");
	assert_string_equal(parent_of(tree, "a/bb"), "a");
	assert_string_equal(parent_of(tree, "a/b"), "a");
}

static void test_registry_drop_children_go_to_the_next_above(void **state)
{
	struct tree *tree = *state;

	assert_ok(put(tree, "a"));
	assert_ok(put(tree, "a/b"));
	assert_ok(put(tree, "a/b/c"));
	(void)tree_said(tree);
	registry_drop(&tree->registry, "s", "a/b");
	assert_string_equal(tree_said(tree), "~a/b/c -a/b");
	assert_string_equal(parent_of(tree, "a/b/c"), "a");
	registry_drop(&tree->registry, "s", "a");
	assert_string_equal(tree_said(tree), "~a/b/c -a");
	assert_string_equal(parent_of(tree, "a/b/c"), "");
	registry_drop(&tree->registry, "s", "a/b/c");
	assert_int_equal(tree->registry.above.count, 0);
}

static void test_registry_put_named_parent_is_before_the_nearest(void **state)
{
	struct tree *tree = *state;
	const struct workload_record record = {
		.kind = "container", .name = "c", .cgroup = "a/b/c", .parent_cgroup = "ab"
	};

	assert_ok(put(tree, "a"));
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_string_equal(parent_of(tree, "a/b/c"), "a");
	assert_int_equal(tree->registry.orphans, 1);
	assert_ok(put(tree, "a/b"));
	assert_string_equal(parent_of(tree, "a/b/c"), "a/b");
	assert_int_equal(tree->registry.orphans, 1);
	assert_ok(put(tree, "ab"));
	assert_string_equal(parent_of(tree, "a/b/c"), "ab");
	assert_int_equal(tree->registry.orphans, 0);
	registry_drop(&tree->registry, "s", "ab");
	assert_string_equal(parent_of(tree, "a/b/c"), "a/b");
	assert_int_equal(tree->registry.orphans, 1);
}

static void test_registry_put_parent_made_again_keeps_its_children(void **state)
{
	struct tree *tree = *state;
	uint64_t before;

	assert_ok(put(tree, "a/b"));
	assert_ok(put(tree, "a/b/c"));
	before = registry_find_path(&tree->registry, "a/b")->view.id;
	tree_rmdir(tree, 0, "a/b/c");
	tree_make_again(tree, 0, "a/b");
	tree_mkdir(tree, 0, "a/b/c");
	assert_ok(put(tree, "a/b"));
	assert_true(registry_find_path(&tree->registry, "a/b")->view.id > before);
	assert_string_equal(parent_of(tree, "a/b/c"), "a/b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_registry_put_top_down_nearest_above_is_the_parent),
		TEST(test_registry_put_between_two_takes_only_what_is_below_it),
		TEST(test_registry_drop_children_go_to_the_next_above),
		TEST(test_registry_put_named_parent_is_before_the_nearest),
		TEST(test_registry_put_parent_made_again_keeps_its_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
