/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "limit.h"
#include "macro.h"
#include "telemetry/collect/bpf-check.h"
#include "telemetry/collect/cgroup-layout.h"

#define STATES 38u
#define EVENTS 22u

/* A kernel whose enumerators are their facts' numbers, times two. */
static void facts_fill(struct kernel_facts *facts)
{
	*facts = (struct kernel_facts){
		.state_size = STATES * 8,
		.vm_event_size = EVENTS * 8,
		.state_items = 2 * FACT_STATES,
		.vm_event_items = 2 * FACT_VM_EVENTS,
		.prev_at = 4,
		.has_pressure = 1,
		.has_cputime = 1,
		.has_throttling = 1,
		.has_memory = 1,
		.has_swap = 1,
		.has_events = 1,
		.has_io = 1,
		.state_table_error = -ENOENT,
		.vm_event_table_error = -ENOENT,
	};
	for (int i = 0; i < FACT_PRESSURES; i++)
		facts->pressure[i] = i;
	for (int i = 0; i < FACT_EVENTS; i++)
		facts->event[i] = i;
	for (int i = 0; i < FACT_STATES; i++)
		facts->state[i] = 2 * i;
	for (int i = 0; i < FACT_VM_EVENTS; i++)
		facts->vm_event[i] = 2 * i;
}

/* Counter i is at i + 1 (and one more, as the kernel has it). */
static void table_wide(unsigned char *table, int items)
{
	for (int i = 0; i < items; i++) {
		int32_t item = i % 2 ? 0 : i / 2 + 2;

		memcpy(table + (size_t)i * sizeof(item), &item, sizeof(item));
	}
}

static void table_narrow(unsigned char *table, int items)
{
	memset(table, 0xff, FACT_TABLE_BYTES);
	for (int i = 0; i < items; i++)
		table[i] = (unsigned char)(i % 2 ? 0xff : i / 2 + 1);
}

static uint32_t counter_at(const struct cgroup_layout *layout, enum sample_value value)
{
	for (uint32_t i = 0; i < layout->counters.count; i++)
		if (layout->counters.list[i].value == value)
			return layout->counters.list[i].at;
	return UINT32_MAX;
}

static void test_layout_tables_of_either_width(void **state)
{
	struct kernel_facts facts;
	struct cgroup_layout layout;

	(void)state;
	for (int is_wide = 0; is_wide < 2; is_wide++) {
		facts_fill(&facts);
		facts.state_table_error = facts.vm_event_table_error = 0;
		(is_wide ? table_wide : table_narrow)(facts.state_table, 2 * FACT_STATES);
		(is_wide ? table_wide : table_narrow)(facts.vm_event_table, 2 * FACT_VM_EVENTS);
		cgroup_layout_fill(&facts, &layout);
		assert_int_equal(layout.parts, PART_ALL);
		assert_string_equal(layout.missing, "");
		assert_int_equal(layout.counters.count + layout.more.count,
				 FACT_STATES + FACT_VM_EVENTS);
		assert_int_equal(counter_at(&layout, SAMPLE_MEMORY_ANON_BYTES), FACT_ANON + 1);
		assert_int_equal(counter_at(&layout, SAMPLE_MEMORY_SOCK_BYTES), FACT_SOCK + 1);
		assert_int_equal(counter_at(&layout, SAMPLE_MEMORY_FAULTS),
				 STATES + FACT_FAULTS + 1);
		/* No more of a record is read than that. */
		assert_int_equal(layout.counters_bytes, (STATES + FACT_VM_EVENTS + 1) * 8);
	}
}

static void test_layout_without_tables(void **state)
{
	struct kernel_facts facts;
	struct cgroup_layout layout;

	(void)state;
	/* As many counters as enumerators: each has its own. */
	facts_fill(&facts);
	facts.vm_event_size = 2 * FACT_VM_EVENTS * 8;
	cgroup_layout_fill(&facts, &layout);
	assert_int_equal(counter_at(&layout, SAMPLE_MEMORY_SHMEM_BYTES), 2 * FACT_SHMEM);
	assert_int_equal(layout.parts, PART_ALL);
	/* Fewer: they are packed, in an order that nobody tells. */
	facts_fill(&facts);
	cgroup_layout_fill(&facts, &layout);
	assert_int_equal(layout.parts, PART_ALL & ~PART_MEMORY_STAT);
	assert_non_null(strstr(layout.missing, "memory.stat"));
	facts.vm_event_table_error = -EPERM;
	cgroup_layout_fill(&facts, &layout);
	assert_int_equal(layout.parts, PART_ALL & ~PART_MEMORY_STAT);
	assert_non_null(strstr(layout.missing, "CAP_SYSLOG"));
	/* A size that no record has room for, and a number of items that no table has. */
	facts.state_size = UINT32_MAX;
	cgroup_layout_fill(&facts, &layout);
	assert_false(layout.parts & PART_MEMORY_STAT);
	facts_fill(&facts);
	facts.state_table_error = facts.vm_event_table_error = 0;
	facts.state_items = UINT32_MAX;
	facts.has_io = facts.has_pressure = 0;
	cgroup_layout_fill(&facts, &layout);
	assert_int_equal(layout.parts, PART_CPU | PART_MEMORY | PART_MEMORY_EVENTS);
}

