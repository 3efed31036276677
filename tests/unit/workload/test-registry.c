/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "limit.h"
#include "tree.h"

#define TEXT(literal) ((char[]){ literal })

static struct workload_record record_of(const char *kind, const char *name, const char *cgroup)
{
	return (struct workload_record){
		.kind = kind, .namespace = "", .name = name, .cgroup = cgroup
	};
}

static int put(struct tree *tree, const char *source, unsigned int rank, const char *name,
	       const char *cgroup)
{
	const struct workload_record record = record_of("cgroup", name, cgroup);

	return registry_put(&tree->registry, source, rank, &record);
}

static int setup_v1(void **state)
{
	*state = tree_new(3);
	return 0;
}

static int teardown(void **state)
{
	tree_free(*state);
	return 0;
}

static void test_registry_put_adds_once_and_drop_removes(void **state)
{
	struct tree *tree = *state;
	struct workload *workload;

	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_string_equal(tree_said(tree), "+A");
	workload = registry_find_path(&tree->registry, "a");
	assert_non_null(workload);
	assert_ptr_equal(registry_get(&tree->registry, workload->view.id), workload);
	assert_string_equal(workload->source, "s");
	assert_int_equal(workload->view.size, sizeof(workload->view));
	assert_int_equal(workload->view.qos, QOS_NORMAL);
	assert_string_equal(workload->view.cgroup, "a");
	assert_true(workload->added_usec > 0);
	registry_drop(&tree->registry, "other", "a");
	assert_string_equal(tree_said(tree), "");
	registry_drop(&tree->registry, "s", "a");
	assert_string_equal(tree_said(tree), "-A");
	assert_int_equal(tree->registry.count, 0);
	assert_null(registry_find_path(&tree->registry, "a"));
}

static void test_registry_put_bad_input_is_refused(void **state)
{
	static const char *const paths[] = { "", "/a", "../a", "a/../b", "a//b", "a/", "a\nb" };
	struct tree *tree = *state;
	struct workload_record record = record_of("cgroup", "x", "a");
	struct label labels[LIMIT_LABELS + 1];
	char key[] = "k", value[] = "v";
	static char huge[LIMIT_LABEL_BYTES + 1];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_errno(put(tree, "s", 1, "x", paths[i]), EINVAL);
	assert_errno(put(tree, "s", 1, "x", "missing"), ENOENT);
	tree_mkdir(tree, 0, "a");
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		labels[i] = (struct label){ key, value };
	record.labels = labels;
	record.label_count = ARRAY_SIZE(labels);
	assert_errno(registry_put(&tree->registry, "s", 1, &record), E2BIG);
	memset(huge, 'x', sizeof(huge) - 1);
	labels[0].value = huge;
	record.label_count = 1;
	assert_errno(registry_put(&tree->registry, "s", 1, &record), E2BIG);
	assert_string_equal(tree_said(tree), "");
	assert_int_equal(tree->registry.count, 0);
	/* What Kubernetes allows, whose sum has no ends of strings either. */
	huge[LIMIT_LABEL_BYTES - 1] = '\0';
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_int_equal(tree->registry.count, 1);
}

static void test_registry_put_recreated_path_is_another_workload(void **state)
{
	struct tree *tree = *state;
	uint64_t before;

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 1, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	before = registry_find_path(&tree->registry, "a")->view.id;
	tree_make_again(tree, 0, "a");
	tree_make_again(tree, 1, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_string_equal(tree_said(tree), "+A -A +A");
	assert_true(registry_find_path(&tree->registry, "a")->view.id > before);
	assert_null(registry_get(&tree->registry, before));
	assert_int_equal(tree->registry.count, 1);
}

/* v1 removes and makes a group one hierarchy at a time: a successor in one is a successor. */
static void test_registry_put_recreated_after_partial_removal_is_another(void **state)
{
	struct tree *tree = *state;

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 1, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	tree_make_again(tree, 0, "a");
	tree_rmdir(tree, 0, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_string_equal(tree_said(tree), "+A");
	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_string_equal(tree_said(tree), "-A +A");
}

static void test_registry_put_vanished_group_is_removed(void **state)
{
	struct tree *tree = *state;

	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	tree_rmdir(tree, 0, "a");
	assert_errno(put(tree, "s", 1, "A", "a"), ENOENT);
	assert_string_equal(tree_said(tree), "+A -A");
}

static void test_registry_put_another_hierarchy_is_an_update(void **state)
{
	struct tree *tree = *state;
	struct workload *workload;

	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	workload = registry_find_path(&tree->registry, "a");
	assert_int_equal(workload->cgroup->inode[CONTROLLER_MEMORY], 0);
	tree_mkdir(tree, 1, "a");
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_string_equal(tree_said(tree), "+A ~A");
	assert_int_not_equal(workload->cgroup->inode[CONTROLLER_MEMORY], 0);
}

static void test_registry_put_labels_decide_again(void **state)
{
	struct tree *tree = *state;
	struct label annotation = { TEXT("berth/qos"), TEXT("batch") };
	struct workload_record record = record_of("pod", "A", "a");
	struct workload *workload;

	tree_mkdir(tree, 0, "a");
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	record.annotations = &annotation;
	record.annotation_count = 1;
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_string_equal(tree_said(tree), "+A ~A");
	workload = registry_find_path(&tree->registry, "a");
	assert_int_equal(workload->view.qos, QOS_BATCH);
	assert_string_equal(workload_annotation(workload, "berth/qos"), "batch");
	assert_null(workload_annotation(workload, "berth/ignore"));
	/* The source's memory is its own. */
	annotation.value[0] = 'x';
	assert_string_equal(workload_annotation(workload, "berth/qos"), "batch");
	/* Removing an annotation undoes it. */
	record.annotation_count = 0;
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_int_equal(workload->view.qos, QOS_NORMAL);
	assert_string_equal(tree_said(tree), "~A");
}

static void test_registry_two_sources_lower_rank_speaks(void **state)
{
	struct tree *tree = *state;
	struct workload *workload;

	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "cgroups", 30, "a", "a"));
	assert_ok(put(tree, "kubernetes", 10, "web", "a"));
	assert_string_equal(tree_said(tree), "+a ~web");
	/* The one that does not speak changes nothing. */
	assert_ok(put(tree, "cgroups", 30, "a", "a"));
	assert_ok(put(tree, "cgroups", 30, "renamed", "a"));
	assert_string_equal(tree_said(tree), "");
	workload = registry_find_path(&tree->registry, "a");
	assert_string_equal(workload->source, "kubernetes");
	registry_drop(&tree->registry, "kubernetes", "a");
	assert_string_equal(tree_said(tree), "~renamed");
	assert_string_equal(workload->source, "cgroups");
	registry_drop(&tree->registry, "cgroups", "a");
	assert_string_equal(tree_said(tree), "-renamed");
}

