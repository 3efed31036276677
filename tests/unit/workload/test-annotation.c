/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "workload/annotation.h"
#include "workload/selector.h"

#define SILENT 99 /* no level was said */

/* "key=value" texts; one that begins with '@' is a label. */
struct annotation_case {
	const char *set[4];
	int level;
	const char *detail, *conflict, *malformed; /* NULL: must be NULL; else must be contained */
};

static const struct annotation_case cases[] = {
	{ { NULL }, SILENT },
	{ { "unrelated/key=batch" }, SILENT },
	{ { "berth/qos=critical" }, 2, "annotation berth/qos=critical" },
	{ { "berth/qos=high" }, 1, "berth/qos=high" },
	{ { "berth/qos=normal" }, 0, "berth/qos=normal" },
	{ { "berth/qos=batch" }, -1, "berth/qos=batch" },
	{ { "berth/qos=scavenger" }, -2, "berth/qos=scavenger" },
	{ { "berth/qos=2" }, 2, "berth/qos=2" },
	{ { "berth/qos=1" }, 1, "berth/qos=1" },
	{ { "berth/qos=0" }, 0, "berth/qos=0" },
	{ { "berth/qos=-1" }, -1, "berth/qos=-1" },
	{ { "berth/qos=-2" }, -2, "berth/qos=-2" },
	/* Only as an annotation. */
	{ { "@berth/qos=batch" }, SILENT },
	{ { "volcano.sh/preemptable=true" }, -1, "annotation volcano.sh/preemptable=true" },
	{ { "volcano.sh/preemptable=false" }, 0, "volcano.sh/preemptable=false" },
	{ { "@volcano.sh/preemptable=true" }, -1, "label volcano.sh/preemptable=true" },
	{ { "@volcano.sh/preemptable=false" }, 0, "label volcano.sh/preemptable=false" },
	{ { "volcano.sh/qos-level=LC" }, 2, "volcano.sh/qos-level=LC" },
	{ { "volcano.sh/qos-level=HLS" }, 2, "volcano.sh/qos-level=HLS" },
	{ { "volcano.sh/qos-level=LS" }, 1, "volcano.sh/qos-level=LS" },
	{ { "volcano.sh/qos-level=BE" }, -1, "volcano.sh/qos-level=BE" },
	{ { "@koordinator.sh/qosClass=LSE" }, 2, "label koordinator.sh/qosClass=LSE" },
	{ { "@koordinator.sh/qosClass=LSR" }, 2, "koordinator.sh/qosClass=LSR" },
	{ { "@koordinator.sh/qosClass=LS" }, 1, "koordinator.sh/qosClass=LS" },
	{ { "@koordinator.sh/qosClass=BE" }, -1, "koordinator.sh/qosClass=BE" },
	{ { "@koordinator.sh/qosClass=SYSTEM" }, 0, "koordinator.sh/qosClass=SYSTEM" },
	{ { "koordinator.sh/qosClass=BE" }, SILENT },
	{ { "katalyst.kubewharf.io/qos_level=dedicated_cores" }, 2, "dedicated_cores" },
	{ { "katalyst.kubewharf.io/qos_level=shared_cores" }, 1, "shared_cores" },
	{ { "katalyst.kubewharf.io/qos_level=reclaimed_cores" }, -1, "reclaimed_cores" },
	{ { "katalyst.kubewharf.io/qos_level=system_cores" }, 0, "system_cores" },
	/* The order, whatever the order in the pod. */
	{ { "volcano.sh/preemptable=true", "berth/qos=high" },
	  1,
	  "berth/qos=high",
	  "volcano.sh/preemptable=true says batch" },
	{ { "@koordinator.sh/qosClass=LS", "volcano.sh/qos-level=BE" },
	  -1,
	  "volcano.sh/qos-level=BE",
	  "label koordinator.sh/qosClass=LS says high" },
	{ { "katalyst.kubewharf.io/qos_level=dedicated_cores", "@koordinator.sh/qosClass=BE" },
	  -1,
	  "koordinator.sh/qosClass=BE",
	  "katalyst.kubewharf.io/qos_level=dedicated_cores says critical" },
	{ { "volcano.sh/preemptable=false", "@volcano.sh/preemptable=true" },
	  0,
	  "annotation volcano.sh/preemptable=false",
	  "label volcano.sh/preemptable=true says batch" },
	/* Two that agree are no conflict; two that do not are both named. */
	{ { "berth/qos=batch", "volcano.sh/preemptable=true", "volcano.sh/qos-level=BE" },
	  -1,
	  "berth/qos=batch" },
	{ { "berth/qos=batch", "volcano.sh/preemptable=false", "volcano.sh/qos-level=LC" },
	  -1,
	  "berth/qos=batch",
	  "volcano.sh/preemptable=false says normal, volcano.sh/qos-level=LC says critical" },
	/* A malformed value says nothing, and the next key is asked. */
	{ { "berth/qos=fast" }, SILENT, NULL, NULL, "berth/qos='fast' is not" },
	{ { "berth/qos=" }, SILENT, NULL, NULL, "berth/qos='' is not" },
	{ { "berth/qos=Batch" }, SILENT, NULL, NULL, "berth/qos='Batch'" },
	{ { "berth/qos=3" }, SILENT, NULL, NULL, "berth/qos='3'" },
	{ { "berth/qos=+1" }, SILENT, NULL, NULL, "berth/qos='+1'" },
	{ { "berth/qos=01" }, SILENT, NULL, NULL, "berth/qos='01'" },
	{ { "berth/qos= batch" }, SILENT, NULL, NULL, "berth/qos=' batch'" },
	{ { "volcano.sh/preemptable=True" }, SILENT, NULL, NULL, "'True' is not \"true\"" },
	{ { "volcano.sh/preemptable=1" }, SILENT, NULL, NULL, "preemptable='1'" },
	{ { "volcano.sh/qos-level=be" }, SILENT, NULL, NULL, "qos-level='be'" },
	{ { "berth/qos=fast", "volcano.sh/preemptable=true" },
	  -1,
	  "volcano.sh/preemptable=true",
	  NULL,
	  "berth/qos='fast'" },
	{ { "volcano.sh/preemptable=yes", "@volcano.sh/preemptable=true" },
	  -1,
	  "label volcano.sh/preemptable=true",
	  NULL,
	  "volcano.sh/preemptable='yes'" },
	{ { "berth/qos=a", "volcano.sh/qos-level=b", "@koordinator.sh/qosClass=LS" },
	  1,
	  "koordinator.sh/qosClass=LS",
	  NULL,
	  "; volcano.sh/qos-level='b'" },
	{ { "berth/qos=a\x1b[2Jb" }, SILENT, NULL, NULL, "berth/qos='a?[2Jb'" },
};

