/* SPDX-License-Identifier: Apache-2.0 */
/* `berthctl import`: every key to its place, ranges, what is refused and where, what is told. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth-test.h"
#include "file.h"
#include "import/import.h"
#include "limit.h"
#include "macro.h"

static const struct import_agent *agent_find(const char *name)
{
	const struct import_agent *agent = import_agents;

	while (agent->name && strcmp(agent->name, name) != 0)
		agent++;
	assert_non_null(agent->name);
	return agent;
}

/* The policy as text (the caller's), NULL if it was refused. */
static char *import_text(const char *agent, const char *text, struct import *import)
{
	struct strbuf page cleanup_strbuf = {};

	if (import_run(import, agent_find(agent), "f.json", text, strlen(text)) < 0)
		return NULL;
	import_policy_print(&import->policy, &page);
	return strbuf_take(&page);
}

static char *fixture_text(const char *name)
{
	char path[512], place[64];
	char *text = NULL;

	(void)snprintf(place, sizeof(place), "import/%s", name);
	assert_ok(file_read_all(AT_FDCWD, fixture_path(place, path, sizeof(path)), &text, NULL));
	return text;
}

static void note_text(const struct import *import, size_t i, char *text, size_t size)
{
	struct strbuf line cleanup_strbuf = {};

	import_note_print(&import->notes.items[i], &line);
	(void)snprintf(text, size, "%s", strbuf_text(&line));
}

static bool has_note(const struct import *import, const char *part)
{
	for (size_t i = 0; i < import->notes.count; i++) {
		char text[1024];

		note_text(import, i, text, sizeof(text));
		if (strstr(text, part))
			return true;
	}
	return false;
}

static void assert_lines(const char *policy, const char *const *lines)
{
	for (; *lines; lines++)
		if (!strstr(policy, *lines))
			fail_msg("'%s' is not in\n%s", *lines, policy);
}

static void test_import_rubik_everything_each_key_has_its_place(void **state)
{
	static const char *const lines[] = {
		"log_level: warning  # agent.logLevel\n",
		"    via: apiserver  # agent.informerType\n",
		"    cpu:\n      enabled: true  # preemption.resource\n",
		"    memory:\n      enabled: true  # preemption.resource\n",
		"    network:\n      enabled: true  # preemption.resource\n",
		"      water_line: 20Mi  # preemption.net.waterline\n",
		"      low: 10Mi  # preemption.net.bandwidthLow\n",
		"      high: 100Mi  # preemption.net.bandwidthHigh\n",
		"      annotations: true  # ioLimit\n",
		"      weights: true  # ioCost\n",
		/* Over 2^53: a number that passed through a double would end in 992. */
		"      cost:\n        - \"sda rbps=9007199254740993 rseqiops=200 rrandiops=300 "
		"wbps=400 wseqiops=500 wrandiops=600\"\n",
		"      enabled: true  # quotaTurbo\n      law: rubik  # quotaTurbo\n"
		"      high_percent: 50  # quotaTurbo.highWaterMark\n"
		"      alarm_percent: 75  # quotaTurbo.alarmWaterMark\n"
		"      period: 250ms  # quotaTurbo.syncInterval\n",
		"    shares:\n      enabled: true  # dynMemory\n",
		"  # dynCache.defaultLimitMode\n",
		"  # dynCache.adjustInterval\n",
		"  # dynCache.l3Percent.low\n",
		"  # dynCache.l3Percent.mid\n",
		"  # dynCache.l3Percent.high\n",
		"  # dynCache.memBandPercent.low\n",
		"  # dynCache.memBandPercent.mid\n",
		"  # dynCache.memBandPercent.high\n",
		"        available_percent: 15  # memoryevict.threshold\n        # rubik never "
		"kills",
		"        use: 70  # cpuevict.threshold\n",
		"        memory: 5  # psi.resource, psi.avg10Threshold\n"
		"        cpu: 5  # psi.resource, psi.avg10Threshold\n"
		"        io: 5  # psi.resource, psi.avg10Threshold\n",
		"      period: 1s  # the shortest interval\n"
		"      cooldown: 20s  # the longest cooldown\n",
		"    burst:\n      enabled: true  # quotaBurst\n",
		"    interference:\n      enabled: true  # cpi\n",
		"overrides:\n  - match: {node: \"worker-7\"}\n    plugins:\n",
		NULL,
	};
	static const char *const told[] = {
		"f.json:3:5: agent.logDriver: ",
		"f.json:4:5: agent.logDir: ",
		"f.json:5:5: agent.logSize: ",
		"f.json:7:5: agent.cgroupRoot: ",
		"f.json:8:5: agent.cgroupDriver: ",
		"dynMemory.policy: ",
		"dynCache.perfDuration: ",
		"ioCost[1].config[0].enable: ",
		"cpuevict.windows: ",
		"memoryevict.threshold: ",
	};
	struct import import CLEANUP(import_done) = {};
	cleanup_free char *text = fixture_text("rubik-everything.json");
	cleanup_free char *policy = import_text("rubik", text, &import);

	(void)state;
	assert_non_null(policy);
	assert_lines(policy, lines);
	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (!has_note(&import, told[i]))
			fail_msg("no remark begins with '%s'", told[i]);
}

