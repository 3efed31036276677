/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/actuator.h"
#include "actuator/history.h"
#include "berth-test.h"
#include "limit.h"

struct seen {
	uint64_t count, first, last;
	int result;
	char label[400], outcome[200], reason[400], argument[100];
};

static void on_entry(void *data, const struct history_view *view)
{
	struct seen *seen = data;

	if (seen->count++ == 0)
		seen->first = view->id;
	else
		assert_int_equal(view->id, seen->last + 1);
	seen->last = view->id;
	seen->result = view->result;
	(void)snprintf(seen->label, sizeof(seen->label), "%s", view->label);
	(void)snprintf(seen->outcome, sizeof(seen->outcome), "%s", view->outcome);
	(void)snprintf(seen->reason, sizeof(seen->reason), "%s", view->reason);
	(void)snprintf(seen->argument, sizeof(seen->argument), "%s", view->argument);
	assert_true(view->time_realtime_usec > 0);
}

static uint64_t add(struct history *history, const char *label, const char *reason)
{
	const struct history_view view = {
		.owner = "colocation",
		.label = label,
		.what = "kill",
		.reason = reason,
		.outcome = "started",
	};

	return history_add(history, &view);
}

static void test_history_add_entries_come_back_oldest_first(void **state)
{
	struct history *history = NULL;
	struct seen seen = { .count = 0 };

	(void)state;
	assert_ok(history_new(&history));
	history_each(history, on_entry, &seen);
	assert_int_equal(seen.count, 0);
	(void)add(history, "batch/job-1", "a");
	(void)add(history, "batch/job-2", "b");
	history_each(history, on_entry, &seen);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.first, 1);
	assert_string_equal(seen.label, "batch/job-2");
	assert_string_equal(seen.argument, "");
	assert_null(history_free(history));
	assert_null(history_free(NULL));
}

static void test_history_finish_changes_that_entry_only(void **state)
{
	struct history *history = NULL;
	struct seen seen = { .count = 0 };
	uint64_t id;

	(void)state;
	assert_ok(history_new(&history));
	(void)add(history, "one", "a");
	id = add(history, "two", "b");
	history_finish(history, id, "done", -EIO);
	history_finish(history, 1, "other", 7);
	history_finish(history, 0, "none", 8);
	history_finish(history, id + 1, "none", 9);
	history_each(history, on_entry, &seen);
	assert_string_equal(seen.outcome, "done");
	assert_string_equal(seen.label, "two");
	assert_string_equal(seen.reason, "b");
	assert_int_equal(seen.result, -EIO);
	history_free(history);
}

static void test_history_add_over_limit_drops_the_oldest(void **state)
{
	struct history *history = NULL;
	struct seen seen = { .count = 0 };

	(void)state;
	assert_ok(history_new(&history));
	for (unsigned int i = 0; i < LIMIT_HISTORY + 10; i++)
		(void)add(history, "pod", "x");
	history_finish(history, 10, "dropped since", 1);
	history_finish(history, LIMIT_HISTORY + 10, "newest", 2);
	history_each(history, on_entry, &seen);
	assert_int_equal(seen.count, LIMIT_HISTORY);
	assert_int_equal(seen.first, 11);
	assert_int_equal(seen.last, LIMIT_HISTORY + 10);
	assert_string_equal(seen.outcome, "newest");
	history_free(history);
}

static void test_history_add_long_text_is_cut_between_characters(void **state)
{
	struct history *history = NULL;
	struct seen seen = { .count = 0 };
	char reason[1000];
	size_t length;

	(void)state;
	/* Two bytes a character, so that one of both alignments would be split. */
	for (size_t shift = 0; shift < 2; shift++) {
		memset(reason, 'x', shift);
		for (size_t i = shift; i + 2 < sizeof(reason); i += 2)
			memcpy(reason + i, "\xc3\xa9", 3);
		assert_ok(history_new(&history));
		(void)add(history, "pod", reason);
		history_each(history, on_entry, &seen);
		length = strlen(seen.reason);
		assert_true(length < LIMIT_REASON && length > LIMIT_REASON - 6);
		assert_string_equal(seen.reason + length - 3, "...");
		assert_int_equal((length - 3 - shift) % 2, 0);
		assert_memory_equal(seen.reason, reason, length - 3);
		history = history_free(history);
		seen.count = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history_add_entries_come_back_oldest_first),
		cmocka_unit_test(test_history_finish_changes_that_entry_only),
		cmocka_unit_test(test_history_add_over_limit_drops_the_oldest),
		cmocka_unit_test(test_history_add_long_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
