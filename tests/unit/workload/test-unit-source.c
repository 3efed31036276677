/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dbus-daemon of its own and a small org.freedesktop.systemd1 on it, in the same event loop as
 * the source: nothing in the source may block, or nothing here would move.
 */
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "berth-test.h"
#include "source/source.h"
#include "tree.h"

#define TURN_USEC USEC_PER_SEC /* longest wait for something to happen */
#define TURNS     2000u
#define UNITS_MAX 8

struct fake_unit {
	char name[64], cgroup[64];
};

struct rig {
	struct tree *tree;
	sd_event *event;
	struct source_context context;
	struct source *source;
	pid_t daemon;
	sd_bus *systemd;
	struct fake_unit units[UNITS_MAX];
	size_t unit_count;
	unsigned int subscriptions;
};

extern char **environ;

static int on_subscribe(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct rig *rig = data;

	(void)reterr;
	rig->subscriptions++;
	return sd_bus_reply_method_return(message, NULL);
}

static void unit_path(const char *name, char **ret)
{
	assert_ok(sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, ret));
}

static int on_list(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct rig *rig = data;
	sd_bus_message *reply = NULL;

	(void)reterr;
	assert_ok(sd_bus_message_new_method_return(message, &reply));
	assert_ok(sd_bus_message_open_container(reply, 'a', "(ssssssouso)"));
	/* Like systemd it applies the patterns; one pattern is all that the tests use. */
	assert_ok(sd_bus_message_skip(message, "as"));
	assert_ok(sd_bus_message_enter_container(message, 'a', "s"));
	for (size_t i = 0; i < rig->unit_count; i++) {
		const char *name = rig->units[i].name;
		char *path = NULL;

		if (strncmp(name, "batch", 5) != 0)
			continue;
		unit_path(name, &path);
		assert_ok(sd_bus_message_append(reply, "(ssssssouso)", name, "", "loaded", "active",
						"running", "", path, 0, "", "/"));
		free(path);
	}
	assert_ok(sd_bus_message_close_container(reply));
	assert_ok(sd_bus_send(NULL, reply, NULL));
	sd_bus_message_unref(reply);
	return 1;
}

static int on_control_group(sd_bus *bus, const char *path, const char *interface,
			    const char *property, sd_bus_message *reply, void *data,
			    sd_bus_error *reterr)
{
	struct fake_unit *unit = data;

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)reterr;
	return sd_bus_message_append(reply, "s", unit->cgroup);
}

static int find_unit(sd_bus *bus, const char *path, const char *interface, void *data, void **ret,
		     sd_bus_error *reterr)
{
	struct rig *rig = data;
	char *name = NULL;
	int found = 0;

	(void)bus;
	(void)interface;
	(void)reterr;
	if (sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &name) <= 0)
		return 0;
	for (size_t i = 0; i < rig->unit_count; i++)
		if (strcmp(rig->units[i].name, name) == 0) {
			*ret = &rig->units[i];
			found = 1;
		}
	free(name);
	return found;
}

static const sd_bus_vtable manager_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("ListUnitsByPatterns", "asas", "a(ssssssouso)", on_list,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ControlGroup", "s", on_control_group, 0, 0),
	SD_BUS_VTABLE_END,
};

/* systemd arrives on the bus. */
static void systemd_start(struct rig *rig)
{
	static const char *const interfaces[] = { "org.freedesktop.systemd1.Service",
						  "org.freedesktop.systemd1.Slice" };

	assert_ok(sd_bus_open_system(&rig->systemd));
	assert_ok(sd_bus_set_exit_on_disconnect(rig->systemd, 0));
	assert_ok(sd_bus_add_object_vtable(rig->systemd, NULL, "/org/freedesktop/systemd1",
					   "org.freedesktop.systemd1.Manager", manager_table, rig));
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		assert_ok(sd_bus_add_fallback_vtable(rig->systemd, NULL,
						     "/org/freedesktop/systemd1/unit",
						     interfaces[i], unit_table, find_unit, rig));
	assert_ok(sd_bus_request_name(rig->systemd, "org.freedesktop.systemd1", 0));
	assert_ok(sd_bus_attach_event(rig->systemd, rig->event, 0));
}

static void systemd_stop(struct rig *rig)
{
	rig->systemd = sd_bus_flush_close_unref(rig->systemd);
}

static const char bus_config[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
	"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>\n"
	"<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
	"<allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\n"
	"<allow send_requested_reply=\"true\"/><allow receive_type=\"method_call\"/>\n"
	"<allow receive_type=\"signal\"/><allow receive_requested_reply=\"true\"/>\n"
	"</policy></busconfig>\n";

/* Until it has printed its address it does not listen. */
static int daemon_start(struct rig *rig)
{
	char path[128], option[160], address[256];
	char *arguments[] = { (char[]){ "dbus-daemon" },
			      (char[]){ "--nofork" },
			      (char[]){ "--nopidfile" },
			      (char[]){ "--print-address=1" },
			      option,
			      NULL };
	posix_spawn_file_actions_t actions;
	int out[2], r;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/bus.conf", rig->tree->path);
	(void)snprintf(option, sizeof(option), "--config-file=%s", path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fprintf(file, bus_config, rig->tree->path) > 0);
	assert_ok(fclose(file));
	assert_ok(pipe2(out, O_CLOEXEC));
	assert_ok(posix_spawn_file_actions_init(&actions));
	assert_ok(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO));
	r = posix_spawnp(&rig->daemon, "dbus-daemon", &actions, NULL, arguments, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(out[1]);
	if (r == 0 && read(out[0], address, sizeof(address)) <= 0)
		r = EIO;
	(void)close(out[0]);
	return -r;
}

static void daemon_stop(struct rig *rig)
{
	if (rig->daemon <= 0)
		return;
	(void)kill(rig->daemon, SIGTERM);
	(void)waitpid(rig->daemon, NULL, 0);
	rig->daemon = 0;
}

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
