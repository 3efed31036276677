/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "berth-test.h"
#include "limit.h"
#include "macro.h"
#include "metrics/registry.h"

static int metrics_setup(void **state)
{
	struct metrics *metrics = NULL;

	if (metrics_new(&metrics) < 0)
		return -1;
	*state = metrics;
	return 0;
}

static int metrics_teardown(void **state)
{
	return metrics_free(*state) ? -1 : 0;
}

static struct metric_family *gauge(struct metrics *metrics, const char *name)
{
	struct metric_family *family = NULL;

	assert_ok(metrics_family(metrics, name, METRIC_GAUGE, "Help.", &family));
	return family;
}

static void check_page(const struct metrics *metrics, enum exposition exposition,
		       const char *expected)
{
	struct strbuf page = { 0 };

	assert_ok(metrics_render(metrics, exposition, &page));
	assert_string_equal(strbuf_text(&page), expected);
	strbuf_done(&page);
}

static void test_metrics_render_empty_registry(void **state)
{
	/* A family without series is not on the page. */
	(void)gauge(*state, "berth_up");
	check_page(*state, EXPOSITION_TEXT_0_0_4, "");
	check_page(*state, EXPOSITION_OPENMETRICS_1_0_0, "# EOF\n");
}

static void test_metrics_render_both_forms(void **state)
{
	const struct metric_label b = { "pod", "b" }, a = { "pod", "a" };
	struct metric_family *counter = NULL, *up = gauge(*state, "berth_up");

	assert_ok(metrics_family(*state, "berth_actions_total", METRIC_COUNTER, "A \\ \"B\"\nC",
				 &counter));
	assert_ok(metrics_set(*state, up, 0, NULL, 0, 1));
	assert_ok(metrics_set(*state, counter, 0, &b, 1, 2));
	assert_ok(metrics_set(*state, counter, 0, &a, 1, 1));
	assert_ok(metrics_set(*state, counter, 0, &b, 1, 3));
	check_page(*state, EXPOSITION_TEXT_0_0_4,
		   "# HELP berth_actions_total A \\\\ \"B\"\\nC\n"
		   "# TYPE berth_actions_total counter\n"
		   "berth_actions_total{pod=\"a\"} 1\n"
		   "berth_actions_total{pod=\"b\"} 3\n"
		   "# HELP berth_up Help.\n"
		   "# TYPE berth_up gauge\n"
		   "berth_up 1\n");
	check_page(*state, EXPOSITION_OPENMETRICS_1_0_0,
		   "# HELP berth_actions A \\\\ \\\"B\\\"\\nC\n"
		   "# TYPE berth_actions counter\n"
		   "berth_actions_total{pod=\"a\"} 1\n"
		   "berth_actions_total{pod=\"b\"} 3\n"
		   "# HELP berth_up Help.\n"
		   "# TYPE berth_up gauge\n"
		   "berth_up 1\n"
		   "# EOF\n");
}

static void test_metrics_render_values_table(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ -0.0, "0" },
		{ 1e6, "1000000" },
		{ 123456789012.0, "123456789012" },
		{ 9007199254740991.0, "9007199254740991" },
		{ -42, "-42" },
		{ 0.5, "0.5" },
		{ 0.1, "0.1" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1e300, "1e+300" },
		{ 5e-324, "4.94065645841247e-324" },
		{ NAN, "NaN" },
		{ INFINITY, "+Inf" },
		{ -INFINITY, "-Inf" },
	};
	struct metric_family *family = gauge(*state, "x");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[128];

		assert_ok(metrics_set(*state, family, 0, NULL, 0, cases[i].value));
		(void)snprintf(expected, sizeof(expected), "# HELP x Help.\n# TYPE x gauge\nx %s\n",
			       cases[i].text);
		check_page(*state, EXPOSITION_TEXT_0_0_4, expected);
	}
}

static void test_metrics_render_label_values_table(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{ "", "" },
		{ "a\\b", "a\\\\b" },
		{ "machine-qemu\\x2d1", "machine-qemu\\\\x2d1" },
		{ "say \"x\"", "say \\\"x\\\"" },
		{ "a\nb", "a\\nb" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe4\xb8\xad\xf0\x9f\x90\xa7", "\xe4\xb8\xad\xf0\x9f\x90\xa7" },
		{ "a\xff", "a\xef\xbf\xbd" },
		{ "\xc3", "\xef\xbf\xbd" },                                 /* cut short */
		{ "\xe4\xb8", "\xef\xbf\xbd\xef\xbf\xbd" },                 /* cut short */
		{ "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd" },                 /* overlong */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ NULL, "" },
	};
	struct metric_family *family = gauge(*state, "x");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct metric_label label = { "l", cases[i].value };
		char expected[128];

		metrics_clear_family(*state, family);
		assert_ok(metrics_set(*state, family, 0, &label, 1, 1));
		(void)snprintf(expected, sizeof(expected),
			       "# HELP x Help.\n# TYPE x gauge\nx{l=\"%s\"} 1\n", cases[i].text);
		check_page(*state, EXPOSITION_TEXT_0_0_4, expected);
	}
}

