/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "berth-test.h"
#include "fixture-copy.h"
#include "pods-world.h"
#include "source/source.h"
#include "sysroot.h"

/* A source over a hierarchy that is not the world's own. */
struct rig {
	struct tree *tree; /* settings and listener */
	sd_event *event;
	struct sysroot root;
	struct hierarchy hierarchy;
	struct registry registry;
	struct pods *pods;
	struct source_context context;
	struct source *source;
	char dir[32];
	int cpu; /* the root of the cpu hierarchy */
};

static void rig_start(struct rig *rig, const char *root)
{
	rig->tree = tree_new(1);
	rig->root = (struct sysroot)SYSROOT_NULL;
	assert_ok(sysroot_open(root, &rig->root));
	assert_ok(hierarchy_open(&rig->root, &rig->hierarchy));
	rig->cpu = hierarchy_open_root(&rig->hierarchy.mounts[CONTROLLER_CPU], O_PATH);
	registry_init(&rig->registry, &rig->hierarchy, &rig->tree->settings, tree_listen,
		      rig->tree);
	assert_ok(sd_event_new(&rig->event));
	assert_ok(pods_new(rig->event, &rig->registry, NULL, &rig->pods));
	rig->context = (struct source_context){
		.event = rig->event,
		.root = &rig->root,
		.hierarchy = &rig->hierarchy,
		.registry = &rig->registry,
		.pods = rig->pods,
	};
	assert_ok(source_kubepods.new(&rig->context, &rig->source));
}

static void rig_copy(struct rig *rig, const char *fixture)
{
	(void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/berth-test.XXXXXX");
	assert_ok(fixture_copy(fixture, rig->dir));
	rig_start(rig, rig->dir);
}

static void rig_stop(struct rig *rig)
{
	source_kubepods.free(rig->source);
	pods_free(rig->pods);
	sd_event_unref(rig->event);
	registry_done(&rig->registry);
	(void)close_keep_errno(rig->cpu);
	hierarchy_done(&rig->hierarchy);
	sysroot_done(&rig->root);
	tree_free(rig->tree);
	if (rig->dir[0])
		fixture_remove(rig->dir);
}

/* What inotify has queued is there when the call that caused it returned: no waiting. */
static void settle(const struct rig *rig)
{
	int r;

	do {
		r = sd_event_run(rig->event, 0);
		assert_ok(r);
	} while (r > 0);
}

/* In the hierarchy of cpu, as a kubelet does it: from the top down. */
static void group_make(const struct rig *rig, const char *path)
{
	assert_ok(mkdirat(rig->cpu, path, 0755) < 0 ? -errno : 0);
}

static void group_remove(const struct rig *rig, const char *path)
{
	assert_ok(unlinkat(rig->cpu, path, AT_REMOVEDIR) < 0 ? -errno : 0);
}

static const struct workload *at(const struct rig *rig, const char *path)
{
	const struct workload *workload = registry_find_path(&rig->registry, path);

	if (!workload)
		fail_msg("no workload at '%s'", path);
	return workload;
}

#define NEW_UID         "0a0b0c0d-1111-2222-3333-444455556666"
#define NEW_UID_SYSTEMD "0a0b0c0d_1111_2222_3333_444455556666"

static void test_kubepods_fixtures_are_found_and_followed(void **state)
{
	static const struct {
		const char *fixture, *said, *detail, *pod, *container;
	} rows[] = {
		{ "k8s-v1", "+pod81091155-cf2d-465d-b40b-1ee79f213f62", "3 groups of 1 pod under",
		  "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" NEW_UID_SYSTEMD
		  ".slice",
		  "/crio-" ID_1 ".scope" },
		{ "k8s-v1-cgroupfs", "+pod", "3 groups of 2 pods under kubepods",
		  "kubepods/besteffort/pod" NEW_UID, "/" ID_1 },
		{ "k8s-v2", "+pod", "4 groups of 2 pods under kubepods.slice",
		  "kubepods.slice/kubepods-pod" NEW_UID_SYSTEMD ".slice",
		  "/cri-containerd-" ID_1 ".scope" },
		{ "k8s-v2-cgroupfs", "+pod", "4 groups of 2 pods under kubepods",
		  "kubepods/pod" NEW_UID, "/kata_" ID_1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig rig = { 0 };
		char container[256];
		size_t before;

		rig_copy(&rig, rows[i].fixture);
		assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
		assert_int_equal(rig.source->state, SOURCE_READY);
		if (!strstr(rig.source->detail, rows[i].detail))
			fail_msg("%s: '%s'", rows[i].fixture, rig.source->detail);
		before = rig.registry.count;
		assert_int_equal(rig.source->workloads, before);
		assert_int_equal(strncmp(tree_said(rig.tree), rows[i].said, strlen(rows[i].said)),
				 0);
		(void)snprintf(container, sizeof(container), "%s%s", rows[i].pod,
			       rows[i].container);
		/* At one go: the watch comes after the directories and must find them. */
		group_make(&rig, rows[i].pod);
		group_make(&rig, container);
		settle(&rig);
		assert_string_equal(tree_said(rig.tree), "+pod" NEW_UID " +111111111111");
		assert_int_equal(at(&rig, container)->view.parent, at(&rig, rows[i].pod)->view.id);
		group_remove(&rig, container);
		group_remove(&rig, rows[i].pod);
		settle(&rig);
		assert_string_equal(tree_said(rig.tree), "-111111111111 -pod" NEW_UID);
		assert_int_equal(rig.registry.count, before);
		assert_int_equal(rig.source->errors, 0);
		rig_stop(&rig);
	}
}

static void test_kubepods_switched_off_drops_all(void **state)
{
	struct rig rig = { 0 };

	(void)state;
	rig_copy(&rig, "k8s-v2");
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.registry.count, 4);
	rig.tree->settings.kubernetes_enabled = SWITCH_FALSE;
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.source->state, SOURCE_OFF);
	assert_int_equal(rig.registry.count, 0);
	assert_int_equal(rig.source->workloads, 0);
	rig.tree->settings.kubernetes_enabled = SWITCH_AUTO;
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.registry.count, 4);
	rig_stop(&rig);
}

