/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "actuator/process-list.h"
#include "actuator/process/knob.h"
#include "actuator/restore/restore.h"
#include "berth-test.h"
#include "cleanup.h"
#include "file.h"
#include "group-fixture.h"
#include "limit.h"

/* One hierarchy that is a plain directory: cgroup.procs holds what the test writes into it, while
 * /proc and the processes are the host's. */
struct fixture {
	char path[32];
	int fd;
	struct sysroot root;
	struct hierarchy hierarchy;
	struct cgroup group;
	struct process_knob *knob;
	pid_t children[3];
};

static void procs_write(const struct fixture *fixture, const char *group, const pid_t *pids,
			size_t count)
{
	int fd = directory_fd(fixture->fd, group);
	struct strbuf text = { 0 };

	for (size_t i = 0; i < count; i++)
		strbuf_addf(&text, "%d\n", (int)pids[i]);
	(void)unlinkat(fd, "cgroup.procs", 0);
	write_text(fd, "cgroup.procs", strbuf_text(&text));
	strbuf_done(&text);
	(void)close(fd);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct stat st;

	assert_non_null(fixture);
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->fd = directory_fd(AT_FDCWD, fixture->path);
	assert_int_equal(mkdirat(fixture->fd, "pod", 0755), 0);
	assert_int_equal(mkdirat(fixture->fd, "pod/container", 0755), 0);
	fake_hierarchy(fixture->fd, 1, &fixture->hierarchy);
	assert_ok(sysroot_open(NULL, &fixture->root));
	assert_int_equal(fstatat(fixture->fd, "pod", &st, 0), 0);
	fixture->group.path = strdup("pod");
	for (int i = 0; i < CONTROLLER_MAX; i++)
		fixture->group.inode[i] = st.st_ino;
	for (size_t i = 0; i < 3; i++)
		fixture->children[i] = child_start();
	procs_write(fixture, "pod", fixture->children, 1);
	procs_write(fixture, "pod/container", fixture->children + 1, 1);
	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_OOM_SCORE_ADJ, &fixture->knob));
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	process_knob_free(fixture->knob);
	for (size_t i = 0; i < 3; i++)
		if (fixture->children[i] > 0)
			child_end(fixture->children[i]);
	(void)unlinkat(fixture->fd, "pod/container/cgroup.procs", 0);
	(void)unlinkat(fixture->fd, "pod/container", AT_REMOVEDIR);
	(void)unlinkat(fixture->fd, "pod/cgroup.procs", 0);
	(void)unlinkat(fixture->fd, "pod", AT_REMOVEDIR);
	(void)rmdir(fixture->path);
	(void)close(fixture->fd);
	sysroot_done(&fixture->root);
	free(fixture->group.path);
	free(fixture);
	return 0;
}

static long score_of(const struct fixture *fixture, pid_t pid)
{
	char name[64], text[32], *end;

	(void)snprintf(name, sizeof(name), "proc/%d/oom_score_adj", (int)pid);
	assert_ok(file_read(fixture->root.root, name, text, sizeof(text)));
	return strtol(text, &end, 10);
}

static void score_set(const struct fixture *fixture, pid_t pid, const char *text)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "proc/%d/oom_score_adj", (int)pid);
	write_text(fixture->root.root, name, text);
}

/* How many processes the knob would have the journal remember. */
static unsigned int known_count(struct process_knob *knob)
{
	cleanup_strbuf struct strbuf text = { 0 };
	unsigned int count = 0;

	process_knob_originals(knob, &text);
	assert_ok(strbuf_error(&text));
	for (const char *at = strbuf_text(&text); (at = strchr(at, '.')); at++)
		count++;
	return count;
}

static void test_process_knob_apply_covers_the_tree_and_restore_undoes_it(void **state)
{
	struct fixture *fixture = *state;
	long first = score_of(fixture, fixture->children[0]);

	score_set(fixture, fixture->children[1], "321");
	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_look(fixture->knob), 0);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 0);
	assert_int_equal(score_of(fixture, fixture->children[0]), 900);
	assert_int_equal(score_of(fixture, fixture->children[1]), 900);
	assert_int_equal(score_of(fixture, fixture->children[2]), first);
	assert_int_equal(process_knob_restore(fixture->knob, 900), 2);
	assert_int_equal(score_of(fixture, fixture->children[0]), first);
	assert_int_equal(score_of(fixture, fixture->children[1]), 321);
	assert_int_equal(known_count(fixture->knob), 0);
}