static void test_metrics_family_names_are_checked(void **state)
{
	static const struct {
		const char *name;
		enum metric_type type;
		int error;
	} cases[] = {
		{ "a:b_1", METRIC_GAUGE, 0 },
		{ "_x", METRIC_GAUGE, 0 },
		{ "x_total", METRIC_COUNTER, 0 },
		{ "", METRIC_GAUGE, EINVAL },
		{ "1a", METRIC_GAUGE, EINVAL },
		{ "a-b", METRIC_GAUGE, EINVAL },
		{ "a b", METRIC_GAUGE, EINVAL },
		{ "a\n", METRIC_GAUGE, EINVAL },
		{ "\xc3\xbc", METRIC_GAUGE, EINVAL },
		{ "y", METRIC_COUNTER, EINVAL },
		{ "_total", METRIC_COUNTER, EINVAL },
		{ "z_total", METRIC_GAUGE, EINVAL },
		/* The same family as x_total in OpenMetrics. */
		{ "x", METRIC_GAUGE, EINVAL },
		{ "_x_total", METRIC_COUNTER, EINVAL },
	};
	struct metric_family *family = NULL, *again = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (metrics_family(*state, cases[i].name, cases[i].type, "", &family) !=
		    -cases[i].error)
			fail_msg("'%s'", cases[i].name);
	assert_ok(metrics_family(*state, "same", METRIC_GAUGE, "", &family));
	assert_ok(metrics_family(*state, "same", METRIC_GAUGE, "other", &again));
	assert_ptr_equal(family, again);
	assert_errno(metrics_family(*state, "same", METRIC_COUNTER, "", &again), EINVAL);
}

static void test_metrics_set_bad_labels_are_refused(void **state)
{
	static const struct metric_label bad[][2] = {
		{ { "", "v" }, { "b", "v" } },  { { "a-b", "v" }, { "b", "v" } },
		{ { "1", "v" }, { "b", "v" } }, { { "a:b", "v" }, { "b", "v" } },
		{ { "a", "v" }, { "a", "w" } },
	};
	struct metric_family *family = gauge(*state, "x");

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(metrics_set(*state, family, 0, bad[i], 2, 1), EINVAL);
	check_page(*state, EXPOSITION_TEXT_0_0_4, "");
}

static void test_metrics_drop_scope_takes_all_families(void **state)
{
	const struct metric_label a = { "pod", "a" }, b = { "pod", "b" };
	struct metric_family *x = gauge(*state, "x"), *y = gauge(*state, "y");

	assert_ok(metrics_set(*state, x, 7, &a, 1, 1));
	assert_ok(metrics_set(*state, y, 7, &a, 1, 1));
	assert_ok(metrics_set(*state, y, 8, &b, 1, 2));
	assert_ok(metrics_set(*state, y, 0, NULL, 0, 3));
	metrics_drop_scope(*state, 9);
	metrics_drop_scope(*state, 0);
	metrics_drop_scope(*state, 7);
	check_page(*state, EXPOSITION_TEXT_0_0_4,
		   "# HELP y Help.\n# TYPE y gauge\ny 3\ny{pod=\"b\"} 2\n");
	metrics_drop_scope(*state, 7);
}

/* A pod that is made again under its name before the old one is reported gone. */
static void test_metrics_set_other_scope_takes_the_series_over(void **state)
{
	const struct metric_label a = { "pod", "a" };
	struct metric_family *x = gauge(*state, "x");

	assert_ok(metrics_set(*state, x, 7, &a, 1, 1));
	assert_ok(metrics_set(*state, x, 8, &a, 1, 2));
	metrics_drop_scope(*state, 7);
	check_page(*state, EXPOSITION_TEXT_0_0_4,
		   "# HELP x Help.\n# TYPE x gauge\nx{pod=\"a\"} 2\n");
	metrics_drop_scope(*state, 8);
	check_page(*state, EXPOSITION_TEXT_0_0_4, "");
}

