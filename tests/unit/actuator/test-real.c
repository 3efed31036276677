/* SPDX-License-Identifier: Apache-2.0 */
/* The actuator on this host's own kernel, in a group of its own. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actuator/actuator.h"
#include "berth-test.h"
#include "file.h"
#include "fixture-copy.h"
#include "macro.h"
#include "monotonic.h"
#include "parse.h"

struct host {
	struct sysroot root;
	struct hierarchy hierarchy;
	sd_event *event;
	char name[64], dir[32];
	int runtime_fd, cpu_fd;
	struct cgroup *group;
	struct actuator *actuator;
	const char *why; /* not */
};

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

static int host_open(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	*state = host;
	host->runtime_fd = host->cpu_fd = -EBADF;
	assert_ok(sysroot_open(NULL, &host->root));
	assert_ok(hierarchy_open(&host->root, &host->hierarchy));
	(void)snprintf(host->name, sizeof(host->name), "berth.test.%d", getpid());
	(void)snprintf(host->dir, sizeof(host->dir), "/tmp/berth-real.XXXXXX");
	assert_non_null(mkdtemp(host->dir));
	host->runtime_fd = open(host->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(sd_event_new(&host->event));

	const struct hierarchy_mount *cpu = &host->hierarchy.mounts[CONTROLLER_CPU];
	char buffer[HIERARCHY_PATH_MAX];

	if (cpu->version == 0) {
		host->why = "the cpu controller is mounted nowhere";
		return 0;
	}
	if (mkdirat(cpu->fd, hierarchy_at(cpu, host->name, buffer), 0755) < 0) {
		host->why = "no group can be made in the cpu hierarchy";
		return 0;
	}
	assert_ok(cgroup_new(&host->hierarchy, host->name, &host->group));
	host->cpu_fd = cgroup_open(&host->hierarchy, host->group, CONTROLLER_CPU);
	assert_true(host->cpu_fd >= 0);
	if (faccessat(host->cpu_fd, "cpu.idle", W_OK, 0) < 0) {
		host->why = "this kernel, or this group, has no cpu.idle";
		return 0;
	}
	host_start(host);
	return 0;
}

static int host_close(void **state)
{
	struct host *host = *state;
	const struct hierarchy_mount *cpu = &host->hierarchy.mounts[CONTROLLER_CPU];
	char buffer[HIERARCHY_PATH_MAX];

	host->actuator = actuator_free(host->actuator);
	if (host->cpu_fd >= 0)
		(void)close(host->cpu_fd);
	/* Since Linux 6.19 a process that was waited for may be in it a moment longer. */
	for (int i = 0; cpu->version && i < 1000; i++) {
		if (unlinkat(cpu->fd, hierarchy_at(cpu, host->name, buffer), AT_REMOVEDIR) == 0 ||
		    errno != EBUSY)
			break;
		(void)usleep(10000);
	}
	host->group = cgroup_free(host->group);
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

static int host_claim(struct host *host, enum knob knob, uint64_t number)
{
	const struct actuator_target target = {
		.target = { .kind = TARGET_WORKLOAD, .id = 1 },
		.group = host->group,
		.label = "test",
	};
	const struct knob_value value = { .number = number };

	return actuator_claim(host->actuator, "test", &target, knob, &value, 0, "a test");
}

static bool host_is_v1(const struct host *host)
{
	return host->hierarchy.mounts[CONTROLLER_CPU].version == 1;
}

static void assert_file(const struct host *host, const char *v1, const char *v2, const char *text)
{
	char now[128];

	assert_ok(file_read(host->cpu_fd, host_is_v1(host) ? v1 : v2, now, sizeof(now)));
	assert_string_equal(now, text);
}

static void set_file(const struct host *host, const char *v1, const char *v2, const char *text)
{
	int fd = openat(host->cpu_fd, host_is_v1(host) ? v1 : v2, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void set_weight(const struct host *host, const char *shares, const char *weight)
{
	set_file(host, "cpu.shares", "cpu.weight", host_is_v1(host) ? shares : weight);
}

static void test_actuator_claim_idle_real_weight_comes_back(void **state)
{
	struct host *host = host_or_skip(state);

	set_weight(host, "2048", "200");
	assert_ok(host_claim(host, KNOB_CPU_IDLE, 1));
	assert_file(host, "cpu.idle", "cpu.idle", "1");
	/* Claimed while the kernel refuses it. */
	assert_ok(host_claim(host, KNOB_CPU_WEIGHT, 50));
	assert_ok(host_claim(host, KNOB_CPU_IDLE, 0));
	assert_file(host, "cpu.idle", "cpu.idle", "0");
	assert_file(host, "cpu.shares", "cpu.weight", host_is_v1(host) ? "512" : "50");
	assert_ok(host_claim(host, KNOB_CPU_IDLE, 1));
	actuator_drop_owner(host->actuator, "test");
	assert_file(host, "cpu.idle", "cpu.idle", "0");
	assert_file(host, "cpu.shares", "cpu.weight", host_is_v1(host) ? "2048" : "200");
}

static void test_actuator_claim_quota_real_is_restored(void **state)
{
	struct host *host = host_or_skip(state);

	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 50000));
	assert_file(host, "cpu.cfs_quota_us", "cpu.max",
		    host_is_v1(host) ? "50000" : "50000 100000");
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, UINT64_MAX));
	assert_file(host, "cpu.cfs_quota_us", "cpu.max", host_is_v1(host) ? "-1" : "max 100000");
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 20000));
	actuator_drop_owner(host->actuator, "test");
	assert_file(host, "cpu.cfs_quota_us", "cpu.max", host_is_v1(host) ? "-1" : "max 100000");
}

