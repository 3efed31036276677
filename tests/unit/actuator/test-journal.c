/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/journal/journal.h"
#include "actuator/journal/record.h"
#include "berth-test.h"
#include "fixture-copy.h"
#include "limit.h"
#include "macro.h"

struct bench {
	char dir[32];
	int fd;
};

static void bench_open(struct bench *bench)
{
	*bench = (struct bench){ .dir = "/tmp/berth-journal.XXXXXX" };
	assert_non_null(mkdtemp(bench->dir));
	bench->fd = open(bench->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(bench->fd >= 0);
}

static void bench_close(struct bench *bench)
{
	(void)close(bench->fd);
	fixture_remove(bench->dir);
}

static size_t file_size(const struct bench *bench, const char *name)
{
	struct stat st;

	return fstatat(bench->fd, name, &st, 0) < 0 ? SIZE_MAX : (size_t)st.st_size;
}

static void file_append(const struct bench *bench, const void *data, size_t size)
{
	int fd = openat(bench->fd, JOURNAL_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, data, size), size);
	(void)close(fd);
}

static struct journal_record sample(const char *path)
{
	return (struct journal_record){
		.inode = 42,
		.number = UINT64_MAX,
		.knob = 3,
		.version = 2,
		.flags = JOURNAL_LOCKED,
		.path = path,
		.original = "max 100000",
		.previous = "",
		.next = "5000 100000",
		.owner = "colocation",
	};
}

struct found {
	unsigned int count;
	char paths[256];
};

static void find(void *data, struct journal *journal, const struct journal_record *record,
		 const struct journal_slot *slot)
{
	struct found *found = data;

	(void)journal;
	assert_true(slot->id != 0 && slot->id == record->id);
	found->count++;
	(void)strncat(found->paths, record->path, sizeof(found->paths) - 1 - strlen(found->paths));
	(void)strncat(found->paths, " ", sizeof(found->paths) - 1 - strlen(found->paths));
}

static struct found reopen(struct bench *bench, struct journal_found *ret_found,
			   struct journal **ret)
{
	struct found found = { 0 };

	assert_ok(journal_open(bench->fd, ret_found, find, &found, ret));
	return found;
}

static void test_journal_decode_encoded_is_the_same(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record record = sample("a/b"), back;

	(void)state;
	record.id = 7;
	journal_encode(&buffer, &record);
	assert_int_equal(journal_decode(buffer.text, buffer.length, &back), buffer.length);
	assert_int_equal(back.id, 7);
	assert_int_equal(back.inode, 42);
	assert_true(back.number == UINT64_MAX);
	assert_int_equal(back.flags, JOURNAL_LOCKED);
	assert_false(back.released);
	assert_string_equal(back.path, "a/b");
	assert_string_equal(back.original, "max 100000");
	assert_string_equal(back.previous, "");
	assert_string_equal(back.next, "5000 100000");
	assert_string_equal(back.owner, "colocation");
}

static void test_journal_decode_every_cut_is_incomplete(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record record = sample("a"), back;

	(void)state;
	record.id = 7;
	journal_encode(&buffer, &record);
	for (size_t size = 1; size < buffer.length; size++)
		assert_errno(journal_decode(buffer.text, size, &back), EAGAIN);
}

static void test_journal_decode_every_flipped_byte_is_refused(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record record = sample("a"), back;

	(void)state;
	record.id = 7;
	journal_encode(&buffer, &record);
	for (size_t i = 0; i < buffer.length; i++) {
		buffer.text[i] ^= 0x40;
		assert_true(journal_decode(buffer.text, buffer.length, &back) < 0);
		buffer.text[i] ^= 0x40;
	}
}

static void test_journal_open_last_record_of_each_counts(void **state)
{
	struct journal_slot a = { 0 }, b = { 0 }, c = { 0 };
	struct journal_record record;
	struct journal *journal;
	struct found found;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	found = reopen(&bench, NULL, &journal);
	assert_int_equal(found.count, 0);
	record = sample("one");
	assert_ok(journal_append(journal, &record, &a));
	record = sample("two");
	assert_ok(journal_append(journal, &record, &b));
	record = sample("three");
	assert_ok(journal_append(journal, &record, &c));
	record = sample("uno");
	assert_ok(journal_append(journal, &record, &a));
	assert_ok(journal_release(journal, &b));
	assert_int_equal(b.id, 0);
	journal_free(journal);
	found = reopen(&bench, NULL, &journal);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.paths, "uno three ");
	/* The ids go on. */
	assert_ok(journal_append(journal, &record, &b));
	assert_true(b.id > c.id);
	journal_free(journal);
	bench_close(&bench);
}

static void test_journal_append_same_again_writes_nothing(void **state)
{
	struct journal_record record = sample("one");
	struct journal_slot slot = { 0 };
	struct journal *journal;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	assert_ok(journal_append(journal, &record, &slot));

	uint64_t bytes = journal_bytes(journal);

	assert_ok(journal_append(journal, &record, &slot));
	assert_int_equal(journal_bytes(journal), bytes);
	/* The last one released empties the file. */
	assert_ok(journal_release(journal, &slot));
	assert_int_equal(file_size(&bench, JOURNAL_NAME), 0);
	journal_free(journal);
	bench_close(&bench);
}

