/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "limit.h"
#include "macro.h"
#include "settings.h"
#include "strbuf.h"

#define FILE_PATH "berth.yaml"

static char directory[] = "/tmp/berth-settings-XXXXXX";

static int setup(void **state)
{
	(void)state;
	(void)unsetenv("NODE_NAME");
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(FILE_PATH);
	return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

static void write_text(const char *text)
{
	FILE *file = fopen(FILE_PATH, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static struct settings *load(const char *text)
{
	struct config_errors errors = { 0 };
	struct settings *settings = NULL;

	write_text(text);
	assert_ok(settings_load(FILE_PATH, NULL, false, &errors, &settings));
	assert_int_equal(errors.count, 0);
	assert_non_null(settings);
	return settings;
}

/* All messages, a line each. */
static void assert_refused(const char *text, const char *expected)
{
	struct config_errors errors = { 0 };
	struct settings *settings = NULL;
	struct strbuf lines = { 0 };
	char line[1024];

	write_text(text);
	assert_errno(settings_load(FILE_PATH, NULL, false, &errors, &settings), EINVAL);
	assert_null(settings);
	for (size_t i = 0; i < errors.count; i++) {
		config_error_format(&errors.items[i], line, sizeof(line));
		strbuf_addf(&lines, "%s%s", i ? "\n" : "", line);
	}
	assert_string_equal(strbuf_text(&lines), expected);
	strbuf_done(&lines);
	config_errors_done(&errors);
}

static void test_settings_load_empty_file_gives_defaults(void **state)
{
	struct settings *settings = load("# nothing\n");
	char host[256] = "";

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_string_equal(settings->node_name, host);
	assert_int_equal(settings->dry_run, 0);
	assert_int_equal(settings->default_qos, QOS_NORMAL + 2);
	assert_null(settings->cgroup_paths[0]);
	assert_null(settings->unit_slices[0]);
	assert_int_equal(settings->units_enabled, SWITCH_AUTO);
	assert_string_equal(settings->metrics_listen, ":9824");
	assert_int_equal(settings->actions_per_minute, 60);
	assert_int_equal(settings->reconcile_interval_usec, 600 * USEC_PER_SEC);
	assert_string_equal(settings_log_levels[settings->log_level], "info");
	assert_int_equal(settings->rule_count, 0);
	assert_int_equal(settings->plugin_count, 0);
	assert_null(settings_plugin(settings, "colocation"));
	assert_null(settings_free(settings));
	assert_null(settings_free(NULL));
}

static void test_settings_load_node_name_key_wins_over_environment(void **state)
{
	struct settings *settings;

	(void)state;
	assert_int_equal(setenv("NODE_NAME", "from-pod", 1), 0);
	settings = load("dry_run: true\n");
	assert_string_equal(settings->node_name, "from-pod");
	settings = settings_free(settings);
	settings = load("node: {name: from-key}\n");
	assert_string_equal(settings->node_name, "from-key");
	settings = settings_free(settings);
	assert_int_equal(unsetenv("NODE_NAME"), 0);
}

static void test_settings_load_every_key_is_read(void **state)
{
	struct settings *settings =
		load("node: {name: n1, labels: {rack: r7, zone: \"\"}}\n"
		     "dry_run: true\n"
		     "default_qos: batch\n"
		     "sources:\n"
		     "  cgroups: {paths: [/batch/*/, online]}\n"
		     "  units: {enabled: false, slices: [\"batch-*\", web.service]}\n"
		     "plugins:\n"
		     "  colocation: {enabled: false, cpu: {way: auto}}\n"
		     "  other:\n"
		     "metrics: {listen: \"[::1]:9000\"}\n"
		     "actions: {per_minute: 0}\n"
		     "reconcile_interval: 24h\n"
		     "log_level: debug\n");

	(void)state;
	assert_string_equal(settings->node_name, "n1");
	assert_int_equal(settings->node_label_count, 2);
	assert_string_equal(settings->node_labels[0].key, "rack");
	assert_string_equal(settings->node_labels[0].value, "r7");
	assert_string_equal(settings->node_labels[1].value, "");
	assert_int_equal(settings->dry_run, 1);
	assert_int_equal(settings->default_qos, QOS_BATCH + 2);
	/* One form, however it was written. */
	assert_string_equal(settings->cgroup_paths[0], "batch/*");
	assert_string_equal(settings->cgroup_paths[1], "online");
	assert_null(settings->cgroup_paths[2]);
	assert_int_equal(settings->units_enabled, SWITCH_FALSE);
	assert_string_equal(settings->unit_slices[0], "batch-*");
	assert_int_equal(settings->plugin_count, 2);
	assert_false(settings_plugin(settings, "colocation")->enabled);
	assert_non_null(settings_plugin(settings, "colocation")->node);
	assert_true(settings_plugin(settings, "other")->enabled);
	assert_null(settings_plugin(settings, "other")->node);
	assert_string_equal(settings->metrics_listen, "[::1]:9000");
	assert_int_equal(settings->actions_per_minute, 0);
	assert_int_equal(settings->reconcile_interval_usec, 86400 * USEC_PER_SEC);
	assert_int_equal(settings->log_level, 4);
	(void)settings_free(settings);
}

static void test_settings_load_rules_are_read_in_order(void **state)
{
	struct settings *settings = load(
		"rules:\n"
		"  - {match: {kind: pod, namespace: \"batch-*\", labels: {app: x*}}, qos: batch}\n"
		"  - match: {kind: vm, name: \"db-*\", cgroup: /machine.slice/*}\n"
		"    qos: 2\n"
		"    requests: {cpu: 1500m, memory: 2Gi}\n"
		"  - {ignore: true}\n"
		"  - {match: {}, qos: \"-2\"}\n");
	const struct rule *rule = settings->rules;

	(void)state;
	assert_int_equal(settings->rule_count, 4);
	assert_string_equal(rule->match.kind, "pod");
	assert_string_equal(rule->match.namespace, "batch-*");
	assert_null(rule->match.name);
	assert_int_equal(rule->match.label_count, 1);
	assert_string_equal(rule->match.labels[0].value, "x*");
	assert_true(rule->has_qos);
	assert_int_equal(rule->qos, QOS_BATCH);
	assert_string_equal(rule->file, FILE_PATH);
	assert_int_equal(rule->line, 2);
	rule++;
	assert_string_equal(rule->match.cgroup, "machine.slice/*");
	assert_int_equal(rule->qos, QOS_CRITICAL);
	assert_int_equal(rule->cpu_request_milli, 1500);
	assert_int_equal(rule->memory_request_bytes, 2ULL << 30);
	assert_int_equal(rule->line, 3);
	rule++;
	assert_true(rule->ignore);
	assert_false(rule->has_qos);
	assert_null(rule->match.kind);
	rule++;
	assert_int_equal(rule->qos, QOS_SCAVENGER);
	(void)settings_free(settings);
}

#define AT(place) FILE_PATH ":" place ": "

static const struct {
	const char *text, *errors;
} bad_keys[] = {
	{ "dryrun: true\n", AT("1:1") "dryrun: unknown key; did you mean 'dry_run'?" },
	{ "sources: {cgroup: {}}\n",
	  AT("1:11") "sources.cgroup: unknown key; did you mean 'cgroups'?" },
	{ "sources: {kubernetes: {via: proxy}}\n",
	  AT("1:29") "sources.kubernetes.via: expected one of: apiserver, kubelet, cgroup, not "
		     "'proxy'" },
	{ "sources: {machines: {insecure_skip_verify: true}}\n",
	  AT("1:22") "sources.machines.insecure_skip_verify: unknown key; known here: enabled" },
	{ "default_qos: fast\n", AT("1:14") "default_qos: expected one of: scavenger, batch, "
					    "normal, high, critical, not 'fast'" },
	{ "actions: {per_minute: 10001}\n",
	  AT("1:23") "actions.per_minute: expected number, 0 to 10000, not '10001'" },
	{ "reconcile_interval: 9s\n",
	  AT("1:21") "reconcile_interval: expected time, 10s to 24h, not '9s'" },
	{ "rules: [{match: {name: 'web[0-9'}, qos: high}]\n",
	  AT("1:24") "rules[0].match.name: a '[' without its ']' in 'web[0-9'; the character "
		     "itself is [[]" },
	{ "rules: [{match: {cgroup: 'ci/[ab'}, qos: high}]\n",
	  AT("1:26") "rules[0].match.cgroup: a '[' without its ']' in 'ci/[ab'; the character "
		     "itself is [[]" },
	{ "sources: {cgroups: {paths: ['/sys/fs/cgroup/cpu/ci/*']}}\n",
	  AT("1:29") "sources.cgroups.paths[0]: expected a path below the root of the hierarchy, "
		     "as in /proc/PID/cgroup, not '/sys/fs/cgroup/cpu/ci/*'" },
	{ "node: name\n", AT("1:7") "node: expected a section (keys below it), not one value" },
	{ "node: {labels: [a]}\n",
	  AT("1:16") "node.labels: expected at most 256 labels, 'name: value'" },
	{ "node: {labels: {a: }}\n",
	  AT("1:20") "node.labels.a: expected text, not nothing; \"\" is empty text" },
	{ "metrics: {listen: localhost:1}\n", AT("1:19") "metrics.listen: expected ADDRESS:PORT, "
							 "[V6]:PORT, :PORT or \"\", not "
							 "'localhost:1'" },
	{ "metrics: {listen: \":65536\"}\n",
	  AT("1:19") "metrics.listen: expected ADDRESS:PORT, [V6]:PORT, :PORT or \"\", not "
		     "':65536'" },
	{ "metrics: {listen: \"::1:80\"}\n",
	  AT("1:19") "metrics.listen: expected ADDRESS:PORT, [V6]:PORT, :PORT or \"\", not "
		     "'::1:80'" },
	{ "plugins: [a]\n", AT("1:10") "plugins: expected at most 32 sections by name" },
	{ "plugins: {a: on}\n", AT("1:14") "plugins.a: expected a section (keys below it)" },
	{ "plugins: {a: {enabled: on}}\n",
	  AT("1:24") "plugins.a.enabled: expected true or false, not 'on'" },
	{ "sources: {cgroups: {paths: [ok, a/../b, /, a//b]}}\n",
	  AT("1:33") "sources.cgroups.paths[1]: expected a path glob of under 1024 bytes "
		     "without '.', '..' and '//' in it, not 'a/../b'\n" AT(
			     "1:41") "sources.cgroups.paths[2]: expected a path glob below the "
				     "root, such as 'batch/*'\n" AT(
					     "1:44") "sources.cgroups.paths[3]: expected a path "
						     "glob of under 1024 bytes without '.', "
						     "'..' and '//' in it, not 'a//b'" },
	{ "sources: {cgroups: {paths: "
	  "[1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/"
	  "3]}}\n",
	  AT("1:29") "sources.cgroups.paths[0]: expected at most 32 levels, not 33" },
	{ "sources: {units: {slices: [a/b.slice, x, \"*\"]}}\n",
	  AT("1:28") "sources.units.slices[0]: expected a glob of unit names that ends in .slice, "
		     ".service, .scope or '*', not 'a/b.slice'\n" AT(
			     "1:39") "sources.units.slices[1]: expected a glob of unit names that "
				     "ends in .slice, .service, .scope or '*', not 'x'" },
};

static const struct {
	const char *text, *errors;
} bad_rules[] = {
	{ "rules: {}\n", AT("1:8") "rules: expected a list of at most 1024 rules" },
	{ "rules: [batch]\n", AT("1:9") "rules[0]: expected a rule: {match: {…}, qos: LEVEL}" },
	{ "rules: [{}]\n", AT("1:9") "rules[0]: a rule without qos, ignore and requests does "
				     "nothing" },
	{ "rules: [{match: {kind: pod}}]\n",
	  AT("1:9") "rules[0]: a rule without qos, ignore and requests does nothing" },
	{ "rules: [{requests: {}}]\n",
	  AT("1:9") "rules[0]: a rule without qos, ignore and requests does nothing" },
	{ "rules: [{qos: }]\n",
	  AT("1:9") "rules[0]: a rule without qos, ignore and requests does nothing" },
	{ "rules: [{qos: bach}]\n",
	  AT("1:15") "rules[0].qos: expected critical, high, normal, batch, scavenger or 2 to -2, "
		     "not 'bach'; did you mean 'batch'?" },
	{ "rules: [{qos: 3}]\n", AT("1:15") "rules[0].qos: expected critical, high, normal, batch, "
					    "scavenger or 2 to -2, not '3'" },
	{ "rules: [{ignore: 1}]\n", AT("1:18") "rules[0].ignore: expected true or false" },
	{ "rules: [{qso: batch}]\n", AT("1:10") "rules[0].qso: unknown key; did you mean 'qos'?" },
	{ "rules: [{match: , qos: batch}]\n",
	  AT("1:17") "rules[0].match: expected a section; {} matches everything" },
	/* A key without a value would match everything. */
	{ "rules: [{match: {name: }, qos: batch}]\n",
	  AT("1:24") "rules[0].match.name: expected text, not nothing; \"\" is empty text" },
	{ "rules: [{match: {labels: }, qos: batch}]\n",
	  AT("1:26") "rules[0].match.labels: expected a section (keys below it)" },
	{ "rules: [{match: {kind: pods}, qos: batch}]\n",
	  AT("1:24") "rules[0].match.kind: expected pod, container, vm, unit, cgroup or a glob, "
		     "not 'pods'; did you mean 'pod'?" },
	{ "rules: [{match: {namspace: x}, qos: batch}]\n",
	  AT("1:18") "rules[0].match.namspace: unknown key; did you mean 'namespace'?" },
	{ "rules: [{match: {cgroup: ../x}, qos: batch}]\n",
	  AT("1:26") "rules[0].match.cgroup: expected a path glob of under 1024 bytes without "
		     "'.', '..' and '//' in it, not '../x'" },
	{ "rules: [{requests: {cpu: 1x, memory: 1Zi, disk: 1}}]\n",
	  AT("1:26") "rules[0].requests.cpu: expected CPUs such as 500m or 1.5, not '1x'\n" AT(
		  "1:38") "rules[0].requests.memory: expected a size such as 512Mi or 1Gi, not "
			  "'1Zi'\n" AT("1:43") "rules[0].requests.disk: unknown key; known here: "
					       "cpu, memory" },
};

static void test_settings_load_bad_keys_are_refused_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_keys); i++)
		assert_refused(bad_keys[i].text, bad_keys[i].errors);
}

