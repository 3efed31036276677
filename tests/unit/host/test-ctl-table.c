/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "client.h"
#include "format.h"
#include "macro.h"
#include "table.h"
#include "top-page.h"

static const struct table_column columns[] = {
	{ "NAME", FIT_CUT, false },
	{ "N", FIT_FIXED, true },
	{ "PATH", FIT_CUT_FRONT, false },
	{ "WHY", FIT_WRAP, false },
};

static void row_add(struct table *table, const char *name, unsigned int number, const char *path,
		    const char *why)
{
	table_add(table, STYLE_NONE, "%s", name);
	table_add(table, STYLE_NONE, "%u", number);
	table_add(table, STYLE_NONE, "%s", path);
	table_add(table, STYLE_NONE, "%s", why);
}

static size_t columns_of(const char *line)
{
	size_t width = 0;

	for (; *line; line++)
		width += ((unsigned char)*line & 0xc0) != 0x80;
	return width;
}

static void test_table_render_wide_screen_aligned(void **state)
{
	const struct screen screen = { .width = 80 };
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};

	(void)state;
	table_init(&table, columns, ARRAY_SIZE(columns));
	row_add(&table, "web", 7, "a/b", "because");
	row_add(&table, "database", 1234, "c", "");
	assert_ok(table_render(&table, &screen, &page));
	assert_string_equal(strbuf_text(&page), "NAME         N  PATH  WHY\n"
						"web          7  a/b   because\n"
						"database  1234  c\n");
}

static void test_table_render_no_rows_prints_nothing(void **state)
{
	const struct screen screen = { .width = 80 };
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};

	(void)state;
	table_init(&table, columns, ARRAY_SIZE(columns));
	assert_ok(table_render(&table, &screen, &page));
	assert_string_equal(strbuf_text(&page), "");
}

static void test_table_render_narrow_screen_cuts_and_wraps(void **state)
{
	static const unsigned int widths[] = { 50, 60, 80, 100 };
	struct table table cleanup_table = {};

	(void)state;
	table_init(&table, columns, ARRAY_SIZE(columns));
	row_add(&table, "a-name-that-goes-on-for-longer-than-anybody-likes", 1,
		"kubepods.slice/kubepods-besteffort.slice/kubepods-pod1234.slice/job-1.scope",
		"a reason of many words that is worth to be read in whole and not to be cut");
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		const struct screen screen = { .width = widths[i], .utf8 = i % 2 };
		struct strbuf page cleanup_strbuf = {};
		char *rest, *line;

		assert_ok(table_render(&table, &screen, &page));
		assert_non_null(strstr(strbuf_text(&page), screen.utf8 ? "\u2026" : "~"));
		/* The end of a path tells jobs apart; the last word of a reason is there. */
		assert_non_null(strstr(strbuf_text(&page), "scope"));
		assert_non_null(strstr(strbuf_text(&page), "cut"));
		rest = page.text;
		while ((line = strsep(&rest, "\n")))
			assert_in_range(columns_of(line), 0, widths[i]);
	}
}

static void test_table_render_width_zero_cuts_nothing(void **state)
{
	const struct screen screen = { .width = 0 };
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	char name[301];

	(void)state;
	(void)memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	table_init(&table, columns, ARRAY_SIZE(columns));
	row_add(&table, name, 1, name, name);
	assert_ok(table_render(&table, &screen, &page));
	assert_int_equal(strlen(strbuf_text(&page)),
			 /* titles; three names and "1" with gaps */
			 (300 + 2 + 1 + 2 + 300 + 2 + 3 + 1) + (3 * 300 + 1 + 3 * 2 + 1));
}

static void test_table_add_hostile_text_never_reaches_terminal(void **state)
{
	static const struct {
		const char *text, *safe;
		size_t width;
	} cases[] = {
		{ "\033[2Jx", "?[2Jx", 5 },
		{ "a\nb\tc\177", "a?b?c?", 6 },
		{ "\xc2\x9b"
		  "31m",
		  "??31m", 5 },
		{ "\xff\xfe", "??", 2 },
		{ "caf\xc3\xa9", "caf\xc3\xa9", 4 },
		{ "cut\xc3", "cut?", 4 },
		{ "\xe2\x82", "??", 2 },
		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(text_sanitize(text), cases[i].width);
		assert_string_equal(text, cases[i].safe);
	}
}

static void test_style_add_colour_only_when_wanted(void **state)
{
	const struct screen plain = {}, colour = { .color = true };
	struct strbuf page cleanup_strbuf = {};

	(void)state;
	style_add(&page, &plain, STYLE_BAD, "down");
	assert_string_equal(strbuf_text(&page), "down");
	style_add(&page, &colour, STYLE_NONE, ".");
	style_add(&page, &colour, STYLE_BAD, "down");
	assert_string_equal(strbuf_text(&page), "down.\033[31mdown\033[0m");
}