#define DOCKER "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

/* Roots that occur; each made component by component, with a container at the end. */
static void test_kubepods_every_root_is_found(void **state)
{
	static const char *const pods[] = {
		"kubepods/besteffort/pod" NEW_UID,
		"kubepods/pod" NEW_UID,
		"berth.test.7/kubepods/burstable/pod" NEW_UID,
		"docker/" DOCKER "/kubelet/kubepods/pod" NEW_UID,
		"docker/" DOCKER "/kubepods/pod" NEW_UID,
		"docker/" DOCKER
		"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" NEW_UID_SYSTEMD
		".slice",
		"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" NEW_UID_SYSTEMD
		".slice",
		"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" NEW_UID_SYSTEMD
		".slice",
		"a.slice/a-b.slice/a-b-kubepods.slice/a-b-kubepods-besteffort.slice/"
		"a-b-kubepods-besteffort-pod" NEW_UID_SYSTEMD ".slice",
		"system.slice/docker-" DOCKER ".scope/kubelet.slice/kubelet-kubepods.slice/"
		"kubelet-kubepods-pod" NEW_UID_SYSTEMD ".slice",
		"system.slice/docker-" DOCKER ".scope/kubelet/kubepods/pod" NEW_UID,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		struct rig own = { 0 };
		char path[512];

		rig_copy(&own, "k8s-v2-cgroupfs");
		assert_ok(source_kubepods.apply(own.source, &own.tree->settings));
		(void)tree_said(own.tree);
		(void)snprintf(path, sizeof(path), "%s/%s", pods[i], ID_1);
		for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			if (mkdirat(own.cpu, path, 0755) < 0)
				assert_int_equal(errno, EEXIST);
			settle(&own);
			*slash = '/';
		}
		group_make(&own, path);
		settle(&own);
		if (strcmp(tree_said(own.tree), "+pod" NEW_UID " +111111111111") != 0)
			fail_msg("'%s' is not found", pods[i]);
		rig_stop(&own);
	}
}

/* Hundreds of services, of users, of containers: none of them is looked into. */
static void test_kubepods_others_cost_no_watch(void **state)
{
	struct rig rig = { 0 };
	char path[96];
	size_t before;

	(void)state;
	rig_copy(&rig, "k8s-v2");
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	group_make(&rig, "system.slice");
	settle(&rig);
	before = rig.source->workloads;
	(void)tree_said(rig.tree);
	for (unsigned int i = 0; i < 300; i++) {
		(void)snprintf(path, sizeof(path), "system.slice/s%u.service", i);
		group_make(&rig, path);
		(void)snprintf(path, sizeof(path), "system.slice/s%u.service/payload", i);
		group_make(&rig, path);
	}
	settle(&rig);
	/* One event for each service; none for what is in them, as nobody watches there. */
	assert_true(rig.source->events < 310);
	assert_int_equal(rig.source->workloads, before);
	assert_string_equal(tree_said(rig.tree), "");
	rig_stop(&rig);
}

