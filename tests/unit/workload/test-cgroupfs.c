/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "berth-test.h"
#include "source/source.h"
#include "tree.h"

struct rig {
	struct tree *tree;
	sd_event *event;
	struct source_context context;
	struct source *source;
};

static void rig_start(struct rig *rig, unsigned int mounts)
{
	rig->tree = tree_new(mounts);
	assert_ok(sd_event_new(&rig->event));
	rig->context = (struct source_context){
		.event = rig->event,
		.hierarchy = &rig->tree->hierarchy,
		.registry = &rig->tree->registry,
	};
	assert_ok(source_cgroupfs.new(&rig->context, &rig->source));
}

static void rig_stop(struct rig *rig)
{
	source_cgroupfs.free(rig->source);
	sd_event_unref(rig->event);
	tree_free(rig->tree);
}

static int setup_v1(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	rig_start(*state, 3);
	return 0;
}

static int setup_v2(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	rig_start(*state, 1);
	return 0;
}

static int teardown(void **state)
{
	rig_stop(*state);
	free(*state);
	return 0;
}

static void watch(struct rig *rig, char **globs)
{
	rig->tree->settings.cgroup_paths = globs;
	assert_ok(source_cgroupfs.apply(rig->source, &rig->tree->settings));
}

/* What inotify has queued is there when the call that caused it returned: no waiting. */
static void settle(struct rig *rig)
{
	int r;

	do {
		r = sd_event_run(rig->event, 0);
		assert_ok(r);
	} while (r > 0);
}

#define GLOBS(...)    ((char *[]){ __VA_ARGS__, NULL })
#define TEXT(literal) ((char[]){ literal })

static void test_cgroupfs_made_and_removed_are_told(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	tree_mkdir(tree, 0, "berth");
	tree_mkdir(tree, 0, "berth/old");
	watch(rig, GLOBS(TEXT("berth/*")));
	assert_int_equal(rig->source->state, SOURCE_READY);
	assert_string_equal(tree_said(tree), "+berth/old");
	tree_mkdir(tree, 0, "berth/new");
	tree_mkdir(tree, 0, "other");
	settle(rig);
	assert_string_equal(tree_said(tree), "+berth/new");
	assert_int_equal(rig->source->workloads, 2);
	assert_non_null(strstr(rig->source->detail, "2 groups"));
	tree_rmdir(tree, 0, "berth/old");
	settle(rig);
	assert_string_equal(tree_said(tree), "-berth/old");
	assert_int_equal(rig->source->workloads, 1);
	assert_int_equal(rig->source->errors, 0);
}

static void test_cgroupfs_late_parents_are_followed(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	watch(rig, GLOBS(TEXT("a/b*/c/*")));
	assert_int_equal(rig->source->state, SOURCE_READY);
	tree_mkdir(tree, 0, "a");
	settle(rig);
	tree_mkdir(tree, 0, "a/b1");
	tree_mkdir(tree, 0, "a/x");
	settle(rig);
	/* Made at one go: the watch comes after the directories and must find them. */
	tree_mkdir(tree, 0, "a/b1/c");
	tree_mkdir(tree, 0, "a/b1/c/t");
	tree_mkdir(tree, 0, "a/b2");
	tree_mkdir(tree, 0, "a/b2/c");
	tree_mkdir(tree, 0, "a/b2/c/t");
	settle(rig);
	assert_string_equal(tree_said(tree), "+a/b1/c/t +a/b2/c/t");
	tree_rmdir(tree, 0, "a/b1/c/t");
	tree_rmdir(tree, 0, "a/b1/c");
	tree_rmdir(tree, 0, "a/b1");
	settle(rig);
	assert_string_equal(tree_said(tree), "-a/b1/c/t");
	/* The whole branch again, under watches that are new. */
	tree_mkdir(tree, 0, "a/b1");
	tree_mkdir(tree, 0, "a/b1/c");
	settle(rig);
	tree_mkdir(tree, 0, "a/b1/c/t");
	settle(rig);
	assert_string_equal(tree_said(tree), "+a/b1/c/t");
}

static void test_cgroupfs_target_inside_target_both_are_told(void **state)
{
	struct rig *rig = *state;

	watch(rig, GLOBS(TEXT("a"), TEXT("a/*")));
	tree_mkdir(rig->tree, 0, "a");
	tree_mkdir(rig->tree, 0, "a/b");
	settle(rig);
	assert_string_equal(tree_said(rig->tree), "+a +a/b");
	tree_rmdir(rig->tree, 0, "a/b");
	tree_rmdir(rig->tree, 0, "a");
	settle(rig);
	assert_string_equal(tree_said(rig->tree), "-a/b -a");
}