static void test_import_rubik_empty_sections_have_rubiks_defaults(void **state)
{
	static const char *const lines[] = {
		"high_percent: 60  # quotaTurbo.highWaterMark, by default\n",
		"alarm_percent: 80  # quotaTurbo.alarmWaterMark, by default\n",
		"period: 100ms  # quotaTurbo.syncInterval, by default\n",
		": 20  # dynCache.l3Percent.low, by default\n",
		": 30  # dynCache.l3Percent.mid, by default\n",
		": 50  # dynCache.l3Percent.high, by default\n",
		": 10  # dynCache.memBandPercent.low, by default\n",
		": 30  # dynCache.memBandPercent.mid, by default\n",
		": 50  # dynCache.memBandPercent.high, by default\n",
		"use: 60  # cpuevict.threshold, by default\n",
		"available_percent: 10  # memoryevict.threshold\n",
		"memory: 5  # psi.resource, psi.avg10Threshold\n",
		"cpu: 0  # psi\n",
		"annotations: false  # ioLimit\n",
		"    memory:\n      enabled: false  # preemption.resource\n",
		"    burst:\n      enabled: false  # quotaBurst\n",
		NULL,
	};
	struct import import CLEANUP(import_done) = {};
	cleanup_free char *text = fixture_text("rubik-defaults.json");
	cleanup_free char *policy = import_text("rubik", text, &import);

	(void)state;
	assert_non_null(policy);
	assert_lines(policy, lines);
}

/* {"agent": {"enabledFeatures": [F]}, REST} */
#define WITH(features, rest) "{\"agent\": {\"enabledFeatures\": [" features "]},\n" rest "}"

