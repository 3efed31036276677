/* SPDX-License-Identifier: Apache-2.0 */
/* test-ctl-explain.c - "why is this pod slow" in words and numbers. */
#include "berth-test.h"
#include "explain/page.h"
#include "macro.h"

#define SECOND 1000000

/* An answer at a second: `causes` are pairs of a key and percent of the time since 0. */
struct cause {
	const char *key;
	unsigned int percent;
	double averages[3];
};

static json_t *answer_at(unsigned int second, const struct cause *causes, size_t count)
{
	json_t *averages = json_object(), *sample, *answer;

	sample = json_pack("{s:i,s:i}", "time_usec", (int)(second * SECOND), "memory_bytes",
			   37 << 20);
	assert_non_null(sample);
	for (size_t i = 0; i < count; i++) {
		const struct cause *cause = &causes[i];
		json_int_t total = (json_int_t)second * SECOND / 100 * cause->percent;

		assert_ok(json_object_set_new(sample, cause->key, json_integer(total)));
		assert_ok(json_object_set_new(averages, cause->key,
					      json_pack("[f,f,f]", cause->averages[0],
							cause->averages[1], cause->averages[2])));
	}
	assert_ok(json_object_set_new(sample, "averages", averages));
	assert_ok(json_object_set_new(sample, "averaged", json_true()));
	answer = json_pack("{s:{s:s,s:s,s:s,s:s,s:i},s:[{s:s,s:s,s:s},{s:s,s:s,s:s}],s:o}",
			   "workload", "kind", "pod", "namespace", "shop", "name", "web", "qos",
			   "high", "memory_limit_bytes", 40 << 20, "knobs", "file", "cpu.shares",
			   "status", "written", "written", "100", "file", "memory.high", "status",
			   "pending", "written", "", "sample", sample);
	assert_non_null(answer);
	return answer;
}

static void number_set(json_t *answer, const char *key, json_int_t number)
{
	assert_ok(
		json_object_set_new(json_object_get(answer, "sample"), key, json_integer(number)));
}

static const char *pressure_page(const json_t *before, const json_t *now, struct strbuf *page)
{
	const struct screen screen = { .width = 80 };

	strbuf_clear(page);
	assert_ok(explain_pressure(before, now, &screen, page));
	return strbuf_text(page);
}

static const struct cause slow[] = {
	{ "pressure_cpu_some_usec", 5, { 4, 3, 2 } },
	{ "cause_cpu_cfs_bandwidth_full_usec", 30, { 34, 20, 10 } },
	{ "pressure_memory_some_usec", 50, { 52, 40, 30 } },
	{ "pressure_memory_full_usec", 20, { 21, 20, 10 } },
	{ "cause_swap_some_usec", 10, { 12, 10, 8 } },
	{ "cause_cgroup_memory_reclaim_some_usec", 40, { 40, 30, 22 } },
	{ "cause_compact_some_usec", 0, { 0, 0, 0 } },
};

static void test_explain_pressure_reasons_the_largest_first_and_what_berth_holds(void **state)
{
	struct strbuf page cleanup_strbuf = {};
	json_t *now = answer_at(100, slow, ARRAY_SIZE(slow));
	const char *text;

	(void)state;
	number_set(now, "cpu_periods", 200);
	number_set(now, "cpu_throttled_periods", 120);
	number_set(now, "memory_event_oom_kill", 2);
	text = pressure_page(NULL, now, &page);
	assert_non_null(strstr(
		text,
		"Uses         memory 37M of 40M\n"
		"Killed       2 of its processes by the OOM killer since its group was made\n"
		"Pressure     waits for its own memory limit: cgroup_memory_reclaim 40% of the\n"
		"             last 10s\n"
		"             waits for its own CPU limit: cpu_cfs_bandwidth 34% of the last 10s;\n"
		"             120 of 200 periods throttled since its start\n"
		"             waits for pages that were swapped out: swap 12% of the last 10s\n"
		"             waits for a CPU that others use: cpu 4% of the last 10s\n"
		"             this host does not tell how long it waited for: its disks\n"
		"Berth holds  cpu.shares=100\n"));
	/* Its causes stand for memory as a whole; the resource that waits most is first. */
	assert_null(strstr(text, "waits for memory:"));
	assert_non_null(strstr(text, "memory                      -    52    40     30    21"));
	assert_true(strstr(text, "\nmemory ") < strstr(text, "\n  cgroup_memory_reclaim"));
	assert_true(strstr(text, "\n  cgroup_memory_reclaim") < strstr(text, "\n  swap"));
	assert_true(strstr(text, "\n  swap") < strstr(text, "\ncpu "));
	assert_true(strstr(text, "\ncpu ") < strstr(text, "\n  cpu_cfs_bandwidth"));
	assert_null(strstr(text, "compact"));
	json_decref(now);
}