static void test_cgroupfs_v1_other_hierarchies_come_as_updates(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	watch(rig, GLOBS(TEXT("a/*")));
	tree_mkdir(tree, 1, "a");
	tree_mkdir(tree, 1, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "+a/x");
	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "~a/x");
	tree_mkdir(tree, 2, "a");
	tree_mkdir(tree, 2, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "~a/x");
	tree_rmdir(tree, 1, "a/x");
	tree_rmdir(tree, 0, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "");
	tree_rmdir(tree, 2, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "-a/x");
}

static void test_cgroupfs_made_again_at_once_is_another(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "a/x");
	watch(rig, GLOBS(TEXT("a/*")));
	tree_make_again(tree, 0, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "+a/x -a/x +a/x");
	assert_int_equal(rig->source->workloads, 1);
}

static void test_cgroupfs_inner_directory_made_again_is_watched(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	watch(rig, GLOBS(TEXT("a/*")));
	for (unsigned int i = 0; i < 20; i++) {
		tree_mkdir(tree, 0, "a");
		if (i % 2)
			settle(rig);
		tree_rmdir(tree, 0, "a");
	}
	tree_mkdir(tree, 0, "a");
	settle(rig);
	tree_mkdir(tree, 0, "a/x");
	settle(rig);
	assert_string_equal(tree_said(tree), "+a/x");
}

static void test_cgroupfs_renamed_branch_is_found_under_its_new_name(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;
	char from[128], to[128];

	watch(rig, GLOBS(TEXT("a*/*")));
	tree_mkdir(tree, 0, "a1");
	tree_mkdir(tree, 0, "a1/x");
	settle(rig);
	(void)tree_said(tree);
	(void)snprintf(from, sizeof(from), "%s/0/a1", tree->path);
	(void)snprintf(to, sizeof(to), "%s/0/a2", tree->path);
	assert_ok(rename(from, to));
	settle(rig);
	assert_null(registry_find_path(&tree->registry, "a1/x"));
	assert_non_null(registry_find_path(&tree->registry, "a2/x"));
	tree_mkdir(tree, 0, "a2/y");
	settle(rig);
	assert_non_null(registry_find_path(&tree->registry, "a2/y"));
	assert_int_equal(rig->source->workloads, 2);
}

static void test_cgroupfs_apply_new_globs_replace_the_old(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "b");
	watch(rig, GLOBS(TEXT("a"), TEXT("/bad")));
	assert_non_null(strstr(rig->source->detail, "1 of no use"));
	watch(rig, GLOBS(TEXT("a"), TEXT("b")));
	assert_string_equal(tree_said(tree), "+a +b");
	watch(rig, GLOBS(TEXT("b")));
	assert_string_equal(tree_said(tree), "-a");
	watch(rig, GLOBS(TEXT("/bad")));
	assert_int_equal(rig->source->state, SOURCE_DOWN);
	watch(rig, NULL);
	assert_int_equal(rig->source->state, SOURCE_OFF);
	assert_string_equal(tree_said(tree), "-b");
	assert_int_equal(rig->source->workloads, 0);
	tree_mkdir(tree, 0, "c");
	settle(rig);
	assert_string_equal(tree_said(tree), "");
}

static void test_cgroupfs_two_thousand_groups_come_and_go(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;
	char name[64];

	tree_mkdir(tree, 0, "pods");
	watch(rig, GLOBS(TEXT("pods/*/c*")));
	for (unsigned int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "pods/p%u", i);
		tree_mkdir(tree, 0, name);
		(void)snprintf(name, sizeof(name), "pods/p%u/c", i);
		tree_mkdir(tree, 0, name);
		if (i % 7 == 0)
			settle(rig);
	}
	settle(rig);
	assert_int_equal(tree_count(tree, WORKLOAD_ADDED), 2000);
	assert_int_equal(tree->registry.count, 2000);
	for (unsigned int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "pods/p%u/c", i);
		tree_rmdir(tree, 0, name);
		(void)snprintf(name, sizeof(name), "pods/p%u", i);
		tree_rmdir(tree, 0, name);
	}
	settle(rig);
	assert_int_equal(tree_count(tree, WORKLOAD_REMOVED), 2000);
	assert_int_equal(rig->source->workloads, 0);
}

/* The kernel's queue is finite (fs.inotify.max_queued_events): what was lost is found by looking.
 */