static void test_import_rubik_wrong_values_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "{\"agent\": {\"logLevel\": \"trace\"}}",
		  "f.json:1:12: agent.logLevel: expected debug, info, warn or error, not 'trace'" },
		{ "{\"agent\": {\"logSize\": 9}}",
		  "f.json:1:12: agent.logSize: expected 10 to 1048576" },
		{ "{\"agent\": {\"logSize\": 1e3}}",
		  "f.json:1:12: agent.logSize: expected a whole number" },
		{ "{\"agent\": []}", "f.json:1:2: agent: expected an object" },
		{ WITH("\"quotaTurb\"", "\"x\": 1"), "f.json:1:32: agent.enabledFeatures[0]: no "
						     "feature of rubik, which does not start "
						     "with this; did you mean 'quotaTurbo'?" },
		{ WITH("\"quotaTurbo\"", "\"x\": 1"), "'quotaTurbo' has no section" },
		{ WITH("\"ioCost\"", "\"x\": 1"), "'ioCost' has no section" },
		{ WITH("\"quotaTurbo\"", "\"quotaTurbo\": {\"syncInterval\": 99}"),
		  "f.json:2:16: quotaTurbo.syncInterval: expected 100 to 10000" },
		{ WITH("\"quotaTurbo\"", "\"quotaTurbo\": {\"highWaterMark\": 80}"),
		  "f.json:2:16: quotaTurbo.highWaterMark: expected less than alarmWaterMark" },
		{ WITH("\"preemption\"", "\"preemption\": {}"), "resource: expected a list" },
		{ WITH("\"preemption\"", "\"preemption\": {\"resource\": [\"cpu\", \"mem\"]}"),
		  "f.json:2:36: preemption.resource[1]: expected cpu, memory or net" },
		{ WITH("\"preemption\"", "\"preemption\": {\"resource\": [\"net\"]}"),
		  "net.waterline is missing" },
		{ WITH("\"preemption\"", "\"preemption\": {\"resource\": [\"net\"], \"net\": "
					 "{\"waterline\": 20, \"bandwidthLow\": 9, "
					 "\"bandwidthHigh\": 9}}"),
		  "preemption.net.bandwidthLow: expected less than net.bandwidthHigh" },
		{ WITH("\"dynCache\"", "\"dynCache\": {\"l3Percent\": {\"mid\": 60}}"),
		  "dynCache.l3Percent.mid: expected no more than l3Percent.high" },
		{ WITH("\"dynCache\"", "\"dynCache\": {\"l3Percent\": 3}"),
		  "dynCache.l3Percent: expected an object" },
		{ WITH("\"dynMemory\"", "\"dynMemory\": {\"policy\": \"dynlevel\"}"),
		  "dynMemory.policy: expected fssr, not 'dynlevel'" },
		{ WITH("\"psi\"", "\"psi\": {\"resource\": [\"cpu\"], \"avg10Threshold\": 4.9}"),
		  "psi.avg10Threshold: expected 5 to 100" },
		{ WITH("\"cpuevict\"", "\"cpuevict\": {\"interval\": 2, \"windows\": 3}"),
		  "cpuevict.windows: expected a multiple of interval (2)" },
		{ WITH("\"memoryevict\"", "\"memoryevict\": {}"), "threshold is missing" },
		{ WITH("\"ioCost\"",
		       "\"ioCost\": [{\"nodeName\": \"n\", \"config\": [{\"dev\": "
		       "\"sda\", \"model\": \"linear\", \"param\": {\"rbps\": 0}}]}]"),
		  "ioCost[0].config[0].param.rbps: expected 1 or more" },
		{ WITH("\"ioCost\"", "\"ioCost\": [{\"nodeName\": \"n\"}, {\"nodeName\": \"n\"}]"),
		  "ioCost[1]: this node is in the list before" },
		{ "{\"a\": 1, \"a\": 2}", "f.json:1:12: not JSON: duplicate object key" },
		{ "{\"a\": 99999999999999999999}", "too big integer" },
		{ "{\"a\": 1", "f.json:1:7: not JSON" },
		{ "[]", "neither JSON ({ ... }) nor a ConfigMap with the key 'config.json'" },
		{ "a: [", "f.json:2:1: " },
		{ "", "neither JSON" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct import import CLEANUP(import_done) = {};
		cleanup_free char *policy = import_text("rubik", cases[i].text, &import);

		if (policy || !has_note(&import, cases[i].said)) {
			char text[1024] = "nothing";

			if (import.notes.count)
				note_text(&import, import.notes.count - 1, text, sizeof(text));
			fail_msg("%s: expected '%s', not '%s'", cases[i].text, cases[i].said, text);
		}
	}
}

static void test_import_rubik_all_errors_are_told_in_one_run(void **state)
{
	static const char text[] = WITH(
		"\"quotaTurbo\", \"dynCache\", \"psi\"",
		"\"quotaTurbo\": {\"syncInterval\": 1},\n\"dynCache\": {\"perfDuration\": 1},\n"
		"\"psi\": {\"interval\": 1, \"resource\": [\"x\"]}");
	struct import import CLEANUP(import_done) = {};

	(void)state;
	assert_null(import_text("rubik", text, &import));
	assert_true(has_note(&import, "f.json:2:16: quotaTurbo.syncInterval"));
	assert_true(has_note(&import, "f.json:3:14: dynCache.perfDuration"));
	assert_true(has_note(&import, "f.json:4:9: psi.interval"));
}

