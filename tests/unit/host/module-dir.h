/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module-dir.h - a plugin directory of one's own with copies of the modules that were built for
 * tests. A copy has its own path, so that each test starts with fresh statics although nothing is
 * ever dlclose()d.
 */
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "berth-test.h"
#include "cleanup.h"
#include "fixture-copy.h"

static inline void module_copy_as(const char *dir, const char *module, const char *file)
{
	const char *modules = getenv("BERTH_TEST_MODULES");
	cleanup_close int from = -EBADF, to = -EBADF;
	char path[PATH_MAX];
	struct stat status;

	assert_non_null(modules);
	(void)snprintf(path, sizeof(path), "%s/%s.so", modules, module);
	from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		fail_msg("no test module '%s'", path);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_ok(to);
	assert_ok(fstat(from, &status));
	assert_int_equal(sendfile(to, from, NULL, (size_t)status.st_size), status.st_size);
	assert_ok(fchmod(to, 0644));
}

static inline void module_copy(const char *dir, const char *module)
{
	char file[NAME_MAX];

	(void)snprintf(file, sizeof(file), "%s.so", module);
	module_copy_as(dir, module, file);
}
