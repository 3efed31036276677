/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "telemetry/collect/stat-file.h"

static const struct stat_file *file_find(int version, const char *name)
{
	size_t count;
	const struct stat_file *files = stat_files(&count);

	for (size_t i = 0; i < count; i++)
		if (files[i].version == version && strcmp(files[i].name, name) == 0)
			return &files[i];
	fail_msg("no file %s of version %d", name, version);
	return NULL;
}

/* Of a text in memory of exactly its size, so that a sanitizer sees a step behind it. */
static int parse(const char *name, const char *text, struct target *target,
		 struct device_list *devices)
{
	char *copy = strdup(text);
	struct stat_reading reading = { .target = target, .tick_usec = 10000 };
	int r;

	*target = (struct target){ 0 };
	r = stat_file_parse(file_find(2, name), copy, &reading);
	if (devices)
		*devices = reading.devices;
	free(copy);
	return r;
}

static void test_stat_keys_in_any_order_and_unknown_ones(void **state)
{
	struct target target;

	(void)state;
	assert_ok(
		parse("cpu.stat",
		      "throttled_usec 3\nusage_usec 1\nnr_throttled 2\nuser_usec_more 9\nuser 8\n",
		      &target, NULL));
	assert_int_equal(target.sample.value[SAMPLE_CPU_THROTTLED_USEC], 3);
	assert_int_equal(target.sample.value[SAMPLE_CPU_USAGE_USEC], 1);
	assert_int_equal(target.sample.value[SAMPLE_CPU_THROTTLED_PERIODS], 2);
	assert_false(sample_knows(&target.sample, SAMPLE_CPU_USER_USEC));
}

/* cpu.stat stays when the controller is taken from the group, without the lines of its quota. */
static void test_stat_key_that_went_is_not_told(void **state)
{
	static const char *const texts[] = { "usage_usec 1\nnr_periods 4\nthrottled_usec 3\n",
					     "usage_usec 2\nnr_periods x\n" };
	struct target target = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct stat_reading reading = { .target = &target, .tick_usec = 10000 };
		char text[64];

		(void)snprintf(text, sizeof(text), "%s", texts[i]);
		(void)stat_file_parse(file_find(2, "cpu.stat"), text, &reading);
	}
	assert_int_equal(target.sample.value[SAMPLE_CPU_USAGE_USEC], 2);
	/* One that cannot be read stays as it was. */
	assert_int_equal(target.sample.value[SAMPLE_CPU_PERIODS], 4);
	assert_true(sample_knows(&target.sample, SAMPLE_CPU_PERIODS));
	assert_false(sample_knows(&target.sample, SAMPLE_CPU_THROTTLED_USEC));
}

static void test_stat_malformed_number_keeps_the_others(void **state)
{
	static const char *const lines[] = { "usage_usec",     "usage_usec ",
					     "usage_usec x",   "usage_usec -1",
					     "usage_usec 1 2", "usage_usec 18446744073709551616" };
	struct target target;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "%s\nuser_usec 5", lines[i]);
		assert_errno(parse("cpu.stat", text, &target, NULL), EINVAL);
		assert_false(sample_knows(&target.sample, SAMPLE_CPU_USAGE_USEC));
		assert_int_equal(target.sample.value[SAMPLE_CPU_USER_USEC], 5);
	}
	assert_ok(parse("cpu.stat", "", &target, NULL));
	assert_errno(parse("memory.current", "", &target, NULL), EINVAL);
	assert_errno(parse("memory.current", "max\n", &target, NULL), EINVAL);
}

static void test_devices_malformed(void **state)
{
	struct device_list devices;
	struct target target;

	(void)state;
	assert_ok(parse("io.stat", "\n\n8:\n:0 rbytes=1\n8 rbytes=1\n4294967296:0 rbytes=1\n",
			&target, &devices));
	assert_int_equal(devices.count, 0);
	assert_errno(parse("io.stat", "8:0 rbytes=x rios=2 =3 rbytes\n", &target, &devices),
		     EINVAL);
	assert_int_equal(devices.count, 1);
	assert_int_equal(devices.items[0].value[IO_READS], 2);
}

static void test_device_list_keeps_the_lowest(void **state)
{
	struct device_list list = { 0 };

	(void)state;
	for (uint32_t minor = 9; minor > 0; minor--) {
		struct sample_device *device = device_list_slot(&list, 8, minor);

		assert_non_null(device);
		device->value[IO_READS] += minor;
	}
	assert_null(device_list_slot(&list, 8, 9));
	assert_null(device_list_slot(&list, 9, 0));
	assert_non_null(device_list_slot(&list, 7, 100));
	assert_int_equal(list.count, SAMPLE_DEVICES);
	assert_int_equal(list.items[0].major, 7);
	for (uint32_t i = 1; i < SAMPLE_DEVICES; i++)
		assert_int_equal(list.items[i].value[IO_READS], i);
	assert_ptr_equal(device_list_slot(&list, 8, 2), &list.items[2]);
}

static void test_every_file_has_values_that_are_no_others(void **state)
{
	size_t count;
	const struct stat_file *files = stat_files(&count);

	(void)state;
	for (int version = 1; version <= 2; version++) {
		unsigned int seen[SAMPLE_MAX] = { 0 };

		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; files[i].version == version && k < files[i].count; k++)
				assert_int_equal(seen[files[i].keys[k].value]++, 0);
		/* Version 2 tells everything but what is derived. */
		for (unsigned int value = 0; version == 2 && value < SAMPLE_CAUSE_FIRST; value++)
			assert_int_equal(seen[value], value != SAMPLE_MEMORY_WORKING_SET_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_keys_in_any_order_and_unknown_ones),
		cmocka_unit_test(test_stat_key_that_went_is_not_told),
		cmocka_unit_test(test_stat_malformed_number_keeps_the_others),
		cmocka_unit_test(test_devices_malformed),
		cmocka_unit_test(test_device_list_keeps_the_lowest),
		cmocka_unit_test(test_every_file_has_values_that_are_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
