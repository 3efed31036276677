/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "sysroot.h"
#include "tree.h"

/* Every directory of a fixture, as a source of pods would name it. */
static struct registry *walk_registry;
static size_t walk_base, walk_put;

static int walk(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_D && strlen(path) > walk_base) {
		const struct workload_record record = {
			.kind = "cgroup",
			.name = path + walk_base + 1,
			.cgroup = path + walk_base + 1,
		};

		assert_ok(registry_put(walk_registry, "walk", 1, &record));
		walk_put++;
	}
	return 0;
}

static void test_registry_put_fixture_trees_are_found_in_each_hierarchy(void **state)
{
	static const char *const fixtures[] = { "k8s-v1", "k8s-v1-cgroupfs", "k8s-v2",
						"k8s-v2-cgroupfs", "libvirt" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fixtures); i++) {
		const struct settings settings = { .default_qos = 2 };
		struct sysroot root = SYSROOT_NULL;
		struct hierarchy hierarchy;
		struct registry registry;
		struct workload *workload;
		char path[512];
		size_t length;

		(void)fixture_path(fixtures[i], path, sizeof(path));
		assert_ok(sysroot_open(path, &root));
		assert_ok(hierarchy_open(&root, &hierarchy));
		assert_int_not_equal(hierarchy.mode, HIERARCHY_NONE);
		registry_init(&registry, &hierarchy, &settings, NULL, NULL);
		length = strlen(path);
		(void)snprintf(path + length, sizeof(path) - length, "%s",
			       hierarchy.mounts[CONTROLLER_CPU].path);
		walk_registry = &registry;
		walk_base = strlen(path);
		walk_put = 0;
		assert_ok(nftw(path, walk, 16, FTW_PHYS));
		assert_true(walk_put > 0);
		assert_int_equal(registry.count, walk_put);
		list_foreach (workload, &registry.workloads, link)
			assert_int_not_equal(workload->cgroup->inode[CONTROLLER_CPU], 0);
		registry_done(&registry);
		hierarchy_done(&hierarchy);
		sysroot_done(&root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registry_put_fixture_trees_are_found_in_each_hierarchy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
