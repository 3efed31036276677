/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "settings-dump.h"
#include "settings.h"

static void test_qos_parse_takes_names_and_numbers(void **state)
{
	static const char *const bad[] = { "", "3", "-3", "Batch", "batch ", "+1", "0x1" };
	enum qos_level level = QOS_NORMAL;

	(void)state;
	for (int i = QOS_SCAVENGER; i <= QOS_CRITICAL; i++) {
		char number[16];

		assert_ok(qos_parse(qos_names[i + 2], &level));
		assert_int_equal(level, i);
		assert_string_equal(qos_name((enum qos_level)i), qos_names[i + 2]);
		(void)snprintf(number, sizeof(number), "%d", i);
		level = QOS_NORMAL;
		assert_ok(qos_parse(number, &level));
		assert_int_equal(level, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(qos_parse(bad[i], &level), EINVAL);
	assert_int_equal(level, QOS_CRITICAL);
	assert_string_equal(qos_name((enum qos_level)3), "unknown");
}

static void test_settings_dump_is_a_line_a_key(void **state)
{
	cleanup_free char *text = NULL;
	size_t size = 0, lines = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	settings_dump_daemon(out);
	settings_dump_plugin(out, "p", settings_fields);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "\nreconcile_interval\ttime, 10s to 24h\t10min\tHow often"));
	assert_non_null(strstr(text, "\nrules\tlist of up to 1024 rules\t[]\t"));
	assert_non_null(strstr(text, "\nplugins.p.enabled\ttrue or false\ttrue\t"));
	assert_non_null(strstr(text, "\nplugins.p.node.name\ttext\t\"\"\tName"));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1, lines++) {
		size_t tabs = 0;

		for (const char *c = line; *c != '\n'; c++)
			tabs += *c == '\t';
		assert_int_equal(tabs, 3);
	}
	assert_true(lines > 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qos_parse_takes_names_and_numbers),
		cmocka_unit_test(test_settings_dump_is_a_line_a_key),
	};

	return cmocka_run_group_tests_name("settings-names", tests, NULL, NULL);
}
