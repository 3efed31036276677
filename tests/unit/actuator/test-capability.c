/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/capability/capability.h"
#include "actuator/process/knob.h"
#include "berth-test.h"
#include "group-fixture.h"

#define PROBE_GROUP "berth.probe"

static const char *const directories[] = {
	"cg",          "cg/pod",          "proc", "proc/self",  "proc/pressure",  "proc/sys",
	"proc/sys/vm", "proc/sys/kernel", "sys",  "sys/kernel", "sys/kernel/btf",
};

/* Files by "path": removed again by name. */
static const char *const files[] = {
	"cg/cgroup.controllers",
	"cg/cgroup.subtree_control",
	"cg/pod/cpu.idle",
	"cg/pod/cpu.shares",
	"cg/pod/cpu.qos_level",
	"cg/pod/memory.min",
	"cg/pod/memory.qos_level",
	"cg/pod/memory.high",
	"cg/pod/memory.high_async_ratio",
	"cg/pod/cpu.pressure",
	"proc/self/oom_score_adj",
	"proc/pressure/cpu",
	"proc/sys/vm/memcg_qos_enable",
	"proc/sys/kernel/qos_level_weights",
	"proc/filesystems",
	"sys/kernel/btf/vmlinux",
};

struct fixture {
	char path[32];
	int fd, cgroups;
	struct sysroot root;
	struct hierarchy hierarchy;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->fd = directory_fd(AT_FDCWD, fixture->path);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		assert_int_equal(mkdirat(fixture->fd, directories[i], 0755), 0);
	fixture->cgroups = directory_fd(fixture->fd, "cg");
	fixture->root = (struct sysroot){
		.root = fixture->fd,
	};
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(fixture->fd, files[i], 0);
	for (size_t i = sizeof(directories) / sizeof(directories[0]); i > 0; i--)
		(void)unlinkat(fixture->fd, directories[i - 1], AT_REMOVEDIR);
	assert_int_equal(rmdir(fixture->path), 0); /* and so nothing was made in it */
	(void)close(fixture->cgroups);
	(void)close(fixture->fd);
	free(fixture);
	return 0;
}

static void test_capabilities_probe_bare_host_has_nothing_and_says_why(void **state)
{
	struct fixture *fixture = *state;
	struct capabilities capabilities;

	memset(&fixture->hierarchy, 0, sizeof(fixture->hierarchy));
	capabilities_probe(&fixture->root, &fixture->hierarchy, NULL, &capabilities);
	for (int i = 0; i < KNOB_MAX; i++) {
		if (i == KNOB_CORE_SCHED)
			continue;
		assert_false(capabilities.knobs[i].available);
		assert_true(capabilities.knobs[i].detail[0] != '\0');
	}
	for (int i = 0; i < FEATURE_MAX; i++) {
		assert_true(capabilities.features[i].detail[0] != '\0');
		if (i != FEATURE_ROOT)
			assert_false(capabilities.features[i].available);
	}
	assert_string_equal(capabilities.knobs[KNOB_CPU_IDLE].detail,
			    "no cpu controller is mounted");
}