/* A BestEffort pod of Kubernetes has 1000, and that cannot be lowered without CAP_SYS_RESOURCE. */
static void test_process_knob_apply_never_lowers(void **state)
{
	struct fixture *fixture = *state;

	score_set(fixture, fixture->children[0], "1000");
	score_set(fixture, fixture->children[1], "321");
	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 950), 1);
	assert_int_equal(score_of(fixture, fixture->children[0]), 1000);
	assert_int_equal(score_of(fixture, fixture->children[1]), 950);
	/* What we raised goes down again, as far as it was. */
	assert_int_equal(process_knob_apply(fixture->knob, 100), 1);
	assert_int_equal(score_of(fixture, fixture->children[1]), 321);
	assert_int_equal(process_knob_restore(fixture->knob, 100), 0);
	assert_int_equal(score_of(fixture, fixture->children[0]), 1000);
	assert_int_equal(score_of(fixture, fixture->children[1]), 321);
}

static void test_process_knob_apply_writes_to_none_that_look_has_not_seen(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(process_knob_apply(fixture->knob, 900), 0);
	assert_int_not_equal(score_of(fixture, fixture->children[0]), 900);
}

static void test_process_knob_look_later_process_is_new(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);
	score_set(fixture, fixture->children[2], "55");
	procs_write(fixture, "pod/container", fixture->children + 1, 2);
	assert_int_equal(process_knob_look(fixture->knob), 1);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 1);
	assert_int_equal(process_knob_restore(fixture->knob, 900), 3);
	assert_int_equal(score_of(fixture, fixture->children[2]), 55);
}

/* A pipe makes the fork happen after the knob was applied. */
static pid_t forking_child_start(int *ret_go, int *ret_said)
{
	int go[2], said[2];
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char byte;
		pid_t child;

		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		child = fork();
		if (child == 0)
			for (;;)
				(void)pause();
		if (write(said[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(go[0]);
	(void)close(said[1]);
	*ret_go = go[1];
	*ret_said = said[0];
	return pid;
}

static void test_process_knob_restore_child_of_a_written_process_gets_its_parents(void **state)
{
	struct fixture *fixture = *state;
	pid_t pids[2], orphan;
	int go, said;

	pids[0] = forking_child_start(&go, &said);
	score_set(fixture, pids[0], "77");
	procs_write(fixture, "pod", pids, 1);
	procs_write(fixture, "pod/container", pids, 0);
	assert_int_equal(process_knob_look(fixture->knob), 1);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 1);
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(read(said, &pids[1], sizeof(pids[1])), sizeof(pids[1]));
	assert_int_equal(score_of(fixture, pids[1]), 900); /* inherited */
	procs_write(fixture, "pod", pids, 2);
	orphan = pids[1];
	assert_int_equal(process_knob_restore(fixture->knob, 900), 2);
	assert_int_equal(score_of(fixture, pids[0]), 77);
	assert_int_equal(score_of(fixture, orphan), 77);
	child_end(pids[0]);
	(void)kill(orphan, SIGKILL);
	(void)close(go);
	(void)close(said);
}

static void test_process_knob_restore_changed_by_another_is_left(void **state)
{
	struct fixture *fixture = *state;
	long first = score_of(fixture, fixture->children[0]);

	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);
	score_set(fixture, fixture->children[1], "444");
	assert_int_equal(process_knob_restore(fixture->knob, 900), 1);
	assert_int_equal(score_of(fixture, fixture->children[0]), first);
	assert_int_equal(score_of(fixture, fixture->children[1]), 444);
}

static void test_process_knob_restore_ended_process_is_forgotten(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);
	child_end(fixture->children[1]);
	fixture->children[1] = 0;
	procs_write(fixture, "pod/container", NULL, 0);
	assert_int_equal(process_knob_restore(fixture->knob, 900), 1);
	assert_int_equal(known_count(fixture->knob), 0);
}