/* rubik reads these without a word, and does something else than their author thinks. */
static void test_import_rubik_what_rubik_passes_over_is_told(void **state)
{
	static const char text[] = WITH(
		"\"quotaTurbo\"", "\"quotaTurbo\": {\"HIGHWATERMARK\": 40, \"syncIntervall\": 5},\n"
				  "\"quotaturbo\": {},\n\"dynCache\": {\"defaultLimitMode\": 3}");
	struct import import CLEANUP(import_done) = {};
	cleanup_free char *policy = import_text("rubik", text, &import);
	struct import other CLEANUP(import_done) = {};
	cleanup_free char *none = NULL;

	(void)state;
	assert_non_null(policy);
	/* Go's reader takes a key in any case of letters; a section's name it does not. */
	assert_non_null(strstr(policy, "high_percent: 40  # quotaTurbo.highWaterMark\n"));
	assert_true(has_note(&import, "f.json:2:37: quotaTurbo.syncIntervall: unknown key"));
	assert_true(has_note(&import, "did you mean 'syncInterval'?"));
	assert_true(has_note(&import, "f.json:3:1: quotaturbo: unknown section"));
	assert_true(has_note(&import, "f.json:4:1: dynCache: left out: it is not in "
				      "agent.enabledFeatures"));
	assert_non_null(strstr(policy, "    cache:\n      enabled: false  # dynCache\n"));

	none = import_text("rubik", "{\"Agent\": {\"enabledFeatures\": [\"psi\"]}}", &other);
	assert_non_null(none);
	assert_true(has_note(&other, "there is no section 'agent': rubik runs with no feature"));
	assert_true(has_note(&other, "Agent: unknown section, which rubik passes over in silence; "
				     "did you mean 'agent'?"));
	assert_null(strstr(none, ": true"));
}

static void test_import_config_map_places_are_those_of_the_file(void **state)
{
	static const char in_yaml[] = "kind: ConfigMap\n"
				      "data:\n"
				      "  config.json: |\n"
				      "\n"
				      "    {\"agent\": {\n"
				      "      \"logSize\": 1}}\n";
	static const char in_json[] =
		"{\"kind\": \"List\", \"items\": [{\"kind\": \"Secret\"}, {\"kind\": "
		"\"ConfigMap\", "
		"\"data\": {\"config.json\": \"{\\\"agent\\\":\\n {\\\"logSize\\\": 1}}\"}}]}";
	static const char twice[] =
		"data: {config.json: \"{}\"}\n---\ndata: {config.json: \"{}\"}\n";
	struct import yaml CLEANUP(import_done) = {}, json CLEANUP(import_done) = {};
	struct import two CLEANUP(import_done) = {}, none CLEANUP(import_done) = {};

	(void)state;
	assert_null(import_text("rubik", in_yaml, &yaml));
	assert_true(has_note(&yaml, "f.json:6:7: agent.logSize: expected 10"));
	assert_null(import_text("rubik", in_json, &json));
	assert_true(has_note(&json, "f.json: data.config.json:2:3: agent.logSize: expected 10"));
	assert_null(import_text("rubik", twice, &two));
	assert_true(has_note(&two, "two ConfigMaps have these keys"));
	assert_null(import_text("rubik", "data: {other: \"{}\"}\n", &none));
	assert_true(has_note(&none, "nor a ConfigMap with the key 'config.json'"));
}

static void test_import_koordinator_strategies_become_keys_and_overrides(void **state)
{
	static const char *const lines[] = {
		"target_percent: 65  # clusterStrategy.cpuSuppressThresholdPercent\n",
		"by: quota  # clusterStrategy.cpuSuppressPolicy\n",
		"available_percent: 30  # clusterStrategy.memoryEvictThresholdPercent\n",
		"smt_protect: core_sched  # cpuQOS.coreExpeller\n",
		"protect: min  # memoryQOS.minLimitPercent, lowLimitPercent\n",
		"          - \"vdb write_bps=1048576 read_iops=100\"\n",
		"        - \"vdb rbps=1 rseqiops=3 rrandiops=5 wbps=2 wseqiops=4 wrandiops=6 "
		"rpct=95 "
		"rlat=3000\"\n",
		"alarm_percent: 50  # clusterStrategy.sharePoolThresholdPercent\n",
		"high_percent: 45  # nine tenths of sharePoolThresholdPercent\n",
		"  - match: {labels: {\"kubernetes.io/kernel\": \"anolis\"}}\n",
		"          target_percent: 50  # nodeStrategies[0].cpuSuppressThresholdPercent\n",
		NULL,
	};
	struct import import CLEANUP(import_done) = {};
	cleanup_free char *text = fixture_text("koordinator.yaml");
	cleanup_free char *policy = import_text("koordinator", text, &import);

	(void)state;
	assert_non_null(policy);
	assert_lines(policy, lines);
	assert_true(has_note(&import, "data.colocation-config: not read"));
	assert_true(has_note(&import, "nodeStrategies[1].nodeSelector: left out"));
	assert_true(has_note(&import,
			     "f.json:10:43: clusterStrategy.memoryEvictLowerPercent: no equal"));
}