static void test_kubepods_nothing_there_is_ready(void **state)
{
	struct rig rig = { 0 };

	(void)state;
	rig_copy(&rig, "libvirt");
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.source->state, SOURCE_READY);
	assert_string_equal(rig.source->detail, "no kubepods here yet");
	rig_stop(&rig);
	rig = (struct rig){ 0 };
	rig_copy(&rig, "none");
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	/* Nobody asked for it: a host without cgroups is not ill for that. */
	assert_int_equal(rig.source->state, SOURCE_OFF);
	rig.tree->settings.kubernetes_enabled = SWITCH_TRUE;
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.source->state, SOURCE_DOWN);
	rig_stop(&rig);
}

static void test_kubepods_without_inotify_says_so_and_scans(void **state)
{
	struct rig rig = { 0 };
	struct rlimit before, none;
	int r;

	(void)state;
	rig_copy(&rig, "k8s-v2");
	assert_ok(sd_event_add_time_relative(rig.event, NULL, CLOCK_MONOTONIC, 3600 * USEC_PER_SEC,
					     0, NULL, NULL));
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.registry.count, 4);
	assert_ok(getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = 3;
	assert_ok(setrlimit(RLIMIT_NOFILE, &none));
	r = source_kubepods.apply(rig.source, &rig.tree->settings);
	assert_ok(setrlimit(RLIMIT_NOFILE, &before));
	assert_ok(r);
	assert_int_equal(rig.source->state, SOURCE_DOWN);
	assert_non_null(strstr(rig.source->detail, "fs.inotify.max_user_instances"));
	/* What it could not look at is not gone. */
	assert_int_equal(rig.registry.count, 4);
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.source->state, SOURCE_READY);
	rig_stop(&rig);
}

/* The real thing: kernfs sends less than a file system does (watch-tree.h). */
static void test_kubepods_host_hierarchies_are_followed(void **state)
{
	struct rig rig = { 0 };
	char base[64], root[96], class[128], pod[192], container[320];
	const struct pod_text text = { .uid = NEW_UID, .name = "web", .annotations = BATCH };

	(void)state;
	rig_start(&rig, NULL);
	(void)snprintf(base, sizeof(base), "berth.test.%d", (int)getpid());
	(void)snprintf(root, sizeof(root), "%s/kubepods", base);
	(void)snprintf(class, sizeof(class), "%s/burstable", root);
	(void)snprintf(pod, sizeof(pod), "%s/pod" NEW_UID, class);
	(void)snprintf(container, sizeof(container), "%s/" ID_1, pod);
	if (rig.hierarchy.mounts[CONTROLLER_CPU].version == 0 || mkdirat(rig.cpu, base, 0755) < 0) {
		print_message("# skipped: no cpu hierarchy that can be written: %s\n",
			      strerror(errno));
		rig_stop(&rig);
		skip();
	}
	assert_ok(source_kubepods.apply(rig.source, &rig.tree->settings));
	assert_int_equal(rig.source->state, SOURCE_READY);
	(void)tree_said(rig.tree);
	pods_api_put(rig.pods, "apiserver", pod_make(&text));
	group_make(&rig, root);
	group_make(&rig, class);
	for (unsigned int i = 0; i < 50; i++) {
		group_make(&rig, pod);
		group_make(&rig, container);
		settle(&rig);
		assert_string_equal(tree_said(rig.tree), "+web +web/111111111111");
		assert_int_equal(at(&rig, container)->view.qos, QOS_BATCH);
		group_remove(&rig, container);
		group_remove(&rig, pod);
		settle(&rig);
		assert_string_equal(tree_said(rig.tree), "-web/111111111111 -web");
	}
	group_remove(&rig, class);
	group_remove(&rig, root);
	group_remove(&rig, base);
	settle(&rig);
	assert_int_equal(rig.source->errors, 0);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kubepods_fixtures_are_found_and_followed),
		cmocka_unit_test(test_kubepods_switched_off_drops_all),
		cmocka_unit_test(test_kubepods_every_root_is_found),
		cmocka_unit_test(test_kubepods_others_cost_no_watch),
		cmocka_unit_test(test_kubepods_nothing_there_is_ready),
		cmocka_unit_test(test_kubepods_without_inotify_says_so_and_scans),
		cmocka_unit_test(test_kubepods_host_hierarchies_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