static void test_format_bytes_any_size_five_columns(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 999, "999" },
		{ 1000, "1.0K" },
		{ 1024, "1.0K" },
		{ 1536, "1.5K" },
		{ 10 * 1024, "10K" },
		{ 1023 * 1024, "1.0M" },
		{ 3ULL << 30, "3.0G" },
		{ UINT64_MAX, "16E" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[16];

		assert_string_equal(format_bytes(cases[i].bytes, text, sizeof(text)),
				    cases[i].text);
	}
}

static void test_format_usec_any_length_two_units(void **state)
{
	static const struct {
		uint64_t usec;
		const char *text;
	} cases[] = {
		{ 999, "999 us" },
		{ 1000, "1 ms" },
		{ 59 * USEC_PER_SEC, "59 s" },
		{ 61 * USEC_PER_SEC, "1 min 1 s" },
		{ 3600 * USEC_PER_SEC, "1 h 0 min" },
		{ 90000 * USEC_PER_SEC, "1 d 1 h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[32];

		assert_string_equal(format_usec(cases[i].usec, text, sizeof(text)), cases[i].text);
	}
}

static json_t *top_answer(unsigned int second, unsigned int cpu_a, unsigned int cpu_b)
{
	json_t *answer = json_pack(
		"{s:{s:i,s:i,s:i,s:I,s:I}, s:[{s:i,s:s,s:s,s:s,s:i,s:i,s:i},"
		"{s:i,s:s,s:s,s:s,s:i,s:i,s:i}]}",
		"node", "cpus", 2, "cpu_total_usec", (int)second * 2000000, "cpu_busy_usec",
		(int)second * 500000, "memory_total_bytes", (json_int_t)4 << 30,
		"memory_available_bytes", (json_int_t)1 << 30, "workloads", "id", 1, "namespace",
		"shop", "name", "web", "qos", "high", "time_usec", (int)second * 1000000,
		"cpu_usage_usec", (int)cpu_a, "memory_bytes", 2 << 20, "id", 2, "namespace", "",
		"name", "job", "qos", "batch", "time_usec", (int)second * 1000000, "cpu_usage_usec",
		(int)cpu_b, "memory_bytes", 1 << 20);

	assert_non_null(answer);
	return answer;
}

static void test_top_page_two_answers_rates_and_order(void **state)
{
	const struct screen screen = { .width = 80 };
	json_t *before = top_answer(10, 1000000, 500000), *now = top_answer(12, 1500000, 3500000);
	struct strbuf by_cpu cleanup_strbuf = {}, by_memory cleanup_strbuf = {};
	struct strbuf first cleanup_strbuf = {}, one cleanup_strbuf = {};

	(void)state;
	assert_ok(top_page(before, now, TOP_CPU, 100, &screen, &by_cpu));
	assert_non_null(strstr(strbuf_text(&by_cpu), "2 CPUs 25% busy, memory 3.0G of 4.0G"));
	assert_non_null(strstr(strbuf_text(&by_cpu), "job       batch   150  1.0M"));
	assert_non_null(strstr(strbuf_text(&by_cpu), "shop/web  high     25  2.0M"));
	assert_true(strstr(strbuf_text(&by_cpu), "job ") <
		    strstr(strbuf_text(&by_cpu), "shop/web"));

	assert_ok(top_page(before, now, TOP_MEMORY, 100, &screen, &by_memory));
	assert_true(strstr(strbuf_text(&by_memory), "job ") >
		    strstr(strbuf_text(&by_memory), "shop/web"));

	/* One look: what is not known yet is not shown as 0. */
	assert_ok(top_page(NULL, now, TOP_CPU, 100, &screen, &first));
	assert_null(strstr(strbuf_text(&first), "busy"));
	assert_non_null(strstr(strbuf_text(&first), "job       batch     -"));

	assert_ok(top_page(before, now, TOP_CPU, 1, &screen, &one));
	assert_null(strstr(strbuf_text(&one), "shop/web"));
	json_decref(before);
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_render_wide_screen_aligned),
		cmocka_unit_test(test_table_render_no_rows_prints_nothing),
		cmocka_unit_test(test_table_render_narrow_screen_cuts_and_wraps),
		cmocka_unit_test(test_table_render_width_zero_cuts_nothing),
		cmocka_unit_test(test_table_add_hostile_text_never_reaches_terminal),
		cmocka_unit_test(test_style_add_colour_only_when_wanted),
		cmocka_unit_test(test_format_bytes_any_size_five_columns),
		cmocka_unit_test(test_format_usec_any_length_two_units),
		cmocka_unit_test(test_top_page_two_answers_rates_and_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