static void test_registry_drop_of_one_source_notices_a_gone_group(void **state)
{
	struct tree *tree = *state;

	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "cgroups", 30, "a", "a"));
	assert_ok(put(tree, "units", 20, "unit", "a"));
	(void)tree_said(tree);
	tree_rmdir(tree, 0, "a");
	registry_drop(&tree->registry, "cgroups", "a");
	assert_string_equal(tree_said(tree), "-unit");
	assert_int_equal(tree->registry.count, 0);
}

/* The look at the drop is the only one that sees it: what waits for the hierarchy must be told. */
static void test_registry_drop_of_one_source_tells_another_hierarchy(void **state)
{
	struct tree *tree = *state;

	tree_mkdir(tree, 0, "a");
	assert_ok(put(tree, "cgroups", 30, "a", "a"));
	assert_ok(put(tree, "units", 20, "unit", "a"));
	(void)tree_said(tree);
	tree_mkdir(tree, 1, "a");
	registry_drop(&tree->registry, "cgroups", "a");
	assert_string_equal(tree_said(tree), "~unit");
}

static void test_registry_snapshot_drops_what_it_does_not_name(void **state)
{
	struct tree *tree = *state;

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "b");
	tree_mkdir(tree, 0, "c");
	assert_ok(put(tree, "s", 1, "A", "a"));
	assert_ok(put(tree, "s", 1, "B", "b"));
	assert_ok(put(tree, "other", 2, "C", "c"));
	(void)tree_said(tree);
	registry_snapshot_begin(&tree->registry, "s");
	assert_ok(put(tree, "s", 1, "B", "b"));
	registry_snapshot_end(&tree->registry, "s");
	assert_string_equal(tree_said(tree), "-A");
	registry_snapshot_begin(&tree->registry, "s");
	registry_snapshot_end(&tree->registry, "s");
	assert_string_equal(tree_said(tree), "-B");
	assert_non_null(registry_find_path(&tree->registry, "c"));
}

static void test_registry_reload_tells_only_what_changed(void **state)
{
	struct tree *tree = *state;
	struct rule rule = { .match = { .name = TEXT("A") }, .has_qos = true, .qos = QOS_BATCH };
	struct settings settings = { .rules = &rule, .rule_count = 1, .default_qos = 2 };
	struct workload_record record = record_of("vm", "B", "b");

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "b");
	assert_ok(put(tree, "s", 1, "A", "a"));
	record.cpu_request_milli = 700;
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	(void)tree_said(tree);
	registry_reload(&tree->registry, &settings);
	assert_int_equal(tree->events[0].qos, QOS_BATCH);
	assert_string_equal(tree_said(tree), "~A");
	registry_reload(&tree->registry, &settings);
	assert_string_equal(tree_said(tree), "");
	/* Its own request goes before the rule's. */
	rule = (struct rule){ .cpu_request_milli = 300, .memory_request_bytes = 4096 };
	registry_reload(&tree->registry, &settings);
	assert_string_equal(tree_said(tree), "~A ~B");
	assert_int_equal(registry_find_path(&tree->registry, "a")->view.cpu_request_milli, 300);
	assert_int_equal(registry_find_path(&tree->registry, "b")->view.cpu_request_milli, 700);
	assert_int_equal(registry_find_path(&tree->registry, "b")->view.memory_request_bytes, 4096);
	rule.ignore = true;
	registry_reload(&tree->registry, &settings);
	assert_int_equal(registry_find_path(&tree->registry, "a")->view.flags, WORKLOAD_IGNORED);
	registry_reload(&tree->registry, &tree->settings);
}

