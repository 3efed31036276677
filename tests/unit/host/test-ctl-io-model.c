/* SPDX-License-Identifier: Apache-2.0 */
/* `berthctl io-model`: where it measures, what it refuses, and that it leaves nothing behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "fixture-copy.h"
#include "io-model/io-model.h"

/* Below the build directory: /tmp may be a tmpfs, which knows no direct IO before 6.6. */
static char place[] = "io-model-test.XXXXXX";

static int place_make(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(place));
	return 0;
}

static int place_unmake(void **state)
{
	(void)state;
	fixture_remove(place);
	return 0;
}

static unsigned int files_in_place(void)
{
	const struct dirent *entry;
	DIR *directory = opendir(place);
	unsigned int count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	(void)closedir(directory);
	return count;
}

static struct io_model_options short_options(const volatile int *stop)
{
	return (struct io_model_options){ .file_bytes = 16u << 20,
					  .step_usec = 100000,
					  .stop = stop };
}

static bool place_open(struct io_model_place *ret)
{
	char error[1200];
	int r = io_model_open(place, false, ret, error, sizeof(error));

	if (r == -EINVAL) {
		print_message("skipped: no direct IO here: %s\n", error);
		return false;
	}
	assert_ok(r);
	return true;
}

static unsigned int told, told_last;

static void note_progress(const char *what, unsigned int percent)
{
	assert_non_null(what);
	assert_true(percent >= told_last && percent <= 100);
	told_last = percent;
	told++;
}

static void test_measure_gives_six_numbers_and_leaves_nothing(void **state)
{
	struct io_model_options options = short_options(NULL);
	uint64_t values[IO_MODEL_VALUES] = { 0 };
	struct io_model_place found;

	(void)state;
	if (!place_open(&found))
		skip();
	assert_int_equal(files_in_place(), 0);
	options.progress = note_progress;
	assert_ok(io_model_measure(&found, &options, values));
	for (unsigned int i = 0; i < IO_MODEL_VALUES; i++)
		assert_true(values[i] > 1);
	/* Bytes of large requests, and numbers of small ones. */
	assert_true(values[IO_MODEL_RBPS] > values[IO_MODEL_RSEQIOPS]);
	assert_true(told >= 7);
	(void)close(found.fd);
	assert_int_equal(files_in_place(), 0);
}

static void test_measure_ends_when_told(void **state)
{
	static const volatile int stop = 1;
	struct io_model_options options = short_options(&stop);
	uint64_t values[IO_MODEL_VALUES];
	struct io_model_place found;

	(void)state;
	if (!place_open(&found))
		skip();
	assert_errno(io_model_measure(&found, &options, values), ECANCELED);
	(void)close(found.fd);
	assert_int_equal(files_in_place(), 0);
}

static void test_measure_refuses_more_than_there_is_room(void **state)
{
	struct io_model_options options = short_options(NULL);
	uint64_t values[IO_MODEL_VALUES];
	struct io_model_place found;

	(void)state;
	if (!place_open(&found))
		skip();
	options.file_bytes = UINT64_C(1) << 62;
	assert_errno(io_model_measure(&found, &options, values), ENOSPC);
	(void)close(found.fd);
}

static void test_measure_of_a_full_disk_tells(void **state)
{
	struct io_model_options options = short_options(NULL);
	uint64_t values[IO_MODEL_VALUES];
	struct io_model_place full = { .bytes = UINT64_C(1) << 40 };

	(void)state;
	full.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_true(full.fd >= 0);
	assert_errno(io_model_measure(&full, &options, values), ENOSPC);
	(void)close(full.fd);
}

static void test_open_refuses_what_it_would_overwrite(void **state)
{
	struct io_model_place found;
	char path[64], error[1200];
	struct stat before, after;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/precious", place);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "data", 4), 4);
	(void)close(fd);
	assert_int_equal(stat(path, &before), 0);
	assert_errno(io_model_open(path, false, &found, error, sizeof(error)), EEXIST);
	assert_non_null(strstr(error, "say a directory"));
	/* --destructive is about devices, and no file is one. */
	assert_errno(io_model_open(path, true, &found, error, sizeof(error)), EEXIST);
	assert_errno(io_model_open("/dev/null", true, &found, error, sizeof(error)), EEXIST);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(unlink(path), 0);
	/* The same name without its file: a slip of the pen, not another directory to measure. */
	assert_errno(io_model_open(path, false, &found, error, sizeof(error)), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_measure_gives_six_numbers_and_leaves_nothing),
		cmocka_unit_test(test_measure_ends_when_told),
		cmocka_unit_test(test_measure_refuses_more_than_there_is_room),
		cmocka_unit_test(test_measure_of_a_full_disk_tells),
		cmocka_unit_test(test_open_refuses_what_it_would_overwrite),
	};

	return cmocka_run_group_tests(tests, place_make, place_unmake);
}
