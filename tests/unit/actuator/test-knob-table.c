/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "actuator/knob/table.h"
#include "actuator/knob/value-internal.h"
#include "berth-test.h"
#include "cleanup.h"
#include "file.h"
#include "group-fixture.h"
#include "macro.h"

#define S64(value) ((uint64_t)(int64_t)(value))

static void test_knob_table_rows_are_complete(void **state)
{
	(void)state;
	for (int i = 0; i < KNOB_MAX; i++) {
		const struct knob_row *row = &knob_table[i];

		assert_non_null(row->name);
		assert_non_null(row->help);
		assert_non_null(row->source);
		assert_null(strpbrk(row->help, "\t\n|"));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(row->name, knob_table[j].name);
		if (row->type == KNOB_TYPE_S64)
			assert_true((int64_t)row->min <= (int64_t)row->max);
		else
			assert_true(row->min <= row->max);
		assert_true(row->locks >= -1 && row->locks < KNOB_MAX && row->locks != i);
		if (row->controller < CONTROLLER_MAX && row->flags == 0)
			assert_true(row->file_v1 || row->file_v2);
	}
}

static void test_knob_file_depends_on_version(void **state)
{
	(void)state;
	assert_string_equal(knob_file(KNOB_CPU_WEIGHT, 1), "cpu.shares");
	assert_string_equal(knob_file(KNOB_CPU_WEIGHT, 2), "cpu.weight");
	assert_null(knob_file(KNOB_CPU_QOS_LEVEL, 2));
	assert_null(knob_file(KNOB_CPU_IDLE, 0));
	assert_non_null(knob_file(KNOB_MEMCG_QOS_ENABLE, 0));
	assert_null(knob_file((enum knob)KNOB_MAX, 1));
}

static const struct {
	enum knob knob;
	int version;
	uint64_t number;
	const char *current, *text;
} formats[] = {
	{ KNOB_CPU_QOS_LEVEL, 1, S64(-2), "0", "-2" },
	{ KNOB_CPU_IDLE, 2, 1, "0", "1" },
	{ KNOB_CPU_WEIGHT, 2, 10000, "100", "10000" },
	{ KNOB_CPU_WEIGHT, 1, 100, "1024", "1024" },
	{ KNOB_CPU_WEIGHT, 1, 1, "1024", "10" },
	{ KNOB_CPU_WEIGHT, 1, 10000, "1024", "102400" },
	{ KNOB_CPU_QUOTA_USEC, 2, 50000, "max 100000", "50000 100000" },
	{ KNOB_CPU_QUOTA_USEC, 2, 50000, "max 20000\n", "10000 20000" },
	{ KNOB_CPU_QUOTA_USEC, 2, 50000, NULL, "50000 100000" },
	{ KNOB_CPU_QUOTA_USEC, 2, 50000, "garbage", "50000 100000" },
	{ KNOB_CPU_QUOTA_USEC, 2, 50000, "max 0", "50000 100000" },
	{ KNOB_CPU_QUOTA_USEC, 2, 1000, "max 10000", "1000 10000" },
	{ KNOB_CPU_QUOTA_USEC, 2, UINT64_MAX, "5000 20000", "max 20000" },
	{ KNOB_CPU_QUOTA_USEC, 2, UINT64_MAX - 1, "5000 20000", "max 20000" },
	{ KNOB_CPU_QUOTA_USEC, 1, 50000, "-1", "50000" },
	{ KNOB_CPU_QUOTA_USEC, 1, 50000, "-1 50000", "25000 50000" },
	{ KNOB_CPU_QUOTA_USEC, 1, UINT64_MAX, "5000 50000", "-1 50000" },
	{ KNOB_MEMORY_QOS_LEVEL, 1, S64(-1), "0", "-1" },
	{ KNOB_MEMORY_MIN_BYTES, 2, 1u << 20, "0", "1048576" },
	{ KNOB_MEMORY_LOW_BYTES, 1, UINT64_MAX, "0", "max" },
	{ KNOB_OOM_SCORE_ADJ, 1, S64(-998), "0", "-998" },
	{ KNOB_MEMORY_HIGH_BYTES, 1, UINT64_MAX, "1048576", "max" },
	{ KNOB_MEMORY_HIGH_BYTES, 2, 1u << 20, "max", "1048576" },
	{ KNOB_MEMORY_HIGH_ASYNC_RATIO, 1, 99, "0", "99" },
	{ KNOB_MEMORY_OOM_GROUP, 2, 1, "0", "1" },
};