static void layout_make(struct cgroup_layout *layout)
{
	struct kernel_facts facts;

	facts_fill(&facts);
	facts.vm_event_size = 2 * FACT_VM_EVENTS * 8;
	cgroup_layout_fill(&facts, layout);
	layout->page_bytes = 4096;
}

static void record_make(struct cgroup_record *record)
{
	*record = (struct cgroup_record){
		.filled = RECORD_THERE | RECORD_PRESSURE | RECORD_CPU | RECORD_MEMORY | RECORD_IO,
		.cputime = { 1000000, 3000000, 8000000, 0, 2500000, 500000 },
		.periods = 5,
		.throttled_nsec = 7000,
		.memory_pages = 3,
		.swap_pages = 2,
		.device_count = 1,
		.devices[0] = { 8, 1, { 1, 2, 3 }, { 4, 5, 6 } },
	};
	for (unsigned int i = 0; i < RECORD_COUNTERS; i++)
		record->counters[i] = i;
	for (unsigned int i = 0; i < RECORD_PRESSURES; i++)
		record->pressure[i] = i * 1000;
}

static void test_layout_apply(void **state)
{
	struct device_names names = { .root = -EBADF };
	struct target target = { 0 };
	const uint64_t *value = target.sample.value;
	struct cgroup_layout layout;
	struct cgroup_record record;

	(void)state;
	layout_make(&layout);
	record_make(&record);
	record.counters[2 * FACT_FILE] = (uint64_t)-5;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	assert_int_equal(value[SAMPLE_CPU_USAGE_USEC], 8000);
	/* A quarter is the kernel's, by ticks. */
	assert_int_equal(value[SAMPLE_CPU_SYSTEM_USEC], 2000);
	assert_int_equal(value[SAMPLE_CPU_USER_USEC], 6000);
	assert_int_equal(value[SAMPLE_CPU_THROTTLED_USEC], 7);
	assert_int_equal(value[SAMPLE_MEMORY_BYTES], 3 * 4096);
	assert_int_equal(value[SAMPLE_MEMORY_SWAP_BYTES], 2 * 4096);
	assert_int_equal(value[SAMPLE_MEMORY_SHMEM_BYTES], 2 * FACT_SHMEM * 4096);
	assert_int_equal(value[SAMPLE_MEMORY_KERNEL_STACK_BYTES], 2 * FACT_KERNEL_STACK * 1024);
	assert_int_equal(value[SAMPLE_MEMORY_REFAULT_FILE], 2 * FACT_REFAULT_FILE);
	assert_int_equal(value[SAMPLE_MEMORY_FILE_BYTES], 0);
	assert_int_equal(value[SAMPLE_MEMORY_SCANNED],
			 4 * STATES + 2 * (FACT_SCAN_KSWAPD + FACT_SCAN_DIRECT +
					   FACT_SCAN_KHUGEPAGED + FACT_SCAN_PROACTIVE));
	assert_int_equal(value[SAMPLE_PRESSURE_IO_FULL_USEC], FACT_IO_FULL);
	assert_int_equal(target.sample.device_count, 1);
	assert_string_equal(target.sample.devices[0].name, "8:1");
	assert_int_equal(target.sample.devices[0].value[IO_DISCARDS], 6);
	/* An estimate does not go back; the same device is not looked up again. */
	record.cputime[0] = 0;
	record.devices[0].ios[0] = 40;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	assert_int_equal(value[SAMPLE_CPU_SYSTEM_USEC], 2000);
	assert_int_equal(target.sample.devices[0].value[IO_READS], 40);
	/* What cpu.stat has said is said again as long as it is the sum. */
	record.cputime[2] = 3000000;
	target = (struct target){ 0 };
	cgroup_layout_apply(&layout, &record, PART_CPU, &names, &target);
	assert_int_equal(value[SAMPLE_CPU_USER_USEC], 2500);
	assert_int_equal(value[SAMPLE_CPU_SYSTEM_USEC], 500);
	assert_false(sample_knows(&target.sample, SAMPLE_MEMORY_BYTES));
	device_names_done(&names);
}

