/* SPDX-License-Identifier: Apache-2.0 */
/* test-ctl-top.c - what `berthctl top` makes of two answers and of keys, without a terminal. */
#include <math.h>

#include "berth-plugin.h"
#include "berth-test.h"
#include "macro.h"
#include "top/keys.h"
#include "top/page.h"

#define SECOND 1000000

/* Of one workload at a second: what grows by the second grows by `percent` of it. */
static json_t *workload_at(unsigned int second, unsigned int id, const char *kind,
			   const char *namespace, const char *name, const char *qos)
{
	json_t *item =
		json_pack("{s:i,s:s,s:s,s:s,s:s,s:i}", "id", (int)id, "kind", kind, "namespace",
			  namespace, "name", name, "qos", qos, "time_usec", (int)(second * SECOND));

	assert_non_null(item);
	return item;
}

static void number_set(json_t *item, const char *key, json_int_t number)
{
	assert_ok(json_object_set_new(item, key, json_integer(number)));
}

/* A counter that grows by `percent` of the time. */
static void share_set(json_t *item, const char *key, unsigned int second, unsigned int percent)
{
	number_set(item, key, (json_int_t)second * SECOND / 100 * percent);
}

/* "shop/web" waits for its CPU limit and swap, "job" uses two CPUs and reads; its pod's container
 * is like it. "vm-1" tells nothing but its memory. */
static json_t *answer_at(unsigned int second)
{
	json_t *answer, *list = json_array(), *web, *job, *part, *machine, *devices;

	web = workload_at(second, 1, "pod", "shop", "web", "high");
	share_set(web, "cpu_usage_usec", second, 25);
	number_set(web, "memory_bytes", 2 << 20);
	number_set(web, "cpu_periods", second * 10);
	number_set(web, "cpu_throttled_periods", second * 6);
	share_set(web, "cause_cpu_cfs_bandwidth_full_usec", second, 34);
	share_set(web, "cause_swap_some_usec", second, 12);
	share_set(web, "cause_compact_some_usec", second, 0);
	share_set(web, "pressure_io_some_usec", second, 1);
	number_set(web, "memory_refault_file", second * 1500);
	number_set(web, "memory_refault_anon", second * 500);
	number_set(web, "memory_event_oom_kill", 3);
	assert_ok(json_object_set_new(web, "written",
				      json_pack("[s,s]", "cpu.shares=100", "memory.low=1")));
	assert_ok(json_object_set_new(
		web, "events", json_pack("{s:i,s:s}", "count", 4, "last", "reclaim 64Mi: done")));

	job = workload_at(second, 2, "pod", "", "job", "batch");
	share_set(job, "cpu_usage_usec", second, 200);
	number_set(job, "memory_bytes", 1 << 20);
	share_set(job, "pressure_memory_some_usec", second, 3);
	devices = json_pack("[{s:s,s:i,s:i},{s:s,s:i,s:i}]", "name", "sda", "read_bytes",
			    (int)second * (1 << 20), "reads", (int)second * 7, "name", "sdb",
			    "read_bytes", (int)second * (3 << 20), "reads", (int)second);
	assert_ok(json_object_set_new(job, "devices", devices));
	part = workload_at(second, 3, "container", "", "job/main", "batch");
	share_set(part, "cpu_usage_usec", second, 200);
	machine = workload_at(second, 4, "vm", "", "vm-1", "normal");
	number_set(machine, "memory_bytes", 3 << 20);

	assert_ok(json_array_append_new(list, web));
	assert_ok(json_array_append_new(list, job));
	assert_ok(json_array_append_new(list, part));
	assert_ok(json_array_append_new(list, machine));
	answer = json_pack("{s:{s:i,s:i,s:i,s:I,s:I},s:o}", "node", "cpus", 2, "cpu_total_usec",
			   (int)second * 2 * SECOND, "cpu_busy_usec", (int)second * SECOND / 2,
			   "memory_total_bytes", (json_int_t)4 << 30, "memory_available_bytes",
			   (json_int_t)1 << 30, "workloads", list);
	assert_non_null(answer);
	return answer;
}

