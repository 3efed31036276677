/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of CPUs on this host's own kernel, cgroup v1: a pod and its containers, in groups of our
 * own. */
#include "actuator/actuator.h"
#include "berth-test.h"
#include "file.h"
#include "fixture-copy.h"
#include "group-fixture.h"
#include "macro.h"

/* Where groups are made: one that is watched, and the one of the lists. */
static const enum controller places[] = { CONTROLLER_CPU, CONTROLLER_CPUSET };

struct host {
	struct sysroot root;
	struct hierarchy hierarchy;
	sd_event *event;
	char name[64], dir[32];
	int runtime_fd;
	struct actuator *actuator;
	pid_t child;
	const char *why; /* not */
};

static void path_of(const struct host *host, const char *below, char *path, size_t size)
{
	(void)snprintf(path, size, "%s%s%s", host->name, below[0] ? "/" : "", below);
}

static int place_fd(const struct host *host, enum controller controller, const char *path)
{
	const struct hierarchy_mount *mount = &host->hierarchy.mounts[controller];
	char buffer[HIERARCHY_PATH_MAX];

	return directory_fd(mount->fd, hierarchy_at(mount, path, buffer));
}

static void group_make(const struct host *host, const char *below)
{
	char path[256], text[128];

	path_of(host, below, path, sizeof(path));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct hierarchy_mount *mount = &host->hierarchy.mounts[places[i]];
		char buffer[HIERARCHY_PATH_MAX];

		assert_ok(mkdirat(mount->fd, hierarchy_at(mount, path, buffer), 0755));
	}
	/* As runc does: a copy of what the parent has. */
	for (size_t i = 0; i < 2; i++) {
		const char *file = i ? "cpuset.mems" : "cpuset.cpus";
		int fd = place_fd(host, CONTROLLER_CPUSET, path);
		char parent[64];

		(void)snprintf(parent, sizeof(parent), "../%s", file);
		assert_ok(file_read(fd, parent, text, sizeof(text)));
		write_text(fd, file, text);
		(void)close(fd);
	}
}

static void group_remove(const struct host *host, const char *below)
{
	char path[256];

	path_of(host, below, path, sizeof(path));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct hierarchy_mount *mount = &host->hierarchy.mounts[places[i]];
		char buffer[HIERARCHY_PATH_MAX];

		(void)unlinkat(mount->fd, hierarchy_at(mount, path, buffer), AT_REMOVEDIR);
	}
}

static void cpus_get(const struct host *host, const char *below, char *text, size_t size)
{
	char path[256];
	int fd;

	path_of(host, below, path, sizeof(path));
	fd = place_fd(host, CONTROLLER_CPUSET, path);
	assert_ok(file_read(fd, "cpuset.cpus", text, size));
	(void)close(fd);
}

static void cpus_set(const struct host *host, const char *below, const char *text)
{
	char path[256];
	int fd;

	path_of(host, below, path, sizeof(path));
	fd = place_fd(host, CONTROLLER_CPUSET, path);
	write_text(fd, "cpuset.cpus", text);
	(void)close(fd);
}

#define assert_cpus(host, below, expected)            \
	do {                                          \
		char now[256];                        \
		cpus_get((host), (below), now, 256);  \
		assert_string_equal(now, (expected)); \
	} while (0)

static void host_start(struct host *host)
{
	const struct actuator_context context = {
		.event = host->event,
		.root = &host->root,
		.hierarchy = &host->hierarchy,
		.runtime_fd = host->runtime_fd,
	};
	const struct actuator_options options = {
		.reconcile_interval_usec = 30 * USEC_PER_SEC,
		.previous_lease_usec = 60 * USEC_PER_SEC,
	};

	assert_ok(actuator_new(&context, &options, &host->actuator));
}