static void test_process_knob_originals_survive_a_restart(void **state)
{
	struct fixture *fixture = *state;
	cleanup_strbuf struct strbuf text = { 0 }, again = { 0 };
	struct process_knob *after = NULL;

	score_set(fixture, fixture->children[1], "12");
	assert_int_equal(process_knob_look(fixture->knob), 2);
	process_knob_originals(fixture->knob, &text);
	assert_ok(strbuf_error(&text));
	assert_null(strpbrk(strbuf_text(&text), " \t\n"));
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);

	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_OOM_SCORE_ADJ, &after));
	assert_ok(process_knob_parse(after, strbuf_text(&text)));
	process_knob_originals(after, &again);
	assert_string_equal(strbuf_text(&again), strbuf_text(&text));
	assert_int_equal(process_knob_restore(after, 900), 2);
	assert_int_equal(score_of(fixture, fixture->children[1]), 12);
	process_knob_free(after);
}

/* Forked between the daemon's end and its next start, by a process that is gone since. */
static void test_process_knob_restore_orphan_born_while_down_gets_the_original(void **state)
{
	struct fixture *fixture = *state;
	cleanup_strbuf struct strbuf text = { 0 };
	struct process_knob *after = NULL;

	score_set(fixture, fixture->children[0], "12");
	procs_write(fixture, "pod/container", NULL, 0);
	assert_int_equal(process_knob_look(fixture->knob), 1);
	process_knob_originals(fixture->knob, &text);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 1);
	score_set(fixture, fixture->children[1], "900");
	procs_write(fixture, "pod/container", fixture->children + 1, 1);

	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_OOM_SCORE_ADJ, &after));
	assert_ok(process_knob_parse(after, strbuf_text(&text)));
	assert_int_equal(process_knob_look(after), 1);
	assert_int_equal(process_knob_restore(after, 900), 2);
	assert_int_equal(score_of(fixture, fixture->children[0]), 12);
	assert_int_equal(score_of(fixture, fixture->children[1]), 12);
	process_knob_free(after);
}

/* The pid of a process that the journal knows belongs to another by now. */
/* No more fds, say: that tells nothing of a process, and least of all that it has ended. */
static void test_process_knob_restore_that_cannot_look_is_an_error_and_tried_again(void **state)
{
	struct fixture *fixture = *state;
	long first = score_of(fixture, fixture->children[0]);
	int root = fixture->root.root;

	score_set(fixture, fixture->children[1], "321");
	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);
	fixture->root.root = -EBADF;
	assert_int_equal(process_knob_look(fixture->knob), 0);
	assert_int_equal(known_count(fixture->knob), 2);
	assert_errno(process_knob_restore(fixture->knob, 900), EBADF);
	assert_int_equal(known_count(fixture->knob), 2);
	fixture->root.root = root;
	assert_int_equal(process_knob_restore(fixture->knob, 900), 2);
	assert_int_equal(score_of(fixture, fixture->children[0]), first);
	assert_int_equal(score_of(fixture, fixture->children[1]), 321);
	assert_int_equal(known_count(fixture->knob), 0);
}

static void test_process_knob_restore_recycled_pid_is_not_touched(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	(void)snprintf(text, sizeof(text), "5:%x.1", (unsigned int)fixture->children[0]);
	score_set(fixture, fixture->children[0], "900");
	procs_write(fixture, "pod", NULL, 0);
	procs_write(fixture, "pod/container", NULL, 0);
	assert_ok(process_knob_parse(fixture->knob, text));
	assert_int_equal(process_knob_apply(fixture->knob, 800), 0);
	assert_int_equal(process_knob_restore(fixture->knob, 900), 0);
	assert_int_equal(score_of(fixture, fixture->children[0]), 900);
}

static void test_process_knob_restore_stopped_between_two_values_undoes_both(void **state)
{
	struct fixture *fixture = *state;
	long first = score_of(fixture, fixture->children[0]);
	cleanup_strbuf struct strbuf text = { 0 };
	struct process_knob *after = NULL;

	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 800), 2);
	process_knob_originals(fixture->knob, &text);
	/* Journaled, one of two written, killed. */
	score_set(fixture, fixture->children[0], "900");
	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_OOM_SCORE_ADJ, &after));
	assert_ok(process_knob_parse(after, strbuf_text(&text)));
	assert_int_equal(process_knob_restore(after, 900), 2);
	assert_int_equal(score_of(fixture, fixture->children[0]), first);
	assert_int_equal(score_of(fixture, fixture->children[1]), first);
	process_knob_free(after);
}