static void test_capabilities_probe_v1_fixture_looks_at_the_sample_group(void **state)
{
	struct fixture *fixture = *state;
	struct capabilities capabilities;

	fake_hierarchy(fixture->cgroups, 1, &fixture->hierarchy);
	write_text(fixture->fd, "cg/pod/cpu.idle", "0\n");
	write_text(fixture->fd, "cg/pod/cpu.shares", "1024\n");
	write_text(fixture->fd, "cg/pod/cpu.qos_level", "0\n");
	write_text(fixture->fd, "proc/self/oom_score_adj", "0\n");
	write_text(fixture->fd, "proc/pressure/cpu", "some avg10=0.00\n");
	write_text(fixture->fd, "proc/filesystems", "nodev\tcgroup\nnodev\tresctrl\n");
	write_text(fixture->fd, "sys/kernel/btf/vmlinux", "x");
	capabilities_probe(&fixture->root, &fixture->hierarchy, "pod", &capabilities);
	assert_true(capabilities.knobs[KNOB_CPU_IDLE].available);
	assert_string_equal(capabilities.knobs[KNOB_CPU_IDLE].detail,
			    "/sys/fs/cgroup/GROUP/cpu.idle");
	assert_true(capabilities.knobs[KNOB_CPU_WEIGHT].available);
	assert_true(capabilities.knobs[KNOB_CPU_QOS_LEVEL].available);
	assert_false(capabilities.knobs[KNOB_CPU_QOS_LEVEL].multilevel);
	assert_false(capabilities.knobs[KNOB_CPU_QUOTA_USEC].available);
	assert_false(capabilities.knobs[KNOB_MEMORY_QOS_LEVEL].available);
	assert_true(capabilities.knobs[KNOB_OOM_SCORE_ADJ].available);
	assert_true(capabilities.features[FEATURE_CGROUP].available);
	assert_true(capabilities.features[FEATURE_PSI].available);
	assert_false(capabilities.features[FEATURE_CGROUP_PSI].available);
	assert_non_null(strstr(capabilities.features[FEATURE_CGROUP_PSI].detail, "psi_v1=1"));
	assert_true(capabilities.features[FEATURE_BPF].available);
	assert_true(capabilities.features[FEATURE_RESCTRL].available);

	write_text(fixture->fd, "proc/sys/kernel/qos_level_weights", "1\n");
	write_text(fixture->fd, "proc/sys/vm/memcg_qos_enable", "0\n");
	write_text(fixture->fd, "cg/pod/memory.qos_level", "0\n");
	write_text(fixture->fd, "cg/pod/cpu.pressure", "some avg10=0.00\n");
	capabilities_probe(&fixture->root, &fixture->hierarchy, "pod", &capabilities);
	assert_true(capabilities.knobs[KNOB_CPU_QOS_LEVEL].multilevel);
	assert_true(capabilities.knobs[KNOB_MEMCG_QOS_ENABLE].available);
	assert_true(capabilities.knobs[KNOB_MEMORY_QOS_LEVEL].available);
	assert_true(capabilities.features[FEATURE_CGROUP_PSI].available);
}

/* openEuler has v2's file in v1, and one of its own. memory.soft_limit_in_bytes is neither. */
static void test_capabilities_probe_memory_high_on_v1_is_openeulers(void **state)
{
	struct fixture *fixture = *state;
	struct capabilities capabilities;

	fake_hierarchy(fixture->cgroups, 1, &fixture->hierarchy);
	capabilities_probe(&fixture->root, &fixture->hierarchy, "pod", &capabilities);
	assert_false(capabilities.knobs[KNOB_MEMORY_HIGH_BYTES].available);
	assert_non_null(strstr(capabilities.knobs[KNOB_MEMORY_HIGH_BYTES].detail, "openEuler"));
	assert_false(capabilities.knobs[KNOB_MEMORY_HIGH_ASYNC_RATIO].available);
	write_text(fixture->fd, "cg/pod/memory.high", "9223372036854771712\n");
	write_text(fixture->fd, "cg/pod/memory.high_async_ratio", "0\n");
	capabilities_probe(&fixture->root, &fixture->hierarchy, "pod", &capabilities);
	assert_true(capabilities.knobs[KNOB_MEMORY_HIGH_BYTES].available);
	assert_true(capabilities.knobs[KNOB_MEMORY_HIGH_ASYNC_RATIO].available);
	assert_string_equal(capabilities.knobs[KNOB_MEMORY_OOM_GROUP].detail,
			    "memory.oom.group is a file of cgroup v2; this host's memory is v1");
}

static void test_capabilities_probe_v2_names_the_missing_controller(void **state)
{
	struct fixture *fixture = *state;
	struct capabilities capabilities;

	fake_hierarchy(fixture->cgroups, 2, &fixture->hierarchy);
	write_text(fixture->fd, "cg/cgroup.controllers", "cpuset cpu\n");
	write_text(fixture->fd, "cg/cgroup.subtree_control", "cpuset\n");
	capabilities_probe(&fixture->root, &fixture->hierarchy, "pod", &capabilities);
	assert_string_equal(capabilities.knobs[KNOB_CPU_IDLE].detail,
			    "the cpu controller is not enabled: write +cpu to "
			    "/sys/fs/cgroup/cgroup.subtree_control");
	assert_string_equal(capabilities.knobs[KNOB_MEMORY_MIN_BYTES].detail,
			    "this kernel offers no memory controller at /sys/fs/cgroup");
	assert_string_equal(capabilities.knobs[KNOB_CPU_QOS_LEVEL].detail,
			    "cpu.qos_level is a file of cgroup v1; this host's cpu is v2");
	write_text(fixture->fd, "cg/cgroup.subtree_control", "cpuset cpu\n");
	capabilities_probe(&fixture->root, &fixture->hierarchy, "pod", &capabilities);
	assert_string_equal(capabilities.knobs[KNOB_CPU_IDLE].detail,
			    "this kernel's groups have no cpu.idle");
	assert_false(capabilities.knobs[KNOB_CPU_IDLE].available);
}

