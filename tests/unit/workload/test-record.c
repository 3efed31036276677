/* SPDX-License-Identifier: Apache-2.0 */
/* What a record of BPF does not tell (any more) the sample does not, either. */
#include "berth-test.h"
#include "telemetry/collect/cgroup-layout.h"

static struct cgroup_layout layout_new(void)
{
	struct cgroup_layout layout = {
		.parts = PART_ALL,
		.counters = { .count = 2,
			      .list = { { SAMPLE_MEMORY_ANON_BYTES, .at = 0, .unit = 1 },
					{ SAMPLE_MEMORY_INACTIVE_FILE_BYTES, .at = 1,
					  .unit = 1 } } },
		.counters_known = { UINT64_C(1) << SAMPLE_MEMORY_ANON_BYTES |
				    UINT64_C(1) << SAMPLE_MEMORY_INACTIVE_FILE_BYTES },
		.prev_at = 3,
		.has_swap = true,
		.page_bytes = 65536,
	};

	for (unsigned int i = 0; i < FACT_PRESSURES; i++)
		layout_word_add(&layout.pressures, SAMPLE_PRESSURE_FIRST + i, i);
	for (unsigned int i = 0; i < FACT_EVENTS; i++)
		layout_word_add(&layout.events, SAMPLE_MEMORY_EVENT_LOW + i, i);
	return layout;
}

static struct cgroup_record record_new(void)
{
	return (struct cgroup_record){
		.filled = RECORD_THERE | RECORD_PRESSURE | RECORD_CPU | RECORD_MEMORY | RECORD_IO,
		.device_count = 1,
		.cputime = { 3000, 4000, 7000 },
		.pressure = { 1000 },
		.periods = 7,
		.memory_pages = 2,
		.swap_pages = 1,
		.devices = { { .major = 8, .bytes = { 1 }, .ios = { 1 } } },
	};
}

static unsigned int known_in(const struct target *target, enum sample_value first,
			     enum sample_value last)
{
	unsigned int count = 0;

	for (unsigned int i = first; i <= (unsigned int)last; i++)
		count += (unsigned int)sample_knows(&target->sample, (enum sample_value)i);
	return count;
}

static void test_record_without_a_controller_forgets_its_values(void **state)
{
	struct cgroup_layout layout = layout_new();
	struct cgroup_record record = record_new();
	struct device_names names = { .root = -EBADF };
	struct target target = { 0 };

	(void)state;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	target_derive(&target);
	assert_int_equal(target.sample.value[SAMPLE_MEMORY_BYTES], 131072);
	assert_int_equal(target.sample.value[SAMPLE_MEMORY_WORKING_SET_BYTES], 131072);
	assert_int_equal(target.sample.value[SAMPLE_CPU_PERIODS], 7);
	assert_int_equal(target.sample.device_count, 1);
	record.filled = RECORD_THERE;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	target_derive(&target);
	assert_int_equal(known_in(&target, SAMPLE_CPU_USAGE_USEC, SAMPLE_CPU_SYSTEM_USEC), 3);
	assert_int_equal(known_in(&target, SAMPLE_CPU_PERIODS, SAMPLE_PRESSURE_IRQ_FULL_USEC), 0);
	assert_int_equal(target.sample.device_count, 0);
	device_names_done(&names);
}

/* The first check against files comes after the first records. */
static void test_dropped_value_is_forgotten(void **state)
{
	struct cgroup_layout layout = layout_new();
	struct cgroup_record record = record_new();
	struct device_names names = { .root = -EBADF };
	struct target target = { 0 };

	(void)state;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	assert_true(sample_knows(&target.sample, SAMPLE_MEMORY_SWAP_BYTES));
	cgroup_layout_drop(&layout, SAMPLE_MEMORY_SWAP_BYTES);
	cgroup_layout_drop(&layout, SAMPLE_MEMORY_ANON_BYTES);
	cgroup_layout_drop(&layout, SAMPLE_PRESSURE_IRQ_FULL_USEC);
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	assert_false(sample_knows(&target.sample, SAMPLE_MEMORY_SWAP_BYTES));
	assert_false(sample_knows(&target.sample, SAMPLE_MEMORY_ANON_BYTES));
	assert_false(sample_knows(&target.sample, SAMPLE_PRESSURE_IRQ_FULL_USEC));
	assert_true(sample_knows(&target.sample, SAMPLE_MEMORY_INACTIVE_FILE_BYTES));
	device_names_done(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_without_a_controller_forgets_its_values),
		cmocka_unit_test(test_dropped_value_is_forgotten),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
