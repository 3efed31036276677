/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "kube-cgroup.h"
#include "macro.h"

#define UID         "81091155-cf2d-465d-b40b-1ee79f213f62"
#define UID_SYSTEMD "81091155_cf2d_465d_b40b_1ee79f213f62"
#define HASH        "5f2b8d7ec9a14f0b8a7d6c5e4f3a2b1c"
#define ID          "889b275c3e2c902cdda90a9f9ba79f0b5ba4d8cd19ac441b0c1e53d67d8722a0"
#define LONG        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct row {
	const char *path;
	enum kube_cgroup_kind kind;
	enum kube_class qos_class;
	const char *uid, *container, *runtime;
};

#define ROOT(path)                                           \
	{                                                    \
		path, KUBE_ROOT, KUBE_GUARANTEED, "", "", "" \
	}
#define CLASS(path, class)                          \
	{                                           \
		path, KUBE_CLASS, class, "", "", "" \
	}
#define POD(path, class, uid)                      \
	{                                          \
		path, KUBE_POD, class, uid, "", "" \
	}
#define HELPER(path, class)                           \
	{                                             \
		path, KUBE_HELPER, class, UID, "", "" \
	}
#define BOX(path, class, name)                             \
	{                                                  \
		path, KUBE_CONTAINER, class, UID, ID, name \
	}
#define NOT(path)                                           \
	{                                                   \
		path, KUBE_NOT, KUBE_GUARANTEED, "", "", "" \
	}

static const struct row cgroupfs_rows[] = {
	ROOT("kubepods"),
	ROOT("berth.test.1/kubepods"),
	CLASS("kubepods/burstable", KUBE_BURSTABLE),
	CLASS("kubepods/besteffort", KUBE_BESTEFFORT),
	POD("kubepods/pod" UID, KUBE_GUARANTEED, UID),
	POD("kubepods/burstable/pod" UID, KUBE_BURSTABLE, UID),
	POD("kubepods/besteffort/pod" HASH, KUBE_BESTEFFORT, HASH),
	POD("docker/" ID "/kubelet/kubepods/besteffort/pod" UID, KUBE_BESTEFFORT, UID),
	BOX("kubepods/burstable/pod" UID "/" ID, KUBE_BURSTABLE, ""),
	BOX("kubepods/pod" UID "/crio-" ID, KUBE_GUARANTEED, "cri-o"),
	BOX("kubepods/pod" UID "/kata_" ID, KUBE_GUARANTEED, "kata"),
	BOX("a/b/kubepods/pod" UID "/" ID, KUBE_GUARANTEED, ""),
	HELPER("kubepods/pod" UID "/crio-conmon-" ID, KUBE_GUARANTEED),
	HELPER("kubepods/besteffort/pod" UID "/kata_overhead", KUBE_BESTEFFORT),
	HELPER("kubepods/besteffort/pod" UID "/system", KUBE_BESTEFFORT),
	/* Below a container is the container's own business, whatever it is called. */
	NOT("kubepods/pod" UID "/" ID "/kubepods/pod" UID "/" ID),
	NOT("kubepods/pod" UID "/" ID "/init"),
	NOT("kubepods/burstable/burstable"),
	NOT("kubepods/guaranteed"),
	NOT("kubepods/kubepods/pod" UID),
	NOT("kubepods/kubepods-pod" UID_SYSTEMD ".slice"),
	NOT("kubepods/pod"),
	NOT("kubepods/pod" UID_SYSTEMD),
	NOT("kubepods/pod" UID "\n"),
	NOT("kubepods/pod" LONG),
	NOT("kubepods2/pod" UID),
};

#define BURSTABLE  "kubepods.slice/kubepods-burstable.slice/kubepods-burstable"
#define GUARANTEED "kubepods.slice/kubepods-pod" UID_SYSTEMD ".slice"

static const struct row systemd_rows[] = {
	ROOT("kubepods.slice"),
	ROOT("kubelet.slice/kubelet-kubepods.slice"),
	ROOT("a.slice/a-b.slice/a-b-kubepods.slice"),
	CLASS("kubepods.slice/kubepods-burstable.slice", KUBE_BURSTABLE),
	CLASS("a.slice/a-kubepods.slice/a-kubepods-besteffort.slice", KUBE_BESTEFFORT),
	POD(GUARANTEED, KUBE_GUARANTEED, UID),
	POD(BURSTABLE "-pod" UID_SYSTEMD ".slice", KUBE_BURSTABLE, UID),
	POD(BURSTABLE "-pod" HASH ".slice", KUBE_BURSTABLE, HASH),
	BOX(GUARANTEED "/cri-containerd-" ID ".scope", KUBE_GUARANTEED, "containerd"),
	BOX(GUARANTEED "/crio-" ID ".scope", KUBE_GUARANTEED, "cri-o"),
	BOX(GUARANTEED "/docker-" ID ".scope", KUBE_GUARANTEED, "docker"),
	BOX(GUARANTEED "/isulad-" ID ".scope", KUBE_GUARANTEED, "isulad"),
	BOX(GUARANTEED "/libpod-" ID ".scope", KUBE_GUARANTEED, "podman"),
	BOX(GUARANTEED "/" ID ".scope", KUBE_GUARANTEED, ""),
	BOX(GUARANTEED "/" ID, KUBE_GUARANTEED, ""),
	BOX("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	    "kubelet-kubepods-burstable-pod" UID_SYSTEMD ".slice/cri-containerd-" ID ".scope",
	    KUBE_BURSTABLE, "containerd"),
	BOX("system.slice/docker-" ID ".scope/kubelet.slice/kubelet-kubepods.slice/"
	    "kubelet-kubepods-pod" UID_SYSTEMD ".slice/cri-containerd-" ID ".scope",
	    KUBE_GUARANTEED, "containerd"),
	HELPER(GUARANTEED "/crio-conmon-" ID ".scope", KUBE_GUARANTEED),
	HELPER(GUARANTEED "/kata_overhead", KUBE_GUARANTEED),
	HELPER(GUARANTEED "/init.scope", KUBE_GUARANTEED),
	NOT(GUARANTEED "/crio-" ID ".scope/container"),
	NOT("kubepods.slice/kubepods-burstable.slice/kubepods-besteffort-pod" UID_SYSTEMD ".slice"),
	NOT("kubepods.slice/a-kubepods-pod" UID_SYSTEMD ".slice"),
	NOT("kubepods.slice/kubepods-pod" UID ".slice"),
	NOT("kubepods.slice/kubepods-pod.slice"),
	NOT("kubepods.slice/kubepods-.slice"),
	NOT("kubepods.slice/.slice"),
	NOT("kubepods.slice/burstable"),
	NOT("kubepods.slice/pod" UID),
	NOT("podruntime.slice"),
	NOT("notkubepods.slice/x"),
};