static int quota_claim(struct host *host, uint64_t id, const char *path, uint64_t number)
{
	struct cgroup *group = NULL;
	struct actuator_target target = {
		.target = { .kind = TARGET_WORKLOAD, .id = id },
		.label = "test",
	};
	const struct knob_value value = { .number = number };
	int r;

	assert_ok(cgroup_new(&host->hierarchy, path, &group));
	target.group = group;
	r = actuator_claim(host->actuator, "test", &target, KNOB_CPU_QUOTA_USEC, &value, 0,
			   "a test");
	(void)cgroup_free(group);
	return r;
}

static void assert_quota(const struct host *host, const char *v1, const char *v2)
{
	assert_file(host, "cpu.cfs_quota_us", "cpu.max", host_is_v1(host) ? v1 : v2);
}

/* v1 refuses a child with more than its parent: whichever is claimed or left first, both are what
 * they are to be at once, up and down. */
static void test_actuator_claim_quota_real_in_any_order(void **state)
{
	struct host *host = host_or_skip(state);
	const struct hierarchy_mount *cpu = &host->hierarchy.mounts[CONTROLLER_CPU];
	char buffer[HIERARCHY_PATH_MAX];
	char path[96], text[64];

	(void)snprintf(path, sizeof(path), "%s/a", host->name);
	if (!host_is_v1(host)) {
		int fd = openat(host->cpu_fd, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);

		assert_int_equal(write(fd, "+cpu", 4), 4);
		(void)close(fd);
	}
	assert_int_equal(mkdirat(cpu->fd, hierarchy_at(cpu, path, buffer), 0755), 0);
	for (unsigned int order = 0; order < 2; order++) {
		int child;

		assert_ok(quota_claim(host, 1, host->name, 80000));
		assert_ok(quota_claim(host, 2, path, 80000));
		for (unsigned int i = 0; i < 2; i++)
			assert_ok(i == order ? quota_claim(host, 1, host->name, 30000)
					     : quota_claim(host, 2, path, 30000));
		assert_quota(host, "30000", "30000 100000");
		for (unsigned int i = 0; i < 2; i++)
			assert_ok(i == order ? quota_claim(host, 1, host->name, 60000)
					     : quota_claim(host, 2, path, 60000));
		assert_quota(host, "60000", "60000 100000");
		child = openat(cpu->fd, hierarchy_at(cpu, path, buffer),
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_ok(file_read(child, host_is_v1(host) ? "cpu.cfs_quota_us" : "cpu.max", text,
				    sizeof(text)));
		assert_string_equal(text, host_is_v1(host) ? "60000" : "60000 100000");
		actuator_drop_owner(host->actuator, "test");
		assert_quota(host, "-1", "max 100000");
		assert_ok(file_read(child, host_is_v1(host) ? "cpu.cfs_quota_us" : "cpu.max", text,
				    sizeof(text)));
		assert_string_equal(text, host_is_v1(host) ? "-1" : "max 100000");
		(void)close(child);
	}
	assert_int_equal(unlinkat(cpu->fd, hierarchy_at(cpu, path, buffer), AT_REMOVEDIR), 0);
}

/* The kernel refuses a quota below the burst, and a burst above the quota. */
static void test_actuator_claim_burst_real_goes_with_the_quota(void **state)
{
	struct host *host = host_or_skip(state);

	if (faccessat(host->cpu_fd, host_is_v1(host) ? "cpu.cfs_burst_us" : "cpu.max.burst", W_OK,
		      0) < 0) {
		print_message("# skipped: this kernel has no CPU burst\n");
		skip();
	}
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 50000));
	assert_ok(host_claim(host, KNOB_CPU_BURST_USEC, 80000));
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "50000");
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 20000));
	assert_quota(host, "20000", "20000 100000");
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "20000");
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 70000));
	assert_quota(host, "70000", "70000 100000");
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "70000");
	assert_int_equal(actuator_restore_all(host->actuator, false), 0);
	assert_quota(host, "-1", "max 100000");
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "0");
}

