/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that groups and processes tell of; no bus is there. */
#include "berth-test.h"
#include "fixture-copy.h"
#include "label.h"
#include "machine-rig.h"
#include "source/machine/internal.h"

#define UUID  "4dea22b3-1d52-4d8f-a2c1-5f6a7b8c9d0e"
#define SCOPE "machine.slice/machine-qemu\\x2d1\\x2dweb.scope"

static int setup(void **state)
{
	*state = machine_rig_new(1);
	return 0;
}

static int setup_v1(void **state)
{
	*state = machine_rig_new(3);
	return 0;
}

static int teardown(void **state)
{
	machine_rig_free(*state);
	return 0;
}

/* What libvirt makes of a domain under systemd. */
static void scope_make(struct machine_rig *m)
{
	group_make(m, 0, "machine.slice", "");
	group_make(m, 0, SCOPE, "");
}

static void scope_fill(struct machine_rig *m, int pid)
{
	char procs[16];

	(void)snprintf(procs, sizeof(procs), "%d\n", pid);
	group_make(m, 0, SCOPE "/libvirt", procs);
	group_make(m, 0, SCOPE "/libvirt/emulator", "");
	group_make(m, 0, SCOPE "/libvirt/vcpu0", "");
	group_make(m, 0, SCOPE "/libvirt/vcpu1", "");
	group_make(m, 0, SCOPE "/libvirt/iothread1", "");
	process_thread(m, pid, pid, "qemu-system-x86\n");
	process_thread(m, pid, pid + 1, "IO iothread1\n");
	process_thread(m, pid, pid + 2, "CPU 1/KVM\n");
	process_thread(m, pid, pid + 3, "CPU 0/KVM\n");
	process_thread(m, pid, pid + 4, "CPU x/KVM\n");
}

static void test_machine_fixture_of_libvirt_is_one_machine(void **state)
{
	char dir[] = "/tmp/berth-test.XXXXXX";
	struct sysroot root = SYSROOT_NULL;
	struct hierarchy hierarchy;
	struct machine_rig *m = *state;
	const struct workload *workload;

	assert_ok(fixture_copy("libvirt", dir));
	assert_ok(sysroot_open(dir, &root));
	assert_ok(hierarchy_open(&root, &hierarchy));
	m->rig.context.root = &root;
	m->rig.context.hierarchy = &hierarchy;
	m->rig.tree->registry.hierarchy = &hierarchy;
	machine_ready(m, SWITCH_AUTO);
	workload = machine_at(m, "machine.slice/machine-qemu\\x2d1\\x2dtcg1.scope");
	assert_non_null(workload);
	run_until(m, workload->leader == 368);
	assert_string_equal(workload->view.kind, "vm");
	assert_string_equal(workload->view.name, "tcg1");
	assert_string_equal(workload->view.namespace, "");
	assert_string_equal(workload->uid, UUID);
	assert_string_equal(workload->alias, "qemu-1-tcg1");
	assert_string_equal(workload->via, "scope name");
	assert_string_equal(workload->source, "machines");
	assert_string_equal(machine_fact(workload, "vcpus"), "2 (libvirt/vcpu0..1)");
	assert_string_equal(machine_fact(workload, "emulator"), "libvirt/emulator");
	assert_string_equal(machine_fact(workload, "vcpu threads"), "0:375,1:376");
	assert_string_equal(m->rig.source->detail, "1 machine (scope name)");
	assert_int_equal(m->rig.source->workloads, 1);
	assert_int_equal(m->rig.source->errors, 0);
	/* The source first: it holds what is borrowed. */
	source_machine.free(m->rig.source);
	m->rig.context.root = &m->root;
	m->rig.context.hierarchy = &m->rig.tree->hierarchy;
	assert_ok(source_machine.new(&m->rig.context, &m->rig.source));
	hierarchy_done(&hierarchy);
	sysroot_done(&root);
	fixture_remove(dir);
}

