/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "berth-test.h"
#include "source/source.h"
#include "source/tree/glob.h"
#include "sysroot.h"
#include "tree.h"

static void test_globs_match_components_one_by_one(void **state)
{
	static const struct {
		const char *path;
		unsigned int match;
	} rows[] = {
		{ "", GLOB_INNER },
		{ "kubepods.slice", GLOB_INNER },
		{ "kubepods.slice/a", GLOB_INNER },
		{ "kubepods.slice/a/b", GLOB_TARGET },
		{ "kubepods.slice/a/b/c", 0 },
		{ "kubepods", 0 },
		{ "berth.demo/x", GLOB_TARGET },
		{ "berth.demo", GLOB_INNER | GLOB_TARGET },
		{ "berth.demo/x/y", 0 },
		{ "system.slice/a-1.service", GLOB_TARGET },
		{ "system.slice/a-10.service", 0 },
	};
	static const char *const bad[] = { "", "/a", "a//b", "a/", "../a", "a/./b" };
	struct globs globs = { 0 };

	(void)state;
	assert_ok(globs_add(&globs, "kubepods.slice/*/*"));
	assert_ok(globs_add(&globs, "berth.demo/*"));
	assert_ok(globs_add(&globs, "berth.[d]emo"));
	assert_ok(globs_add(&globs, "system.slice/a-?.service"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (globs_match(&globs, rows[i].path) != rows[i].match)
			fail_msg("'%s' gives %u", rows[i].path, globs_match(&globs, rows[i].path));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(globs_add(&globs, bad[i]), EINVAL);
	assert_errno(globs_add(&globs,
			       "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"
			       "a/a"),
		     EINVAL);
	assert_int_equal(globs.count, 4);
	globs_done(&globs);
}

static uint64_t cpu_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static void settle(sd_event *event)
{
	int r;

	do {
		r = sd_event_run(event, 0);
		assert_ok(r);
	} while (r > 0);
}

static void make_and_remove(sd_event *event, const struct registry *registry, int fd,
			    const char *group)
{
	uint64_t start = cpu_usec();

	for (unsigned int i = 0; i < 100; i++) {
		assert_ok(mkdirat(fd, group, 0755));
		settle(event);
		assert_int_equal(registry->count, 1);
		assert_ok(unlinkat(fd, group, AT_REMOVEDIR));
		settle(event);
		assert_int_equal(registry->count, 0);
	}
	print_message("# 100 groups made and removed: %llu us of CPU\n",
		      (unsigned long long)(cpu_usec() - start));
}

/* The real thing: kernfs sends less than a file system does (watch-tree.h). */
static void test_cgroupfs_host_hierarchies_are_followed(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	struct hierarchy hierarchy;
	struct tree *tree = tree_new(1);
	struct registry registry;
	struct source_context context;
	struct source *source;
	sd_event *event;
	char base[64], group[96], glob[96];
	char *globs[] = { glob, NULL };
	int fd;

	(void)state;
	assert_ok(sysroot_open(NULL, &root));
	assert_ok(hierarchy_open(&root, &hierarchy));
	(void)snprintf(base, sizeof(base), "berth.test.%d", (int)getpid());
	(void)snprintf(group, sizeof(group), "%s/x", base);
	(void)snprintf(glob, sizeof(glob), "%s/*", base);
	fd = hierarchy_open_root(&hierarchy.mounts[CONTROLLER_CPU], O_PATH);
	if (fd < 0 || mkdirat(fd, base, 0755) < 0) {
		print_message("# skipped: no cpu hierarchy that can be written: %s\n",
			      strerror(errno));
		(void)close_keep_errno(fd);
		hierarchy_done(&hierarchy);
		sysroot_done(&root);
		tree_free(tree);
		skip();
	}
	registry_init(&registry, &hierarchy, &tree->settings, tree_listen, tree);
	assert_ok(sd_event_new(&event));
	context = (struct source_context){ event, &root, &hierarchy, &registry };
	assert_ok(source_cgroupfs.new(&context, &source));
	tree->settings.cgroup_paths = globs;
	assert_ok(source_cgroupfs.apply(source, &tree->settings));
	assert_int_equal(source->state, SOURCE_READY);
	make_and_remove(event, &registry, fd, group);
	/* The inner directory, too, is told of only by its parent. */
	assert_ok(unlinkat(fd, base, AT_REMOVEDIR));
	assert_ok(mkdirat(fd, base, 0755));
	assert_ok(mkdirat(fd, group, 0755));
	settle(event);
	assert_int_equal(registry.count, 1);
	assert_ok(unlinkat(fd, group, AT_REMOVEDIR));
	assert_ok(unlinkat(fd, base, AT_REMOVEDIR));
	settle(event);
	assert_int_equal(registry.count, 0);
	assert_int_equal(source->errors, 0);
	source_cgroupfs.free(source);
	sd_event_unref(event);
	registry_done(&registry);
	(void)close_keep_errno(fd);
	hierarchy_done(&hierarchy);
	sysroot_done(&root);
	tree_free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs_match_components_one_by_one),
		cmocka_unit_test(test_cgroupfs_host_hierarchies_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
