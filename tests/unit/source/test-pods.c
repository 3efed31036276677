/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "berth-test.h"
#include "limit.h"
#include "pods-world.h"

#define CONTAINERS                                                                          \
	"\"containers\":[{\"name\":\"app\",\"resources\":{\"requests\":{\"cpu\":\"250m\"}," \
	"\"limits\":{\"cpu\":\"1\",\"memory\":\"64Mi\"}}}],"                                \
	"\"initContainers\":[{\"name\":\"setup\"}],\"ephemeralContainers\":[{\"name\":\"dbg\"}]"
#define STATUSES                                                                                 \
	"\"containerStatuses\":[{\"name\":\"app\",\"containerID\":\"containerd://" ID_1 "\"}],"  \
	"\"initContainerStatuses\":[{\"name\":\"setup\",\"containerID\":\"cri-o://" ID_2 "\"}]," \
	"\"ephemeralContainerStatuses\":[{\"name\":\"dbg\",\"containerID\":\"docker://" ID_3     \
	"\"}]"

static void test_pods_group_before_the_api_has_no_name_yet(void **state)
{
	struct world *world = *state;

	assert_true(world_group(world, POD_A));
	assert_true(world_group(world, POD_A "/" ID_1));
	assert_string_equal(tree_said(world->tree), "+pod" UID_A " +111111111111");
	assert_string_equal(world_at(world, POD_A)->kind, "pod");
	assert_string_equal(world_at(world, POD_A)->namespace, "");
	assert_string_equal(world_at(world, POD_A)->uid, UID_A);
	assert_string_equal(world_at(world, POD_A)->via, "cgroup tree");
	assert_string_equal(world_at(world, POD_A)->source, PODS_SOURCE);
	assert_string_equal(world_fact(world, POD_A, "QoS class"), "Burstable");
	assert_string_equal(world_at(world, POD_A "/" ID_1)->kind, "container");
	assert_int_equal(world_at(world, POD_A "/" ID_1)->view.parent,
			 world_at(world, POD_A)->view.id);
	/* Then the API knows it. */
	world_put(world, UID_A, "web", BATCH);
	/* The container hears of its level first, of its name after. */
	assert_string_equal(tree_said(world->tree), "~web ~111111111111 ~web/111111111111");
	assert_int_equal(world_at(world, POD_A)->view.qos, QOS_BATCH);
	assert_int_equal(world_at(world, POD_A "/" ID_1)->view.qos, QOS_BATCH);
	assert_string_equal(world_at(world, POD_A)->via, "apiserver");
	assert_string_equal(world_at(world, POD_A "/" ID_1)->namespace, "ns");
}

static void test_pods_api_before_the_group_level_is_there_at_once(void **state)
{
	struct world *world = *state;

	world_put(world, UID_A, "web", CRITICAL);
	assert_string_equal(tree_said(world->tree), "");
	assert_true(world_group(world, POD_A));
	assert_true(world_group(world, POD_A "/" ID_1));
	assert_string_equal(tree_said(world->tree), "+web +web/111111111111");
	assert_int_equal(world->tree->events[0].qos, QOS_CRITICAL);
	assert_int_equal(world->tree->events[1].qos, QOS_CRITICAL);
	/* The same again, and a change that nobody sees. */
	world_put(world, UID_A, "web", CRITICAL);
	assert_string_equal(tree_said(world->tree), "");
}