static void test_machine_scope_comes_before_its_processes(void **state)
{
	struct machine_rig *m = *state;
	const struct workload *workload;

	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(m->rig.source->detail, "no machines here yet");
	scope_make(m);
	run_until(m, m->rig.tree->event_count > 0);
	assert_string_equal(tree_said(m->rig.tree), "+web");
	/* libvirt has not run QEMU yet: its child is still a libvirtd. */
	process_make(m, 700, "rpc-libvirtd\n", "/usr/sbin/libvirtd|", "0::/" SCOPE "\n");
	group_make(m, 0, SCOPE, "700\n");
	/* And then it has; the group's name had no room for all of the domain's. */
	process_make(m, 700, "qemu-system-x86\n",
		     "/usr/bin/qemu-system-x86_64|-name|guest=web \xc3\xa9t\xc3\xa9,debug-threads="
		     "on|-smp|2|-uuid|" UUID "|",
		     "0::/" SCOPE "/libvirt/emulator\n");
	scope_fill(m, 700);
	workload = machine_at(m, SCOPE);
	run_until(m, strcmp(machine_fact(workload, "vcpu threads"), "0:703,1:702") == 0);
	assert_string_equal(workload->view.name, "web \xc3\xa9t\xc3\xa9");
	assert_string_equal(workload->alias, "qemu-1-web");
	assert_int_equal(workload->leader, 700);
	assert_string_equal(machine_fact(workload, "vcpus"), "2 (libvirt/vcpu0..1)");
	assert_string_equal(machine_fact(workload, "iothreads"), "1 (libvirt/iothread1)");
	/* The same workload all the while. */
	assert_int_equal(tree_count(m->rig.tree, WORKLOAD_ADDED), 0);
	process_end(m, 700);
	(void)tree_said(m->rig.tree);
	group_remove(m, 0, SCOPE);
	run_until(m, m->rig.tree->registry.count == 0);
	assert_int_equal(m->rig.source->workloads, 0);
	run_until(m, strcmp(m->rig.source->detail, "no machines here yet") == 0);
	assert_int_equal(m->rig.source->errors, 0);
}

static void test_machine_of_libvirt_on_v1_without_systemd(void **state)
{
	static const char group[] = "machine/qemu-2-db.libvirt-qemu";
	struct machine_rig *m = *state;
	const struct workload *workload;

	/* The emulator's group is where the process is, in one hierarchy of three. */
	group_make(m, 0, "machine", "");
	group_make(m, 1, "machine", "");
	group_make(m, 0, group, "");
	group_make(m, 1, group, "");
	group_make(m, 0, "machine/qemu-2-db.libvirt-qemu/emulator", "800\n");
	group_make(m, 0, "machine/qemu-2-db.libvirt-qemu/vcpu0", "800\n");
	group_make(m, 0, "machine/qemu-2-db.libvirt-qemu/vcpu2", "800\n");
	process_make(m, 800, "qemu-system-x86\n", "qemu-system-x86_64|-name|guest=db|",
		     "3:memory:/machine/qemu-2-db.libvirt-qemu\n"
		     "2:cpu:/machine/qemu-2-db.libvirt-qemu/emulator\n1:cpuacct:/\n");
	machine_ready(m, SWITCH_AUTO);
	workload = machine_at(m, group);
	assert_non_null(workload);
	run_until(m, workload->leader == 800);
	assert_string_equal(workload->view.name, "db");
	assert_null(workload->uid);
	assert_string_equal(machine_fact(workload, "vcpus"), "2 (vcpu0,2)");
	assert_string_equal(machine_fact(workload, "emulator"), "emulator");
	assert_string_equal(workload->via, "scope name");
	assert_int_equal(m->rig.source->workloads, 1);
	/* Below a directory of its own as well. */
	group_make(m, 0, "berth.test.1", "");
	group_make(m, 0, "berth.test.1/machine", "");
	group_make(m, 0, "berth.test.1/machine/qemu-9-in.libvirt-qemu", "");
	group_make(m, 0, "berth.test.1/machine/lxc-9-out.libvirt-lxc", "");
	run_until(m, m->rig.tree->registry.count == 2);
	assert_non_null(machine_at(m, "berth.test.1/machine/qemu-9-in.libvirt-qemu"));
}