#define MIXED "kubepods-burstable-pod" UID_SYSTEMD ".slice"

static const struct row mixed_rows[] = {
	BOX(MIXED ":cri-containerd:" ID, KUBE_BURSTABLE, "containerd"),
	BOX("system.slice/containerd.service/" MIXED ":cri-containerd:" ID, KUBE_BURSTABLE,
	    "containerd"),
	BOX("kubepods.slice/" MIXED ":cri-containerd:" ID, KUBE_BURSTABLE, "containerd"),
	BOX("kubepods.slice/kubepods-burstable.slice/" MIXED ":crio:" ID, KUBE_BURSTABLE, "cri-o"),
	BOX("a-b-" MIXED ":docker:" ID, KUBE_BURSTABLE, "docker"),
	BOX("kubepods-pod" UID_SYSTEMD ".slice:other:" ID, KUBE_GUARANTEED, ""),
	HELPER(MIXED ":cri-containerd:pause", KUBE_BURSTABLE),
	NOT(MIXED ":cri-containerd:" ID "/below"),
	NOT(MIXED ":cri-containerd"),
	NOT(MIXED "::"),
	NOT(MIXED),
	NOT("kubepods-burstable.slice:cri-containerd:" ID),
	NOT("user-pod" UID_SYSTEMD ".slice:cri-containerd:" ID),
	NOT("kubepods-pod" UID_SYSTEMD ".slice:" LONG ":" ID),
};

static const struct row other_rows[] = {
	NOT(""),
	NOT("/"),
	NOT("/kubepods"),
	NOT("kubepods/"),
	NOT("kubepods//pod" UID),
	NOT("user.slice/user-0.slice"),
	NOT("machine.slice/machine-qemu\\x2d1\\x2dkubepods.scope"),
	NOT("docker/" ID),
	NOT("system.slice/crio-conmon-" ID ".scope"),
	NOT("kata_overhead/" ID),
};

static void rows_check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		struct kube_cgroup group;

		kube_cgroup_parse(row->path, &group);
		if (group.kind != row->kind || group.qos_class != row->qos_class ||
		    strcmp(group.uid, row->uid) != 0 ||
		    strcmp(group.container, row->container) != 0 ||
		    strcmp(group.runtime, row->runtime) != 0)
			fail_msg("'%s': kind %d class %d uid '%s' container '%s' runtime '%s'",
				 row->path, (int)group.kind, (int)group.qos_class, group.uid,
				 group.container, group.runtime);
	}
}

static void test_kube_cgroup_parse_cgroupfs_driver_is_read(void **state)
{
	(void)state;
	rows_check(cgroupfs_rows, ARRAY_SIZE(cgroupfs_rows));
}

static void test_kube_cgroup_parse_systemd_driver_is_read(void **state)
{
	(void)state;
	rows_check(systemd_rows, ARRAY_SIZE(systemd_rows));
}

static void test_kube_cgroup_parse_drivers_that_disagree_are_read(void **state)
{
	(void)state;
	rows_check(mixed_rows, ARRAY_SIZE(mixed_rows));
}

static void test_kube_cgroup_parse_other_paths_are_not(void **state)
{
	(void)state;
	rows_check(other_rows, ARRAY_SIZE(other_rows));
}

static void test_kube_cgroup_parse_too_long_names_are_not_cut(void **state)
{
	char path[1024];
	struct kube_cgroup group;

	(void)state;
	for (size_t length = 1; length < 300; length++) {
		(void)snprintf(path, sizeof(path), "kubepods/pod%0*d", (int)length, 0);
		kube_cgroup_parse(path, &group);
		assert_int_equal(group.kind, length < KUBE_UID_MAX ? KUBE_POD : KUBE_NOT);
		(void)snprintf(path, sizeof(path), "kubepods/pod" UID "/%0*d", (int)length, 0);
		kube_cgroup_parse(path, &group);
		assert_int_equal(group.kind, length >= 12 && length < KUBE_CONTAINER_ID_MAX
						     ? KUBE_CONTAINER
						     : KUBE_HELPER);
		assert_int_equal(strlen(group.container),
				 group.kind == KUBE_CONTAINER ? length : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kube_cgroup_parse_cgroupfs_driver_is_read),
		cmocka_unit_test(test_kube_cgroup_parse_systemd_driver_is_read),
		cmocka_unit_test(test_kube_cgroup_parse_drivers_that_disagree_are_read),
		cmocka_unit_test(test_kube_cgroup_parse_other_paths_are_not),
		cmocka_unit_test(test_kube_cgroup_parse_too_long_names_are_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