static void test_cgroupfs_queue_overflow_scans_again(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;
	unsigned int limit = 0;
	char name[64];
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");

	if (!file || fscanf(file, "%u", &limit) != 1 || limit > 100000) {
		if (file)
			(void)fclose(file);
		print_message("# skipped: fs.inotify.max_queued_events is too large to fill\n");
		skip();
	}
	(void)fclose(file);
	tree_mkdir(tree, 0, "a");
	tree_mkdir(tree, 0, "a/first");
	watch(rig, GLOBS(TEXT("a/*")));
	for (unsigned int i = 0; i <= limit / 2; i++) {
		(void)snprintf(name, sizeof(name), "a/t%u", i);
		tree_mkdir(tree, 0, name);
		tree_rmdir(tree, 0, name);
	}
	tree_rmdir(tree, 0, "a/first");
	tree_mkdir(tree, 0, "a/last");
	settle(rig);
	assert_null(registry_find_path(&tree->registry, "a/first"));
	assert_non_null(registry_find_path(&tree->registry, "a/last"));
	assert_int_equal(tree->registry.count, 1);
	tree_mkdir(tree, 0, "a/after");
	settle(rig);
	assert_int_equal(tree->registry.count, 2);
}

/* No inotify instance to be had: it says what to raise, and still tells what is there. */
static void test_cgroupfs_without_inotify_says_so_and_scans(void **state)
{
	struct rig *rig = *state;
	struct rlimit before, none;

	tree_mkdir(rig->tree, 0, "a");
	assert_ok(getrlimit(RLIMIT_NOFILE, &before));
	assert_ok(sd_event_add_time_relative(rig->event, NULL, CLOCK_MONOTONIC, 3600 * USEC_PER_SEC,
					     0, NULL, NULL));
	watch(rig, GLOBS(TEXT("a")));
	assert_string_equal(tree_said(rig->tree), "+a");
	none = before;
	none.rlim_cur = 3;
	/* With no fd free the directory cannot be listed either: that is DOWN, not READY. */
	assert_ok(setrlimit(RLIMIT_NOFILE, &none));
	rig->tree->settings.cgroup_paths = GLOBS(TEXT("a"));
	int r = source_cgroupfs.apply(rig->source, &rig->tree->settings);

	assert_ok(setrlimit(RLIMIT_NOFILE, &before));
	assert_ok(r);
	assert_int_equal(rig->source->state, SOURCE_DOWN);
	assert_non_null(strstr(rig->source->detail, "fs.inotify.max_user_instances"));
	assert_true(rig->source->errors > 0);
	/* What it could not look at is not gone. */
	assert_string_equal(tree_said(rig->tree), "");
	watch(rig, GLOBS(TEXT("a")));
	assert_int_equal(rig->source->state, SOURCE_READY);
	assert_string_equal(tree_said(rig->tree), "");
}

static void test_cgroupfs_no_hierarchy_is_down(void **state)
{
	struct rig *rig = *state;
	struct hierarchy none = { .mode = HIERARCHY_NONE };

	for (int i = 0; i < CONTROLLER_MAX; i++)
		none.mounts[i] = (struct hierarchy_mount){ .fd = -EBADF, .same_as = i };
	rig->context.hierarchy = &none;
	watch(rig, GLOBS(TEXT("a")));
	assert_int_equal(rig->source->state, SOURCE_DOWN);
	watch(rig, NULL);
	rig->context.hierarchy = &rig->tree->hierarchy;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define V1(name) cmocka_unit_test_setup_teardown(name, setup_v1, teardown)
#define V2(name) cmocka_unit_test_setup_teardown(name, setup_v2, teardown)
		V1(test_cgroupfs_made_and_removed_are_told),
		V2(test_cgroupfs_late_parents_are_followed),
		V1(test_cgroupfs_target_inside_target_both_are_told),
		V1(test_cgroupfs_v1_other_hierarchies_come_as_updates),
		V1(test_cgroupfs_made_again_at_once_is_another),
		V2(test_cgroupfs_inner_directory_made_again_is_watched),
		V2(test_cgroupfs_renamed_branch_is_found_under_its_new_name),
		V1(test_cgroupfs_apply_new_globs_replace_the_old),
		V2(test_cgroupfs_two_thousand_groups_come_and_go),
		V2(test_cgroupfs_queue_overflow_scans_again),
		V2(test_cgroupfs_without_inotify_says_so_and_scans),
		V1(test_cgroupfs_no_hierarchy_is_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