/* A raised quota goes down below a burst of ours. */
static void test_actuator_restore_real_burst_is_out_of_the_quotas_way(void **state)
{
	struct host *host = host_or_skip(state);
	const struct berth_target target = { TARGET_WORKLOAD, 1 };

	if (faccessat(host->cpu_fd, host_is_v1(host) ? "cpu.cfs_burst_us" : "cpu.max.burst", W_OK,
		      0) < 0) {
		print_message("# skipped: this kernel has no CPU burst\n");
		skip();
	}
	set_file(host, "cpu.cfs_quota_us", "cpu.max", "40000");
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 80000));
	assert_ok(host_claim(host, KNOB_CPU_BURST_USEC, 60000));
	/* Let go while the burst is still wanted. */
	actuator_unclaim(host->actuator, "test", target, KNOB_CPU_QUOTA_USEC);
	assert_quota(host, "40000", "40000 100000");
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "40000");
	assert_ok(host_claim(host, KNOB_CPU_QUOTA_USEC, 80000));
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "60000");
	host->actuator = actuator_free(host->actuator);
	assert_int_equal(actuator_restore_journal(&host->root, &host->hierarchy, host->runtime_fd,
						  NULL, NULL),
			 0);
	assert_quota(host, "40000", "40000 100000");
	assert_file(host, "cpu.cfs_burst_us", "cpu.max.burst", "0");
	host_start(host);
}

static void test_actuator_drift_real_write_is_noticed(void **state)
{
	struct host *host = host_or_skip(state);
	struct actuator_stats stats;

	assert_ok(host_claim(host, KNOB_CPU_WEIGHT, 50));
	while (sd_event_run(host->event, 20 * USEC_PER_MSEC) > 0)
		;
	set_weight(host, "3072", "300");
	while (sd_event_run(host->event, 20 * USEC_PER_MSEC) > 0)
		;
	actuator_stats(host->actuator, &stats);
	assert_int_equal(stats.foreign_writes, 1);
	assert_file(host, "cpu.shares", "cpu.weight", host_is_v1(host) ? "512" : "50");
	actuator_drop_owner(host->actuator, "test");
	assert_file(host, "cpu.shares", "cpu.weight", host_is_v1(host) ? "3072" : "300");
}

static void test_actuator_restore_journal_real_after_a_kill(void **state)
{
	struct host *host = host_or_skip(state);

	set_weight(host, "2048", "200");
	assert_ok(host_claim(host, KNOB_CPU_WEIGHT, 50));
	assert_ok(host_claim(host, KNOB_CPU_IDLE, 1));
	/* Leaves all as it is, as a kill does. */
	host->actuator = actuator_free(host->actuator);
	assert_file(host, "cpu.idle", "cpu.idle", "1");
	assert_int_equal(actuator_restore_journal(&host->root, &host->hierarchy, host->runtime_fd,
						  NULL, NULL),
			 0);
	assert_file(host, "cpu.idle", "cpu.idle", "0");
	assert_file(host, "cpu.shares", "cpu.weight", host_is_v1(host) ? "2048" : "200");
	host_start(host);
}

static int score_of(pid_t pid)
{
	char path[64], text[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	int64_t score;

	assert_ok(file_read(AT_FDCWD, path, text, sizeof(text)));
	assert_ok(parse_s64(text, &score));
	return (int)score;
}

static pid_t child_in_group(const struct host *host)
{
	char text[32];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* A test that fails must not leave it behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}

	int fd = openat(host->cpu_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof(text), "%d", pid);

	assert_int_equal(write(fd, text, (size_t)length), length);
	(void)close(fd);
	return pid;
}

