/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "actuator/unit/property.h"
#include "berth-test.h"
#include "macro.h"

#define UNSET UINT64_MAX

static void test_unit_property_value_of_each_knob(void **state)
{
	static const struct {
		enum knob knob;
		int version;
		uint64_t number;
		int property, result;
		uint64_t value;
	} cases[] = {
		{ KNOB_CPU_WEIGHT, 2, 50, UNIT_CPU_WEIGHT, 0, 50 },
		{ KNOB_CPU_WEIGHT, 1, 50, UNIT_CPU_SHARES, 0, 512 },
		{ KNOB_CPU_WEIGHT, 1, 1, UNIT_CPU_SHARES, 0, 10 },
		{ KNOB_CPU_IDLE, 2, 1, UNIT_CPU_WEIGHT, 0, 0 },
		{ KNOB_CPU_IDLE, 2, 0, UNIT_CPU_WEIGHT, -ENOTSUP, 0 },
		{ KNOB_CPU_IDLE, 1, 1, -1, -ENOTSUP, 0 },
		{ KNOB_CPU_QUOTA_USEC, 2, 50000, UNIT_CPU_QUOTA, 0, 500000 },
		{ KNOB_CPU_QUOTA_USEC, 1, 150000, UNIT_CPU_QUOTA, 0, 1500000 },
		{ KNOB_CPU_QUOTA_USEC, 2, UNSET, UNIT_CPU_QUOTA, 0, UNSET },
		{ KNOB_CPU_QUOTA_USEC, 2, 12500, UNIT_CPU_QUOTA, -ENOTSUP, 0 },
		{ KNOB_CPU_QUOTA_USEC, 2, UINT64_MAX - 5, UNIT_CPU_QUOTA, -ENOTSUP, 0 },
		{ KNOB_MEMORY_LOW_BYTES, 2, 4096, UNIT_MEMORY_LOW, 0, 4096 },
		{ KNOB_MEMORY_MIN_BYTES, 2, UNSET, UNIT_MEMORY_MIN, 0, UNSET },
		{ KNOB_MEMORY_MIN_BYTES, 1, 4096, -1, -ENOTSUP, 0 },
		{ KNOB_CPU_QOS_LEVEL, 1, 0, -1, -ENOTSUP, 0 },
		{ KNOB_OOM_SCORE_ADJ, 2, 0, -1, -ENOTSUP, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 0;

		assert_int_equal(unit_property_of(cases[i].knob, cases[i].version),
				 cases[i].property);
		assert_int_equal(unit_property_value(cases[i].knob, cases[i].version,
						     cases[i].number, &value),
				 cases[i].result);
		assert_int_equal(value, cases[i].value);
	}
}

static void test_unit_property_text_is_what_systemd_writes(void **state)
{
	static const struct {
		enum knob knob;
		int version;
		uint64_t value;
		const char *text; /* NULL: nothing */
	} cases[] = {
		{ KNOB_CPU_IDLE, 2, 0, "1" },
		{ KNOB_CPU_IDLE, 2, 50, "0" },
		{ KNOB_CPU_IDLE, 2, UNSET, "0" },
		{ KNOB_CPU_IDLE, 1, 0, NULL },
		{ KNOB_CPU_WEIGHT, 2, 50, "50" },
		{ KNOB_CPU_WEIGHT, 2, UNSET, "100" },
		{ KNOB_CPU_WEIGHT, 2, 0, NULL },
		{ KNOB_CPU_WEIGHT, 1, UNSET, "1024" },
		{ KNOB_CPU_WEIGHT, 1, 512, "512" },
		{ KNOB_CPU_QUOTA_USEC, 2, 500000, "50000 100000" },
		{ KNOB_CPU_QUOTA_USEC, 2, UNSET, "max 100000" },
		{ KNOB_CPU_QUOTA_USEC, 1, UNSET, "-1" },
		{ KNOB_MEMORY_LOW_BYTES, 2, 8192, "8192" },
		{ KNOB_MEMORY_LOW_BYTES, 2, UNSET, "max" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64] = "";
		int r = unit_property_text(cases[i].knob, cases[i].version, cases[i].value, text,
					   sizeof(text));

		assert_int_equal(r, cases[i].text ? 0 : -ENODATA);
		assert_string_equal(text, cases[i].text ? cases[i].text : "");
	}
}

static void test_unit_property_format_is_a_unit_files_line(void **state)
{
	static const struct {
		enum unit_property property;
		uint64_t value;
		const char *text;
	} cases[] = {
		{ UNIT_CPU_WEIGHT, 0, "CPUWeight=idle" },
		{ UNIT_CPU_WEIGHT, 77, "CPUWeight=77" },
		{ UNIT_CPU_WEIGHT, UNSET, "CPUWeight=" },
		{ UNIT_CPU_SHARES, 512, "CPUShares=512" },
		{ UNIT_CPU_QUOTA, 500000, "CPUQuota=50%" },
		{ UNIT_CPU_QUOTA, UNSET, "CPUQuota=" },
		{ UNIT_MEMORY_LOW, 4096, "MemoryLow=4096" },
		{ UNIT_MEMORY_MIN, UNSET, "MemoryMin=infinity" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		unit_property_format(cases[i].property, cases[i].value, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_unit_name_of_path(void **state)
{
	static const struct {
		const char *path, *name; /* NULL: none */
	} cases[] = {
		{ "kubepods.slice/kubepods-besteffort.slice", "kubepods-besteffort.slice" },
		{ "system.slice/batch@1.service", "batch@1.service" },
		{ "machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
		  "machine-qemu\\x2d1\\x2dvm.scope" },
		{ "system.slice/_cpu.service", "cpu.service" },
		{ "a.slice", "a.slice" },
		{ "kubepods/burstable/pod1", NULL },
		{ "a.slice/.slice", NULL },
		{ "a.slice/.scope", NULL },
		{ "a.slice/b.scope/libvirt", NULL },
		{ "a.slice/b c.scope", NULL },
		{ "kubepods-pod1.slice:cri-containerd:2", NULL },
		{ "a.mount", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[UNIT_NAME_LENGTH] = "";
		int r = unit_name_of(cases[i].path, name, sizeof(name));

		assert_int_equal(r, cases[i].name ? 0 : -EINVAL);
		assert_string_equal(name, cases[i].name ? cases[i].name : "");
	}
}

static void test_unit_name_of_a_long_path_is_none(void **state)
{
	char path[400], name[UNIT_NAME_LENGTH];

	(void)state;
	memset(path, 'a', sizeof(path));
	(void)snprintf(path + 250, sizeof(path) - 250, ".slice");
	assert_errno(unit_name_of(path, name, sizeof(name)), EINVAL);
	(void)snprintf(path + 249, sizeof(path) - 249, ".slice");
	assert_ok(unit_name_of(path, name, sizeof(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unit_property_value_of_each_knob),
		cmocka_unit_test(test_unit_property_text_is_what_systemd_writes),
		cmocka_unit_test(test_unit_property_format_is_a_unit_files_line),
		cmocka_unit_test(test_unit_name_of_path),
		cmocka_unit_test(test_unit_name_of_a_long_path_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
