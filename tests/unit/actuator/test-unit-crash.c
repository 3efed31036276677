/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon that is gone left in systemd, and how it comes back. */
#include "actuator/unit/property.h"
#include "berth-test.h"
#include "monotonic.h"
#include "unit-world.h"

struct reported {
	unsigned int restored, failed;
	char last[128];
};

static void report(void *data, const char *path, const char *what, int result)
{
	struct reported *reported = data;

	if (!strstr(what, "in systemd"))
		return;
	assert_string_equal(path, BATCH);
	reported->restored += result > 0;
	reported->failed += result < 0;
	(void)snprintf(reported->last, sizeof(reported->last), "%s", what);
}

static int restore(struct rig *rig, struct reported *ret)
{
	*ret = (struct reported){ 0 };
	return actuator_restore_journal(&rig->world.root, &rig->world.hierarchy,
					rig->world.runtime_fd, report, ret);
}

/* Gone without a word: its records are all that is left. */
static void crash(struct rig *rig)
{
	world_stop(&rig->world);
}

static void test_restore_journal_undoes_the_property(void **state)
{
	struct reported reported;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(reported.restored, 1);
	assert_string_equal(reported.last, "CPUWeight of batch.slice in systemd");
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	/* Nothing is left to do. */
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(reported.restored, 0);
	rig_close(&rig);
}

static void test_restore_journal_without_an_answer_is_kept_for_later(void **state)
{
	struct reported reported;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	manager_stop(&rig.manager);
	assert_int_equal(restore(&rig, &reported), 1);
	assert_int_equal(reported.failed, 1);
	/* The file does not depend on it. */
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	manager_start(&rig.manager);
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	rig_close(&rig);
}

static void test_restore_all_mute_systemd_leaves_a_record(void **state)
{
	struct reported reported;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig.manager.state->mute = true;
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 1);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_int_equal(rig_told(&rig, "systemd", "cannot be told"), 1);
	rig.manager.state->mute = false;
	crash(&rig);
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(reported.restored, 1);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	rig_close(&rig);
}

static void test_restart_same_claim_sets_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	world_start(&rig.world);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	assert_string_equal(rig_setting(&rig), "CPUWeight=idle of batch.slice");
	assert_int_equal(rig.manager.state->sets, 1);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void append_again(void *data, struct journal *journal, const struct journal_record *record,
			 const struct journal_slot *slot)
{
	struct journal_slot again = { 0 };
	unsigned int *units = data;

	(void)slot;
	if (record->knob < JOURNAL_UNIT)
		return;
	(*units)++;
	assert_ok(journal_append(journal, record, &again));
}