/* The same, twice in a row: three values of ours. */
static void test_process_knob_restore_stopped_between_values_again_undoes_all(void **state)
{
	struct fixture *fixture = *state;
	long first = score_of(fixture, fixture->children[0]);
	cleanup_strbuf struct strbuf text = { 0 };
	struct process_knob *after = NULL;
	struct restore_item item = {
		.place = { .knob = KNOB_OOM_SCORE_ADJ },
		.previous = "850",
		.written = "900",
	};

	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 800), 2);
	process_knob_originals(fixture->knob, &text);
	item.original = strbuf_text(&text);
	score_set(fixture, fixture->children[0], "850");
	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_OOM_SCORE_ADJ, &after));
	assert_ok(process_knob_parse(after, strbuf_text(&text)));
	item.processes = after;
	assert_int_equal(restore_knob(&item), RESTORE_DONE);
	assert_int_equal(score_of(fixture, fixture->children[0]), first);
	assert_int_equal(score_of(fixture, fixture->children[1]), first);
	process_knob_free(after);
}

/* Until all have the new value, the one before is ours; after that it is anybody's. */
static void test_process_knob_expect_holds_until_an_apply_went_through(void **state)
{
	struct fixture *fixture = *state;
	long first = score_of(fixture, fixture->children[0]);

	assert_int_equal(process_knob_look(fixture->knob), 2);
	assert_int_equal(process_knob_apply(fixture->knob, 800), 2);
	process_knob_expect(fixture->knob, 850);
	assert_int_equal(process_knob_apply(fixture->knob, 900), 2);
	score_set(fixture, fixture->children[1], "850");
	assert_int_equal(process_knob_restore(fixture->knob, 900), 1);
	assert_int_equal(score_of(fixture, fixture->children[0]), first);
	assert_int_equal(score_of(fixture, fixture->children[1]), 850);
}

/* Those that have left the group are in the record, too. */
static void test_process_knob_parse_more_than_a_group_can_have_is_taken(void **state)
{
	cleanup_strbuf struct strbuf text = { 0 }, again = { 0 };
	struct fixture *fixture = *state;

	strbuf_add(&text, "5:1.1");
	for (unsigned int pid = 2; pid <= LIMIT_PIDS + 100; pid++)
		strbuf_addf(&text, ",%x.1", pid);
	assert_ok(process_knob_parse(fixture->knob, strbuf_text(&text)));
	process_knob_originals(fixture->knob, &again);
	assert_string_equal(strbuf_text(&again), strbuf_text(&text));
}

