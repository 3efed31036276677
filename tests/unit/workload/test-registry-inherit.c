/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-registry-inherit.c - containers take the level of their pod, whatever comes first; notices;
 * and the second names by which a workload is found.
 */
#include "berth-test.h"
#include "limit.h"
#include "tree.h"

#define POD           "kubepods/pod1"
#define BOX           POD "/c1"
#define TEXT(literal) ((char[]){ literal })

static struct label batch[] = { { TEXT("berth/qos"), TEXT("batch") } };
static struct label high[] = { { TEXT("berth/qos"), TEXT("high") } };
static struct label ignored[] = { { TEXT("berth/ignore"), TEXT("true") },
				  { TEXT("berth/explain"), TEXT("true") } };
static struct label malformed[] = { { TEXT("berth/qos"), TEXT("fast") } };
static struct label conflict[] = { { TEXT("berth/qos"), TEXT("batch") },
				   { TEXT("volcano.sh/preemptable"), TEXT("false") } };

static void pod(struct tree *tree, struct label *annotations, size_t count)
{
	const struct workload_record record = {
		.kind = "pod",
		.namespace = "ns",
		.name = "web",
		.cgroup = POD,
		.uid = "0a1b",
		.alias = "vm-7",
		.annotations = annotations,
		.annotation_count = count,
	};

	assert_ok(registry_put(&tree->registry, "s", 1, &record));
}

static struct workload_record box_record(const char *name, const char *cgroup)
{
	return (struct workload_record){
		.kind = "container",
		.namespace = "ns",
		.name = name,
		.cgroup = cgroup,
		.parent_cgroup = POD,
		.inherits = true,
	};
}

static void box(struct tree *tree, const char *name, const char *cgroup)
{
	const struct workload_record record = box_record(name, cgroup);

	assert_ok(registry_put(&tree->registry, "s", 1, &record));
}

static const struct workload *at(const struct tree *tree, const char *cgroup)
{
	const struct workload *workload = registry_find_path(&tree->registry, cgroup);

	assert_non_null(workload);
	return workload;
}

static int setup(void **state)
{
	static const char *const groups[] = { "kubepods", POD, BOX, POD "/c2" };
	struct tree *tree = tree_new(1);

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		tree_mkdir(tree, 0, groups[i]);
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	tree_free(*state);
	return 0;
}

static void test_registry_put_container_takes_the_level_of_its_pod(void **state)
{
	struct tree *tree = *state;
	const struct workload *container;

	pod(tree, batch, 1);
	box(tree, "web/c1", BOX);
	container = at(tree, BOX);
	assert_int_equal(container->view.qos, QOS_BATCH);
	assert_int_equal(container->decision.origin, ORIGIN_PARENT);
	assert_string_equal(container->decision.detail, "pod ns/web: annotation berth/qos=batch");
	assert_string_equal(tree_said(tree), "+web +web/c1");
}

static void test_registry_put_pod_changes_its_containers_follow(void **state)
{
	struct tree *tree = *state;

	pod(tree, batch, 1);
	box(tree, "web/c1", BOX);
	box(tree, "web/c2", POD "/c2");
	(void)tree_said(tree);
	pod(tree, high, 1);
	assert_string_equal(tree_said(tree), "~web ~web/c1 ~web/c2");
	assert_int_equal(at(tree, BOX)->view.qos, QOS_HIGH);
	pod(tree, ignored, 2);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_NORMAL);
	assert_int_equal(at(tree, BOX)->view.flags, WORKLOAD_IGNORED | WORKLOAD_EXPLAIN);
	(void)tree_said(tree);
	pod(tree, ignored, 2);
	assert_string_equal(tree_said(tree), "");
	/* The list of children is as it was: a change still reaches each of them, once. */
	pod(tree, batch, 1);
	assert_string_equal(tree_said(tree), "~web ~web/c1 ~web/c2");
}

/* Who runs the node has the last word about what is left alone, of one container as well. */
static void test_registry_put_rule_leaves_one_container_alone(void **state)
{
	struct rule rules[] = { {
		.match = { .kind = TEXT("container"), .name = TEXT("*/c1") },
		.ignore = true,
		.file = "b.yaml",
		.line = 3,
	} };
	struct tree *tree = *state;

	tree->settings.rules = rules;
	tree->settings.rule_count = ARRAY_SIZE(rules);
	pod(tree, batch, 1);
	box(tree, "web/c1", BOX);
	box(tree, "web/c2", POD "/c2");
	assert_int_equal(at(tree, BOX)->view.flags, WORKLOAD_IGNORED);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_BATCH);
	assert_int_equal(at(tree, POD "/c2")->view.flags, 0);
	/* Its pod as well, and no longer. */
	pod(tree, ignored, 2);
	pod(tree, batch, 1);
	assert_int_equal(at(tree, BOX)->view.flags, WORKLOAD_IGNORED);
	assert_int_equal(at(tree, POD "/c2")->view.flags, 0);
	tree->settings.rules = NULL;
	tree->settings.rule_count = 0;
}