struct pod {
	struct label annotations[4], labels[4];
	size_t annotation_count, label_count;
	char texts[4][64];
};

static void pod_fill(struct pod *pod, const char *const set[4])
{
	*pod = (struct pod){ 0 };
	for (size_t i = 0; i < 4 && set[i]; i++) {
		bool is_label = set[i][0] == '@';
		struct label *label = is_label ? &pod->labels[pod->label_count++]
					       : &pod->annotations[pod->annotation_count++];

		(void)snprintf(pod->texts[i], sizeof(pod->texts[i]), "%s", set[i] + is_label);
		label->key = pod->texts[i];
		label->value = strchr(pod->texts[i], '=');
		*label->value++ = '\0';
	}
}

static void check_text(const char *what, const char *text, const char *wanted, const char *first)
{
	if (!wanted && text)
		fail_msg("%s: %s '%s', expected none", first, what, text);
	if (wanted && (!text || !strstr(text, wanted)))
		fail_msg("%s: %s '%s', expected '%s'", first, what, text ? text : "none", wanted);
}

static void test_annotation_resolve_each_key_gives_its_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct annotation_case *row = &cases[i];
		const char *first = row->set[0] ? row->set[0] : "nothing";
		struct qos_decision decision = { 0 };
		struct pod pod;
		int r;

		pod_fill(&pod, row->set);
		r = annotation_resolve(pod.annotations, pod.annotation_count, pod.labels,
				       pod.label_count, &decision);
		if (r != (row->level != SILENT))
			fail_msg("%s: returned %d", first, r);
		if (r == 1 &&
		    ((int)decision.level != row->level || decision.origin != ORIGIN_ANNOTATION))
			fail_msg("%s: level %d", first, (int)decision.level);
		check_text("detail", decision.detail, row->detail, first);
		check_text("conflict", decision.conflict, row->conflict, first);
		check_text("malformed", decision.malformed, row->malformed, first);
		qos_decision_done(&decision);
	}
}