static void test_layout_apply_without_controllers(void **state)
{
	struct device_names names = { .root = -EBADF };
	struct target target = { 0 };
	struct cgroup_layout layout;
	struct cgroup_record record;

	(void)state;
	layout_make(&layout);
	record_make(&record);
	record.filled = RECORD_THERE;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &target);
	assert_true(sample_knows(&target.sample, SAMPLE_CPU_USAGE_USEC));
	assert_false(sample_knows(&target.sample, SAMPLE_CPU_PERIODS));
	assert_false(sample_knows(&target.sample, SAMPLE_MEMORY_BYTES));
	assert_false(sample_knows(&target.sample, SAMPLE_PRESSURE_CPU_SOME_USEC));
	assert_int_equal(target.sample.device_count, 0);
}

static struct bpf_verdict check(struct cgroup_layout *layout, unsigned int parts,
				const struct target *before, const struct target *records,
				const struct target *after)
{
	struct bpf_comparison comparison = { 0 };
	struct bpf_verdict verdict;

	bpf_check(layout, parts, before, records, after, &comparison);
	bpf_verdict(&comparison, &verdict);
	return verdict;
}

static void value_forget(struct target *target, enum sample_value value)
{
	target_unset(target, value, value);
}

static void test_check(void **state)
{
	struct device_names names = { .root = -EBADF };
	struct target before = { 0 }, records = { 0 }, after = { 0 };
	struct bpf_verdict verdict;
	struct cgroup_layout layout;
	struct cgroup_record record;

	(void)state;
	layout_make(&layout);
	record_make(&record);
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &before);
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &records);
	record.counters[STATES + 2 * FACT_FAULTS] += 10;
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &after);
	verdict = check(&layout, PART_ALL, &before, &records, &after);
	assert_int_equal(verdict.agree, PART_ALL);
	assert_int_equal(verdict.value, SAMPLE_MAX);
	/* Below, above, not there, another device. */
	records.sample.value[SAMPLE_MEMORY_FAULTS] += 11;
	records.sample.value[SAMPLE_PRESSURE_IO_SOME_USEC]--;
	records.devices[0].value[IO_READS]++;
	verdict = check(&layout, PART_ALL, &before, &records, &after);
	assert_int_equal(verdict.differ, PART_MEMORY_STAT | PART_PRESSURE | PART_IO);
	assert_int_equal(verdict.agree, PART_ALL & ~verdict.differ);
	value_forget(&records, SAMPLE_MEMORY_BYTES);
	verdict = check(&layout, PART_MEMORY, &before, &records, &after);
	assert_int_equal(verdict.agree, 0);
	assert_int_equal(verdict.differ, PART_MEMORY);
	assert_int_equal(verdict.value, SAMPLE_MEMORY_BYTES);
	/* What only records tell is not told any more. */
	value_forget(&before, SAMPLE_MEMORY_SWAPPED_IN);
	value_forget(&after, SAMPLE_MEMORY_SWAPPED_IN);
	assert_true(counter_at(&layout, SAMPLE_MEMORY_SWAPPED_IN) != UINT32_MAX);
	(void)check(&layout, PART_ALL, &before, &records, &after);
	assert_true(counter_at(&layout, SAMPLE_MEMORY_SWAPPED_IN) == UINT32_MAX);
	records = (struct target){ 0 };
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &records);
	assert_false(sample_knows(&records.sample, SAMPLE_MEMORY_SWAPPED_IN));
	assert_true(sample_knows(&records.sample, SAMPLE_MEMORY_SWAPPED_OUT));
	device_names_done(&names);
}

