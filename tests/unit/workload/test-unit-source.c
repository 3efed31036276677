/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dbus-daemon of its own and a small org.freedesktop.systemd1 on it, in the same event loop as
 * the source: nothing in the source may block, or nothing here would move.
 */
#include "fake-systemd.h"

#define TURN_USEC USEC_PER_SEC /* longest wait for something to happen */
#define TURNS     2000u

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char address[128];

	*state = rig;
	rig->tree = tree_new(1);
	assert_ok(sd_event_new(&rig->event));
	rig->context = (struct source_context){
		.event = rig->event,
		.hierarchy = &rig->tree->hierarchy,
		.registry = &rig->tree->registry,
	};
	(void)snprintf(address, sizeof(address), "unix:path=%s/bus", rig->tree->path);
	assert_ok(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1));
	assert_ok(source_unit.new(&rig->context, &rig->source));
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	source_unit.free(rig->source);
	rig->systemd = sd_bus_close_unref(rig->systemd);
	daemon_stop(rig);
	sd_event_unref(rig->event);
	tree_free(rig->tree);
	free(rig);
	return 0;
}

static void need_daemon(struct rig *rig)
{
	int r = daemon_start(rig);

	if (r == 0)
		return;
	rig->daemon = 0;
	print_message("# skipped: no dbus-daemon: %s\n", strerror(-r));
	skip();
}