static void test_pods_put_containers_are_told_by_their_ids(void **state)
{
	struct world *world = *state;
	const struct pod_text text = {
		.uid = UID_A,
		.name = "web",
		.spec = CONTAINERS ",\"hostNetwork\":true",
		.status = "\"phase\":\"Running\",\"qosClass\":\"Burstable\"," STATUSES,
	};
	const struct workload *workload;

	(void)world_group(world, POD_A);
	(void)world_group(world, POD_A "/" ID_1);
	(void)world_group(world, POD_A "/" ID_2);
	(void)world_group(world, POD_A "/crio-" ID_3);
	(void)world_group(world, POD_A "/abcdefabcdef0123");
	(void)tree_said(world->tree);
	pods_api_put(world->pods, "kubelet", pod_make(&text));
	assert_string_equal(tree_said(world->tree),
			    "~web ~web/app ~web/setup ~web/dbg ~web/abcdefabcdef");
	assert_string_equal(world_fact(world, POD_A "/" ID_1, "container kind"), "app");
	assert_string_equal(world_fact(world, POD_A "/" ID_2, "container kind"), "init");
	assert_string_equal(world_fact(world, POD_A "/crio-" ID_3, "container kind"), "ephemeral");
	assert_string_equal(world_fact(world, POD_A "/crio-" ID_3, "runtime"), "cri-o");
	assert_non_null(
		strstr(world_fact(world, POD_A "/abcdefabcdef0123", "container kind"), "sandbox"));
	assert_string_equal(world_fact(world, POD_A, "phase"), "Running");
	assert_string_equal(world_fact(world, POD_A, "host network"), "true");
	workload = world_at(world, POD_A "/" ID_1);
	assert_int_equal(workload->view.cpu_request_milli, 250);
	assert_int_equal(workload->view.cpu_limit_milli, 1000);
	assert_int_equal(workload->view.memory_limit_bytes, 64u << 20);
	assert_int_equal(world_at(world, POD_A)->view.cpu_request_milli, 250);
	assert_string_equal(world_at(world, POD_A)->via, "kubelet");
}

static void test_pods_group_restarted_container_has_the_level_at_once(void **state)
{
	struct world *world = *state;

	world_put(world, UID_A, "web", BATCH);
	(void)world_group(world, POD_A);
	(void)world_group(world, POD_A "/" ID_1);
	(void)tree_said(world->tree);
	world_group_gone(world, POD_A "/" ID_1);
	assert_true(world_group(world, POD_A "/" ID_2));
	assert_string_equal(tree_said(world->tree), "-web/111111111111 +web/222222222222");
	assert_int_equal(world_at(world, POD_A "/" ID_2)->view.qos, QOS_BATCH);
	assert_string_equal(world_at(world, POD_A "/" ID_2)->decision.detail,
			    "pod ns/web: annotation berth/qos=batch");
}

static void test_pods_put_removed_annotation_is_undone(void **state)
{
	struct world *world = *state;

	world_put(world, UID_A, "web", BATCH);
	(void)world_group(world, POD_A);
	(void)world_group(world, POD_A "/" ID_1);
	(void)tree_said(world->tree);
	world_put(world, UID_A, "web", NULL);
	assert_string_equal(tree_said(world->tree), "~web ~web/111111111111");
	assert_int_equal(world_at(world, POD_A "/" ID_1)->view.qos, QOS_NORMAL);
}

static void test_pods_that_are_being_deleted_are_told_to_be(void **state)
{
	static const struct pod_text text = {
		.uid = UID_A,
		.name = "web",
		.metadata = ",\"deletionTimestamp\":\"2026-11-28T10:00:00Z\"",
	};
	struct world *world = *state;

	world_put(world, UID_A, "web", NULL);
	(void)world_group(world, POD_A);
	(void)tree_said(world->tree);
	assert_int_equal(world_at(world, POD_A)->view.flags & WORKLOAD_ENDING, 0);
	pods_api_put(world->pods, "apiserver", pod_make(&text));
	assert_string_equal(tree_said(world->tree), "~web");
	assert_true(world_at(world, POD_A)->view.flags & WORKLOAD_ENDING);
}

static void test_pods_gone_groups_keep_what_is_known_until_they_go(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	world_put(world, UID_A, "web", BATCH);
	(void)world_group(world, POD_A);
	(void)world_group(world, POD_A "/" ID_1);
	(void)tree_said(world->tree);
	assert_int_equal(world_at(world, POD_A)->view.flags & WORKLOAD_ENDING, 0);
	pods_api_gone(world->pods, UID_A);
	assert_string_equal(tree_said(world->tree), "~web");
	assert_int_equal(world_at(world, POD_A)->view.qos, QOS_BATCH);
	assert_true(world_at(world, POD_A)->view.flags & WORKLOAD_ENDING);
	assert_non_null(strstr(world_fact(world, POD_A, "deleted"), "still there"));
	world_group_gone(world, POD_A "/" ID_1);
	world_group_gone(world, POD_A);
	assert_string_equal(tree_said(world->tree), "-web/111111111111 -web");
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 0);
	(void)world_group(world, POD_A);
	assert_string_equal(tree_said(world->tree), "+pod" UID_A);
}