static const char *why_not(const struct hierarchy *hierarchy)
{
	const struct hierarchy_mount *cpuset = &hierarchy->mounts[CONTROLLER_CPUSET];
	char buffer[HIERARCHY_PATH_MAX], text[64] = "";

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[places[i]];

		if (mount->version != 1 ||
		    faccessat(mount->fd, hierarchy_at(mount, "", buffer), W_OK, 0) < 0)
			return "no cpu and cpuset of cgroup v1 that can be written";
	}
	if (file_read(cpuset->fd, hierarchy_at(cpuset, "cpuset.cpus", buffer), text, sizeof(text)) <
		    0 ||
	    strncmp(text, "0-", 2) != 0)
		return "not two CPUs, 0 and 1";
	return NULL;
}

static int host_open(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	*state = host;
	host->runtime_fd = -EBADF;
	assert_ok(sysroot_open(NULL, &host->root));
	assert_ok(hierarchy_open(&host->root, &host->hierarchy));
	(void)snprintf(host->name, sizeof(host->name), "berth.test.%d", getpid());
	(void)snprintf(host->dir, sizeof(host->dir), "/tmp/berth-cpuset.XXXXXX");
	assert_non_null(mkdtemp(host->dir));
	host->runtime_fd = open(host->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(sd_event_new(&host->event));
	host->why = why_not(&host->hierarchy);
	if (host->why)
		return 0;
	group_make(host, "");
	cpus_set(host, "", "0-1");
	group_make(host, "pod");
	group_make(host, "pod/one");
	group_make(host, "pod/two");
	host->child = child_start();

	char path[256], pid[16];
	int fd;

	path_of(host, "pod/one", path, sizeof(path));
	fd = place_fd(host, CONTROLLER_CPUSET, path);
	(void)snprintf(pid, sizeof(pid), "%d", (int)host->child);
	write_text(fd, "cgroup.procs", pid);
	(void)close(fd);
	host_start(host);
	return 0;
}

static int host_close(void **state)
{
	struct host *host = *state;

	host->actuator = actuator_free(host->actuator);
	if (host->child)
		child_end(host->child);
	if (!host->why) {
		static const char *const groups[] = {
			"pod/one/deep", "pod/late/deep", "pod/late", "pod/one", "pod/two", "pod", ""
		};

		for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
			group_remove(host, groups[i]);
	}
	sd_event_unref(host->event);
	(void)close(host->runtime_fd);
	fixture_remove(host->dir);
	hierarchy_done(&host->hierarchy);
	sysroot_done(&host->root);
	free(host);
	return 0;
}

static struct host *host_or_skip(void **state)
{
	struct host *host = *state;

	if (host->why) {
		print_message("# skipped: %s\n", host->why);
		skip();
	}
	return host;
}

static int claim(struct host *host, const char *owner, uint64_t id, const char *below,
		 const char *cpus)
{
	struct cgroup *group = NULL;
	char path[256];
	int r;

	path_of(host, below, path, sizeof(path));
	r = cgroup_new(&host->hierarchy, path, &group);

	const struct actuator_target target = {
		.target = { .kind = TARGET_WORKLOAD, .id = id },
		.group = group,
		.label = "test",
	};
	const struct knob_value value = { .text = cpus };

	if (r == 0)
		r = actuator_claim(host->actuator, owner, &target, KNOB_CPUSET_CPUS, &value, 0,
				   "a test");
	(void)cgroup_free(group);
	return r;
}

static void unclaim(struct host *host, const char *owner, uint64_t id)
{
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = id };

	actuator_unclaim(host->actuator, owner, target, KNOB_CPUSET_CPUS);
}

static void test_cpuset_pod_takes_its_containers_along(void **state)
{
	struct host *host = host_or_skip(state);

	assert_ok(claim(host, "test", 1, "pod", "0"));
	assert_cpus(host, "pod", "0");
	assert_cpus(host, "pod/one", "0");
	assert_cpus(host, "pod/two", "0");
	/* To the other CPU: neither narrower nor wider. */
	assert_ok(claim(host, "test", 1, "pod", "1"));
	assert_cpus(host, "pod", "1");
	assert_cpus(host, "pod/one", "1");
	assert_ok(claim(host, "test", 1, "pod", "0,1"));
	assert_cpus(host, "pod", "0-1");
	assert_cpus(host, "pod/two", "0-1");
	assert_ok(claim(host, "test", 1, "pod", "1"));
	unclaim(host, "test", 1);
	assert_cpus(host, "pod", "0-1");
	assert_cpus(host, "pod/one", "0-1");
	assert_cpus(host, "pod/two", "0-1");
}