static void test_registry_put_container_before_its_pod_follows_later(void **state)
{
	struct tree *tree = *state;

	box(tree, "web/c1", BOX);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_NORMAL);
	assert_int_equal(at(tree, BOX)->decision.origin, ORIGIN_DEFAULT);
	pod(tree, batch, 1);
	assert_string_equal(tree_said(tree), "+web/c1 +web ~web/c1");
	assert_int_equal(at(tree, BOX)->view.qos, QOS_BATCH);
	registry_drop(&tree->registry, "s", POD);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_NORMAL);
	assert_int_equal(at(tree, BOX)->decision.origin, ORIGIN_DEFAULT);
	assert_string_equal(tree_said(tree), "~web/c1 -web");
	assert_int_equal(tree->registry.orphans, 1);
}

/* The group above the pod's is not what a container names: it says nothing of its level. */
static void test_registry_put_group_above_the_pod_is_not_inherited(void **state)
{
	struct tree *tree = *state;
	const struct workload_record above = {
		.kind = "cgroup",
		.name = "kubepods",
		.cgroup = "kubepods",
		.annotations = batch,
		.annotation_count = 1,
	};

	assert_ok(registry_put(&tree->registry, "g", 30, &above));
	box(tree, "web/c1", BOX);
	assert_int_equal(at(tree, BOX)->view.parent, at(tree, "kubepods")->view.id);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_NORMAL);
}

static void test_registry_put_two_that_name_each_other_both_decide(void **state)
{
	struct tree *tree = *state;
	struct workload_record one = box_record("one", BOX), two = box_record("two", POD "/c2");

	one.parent_cgroup = POD "/c2";
	two.parent_cgroup = BOX;
	assert_ok(registry_put(&tree->registry, "s", 1, &one));
	assert_ok(registry_put(&tree->registry, "s", 1, &two));
	registry_reload(&tree->registry, &tree->settings);
	assert_int_equal(at(tree, BOX)->decision.origin, ORIGIN_DEFAULT);
	assert_int_equal(at(tree, POD "/c2")->decision.origin, ORIGIN_DEFAULT);
}

static void test_registry_reload_new_default_reaches_containers(void **state)
{
	struct tree *tree = *state;
	struct settings other = tree->settings;
	struct qos_decision decision = { 0 };

	box(tree, "web/c1", BOX);
	pod(tree, NULL, 0);
	(void)tree_said(tree);
	other.default_qos = 1; /* batch */
	assert_ok(registry_decide(&tree->registry, at(tree, BOX), &other, &decision));
	assert_int_equal(decision.level, QOS_BATCH);
	assert_int_equal(decision.origin, ORIGIN_PARENT);
	free(decision.detail);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_NORMAL);
	registry_reload(&tree->registry, &other);
	assert_int_equal(at(tree, BOX)->view.qos, QOS_BATCH);
	assert_int_equal(at(tree, POD)->view.qos, QOS_BATCH);
	assert_int_equal(tree_count(tree, WORKLOAD_UPDATED), 2);
	registry_reload(&tree->registry, &tree->settings);
}

static void test_registry_put_what_plugins_do_not_see_is_no_update(void **state)
{
	struct tree *tree = *state;
	char key[] = "phase", value[] = "Running";
	struct label facts[LIMIT_FACTS + 1];
	struct workload_record record = box_record("web/c1", BOX);
	const struct workload *workload;

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		facts[i] = (struct label){ key, value };
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	(void)tree_said(tree);
	record.uid = "u-1";
	record.alias = "other";
	record.via = "kubelet";
	record.stale = true;
	record.leader = 77;
	record.facts = facts;
	record.fact_count = 1;
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_string_equal(tree_said(tree), "");
	workload = at(tree, BOX);
	assert_string_equal(workload->uid, "u-1");
	assert_string_equal(workload->alias, "other");
	assert_string_equal(workload->via, "kubelet");
	assert_true(workload->stale);
	assert_int_equal(workload->leader, 77);
	assert_int_equal(workload->fact_count, 1);
	assert_string_equal(workload->facts[0].value, "Running");
	record.fact_count = LIMIT_FACTS + 1;
	assert_errno(registry_put(&tree->registry, "s", 1, &record), E2BIG);
	record.fact_count = 1;
	facts[0].value = TEXT("Failed");
	assert_ok(registry_put(&tree->registry, "s", 1, &record));
	assert_string_equal(at(tree, BOX)->facts[0].value, "Failed");
}