static void test_import_volcano_global_and_nodes(void **state)
{
	static const char *const lines[] = {
		"enabled: true  # globalConfig.cpuQosConfig.enable\n",
		"    memory:\n      enabled: true  # memoryQosV2Config.enable\n",
		"use: 85  # globalConfig.evictingConfig.evictingCPUHighWatermark\n",
		"available_percent: 25  # "
		"globalConfig.evictingConfig.evictingMemoryHighWatermark\n",
		"period: 10s  # globalConfig.evictingConfig.monitorInterval, by default\n",
		"    suppress:\n      enabled: true  # globalConfig.cpuThrottlingConfig.enable\n",
		"  - match: {labels: {\"pool\": \"edge\"}}\n",
		"            use: 60  # nodesConfig[0].evictingConfig.evictingCPUHighWatermark\n",
		"            available_percent: 25  # "
		"nodesConfig[0].evictingConfig.evictingMemoryHighWatermark\n",
		NULL,
	};
	struct import import CLEANUP(import_done) = {}, other CLEANUP(import_done) = {};
	cleanup_free char *text = fixture_text("volcano.yaml");
	cleanup_free char *policy = import_text("volcano", text, &import);

	(void)state;
	assert_non_null(policy);
	assert_lines(policy, lines);
	assert_true(has_note(&import, "globalConfig.networkQosConfig: percent of a speed"));
	assert_null(import_text("volcano", "{\"agent\": {}}", &other));
	assert_true(has_note(&other, "neither globalConfig nor nodesConfig"));
}

static void test_import_names_of_the_file_cannot_leave_their_comment(void **state)
{
	struct import import CLEANUP(import_done) = {};
	cleanup_free char *policy =
		import_text("rubik", "{\"agent\": {}, \"x\\ndry_run: true\": 1}", &import);

	(void)state;
	assert_non_null(policy);
	assert_null(strstr(policy, "\ndry_run"));
	assert_non_null(strstr(policy, "dry_run: true"));
}

static void test_import_more_remarks_than_are_told_are_counted(void **state)
{
	struct strbuf text cleanup_strbuf = {};
	struct import import CLEANUP(import_done) = {};
	cleanup_free char *policy = NULL;

	(void)state;
	strbuf_add(&text, "{\"agent\": {}");
	for (unsigned int i = 0; i < LIMIT_IMPORT_NOTES + 3; i++)
		strbuf_addf(&text, ", \"k%u\": 1", i);
	strbuf_add(&text, "}");
	policy = import_text("rubik", strbuf_text(&text), &import);
	assert_non_null(policy);
	assert_int_equal(import.notes.count, LIMIT_IMPORT_NOTES);
	assert_int_equal(import.notes.dropped, 3);
	assert_non_null(strstr(policy, "There are 3 remarks more than are told here."));
	assert_null(strstr(policy, "k514:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_import_rubik_everything_each_key_has_its_place),
		cmocka_unit_test(test_import_rubik_empty_sections_have_rubiks_defaults),
		cmocka_unit_test(test_import_rubik_wrong_values_are_refused_with_their_place),
		cmocka_unit_test(test_import_rubik_all_errors_are_told_in_one_run),
		cmocka_unit_test(test_import_rubik_what_rubik_passes_over_is_told),
		cmocka_unit_test(test_import_config_map_places_are_those_of_the_file),
		cmocka_unit_test(test_import_koordinator_strategies_become_keys_and_overrides),
		cmocka_unit_test(test_import_volcano_global_and_nodes),
		cmocka_unit_test(test_import_more_remarks_than_are_told_are_counted),
		cmocka_unit_test(test_import_names_of_the_file_cannot_leave_their_comment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