/* Turn the loop until the condition holds. */
#define run_until(rig, condition)                                                            \
	do {                                                                                 \
		unsigned int turns = 0;                                                      \
		while (!(condition) && turns++ < TURNS)                                      \
			assert_ok(sd_event_run((rig)->event, TURN_USEC));                    \
		if (!(condition))                                                            \
			fail_msg("%s does not come: %s", #condition, (rig)->source->detail); \
	} while (0)

static char pattern_all[] = "batch*", *patterns[] = { pattern_all, NULL };

static void apply(struct rig *rig, char **units, enum auto_switch enabled)
{
	rig->tree->settings.unit_slices = units;
	rig->tree->settings.units_enabled = enabled;
	assert_ok(source_unit.apply(rig->source, &rig->tree->settings));
}

static void unit_add(struct rig *rig, const char *name, const char *cgroup)
{
	struct fake_unit *unit = &rig->units[rig->unit_count++];

	(void)snprintf(unit->name, sizeof(unit->name), "%s", name);
	(void)snprintf(unit->cgroup, sizeof(unit->cgroup), "%s", cgroup);
}

static void emit_unit(struct rig *rig, const char *signal, const char *name)
{
	char *path = NULL;

	unit_path(name, &path);
	assert_ok(sd_bus_emit_signal(rig->systemd, "/org/freedesktop/systemd1",
				     "org.freedesktop.systemd1.Manager", signal, "so", name, path));
	free(path);
}

static void emit_changed(struct rig *rig, const char *name)
{
	char *path = NULL;

	unit_path(name, &path);
	assert_ok(sd_bus_emit_signal(rig->systemd, path, "org.freedesktop.DBus.Properties",
				     "PropertiesChanged", "sa{sv}as",
				     "org.freedesktop.systemd1.Unit", 0, 0));
	free(path);
}

static void rig_ready(struct rig *rig)
{
	need_daemon(rig);
	tree_mkdir(rig->tree, 0, "batch.slice");
	tree_mkdir(rig->tree, 0, "batch.slice/batch-a.service");
	unit_add(rig, "batch.slice", "/batch.slice");
	unit_add(rig, "batch-a.service", "/batch.slice/batch-a.service");
	unit_add(rig, "batch-dead.service", "");
	unit_add(rig, "batch.target", "/none");
	unit_add(rig, "web.service", "/system.slice/web.service");
	systemd_start(rig);
	apply(rig, patterns, SWITCH_AUTO);
	run_until(rig, rig->source->state == SOURCE_READY);
}

static void test_units_listed_units_become_workloads(void **state)
{
	struct rig *rig = *state;
	struct workload *workload;

	rig_ready(rig);
	assert_string_equal(tree_said(rig->tree), "+batch.slice +batch-a.service");
	assert_int_equal(rig->source->workloads, 2);
	assert_int_equal(rig->subscriptions, 1);
	workload = registry_find_path(&rig->tree->registry, "batch.slice/batch-a.service");
	assert_string_equal(workload->view.kind, "unit");
	assert_string_equal(workload->view.namespace, "");
	assert_string_equal(workload->source, "units");
	assert_non_null(strstr(rig->source->detail, "4 units, 2 with a cgroup"));
}

static void test_units_signals_start_stop_and_remove(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	rig_ready(rig);
	(void)tree_said(tree);
	/* Started: its state changes, and now it has a cgroup. */
	tree_mkdir(tree, 0, "batch.slice/dead");
	(void)snprintf(rig->units[2].cgroup, sizeof(rig->units[2].cgroup), "/batch.slice/dead");
	emit_changed(rig, "batch-dead.service");
	run_until(rig, tree->event_count > 0);
	assert_string_equal(tree_said(tree), "+batch-dead.service");
	/* A new one, and one that is not ours. */
	tree_mkdir(tree, 0, "batch.slice/new");
	unit_add(rig, "batch-new.service", "/batch.slice/new");
	emit_unit(rig, "UnitNew", "web.service");
	emit_unit(rig, "UnitNew", "batch-new.service");
	run_until(rig, tree->event_count > 0);
	assert_string_equal(tree_said(tree), "+batch-new.service");
	/* Stopped: systemd prunes the cgroup first. */
	tree_rmdir(tree, 0, "batch.slice/dead");
	rig->units[2].cgroup[0] = '\0';
	emit_changed(rig, "batch-dead.service");
	run_until(rig, tree->event_count > 0);
	assert_string_equal(tree_said(tree), "-batch-dead.service");
	emit_unit(rig, "UnitRemoved", "batch-new.service");
	run_until(rig, tree->event_count > 0);
	assert_string_equal(tree_said(tree), "-batch-new.service");
	assert_int_equal(rig->source->workloads, 2);
	assert_int_equal(rig->source->errors, 0);
}

static void test_units_reload_of_systemd_lists_again(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	rig_ready(rig);
	(void)tree_said(tree);
	rig->unit_count = 1;
	assert_ok(sd_bus_emit_signal(rig->systemd, "/org/freedesktop/systemd1",
				     "org.freedesktop.systemd1.Manager", "Reloading", "b", 0));
	run_until(rig, tree->event_count > 0);
	assert_string_equal(tree_said(tree), "-batch-a.service");
}

static void test_units_apply_other_patterns_and_off(void **state)
{
	char slice[] = "batch.slice", *only_slice[] = { slice, NULL };
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	rig_ready(rig);
	(void)tree_said(tree);
	rig->unit_count = 1;
	apply(rig, only_slice, SWITCH_TRUE);
	assert_string_equal(tree_said(tree), "-batch-a.service");
	apply(rig, patterns, SWITCH_FALSE);
	assert_int_equal(rig->source->state, SOURCE_OFF);
	assert_string_equal(tree_said(tree), "-batch.slice");
	assert_int_equal(rig->source->workloads, 0);
	apply(rig, NULL, SWITCH_TRUE);
	assert_int_equal(rig->source->state, SOURCE_OFF);
}

static void test_units_no_bus_is_down_and_comes_back(void **state)
{
	struct rig *rig = *state;

	apply(rig, patterns, SWITCH_AUTO);
	assert_int_equal(rig->source->state, SOURCE_DOWN);
	assert_non_null(strstr(rig->source->detail, "no system bus"));
	assert_true(rig->source->errors > 0);
	/* The bus comes, then systemd: found without being told again. */
	rig_ready(rig);
	assert_int_equal(rig->source->workloads, 2);
}

static void test_units_systemd_leaves_and_workloads_stay(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	rig_ready(rig);
	(void)tree_said(tree);
	systemd_stop(rig);
	run_until(rig, rig->source->state == SOURCE_DOWN);
	assert_string_equal(tree_said(tree), "");
	assert_int_equal(tree->registry.count, 2);
	rig->unit_count = 1;
	systemd_start(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	assert_string_equal(tree_said(tree), "-batch-a.service");
}

static void test_units_bus_dies_and_is_found_again(void **state)
{
	struct rig *rig = *state;
	struct tree *tree = rig->tree;

	rig_ready(rig);
	(void)tree_said(tree);
	rig->systemd = sd_bus_close_unref(rig->systemd);
	daemon_stop(rig);
	run_until(rig, rig->source->state == SOURCE_DOWN);
	assert_int_equal(tree->registry.count, 2);
	assert_ok(daemon_start(rig));
	systemd_start(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	assert_string_equal(tree_said(tree), "");
	assert_int_equal(tree->registry.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_units_listed_units_become_workloads),
		TEST(test_units_signals_start_stop_and_remove),
		TEST(test_units_reload_of_systemd_lists_again),
		TEST(test_units_apply_other_patterns_and_off),
		TEST(test_units_no_bus_is_down_and_comes_back),
		TEST(test_units_systemd_leaves_and_workloads_stay),
		TEST(test_units_bus_dies_and_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
