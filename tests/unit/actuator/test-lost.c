/* SPDX-License-Identifier: Apache-2.0 */
/* What must not get lost on the way: originals, sums, changes nobody tells of. */
#include <stdio.h>

#include "actuator/claim/internal.h"
#include "actuator/journal/journal.h"
#include "berth-test.h"
#include "world.h"

struct originals {
	char text[64];
	unsigned int count;
};

static void note_original(void *data, struct journal *journal, const struct journal_record *record,
			  const struct journal_slot *slot)
{
	struct originals *originals = data;

	(void)journal;
	(void)slot;
	originals->count++;
	(void)snprintf(originals->text, sizeof(originals->text), "%s", record->original);
}

static struct originals originals_in(const struct world *world)
{
	struct originals originals = { .count = 0 };
	struct journal *journal;

	assert_ok(journal_open(world->runtime_fd, NULL, note_original, &originals, &journal));
	(void)journal_free(journal);
	return originals;
}

/* A compaction that fails half way, on a full file system: the old file stays, and what it does
 * not say yet is still to be said. */
static void test_journal_append_after_an_aborted_compaction_is_written(void **state)
{
	struct journal_record record = { .inode = 1, .path = "pods/a", .original = "100" };
	struct journal_slot slot = { 0 };
	struct journal *journal;
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_stop(&world);
	assert_ok(journal_open(world.runtime_fd, NULL, NULL, NULL, &journal));
	assert_ok(journal_append(journal, &record, &slot));
	record.original = "300";
	assert_ok(journal_compact_begin(journal));
	assert_ok(journal_compact_add(journal, &record, &slot));
	journal_compact_abort(journal);
	assert_ok(journal_append(journal, &record, &slot));
	(void)journal_free(journal);
	assert_int_equal(originals_in(&world).count, 1);
	assert_string_equal(originals_in(&world).text, "300");
	world_close(&world);
}

/* Of a later version, say: nobody knows how to put it back, and it is not to be lost. Nor is it to
 * let the journal grow until nothing can be recorded any more. */
static void test_journal_with_an_unknown_record_is_compacted(void **state)
{
	struct journal_record record = { .knob = 0xffff, .path = "pods/a", .original = "unknown" };
	struct journal_slot slot = { 0 };
	struct journal *journal;
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_stop(&world);
	assert_ok(journal_open(world.runtime_fd, NULL, NULL, NULL, &journal));
	assert_ok(journal_append(journal, &record, &slot));
	(void)journal_free(journal);
	world_start(&world);
	for (uint64_t i = 0; i < 2000; i++)
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20 + i % 2, 0));
	assert_true(world_stats(&world).journal_bytes < 80u * 1024);
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	world_stop(&world);
	assert_int_equal(originals_in(&world).count, 1);
	assert_string_equal(originals_in(&world).text, "unknown");
	world_close(&world);
}

static void weight_path(const struct world *world, const char *file, char *text)
{
	(void)snprintf(text, PATH_MAX, "%s/sys/fs/cgroup/pods/a/%s", world->dir, file);
}

/* Not to be read for now is not gone. */
static void test_actuator_new_unreadable_knob_keeps_its_original(void **state)
{
	char path[PATH_MAX], aside[PATH_MAX];
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	world_stop(&world);
	weight_path(&world, "cpu.weight", path);
	weight_path(&world, "aside", aside);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink("aside", path), 0); /* ELOOP */
	world_start(&world);
	assert_int_equal(rename(aside, path), 0);
	world_stop(&world);
	assert_string_equal(originals_in(&world).text, "250");
	world_start(&world);
	actuator_drop_owner(world.actuator, "previous run");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	world_close(&world);
}

static void append_weight(const struct world *world, struct journal *journal, const char *original)
{
	struct journal_record record = {
		.knob = KNOB_CPU_WEIGHT,
		.version = 2,
		.path = "pods/a",
		.original = original,
		.next = "20",
	};
	struct journal_slot slot = { 0 };
	char path[PATH_MAX];
	struct stat st;

	weight_path(world, "", path);
	assert_ok(stat(path, &st));
	record.inode = st.st_ino;
	assert_ok(journal_append(journal, &record, &slot));
}