static void test_registry_find_alias_and_uid_find_it(void **state)
{
	static const char *const names[] = { "web", "ns/web", "vm-7", "ns/vm-7", "0a1b", POD };
	struct tree *tree = *state;
	size_t many;

	pod(tree, NULL, 0);
	box(tree, "web/c1", BOX);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_ptr_equal(registry_find(&tree->registry, names[i], &many), at(tree, POD));
	assert_ptr_equal(registry_find(&tree->registry, "ns/web/c1", &many), at(tree, BOX));
	assert_null(registry_find(&tree->registry, "ns/0a1b", &many));
	assert_null(registry_find(&tree->registry, "vm", &many));
	assert_int_equal(many, 0);
}

struct notices {
	size_t count;
	enum workload_notice last;
	char text[128];
};

static struct notices noticed;

static void on_notice(void *data, enum workload_notice notice, const struct workload *workload)
{
	struct tree *tree = data;

	/* Whoever is told can look it up. */
	assert_ptr_equal(registry_get(&tree->registry, workload->view.id), workload);
	noticed.count++;
	noticed.last = notice;
	(void)snprintf(noticed.text, sizeof(noticed.text), "%s %s", workload->name,
		       notice == NOTICE_MALFORMED ? workload->decision.malformed
						  : workload->decision.conflict);
}

static void test_registry_notice_comes_once_for_each_text_of_the_pod(void **state)
{
	struct tree *tree = *state;

	noticed = (struct notices){ 0 };
	tree->registry.notice = on_notice;
	pod(tree, malformed, 1);
	box(tree, "web/c1", BOX);
	pod(tree, malformed, 1);
	registry_reload(&tree->registry, &tree->settings);
	assert_int_equal(noticed.count, 1);
	assert_int_equal(noticed.last, NOTICE_MALFORMED);
	assert_non_null(strstr(noticed.text, "web berth/qos='fast' is not"));
	pod(tree, conflict, 2);
	assert_int_equal(noticed.count, 2);
	assert_int_equal(noticed.last, NOTICE_CONFLICT);
	assert_string_equal(noticed.text, "web volcano.sh/preemptable=false says normal");
	pod(tree, batch, 1);
	pod(tree, conflict, 2);
	assert_int_equal(noticed.count, 3);
	assert_null(at(tree, BOX)->decision.conflict);
}

/* A thousand pods whose levels change: each touches its own three containers. */
static void test_registry_put_thousand_pods_children_stay_with_their_own(void **state)
{
	struct tree *tree = *state;
	char path[80], parent[64];

	for (unsigned int i = 0; i < 1000; i++) {
		struct workload_record record = {
			.kind = "pod", .namespace = "ns", .name = "p", .cgroup = parent
		};

		(void)snprintf(parent, sizeof(parent), "kubepods/p%u", i);
		tree_mkdir(tree, 0, parent);
		assert_ok(registry_put(&tree->registry, "s", 1, &record));
		for (unsigned int k = 0; k < 3; k++) {
			struct workload_record container = box_record("c", path);

			(void)snprintf(path, sizeof(path), "%s/c%u", parent, k);
			tree_mkdir(tree, 0, path);
			container.parent_cgroup = parent;
			assert_ok(registry_put(&tree->registry, "s", 1, &container));
		}
		record.annotations = i % 2 ? batch : high;
		record.annotation_count = 1;
		tree->event_count = 0;
		assert_ok(registry_put(&tree->registry, "s", 1, &record));
		assert_int_equal(tree->event_count, 4);
	}
	assert_int_equal(tree->registry.orphans, 0);
	assert_int_equal(at(tree, "kubepods/p7/c2")->view.qos, QOS_BATCH);
	assert_int_equal(at(tree, "kubepods/p8/c0")->view.qos, QOS_HIGH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_registry_put_container_takes_the_level_of_its_pod),
		TEST(test_registry_put_pod_changes_its_containers_follow),
		TEST(test_registry_put_rule_leaves_one_container_alone),
		TEST(test_registry_put_container_before_its_pod_follows_later),
		TEST(test_registry_put_group_above_the_pod_is_not_inherited),
		TEST(test_registry_put_two_that_name_each_other_both_decide),
		TEST(test_registry_reload_new_default_reaches_containers),
		TEST(test_registry_put_what_plugins_do_not_see_is_no_update),
		TEST(test_registry_find_alias_and_uid_find_it),
		TEST(test_registry_notice_comes_once_for_each_text_of_the_pod),
		TEST(test_registry_put_thousand_pods_children_stay_with_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