struct rig {
	json_t *before, *now;
	struct top_looks looks;
	struct top_state state;
	struct top_list list;
	struct strbuf page;
};

static int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->before = answer_at(10);
	rig->now = answer_at(12);
	rig->looks = (struct top_looks){ rig->before, rig->now, "" };
	rig->state = (struct top_state){ .level = TOP_LEVEL_ALL, .visible = 10 };
	*state = rig;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *rig = *state;

	top_list_done(&rig->list);
	strbuf_done(&rig->page);
	json_decref(rig->before);
	json_decref(rig->now);
	free(rig);
	return 0;
}

static void list_again(struct rig *rig)
{
	top_list_done(&rig->list);
	assert_ok(top_list_make(rig->looks.before, rig->looks.now, &rig->state, &rig->list));
}

static const char *plain(struct rig *rig, unsigned int width)
{
	const struct screen screen = { .width = width };

	list_again(rig);
	strbuf_clear(&rig->page);
	assert_ok(top_plain(&rig->looks, &rig->list, &rig->state, &screen, &rig->page));
	return strbuf_text(&rig->page);
}

static const char *screen_of(struct rig *rig, unsigned int width, size_t height)
{
	const struct screen screen = { .width = width };

	list_again(rig);
	strbuf_clear(&rig->page);
	assert_ok(top_screen(&rig->looks, &rig->list, &rig->state, &screen, height, &rig->page));
	return strbuf_text(&rig->page);
}

/* The words of the row that begins with this name, one blank apart. */
static const char *row_of(const char *page, const char *name, char *text, size_t size)
{
	const char *at = strstr(page, name);
	size_t length = 0;

	assert_non_null(at);
	for (; *at && *at != '\n' && length + 1 < size; at++)
		if (*at != ' ' || (length && text[length - 1] != ' '))
			text[length++] = *at;
	text[length] = '\0';
	return text;
}

static void assert_order(struct rig *rig, const char *ids)
{
	char order[16] = "";

	list_again(rig);
	assert_in_range(rig->list.count, 0, sizeof(order) - 1);
	for (size_t i = 0; i < rig->list.count; i++)
		order[i] = (char)('0' + rig->list.rows[i].id);
	assert_string_equal(order, ids);
}

static void test_top_plain_overview_rates_and_what_is_not_told(void **state)
{
	struct rig *rig = *state;
	const char *page = plain(rig, 80);
	char row[128];

	assert_non_null(strstr(page, "2 CPUs 25% busy, memory 3.0G of 4.0G, 4 workloads\n"));
	assert_string_equal(row_of(page, "job", row, sizeof(row)), "job batch 200 1.0M - 3.0 - -");
	/* The causes stand in for the memory pressure that this kernel does not tell. */
	assert_string_equal(row_of(page, "shop/web", row, sizeof(row)),
			    "shop/web high 25 2.0M - 12 1.0 60");
	assert_string_equal(row_of(page, "vm-1", row, sizeof(row)), "vm-1 normal - 3.0M - - - -");
	assert_null(strstr(page, "job/main"));
	assert_non_null(strstr(plain(rig, 120), "cpu.shares=100 memory.low=1"));

	/* One look: what is not known yet is not shown as 0. */
	rig->looks.before = NULL;
	page = plain(rig, 80);
	assert_null(strstr(page, "busy"));
	assert_string_equal(row_of(page, "job", row, sizeof(row)), "job batch - 1.0M - - - -");
}

static void test_top_plain_each_view_has_its_numbers(void **state)
{
	static const struct {
		enum top_view view;
		const char *name, *row;
	} cases[] = {
		{ VIEW_PRESSURE, "shop/web", "shop/web high - - 0 - 12 - 34 -" },
		{ VIEW_PRESSURE, "job", "job batch - - - - - - - -" },
		{ VIEW_MEMORY, "shop/web", "shop/web 2.0M - - - - 2.0k - 3" },
		{ VIEW_IO, "job", "job batch 4.0M 0 8 0 -" },
		{ VIEW_IO, "shop/web", "shop/web high - - - - 1.0" },
		{ VIEW_BERTH, "shop/web",
		  "shop/web cpu.shares=100 memory.low=1 4 reclaim 64Mi: done" },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char row[128];

		rig->state.view = cases[i].view;
		assert_string_equal(row_of(plain(rig, 80), cases[i].name, row, sizeof(row)),
				    cases[i].row);
	}
}