static void test_process_knob_parse_malformed_is_einval(void **state)
{
	static const char *const bad[] = {
		"x",
		"5",
		"5:",
		"5:1",
		"5:1.",
		"5:.1",
		"5:1.1,",
		"5:0.1",
		"5:2.1,1.1",
		"5:1.1,1.2",
		"5:1.1;",
		":1.1",
		"5:1.1 ",
		"@5;@5;",
		"5:1.1;@5",
		"5:ffffffff.1",
		"5:1.1;;4:2.1",
		"@;5:1.1",
		"5:-1.1",
		"99999999999999999999:1.1",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (process_knob_parse(fixture->knob, bad[i]) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
	assert_int_equal(known_count(fixture->knob), 0);
	assert_ok(process_knob_parse(fixture->knob, ""));
	assert_ok(process_knob_parse(fixture->knob, "@900;-5:1.1,2.ff;7:3.0"));
	assert_int_equal(known_count(fixture->knob), 3);
}

static void test_process_knob_look_vanished_group_is_enoent(void **state)
{
	struct fixture *fixture = *state;

	(void)unlinkat(fixture->fd, "pod/container/cgroup.procs", 0);
	(void)unlinkat(fixture->fd, "pod/container", AT_REMOVEDIR);
	(void)unlinkat(fixture->fd, "pod/cgroup.procs", 0);
	assert_errno(process_knob_look(fixture->knob), ENOENT);
	(void)unlinkat(fixture->fd, "pod", AT_REMOVEDIR);
	assert_errno(process_knob_look(fixture->knob), ENOENT);
}

static void test_process_knob_new_other_knob_is_einval(void **state)
{
	struct fixture *fixture = *state;
	struct process_knob *knob = NULL;

	assert_errno(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				      KNOB_CPU_IDLE, &knob),
		     EINVAL);
	assert_null(knob);
}

/* Core scheduling as the kernel has it, for the fixture's children: no kernel of ours is built with
 * CONFIG_SCHED_CORE. */
#define COOKIES 8
static struct {
	int pid;
	uint64_t cookie;
} cookies[COOKIES];
static _Thread_local uint64_t own_cookie;
static uint64_t next_cookie;
static unsigned int creates, shares;
static pthread_t test_thread;

static uint64_t *cookie_of(int pid)
{
	if (pid == 0)
		return &own_cookie;
	for (size_t i = 0; i < COOKIES; i++) {
		if (cookies[i].pid == 0)
			cookies[i].pid = pid;
		if (cookies[i].pid == pid)
			return &cookies[i].cookie;
	}
	return NULL;
}

static int fake_core_sched(unsigned int command, int pid, unsigned int scope, uint64_t *ret_cookie)
{
	switch (command) {
	case 0:
		assert_int_equal(scope, 0);
		*ret_cookie = *cookie_of(pid);
		return 0;
	case 1:
		/* Never on a thread that lives on. */
		assert_false(pthread_equal(pthread_self(), test_thread));
		assert_int_equal(pid, 0);
		own_cookie = ++next_cookie;
		creates++;
		return 0;
	case 2:
		assert_int_equal(scope, 1);
		*cookie_of(pid) = own_cookie;
		shares++;
		return 0;
	case 3:
		assert_false(pthread_equal(pthread_self(), test_thread));
		own_cookie = *cookie_of(pid);
		return 0;
	default:
		return -EINVAL;
	}
}

static int fake_core_sched_absent(unsigned int command, int pid, unsigned int scope,
				  uint64_t *ret_cookie)
{
	(void)command;
	(void)pid;
	(void)scope;
	(void)ret_cookie;
	return -EINVAL;
}

static void test_process_knob_core_sched_group_shares_one_cookie(void **state)
{
	int (*saved)(unsigned int, int, unsigned int, uint64_t *) = process_knob_core_sched;
	struct fixture *fixture = *state;
	struct process_knob *knob = NULL;
	cleanup_strbuf struct strbuf text = { 0 };

	process_knob_core_sched = fake_core_sched;
	test_thread = pthread_self();
	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_CORE_SCHED, &knob));
	assert_int_equal(process_knob_look(knob), 2);
	assert_int_equal(process_knob_apply(knob, 1), 2);
	assert_int_equal(creates, 1);
	assert_true(*cookie_of(fixture->children[0]) != 0);
	assert_int_equal(*cookie_of(fixture->children[0]), *cookie_of(fixture->children[1]));
	assert_int_equal(process_knob_apply(knob, 1), 0);
	assert_int_equal(creates, 1);

	/* A later one gets the same cookie, not a new one; somebody else's is left. */
	procs_write(fixture, "pod/container", fixture->children + 1, 2);
	*cookie_of(fixture->children[1]) = 4711;
	assert_int_equal(process_knob_look(knob), 1);
	assert_int_equal(process_knob_apply(knob, 1), 1);
	assert_int_equal(creates, 1);
	assert_int_equal(*cookie_of(fixture->children[2]), *cookie_of(fixture->children[0]));
	process_knob_originals(knob, &text);
	process_knob_free(knob);

	/* After a restart, from the journal. */
	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_CORE_SCHED, &knob));
	assert_ok(process_knob_parse(knob, strbuf_text(&text)));
	assert_int_equal(process_knob_apply(knob, 1), 0);
	assert_int_equal(creates, 1);
	assert_int_equal(process_knob_restore(knob, 1), 2);
	assert_int_equal(*cookie_of(fixture->children[0]), 0);
	assert_int_equal(*cookie_of(fixture->children[1]), 4711);
	assert_int_equal(*cookie_of(fixture->children[2]), 0);
	assert_int_equal(own_cookie, 0);
	process_knob_free(knob);
	process_knob_core_sched = saved;
}