/* A record that could not be released, on a full file system, and a later one of the same. */
static void test_restart_of_two_records_the_later_counts(void **state)
{
	struct journal *journal;
	unsigned int units = 0;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	assert_ok(journal_open(rig.world.runtime_fd, NULL, append_again, &units, &journal));
	(void)journal_free(journal);
	assert_int_equal(units, 1);
	world_start(&rig.world);
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_restart_what_nobody_claims_is_undone(void **state)
{
	uint64_t weight, begin;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	rig.world.options.previous_lease_usec = 2 * USEC_PER_SEC;
	/* As the loop knows it, of its last turn. */
	assert_ok(sd_event_now(rig.world.event, CLOCK_MONOTONIC, &begin));
	world_start(&rig.world);
	rig_run(&rig);
	weight = rig_unit(&rig)->weight;
	/* Unless the lease is over by then, on a machine that stood still. */
	if (monotonic_usec() < begin + 2 * USEC_PER_SEC)
		assert_int_equal(weight, 0);
	world_until(&rig.world, rig_unit(&rig)->weight == BATCH_WANTS);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_restart_dry_undoes_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	rig.world.options.dry_run = true;
	world_start(&rig.world);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	rig_close(&rig);
}

/* The pod ended while no daemon ran. */
static void test_restart_unit_that_is_gone_is_forgotten(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	crash(&rig);
	rig_group_remove(&rig.world, BATCH);
	rig_unit(&rig)->name[0] = '\0';
	world_start(&rig.world);
	rig_run(&rig);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void count_record(void *data, struct journal *journal, const struct journal_record *record,
			 const struct journal_slot *slot)
{
	unsigned int *counts = data;

	(void)journal;
	(void)slot;
	counts[record->knob >= JOURNAL_UNIT]++;
}

/* A version without them passes over records beyond KNOB_MAX; one that compacts keeps them. */
static void test_journal_records_of_units_are_beyond_the_knobs(void **state)
{
	struct journal *journal = NULL;
	unsigned int counts[2] = { 0 };
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	assert_true(JOURNAL_UNIT >= KNOB_MAX);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	/* More than 64 kB of garbage: the journal is written anew on the way. */
	for (uint64_t i = 0; i < 600; i++)
		assert_ok(world_claim(&rig.world, "one", WORLD_A, KNOB_CPU_WEIGHT, 10 + i % 90, 0));
	assert_true(world_stats(&rig.world).journal_bytes < 80 * 1024);
	crash(&rig);
	assert_ok(journal_open(rig.world.runtime_fd, NULL, count_record, counts, &journal));
	(void)journal_free(journal);
	assert_int_equal(counts[0], 3); /* cpu.idle, the weight under it, and the weight of a */
	assert_int_equal(counts[1], 1);
	rig_close(&rig);
}

static void test_journal_record_that_lies_is_left(void **state)
{
	static const struct journal_record bad[] = {
		{ .knob = JOURNAL_UNIT + UNIT_PROPERTY_MAX },
		{ .knob = JOURNAL_UNIT, .path = "../../etc/batch.slice" },
		{ .knob = JOURNAL_UNIT, .path = "pods/other.slice" },
		{ .knob = JOURNAL_UNIT, .original = "seventy" },
		{ .knob = JOURNAL_UNIT, .next = "" },
	};
	struct journal *journal = NULL;
	struct reported reported;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_stop(&rig.world);
	assert_ok(journal_open(rig.world.runtime_fd, NULL, NULL, NULL, &journal));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct journal_record record = bad[i];
		struct journal_slot slot = { 0 };

		record.path = record.path ? record.path : BATCH;
		record.original = record.original ? record.original : "77";
		record.previous = "77";
		record.next = record.next ? record.next : "0";
		record.owner = "batch.slice";
		assert_ok(journal_append(journal, &record, &slot));
	}
	(void)journal_free(journal);
	rig_unit(&rig)->weight = 0;
	assert_int_equal(restore(&rig, &reported), 1);
	world_start(&rig.world);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	assert_int_equal(rig.manager.state->sets, 0);
	rig_close(&rig);
}

/* Left of an undoing that systemd never answered: the texts of then, and a group that others have
 * had since. */
static void restore_texts(uint32_t seconds, const char *expected)
{
	struct journal_record record = {
		.knob = JOURNAL_UNIT + UNIT_CPU_WEIGHT,
		.version = seconds,
		.path = BATCH,
		.original = "77 cpu.quota=50000 100000;",
		.previous = "77",
		.next = "20",
		.owner = "batch.slice",
	};
	struct journal_slot slot = { 0 };
	struct journal *journal = NULL;
	struct reported reported;
	char path[PATH_MAX];
	struct stat st;
	struct rig rig;

	rig_open_or_skip(&rig, 2);
	world_stop(&rig.world);
	world_path(&rig.world, BATCH, "", path, sizeof(path));
	assert_ok(stat(path, &st));
	record.inode = st.st_ino;
	assert_ok(journal_open(rig.world.runtime_fd, NULL, NULL, NULL, &journal));
	assert_ok(journal_append(journal, &record, &slot));
	(void)journal_free(journal);
	world_set(&rig.world, BATCH, "cpu.max", "30000 100000");
	rig_unit(&rig)->weight = 20;
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.max", expected);
	rig_close(&rig);
}

static void test_restore_journal_old_texts_of_files_are_not_put_back(void **state)
{
	(void)state;
	restore_texts((uint32_t)(monotonic_usec() / USEC_PER_SEC) + 1, "50000 100000");
	/* Of a version that did not say when. */
	restore_texts(0, "50000 100000");
	/* Older than can be. */
	restore_texts(UINT32_MAX, "30000 100000");
}

static unsigned int steps_left, steps_seen;

static void step_or_die(const char *step)
{
	(void)step;
	steps_seen++;
	if (steps_left > 0 && --steps_left == 0)
		(void)raise(SIGKILL);
}

static void day(struct rig *rig)
{
	actuator_failpoint = step_or_die;
	/* One that has no property, and is written over with those that have. */
	rig_claim(rig, KNOB_CPU_QUOTA_USEC, 12345);
	rig_claim(rig, KNOB_CPU_WEIGHT, 20);
	rig_run(rig);
	rig_claim(rig, KNOB_CPU_IDLE, 1);
	rig_run(rig);
	rig_unclaim(rig, KNOB_CPU_IDLE);
	rig_run(rig);
	rig_unclaim(rig, KNOB_CPU_WEIGHT);
	rig_run(rig);
	rig_claim(rig, KNOB_CPU_WEIGHT, 20);
	rig_run(rig);
	(void)actuator_restore_all(rig->world.actuator, false);
	actuator_failpoint = NULL;
}

static void assert_untouched(struct rig *rig, unsigned int step, const char *how)
{
	const char *weight = world_get(&rig->world, BATCH, "cpu.weight");
	const char *idle = world_get(&rig->world, BATCH, "cpu.idle");
	const char *quota = world_get(&rig->world, BATCH, "cpu.max");

	if (rig_unit(rig)->weight != BATCH_WANTS || rig_unit(rig)->quota != UNSET ||
	    strcmp(weight, "250") != 0 || strcmp(idle, "0") != 0 ||
	    strcmp(quota, "max 100000") != 0)
		fail_msg("%s after a kill at step %u: CPUWeight %llu, cpu.weight %s, idle %s, "
			 "cpu.max %s",
			 how, step, (unsigned long long)rig_unit(rig)->weight, weight, idle, quota);
}

static void child_dies_at(struct rig *rig, unsigned int step)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* A loop is of the process that made it. */
		if (sd_event_new(&rig->world.event) < 0)
			_exit(1);
		world_start(&rig->world);
		steps_left = step;
		day(rig);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* A start takes longer than what the bus still holds of the dead one. */
	manager_wait_idle();
}