static int core_sched_result;

static int fake_core_sched(unsigned int command, int pid, unsigned int scope, uint64_t *ret_cookie)
{
	assert_int_equal(command, 0);
	assert_int_equal(pid, 0);
	assert_int_equal(scope, 0);
	*ret_cookie = 0;
	return core_sched_result;
}

static void test_capabilities_probe_core_sched_by_what_the_kernel_says(void **state)
{
	static const struct {
		int result;
		bool available;
		const char *detail;
	} cases[] = {
		{ 0, true, "prctl(PR_SCHED_CORE)" },
		{ -EINVAL, false, "this kernel is built without CONFIG_SCHED_CORE" },
		{ -ENODEV, false, "no SMT: every task has a core of its own" },
	};
	int (*saved)(unsigned int, int, unsigned int, uint64_t *) = process_knob_core_sched;
	struct fixture *fixture = *state;

	fake_hierarchy(fixture->cgroups, 1, &fixture->hierarchy);
	process_knob_core_sched = fake_core_sched;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct capabilities capabilities;

		core_sched_result = cases[i].result;
		capabilities_probe(&fixture->root, &fixture->hierarchy, NULL, &capabilities);
		assert_int_equal(capabilities.knobs[KNOB_CORE_SCHED].available, cases[i].available);
		assert_string_equal(capabilities.knobs[KNOB_CORE_SCHED].detail, cases[i].detail);
	}
	process_knob_core_sched = saved;
}

static void test_feature_name_every_feature_has_one(void **state)
{
	(void)state;
	for (int i = 0; i < FEATURE_MAX; i++)
		assert_string_not_equal(feature_name((enum feature)i), "unknown");
	assert_string_equal(feature_name(FEATURE_MAX), "unknown");
}

static bool probe_group_exists(const struct hierarchy *hierarchy)
{
	for (int i = 0; i < CONTROLLER_MAX; i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[i];
		char buffer[HIERARCHY_PATH_MAX];

		if (mount->version != 0 &&
		    faccessat(mount->fd, hierarchy_at(mount, PROBE_GROUP, buffer), F_OK, 0) == 0)
			return true;
	}
	return false;
}

static void test_capabilities_probe_host_makes_and_removes_its_group(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	struct hierarchy hierarchy;
	struct capabilities capabilities;
	const char *why;
	int cpu;

	(void)state;
	assert_ok(sysroot_open(NULL, &root));
	assert_ok(hierarchy_open(&root, &hierarchy));
	why = host_group_why_not(&hierarchy);
	if (why) {
		print_message("# skipped: %s\n", why);
		hierarchy_done(&hierarchy);
		sysroot_done(&root);
		skip();
	}
	capabilities_probe(&root, &hierarchy, NULL, &capabilities);
	assert_false(probe_group_exists(&hierarchy));
	assert_true(capabilities.features[FEATURE_CGROUP].available);
	assert_true(capabilities.features[FEATURE_ROOT].available);
	cpu = hierarchy_open_root(&hierarchy.mounts[CONTROLLER_CPU], O_PATH);
	if (hierarchy.mounts[CONTROLLER_CPU].version == 1) {
		/* cpu.shares is in every v1 group; and what is said is so. */
		assert_true(capabilities.knobs[KNOB_CPU_WEIGHT].available);
		assert_true(capabilities.knobs[KNOB_CPU_QUOTA_USEC].available);
		assert_int_equal(capabilities.knobs[KNOB_CPU_IDLE].available,
				 faccessat(cpu, "cpu.idle", F_OK, 0) == 0);
	}
	/* One that a killed daemon left. */
	assert_int_equal(mkdirat(cpu, PROBE_GROUP, 0755), 0);
	capabilities_probe(&root, &hierarchy, NULL, &capabilities);
	assert_false(probe_group_exists(&hierarchy));
	assert_int_equal(close(cpu), 0);
	hierarchy_done(&hierarchy);
	sysroot_done(&root);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_capabilities_probe_bare_host_has_nothing_and_says_why),
		TEST(test_capabilities_probe_v1_fixture_looks_at_the_sample_group),
		TEST(test_capabilities_probe_memory_high_on_v1_is_openeulers),
		TEST(test_capabilities_probe_v2_names_the_missing_controller),
		TEST(test_capabilities_probe_core_sched_by_what_the_kernel_says),
		cmocka_unit_test(test_feature_name_every_feature_has_one),
		cmocka_unit_test(test_capabilities_probe_host_makes_and_removes_its_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