/* The kubelet takes the groups of a finished pod away and lists it on. */
static void test_pods_group_gone_while_listed_comes_back_with_its_level(void **state)
{
	struct world *world = *state;
	const struct pod_text text = { .uid = UID_A,
				       .name = "job",
				       .annotations = BATCH,
				       .status = "\"phase\":\"Succeeded\"" };
	struct pods_stats stats;

	pods_api_put(world->pods, "apiserver", pod_make(&text));
	(void)world_group(world, POD_A);
	world_group_gone(world, POD_A);
	assert_int_equal(world->tree->registry.count, 0);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 1);
	assert_int_equal(stats.with_group, 0);
	(void)world_group(world, POD_A);
	assert_string_equal(tree_said(world->tree), "+job -job +job");
	assert_int_equal(world_at(world, POD_A)->view.qos, QOS_BATCH);
	pods_api_gone(world->pods, UID_A);
	world_group_gone(world, POD_A);
	pods_api_gone(world->pods, UID_A);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 0);
}

static void test_pods_put_static_pod_has_two_uids(void **state)
{
	struct world *world = *state;
	const struct pod_text mirror = {
		.uid = UID_A,
		.namespace = "kube-system",
		.name = "etcd-n1",
		.annotations = "\"kubernetes.io/config.mirror\":\"" HASH
			       "\",\"kubernetes.io/config.hash\":\"" HASH "\"," CRITICAL,
	};

	assert_true(world_group(world, POD_S));
	pods_api_put(world->pods, "apiserver", pod_make(&mirror));
	assert_string_equal(world_at(world, POD_S)->name, "etcd-n1");
	assert_string_equal(world_at(world, POD_S)->uid, UID_A);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_CRITICAL);
	pods_api_gone(world->pods, UID_A);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_CRITICAL);
	world_group_gone(world, POD_S);
	assert_true(world_group(world, POD_S));
	assert_string_equal(world_at(world, POD_S)->name, "pod" HASH);
}

/* Whoever may write annotations on one pod does not get the level of another. */
static void test_pods_put_own_uid_goes_before_a_claimed_one(void **state)
{
	struct world *world = *state;
	const struct pod_text thief = {
		.uid = UID_A,
		.name = "thief",
		.annotations = "\"kubernetes.io/config.mirror\":\"" HASH "\"," BATCH,
	};

	(void)world_group(world, POD_S);
	world_put(world, HASH, "owner", CRITICAL);
	pods_api_put(world->pods, "apiserver", pod_make(&thief));
	assert_string_equal(world_at(world, POD_S)->name, "owner");
	pods_api_gone(world->pods, UID_A);
	assert_string_equal(world_at(world, POD_S)->name, "owner");
	/* And where the thief came first, the owner has it when it comes. */
	pods_api_forget(world->pods);
	pods_api_put(world->pods, "apiserver", pod_make(&thief));
	assert_string_equal(world_at(world, POD_S)->name, "thief");
	world_put(world, HASH, "owner", CRITICAL);
	assert_string_equal(world_at(world, POD_S)->name, "owner");
	/* A claim that is taken back leaves nothing behind. */
	world_put(world, UID_A, "thief", BATCH);
	pods_api_gone(world->pods, HASH);
	assert_string_equal(world_at(world, POD_S)->name, "owner");
}

