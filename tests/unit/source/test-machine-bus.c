/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machined on a dbus-daemon of the test's own, in the same event loop as the source: nothing in the
 * source may block, or nothing here would move.
 */
#include "berth-test.h"
#include "fake-machined.h"

#define SCOPE "machine-qemu\\x2d1\\x2dweb.scope"
#define GROUP "machine.slice/" SCOPE

static int setup(void **state)
{
	struct machine_rig *m = machine_rig_new(1);

	m->machines = calloc(MACHINES_MAX, sizeof(*m->machines));
	assert_non_null(m->machines);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	machine_rig_free(*state);
	return 0;
}

static void need_daemon(struct machine_rig *m)
{
	int r = daemon_start(&m->rig);

	if (r == 0)
		return;
	m->rig.daemon = 0;
	print_message("# skipped: no dbus-daemon: %s\n", strerror(-r));
	skip();
}

/* A domain of libvirt, a machine that is a service (systemd-vmspawn), and a container. */
static void machines_make(struct machine_rig *m)
{
	struct fake_machine *machine =
		fake_machine_add(m, "qemu-1-web", "vm", "machine-qemu\\x2d1\\x2dweb.scope", 700);

	for (uint8_t i = 0; i < 16; i++)
		machine->id[i] = (uint8_t)(0xa0 + i);
	(void)fake_machine_add(m, "spawned", "vm", "spawned.service", 0);
	(void)fake_machine_add(m, "box", "container", "machine-box.scope", 702);
	fake_unit_set(m, SCOPE, "/" GROUP);
	fake_unit_set(m, "spawned.service", "/system.slice/spawned.service");
	fake_unit_set(m, "machine-box.scope", "/machine.slice/machine-box.scope");
	group_make(m, 0, "machine.slice", "");
	group_make(m, 0, GROUP, "700\n");
	group_make(m, 0, "machine.slice/machine-box.scope", "");
	group_make(m, 0, "system.slice", "");
	group_make(m, 0, "system.slice/spawned.service", "");
	process_make(m, 700, "qemu-system-x86\n", "qemu-system-x86_64|-name|guest=web|",
		     "0::/" GROUP "\n");
}

static void bus_ready(struct machine_rig *m)
{
	need_daemon(m);
	machines_make(m);
	systemd_start_for_machines(m);
	machined_start(m);
	machine_ready(m, SWITCH_AUTO);
}

static void test_machine_bus_lists_machines_that_are_vms(void **state)
{
	struct machine_rig *m = *state;
	const struct workload *workload;

	bus_ready(m);
	assert_int_equal(m->rig.tree->registry.count, 2);
	workload = machine_at(m, GROUP);
	assert_string_equal(workload->view.kind, "vm");
	assert_string_equal(workload->view.name, "web");
	assert_string_equal(workload->uid, "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf");
	assert_string_equal(workload->alias, "qemu-1-web");
	assert_string_equal(workload->via, "machined");
	assert_int_equal(workload->leader, 700);
	workload = machine_at(m, "system.slice/spawned.service");
	assert_string_equal(workload->view.name, "spawned");
	assert_null(workload->uid);
	assert_int_equal(workload->leader, 0);
	assert_string_equal(m->rig.source->detail, "2 machines (machined)");
	assert_int_equal(m->rig.source->errors, 0);
}

static void test_machine_bus_new_before_its_cgroup_and_removed(void **state)
{
	struct machine_rig *m = *state;

	bus_ready(m);
	(void)tree_said(m->rig.tree);
	/* machined is faster than systemd. */
	fake_unit_set(m, "new.service", "");
	(void)fake_machine_add(m, "new", "vm", "new.service", 0);
	emit_machine(m, "MachineNew", "new");
	(void)fake_machine_add(m, "jail", "container", "machine-box.scope", 0);
	emit_machine(m, "MachineNew", "jail");
	run_until(m, m->rig.source->state == SOURCE_STARTING);
	run_until(m, m->rig.source->state == SOURCE_READY);
	assert_string_equal(tree_said(m->rig.tree), "");
	group_make(m, 0, "system.slice/new.service", "");
	fake_unit_set(m, "new.service", "/system.slice/new.service");
	run_until(m, m->rig.tree->event_count > 0);
	assert_string_equal(tree_said(m->rig.tree), "+new");
	emit_machine(m, "MachineRemoved", "new");
	run_until(m, m->rig.tree->event_count > 0);
	assert_string_equal(tree_said(m->rig.tree), "-new");
	/* A scope outlives machined's word by a moment: the tree knows it. */
	emit_machine(m, "MachineRemoved", "qemu-1-web");
	run_until(m, strcmp(machine_at(m, GROUP)->via, "scope name") == 0);
	assert_null(machine_at(m, GROUP)->uid);
	group_remove(m, 0, GROUP);
	run_until(m, !machine_at(m, GROUP));
	assert_int_equal(m->rig.source->workloads, 1);
	assert_int_equal(m->rig.source->errors, 0);
}