static void test_top_list_each_order_unknown_last(void **state)
{
	static const struct {
		const char *word, *order, *reversed;
	} cases[] = {
		{ "cpu", "214", "124" },      { "memory", "412", "214" },
		{ "p", "124", "214" },        { "io-pressure", "124", "124" },
		{ "pressure", "124", "214" }, { "throttling", "124", "124" },
		{ "n", "214", "412" },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_ok(top_sort_parse(cases[i].word, &rig->state.sort));
		rig->state.reversed = false;
		assert_order(rig, cases[i].order);
		rig->state.reversed = true;
		assert_order(rig, cases[i].reversed);
	}
	assert_errno(top_sort_parse("", &rig->state.sort), EINVAL);
	assert_errno(top_sort_parse("cpus", &rig->state.sort), EINVAL);
}

static void test_top_list_filter_level_and_containers(void **state)
{
	struct rig *rig = *state;

	(void)snprintf(rig->state.filter, sizeof(rig->state.filter), "P/W");
	assert_order(rig, "1");
	rig->state.filter[0] = '\0';
	rig->state.containers = true;
	assert_order(rig, "2314");
	rig->state.level = QOS_BATCH;
	assert_order(rig, "23");
	assert_int_equal(rig->list.total, 4);
}

/* berthd began anew: the number is another's now, and its counters are none of ours. */
static void test_top_list_an_id_of_another_name_has_no_rates(void **state)
{
	struct rig *rig = *state;
	json_t *first = json_array_get(json_object_get(rig->before, "workloads"), 1);

	assert_ok(json_object_set_new(first, "name", json_string("other")));
	list_again(rig);
	assert_int_equal(rig->list.rows[0].id, 1);
	for (size_t i = 0; i < rig->list.count; i++)
		if (rig->list.rows[i].id == 2)
			assert_true(isnan(rig->list.rows[i].order));
}

static void test_look_a_counter_that_went_back_is_not_known(void **state)
{
	json_t *before = json_pack("{s:i,s:i}", "time_usec", SECOND, "cpu_usage_usec", 500);
	json_t *now = json_pack("{s:i,s:i}", "time_usec", 2 * SECOND, "cpu_usage_usec", 499);
	struct look look;

	(void)state;
	look_init(&look, before, now);
	assert_true(isnan(look_percent(&look, "cpu_usage_usec")));
	assert_true(isnan(look_percent(&look, "no such key")));
	json_decref(before);
	json_decref(now);
}

static size_t width_of(const char *line, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)line[i] & 0xc0) != 0x80;
	return width;
}

static void assert_fits(const char *page, unsigned int width, size_t height)
{
	size_t lines = 0;

	for (const char *at = page, *end; (end = strchr(at, '\n')); at = end + 1) {
		/* The mark of the selected row takes no place. */
		size_t marks = strncmp(at, "\033[7m", 4) == 0 ? 8 : 0;

		assert_in_range(width_of(at, (size_t)(end - at)) - marks, 0, width);
		lines++;
	}
	assert_int_equal(lines, height);
}

static void test_top_screen_any_size_and_view_fits(void **state)
{
	static const struct {
		unsigned int width;
		size_t height;
	} sizes[] = { { 80, 24 }, { 80, 4 }, { 100, 30 }, { 132, 50 }, { 240, 60 } };
	json_t *list;
	struct rig *rig = *state;

	list = json_object_get(rig->now, "workloads");
	for (unsigned int id = 10; id < 200; id++)
		assert_ok(json_array_append_new(
			list, workload_at(12, id, "pod", "a-namespace-of-some-length",
					  "a-name-that-is-as-long-as-a-deployment-makes-it-7d4b9",
					  "scavenger")));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (enum top_view view = 0; view < TOP_VIEWS; view++) {
			rig->state.view = view;
			rig->state.selected = 199;
			assert_fits(screen_of(rig, sizes[i].width, sizes[i].height), sizes[i].width,
				    sizes[i].height);
			/* It is seen, whatever is above it. */
			assert_non_null(strstr(strbuf_text(&rig->page), "\033[7m"));
		}
}