static void test_pods_list_what_it_does_not_name_is_gone(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	world_put(world, UID_A, "web", BATCH);
	world_put(world, UID_B, "db", CRITICAL);
	(void)world_group(world, POD_A);
	pods_api_begin(world->pods);
	world_put(world, "c", "new", NULL);
	pods_api_end(world->pods);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 2);
	assert_int_equal(world_at(world, POD_A)->view.qos, QOS_BATCH);
	/* It was in the next list after all. */
	pods_api_begin(world->pods);
	world_put(world, UID_A, "web", BATCH);
	pods_api_end(world->pods);
	assert_string_equal(world_fact(world, POD_A, "deleted"), "");
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 1);
}

static void test_pods_groups_snapshot_drops_what_it_does_not_name(void **state)
{
	struct world *world = *state;

	pods_on_change(world->pods, world_on_change, world);
	(void)world_group(world, POD_A);
	(void)world_group(world, POD_B);
	assert_int_equal(world->changes, 2);
	(void)pods_group(world->pods, POD_A);
	assert_int_equal(world->changes, 2);
	tree_rmdir(world->tree, 0, POD_A);
	pods_groups_begin(world->pods);
	(void)pods_group(world->pods, POD_B);
	pods_groups_end(world->pods);
	assert_int_equal(world->changes, 3);
	assert_string_equal(tree_said(world->tree), "+pod" UID_A " +pod" UID_B " -pod" UID_A);
	world_group_gone(world, POD_B);
	assert_int_equal(world->changes, 4);
}

static void test_pods_group_other_paths_are_refused(void **state)
{
	struct world *world = *state;

	assert_false(pods_group(world->pods, "kubepods"));
	assert_false(pods_group(world->pods, "kubepods/burstable"));
	assert_false(pods_group(world->pods, POD_A));
	(void)world_group(world, POD_A);
	assert_false(world_group(world, POD_A "/system"));
	assert_int_equal(world->tree->registry.count, 1);
	world_group_gone(world, POD_A "/system");
}

/* A hierarchy of v1 more or less is no other pod. */
static void test_pods_group_in_each_hierarchy_is_one(void **state)
{
	struct world *world = *state;

	(void)world_group(world, POD_A);
	tree_mkdir(world->tree, 1, POD_A);
	assert_true(pods_group(world->pods, POD_A));
	tree_rmdir(world->tree, 0, POD_A);
	assert_true(pods_group(world->pods, POD_A));
	tree_rmdir(world->tree, 1, POD_A);
	assert_false(pods_group(world->pods, POD_A));
	assert_string_equal(tree_said(world->tree), "+pod" UID_A " ~pod" UID_A " -pod" UID_A);
}

#define SLICE "kubepods-burstable-pod81091155_cf2d_465d_b40b_1ee79f213f62.slice"

static void test_pods_group_beside_its_pod_has_it_as_parent(void **state)
{
	struct world *world = *state;

	world_put(world, UID_A, "web", BATCH);
	assert_true(world_group(world, SLICE ":cri-containerd:" ID_1));
	assert_int_equal(world_at(world, SLICE ":cri-containerd:" ID_1)->view.qos, QOS_NORMAL);
	tree_mkdir(world->tree, 0, "kubepods.slice");
	tree_mkdir(world->tree, 0, "kubepods.slice/kubepods-burstable.slice");
	assert_true(world_group(world, "kubepods.slice/kubepods-burstable.slice/" SLICE));
	assert_int_equal(world_at(world, SLICE ":cri-containerd:" ID_1)->view.qos, QOS_BATCH);
}

static void test_pods_put_machine_is_a_second_name(void **state)
{
	struct world *world = *state;
	const struct pod_text text = {
		.uid = UID_A,
		.name = "virt-launcher-db-x7k2p",
		.labels = "\"kubevirt.io\":\"virt-launcher\",\"vm.kubevirt.io/name\":\"db\"",
	};
	size_t many;

	(void)world_group(world, POD_A);
	pods_api_put(world->pods, "apiserver", pod_make(&text));
	assert_ptr_equal(registry_find(&world->tree->registry, "db", &many),
			 world_at(world, POD_A));
	assert_ptr_equal(registry_find(&world->tree->registry, "ns/db", &many),
			 world_at(world, POD_A));
	assert_ptr_equal(registry_find(&world->tree->registry, UID_A, &many),
			 world_at(world, POD_A));
}

