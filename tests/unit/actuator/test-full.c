/* SPDX-License-Identifier: Apache-2.0 */
/* What is full: the table of claims, and the file system of the journal. */
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include "berth-test.h"
#include "limit.h"
#include "world.h"

#define GROUPS 2048u
#define OWNERS (LIMIT_CLAIMS / GROUPS)

/* Of groups that are not there (yet): such a claim waits, and costs no file. */
static int claim_number(struct world *world, unsigned int number)
{
	unsigned int index = number / OWNERS;
	char path[32], owner[32];
	struct cgroup group = { .path = path, .inode = { [CONTROLLER_CPU] = 1u + index } };
	const struct actuator_target target = {
		.target = world_target(100u + index),
		.group = &group,
		.label = "test/pod",
	};
	const struct knob_value value = { .number = 50 };

	(void)snprintf(path, sizeof(path), "pods/x%u", index);
	(void)snprintf(owner, sizeof(owner), "owner%u", number % OWNERS);
	return actuator_claim(world->actuator, owner, &target, KNOB_CPU_WEIGHT, &value, 0, "fill");
}

static void test_actuator_claim_over_limit_is_enospc(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	for (unsigned int i = 0; i < LIMIT_CLAIMS; i++)
		assert_ok(claim_number(&world, i));
	assert_int_equal(world_stats(&world).claims, LIMIT_CLAIMS);
	assert_int_equal(world_stats(&world).holdings, GROUPS);
	assert_int_equal(world_stats(&world).limit_hits, 0);

	/* Of a group that has claims, and of one that has none: that one is not held after. */
	assert_errno(claim_number(&world, LIMIT_CLAIMS), ENOSPC);
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0), ENOSPC);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_stats(&world).claims, LIMIT_CLAIMS);
	assert_int_equal(world_stats(&world).holdings, GROUPS);
	assert_int_equal(world_stats(&world).limit_hits, 2);

	/* A renewal takes no place, and one that is given back can be taken. */
	assert_ok(claim_number(&world, 0));
	actuator_unclaim(world.actuator, "owner1", world_target(100), KNOB_CPU_WEIGHT);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_errno(claim_number(&world, 1), ENOSPC);
	world_close(&world);
}

/* A tmpfs as /run is one, of a few pages, where nobody else sees it. NULL or why not. */
static const char *small_runtime_start(struct world *world)
{
	char path[PATH_MAX];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return strerror(errno);
	world_open(world, 2);
	world_stop(world);
	(void)close(world->runtime_fd);
	(void)snprintf(path, sizeof(path), "%s/run", world->dir);

	int r = mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0700") < 0
			? errno
			: 0;

	world->runtime_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(world->runtime_fd >= 0);
	world_start(world);
	if (r != 0)
		world_close(world);
	return r != 0 ? strerror(r) : NULL;
}

static void small_runtime_end(struct world *world)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/run", world->dir);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	world_close(world);
}

static void small_runtime_fill(const struct world *world)
{
	static const char page[4096] = "x";
	int fd = openat(world->runtime_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	unsigned int pages = 0;
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = write(fd, page, sizeof(page))) > 0)
		assert_true(pages++ < 64);
	assert_true(n < 0 && errno == ENOSPC);
	assert_int_equal(close(fd), 0);
}

static void small_runtime_free(const struct world *world)
{
	assert_int_equal(unlinkat(world->runtime_fd, "filler", 0), 0);
}

static void small_runtime_or_skip(struct world *world)
{
	const char *why = small_runtime_start(world);

	if (why) {
		print_message("# skipped: no tmpfs of its own: %s\n", why);
		skip();
	}
}

static void test_actuator_claim_full_runtime_writes_nothing_until_there_is_room(void **state)
{
	struct world_seen seen;
	struct world world;

	(void)state;
	small_runtime_or_skip(&world);
	small_runtime_fill(&world);
	(void)world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	seen = world_see(&world, WORLD_A, KNOB_CPU_WEIGHT);
	assert_int_equal(seen.status, KNOB_FAILED);
	assert_int_equal(seen.error, -ENOSPC);
	assert_int_equal(seen.claims, 1);
	assert_int_equal(world_stats(&world).journal_errors, 1);
	assert_int_equal(world_stats(&world).writes, 0);

	/* Still full: neither a look nor another claim gets past the journal. */
	actuator_reconcile(world.actuator);
	assert_knob(&world, "pods/a", "cpu.weight", "250");

	small_runtime_free(&world);
	actuator_reconcile(world.actuator);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	seen = world_see(&world, WORLD_A, KNOB_CPU_WEIGHT);
	assert_int_equal(seen.status, KNOB_WRITTEN);
	assert_int_equal(seen.error, 0);
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	small_runtime_end(&world);
}

/* The journal ends inside of its last page: some changes are recorded yet, then one is cut short.
 * What is on the host is always what the journal tells of. */
static void test_actuator_claim_runtime_fills_up_original_survives_a_restart(void **state)
{
	struct actuator_stats stats;
	char expected[16];
	struct world world;
	unsigned int weight = 300;

	(void)state;
	small_runtime_or_skip(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, weight, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	small_runtime_fill(&world);
	do {
		assert_true(weight++ < 400); /* a page holds no hundred records */
		(void)world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, weight, 0);
	} while (world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status == KNOB_WRITTEN);
	assert_true(weight > 301);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).error, -ENOSPC);
	(void)snprintf(expected, sizeof(expected), "%u", weight - 1);
	assert_knob(&world, "pods/a", "cpu.weight", expected);

	/* The next daemon finds the originals, and needs no room to put them back. */
	world_stop(&world);
	world_start(&world);
	stats = world_stats(&world);
	assert_int_equal(stats.holdings, 2);
	assert_string_equal(world_see(&world, 0, KNOB_CPU_WEIGHT).original, "250");
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	assert_int_equal(faccessat(world.runtime_fd, "knobs.journal.bad", F_OK, 0), -1);
	small_runtime_end(&world);
}

/* Damage, and no room for a file without it. */
static void test_actuator_new_damaged_journal_on_a_full_runtime_is_used_as_it_is(void **state)
{
	static const char damage[] = "not a record";
	struct world world;
	int fd;

	(void)state;
	small_runtime_or_skip(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	world_stop(&world);
	fd = openat(world.runtime_fd, "knobs.journal", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, damage, sizeof(damage)), sizeof(damage));
	assert_int_equal(close(fd), 0);
	small_runtime_fill(&world);
	world_start(&world);
	assert_int_equal(world_stats(&world).holdings, 2);
	/* What fits into the last page comes after the damage, and is found there. */
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 30, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "30");
	world_stop(&world);
	assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy, world.runtime_fd,
						  NULL, NULL),
			 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	small_runtime_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_claim_over_limit_is_enospc),
		cmocka_unit_test(
			test_actuator_claim_full_runtime_writes_nothing_until_there_is_room),
		cmocka_unit_test(test_actuator_claim_runtime_fills_up_original_survives_a_restart),
		cmocka_unit_test(
			test_actuator_new_damaged_journal_on_a_full_runtime_is_used_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