static void test_knob_format_value_gives_kernel_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		char text[64];

		assert_ok(knob_format(formats[i].knob, formats[i].version, formats[i].number,
				      formats[i].current, text, sizeof(text)));
		assert_string_equal(text, formats[i].text);
	}
}

static void test_knob_format_short_buffer_refused(void **state)
{
	char text[4];

	(void)state;
	assert_errno(knob_format(KNOB_CPU_WEIGHT, 2, 10000, NULL, text, sizeof(text)), ENOSPC);
	assert_errno(knob_format((enum knob)KNOB_MAX, 2, 1, NULL, text, sizeof(text)), EINVAL);
}

static const struct {
	enum knob knob;
	int version;
	const char *text;
	int result;
	uint64_t number;
} parses[] = {
	{ KNOB_CPU_QOS_LEVEL, 1, "-1\n", 0, S64(-1) },
	{ KNOB_CPU_QOS_LEVEL, 1, "", -EINVAL, 0 },
	{ KNOB_CPU_QOS_LEVEL, 1, "max", -EINVAL, 0 },
	{ KNOB_CPU_IDLE, 1, "1", 0, 1 },
	{ KNOB_CPU_IDLE, 1, "-1", -EINVAL, 0 },
	{ KNOB_CPU_IDLE, 1, "max", -EINVAL, 0 },
	{ KNOB_CPU_WEIGHT, 2, "0", 0, 0 }, /* 6.1, while cpu.idle is 1 */
	{ KNOB_CPU_WEIGHT, 1, "1024", 0, 100 },
	{ KNOB_CPU_WEIGHT, 1, "2", 0, 1 },
	{ KNOB_CPU_WEIGHT, 1, "262144", 0, 10000 },
	{ KNOB_CPU_WEIGHT, 1, "99999999999999999999", -EINVAL, 0 },
	{ KNOB_CPU_QUOTA_USEC, 2, "max 100000\n", 0, UINT64_MAX },
	{ KNOB_CPU_QUOTA_USEC, 2, "10000 20000", 0, 50000 },
	{ KNOB_CPU_QUOTA_USEC, 2, "10000 ", -EINVAL, 0 },
	{ KNOB_CPU_QUOTA_USEC, 2, "10000 0", -EINVAL, 0 },
	{ KNOB_CPU_QUOTA_USEC, 2, "10000 20000 3", -EINVAL, 0 },
	{ KNOB_CPU_QUOTA_USEC, 2, " 20000", -EINVAL, 0 },
	{ KNOB_CPU_QUOTA_USEC, 1, "-1", 0, UINT64_MAX },
	{ KNOB_CPU_QUOTA_USEC, 1, "25000 50000", 0, 50000 },
	{ KNOB_MEMORY_MIN_BYTES, 2, "max\n", 0, UINT64_MAX },
	{ KNOB_MEMORY_MIN_BYTES, 2, "4096", 0, 4096 },
	{ KNOB_MEMORY_MIN_BYTES, 2, "4k", -EINVAL, 0 },
	{ KNOB_OOM_SCORE_ADJ, 2, "1000", 0, 1000 },
	{ KNOB_MEMORY_HIGH_BYTES, 2, "max\n", 0, UINT64_MAX },
	/* openEuler's v1 has v2's words. */
	{ KNOB_MEMORY_HIGH_BYTES, 1, "max\n", 0, UINT64_MAX },
	{ KNOB_MEMORY_HIGH_BYTES, 1, "9223372036854771712", 0, INT64_MAX / 4096 * 4096 },
	{ KNOB_MEMORY_HIGH_ASYNC_RATIO, 1, "max", -EINVAL, 0 },
};

static void test_knob_parse_text_gives_value_or_einval(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(parses); i++) {
		uint64_t number = 4711;

		assert_int_equal(
			knob_parse(parses[i].knob, parses[i].version, parses[i].text, &number),
			parses[i].result);
		assert_true(number == (parses[i].result < 0 ? 4711 : parses[i].number));
	}
}

static void test_knob_parse_every_weight_round_trips(void **state)
{
	(void)state;
	for (uint64_t weight = 1; weight <= 10000; weight++) {
		char text[32];
		uint64_t back;

		assert_ok(knob_format(KNOB_CPU_WEIGHT, 1, weight, NULL, text, sizeof(text)));
		assert_ok(knob_parse(KNOB_CPU_WEIGHT, 1, text, &back));
		assert_int_equal(back, weight);
	}
}