static void test_metrics_remove_family_leaves_others(void **state)
{
	const struct metric_label a = { "pod", "a" };
	struct metric_family *x = gauge(*state, "x"), *y = gauge(*state, "y");

	assert_ok(metrics_set(*state, x, 7, &a, 1, 1));
	assert_ok(metrics_set(*state, y, 7, &a, 1, 2));
	metrics_remove_family(*state, x);
	metrics_remove_family(*state, NULL);
	check_page(*state, EXPOSITION_TEXT_0_0_4,
		   "# HELP y Help.\n# TYPE y gauge\ny{pod=\"a\"} 2\n");
	metrics_drop_scope(*state, 7);
	/* The name is free again, for another type too. */
	assert_ok(metrics_family(*state, "x", METRIC_GAUGE, "", &x));
}

static void test_metrics_set_over_the_cap_is_counted(void **state)
{
	struct metric_family *x = gauge(*state, "x");
	char value[16];
	const struct metric_label label = { "n", value };

	for (unsigned int i = 0; i < LIMIT_SERIES; i++) {
		(void)snprintf(value, sizeof(value), "%u", i);
		assert_ok(metrics_set(*state, x, i % 100, &label, 1, i));
	}
	assert_int_equal(metrics_dropped(*state), 0);
	(void)snprintf(value, sizeof(value), "one more");
	assert_errno(metrics_set(*state, x, 0, &label, 1, 1), ENOSPC);
	assert_errno(metrics_set(*state, x, 0, &label, 1, 1), ENOSPC);
	assert_int_equal(metrics_dropped(*state), 2);
	/* What is there can still be set. */
	(void)snprintf(value, sizeof(value), "17");
	assert_ok(metrics_set(*state, x, 17, &label, 1, 5));
	metrics_drop_scope(*state, 17);
	(void)snprintf(value, sizeof(value), "one more");
	assert_ok(metrics_set(*state, x, 0, &label, 1, 1));
	assert_int_equal(metrics_dropped(*state), 2);
}

static void test_exposition_negotiate_table_matches(void **state)
{
	static const struct {
		const char *accept;
		enum exposition exposition;
	} cases[] = {
		{ NULL, EXPOSITION_TEXT_0_0_4 },
		{ "", EXPOSITION_TEXT_0_0_4 },
		{ "*/*", EXPOSITION_TEXT_0_0_4 },
		{ "text/plain", EXPOSITION_TEXT_0_0_4 },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", EXPOSITION_TEXT_0_0_4 },
		{ "application/*", EXPOSITION_TEXT_0_0_4 },
		{ "application/openmetrics-text", EXPOSITION_OPENMETRICS_1_0_0 },
		{ "Application/OpenMetrics-Text; Version=1.0.0", EXPOSITION_OPENMETRICS_1_0_0 },
		{ "application/openmetrics-text; version=\"1.0.0\"", EXPOSITION_OPENMETRICS_1_0_0 },
		{ "application/openmetrics-text;version=0.0.1", EXPOSITION_TEXT_0_0_4 },
		{ "application/openmetrics-text;q=0", EXPOSITION_TEXT_0_0_4 },
		{ "application/openmetrics-text;q=2", EXPOSITION_TEXT_0_0_4 },
		{ "application/openmetrics-text;q=500m", EXPOSITION_TEXT_0_0_4 },
		{ "application/openmetrics-text;q=0.3, text/plain;q=0.5", EXPOSITION_TEXT_0_0_4 },
		{ "text/plain;q=0.5,application/openmetrics-text;q=0.501",
		  EXPOSITION_OPENMETRICS_1_0_0 },
		/* The closest range decides: text/plain has 0.9 here. */
		{ "text/*;q=0.1,text/plain;q=0.9,application/openmetrics-text;q=0.5",
		  EXPOSITION_TEXT_0_0_4 },
		/* Prometheus 2.x and 3.x. */
		{ "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
		  "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		  EXPOSITION_OPENMETRICS_1_0_0 },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.2",
		  EXPOSITION_OPENMETRICS_1_0_0 },
		{ ",,;;q=,=;*/;/*,\t", EXPOSITION_TEXT_0_0_4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (exposition_negotiate(cases[i].accept) != cases[i].exposition)
			fail_msg("'%s'", cases[i].accept);
	assert_string_equal(exposition_content_type(EXPOSITION_TEXT_0_0_4),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(exposition_content_type(EXPOSITION_OPENMETRICS_1_0_0),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, metrics_setup, metrics_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_metrics_render_empty_registry),
		TEST(test_metrics_render_both_forms),
		TEST(test_metrics_render_values_table),
		TEST(test_metrics_render_label_values_table),
		TEST(test_metrics_family_names_are_checked),
		TEST(test_metrics_set_bad_labels_are_refused),
		TEST(test_metrics_drop_scope_takes_all_families),
		TEST(test_metrics_set_other_scope_takes_the_series_over),
		TEST(test_metrics_remove_family_leaves_others),
		TEST(test_metrics_set_over_the_cap_is_counted),
		cmocka_unit_test(test_exposition_negotiate_table_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