static void child_end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_actuator_claim_oom_score_adj_real_is_restored(void **state)
{
	struct host *host = host_or_skip(state);
	int before = score_of(getpid());
	pid_t pid = child_in_group(host);

	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 900));
	assert_int_equal(score_of(pid), 900);
	/* In order ... */
	actuator_drop_owner(host->actuator, "test");
	assert_int_equal(score_of(pid), before);
	/* ... after a kill ... */
	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 901));
	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 902));
	host->actuator = actuator_free(host->actuator);
	assert_int_equal(score_of(pid), 902);
	assert_int_equal(actuator_restore_journal(&host->root, &host->hierarchy, host->runtime_fd,
						  NULL, NULL),
			 0);
	assert_int_equal(score_of(pid), before);
	/* ... and taken over by the next run. */
	host_start(host);
	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 903));
	host->actuator = actuator_free(host->actuator);
	host_start(host);
	assert_int_equal(score_of(pid), 903);
	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 903));
	actuator_drop_owner(host->actuator, "test");
	assert_int_equal(score_of(pid), before);
	child_end(pid);
}

/* Far sooner than the next look of the reconcile pass. */
static void wait_for_score(const struct host *host, pid_t pid, int score)
{
	uint64_t end = monotonic_usec() + 20 * USEC_PER_SEC;

	while (score_of(pid) != score && monotonic_usec() < end)
		assert_true(sd_event_run(host->event, 100 * USEC_PER_MSEC) >= 0);
	assert_int_equal(score_of(pid), score);
}

/* Whoever starts a container makes its group first: the claim is there before any process. */
static void test_actuator_claim_oom_score_adj_real_covers_who_joins_later(void **state)
{
	struct host *host = host_or_skip(state);
	int before = score_of(getpid());

	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 900));
	assert_int_equal(sd_event_run(host->event, 100 * USEC_PER_MSEC), 0);

	/* Into an empty group, and into one that has a process already. */
	pid_t first = child_in_group(host);

	wait_for_score(host, first, 900);

	pid_t second = child_in_group(host);

	wait_for_score(host, second, 900);
	/* That a group has its first process, the kernel tells by a thread of its own
	 * (kernfs_notify()), perhaps only now. */
	while (sd_event_run(host->event, 200 * USEC_PER_MSEC) > 0)
		;
	/* Our own writes wake nobody. */
	assert_ok(host_claim(host, KNOB_OOM_SCORE_ADJ, 901));
	assert_int_equal(score_of(second), 901);
	assert_int_equal(sd_event_run(host->event, 500 * USEC_PER_MSEC), 0);
	actuator_drop_owner(host->actuator, "test");
	assert_int_equal(score_of(first), before);
	assert_int_equal(score_of(second), before);
	child_end(first);
	child_end(second);
}

static void test_actuator_claim_real_group_removed(void **state)
{
	struct host *host = host_or_skip(state);
	const struct hierarchy_mount *cpu = &host->hierarchy.mounts[CONTROLLER_CPU];
	char buffer[HIERARCHY_PATH_MAX];
	struct actuator_stats stats;

	assert_ok(host_claim(host, KNOB_CPU_WEIGHT, 50));
	assert_ok(unlinkat(cpu->fd, hierarchy_at(cpu, host->name, buffer), AT_REMOVEDIR));
	assert_ok(host_claim(host, KNOB_CPU_WEIGHT, 60));
	while (sd_event_run(host->event, 20 * USEC_PER_MSEC) > 0)
		;
	actuator_drop_owner(host->actuator, "test");
	actuator_stats(host->actuator, &stats);
	assert_int_equal(stats.holdings, 0);
	assert_int_equal(stats.watches, 0);
	assert_int_equal(stats.restore_errors, 0);
	assert_int_equal(stats.write_errors, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_actuator_claim_idle_real_weight_comes_back,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_actuator_claim_quota_real_is_restored,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_actuator_claim_quota_real_in_any_order,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_actuator_claim_burst_real_goes_with_the_quota,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(
			test_actuator_restore_real_burst_is_out_of_the_quotas_way, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(test_actuator_drift_real_write_is_noticed,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_actuator_restore_journal_real_after_a_kill,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(test_actuator_claim_oom_score_adj_real_is_restored,
						host_open, host_close),
		cmocka_unit_test_setup_teardown(
			test_actuator_claim_oom_score_adj_real_covers_who_joins_later, host_open,
			host_close),
		cmocka_unit_test_setup_teardown(test_actuator_claim_real_group_removed, host_open,
						host_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