static const struct {
	enum knob knob;
	int version;
	const char *a, *b;
	bool same;
} sames[] = {
	{ KNOB_CPU_IDLE, 1, "1\n", "1", true },
	{ KNOB_CPU_IDLE, 1, "1", "0", false },
	{ KNOB_CPU_WEIGHT, 1, "1", "2", true }, /* MIN_SHARES */
	{ KNOB_CPU_WEIGHT, 1, "1024", "1025", false },
	{ KNOB_CPU_QUOTA_USEC, 2, "max", "max 100000", true },
	{ KNOB_CPU_QUOTA_USEC, 2, "1000 10000", "1000 20000", false },
	/* Systemd's own period. */
	{ KNOB_CPU_QUOTA_USEC, 2, "250000 1000000", "25000 100000", true },
	{ KNOB_CPU_QUOTA_USEC, 2, "250000 1000000", "25100 100000", false },
	{ KNOB_CPU_QUOTA_USEC, 2, "max 1000000", "max 100000", true },
	{ KNOB_CPU_QUOTA_USEC, 2, "250000 1000000", "max 1000000", false },
	{ KNOB_CPU_QUOTA_USEC, 1, "-1", "-1 100000", true },
	{ KNOB_CPU_QUOTA_USEC, 1, "-1", "5000", false },
	{ KNOB_MEMORY_MIN_BYTES, 2, "4096", "4097", true },
	{ KNOB_MEMORY_MIN_BYTES, 2, "4095", "4096", false },
	{ KNOB_MEMORY_MIN_BYTES, 2, "max", "9223372036854771712", true },
	{ KNOB_MEMORY_MIN_BYTES, 2, "max", "9223372036854767616", false },
	{ KNOB_MEMORY_HIGH_BYTES, 2, "1048576", "1048577", true },
	{ KNOB_MEMORY_HIGH_BYTES, 1, "max", "9223372036854771712", true },
	{ KNOB_OOM_SCORE_ADJ, 2, "-0", "0", true },
	{ KNOB_OOM_SCORE_ADJ, 2, "what", "0", false },
};

static void test_knob_same_compares_as_the_kernel(void **state)
{
	(void)state;
	if (sysconf(_SC_PAGESIZE) != 4096)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(sames); i++) {
		bool same = knob_same(sames[i].knob, sames[i].version, sames[i].a, sames[i].b);

		if (same != sames[i].same)
			fail_msg("'%s' and '%s'", sames[i].a, sames[i].b);
	}
}

static void test_quota_text_read_v1_has_the_period(void **state)
{
	char path[] = "/tmp/berth-test-XXXXXX", text[64], short_text[6];
	cleanup_close int fd = -EBADF;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = directory_fd(AT_FDCWD, path);
	assert_errno(quota_text_read(fd, 1, text, sizeof(text)), ENOENT);
	write_text(fd, "cpu.cfs_quota_us", "-1\n");
	assert_ok(quota_text_read(fd, 1, text, sizeof(text)));
	assert_string_equal(text, "-1");
	write_text(fd, "cpu.cfs_period_us", "50000\n");
	assert_ok(quota_text_read(fd, 1, text, sizeof(text)));
	assert_string_equal(text, "-1 50000");
	assert_errno(quota_text_read(fd, 1, short_text, sizeof(short_text)), ENOSPC);
	(void)unlinkat(fd, "cpu.cfs_quota_us", 0);
	(void)unlinkat(fd, "cpu.cfs_period_us", 0);
	(void)rmdir(path);
}

static void test_knob_quota_base_is_long_where_there_is_none(void **state)
{
	static const struct {
		int version;
		const char *found;
		uint64_t period;
		const char *base;
	} cases[] = {
		{ 2, "max 100000", 1000000, "max 1000000" },
		{ 2, "max", 1000000, "max 1000000" },
		{ 2, "max 100000", 0, "max 100000" },
		{ 2, "50000 100000", 1000000, "50000 100000" }, /* somebody's */
		{ 2, "what", 1000000, "what" },
		{ 1, "-1", 1000000, "-1" }, /* no file of a period */
	};
	char path[] = "/tmp/berth-test-XXXXXX", text[64], short_text[12];
	cleanup_close int fd = -EBADF;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = directory_fd(AT_FDCWD, path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)unlinkat(fd, "cpu.max", 0);
		write_text(fd, cases[i].version == 1 ? "cpu.cfs_quota_us" : "cpu.max",
			   cases[i].found);
		assert_ok(
			knob_quota_base(fd, cases[i].version, cases[i].period, text, sizeof(text)));
		assert_string_equal(text, cases[i].base);
	}
	(void)unlinkat(fd, "cpu.max", 0);
	write_text(fd, "cpu.max", "max 10000");
	assert_errno(knob_quota_base(fd, 2, USEC_PER_SEC * 10, short_text, sizeof(short_text)),
		     ENOSPC);
	(void)unlinkat(fd, "cpu.cfs_quota_us", 0);
	(void)unlinkat(fd, "cpu.max", 0);
	(void)rmdir(path);
}

