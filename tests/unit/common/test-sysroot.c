/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "sysroot.h"

static void test_sysroot_open_fixture_is_what_paths_are_below(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	char path[PATH_MAX];

	(void)state;
	assert_ok(sysroot_open(fixture_path("k8s-v2", path, sizeof(path)), &root));
	assert_int_equal(faccessat(root.root, "proc/meminfo", F_OK, 0), 0);
	assert_true(fcntl(root.root, F_GETFD) & FD_CLOEXEC);
	sysroot_done(&root);
	assert_int_equal(root.root, -EBADF);
	sysroot_done(&root);
	sysroot_done(NULL);
}

static void test_sysroot_open_empty_prefix_is_the_host(void **state)
{
	struct sysroot root = SYSROOT_NULL, again = SYSROOT_NULL;
	struct stat opened, host;

	(void)state;
	assert_ok(sysroot_open(NULL, &root));
	assert_ok(sysroot_open("", &again));
	assert_int_equal(stat("/", &host), 0);
	assert_int_equal(fstat(root.root, &opened), 0);
	assert_true(opened.st_ino == host.st_ino && opened.st_dev == host.st_dev);
	assert_int_equal(fstat(again.root, &opened), 0);
	assert_true(opened.st_ino == host.st_ino && opened.st_dev == host.st_dev);
	sysroot_done(&root);
	sysroot_done(&again);
}

static void test_sysroot_open_missing_prefix_is_refused(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	char path[PATH_MAX];

	(void)state;
	assert_errno(sysroot_open(fixture_path("no-such", path, sizeof(path)), &root), ENOENT);
	fixture_path("none/proc/stat", path, sizeof(path));
	assert_errno(sysroot_open(path, &root), ENOTDIR);
	assert_int_equal(root.root, -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sysroot_open_fixture_is_what_paths_are_below),
		cmocka_unit_test(test_sysroot_open_empty_prefix_is_the_host),
		cmocka_unit_test(test_sysroot_open_missing_prefix_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
