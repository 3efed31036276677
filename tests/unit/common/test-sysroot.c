/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "sysroot.h"

static void test_sysroot_open_fixture_has_all(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	char path[PATH_MAX];

	(void)state;
	assert_ok(sysroot_open(fixture_path("k8s-v2", path, sizeof(path)), &root));
	assert_int_equal(faccessat(root.cgroup, "kubepods.slice", F_OK, 0), 0);
	assert_int_equal(faccessat(root.proc, "meminfo", F_OK, 0), 0);
	assert_int_equal(faccessat(root.sys, "fs/cgroup", F_OK, 0), 0);
	assert_int_equal(faccessat(root.root, "proc/meminfo", F_OK, 0), 0);
	assert_true(fcntl(root.root, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(root.cgroup, F_GETFD) & FD_CLOEXEC);
	sysroot_done(&root);
	assert_int_equal(root.root, -EBADF);
	assert_int_equal(root.cgroup, -EBADF);
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

static void test_sysroot_open_missing_directories_are_no_error(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	char path[PATH_MAX];

	(void)state;
	assert_ok(sysroot_open(fixture_path("none", path, sizeof(path)), &root));
	assert_int_equal(root.cgroup, -EBADF);
	assert_true(root.proc >= 0 && root.sys >= 0);
	sysroot_done(&root);
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
		cmocka_unit_test(test_sysroot_open_fixture_has_all),
		cmocka_unit_test(test_sysroot_open_empty_prefix_is_the_host),
		cmocka_unit_test(test_sysroot_open_missing_directories_are_no_error),
		cmocka_unit_test(test_sysroot_open_missing_prefix_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
