/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that only their processes tell of, and when those are looked at. */
#include "berth-test.h"
#include "machine-rig.h"
#include "source/machine/internal.h"

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

static void test_machine_by_hand_has_a_group_of_its_own(void **state)
{
	struct machine_rig *m = *state;
	const struct workload *workload;

	group_make(m, 0, "qemu.slice", "");
	group_make(m, 0, "qemu.slice/100.scope", "900\n901\n");
	group_make(m, 0, "user.slice", "910\n911\n");
	group_make(m, 0, "nested", "930\n");
	group_make(m, 0, "nested/others", "931\n");
	process_make(m, 900, "kvm\n", "/usr/bin/kvm|-id|100|-name|hand|-smp|4|",
		     "0::/qemu.slice/100.scope\n");
	process_make(m, 901, "swtpm\n", "swtpm|", "0::/qemu.slice/100.scope\n");
	process_make(m, 910, "qemu-system-x86\n", "qemu-system-x86_64|-name|shared|",
		     "0::/user.slice\n");
	process_make(m, 911, "bash\n", "bash|", "0::/user.slice\n");
	process_make(m, 920, "qemu-system-x86\n", "qemu-system-x86_64|-name|root|", "0::/\n");
	process_make(m, 930, "qemu-system-x86\n", "qemu-system-x86_64|-name|above|",
		     "0::/nested\n");
	process_make(m, 931, "sshd\n", "sshd|", "0::/nested/others\n");
	process_make(m, 940, "qemu-img\n", "qemu-img|convert|", "0::/\n");
	process_make(
		m, 950, "qemu-kvm\n", "/usr/libexec/qemu-kvm|-name|guest=default_vm|",
		"0::/kubepods.slice/kubepods-pod2c48913c_b29f_11e7_9350_020968147796.slice/"
		"cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		".scope\n");
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(tree_said(m->rig.tree), "+hand");
	workload = machine_at(m, "qemu.slice/100.scope");
	assert_string_equal(workload->view.kind, "vm");
	assert_string_equal(workload->via, "command line");
	assert_int_equal(workload->leader, 900);
	assert_string_equal(machine_fact(workload, "vcpus"), "4");
	assert_non_null(strstr(m->rig.source->detail, "1 machine (command line); 3 QEMU processes "
						      "in shared groups"));
	/* Without a name it is called after its group; one alone is told in the singular. */
	process_make(m, 900, "kvm\n", "/usr/bin/kvm|", "0::/qemu.slice/100.scope\n");
	process_end(m, 920);
	process_end(m, 930);
	machine_apply(m, SWITCH_AUTO);
	run_until(m, strcmp(workload->view.name, "100.scope") == 0);
	run_until(m, strstr(m->rig.source->detail, "; 1 QEMU process in a shared group: give it"));
}

static void test_machine_by_hand_in_one_hierarchy_of_v1(void **state)
{
	struct machine_rig *m = *state;

	/* systemd on v1 makes a group only where the controller is used. */
	group_make(m, 1, "vm.service", "900\n");
	process_make(m, 900, "kvm\n", "kvm|-name|hand|",
		     "4:name=systemd:/vm.service\n3:memory:/vm.service\n2:cpu:/\n1:cpuacct:/\n");
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(tree_said(m->rig.tree), "+hand");
	assert_non_null(machine_at(m, "vm.service"));
}

static void test_machine_by_hand_with_threads_in_groups_of_their_own(void **state)
{
	struct machine_rig *m = *state;
	char path[256];

	group_make(m, 0, "tool", "");
	group_make(m, 0, "tool/100", "900\n");
	group_make(m, 0, "tool/100/main", "");
	(void)snprintf(path, sizeof(path), "%s/0/tool/100/main/cgroup.type", m->rig.tree->path);
	file_write(path, "threaded\n", 9);
	process_make(m, 900, "kvm\n", "kvm|-name|hand|", "0::/tool/100/main\n");
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(tree_said(m->rig.tree), "+hand");
	assert_non_null(machine_at(m, "tool/100"));
}

static void test_machine_by_hand_is_gone_when_its_process_ends(void **state)
{
	char *arguments[] = { (char[]){ "sleep" }, (char[]){ "600" }, NULL };
	struct machine_rig *m = *state;
	char procs[16];
	pid_t pid;

	/* A real process, because its end is what tells. */
	assert_int_equal(posix_spawnp(&pid, "sleep", NULL, NULL, arguments, environ), 0);
	(void)snprintf(procs, sizeof(procs), "%d\n", (int)pid);
	group_make(m, 0, "hand", procs);
	process_make(m, pid, "qemu-system-x86\n", "qemu-system-x86_64|-name|hand|", "0::/hand\n");
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(tree_said(m->rig.tree), "+hand");
	process_end(m, pid);
	group_make(m, 0, "hand", "");
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	run_until(m, m->rig.tree->registry.count == 0);
	assert_int_equal(m->rig.source->workloads, 0);
}

/* In a cgroup namespace of its own, with the host's cgroups mounted (a pod, on v2), the kernel
 * shows what is beside it with leading "..", which lead out of the mount where they are followed.
 */
static void test_machine_by_hand_seen_from_a_cgroup_namespace(void **state)
{
	struct machine_rig *m = *state;
	char path[256];

	group_make(m, 0, "qemu.slice", "");
	group_make(m, 0, "qemu.slice/100.scope", "900\n");
	group_make(m, 0, "machine.slice", "");
	group_make(m, 0, "machine.slice/machine-qemu\\x2d1\\x2dweb.scope", "");
	group_make(m, 0, "machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt", "901\n");
	group_make(m, 0, "machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator", "");
	(void)snprintf(path, sizeof(path), "%s/0/machine.slice/%s/libvirt/emulator/cgroup.type",
		       m->rig.tree->path, "machine-qemu\\x2d1\\x2dweb.scope");
	file_write(path, "threaded\n", 9);
	group_make(m, 0, "other", "1\n");
	process_make(m, 900, "kvm\n", "kvm|-name|hand|", "0::/../../qemu.slice/100.scope\n");
	process_make(m, 901, "kvm\n", "kvm|-name|web|",
		     "0::/../../machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n");
	/* Not these: beside us, but not what the mount has under that name; and what is no path. */
	process_make(m, 902, "kvm\n", "kvm|-name|lost|", "0::/../other\n");
	process_make(m, 903, "kvm\n", "kvm|-name|lost|",
		     "0::/../machine.slice/machine-qemu\\x2d2\\x2dlost.scope\n");
	process_make(m, 904, "kvm\n", "kvm|-name|root|", "0::/../..\n");
	process_make(m, 905, "kvm\n", "kvm|-name|lost|", "0::/qemu.slice/../../x.libvirt-qemu\n");
	machine_ready(m, SWITCH_AUTO);
	assert_non_null(machine_at(m, "qemu.slice/100.scope"));
	assert_string_equal(machine_at(m, "qemu.slice/100.scope")->name, "hand");
	run_until(m, machine_at(m, "machine.slice/machine-qemu\\x2d1\\x2dweb.scope")->leader);
	assert_int_equal(m->rig.tree->registry.count, 2);
	assert_int_equal(m->rig.source->errors, 0);
	assert_non_null(strstr(m->rig.source->detail, "; 1 QEMU process in a shared group"));
}

/* A walk every minute is for where a machine may come unseen. */
static void test_machine_host_without_any_is_not_woken_up(void **state)
{
	struct machine_rig *m = *state;
	const struct machines *machines = (const void *)m->rig.source;
	char path[96];

	machine_ready(m, SWITCH_AUTO);
	assert_null(machines->timer);
	assert_null(machines->tree.timer);
	assert_null(machines->bus.retry);
	assert_int_equal(m->rig.source->errors, 0);
	/* QEMU was seen, though it is nobody's. */
	process_make(m, 920, "kvm\n", "kvm|", "0::/\n");
	machine_ready(m, SWITCH_AUTO);
	run_until(m, machines->timer);
	process_end(m, 920);
	machine_apply(m, SWITCH_AUTO);
	run_until(m, !machines->look && !machines->timer);
	/* It may be run. */
	(void)snprintf(path, sizeof(path), "%s/dev", m->rig.tree->path);
	assert_ok(mkdir(path, 0700));
	(void)snprintf(path, sizeof(path), "%s/dev/kvm", m->rig.tree->path);
	file_write(path, "", 0);
	machine_apply(m, SWITCH_AUTO);
	run_until(m, !machines->look && machines->timer);
	assert_ok(unlink(path));
	machine_apply(m, SWITCH_AUTO);
	run_until(m, !machines->look && !machines->timer);
	/* It is wanted, or one is there. */
	machine_apply(m, SWITCH_TRUE);
	run_until(m, !machines->look && machines->timer);
	machine_apply(m, SWITCH_AUTO);
	run_until(m, !machines->look && !machines->timer);
	group_make(m, 0, "machine", "");
	group_make(m, 0, "machine/qemu-1-web.libvirt-qemu", "");
	run_until(m, m->rig.tree->registry.count == 1);
	run_until(m, !machines->look && machines->walk_due_usec > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_V1(name) cmocka_unit_test_setup_teardown(name, setup_v1, teardown)
		TEST(test_machine_by_hand_has_a_group_of_its_own),
		TEST_V1(test_machine_by_hand_in_one_hierarchy_of_v1),
		TEST(test_machine_by_hand_with_threads_in_groups_of_their_own),
		TEST(test_machine_by_hand_is_gone_when_its_process_ends),
		TEST(test_machine_by_hand_seen_from_a_cgroup_namespace),
		TEST(test_machine_host_without_any_is_not_woken_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