static void test_top_help_and_scrolled_fit_80_by_24(void **state)
{
	const struct screen screen = { .width = 80 };
	struct strbuf help cleanup_strbuf = {};
	struct rig *rig = *state;

	assert_ok(top_help(&screen, &help));
	assert_ok(top_scrolled(&rig->looks, &help, &rig->state, &screen, 24, &rig->page));
	assert_fits(strbuf_text(&rig->page), 80, 24);
	/* All of it on one screen, nothing cut. */
	assert_non_null(strstr(strbuf_text(&rig->page), strbuf_text(&help)));
	assert_null(strstr(strbuf_text(&rig->page), "~"));

	strbuf_clear(&rig->page);
	rig->state.scroll = 1000;
	assert_ok(top_scrolled(&rig->looks, &help, &rig->state, &screen, 10, &rig->page));
	assert_fits(strbuf_text(&rig->page), 80, 10);
	assert_non_null(strstr(strbuf_text(&rig->page), "REFLT"));
}

static void test_top_screen_trouble_and_typing_are_told(void **state)
{
	struct rig *rig = *state;

	rig->looks.trouble = "Trying again: cannot connect";
	assert_non_null(strstr(screen_of(rig, 80, 24), "Trying again: cannot connect\n"));
	rig->state.typing = true;
	(void)snprintf(rig->state.filter, sizeof(rig->state.filter), "nobody");
	assert_non_null(strstr(screen_of(rig, 80, 24), "/nobody_"));
	assert_non_null(strstr(strbuf_text(&rig->page), "No workload fits"));
}