static void test_killed_at_every_step_everything_comes_back(void **state)
{
	struct reported reported;
	unsigned int steps;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	steps_left = steps_seen = 0;
	day(&rig);
	steps = steps_seen;
	assert_true(steps > 30);
	world_stop(&rig.world);
	for (unsigned int step = 1; step <= steps; step++) {
		child_dies_at(&rig, step);
		assert_int_equal(restore(&rig, &reported), 0);
		assert_untouched(&rig, step, "restored");
	}
	rig_close(&rig);
}

static void test_killed_at_every_step_gives_what_is_claimed_again(void **state)
{
	unsigned int steps;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	steps_left = steps_seen = 0;
	day(&rig);
	steps = steps_seen;
	world_stop(&rig.world);
	for (unsigned int step = 1; step <= steps; step++) {
		child_dies_at(&rig, step);
		world_start(&rig.world);
		rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
		rig_claim(&rig, KNOB_CPU_QUOTA_USEC, 12345);
		actuator_drop_owner(rig.world.actuator, "previous run");
		rig_run(&rig);
		if (rig_unit(&rig)->weight != 20 ||
		    strcmp(world_get(&rig.world, BATCH, "cpu.weight"), "20") != 0 ||
		    strcmp(world_get(&rig.world, BATCH, "cpu.idle"), "0") != 0)
			fail_msg("killed at step %u of %u: CPUWeight %llu, cpu.weight %s, idle %s",
				 step, steps, (unsigned long long)rig_unit(&rig)->weight,
				 world_get(&rig.world, BATCH, "cpu.weight"),
				 world_get(&rig.world, BATCH, "cpu.idle"));
		assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
		world_stop(&rig.world);
		assert_untouched(&rig, step, "stopped");
	}
	rig_close(&rig);
}

#define BY_HAND "12500 100000"

static void die_when_written(const char *step)
{
	if (strcmp(step, "unit-property-realized") == 0)
		(void)raise(SIGKILL);
}

/* While the property is set, not undone: what systemd has written over in passing comes back, be it
 * ours or somebody's. */
static void killed_while_systemd_writes(bool quota)
{
	struct reported reported;
	struct rig rig;
	int status = 0;
	pid_t pid;

	rig_open_or_skip(&rig, 2);
	world_stop(&rig.world);
	world_set(&rig.world, BATCH, "cpu.max", BY_HAND);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sd_event_new(&rig.world.event) < 0)
			_exit(1);
		world_start(&rig.world);
		if (quota)
			rig_claim(&rig, KNOB_CPU_QUOTA_USEC, 12345);
		rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
		actuator_failpoint = die_when_written;
		rig_run(&rig);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_knob(&rig.world, BATCH, "cpu.max", "max 100000");
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.max", BY_HAND);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	rig_close(&rig);
}

static void test_killed_while_systemd_writes_takes_no_text_of_others(void **state)
{
	(void)state;
	killed_while_systemd_writes(false);
	killed_while_systemd_writes(true);
}

/* And later those texts are of interest no more. */
static void test_killed_after_systemd_wrote_puts_no_text_back(void **state)
{
	struct reported reported;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "cpu.max", BY_HAND);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.max", BY_HAND);
	world_set(&rig.world, BATCH, "cpu.max", "30000 100000");
	crash(&rig);
	assert_int_equal(restore(&rig, &reported), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.max", "30000 100000");
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restore_journal_undoes_the_property),
		cmocka_unit_test(test_restore_journal_without_an_answer_is_kept_for_later),
		cmocka_unit_test(test_restore_all_mute_systemd_leaves_a_record),
		cmocka_unit_test(test_restart_same_claim_sets_nothing),
		cmocka_unit_test(test_restart_of_two_records_the_later_counts),
		cmocka_unit_test(test_restart_what_nobody_claims_is_undone),
		cmocka_unit_test(test_restart_dry_undoes_it),
		cmocka_unit_test(test_restart_unit_that_is_gone_is_forgotten),
		cmocka_unit_test(test_journal_records_of_units_are_beyond_the_knobs),
		cmocka_unit_test(test_journal_record_that_lies_is_left),
		cmocka_unit_test(test_restore_journal_old_texts_of_files_are_not_put_back),
		cmocka_unit_test(test_killed_while_systemd_writes_takes_no_text_of_others),
		cmocka_unit_test(test_killed_after_systemd_wrote_puts_no_text_back),
		cmocka_unit_test(test_killed_at_every_step_everything_comes_back),
		cmocka_unit_test(test_killed_at_every_step_gives_what_is_claimed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