static void test_annotation_resolve_long_value_is_cut_in_the_message(void **state)
{
	char value[200 * 1024], key[] = "berth/qos";
	struct label label = { key, value };
	struct qos_decision decision = { 0 };

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(annotation_resolve(&label, 1, NULL, 0, &decision), 0);
	assert_true(strlen(decision.malformed) < 200);
	assert_non_null(strstr(decision.malformed, "xxx...'"));
	qos_decision_done(&decision);
}

/* Half a character at the end would make the whole message no text for JSON: its Event is lost. */
static void test_annotation_resolve_long_value_is_cut_between_characters(void **state)
{
	static const struct {
		size_t ahead; /* bytes before it */
		const char *character, *end;
	} rows[] = {
		{ 62, "\xc3\xa9", "x\xc3\xa9...'" },
		{ 63, "\xc3\xa9", "xx...'" },
		{ 61, "\xe2\x82\xac", "x\xe2\x82\xac...'" },
		{ 62, "\xe2\x82\xac", "xx...'" },
		{ 61, "\xf0\x9f\x98\x80", "xx...'" },
		{ 60, "\xf0\x9f\x98\x80", "x\xf0\x9f\x98\x80...'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char value[128], key[] = "berth/qos";
		struct label label = { key, value };
		struct qos_decision decision = { 0 };

		memset(value, 'x', rows[i].ahead);
		(void)snprintf(value + rows[i].ahead, sizeof(value) - rows[i].ahead, "%sxyz",
			       rows[i].character);
		assert_int_equal(annotation_resolve(&label, 1, NULL, 0, &decision), 0);
		if (!strstr(decision.malformed, rows[i].end))
			fail_msg("row %zu: %s", i, decision.malformed);
		qos_decision_done(&decision);
	}
}

static void test_annotation_resolve_flags_are_exact_strings(void **state)
{
	static const struct {
		const char *set[4];
		bool ignore, explain, malformed;
	} rows[] = {
		{ { "berth/ignore=true" }, true, false, false },
		{ { "berth/ignore=false" }, false, false, false },
		{ { "berth/ignore=yes" }, false, false, true },
		{ { "berth/explain=true" }, false, true, false },
		{ { "berth/explain=TRUE" }, false, false, true },
		{ { "berth/ignore=true", "berth/explain=true" }, true, true, false },
		{ { "@berth/ignore=true" }, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct qos_decision decision = { .level = QOS_HIGH };
		struct pod pod;

		pod_fill(&pod, rows[i].set);
		assert_int_equal(annotation_resolve(pod.annotations, pod.annotation_count,
						    pod.labels, pod.label_count, &decision),
				 0);
		assert_int_equal(decision.ignore, rows[i].ignore);
		assert_int_equal(decision.explain, rows[i].explain);
		assert_int_equal(decision.malformed != NULL, rows[i].malformed);
		/* Nothing was said of the level. */
		assert_int_equal(decision.level, QOS_HIGH);
		qos_decision_done(&decision);
	}
}

/* Settings borrow; tests write them as literals. */
#define TEXT(literal) ((char[]){ literal })

static void test_selector_matches_globs_and_labels(void **state)
{
	struct label labels[] = { { TEXT("app"), TEXT("db") }, { TEXT("tier"), TEXT("gold") } };
	struct label wanted_db[] = { { TEXT("app"), TEXT("d*") } };
	struct label wanted_both[] = { { TEXT("app"), TEXT("db") },
				       { TEXT("tier"), TEXT("silver") } };
	struct label wanted_missing[] = { { TEXT("zone"), TEXT("*") } };
	const struct workload_record record = {
		.kind = "pod",
		.namespace = "batch-7",
		.name = "job-x",
		.cgroup = "kubepods.slice/kubepods-burstable.slice/pod1",
		.labels = labels,
		.label_count = 2,
	};
	const struct {
		struct rule_match match;
		bool matches;
	} rows[] = {
		{ { 0 }, true },
		{ { .kind = TEXT("pod") }, true },
		{ { .kind = TEXT("vm") }, false },
		{ { .namespace = TEXT("batch-*") }, true },
		{ { .namespace = TEXT("batch-?") }, true },
		{ { .namespace = TEXT("batch-??") }, false },
		{ { .namespace = TEXT("") }, false },
		{ { .name = TEXT("job-[xyz]") }, true },
		{ { .cgroup = TEXT("kubepods.slice/*") }, true },
		{ { .cgroup = TEXT("kubepods.slice") }, false },
		{ { .kind = TEXT("pod"), .name = TEXT("other") }, false },
		{ { .labels = wanted_db, .label_count = 1 }, true },
		{ { .labels = wanted_both, .label_count = 2 }, false },
		{ { .labels = wanted_missing, .label_count = 1 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (selector_matches(&rows[i].match, &record) != rows[i].matches)
			fail_msg("row %zu", i);
}

static void test_selector_decide_annotation_then_rule_then_default(void **state)
{
	struct rule rules[] = {
		{ .match = { .name = TEXT("left") }, .ignore = true, .file = "b.yaml", .line = 3 },
		{ .match = { .name = TEXT("a*") },
		  .has_qos = true,
		  .qos = QOS_BATCH,
		  .cpu_request_milli = 1500,
		  .memory_request_bytes = 1 << 20,
		  .file = "b.yaml",
		  .line = 12 },
		{ .match = { .name = TEXT("ab") }, .has_qos = true, .qos = QOS_CRITICAL },
	};
	const struct settings settings = { .rules = rules, .rule_count = 3, .default_qos = 3 };
	struct label annotation = { TEXT("berth/qos"), TEXT("scavenger") };
	struct workload_record record = { .kind = "vm", .name = "ab", .cgroup = "x" };
	struct qos_decision decision;

	(void)state;
	assert_ok(selector_decide(&settings, &record, &decision));
	assert_int_equal(decision.level, QOS_BATCH);
	assert_int_equal(decision.origin, ORIGIN_RULE);
	assert_string_equal(decision.detail, "rule b.yaml:12");
	assert_int_equal(decision.cpu_request_milli, 1500);
	assert_int_equal(decision.memory_request_bytes, 1 << 20);
	qos_decision_done(&decision);

	record.annotations = &annotation;
	record.annotation_count = 1;
	assert_ok(selector_decide(&settings, &record, &decision));
	assert_int_equal(decision.level, QOS_SCAVENGER);
	assert_int_equal(decision.origin, ORIGIN_ANNOTATION);
	/* What it asks for is not about the level. */
	assert_int_equal(decision.cpu_request_milli, 1500);
	qos_decision_done(&decision);

	record.annotation_count = 0;
	record.name = "left";
	assert_ok(selector_decide(&settings, &record, &decision));
	assert_int_equal(decision.level, QOS_HIGH);
	assert_int_equal(decision.origin, ORIGIN_DEFAULT);
	assert_string_equal(decision.detail, "default_qos high");
	assert_true(decision.ignore);
	qos_decision_done(&decision);

	record.name = "nobody";
	assert_ok(selector_decide(&settings, &record, &decision));
	assert_int_equal(decision.origin, ORIGIN_DEFAULT);
	assert_false(decision.ignore);
	qos_decision_done(&decision);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotation_resolve_each_key_gives_its_level),
		cmocka_unit_test(test_annotation_resolve_long_value_is_cut_in_the_message),
		cmocka_unit_test(test_annotation_resolve_long_value_is_cut_between_characters),
		cmocka_unit_test(test_annotation_resolve_flags_are_exact_strings),
		cmocka_unit_test(test_selector_matches_globs_and_labels),
		cmocka_unit_test(test_selector_decide_annotation_then_rule_then_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