static void test_top_key_read_bytes_to_keys(void **state)
{
	static const struct {
		const char *bytes;
		bool final;
		size_t taken;
		int key;
	} cases[] = {
		{ "q", false, 1, 'q' },
		{ "\xc3\xa9", false, 1, 0xc3 },
		{ "\033", false, 0, KEY_ESCAPE },
		{ "\033", true, 1, KEY_ESCAPE },
		{ "\033q", false, 1, KEY_ESCAPE },
		{ "\033[A", false, 3, KEY_UP },
		{ "\033OB", false, 3, KEY_DOWN },
		{ "\033[", false, 0, KEY_NONE },
		{ "\033[", true, 2, KEY_NONE },
		{ "\033[5", false, 0, KEY_NONE },
		{ "\033[5~x", false, 4, KEY_PAGE_UP },
		{ "\033[Z", false, 3, KEY_BACK_TAB },
		{ "\033[1;5C", false, 6, KEY_NONE },
		{ "\033[200~", false, 6, KEY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t count = strlen(cases[i].bytes);
		int key = -1;

		assert_int_equal(top_key_read(cases[i].bytes, count, cases[i].final, &key),
				 cases[i].taken);
		if (cases[i].taken)
			assert_int_equal(key, cases[i].key);
	}
}

static enum top_effect press(struct rig *rig, int key)
{
	enum top_effect effect = top_key_do(&rig->state, key, &rig->list);

	list_again(rig);
	return effect;
}

static void type(struct rig *rig, const char *text)
{
	for (; *text; text++)
		assert_int_equal(press(rig, (unsigned char)*text), TOP_DRAW);
}

static void test_top_key_do_filter_is_typed_corrected_and_cleared(void **state)
{
	struct rig *rig = *state;

	list_again(rig);
	type(rig, "/wxq");
	assert_true(rig->state.typing);
	assert_int_equal(rig->list.count, 0);
	type(rig, "\177\177eb");
	assert_string_equal(rig->state.filter, "web");
	type(rig, "\r");
	assert_false(rig->state.typing);
	assert_int_equal(rig->list.count, 1);
	type(rig, "\033");
	assert_string_equal(rig->state.filter, "");
	assert_int_equal(rig->list.count, 3);

	/* A character of two bytes goes as one; more than there is place for is dropped. */
	type(rig, "/\xc3\xa9\177");
	assert_string_equal(rig->state.filter, "");
	for (unsigned int i = 0; i < 2 * TOP_FILTER_MAX; i++)
		type(rig, "x");
	assert_int_equal(strlen(rig->state.filter), TOP_FILTER_MAX - 1);
	type(rig, "\025");
	assert_string_equal(rig->state.filter, "");
}

static void test_top_key_do_selection_stays_on_its_workload(void **state)
{
	struct rig *rig = *state;

	list_again(rig);
	assert_int_equal(press(rig, KEY_DOWN), TOP_DRAW);
	assert_int_equal(rig->state.selected, 2);
	(void)press(rig, KEY_DOWN);
	assert_int_equal(rig->state.selected, 1);
	/* Sorted otherwise, it is the same workload. */
	(void)press(rig, 'm');
	assert_int_equal(top_list_selected(&rig->list, &rig->state), 1);
	(void)press(rig, KEY_END);
	assert_int_equal(rig->state.selected, 2);
	(void)press(rig, KEY_DOWN);
	assert_int_equal(rig->state.selected, 2);
	(void)press(rig, KEY_HOME);
	assert_int_equal(rig->state.selected, 4);
	/* Keys that mean nothing select nothing. */
	rig->state.selected = 0;
	(void)press(rig, 'z');
	(void)press(rig, KEY_NONE);
	assert_int_equal(rig->state.selected, 0);
}

static void test_top_key_do_detail_help_and_back(void **state)
{
	struct rig *rig = *state;

	list_again(rig);
	assert_int_equal(press(rig, '\n'), TOP_LOOK);
	assert_int_equal(rig->state.show, SHOW_DETAIL);
	assert_int_equal(rig->state.detail, 2);
	assert_int_equal(press(rig, '?'), TOP_DRAW);
	assert_int_equal(rig->state.show, SHOW_HELP);
	(void)press(rig, 'x');
	assert_int_equal(rig->state.show, SHOW_DETAIL);
	(void)press(rig, KEY_ESCAPE);
	assert_int_equal(rig->state.show, SHOW_TABLE);
	assert_int_equal(rig->state.detail, 0);
	assert_int_equal(rig->state.selected, 2);
	assert_int_equal(press(rig, 'q'), TOP_QUIT);
}

static void test_top_key_do_views_levels_and_switches(void **state)
{
	struct rig *rig = *state;

	list_again(rig);
	(void)press(rig, '3');
	assert_int_equal(rig->state.view, VIEW_MEMORY);
	(void)press(rig, '\t');
	(void)press(rig, '\t');
	(void)press(rig, '\t');
	assert_int_equal(rig->state.view, VIEW_OVERVIEW);
	(void)press(rig, KEY_BACK_TAB);
	assert_int_equal(rig->state.view, VIEW_BERTH);
	for (int level = QOS_CRITICAL; level >= QOS_SCAVENGER; level--) {
		(void)press(rig, 'l');
		assert_int_equal(rig->state.level, level);
	}
	(void)press(rig, 'l');
	assert_int_equal(rig->state.level, TOP_LEVEL_ALL);
	(void)press(rig, 'C');
	(void)press(rig, 'r');
	assert_true(rig->state.containers && rig->state.reversed);
	assert_int_equal(rig->list.count, 4);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_top_plain_overview_rates_and_what_is_not_told),
		RIG_TEST(test_top_plain_each_view_has_its_numbers),
		RIG_TEST(test_top_list_each_order_unknown_last),
		RIG_TEST(test_top_list_filter_level_and_containers),
		RIG_TEST(test_top_list_an_id_of_another_name_has_no_rates),
		cmocka_unit_test(test_look_a_counter_that_went_back_is_not_known),
		RIG_TEST(test_top_screen_any_size_and_view_fits),
		RIG_TEST(test_top_help_and_scrolled_fit_80_by_24),
		RIG_TEST(test_top_screen_trouble_and_typing_are_told),
		cmocka_unit_test(test_top_key_read_bytes_to_keys),
		RIG_TEST(test_top_key_do_filter_is_typed_corrected_and_cleared),
		RIG_TEST(test_top_key_do_selection_stays_on_its_workload),
		RIG_TEST(test_top_key_do_detail_help_and_back),
		RIG_TEST(test_top_key_do_views_levels_and_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