/* Who reads of a limit of its own goes and raises a limit that is not the cause. */
static void test_explain_pressure_a_limit_of_ours_is_called_ours(void **state)
{
	struct strbuf page cleanup_strbuf = {};
	json_t *now = answer_at(100, slow, ARRAY_SIZE(slow)), *knob;
	const char *text;

	(void)state;
	knob = json_pack("{s:s,s:s,s:[{s:s,s:b},{s:s,s:b}]}", "knob", "cpu.quota", "status",
			 "written", "claims", "owner", "a", "effective", 0, "owner",
			 "colocation/suppress", "effective", 1);
	assert_ok(json_array_append_new(json_object_get(now, "knobs"), knob));
	text = pressure_page(NULL, now, &page);
	assert_non_null(strstr(text, "waits for the CPU limit that colocation/suppress set:\n"
				     "             cpu_cfs_bandwidth 34% of the last 10s\n"));
	assert_non_null(strstr(text, "waits for its own memory limit: "));
	assert_ok(json_object_set_new(knob, "status", json_string("dry-run")));
	assert_non_null(strstr(pressure_page(NULL, now, &page), "waits for its own CPU limit: "));
	json_decref(now);
}

static void test_explain_pressure_two_looks_tell_how_it_is_now(void **state)
{
	struct strbuf page cleanup_strbuf = {};
	json_t *before = answer_at(10, slow, ARRAY_SIZE(slow));
	json_t *now = answer_at(11, slow, ARRAY_SIZE(slow));
	const char *text;

	(void)state;
	assert_ok(json_object_set_new(json_object_get(before, "sample"), "averaged", json_false()));
	number_set(before, "cpu_periods", 200);
	number_set(before, "cpu_throttled_periods", 120);
	number_set(now, "cpu_periods", 210);
	number_set(now, "cpu_throttled_periods", 127);
	text = pressure_page(before, now, &page);
	assert_non_null(strstr(text, "cpu_cfs_bandwidth 30% of the last 1s;\n             7 of 10 "
				     "periods throttled\n"));
	/* A first pass has no averages, whatever it says. */
	assert_non_null(strstr(text, "memory                     50     -     -      -    20"));
	json_decref(before);
	json_decref(now);
}

static void test_explain_pressure_totals_alone_are_told_as_such(void **state)
{
	struct strbuf page cleanup_strbuf = {};
	json_t *now = answer_at(100, slow, ARRAY_SIZE(slow));

	(void)state;
	assert_ok(json_object_set_new(json_object_get(now, "sample"), "averaged", json_false()));
	assert_true(explain_wants_more(now));
	assert_non_null(strstr(pressure_page(NULL, now, &page), "swap 10 s in all"));
	json_decref(now);
}

static void test_explain_pressure_calm_untold_and_throttled_without_causes(void **state)
{
	static const struct cause calm[] = {
		{ "pressure_io_some_usec", 0, { 0.2, 0, 0 } },
		{ "pressure_cpu_some_usec", 0, { 0, 0, 0 } },
		{ "cause_swap_some_usec", 0, { 0, 0, 0 } },
	};
	struct strbuf page cleanup_strbuf = {};
	json_t *now = answer_at(100, calm, ARRAY_SIZE(calm));

	(void)state;
	number_set(now, "memory_event_oom_kill", 0);
	assert_non_null(strstr(pressure_page(NULL, now, &page), "none: it waited for nothing"));
	assert_null(strstr(strbuf_text(&page), "Killed"));
	json_decref(now);

	/* cgroup v1: of the CPU only throttling, of the disks nothing. That is not calm. */
	now = answer_at(100, &calm[2], 1);
	number_set(now, "cause_cpu_cfs_bandwidth_full_usec", 0);
	assert_non_null(strstr(
		pressure_page(NULL, now, &page),
		"Pressure     none of what this host tells; it does not tell how long it waited\n"
		"             for: a CPU that others use, its disks\n"));
	json_decref(now);

	/* cgroup v1 without openEuler's files or BPF. */
	now = answer_at(100, NULL, 0);
	assert_false(explain_wants_more(now));
	assert_non_null(strstr(pressure_page(NULL, now, &page), "this host does not tell"));
	number_set(now, "cpu_periods", 200);
	number_set(now, "cpu_throttled_periods", 0);
	assert_non_null(strstr(pressure_page(NULL, now, &page),
			       "0 of 200 periods\n             throttled since its start"));
	number_set(now, "cpu_throttled_periods", 120);
	assert_true(explain_wants_more(now));
	assert_non_null(strstr(pressure_page(NULL, now, &page),
			       "waits for its own CPU limit: 120 of 200 periods throttled"));
	json_decref(now);

	/* A berthd that is older than this berthctl. */
	now = json_object();
	assert_string_equal(pressure_page(NULL, now, &page), "");
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_explain_pressure_reasons_the_largest_first_and_what_berth_holds),
		cmocka_unit_test(test_explain_pressure_a_limit_of_ours_is_called_ours),
		cmocka_unit_test(test_explain_pressure_two_looks_tell_how_it_is_now),
		cmocka_unit_test(test_explain_pressure_totals_alone_are_told_as_such),
		cmocka_unit_test(test_explain_pressure_calm_untold_and_throttled_without_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