static void test_cpuset_container_made_meanwhile_comes_back_too(void **state)
{
	struct host *host = host_or_skip(state);

	assert_ok(claim(host, "test", 1, "pod", "0"));
	group_make(host, "pod/late");
	group_make(host, "pod/late/deep");
	assert_cpus(host, "pod/late/deep", "0");
	/* It follows at the next change ... */
	assert_ok(claim(host, "test", 1, "pod", "1"));
	assert_cpus(host, "pod/late/deep", "1");
	unclaim(host, "test", 1);
	assert_cpus(host, "pod/late", "0-1");
	assert_cpus(host, "pod/late/deep", "0-1");
	group_remove(host, "pod/late/deep");
	group_remove(host, "pod/late");
	/* ... and is put back if there was none. */
	assert_ok(claim(host, "test", 1, "pod", "0"));
	group_make(host, "pod/late");
	unclaim(host, "test", 1);
	assert_cpus(host, "pod/late", "0-1");
}

static void test_cpuset_two_owners_share_what_both_leave(void **state)
{
	struct host *host = host_or_skip(state);
	struct actuator_stats stats;

	assert_ok(claim(host, "a", 1, "pod", "0-1"));
	assert_ok(claim(host, "b", 1, "pod", "1"));
	assert_cpus(host, "pod", "1");
	/* Nothing in common: the older one's stands. */
	assert_ok(claim(host, "a", 1, "pod", "0"));
	assert_cpus(host, "pod", "0");
	unclaim(host, "a", 1);
	assert_cpus(host, "pod", "1");
	/* A container's own claim is within its pod's. */
	assert_ok(claim(host, "a", 2, "pod/one", "0"));
	assert_cpus(host, "pod/one", "1");
	unclaim(host, "b", 1);
	assert_cpus(host, "pod", "0-1");
	assert_cpus(host, "pod/one", "0");
	assert_cpus(host, "pod/two", "0-1");
	unclaim(host, "a", 2);
	assert_cpus(host, "pod/one", "0-1");
	actuator_stats(host->actuator, &stats);
	assert_int_equal(stats.holdings, 0);
	assert_int_equal(stats.write_errors, 0);
	assert_int_equal(stats.foreign_writes, 0);
}

static void test_cpuset_container_with_cpus_of_its_own_keeps_them(void **state)
{
	struct host *host = host_or_skip(state);

	cpus_set(host, "pod/two", "1");
	/* Of what it has: nothing is left, so that it stays. */
	assert_ok(claim(host, "test", 3, "pod/two", "0"));
	assert_cpus(host, "pod/two", "1");
	unclaim(host, "test", 3);
	/* Under a pod that has lost them it cannot; after it, it has them again. */
	assert_ok(claim(host, "test", 1, "pod", "0"));
	assert_cpus(host, "pod/two", "0");
	unclaim(host, "test", 1);
	assert_cpus(host, "pod/two", "1");
	assert_cpus(host, "pod/one", "0-1");
}

static void test_cpuset_value_of_somebody_else_is_the_new_original(void **state)
{
	struct host *host = host_or_skip(state);

	assert_ok(claim(host, "test", 2, "pod/one", "0"));
	cpus_set(host, "pod/one", "1");
	while (sd_event_run(host->event, 20 * USEC_PER_MSEC) > 0)
		;
	/* A CPU manager moved it to where our claim has nothing to say. */
	assert_cpus(host, "pod/one", "1");
	cpus_set(host, "pod/one", "0-1");
	while (sd_event_run(host->event, 20 * USEC_PER_MSEC) > 0)
		;
	assert_cpus(host, "pod/one", "0");
	unclaim(host, "test", 2);
	assert_cpus(host, "pod/one", "0-1");
}