/* Files that are not there are not files that lack a value. */
static void test_check_without_files(void **state)
{
	struct device_names names = { .root = -EBADF };
	struct target files = { 0 }, records = { 0 };
	struct bpf_verdict verdict;
	struct cgroup_layout layout;
	struct cgroup_record record;

	(void)state;
	layout_make(&layout);
	record_make(&record);
	cgroup_layout_apply(&layout, &record, PART_CPU | PART_IO, &names, &files);
	cgroup_layout_apply(&layout, &record, PART_ALL, &names, &records);
	verdict = check(&layout, PART_ALL, &files, &records, &files);
	assert_int_equal(verdict.agree, PART_CPU | PART_IO);
	assert_int_equal(verdict.differ | verdict.moved, 0);
	assert_true(counter_at(&layout, SAMPLE_MEMORY_ANON_BYTES) != UINT32_MAX);
	assert_true(layout.has_swap);
	target_unset_devices(&files);
	target_unset_devices(&records);
	verdict = check(&layout, PART_IO, &files, &records, &files);
	assert_int_equal(verdict.agree | verdict.differ | verdict.moved, 0);
	device_names_done(&names);
}

static void test_check_of_what_moves(void **state)
{
	static const struct {
		uint64_t before, record, after;
		unsigned int agree, moved; /* else it differs */
	} cases[] = {
		{ 100, 100, 100, true, false }, { 100, 150, 100, false, false },
		{ 100, 112, 100, true, false }, { 100, 190, 120, false, true },
		{ 120, 190, 100, false, true }, { 100, 300, 120, false, false },
		{ 0, 4096, 0, false, false },
	};
	struct cgroup_layout layout = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct target before = { 0 }, records = { 0 }, after = { 0 };
		struct bpf_verdict verdict;

		target_set(&before, SAMPLE_MEMORY_BYTES, cases[i].before);
		target_set(&records, SAMPLE_MEMORY_BYTES, cases[i].record);
		target_set(&after, SAMPLE_MEMORY_BYTES, cases[i].after);
		verdict = check(&layout, PART_MEMORY, &before, &records, &after);
		assert_int_equal(verdict.agree, cases[i].agree ? PART_MEMORY : 0);
		assert_int_equal(verdict.moved, cases[i].moved ? PART_MEMORY : 0);
		assert_int_equal(verdict.differ,
				 cases[i].agree || cases[i].moved ? 0 : PART_MEMORY);
	}
}

/* Each value may agree in another attempt. */
static void test_check_adds_attempts_up(void **state)
{
	struct target files = { 0 }, first = { 0 }, second = { 0 };
	struct bpf_comparison comparison = { 0 };
	struct cgroup_layout layout = { 0 };
	struct bpf_verdict verdict;

	(void)state;
	target_set(&files, SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, 0);
	target_set(&files, SAMPLE_MEMORY_FILE_DIRTY_BYTES, 0);
	first = second = files;
	target_set(&first, SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, 4096);
	target_set(&second, SAMPLE_MEMORY_FILE_DIRTY_BYTES, 4096);
	bpf_check(&layout, PART_MEMORY_STAT, &files, &first, &files, &comparison);
	bpf_verdict(&comparison, &verdict);
	assert_int_equal(verdict.differ, PART_MEMORY_STAT);
	assert_int_equal(verdict.value, SAMPLE_MEMORY_FILE_WRITEBACK_BYTES);
	bpf_check(&layout, PART_MEMORY_STAT, &files, &second, &files, &comparison);
	bpf_verdict(&comparison, &verdict);
	assert_int_equal(verdict.agree, PART_MEMORY_STAT);
	assert_int_equal(verdict.differ, 0);
}

static void test_judge(void **state)
{
	struct bpf_verdict verdict = { .agree = PART_CPU, .differ = PART_MEMORY | PART_IO };
	struct bpf_judge judge;

	(void)state;
	bpf_judge_start(&judge, PART_ALL & ~PART_PRESSURE);
	for (unsigned int i = 1; i < LIMIT_BPF_PASSES; i++)
		assert_int_equal(bpf_judge_pass(&judge, &verdict), 0);
	/* A pass that says nothing is none. */
	assert_int_equal(bpf_judge_pass(&judge, &(struct bpf_verdict){ 0 }), 0);
	verdict = (struct bpf_verdict){ .agree = PART_IO, .differ = PART_MEMORY };
	assert_int_equal(bpf_judge_pass(&judge, &verdict), PART_MEMORY);
	assert_int_equal(judge.open, PART_MEMORY_STAT | PART_MEMORY_EVENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_tables_of_either_width),
		cmocka_unit_test(test_layout_without_tables),
		cmocka_unit_test(test_layout_apply),
		cmocka_unit_test(test_layout_apply_without_controllers),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_without_files),
		cmocka_unit_test(test_check_of_what_moves),
		cmocka_unit_test(test_check_adds_attempts_up),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
