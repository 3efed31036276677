/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/action/action.h"
#include "actuator/actuator.h"
#include "actuator/history.h"
#include "actuator/slow/writer.h"
#include "berth-test.h"
#include "group-fixture.h"
#include "limit.h"
#include "log.h"

#define RUN_USEC 20000000u
#define MIB      (1u << 20)

struct fixture {
	char path[32];
	int fd;
	struct sysroot root;
	struct hierarchy plain, host;
	struct cgroup group;
	sd_event *event;
	struct history *history;
	struct slow_writer *slow_writer;
	struct actions *actions;
	unsigned int done;
	int result;
};

static void actions_make(struct fixture *fixture, const struct hierarchy *hierarchy)
{
	const struct action_context context = {
		.event = fixture->event,
		.root = &fixture->root,
		.hierarchy = hierarchy,
		.history = fixture->history,
		.slow_writer = fixture->slow_writer,
	};

	fixture->actions = actions_free(fixture->actions);
	assert_ok(actions_new(&context, &fixture->actions));
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct stat st;

	assert_non_null(fixture);
	log_set_level(LOG_ERR);
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->fd = directory_fd(AT_FDCWD, fixture->path);
	assert_int_equal(mkdirat(fixture->fd, "pod", 0755), 0);
	assert_int_equal(fstatat(fixture->fd, "pod", &st, 0), 0);
	fixture->group.path = strdup("pod");
	for (int i = 0; i < CONTROLLER_MAX; i++)
		fixture->group.inode[i] = st.st_ino;
	fake_hierarchy(fixture->fd, 2, &fixture->plain);
	assert_ok(sysroot_open(NULL, &fixture->root));
	assert_ok(hierarchy_open(&fixture->root, &fixture->host));
	assert_ok(sd_event_new(&fixture->event));
	assert_ok(history_new(&fixture->history));
	assert_ok(slow_writer_new(fixture->event, LIMIT_SLOW_QUEUE, &fixture->slow_writer));
	actions_make(fixture, &fixture->plain);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	actions_free(fixture->actions);
	slow_writer_free(fixture->slow_writer);
	history_free(fixture->history);
	sd_event_unref(fixture->event);
	hierarchy_done(&fixture->host);
	sysroot_done(&fixture->root);
	(void)unlinkat(fixture->fd, "pod/memory.reclaim", 0);
	(void)unlinkat(fixture->fd, "pod/cgroup.procs", 0);
	(void)unlinkat(fixture->fd, "pod/cgroup.kill", 0);
	(void)unlinkat(fixture->fd, "pod", AT_REMOVEDIR);
	(void)rmdir(fixture->path);
	(void)close(fixture->fd);
	free(fixture->group.path);
	free(fixture);
	return 0;
}

static void on_done(void *data, struct berth_target target, int result)
{
	struct fixture *fixture = data;

	assert_int_equal(target.id, 7);
	fixture->done++;
	fixture->result = result;
}

static int start(struct fixture *fixture, const struct cgroup *group, enum action action,
		 uint64_t argument, bool dry_run)
{
	const struct action_request request = {
		.owner = "colocation",
		.label = "batch/job-1",
		.reason = "test",
		.target = { .kind = TARGET_WORKLOAD, .id = 7 },
		.group = group,
		.action = action,
		.argument = argument,
		.dry_run = dry_run,
		.done = on_done,
		.data = fixture,
	};

	return action_start(fixture->actions, &request);
}

static void run_until(struct fixture *fixture, unsigned int done)
{
	while (fixture->done < done)
		assert_true(sd_event_run(fixture->event, RUN_USEC) > 0);
}

struct last {
	unsigned int count;
	int result;
	char what[32], argument[64], outcome[128];
};

static void on_entry(void *data, const struct history_view *view)
{
	struct last *last = data;

	last->count++;
	last->result = view->result;
	(void)snprintf(last->what, sizeof(last->what), "%s", view->what);
	(void)snprintf(last->argument, sizeof(last->argument), "%s", view->argument);
	(void)snprintf(last->outcome, sizeof(last->outcome), "%s", view->outcome);
}

static struct last last_of(const struct fixture *fixture)
{
	struct last last = { .count = 0 };

	history_each(fixture->history, on_entry, &last);
	return last;
}