static void test_journal_open_torn_tail_is_cut_off(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record record = sample("Besteffort/B");

	(void)state;
	record.id = 9;
	journal_encode(&buffer, &record);
	for (size_t cut = 1; cut < buffer.length; cut++) {
		struct journal_found how = { 0 };
		struct journal_slot slot = { 0 };
		struct journal *journal;
		struct found found;
		struct bench bench;

		bench_open(&bench);
		(void)reopen(&bench, NULL, &journal);
		assert_ok(journal_append(journal, &record, &slot));

		size_t whole = (size_t)journal_bytes(journal);

		journal_free(journal);
		file_append(&bench, buffer.text, cut);
		found = reopen(&bench, &how, &journal);
		assert_int_equal(found.count, 1);
		assert_true(how.torn);
		assert_false(how.bad);
		assert_int_equal(file_size(&bench, JOURNAL_NAME), whole);
		assert_int_equal(file_size(&bench, JOURNAL_NAME_BAD), SIZE_MAX);
		journal_free(journal);
		(void)unlinkat(bench.fd, JOURNAL_NAME, 0);
		(void)close(bench.fd);
		assert_int_equal(rmdir(bench.dir), 0);
	}
}

static void test_journal_open_damaged_is_set_aside_and_salvaged(void **state)
{
	struct journal_slot a = { 0 }, b = { 0 };
	struct journal_record record = sample("one");
	struct journal_found how = { 0 };
	struct journal *journal;
	struct found found;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	assert_ok(journal_append(journal, &record, &a));
	file_append(&bench, "not a record", 12);
	journal_free(journal);
	(void)reopen(&bench, NULL, &journal);
	record = sample("two");
	assert_ok(journal_append(journal, &record, &b));
	journal_free(journal);
	file_append(&bench, "not a record", 12);
	found = reopen(&bench, &how, &journal);
	assert_true(how.bad);
	assert_string_equal(found.paths, "one two ");
	assert_true(file_size(&bench, JOURNAL_NAME_BAD) > file_size(&bench, JOURNAL_NAME));
	journal_free(journal);
	how.bad = false;
	found = reopen(&bench, &how, &journal);
	assert_false(how.bad);
	assert_int_equal(found.count, 2);
	journal_free(journal);
	bench_close(&bench);
}

static void test_journal_open_other_than_a_file_fails(void **state)
{
	struct journal *journal;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	assert_int_equal(symlinkat("/dev/null", bench.fd, JOURNAL_NAME), 0);
	assert_true(journal_open(bench.fd, NULL, NULL, NULL, &journal) < 0);
	assert_int_equal(unlinkat(bench.fd, JOURNAL_NAME, 0), 0);
	assert_int_equal(mkfifoat(bench.fd, JOURNAL_NAME, 0600), 0);
	assert_true(journal_open(bench.fd, NULL, NULL, NULL, &journal) < 0);
	bench_close(&bench);
}

static void test_journal_compaction_keeps_the_live_ones(void **state)
{
	struct journal_slot slots[2] = { 0 };
	struct journal_record record = sample("one");
	struct journal *journal;
	struct found found;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	while (!journal_wants_compaction(journal)) {
		record.number++;
		assert_ok(journal_append(journal, &record, &slots[0]));
		record.path = "two";
		assert_ok(journal_append(journal, &record, &slots[1]));
		record.path = "one";
		assert_true(journal_bytes(journal) < 1u << 20);
	}
	assert_true(journal_bytes(journal) > 64u * 1024);
	assert_ok(journal_compact_begin(journal));
	journal_compact_abort(journal);
	assert_int_equal(file_size(&bench, JOURNAL_NAME_NEW), SIZE_MAX);
	assert_ok(journal_compact_begin(journal));
	assert_ok(journal_compact_add(journal, &record, &slots[0]));
	record.path = "two";
	assert_ok(journal_compact_add(journal, &record, &slots[1]));
	assert_ok(journal_compact_end(journal));
	assert_true(journal_bytes(journal) < 1024);
	assert_false(journal_wants_compaction(journal));
	/* What comes after goes to the new file. */
	assert_ok(journal_release(journal, &slots[0]));
	journal_free(journal);
	found = reopen(&bench, NULL, &journal);
	assert_string_equal(found.paths, "two ");
	journal_free(journal);
	bench_close(&bench);
}

/* A text as large as a whole record may be; the caller's to free(). */
static char *too_large(void)
{
	char *large = malloc(JOURNAL_RECORD_MAX + 1);

	assert_non_null(large);
	memset(large, 'x', JOURNAL_RECORD_MAX);
	large[JOURNAL_RECORD_MAX] = '\0';
	return large;
}

static void test_journal_append_over_the_limit_fails_and_leaves_the_slot(void **state)
{
	struct journal_slot slot = { 0 };
	struct journal_record record = sample("one");
	char *large = too_large();
	struct journal *journal;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	record.original = large;
	assert_errno(journal_append(journal, &record, &slot), E2BIG);
	assert_int_equal(slot.id, 0);
	assert_int_equal(journal_bytes(journal), 0);
	journal_free(journal);
	bench_close(&bench);
	free(large);
}

