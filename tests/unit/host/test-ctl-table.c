/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>

#include "berth-test.h"
#include "format.h"
#include "macro.h"
#include "table.h"

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

/* As a terminal shows it; of wide ones there is only 日 here. */
static size_t columns_of(const char *line)
{
	size_t width = 0;

	for (; *line; line++)
		width += (size_t)(((unsigned char)*line & 0xc0) != 0x80) +
			 (strncmp(line, "日", 3) == 0);
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

static void test_table_render_wide_characters_have_two_columns(void **state)
{
	const struct screen screen = { .width = 50, .utf8 = true };
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	char name[] = "日日日";
	char *rest, *line;

	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	assert_int_equal(text_sanitize(name), 6);
	table_init(&table, columns, ARRAY_SIZE(columns));
	row_add(&table, "日日日日日日日日日", 1, "x日日日日日日日日日",
		"日日日日日日日日日日日日日");
	row_add(&table, "a-name-that-goes-on-and-on", 2, "a/path/that/goes/on/and/on",
		"a reason of many words that is worth to be read");
	assert_ok(table_render(&table, &screen, &page));
	rest = page.text;
	while ((line = strsep(&rest, "\n")))
		assert_true(columns_of(line) <= 50);
	(void)setlocale(LC_CTYPE, "C");
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

static void test_table_render_marked_row_is_inverse_from_side_to_side(void **state)
{
	const struct screen screen = { .width = 30, .color = true };
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};

	(void)state;
	table_init(&table, columns, 2);
	table.first_width = 10;
	table.marked = 2;
	table_add(&table, STYLE_BAD, "web");
	table_add(&table, STYLE_NONE, "7");
	table_add(&table, STYLE_BAD, "db");
	table_add(&table, STYLE_NONE, "8");
	assert_ok(table_render(&table, &screen, &page));
	/* No colour of a cell ends the mark. */
	assert_non_null(strstr(strbuf_text(&page), "\033[31mweb\033[0m         7\n"
						   "\033[7mdb          8                 "
						   "\033[0m\n"));
}

static void test_line_add_longer_than_the_screen_is_cut(void **state)
{
	const struct screen screen = { .width = 10 };
	struct strbuf page cleanup_strbuf = {};

	(void)state;
	line_add(&page, &screen, STYLE_NONE, "0123456789");
	line_add(&page, &screen, STYLE_NONE, "0123456789a\033[2J");
	assert_string_equal(strbuf_text(&page), "0123456789\n012345678~\n");
}

static void test_format_count_any_size_four_columns(void **state)
{
	static const struct {
		double count;
		const char *text;
	} cases[] = { { 0, "0" },       { 7.4, "7" },    { 999, "999" }, { 999.6, "1.0k" },
		      { 12345, "12k" }, { 3e6, "3.0M" }, { 1e19, "10E" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[16];

		assert_string_equal(format_count(cases[i].count, text, sizeof(text)),
				    cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_render_wide_screen_aligned),
		cmocka_unit_test(test_table_render_wide_characters_have_two_columns),
		cmocka_unit_test(test_table_render_no_rows_prints_nothing),
		cmocka_unit_test(test_table_render_narrow_screen_cuts_and_wraps),
		cmocka_unit_test(test_table_render_width_zero_cuts_nothing),
		cmocka_unit_test(test_table_add_hostile_text_never_reaches_terminal),
		cmocka_unit_test(test_style_add_colour_only_when_wanted),
		cmocka_unit_test(test_format_bytes_any_size_five_columns),
		cmocka_unit_test(test_format_usec_any_length_two_units),
		cmocka_unit_test(test_table_render_marked_row_is_inverse_from_side_to_side),
		cmocka_unit_test(test_line_add_longer_than_the_screen_is_cut),
		cmocka_unit_test(test_format_count_any_size_four_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