static void test_cpuset_group_that_goes_is_forgotten(void **state)
{
	struct host *host = host_or_skip(state);
	struct actuator_stats stats;

	assert_ok(claim(host, "test", 1, "pod", "0"));
	actuator_stats(host->actuator, &stats);
	assert_int_equal(stats.holdings, 3);
	group_remove(host, "pod/two");
	actuator_reconcile(host->actuator);
	actuator_stats(host->actuator, &stats);
	assert_int_equal(stats.holdings, 2);
	unclaim(host, "test", 1);
	group_make(host, "pod/two");
}

static void assert_original(struct host *host, uint64_t id, const char *below, const char *text)
{
	struct cgroup *group = NULL;
	char path[256], found[128];

	path_of(host, below, path, sizeof(path));
	assert_ok(cgroup_new(&host->hierarchy, path, &group));

	const struct actuator_target target = {
		.target = { .kind = TARGET_WORKLOAD, .id = id },
		.group = group,
	};

	assert_ok(actuator_original_text(host->actuator, &target, KNOB_CPUSET_CPUS, found,
					 sizeof(found)));
	assert_string_equal(found, text);
	(void)cgroup_free(group);
}

static void test_cpuset_original_is_told_of_claimed_followed_and_copied(void **state)
{
	struct host *host = host_or_skip(state);

	cpus_set(host, "pod/two", "1");
	assert_ok(claim(host, "test", 1, "pod", "0"));
	group_make(host, "pod/late");
	assert_cpus(host, "pod/late", "0");
	assert_original(host, 1, "pod", "0-1");
	assert_original(host, 2, "pod/one", "0-1");
	assert_original(host, 3, "pod/two", "1");
	assert_original(host, 4, "pod/late", "0-1");
	unclaim(host, "test", 1);
	assert_original(host, 3, "pod/two", "1");
}

static void test_cpuset_claim_that_is_no_list_is_refused(void **state)
{
	struct host *host = host_or_skip(state);
	static const char *const bad[] = { "", "x", "3-1", "0,", "0 1" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(claim(host, "test", 1, "pod", bad[i]), EINVAL);
	assert_cpus(host, "pod", "0-1");
}

/* ---- killed anywhere ---- */

static unsigned int steps_left, steps_seen;

static void step_or_die(const char *step)
{
	(void)step;
	steps_seen++;
	if (steps_left > 0 && --steps_left == 0)
		(void)raise(SIGKILL);
}

static void a_day(struct host *host)
{
	(void)claim(host, "a", 2, "pod/one", "0-1");
	(void)claim(host, "a", 1, "pod", "0");
	(void)claim(host, "b", 1, "pod", "0-1");
	(void)claim(host, "a", 1, "pod", "1");
	unclaim(host, "a", 1);
	(void)claim(host, "b", 1, "pod", "0");
	(void)actuator_restore_all(host->actuator, true);
	actuator_resume(host->actuator);
	(void)actuator_restore_all(host->actuator, false);
}

static void a_morning(struct host *host)
{
	(void)claim(host, "a", 1, "pod", "0");
	(void)claim(host, "a", 1, "pod", "1");
}

static void die_at(struct host *host, void (*run)(struct host *host), unsigned int step)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sd_event_new(&host->event) < 0)
			_exit(1);
		host_start(host);
		actuator_failpoint = step_or_die;
		steps_left = step;
		run(host);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_cpuset_killed_at_every_step_is_put_back(void **state)
{
	struct host *host = host_or_skip(state);
	unsigned int steps;

	actuator_failpoint = step_or_die;
	steps_left = steps_seen = 0;
	a_day(host);
	steps = steps_seen;
	actuator_failpoint = NULL;
	assert_true(steps > 30);
	host->actuator = actuator_free(host->actuator);
	for (unsigned int step = 1; step <= steps; step++) {
		die_at(host, a_day, step);
		if (step % 2) {
			host_start(host);
			assert_int_equal(actuator_restore_all(host->actuator, false), 0);
			host->actuator = actuator_free(host->actuator);
		} else {
			/* A container that started meanwhile has a copy, too. */
			group_make(host, "pod/late");
			assert_int_equal(actuator_restore_journal(&host->root, &host->hierarchy,
								  host->runtime_fd, NULL, NULL),
					 0);
			assert_cpus(host, "pod/late", "0-1");
			group_remove(host, "pod/late");
		}
		assert_cpus(host, "pod", "0-1");
		assert_cpus(host, "pod/one", "0-1");
		assert_cpus(host, "pod/two", "0-1");
	}
	host_start(host);
}

