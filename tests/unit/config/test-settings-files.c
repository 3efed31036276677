/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "berth-test.h"
#include "limit.h"
#include "macro.h"
#include "settings.h"
#include "strbuf.h"

/* Each test has a directory of its own, and paths in messages are relative to it. */
static char directory[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/berth-files-XXXXXX");
	return mkdtemp(directory) && chdir(directory) == 0 && mkdir("d", 0700) == 0 ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") == 0 ? nftw(directory, entry_remove, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct settings *load(void)
{
	struct config_errors errors = { 0 };
	struct settings *settings = NULL;
	int r = settings_load("main.yaml", "d", false, &errors, &settings);

	if (errors.count)
		print_message("# %s\n", errors.items[0].text);
	assert_ok(r);
	assert_int_equal(errors.count, 0);
	return settings;
}

static void assert_refused(const char *expected)
{
	struct config_errors errors = { 0 };
	struct settings *settings = NULL;
	struct strbuf lines = { 0 };
	char line[1024];

	assert_errno(settings_load("main.yaml", "d", true, &errors, &settings), EINVAL);
	assert_null(settings);
	for (size_t i = 0; i < errors.count; i++) {
		config_error_format(&errors.items[i], line, sizeof(line));
		strbuf_addf(&lines, "%s%s", i ? "\n" : "", line);
	}
	assert_string_equal(strbuf_text(&lines), expected);
	strbuf_done(&lines);
	config_errors_done(&errors);
}

static void test_settings_load_dropins_merge_in_lexical_order(void **state)
{
	struct settings *settings;

	(void)state;
	write_file("main.yaml", "dry_run: true\nactions: {per_minute: 1}\n"
				"plugins: {p: {enabled: false, a: 1}}\nrules: [{qos: batch}]\n");
	write_file("d/20.yaml", "actions: {per_minute: 3}\nplugins: {p: {b: 2}, q: {c: 3}}\n");
	write_file("d/10.yaml",
		   "actions: {per_minute: 2}\nlog_level: debug\nrules: [{qos: high}]\n");
	write_file("d/30.yaml", "dry_run:\n# nothing\n");
	settings = load();
	assert_int_equal(settings->dry_run, 1);
	assert_int_equal(settings->actions_per_minute, 3);
	assert_int_equal(settings->log_level, 4);
	assert_int_equal(settings->plugin_count, 2);
	assert_false(settings_plugin(settings, "p")->enabled);
	assert_non_null(config_node_get(settings_plugin(settings, "p")->node, "a"));
	assert_non_null(config_node_get(settings_plugin(settings, "p")->node, "b"));
	/* Lists replace: half of one and half of another is a third list. */
	assert_int_equal(settings->rule_count, 1);
	assert_int_equal(settings->rules[0].qos, QOS_HIGH);
	assert_string_equal(settings->rules[0].file, "d/10.yaml");
	(void)settings_free(settings);
}

static void test_settings_load_other_files_are_no_dropins(void **state)
{
	struct settings *settings;

	(void)state;
	write_file("main.yaml", "");
	write_file("d/.hidden.yaml", "bad: 1\n");
	write_file("d/a.yaml~", "bad: 1\n");
	write_file("d/a.yml", "bad: 1\n");
	write_file("d/README", "bad: 1\n");
	write_file("d/.yaml", "bad: 1\n");
	settings = load();
	(void)settings_free(settings);
}

static void test_settings_load_configmap_mount_is_followed_through_its_swap(void **state)
{
	struct settings *settings;

	(void)state;
	write_file("main.yaml", "");
	assert_int_equal(mkdir("d/..2026_01", 0700), 0);
	write_file("d/..2026_01/policy.yaml", "dry_run: true\n");
	write_file("d/..2026_01/gone.yaml", "log_level: debug\n");
	assert_int_equal(symlink("..2026_01", "d/..data"), 0);
	assert_int_equal(symlink("..data/policy.yaml", "d/policy.yaml"), 0);
	assert_int_equal(symlink("..data/gone.yaml", "d/gone.yaml"), 0);
	settings = load();
	assert_int_equal(settings->dry_run, 1);
	assert_int_equal(settings->log_level, 4);
	(void)settings_free(settings);

	/* The swap; the link of the removed key is still there, as kubelet leaves it for a moment.
	 */
	assert_int_equal(mkdir("d/..2026_02", 0700), 0);
	write_file("d/..2026_02/policy.yaml", "dry_run: false\n");
	assert_int_equal(symlink("..2026_02", "d/..data_tmp"), 0);
	assert_int_equal(rename("d/..data_tmp", "d/..data"), 0);
	settings = load();
	assert_int_equal(settings->dry_run, 0);
	assert_int_equal(settings->log_level, 3);
	(void)settings_free(settings);
}

static void test_settings_load_unreadable_things_are_refused(void **state)
{
	(void)state;
	write_file("main.yaml", "");
	assert_int_equal(symlink("nowhere", "d/1.yaml"), 0);
	assert_int_equal(mkdir("d/2.yaml", 0700), 0);
	assert_int_equal(mkfifo("d/3.yaml", 0600), 0);
	write_file("d/4.yaml", "dry_run: treu\n");
	assert_refused("d/1.yaml: cannot be read: No such file or directory\n"
		       "d/2.yaml: is not a regular file\n"
		       "d/3.yaml: is not a regular file\n"
		       "d/4.yaml:1:10: dry_run: expected true or false, not 'treu'");
}

static void test_settings_load_missing_file_is_fine_only_if_said(void **state)
{
	struct config_errors errors = { 0 };
	struct settings *settings = NULL;

	(void)state;
	assert_errno(settings_load("none.yaml", "d", false, &errors, &settings), EINVAL);
	assert_string_equal(errors.items[0].text, "cannot be read: No such file or directory");
	assert_null(settings);
	config_errors_done(&errors);
	assert_ok(settings_load("none.yaml", "no-such-directory", true, &errors, &settings));
	assert_int_equal(errors.count, 0);
	(void)settings_free(settings);
}

static void test_settings_load_replaced_values_must_be_valid_too(void **state)
{
	(void)state;
	write_file("main.yaml", "dry_run: maybe\nrules: [{qos: fast}]\n");
	write_file("d/1.yaml", "dry_run: true\nrules: [{qos: batch}]\n");
	assert_refused("main.yaml:1:10: dry_run: expected true or false, not 'maybe'\n"
		       "main.yaml:2:15: rules[0].qos: expected critical, high, normal, batch, "
		       "scavenger or 2 to -2, not 'fast'");
}

/* What `berthctl check` goes by: sections of plugins are there beside errors of the daemon's keys.
 */
static void test_settings_check_has_sections_whatever_is_wrong_above(void **state)
{
	static const struct {
		const char *main, *dropin;
		size_t errors;
	} cases[] = {
		{ "dry_run: maybe\nplugins: {colocation: {cpu: {way: x}}}\n", "dry_run: true\n",
		  1 },
		{ "dry_run: true\n", "dry_runn: 1\nplugins: {colocation: {cpu: {way: x}}}\n", 1 },
		{ "plugins: {colocation: {cpu: {way: x}}}\n", "plugins: {exporter: 1}\n", 1 },
		{ "plugins: {colocation: {cpu: {way: x}}}\n", "rules: [\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors = { 0 };
		struct settings *settings = NULL;
		const struct settings_plugin *section;

		write_file("main.yaml", cases[i].main);
		write_file("d/1.yaml", cases[i].dropin);
		assert_errno(settings_check("main.yaml", "d", false, &errors, &settings), EINVAL);
		assert_int_equal(errors.count, cases[i].errors);
		assert_non_null(settings);
		section = settings_plugin(settings, "colocation");
		assert_non_null(section);
		assert_non_null(config_node_get(section->node, "cpu"));
		(void)settings_free(settings);
		config_errors_done(&errors);
	}
}

static void test_settings_load_too_many_dropins_are_refused(void **state)
{
	char path[32];

	(void)state;
	write_file("main.yaml", "");
	for (unsigned int i = 0; i <= LIMIT_DROPINS; i++) {
		(void)snprintf(path, sizeof(path), "d/%03u.yaml", i);
		write_file(path, "");
	}
	assert_refused("d: more than 256 drop-ins");
}

static void test_settings_load_matching_overrides_are_merged(void **state)
{
	struct settings *settings;

	(void)state;
	write_file("main.yaml", "node: {name: node-7, labels: {gpu: a100, rack: r1}}\n"
				"actions: {per_minute: 5}\n"
				"overrides:\n"
				"  - {match: {node: \"node-*\"}, dry_run: true}\n"
				"  - {match: {node: other}, dry_run: false, log_level: err}\n"
				"  - match: {node: \"*\", labels: {gpu: \"a*\"}}\n"
				"    actions: {per_minute: 9}\n"
				"    plugins: {p: {a: 1}}\n"
				"    rules: [{qos: batch}]\n"
				"  - {match: {labels: {gpu: h100}}, log_level: debug}\n"
				"  - {match: {labels: {absent: \"*\"}}, log_level: debug}\n");
	settings = load();
	assert_int_equal(settings->dry_run, 1);
	assert_int_equal(settings->actions_per_minute, 9);
	assert_int_equal(settings->log_level, 3);
	assert_int_equal(settings->rule_count, 1);
	assert_int_equal(settings->rules[0].line, 9);
	assert_int_equal(settings->plugin_count, 1);
	assert_string_equal(settings->node_name, "node-7");
	(void)settings_free(settings);
}

static void test_settings_load_override_by_environment_name_matches(void **state)
{
	struct settings *settings;

	(void)state;
	assert_int_equal(setenv("NODE_NAME", "edge-1", 1), 0);
	write_file("main.yaml", "overrides: [{match: {node: edge-?}, dry_run: true}]\n");
	settings = load();
	assert_int_equal(settings->dry_run, 1);
	assert_int_equal(unsetenv("NODE_NAME"), 0);
	(void)settings_free(settings);
}

static void test_settings_load_conflicting_overrides_name_both_places(void **state)
{
	(void)state;
	write_file("main.yaml", "node: {name: n}\n"
				"overrides:\n"
				"  - match: {node: n}\n"
				"    sources: {cgroups: {paths: [a]}}\n"
				"    plugins: {p: {a: 1, b: 2}}\n"
				"  - match: {node: \"*\"}\n"
				"    sources: {cgroups: {paths: [a]}}\n"
				"    plugins: {p: {a: 1, c: 2}}\n"
				"  - {match: {node: m}, plugins: {p: {a: 3}}}\n");
	assert_refused(
		"main.yaml:7:25: sources.cgroups.paths: set by two overrides that match this "
		"node; the other is at main.yaml:4:25\n"
		"main.yaml:8:19: plugins.p.a: set by two overrides that match this node; the "
		"other is at main.yaml:5:19");
}

static void test_settings_load_bad_overrides_are_refused_on_every_node(void **state)
{
	(void)state;
	write_file("main.yaml", "overrides:\n"
				"  - {dry_run: true}\n"
				"  - {match: {node: nobody}, dry_rnu: true}\n"
				"  - {match: {nod: x}, log_level: loud}\n"
				"  - {match: {node: nobody}, node: {name: x}}\n"
				"  - {match: {node: nobody}, overrides: []}\n"
				"  - {match: {labels: [a]}}\n"
				"  - all\n"
				"  - {match: {node: nobody}, rules: [{match: {}}]}\n");
	assert_refused(
		"main.yaml:2:5: overrides[0]: expected match: {node: GLOB} or match: "
		"{labels: {…}}\n"
		"main.yaml:3:29: overrides[1].dry_rnu: unknown key; did you mean 'dry_run'?\n"
		"main.yaml:4:14: overrides[2].match.nod: unknown key; did you mean 'node'?\n"
		"main.yaml:4:34: overrides[2].log_level: expected one of: err, warning, "
		"notice, info, debug, not 'loud'\n"
		"main.yaml:5:35: overrides[3].node: an override cannot change what overrides "
		"match on\n"
		"main.yaml:6:29: overrides[4].overrides: unknown key; known here: node, "
		"dry_run, default_qos, sources, metrics, telemetry, actions, quota_period, "
		"systemd, "
		"reconcile_interval, log_level, match, rules, plugins\n"
		"main.yaml:7:22: overrides[5].match.labels: expected 'name: glob' below it\n"
		"main.yaml:8:5: overrides[6]: expected an override: {match: {node: GLOB}, "
		"…sections…}\n"
		"main.yaml:9:37: overrides[7].rules[0]: a rule without qos, ignore and "
		"requests does nothing");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_settings_load_dropins_merge_in_lexical_order),
		TEST(test_settings_load_other_files_are_no_dropins),
		TEST(test_settings_load_configmap_mount_is_followed_through_its_swap),
		TEST(test_settings_load_unreadable_things_are_refused),
		TEST(test_settings_load_missing_file_is_fine_only_if_said),
		TEST(test_settings_load_replaced_values_must_be_valid_too),
		TEST(test_settings_check_has_sections_whatever_is_wrong_above),
		TEST(test_settings_load_too_many_dropins_are_refused),
		TEST(test_settings_load_matching_overrides_are_merged),
		TEST(test_settings_load_override_by_environment_name_matches),
		TEST(test_settings_load_conflicting_overrides_name_both_places),
		TEST(test_settings_load_bad_overrides_are_refused_on_every_node),
	};

	return cmocka_run_group_tests_name("settings-files", tests, NULL, NULL);
}