static void test_action_start_reclaim_is_written_in_steps(void **state)
{
	struct fixture *fixture = *state;
	char text[128] = "";
	struct last last;
	int fifo;

	assert_int_equal(mkfifoat(fixture->fd, "pod/memory.reclaim", 0600), 0);
	fifo = openat(fixture->fd, "pod/memory.reclaim", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fifo >= 0);
	assert_ok(start(fixture, &fixture->group, ACTION_RECLAIM, 40 * MIB, false));
	assert_int_equal(fixture->done, 0);
	run_until(fixture, 1);
	assert_int_equal(fixture->result, 0);
	assert_true(read(fifo, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "16777216"
				  "16777216"
				  "8388608");
	last = last_of(fixture);
	assert_int_equal(last.count, 1);
	assert_string_equal(last.what, "reclaim");
	assert_string_equal(last.argument, "41943040 bytes");
	assert_string_equal(last.outcome, "done after 41943040 of 41943040 bytes");
	(void)close(fifo);
}

static void test_action_start_reclaim_refused_is_told(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(symlinkat("/dev/full", fixture->fd, "pod/memory.reclaim"), 0);
	assert_ok(start(fixture, &fixture->group, ACTION_RECLAIM, 40 * MIB, false));
	run_until(fixture, 1);
	assert_int_equal(fixture->result, -ENOSPC);
	assert_int_equal(last_of(fixture).result, -ENOSPC);
}

static void test_action_start_without_the_file_is_eopnotsupp(void **state)
{
	struct fixture *fixture = *state;

	assert_errno(start(fixture, &fixture->group, ACTION_RECLAIM, MIB, false), EOPNOTSUPP);
	assert_int_equal(last_of(fixture).result, -EOPNOTSUPP);
	assert_int_equal(sd_event_run(fixture->event, 0), 0);
	assert_int_equal(fixture->done, 0);
}

static void test_action_start_nonsense_is_refused(void **state)
{
	struct fixture *fixture = *state;

	assert_errno(start(fixture, &fixture->group, ACTION_MAX, 0, false), EINVAL);
	assert_errno(start(fixture, &fixture->group, ACTION_RECLAIM, 0, false), EINVAL);
	assert_errno(start(fixture, NULL, ACTION_KILL, 0, false), EINVAL);
	fixture->group.inode[CONTROLLER_MEMORY]++;
	fixture->group.inode[CONTROLLER_CPU]++;
	assert_errno(start(fixture, &fixture->group, ACTION_RECLAIM, MIB, false), ESTALE);
	assert_errno(start(fixture, &fixture->group, ACTION_KILL, 0, false), ESTALE);
}

static void test_action_start_over_the_limit_is_eagain_and_counted(void **state)
{
	struct fixture *fixture = *state;
	uint64_t started, limited;
	struct action_request other = {
		.owner = "reclaim",
		.reason = "test",
		.target = { .kind = TARGET_WORKLOAD, .id = 7 },
		.group = &fixture->group,
		.action = ACTION_KILL,
		.dry_run = true,
	};

	actions_set_limit(fixture->actions, 2);
	assert_ok(start(fixture, &fixture->group, ACTION_KILL, 0, true));
	assert_ok(start(fixture, &fixture->group, ACTION_KILL, 0, true));
	assert_errno(start(fixture, &fixture->group, ACTION_KILL, 0, true), EAGAIN);
	assert_errno(start(fixture, &fixture->group, ACTION_KILL, 0, true), EAGAIN);
	assert_ok(action_start(fixture->actions, &other));
	actions_stats(fixture->actions, &started, &limited);
	assert_int_equal(started, 3);
	assert_int_equal(limited, 2);
	assert_int_equal(last_of(fixture).count, 3); /* the refused are counted, not recorded */
	run_until(fixture, 2);
}

static void test_action_start_dry_run_is_recorded_only(void **state)
{
	struct fixture *fixture = *state;
	pid_t child = child_start();
	char text[16];
	int status;

	(void)snprintf(text, sizeof(text), "%d\n", (int)child);
	write_text(fixture->fd, "pod/cgroup.procs", text);
	assert_ok(start(fixture, &fixture->group, ACTION_KILL, 0, true));
	assert_int_equal(fixture->done, 0);
	run_until(fixture, 1);
	assert_int_equal(fixture->result, ACTION_DRY_RUN);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	assert_string_equal(last_of(fixture).outcome, "dry run: nothing was done");
	child_end(child);
}

struct evictor {
	unsigned int starts, forgets;
	int result; /* of start() */
	void (*done)(void *call, int result, const char *outcome);
	void *call;
};

static int evictor_start(void *data, struct berth_target target,
			 void (*done)(void *call, int result, const char *outcome), void *call,
			 char *why, size_t size)
{
	struct evictor *evictor = data;

	assert_int_equal(target.id, 7);
	evictor->starts++;
	evictor->done = done;
	evictor->call = call;
	if (evictor->result < 0)
		(void)snprintf(why, size, "nobody is there");
	return evictor->result;
}

static void evictor_forget(void *data, void *call)
{
	struct evictor *evictor = data;

	assert_ptr_equal(call, evictor->call);
	evictor->forgets++;
}

static void evictor_lend(struct fixture *fixture, struct evictor *evictor)
{
	const struct action_evictor lent = { evictor_start, evictor_forget, evictor };

	actions_set_evictor(fixture->actions, &lent);
}

static void test_action_start_evict_is_what_the_evictor_answers(void **state)
{
	struct fixture *fixture = *state;
	struct evictor evictor = { 0 };

	evictor_lend(fixture, &evictor);
	assert_ok(start(fixture, &fixture->group, ACTION_EVICT, 0, false));
	assert_int_equal(fixture->done, 0);
	assert_string_equal(last_of(fixture).what, "evict");
	assert_string_equal(last_of(fixture).outcome, "started");
	evictor.done(evictor.call, -EBUSY, "429: a budget");
	assert_int_equal(fixture->done, 1);
	assert_errno(fixture->result, EBUSY);
	assert_string_equal(last_of(fixture).outcome, "429: a budget");
	assert_ok(start(fixture, &fixture->group, ACTION_EVICT, 0, false));
	evictor.done(evictor.call, 0, "evicted through the API");
	assert_int_equal(fixture->result, 0);
	assert_int_equal(last_of(fixture).result, 0);
	assert_int_equal(evictor.forgets, 0);
}

static void test_action_start_evict_without_an_evictor_is_ehostdown(void **state)
{
	struct fixture *fixture = *state;
	struct evictor evictor = { .result = -EHOSTDOWN };

	assert_errno(start(fixture, &fixture->group, ACTION_EVICT, 0, false), EHOSTDOWN);
	assert_string_equal(last_of(fixture).outcome, "no API is up");
	evictor_lend(fixture, &evictor);
	assert_errno(start(fixture, &fixture->group, ACTION_EVICT, 0, false), EHOSTDOWN);
	assert_string_equal(last_of(fixture).outcome, "nobody is there");
	assert_int_equal(fixture->done, 0);
	evictor.result = 0;
	assert_ok(start(fixture, &fixture->group, ACTION_EVICT, 0, true));
	run_until(fixture, 1);
	assert_int_equal(fixture->result, ACTION_DRY_RUN);
	assert_int_equal(evictor.starts, 1); /* a dry run asks nobody */
}

static void test_actions_free_and_a_new_evictor_forget_what_is_asked(void **state)
{
	struct fixture *fixture = *state;
	struct evictor evictor = { 0 };

	evictor_lend(fixture, &evictor);
	assert_ok(start(fixture, &fixture->group, ACTION_EVICT, 0, false));
	actions_set_evictor(fixture->actions, NULL);
	assert_int_equal(evictor.forgets, 1);
	assert_int_equal(fixture->done, 1);
	assert_errno(fixture->result, ECANCELED);
	evictor_lend(fixture, &evictor);
	assert_ok(start(fixture, &fixture->group, ACTION_EVICT, 0, false));
	actions_forget(fixture->actions, fixture);
	evictor.done(evictor.call, 0, "evicted through the API");
	assert_int_equal(fixture->done, 1); /* unheard, but recorded */
	assert_string_equal(last_of(fixture).outcome, "evicted through the API");
	assert_ok(start(fixture, &fixture->group, ACTION_EVICT, 0, false));
	fixture->actions = actions_free(fixture->actions);
	assert_int_equal(evictor.forgets, 2);
}

static void on_last_write(void *data, int result)
{
	assert_int_equal(result, 0);
	*(bool *)data = true;
}

/* Writes are made one after the other: when this one is done, all before it are. */
static void slow_writes_end(struct fixture *fixture)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool last = false;

	assert_true(fd >= 0);
	assert_ok(slow_writer_add(fixture->slow_writer, fd, "1", on_last_write, &last));
	while (!last)
		assert_true(sd_event_run(fixture->event, RUN_USEC) > 0);
}