static void test_settings_load_bad_rules_are_refused_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_rules); i++)
		assert_refused(bad_rules[i].text, bad_rules[i].errors);
}

static void test_settings_load_listen_forms_are_accepted(void **state)
{
	static const char *const forms[] = { "\"\"", "\":9824\"", "127.0.0.1:1", "\"[fe80::1]:80\"",
					     "\"0.0.0.0:65535\"" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		(void)snprintf(text, sizeof(text), "metrics: {listen: %s}\n", forms[i]);
		(void)settings_free(load(text));
	}
}

static void assert_count_limited(const char *head, const char *before, const char *after,
				 const char *tail, size_t limit, const char *error)
{
	struct strbuf text = { 0 };

	strbuf_add(&text, head);
	for (size_t i = 0; i < limit; i++)
		strbuf_addf(&text, "%s%zu%s", before, i, after);
	strbuf_add(&text, tail);
	(void)settings_free(load(strbuf_text(&text)));
	strbuf_clear(&text);
	strbuf_add(&text, head);
	for (size_t i = 0; i <= limit; i++)
		strbuf_addf(&text, "%s%zu%s", before, i, after);
	strbuf_add(&text, tail);
	assert_refused(strbuf_text(&text), error);
	strbuf_done(&text);
}

static void test_settings_load_counts_are_limited(void **state)
{
	(void)state;
	assert_count_limited("rules:\n", "  - {match: {name: a", "}, qos: batch}\n", "",
			     LIMIT_RULES, AT("2:3") "rules: expected a list of at most 1024 rules");
	assert_count_limited("sources: {cgroups: {paths: [", "a", ",", "]}}\n", LIMIT_GLOBS,
			     AT("1:28") "sources.cgroups.paths: expected at most 256 globs, not "
					"257");
	assert_count_limited("node: {labels: {", "a", ": x,", "}}\n", LIMIT_LABELS,
			     AT("1:16") "node.labels: expected at most 256 labels, 'name: value'");
	assert_count_limited("plugins: {", "a", ": {},", "}\n", LIMIT_PLUGINS,
			     AT("1:10") "plugins: expected at most 32 sections by name");
	assert_count_limited("overrides:\n", "  - {match: {node: nobody", "}, dry_run: true}\n", "",
			     LIMIT_OVERRIDES,
			     AT("2:3") "overrides: expected a list of at most 256 overrides");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_load_empty_file_gives_defaults),
		cmocka_unit_test(test_settings_load_node_name_key_wins_over_environment),
		cmocka_unit_test(test_settings_load_every_key_is_read),
		cmocka_unit_test(test_settings_load_rules_are_read_in_order),
		cmocka_unit_test(test_settings_load_bad_keys_are_refused_with_their_place),
		cmocka_unit_test(test_settings_load_bad_rules_are_refused_with_their_place),
		cmocka_unit_test(test_settings_load_listen_forms_are_accepted),
		cmocka_unit_test(test_settings_load_counts_are_limited),
	};

	return cmocka_run_group_tests_name("settings", tests, setup, teardown);
}