static void test_process_knob_core_sched_not_built_is_an_error(void **state)
{
	int (*saved)(unsigned int, int, unsigned int, uint64_t *) = process_knob_core_sched;
	struct fixture *fixture = *state;
	struct process_knob *knob = NULL;
	char text[64];

	process_knob_core_sched = fake_core_sched_absent;
	assert_ok(process_knob_new(&fixture->root, &fixture->hierarchy, &fixture->group,
				   KNOB_CORE_SCHED, &knob));
	(void)process_knob_look(knob);
	assert_int_equal(known_count(knob), 0);
	(void)snprintf(text, sizeof(text), "0:%x.1", (unsigned int)fixture->children[0]);
	assert_ok(process_knob_parse(knob, text));
	assert_errno(process_knob_apply(knob, 1), EINVAL);
	process_knob_free(knob);
	process_knob_core_sched = saved;
}

static void test_process_list_read_over_limit_gives_the_first(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free int *pids = NULL;
	size_t count = 0;

	assert_errno(process_list_read(&fixture->hierarchy, &fixture->group, 1, &pids, &count),
		     E2BIG);
	assert_int_equal(count, 1);
	assert_true(process_list_has(pids, count, fixture->children[0]));
	assert_false(process_list_has(pids, count, fixture->children[1]));
}

/* No more fds, say: nobody may take that for the group's end. */
static void test_process_list_identify_that_cannot_look_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	uint64_t inode = fixture->group.inode[0];
	char path[] = "pod", other[] = "other";
	struct cgroup group = { .path = path };

	assert_int_equal(renameat(fixture->fd, "pod", fixture->fd, "other"), 0);
	assert_errno(process_list_identify(&fixture->hierarchy, &group, inode), ENOENT);
	assert_int_equal(symlinkat("other", fixture->fd, "pod"), 0);
	assert_errno(process_list_identify(&fixture->hierarchy, &group, inode), ENOTDIR);
	assert_int_equal(unlinkat(fixture->fd, "pod", 0), 0);
	group.path = other;
	assert_errno(process_list_identify(&fixture->hierarchy, &group, inode + 1), ENOENT);
	assert_ok(process_list_identify(&fixture->hierarchy, &group, inode));
	assert_int_equal(renameat(fixture->fd, "other", fixture->fd, "pod"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_process_knob_apply_covers_the_tree_and_restore_undoes_it),
		TEST(test_process_knob_apply_never_lowers),
		TEST(test_process_knob_apply_writes_to_none_that_look_has_not_seen),
		TEST(test_process_knob_look_later_process_is_new),
		TEST(test_process_knob_restore_child_of_a_written_process_gets_its_parents),
		TEST(test_process_knob_restore_changed_by_another_is_left),
		TEST(test_process_knob_restore_ended_process_is_forgotten),
		TEST(test_process_knob_originals_survive_a_restart),
		TEST(test_process_knob_restore_orphan_born_while_down_gets_the_original),
		TEST(test_process_knob_restore_that_cannot_look_is_an_error_and_tried_again),
		TEST(test_process_knob_restore_recycled_pid_is_not_touched),
		TEST(test_process_knob_restore_stopped_between_two_values_undoes_both),
		TEST(test_process_knob_restore_stopped_between_values_again_undoes_all),
		TEST(test_process_knob_expect_holds_until_an_apply_went_through),
		TEST(test_process_knob_parse_more_than_a_group_can_have_is_taken),
		TEST(test_process_knob_parse_malformed_is_einval),
		TEST(test_process_knob_look_vanished_group_is_enoent),
		TEST(test_process_knob_new_other_knob_is_einval),
		TEST(test_process_knob_core_sched_group_shares_one_cookie),
		TEST(test_process_knob_core_sched_not_built_is_an_error),
		TEST(test_process_list_read_over_limit_gives_the_first),
		TEST(test_process_list_identify_that_cannot_look_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