/* libvirt removes a group from one hierarchy after the other; the last need not be watched. */
static void test_machine_left_in_a_hierarchy_that_is_not_watched_is_gone(void **state)
{
	static const char group[] = "machine/qemu-2-db.libvirt-qemu";
	struct machine_rig *m = *state;
	struct hierarchy_mount *mount = &m->rig.tree->hierarchy.mounts[CONTROLLER_CPUSET];
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/3", m->rig.tree->path);
	assert_ok(mkdir(path, 0700));
	mount->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mount->version = 1;
	group_make(m, 0, "machine", "");
	group_make(m, 0, group, "");
	group_make(m, 3, "machine", "");
	group_make(m, 3, group, "");
	machine_ready(m, SWITCH_AUTO);
	assert_non_null(machine_at(m, group));
	group_remove(m, 0, group);
	run_until(m, m->rig.source->events > 0);
	assert_null(machine_at(m, group));
}

static void test_machine_reload_sees_what_no_event_told(void **state)
{
	struct machine_rig *m = *state;

	scope_make(m);
	group_make(m, 0, "hand", "900\n");
	process_make(m, 900, "kvm\n", "kvm|-name|hand|", "0::/hand\n");
	machine_ready(m, SWITCH_TRUE);
	assert_int_equal(m->rig.tree->registry.count, 2);
	assert_string_equal(m->rig.source->detail, "2 machines (1 scope name, 1 command line)");
	/* Gone while nobody reads the events, which a new tree does not have. */
	group_remove(m, 0, SCOPE);
	machine_apply(m, SWITCH_TRUE);
	assert_int_equal(m->rig.tree->registry.count, 1);
	group_remove(m, 0, "hand");
	process_end(m, 900);
	machine_apply(m, SWITCH_TRUE);
	run_until(m, m->rig.tree->registry.count == 0);
	assert_int_equal(m->rig.source->workloads, 0);
}

static void test_machine_off_drops_all_and_on_finds_all(void **state)
{
	struct machine_rig *m = *state;

	scope_make(m);
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(tree_said(m->rig.tree), "+web");
	machine_apply(m, SWITCH_FALSE);
	assert_int_equal(m->rig.source->state, SOURCE_OFF);
	assert_string_equal(tree_said(m->rig.tree), "-web");
	assert_int_equal(m->rig.source->workloads, 0);
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(tree_said(m->rig.tree), "+web");
	/* Switched off while a look is under way. */
	machine_apply(m, SWITCH_AUTO);
	machine_apply(m, SWITCH_FALSE);
	assert_int_equal(m->rig.tree->registry.count, 0);
}

static void test_machine_without_cgroups_is_off_or_down(void **state)
{
	struct machine_rig *m = *state;
	struct hierarchy none = { .mode = HIERARCHY_NONE };

	for (size_t i = 0; i < CONTROLLER_MAX; i++)
		none.mounts[i].fd = -EBADF;
	m->rig.context.hierarchy = &none;
	machine_apply(m, SWITCH_AUTO);
	assert_int_equal(m->rig.source->state, SOURCE_OFF);
	machine_apply(m, SWITCH_TRUE);
	assert_int_equal(m->rig.source->state, SOURCE_DOWN);
	assert_non_null(strstr(m->rig.source->detail, "no cgroup file system"));
	/* Mounted, but not what Berth needs. */
	none.mode = HIERARCHY_V1;
	machine_apply(m, SWITCH_AUTO);
	assert_int_equal(m->rig.source->state, SOURCE_OFF);
	machine_apply(m, SWITCH_TRUE);
	assert_int_equal(m->rig.source->state, SOURCE_DOWN);
	assert_non_null(strstr(m->rig.source->detail, "no cgroup hierarchy with cpu or memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_V1(name) cmocka_unit_test_setup_teardown(name, setup_v1, teardown)
		TEST(test_machine_fixture_of_libvirt_is_one_machine),
		TEST(test_machine_scope_comes_before_its_processes),
		TEST_V1(test_machine_of_libvirt_on_v1_without_systemd),
		TEST_V1(test_machine_left_in_a_hierarchy_that_is_not_watched_is_gone),
		TEST(test_machine_reload_sees_what_no_event_told),
		TEST(test_machine_off_drops_all_and_on_finds_all),
		TEST(test_machine_without_cgroups_is_off_or_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