static void test_pods_forget_groups_have_no_name_again(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	world_put(world, UID_A, "web", BATCH);
	(void)world_group(world, POD_A);
	(void)tree_said(world->tree);
	pods_api_forget(world->pods);
	assert_string_equal(tree_said(world->tree), "~pod" UID_A);
	assert_int_equal(world_at(world, POD_A)->view.qos, QOS_NORMAL);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 0);
	assert_int_equal(stats.unnamed, 1);
	assert_int_equal(stats.groups, 1);
	assert_int_equal(stats.with_group, 1);
}

static void test_pods_put_over_the_limit_is_refused(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;
	char uid[32];

	for (unsigned int i = 0; i < LIMIT_PODS + 3; i++) {
		(void)snprintf(uid, sizeof(uid), "uid-%u", i);
		world_put(world, uid, "web", NULL);
	}
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, LIMIT_PODS);
	assert_int_equal(world->pods->refused, 3);
	/* There is room again when one went. */
	pods_api_gone(world->pods, "uid-0");
	world_put(world, "other", "web", NULL);
	assert_int_equal(world->pods->refused, 3);
}

static uint64_t cpu_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static void thousand(struct world *world, const char *annotations)
{
	uint64_t start = cpu_usec();
	char uid[32];

	for (unsigned int i = 0; i < 1000; i++) {
		(void)snprintf(uid, sizeof(uid), "uid-%u", i);
		world_put(world, uid, "web", annotations);
	}
	print_message("# 1000 pods, %zu workloads: %llu us of CPU\n", world->tree->registry.count,
		      (unsigned long long)(cpu_usec() - start));
}

static void test_pods_thousand_with_three_containers_each(void **state)
{
	static const char *const ids[] = { ID_1, ID_2, ID_3 };
	struct world *world = *state;
	char path[160];

	thousand(world, BATCH);
	for (unsigned int i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "kubepods/poduid-%u", i);
		assert_true(world_group(world, path));
		for (size_t k = 0; k < ARRAY_SIZE(ids); k++) {
			(void)snprintf(path, sizeof(path), "kubepods/poduid-%u/%s", i, ids[k]);
			assert_true(world_group(world, path));
		}
	}
	assert_int_equal(tree_count(world->tree, WORKLOAD_ADDED), 4000);
	assert_int_equal(world->tree->registry.orphans, 0);
	world->tree->event_count = 0;
	thousand(world, CRITICAL);
	assert_int_equal(tree_count(world->tree, WORKLOAD_UPDATED), 4000);
	assert_int_equal(world_at(world, "kubepods/poduid-999/" ID_3)->view.qos, QOS_CRITICAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		TEST(test_pods_group_before_the_api_has_no_name_yet),
		TEST(test_pods_api_before_the_group_level_is_there_at_once),
		TEST(test_pods_put_containers_are_told_by_their_ids),
		TEST(test_pods_group_restarted_container_has_the_level_at_once),
		TEST(test_pods_put_removed_annotation_is_undone),
		TEST(test_pods_that_are_being_deleted_are_told_to_be),
		TEST(test_pods_gone_groups_keep_what_is_known_until_they_go),
		TEST(test_pods_group_gone_while_listed_comes_back_with_its_level),
		TEST(test_pods_put_static_pod_has_two_uids),
		TEST(test_pods_put_own_uid_goes_before_a_claimed_one),
		TEST(test_pods_list_what_it_does_not_name_is_gone),
		TEST(test_pods_groups_snapshot_drops_what_it_does_not_name),
		TEST(test_pods_group_other_paths_are_refused),
		TEST(test_pods_group_in_each_hierarchy_is_one),
		TEST(test_pods_group_beside_its_pod_has_it_as_parent),
		TEST(test_pods_put_machine_is_a_second_name),
		TEST(test_pods_forget_groups_have_no_name_again),
		TEST(test_pods_put_over_the_limit_is_refused),
		TEST(test_pods_thousand_with_three_containers_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