static void put_back_from_journal(struct host *host)
{
	(void)actuator_restore_journal(&host->root, &host->hierarchy, host->runtime_fd, NULL, NULL);
}

static void put_back(struct host *host)
{
	host_start(host);
	(void)actuator_restore_all(host->actuator, false);
}

/* A container that started under a value of ours has no record: what tells of it is its pod's. */
static void putting_back_killed_at_every_step(struct host *host, void (*run)(struct host *host))
{
	for (unsigned int step = 1;; step++) {
		int status = 0;
		pid_t pid;

		assert_ok(claim(host, "a", 1, "pod", "0"));
		group_make(host, "pod/late");
		assert_cpus(host, "pod/late", "0");
		host->actuator = actuator_free(host->actuator);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			if (sd_event_new(&host->event) < 0)
				_exit(1);
			actuator_failpoint = step_or_die;
			steps_left = step;
			run(host);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		run(host);
		assert_cpus(host, "pod", "0-1");
		assert_cpus(host, "pod/one", "0-1");
		assert_cpus(host, "pod/late", "0-1");
		group_remove(host, "pod/late");
		if (!host->actuator)
			host_start(host);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			assert_true(step > 5);
			return;
		}
		assert_true(WIFSIGNALED(status));
	}
}

static void test_cpuset_restore_killed_at_every_step_forgets_no_copy(void **state)
{
	struct host *host = host_or_skip(state);

	putting_back_killed_at_every_step(host, put_back_from_journal);
}

static void test_cpuset_stop_killed_at_every_step_forgets_no_copy(void **state)
{
	struct host *host = host_or_skip(state);

	putting_back_killed_at_every_step(host, put_back);
}

static void test_cpuset_killed_at_every_step_gives_what_is_claimed_again(void **state)
{
	struct host *host = host_or_skip(state);
	unsigned int steps;

	actuator_failpoint = step_or_die;
	steps_left = steps_seen = 0;
	a_morning(host);
	steps = steps_seen;
	actuator_failpoint = NULL;
	assert_true(steps > 10);
	assert_int_equal(actuator_restore_all(host->actuator, false), 0);
	host->actuator = actuator_free(host->actuator);
	for (unsigned int step = 1; step <= steps; step++) {
		die_at(host, a_morning, step);
		host_start(host);
		assert_ok(claim(host, "a", 1, "pod", "1"));
		actuator_drop_owner(host->actuator, "previous run");
		assert_cpus(host, "pod", "1");
		assert_cpus(host, "pod/one", "1");
		assert_cpus(host, "pod/two", "1");
		assert_int_equal(actuator_restore_all(host->actuator, false), 0);
		assert_cpus(host, "pod", "0-1");
		assert_cpus(host, "pod/one", "0-1");
		host->actuator = actuator_free(host->actuator);
	}
	host_start(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cpuset_pod_takes_its_containers_along,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_cpuset_container_made_meanwhile_comes_back_too,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_cpuset_two_owners_share_what_both_leave,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(
			test_cpuset_container_with_cpus_of_its_own_keeps_them, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(
			test_cpuset_value_of_somebody_else_is_the_new_original, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(test_cpuset_group_that_goes_is_forgotten, host_open,
						host_close),
		cmocka_unit_test_setup_teardown(
			test_cpuset_original_is_told_of_claimed_followed_and_copied, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(test_cpuset_claim_that_is_no_list_is_refused,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_cpuset_killed_at_every_step_is_put_back,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(
			test_cpuset_restore_killed_at_every_step_forgets_no_copy, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(
			test_cpuset_stop_killed_at_every_step_forgets_no_copy, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(
			test_cpuset_killed_at_every_step_gives_what_is_claimed_again, host_open,
			host_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