static void test_actions_forget_done_is_not_called(void **state)
{
	struct fixture *fixture = *state;
	int fifo;

	assert_int_equal(mkfifoat(fixture->fd, "pod/memory.reclaim", 0600), 0);
	fifo = openat(fixture->fd, "pod/memory.reclaim", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_ok(start(fixture, &fixture->group, ACTION_RECLAIM, 40 * MIB, false));
	actions_forget(fixture->actions, fixture);
	slow_writes_end(fixture);
	assert_int_equal(fixture->done, 0);
	assert_int_equal(last_of(fixture).result, -ECANCELED);
	(void)close(fifo);
}

static void test_actions_free_with_one_under_way(void **state)
{
	struct fixture *fixture = *state;
	int fifo;

	assert_int_equal(mkfifoat(fixture->fd, "pod/memory.reclaim", 0600), 0);
	fifo = openat(fixture->fd, "pod/memory.reclaim", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_ok(start(fixture, &fixture->group, ACTION_RECLAIM, 40 * MIB, false));
	fixture->actions = actions_free(fixture->actions);
	slow_writes_end(fixture);
	assert_int_equal(fixture->done, 0);
	(void)close(fifo);
}

static void test_action_start_kill_uses_cgroup_kill(void **state)
{
	struct fixture *fixture = *state;
	pid_t child = child_start();
	char text[16], kill_text[8] = "";
	int fd, status;

	(void)snprintf(text, sizeof(text), "%d\n", (int)child);
	write_text(fixture->fd, "pod/cgroup.procs", text);
	write_text(fixture->fd, "pod/cgroup.kill", "0");
	assert_ok(start(fixture, &fixture->group, ACTION_KILL, 0, false));
	fd = openat(fixture->fd, "pod/cgroup.kill", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, kill_text, sizeof(kill_text)), 1);
	assert_string_equal(kill_text, "1");
	assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* the kernel's work, not ours */
	child_end(child);
	run_until(fixture, 1);
	assert_int_equal(fixture->result, 0);
	(void)close(fd);
}

static void test_action_start_kill_of_own_group_is_eperm(void **state)
{
	struct fixture *fixture = *state;
	char text[16];

	(void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
	write_text(fixture->fd, "pod/cgroup.procs", text);
	assert_errno(start(fixture, &fixture->group, ACTION_KILL, 0, false), EPERM);
}

static void host_kill(struct fixture *fixture, const struct hierarchy *hierarchy)
{
	char name[64], below[96];
	struct cgroup *group = NULL;
	pid_t children[4];

	actions_make(fixture, hierarchy);
	host_group_name("", name, sizeof(name));
	host_group_name("/below", below, sizeof(below));
	host_group_make(hierarchy, name);
	host_group_make(hierarchy, below);
	for (size_t i = 0; i < 4; i++) {
		children[i] = child_start();
		host_group_join(hierarchy, i % 2 ? below : name, children[i]);
	}
	assert_ok(cgroup_new(hierarchy, name, &group));
	assert_ok(start(fixture, group, ACTION_KILL, 0, false));
	run_until(fixture, 1);
	assert_int_equal(fixture->result, 0);
	for (size_t i = 0; i < 4; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	assert_string_equal(last_of(fixture).outcome, "done");
	/* Nobody is left in it: killing nothing is fine. */
	assert_ok(start(fixture, group, ACTION_KILL, 0, false));
	run_until(fixture, 2);
	assert_int_equal(fixture->result, 0);
	host_group_remove(hierarchy, below);
	host_group_remove(hierarchy, name);
	assert_errno(start(fixture, group, ACTION_KILL, 0, false), ENOENT);
	cgroup_free(group);
}

static void test_action_start_kill_on_host_ends_the_whole_tree(void **state)
{
	struct fixture *fixture = *state;
	const char *why = host_group_why_not(&fixture->host);

	if (why) {
		print_message("# skipped: %s\n", why);
		skip();
	}
	host_kill(fixture, &fixture->host);
}

/* The same on a cgroup2 mount, also on a hybrid host, where it is beside v1. */
static void test_action_start_kill_on_unified_host_ends_the_whole_tree(void **state)
{
	struct fixture *fixture = *state;
	struct hierarchy unified;
	int fd = open("/sys/fs/cgroup/unified", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		print_message("# skipped: no /sys/fs/cgroup/unified\n");
		skip();
	}
	fake_hierarchy(fd, 2, &unified);
	if (host_group_why_not(&unified)) {
		print_message("# skipped: %s\n", host_group_why_not(&unified));
		skip();
	}
	host_kill(fixture, &unified);
	(void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_action_start_reclaim_is_written_in_steps),
		TEST(test_action_start_reclaim_refused_is_told),
		TEST(test_action_start_without_the_file_is_eopnotsupp),
		TEST(test_action_start_nonsense_is_refused),
		TEST(test_action_start_over_the_limit_is_eagain_and_counted),
		TEST(test_action_start_dry_run_is_recorded_only),
		TEST(test_action_start_evict_is_what_the_evictor_answers),
		TEST(test_action_start_evict_without_an_evictor_is_ehostdown),
		TEST(test_actions_free_and_a_new_evictor_forget_what_is_asked),
		TEST(test_actions_forget_done_is_not_called),
		TEST(test_actions_free_with_one_under_way),
		TEST(test_action_start_kill_uses_cgroup_kill),
		TEST(test_action_start_kill_of_own_group_is_eperm),
		TEST(test_action_start_kill_on_host_ends_the_whole_tree),
		TEST(test_action_start_kill_on_unified_host_ends_the_whole_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