static void assert_files(int fd, const char *quota, const char *period)
{
	char text[32];

	assert_true(file_read(fd, "cpu.cfs_quota_us", text, sizeof(text)) > 0);
	assert_string_equal(text, quota);
	assert_true(file_read(fd, "cpu.cfs_period_us", text, sizeof(text)) > 0);
	assert_string_equal(text, period);
}

static void test_quota_files_of_v1_are_written_as_one(void **state)
{
	char path[] = "/tmp/berth-test-XXXXXX";
	cleanup_close int fd = -EBADF;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = directory_fd(AT_FDCWD, path);
	assert_errno(quota_files_write(fd, "-1"), ENOENT);
	write_text(fd, "cpu.cfs_quota_us", "-1\n");
	assert_errno(quota_files_write(fd, "5000 100000"), ENOENT);
	write_text(fd, "cpu.cfs_period_us", "100000\n");
	assert_ok(quota_files_write(fd, "500000 1000000"));
	assert_files(fd, "500000", "1000000");
	assert_ok(quota_files_write(fd, "70000"));
	assert_files(fd, "70000", "1000000");
	assert_ok(quota_files_write(fd, "-1 100000"));
	assert_files(fd, "-1", "100000");
	assert_errno(quota_files_write(fd, "many 100000"), EINVAL);
	assert_errno(quota_files_write(fd, "5000 10"), EINVAL);
	/* Refused: no quota can be written where there is no file. */
	(void)unlinkat(fd, "cpu.cfs_quota_us", 0);
	assert_errno(quota_files_write(fd, "500000 1000000"), ENOENT);
	write_text(fd, "cpu.cfs_quota_us", "-1\n");
	assert_files(fd, "-1", "100000");
	(void)unlinkat(fd, "cpu.cfs_quota_us", 0);
	(void)unlinkat(fd, "cpu.cfs_period_us", 0);
	(void)rmdir(path);
}

static void test_quota_is_part_between_two_files(void **state)
{
	(void)state;
	assert_true(quota_is_part("-1 1000000", "-1 100000", "50000 1000000"));
	assert_false(quota_is_part("-1 100000", "-1 100000", "50000 1000000"));
	assert_false(quota_is_part("-1 1000000", "-1", "50000 1000000"));
	assert_false(quota_is_part("-1 200000", "-1 100000", "50000 1000000"));
	assert_false(quota_is_part("7000 1000000", "-1 100000", "50000 1000000"));
	assert_false(quota_is_part("-1 1000000", "-1 100000", ""));
}

static void test_knob_table_dump_is_a_line_of_twelve_for_each_knob(void **state)
{
	cleanup_free char *text = NULL;
	size_t size = 0, lines = 0, tabs = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	knob_table_dump(out);
	(void)fclose(out);
	for (const char *c = text; *c; c++) {
		lines += *c == '\n';
		tabs += *c == '\t';
	}
	assert_int_equal(lines, KNOB_MAX);
	assert_int_equal(tabs, 11 * KNOB_MAX);
	assert_non_null(strstr(text, "cpu.qos_level\tcpu\tcpu.qos_level\t-\ts64\t-2 to 2\tmin\t"
				     "rewrite\tone-way, top-down\t-\t"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knob_table_rows_are_complete),
		cmocka_unit_test(test_knob_file_depends_on_version),
		cmocka_unit_test(test_knob_format_value_gives_kernel_text),
		cmocka_unit_test(test_knob_format_short_buffer_refused),
		cmocka_unit_test(test_knob_parse_text_gives_value_or_einval),
		cmocka_unit_test(test_knob_parse_every_weight_round_trips),
		cmocka_unit_test(test_knob_same_compares_as_the_kernel),
		cmocka_unit_test(test_quota_text_read_v1_has_the_period),
		cmocka_unit_test(test_knob_quota_base_is_long_where_there_is_none),
		cmocka_unit_test(test_quota_files_of_v1_are_written_as_one),
		cmocka_unit_test(test_quota_is_part_between_two_files),
		cmocka_unit_test(test_knob_table_dump_is_a_line_of_twelve_for_each_knob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