/* A record that could not be released, on a full file system, and a later one of the same knob. */
static void test_restore_journal_of_two_records_the_later_counts(void **state)
{
	struct journal *journal;
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_stop(&world);
	assert_ok(journal_open(world.runtime_fd, NULL, NULL, NULL, &journal));
	append_weight(&world, journal, "250");
	append_weight(&world, journal, "300");
	(void)journal_free(journal);
	world_set(&world, "pods/a", "cpu.weight", "20");
	assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy, world.runtime_fd,
						  NULL, NULL),
			 0);
	assert_knob(&world, "pods/a", "cpu.weight", "300");
	assert_int_equal(originals_in(&world).count, 0);
	world_close(&world);
}

/* What could not be written is no part of what the host holds, whatever else is compacted. */
static void test_actuator_new_after_a_compaction_writes_what_failed(void **state)
{
	char path[PATH_MAX], aside[PATH_MAX];
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	weight_path(&world, "cpu.weight", path);
	weight_path(&world, "aside", aside);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink("aside", path), 0); /* ELOOP */
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 30, 0));
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_FAILED);
	for (uint64_t i = 0, last = 0; world_stats(&world).journal_bytes >= last; i++) {
		last = world_stats(&world).journal_bytes;
		assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20 + i % 2, 0));
	}
	world_stop(&world);
	assert_int_equal(rename(aside, path), 0);
	world_start(&world);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 30, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "30");
	world_close(&world);
}

/* The first look comes after one interval, not after two. */
static void test_actuator_reconcile_first_look_comes_after_one_interval(void **state)
{
	char path[PATH_MAX], other[PATH_MAX];
	struct world world;

	(void)state;
	world_open(&world, 2);
	world.options.reconcile_interval_usec = 2 * USEC_PER_SEC;
	assert_ok(actuator_set_options(world.actuator, &world.options));
	world_run(&world, 20 * USEC_PER_MSEC);

	uint64_t due;

	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	/* Another file in its place: no write to the first one tells. */
	world_set(&world, "pods/a", "other", "300");
	weight_path(&world, "other", other);
	weight_path(&world, "cpu.weight", path);
	assert_int_equal(rename(other, path), 0);
	due = world.actuator->reconcile_usec;
	assert_in_range(due, 1, monotonic_usec() + 2 * USEC_PER_SEC);
	for (uint64_t now; (now = monotonic_usec()) < due;) {
		assert_knob(&world, "pods/a", "cpu.weight", "300");
		assert_true(sd_event_run(world.event, due - now) >= 0);
	}
	/* However late that is on a busy machine: what is due has been done when nothing is left to
	 * do. */
	world_run(&world, 0);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	world_close(&world);
}

/* A group made again under its path, before its end was told: what it needed of its parent ends. */
static void test_actuator_replaced_group_lowers_its_ancestors(void **state)
{
	char path[PATH_MAX], aside[PATH_MAX];
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_MEMORY_MIN_BYTES, 8192, 0));
	assert_knob(&world, "pods", "memory.min", "8192");
	weight_path(&world, "", path);
	(void)snprintf(aside, sizeof(aside), "%s/aside", world.dir);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	world_set(&world, "pods/a", "cpu.weight", "250");
	assert_ok(world_claim_at(&world, "one", 99, "pods/a", KNOB_CPU_WEIGHT, 20, 0));
	assert_knob(&world, "pods", "memory.min", "0");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_append_after_an_aborted_compaction_is_written),
		cmocka_unit_test(test_journal_with_an_unknown_record_is_compacted),
		cmocka_unit_test(test_actuator_new_unreadable_knob_keeps_its_original),
		cmocka_unit_test(test_restore_journal_of_two_records_the_later_counts),
		cmocka_unit_test(test_actuator_new_after_a_compaction_writes_what_failed),
		cmocka_unit_test(test_actuator_reconcile_first_look_comes_after_one_interval),
		cmocka_unit_test(test_actuator_replaced_group_lowers_its_ancestors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
