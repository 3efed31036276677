/* SPDX-License-Identifier: Apache-2.0 */
/* Static pods, of which the API has a mirror under another uid than their groups carry. */
#include "berth-test.h"
#include "pods-world.h"

static void mirror_put(struct world *world, const char *uid, const char *name,
		       const char *annotations)
{
	char text[256];
	const struct pod_text mirror = { .uid = uid, .name = name, .annotations = text };

	(void)snprintf(text, sizeof(text),
		       "\"kubernetes.io/config.mirror\":\"" HASH
		       "\",\"kubernetes.io/config.hash\":\"" HASH "\",%s",
		       annotations);
	pods_api_put(world->pods, "apiserver", pod_make(&mirror));
}

/* kubectl delete pod etcd-n1: the kubelet makes the mirror again, under a uid of its own, and the
 * static pod's groups stay what they were. */
static void test_pods_put_mirror_that_is_made_again_has_the_groups(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	(void)world_group(world, POD_S);
	mirror_put(world, UID_A, "etcd-n1", CRITICAL);
	pods_api_gone(world->pods, UID_A);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_CRITICAL);
	mirror_put(world, UID_B, "etcd-n1", BATCH);
	assert_string_equal(world_at(world, POD_S)->uid, UID_B);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_BATCH);
	assert_string_equal(world_fact(world, POD_S, "deleted"), "");
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 1);
	/* Missed, and found by a list, in which the new one comes before the old one is missing. */
	pods_api_begin(world->pods);
	mirror_put(world, UID_A, "etcd-n1", CRITICAL);
	pods_api_end(world->pods);
	assert_string_equal(world_at(world, POD_S)->uid, UID_A);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_CRITICAL);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 1);
	/* The other one first, and then the end of the first. */
	mirror_put(world, UID_B, "etcd-n1", BATCH);
	assert_string_equal(world_at(world, POD_S)->uid, UID_A);
	pods_api_gone(world->pods, UID_A);
	assert_string_equal(world_at(world, POD_S)->uid, UID_B);
	world_group_gone(world, POD_S);
	pods_api_gone(world->pods, UID_B);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 0);
}

/* The kubelet lists a static pod under the uid that its groups have, the apiserver its mirror. */
static void test_pods_put_mirror_follows_the_static_pod_of_the_kubelet(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	(void)world_group(world, POD_S);
	pods_api_begin(world->pods);
	world_put(world, HASH, "etcd-n1", BATCH);
	pods_api_end(world->pods);
	/* via: apiserver from now on. */
	pods_api_begin(world->pods);
	mirror_put(world, UID_A, "etcd-n1", CRITICAL);
	pods_api_end(world->pods);
	assert_string_equal(world_at(world, POD_S)->uid, UID_A);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_CRITICAL);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 1);
	/* And back. */
	pods_api_begin(world->pods);
	world_put(world, HASH, "etcd-n1", BATCH);
	pods_api_end(world->pods);
	assert_string_equal(world_at(world, POD_S)->uid, HASH);
	assert_int_equal(world_at(world, POD_S)->view.qos, QOS_BATCH);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 1);
	/* The mirror comes after its static pod was gone. */
	pods_api_gone(world->pods, HASH);
	mirror_put(world, UID_A, "etcd-n1", CRITICAL);
	assert_string_equal(world_at(world, POD_S)->uid, UID_A);
	world_group_gone(world, POD_S);
	pods_api_gone(world->pods, UID_A);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		TEST(test_pods_put_mirror_that_is_made_again_has_the_groups),
		TEST(test_pods_put_mirror_follows_the_static_pod_of_the_kubelet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
