/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "cleanup.h"
#include "file.h"
#include "fixture-copy.h"
#include "macro.h"

struct scratch {
	char path[32];
	int fd;
};

static int scratch_setup(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return -1;
	(void)snprintf(scratch->path, sizeof(scratch->path), "/tmp/berth-test.XXXXXX");
	if (!mkdtemp(scratch->path))
		return -1;
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = scratch;
	return scratch->fd < 0 ? -1 : 0;
}

static int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;

	(void)close(scratch->fd);
	fixture_remove(scratch->path);
	free(scratch);
	return 0;
}

static int file_make(void **state, const void *data, size_t size)
{
	const struct scratch *scratch = *state;
	int fd = openat(scratch->fd, "file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(close(fd), 0);
	return scratch->fd;
}

static int text_make(void **state, const char *text)
{
	return file_make(state, text, strlen(text));
}

static void test_file_read_one_newline_is_cut(void **state)
{
	char text[16] = "";

	assert_int_equal(file_read(text_make(state, "abc\n"), "file", text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(file_read(text_make(state, "abc\n\n"), "file", text, sizeof(text)), 4);
	assert_string_equal(text, "abc\n");
	assert_int_equal(file_read(text_make(state, "abc"), "file", text, sizeof(text)), 3);
	assert_int_equal(file_read(text_make(state, ""), "file", text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void test_file_read_boundary_of_the_buffer(void **state)
{
	char text[4];

	assert_int_equal(file_read(text_make(state, "abc"), "file", text, 4), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(file_read(text_make(state, "abc\n"), "file", text, 4), 3);
	assert_string_equal(text, "abc");
	assert_errno(file_read(text_make(state, "abcd"), "file", text, 4), ENOSPC);
	assert_errno(file_read(text_make(state, "abc\n\n"), "file", text, 4), ENOSPC);
	assert_errno(file_read(text_make(state, "a"), "file", text, 0), ENOSPC);
}

static void test_file_read_missing_is_an_error(void **state)
{
	const struct scratch *scratch = *state;
	char text[4];

	assert_errno(file_read(scratch->fd, "none", text, sizeof(text)), ENOENT);
	assert_errno(file_read(-EBADF, "none", text, sizeof(text)), EBADF);
	assert_int_equal(mkdirat(scratch->fd, "directory", 0700), 0);
	assert_errno(file_read(scratch->fd, "directory", text, sizeof(text)), EISDIR);
}

static void test_file_read_all_sizes_are_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 100000, FILE_READ_MAX };
	char *data = malloc(FILE_READ_MAX + 1);

	assert_non_null(data);
	for (size_t i = 0; i < FILE_READ_MAX + 1; i++)
		data[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *text = NULL;
		size_t length = 0;

		assert_ok(file_read_all(file_make(state, data, sizes[i]), "file", &text, &length));
		assert_int_equal(length, sizes[i]);
		assert_memory_equal(text, data, length);
		assert_int_equal(text[length], '\0');
		free(text);
	}
	char *untouched = NULL;

	assert_errno(
		file_read_all(file_make(state, data, FILE_READ_MAX + 1), "file", &untouched, NULL),
		EFBIG);
	assert_null(untouched);
	free(data);
}

static void test_file_read_fd_keeps_to_its_limit_and_its_place(void **state)
{
	int dirfd = file_make(state, "0123456789", 10);
	cleanup_close int fd = openat(dirfd, "file", O_RDONLY | O_CLOEXEC);
	cleanup_free char *whole = NULL, *rest = NULL, *none = NULL;
	size_t length = 0;

	assert_ok(fd);
	assert_errno(file_read_fd(fd, 9, &none, &length), EFBIG);
	assert_null(none);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_ok(file_read_fd(fd, 10, &whole, &length));
	assert_string_equal(whole, "0123456789");
	assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
	assert_ok(file_read_fd(fd, 10, &rest, &length));
	assert_string_equal(rest, "789");
	assert_int_equal(length, 3);
}

static void test_file_read_u64_table_matches(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t number;
	} cases[] = {
		{ "0\n", 0, 0 },
		{ "100", 0, 100 },
		{ "max\n", 0, UINT64_MAX },
		{ "9223372036854771712\n", 0, 9223372036854771712ULL },
		{ "", EINVAL, 0 },
		{ "\n", EINVAL, 0 },
		{ "1\n\n", EINVAL, 0 },
		{ "-1\n", EINVAL, 0 },
		{ "max 100000\n", EINVAL, 0 },
		{ "18446744073709551616\n", ERANGE, 0 },
		{ "                                                                   1\n", EINVAL,
		  0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t number = 7;
		int r = file_read_u64(text_make(state, cases[i].text), "file", &number);

		if (r != -cases[i].error || number != (cases[i].error ? 7 : cases[i].number))
			fail_msg("'%s': %d, %llu", cases[i].text, r, (unsigned long long)number);
	}
}

static void test_file_read_u64_nul_in_file_is_refused(void **state)
{
	uint64_t number = 7;

	assert_errno(file_read_u64(file_make(state, "1\0002", 3), "file", &number), EINVAL);
	assert_int_equal(number, 7);
}

struct names {
	unsigned int count;
	bool a, b;
	int result;
};

static int names_add(void *data, const char *name)
{
	struct names *names = data;

	names->count++;
	names->a |= strcmp(name, "a") == 0;
	names->b |= strcmp(name, "b\\x2dc") == 0;
	return names->result;
}

static void test_file_each_directory_only_directories(void **state)
{
	const struct scratch *scratch = *state;
	struct names names = { 0 };

	assert_int_equal(mkdirat(scratch->fd, "top", 0700), 0);
	assert_int_equal(mkdirat(scratch->fd, "top/a", 0700), 0);
	assert_int_equal(mkdirat(scratch->fd, "top/b\\x2dc", 0700), 0);
	assert_int_equal(symlinkat("a", scratch->fd, "top/link"), 0);
	assert_int_equal(close(openat(scratch->fd, "top/file", O_CREAT | O_WRONLY, 0600)), 0);
	assert_ok(file_each_directory(scratch->fd, "top", names_add, &names));
	assert_int_equal(names.count, 2);
	assert_true(names.a && names.b);

	names = (struct names){ .result = -ECANCELED };
	assert_errno(file_each_directory(scratch->fd, "top", names_add, &names), ECANCELED);
	assert_int_equal(names.count, 1);
	assert_errno(file_each_directory(scratch->fd, "none", names_add, &names), ENOENT);
	assert_errno(file_each_directory(scratch->fd, "top/file", names_add, &names), ENOTDIR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_read_one_newline_is_cut),
		TEST(test_file_read_boundary_of_the_buffer),
		TEST(test_file_read_missing_is_an_error),
		TEST(test_file_read_all_sizes_are_whole),
		TEST(test_file_read_fd_keeps_to_its_limit_and_its_place),
		TEST(test_file_read_u64_table_matches),
		TEST(test_file_read_u64_nul_in_file_is_refused),
		TEST(test_file_each_directory_only_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