static void test_machine_bus_machined_comes_late_and_leaves(void **state)
{
	struct machine_rig *m = *state;

	need_daemon(m);
	machines_make(m);
	systemd_start_for_machines(m);
	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(m->rig.source->detail, "1 machine (scope name)");
	assert_int_equal(m->rig.source->errors, 0);
	machined_start(m);
	run_until(m, strcmp(m->rig.source->detail, "2 machines (machined)") == 0);
	(void)tree_said(m->rig.tree);
	/* It ends by itself, or is restarted: the machines go on. */
	machined_stop(m);
	m->machines[1].name[0] = '\0';
	machined_start(m);
	run_until(m, m->rig.tree->registry.count == 1);
	assert_string_equal(tree_said(m->rig.tree), "-spawned");
	assert_string_equal(machine_at(m, GROUP)->via, "machined");
}

static void test_machine_bus_dies_and_is_found_again(void **state)
{
	struct machine_rig *m = *state;

	bus_ready(m);
	(void)tree_said(m->rig.tree);
	m->machined = sd_bus_close_unref(m->machined);
	m->rig.systemd = sd_bus_close_unref(m->rig.systemd);
	daemon_stop(&m->rig);
	run_until(m, strstr(m->rig.source->detail, "; the system bus hung up"));
	assert_int_equal(m->rig.source->state, SOURCE_READY);
	assert_string_equal(tree_said(m->rig.tree), "");
	assert_ok(daemon_start(&m->rig));
	systemd_start_for_machines(m);
	machined_start(m);
	run_until(m, strcmp(m->rig.source->detail, "2 machines (machined)") == 0);
	assert_string_equal(tree_said(m->rig.tree), "");
	assert_true(m->rig.source->errors > 0);
}

/* No bus is no fault and nothing to wait for; a scope that comes says that there may be one. */
static void test_machine_bus_comes_late_with_a_scope(void **state)
{
	struct machine_rig *m = *state;

	machine_ready(m, SWITCH_AUTO);
	assert_string_equal(m->rig.source->detail, "no machines here yet");
	assert_int_equal(m->rig.source->errors, 0);
	need_daemon(m);
	systemd_start_for_machines(m);
	machined_start(m);
	machines_make(m);
	run_until(m, strcmp(m->rig.source->detail, "2 machines (machined)") == 0);
	assert_string_equal(machine_at(m, GROUP)->via, "machined");
}

static void test_machine_bus_off_forgets_its_machines(void **state)
{
	struct machine_rig *m = *state;

	bus_ready(m);
	machine_apply(m, SWITCH_FALSE);
	assert_int_equal(m->rig.tree->registry.count, 0);
	assert_int_equal(m->rig.source->state, SOURCE_OFF);
	machine_ready(m, SWITCH_TRUE);
	assert_string_equal(m->rig.source->detail, "2 machines (machined)");
	/* A reload asks again, and hears of what a lost signal would have told. */
	m->machines[1].name[0] = '\0';
	machine_apply(m, SWITCH_TRUE);
	run_until(m, m->rig.source->state == SOURCE_READY);
	assert_string_equal(m->rig.source->detail, "1 machine (machined)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_machine_bus_lists_machines_that_are_vms),
		TEST(test_machine_bus_new_before_its_cgroup_and_removed),
		TEST(test_machine_bus_machined_comes_late_and_leaves),
		TEST(test_machine_bus_dies_and_is_found_again),
		TEST(test_machine_bus_comes_late_with_a_scope),
		TEST(test_machine_bus_off_forgets_its_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