static void test_registry_parent_is_found_in_any_order(void **state)
{
	struct tree *tree = *state;
	struct workload_record container = record_of("container", "c", "pod/c");
	struct workload *workload;

	container.parent_cgroup = "pod";
	tree_mkdir(tree, 0, "pod");
	tree_mkdir(tree, 0, "pod/c");
	assert_ok(registry_put(&tree->registry, "s", 1, &container));
	workload = registry_find_path(&tree->registry, "pod/c");
	assert_int_equal(workload->view.parent, 0);
	assert_int_equal(tree->registry.orphans, 1);
	assert_ok(put(tree, "s", 1, "pod", "pod"));
	assert_int_equal(workload->view.parent,
			 registry_find_path(&tree->registry, "pod")->view.id);
	assert_int_equal(tree->registry.orphans, 0);
	assert_string_equal(tree_said(tree), "+c +pod ~c");
	registry_drop(&tree->registry, "s", "pod");
	assert_string_equal(tree_said(tree), "~c -pod");
	assert_int_equal(workload->view.parent, 0);
	registry_drop(&tree->registry, "s", "pod/c");
	assert_int_equal(tree->registry.orphans, 0);
}

static void test_registry_put_over_the_limit_is_refused(void **state)
{
	struct tree *tree = *state;
	size_t count = tree->registry.count;

	tree_mkdir(tree, 0, "a");
	tree->registry.count = LIMIT_WORKLOADS;
	assert_errno(put(tree, "s", 1, "A", "a"), ENOSPC);
	assert_errno(put(tree, "s", 1, "A", "a"), ENOSPC);
	assert_int_equal(tree->registry.refused, 2);
	assert_string_equal(tree_said(tree), "");
	tree->registry.count = count;
	assert_ok(put(tree, "s", 1, "A", "a"));
}

static void test_registry_find_takes_what_people_type(void **state)
{
	struct tree *tree = *state;
	struct workload_record record = record_of("pod", "web", "a");
	struct hierarchy_mount *mount = &tree->hierarchy.mounts[CONTROLLER_CPU];
	char mounted[] = "/sys/fs/cgroup/cpu", *was = mount->path;
	const struct workload *near[1];
	struct workload *a, *b;
	char id[32];
	size_t many = 99;

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "b");
	record.namespace = "shop";
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	record.namespace = "test";
	record.cgroup = "b";
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	a = registry_find_path(&tree->registry, "a");
	b = registry_find_path(&tree->registry, "b");
	(void)snprintf(id, sizeof(id), "%llu", (unsigned long long)b->view.id);
	assert_ptr_equal(registry_find(&tree->registry, id, &many), b);
	assert_int_equal(many, 0);
	assert_ptr_equal(registry_find(&tree->registry, "shop/web", NULL), a);
	assert_ptr_equal(registry_find(&tree->registry, "b", NULL), b);
	assert_ptr_equal(registry_find(&tree->registry, "/b", NULL), b);
	assert_ptr_equal(registry_find(&tree->registry, "b/", NULL), b);
	mount->path = mounted;
	assert_ptr_equal(registry_find(&tree->registry, "/sys/fs/cgroup/cpu/b", NULL), b);
	assert_null(registry_find(&tree->registry, "/sys/fs/cgroup/cpub", NULL));
	mount->path = was;
	assert_null(registry_find(&tree->registry, "web", &many));
	assert_int_equal(many, 2);
	assert_null(registry_find(&tree->registry, "nobody", &many));
	assert_int_equal(many, 0);
	assert_int_equal(registry_near(&tree->registry, "eb", near, 1), 2);
	assert_ptr_equal(near[0], a);
	assert_int_equal(registry_near(&tree->registry, "test/we", near, 1), 1);
	assert_ptr_equal(near[0], b);
	registry_drop(&tree->registry, "s", "b");
	assert_ptr_equal(registry_find(&tree->registry, "web", &many), a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_v1, teardown)
		TEST(test_registry_put_adds_once_and_drop_removes),
		TEST(test_registry_put_bad_input_is_refused),
		TEST(test_registry_put_recreated_path_is_another_workload),
		TEST(test_registry_put_recreated_after_partial_removal_is_another),
		TEST(test_registry_put_vanished_group_is_removed),
		TEST(test_registry_put_another_hierarchy_is_an_update),
		TEST(test_registry_put_labels_decide_again),
		TEST(test_registry_two_sources_lower_rank_speaks),
		TEST(test_registry_drop_of_one_source_notices_a_gone_group),
		TEST(test_registry_drop_of_one_source_tells_another_hierarchy),
		TEST(test_registry_snapshot_drops_what_it_does_not_name),
		TEST(test_registry_reload_tells_only_what_changed),
		TEST(test_registry_parent_is_found_in_any_order),
		TEST(test_registry_put_over_the_limit_is_refused),
		TEST(test_registry_find_takes_what_people_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