/* A record that takes that many bytes of the file. */
static void append_bytes(struct journal *journal, struct journal_slot *slot, uint64_t bytes)
{
	struct journal_record record = { .path = "p", .original = "" };
	cleanup_strbuf struct strbuf empty = { 0 };
	char *original;

	journal_encode(&empty, &record);
	original = malloc(bytes - empty.length + 1);
	assert_non_null(original);
	memset(original, 'x', bytes - empty.length);
	original[bytes - empty.length] = '\0';
	record.original = original;
	assert_ok(journal_append(journal, &record, slot));
	free(original);
}

/* What is larger than that is not read again, with all the originals in it. */
static void test_journal_release_in_a_full_journal_keeps_within_the_limit(void **state)
{
	struct journal_slot slots[32] = { 0 };
	struct journal_found how = { 0 };
	struct journal *journal;
	struct found found;
	struct bench bench;
	size_t count = 0;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	while (journal_bytes(journal) < LIMIT_JOURNAL_BYTES) {
		uint64_t room = LIMIT_JOURNAL_BYTES - journal_bytes(journal);

		assert_true(count < ARRAY_SIZE(slots));
		append_bytes(journal, &slots[count++], MIN(room, JOURNAL_RECORD_MAX / 2));
	}
	assert_int_equal(file_size(&bench, JOURNAL_NAME), LIMIT_JOURNAL_BYTES);
	assert_errno(journal_release(journal, &slots[0]), ENOSPC);
	assert_int_equal(slots[0].id, 0);
	assert_int_equal(file_size(&bench, JOURNAL_NAME), LIMIT_JOURNAL_BYTES);
	journal_free(journal);
	found = reopen(&bench, &how, &journal);
	assert_false(how.bad);
	assert_int_equal(found.count, count);
	journal_free(journal);
	bench_close(&bench);
}

/* It would not be read again, and its last one that could be would be gone. */
static void test_journal_compact_add_of_too_large_a_record_fails(void **state)
{
	struct journal_record record = sample("one");
	char *large = too_large();
	struct journal_slot slot = { 0 };
	struct journal *journal;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	assert_ok(journal_append(journal, &record, &slot));
	record.original = large;
	assert_ok(journal_compact_begin(journal));
	assert_errno(journal_compact_add(journal, &record, &slot), E2BIG);
	journal_compact_abort(journal);
	journal_free(journal);
	assert_int_equal(reopen(&bench, NULL, &journal).count, 1);
	journal_free(journal);
	bench_close(&bench);
	free(large);
}

static void keep(void *data, struct journal *journal, const struct journal_record *record,
		 const struct journal_slot *slot)
{
	(void)data;
	(void)slot;
	assert_ok(journal_keep(journal, record));
}

static void test_journal_compaction_carries_over_what_is_kept(void **state)
{
	struct journal_record record = sample("theirs");
	struct journal_slot theirs = { 0 }, ours = { 0 };
	struct journal *journal;
	struct found found;
	struct bench bench;

	(void)state;
	bench_open(&bench);
	(void)reopen(&bench, NULL, &journal);
	assert_ok(journal_append(journal, &record, &theirs));
	journal_free(journal);
	assert_ok(journal_open(bench.fd, NULL, keep, NULL, &journal));
	record = sample("ours");
	assert_ok(journal_append(journal, &record, &ours));
	for (unsigned int i = 0; i < 2; i++) {
		assert_ok(journal_compact_begin(journal));
		assert_ok(journal_compact_add(journal, &record, &ours));
		assert_ok(journal_compact_end(journal));
	}
	/* Nothing of ours is left, but the file is not empty. */
	assert_ok(journal_release(journal, &ours));
	journal_free(journal);
	found = reopen(&bench, NULL, &journal);
	assert_string_equal(found.paths, "theirs ");
	journal_free(journal);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_decode_encoded_is_the_same),
		cmocka_unit_test(test_journal_decode_every_cut_is_incomplete),
		cmocka_unit_test(test_journal_decode_every_flipped_byte_is_refused),
		cmocka_unit_test(test_journal_open_last_record_of_each_counts),
		cmocka_unit_test(test_journal_append_same_again_writes_nothing),
		cmocka_unit_test(test_journal_open_torn_tail_is_cut_off),
		cmocka_unit_test(test_journal_open_damaged_is_set_aside_and_salvaged),
		cmocka_unit_test(test_journal_open_other_than_a_file_fails),
		cmocka_unit_test(test_journal_compaction_keeps_the_live_ones),
		cmocka_unit_test(test_journal_append_over_the_limit_fails_and_leaves_the_slot),
		cmocka_unit_test(test_journal_release_in_a_full_journal_keeps_within_the_limit),
		cmocka_unit_test(test_journal_compact_add_of_too_large_a_record_fails),
		cmocka_unit_test(test_journal_compaction_carries_over_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
