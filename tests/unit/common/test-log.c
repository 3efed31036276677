/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth-test.h"
#include "log.h"
#include "macro.h"

/* Where lines go is decided once a process, so each case is a process of its own, with stderr as
 * the case wants it. What it wrote comes back in text. */
static void capture(int read_fd, int write_fd, void (*fn)(void), char *text, size_t size)
{
	size_t length = 0;
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(write_fd, STDERR_FILENO) < 0)
			_exit(99);
		fn();
		_exit(0);
	}
	(void)close(write_fd);
	while (length < size - 1) {
		ssize_t n = read(read_fd, text + length, size - 1 - length);

		/* A terminal whose other end is gone reads as EIO. */
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	text[length] = '\0';
	(void)close(read_fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void capture_pipe(void (*fn)(void), char *text, size_t size)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	capture(fds[0], fds[1], fn, text, size);
}

static void write_levels(void)
{
	log_error("e %d", 1);
	log_warning("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
}

static void test_log_full_default_level_is_info(void **state)
{
	char text[256];

	(void)state;
	capture_pipe(write_levels, text, sizeof(text));
	assert_string_equal(text, "<3>e 1\n<4>w\n<5>n\n<6>i\n");
}

static void write_errors_only(void)
{
	log_set_level(LOG_ERR);
	if (log_level() != LOG_ERR)
		_exit(1);
	write_levels();
}

static void test_log_full_level_cuts(void **state)
{
	char text[256];

	(void)state;
	capture_pipe(write_errors_only, text, sizeof(text));
	assert_string_equal(text, "<3>e 1\n");
}

static void write_context(void)
{
	const struct log_context context = { .plugin = "colocation",
					     .workload = "default/web",
					     .reason = "batch" };
	const struct log_context empty = { 0 };

	log_full(LOG_INFO, &context, "cpu.idle is 1");
	log_full(LOG_INFO, &empty, "nothing");
}

static void test_log_full_context_is_appended(void **state)
{
	char text[256];

	(void)state;
	capture_pipe(write_context, text, sizeof(text));
	assert_string_equal(
		text, "<6>cpu.idle is 1 (plugin=colocation workload=default/web reason=batch)\n"
		      "<6>nothing\n");
}

static void test_log_full_terminal_has_no_prefix(void **state)
{
	char text[256];
	int leader, follower;

	(void)state;
	assert_int_equal(openpty(&leader, &follower, NULL, NULL, NULL), 0);
	capture(leader, follower, write_context, text, sizeof(text));
	assert_string_equal(
		text, "cpu.idle is 1 (plugin=colocation workload=default/web reason=batch)\r\n"
		      "nothing\r\n");
}

static void write_hostile(void)
{
	const struct log_context context = { .workload = "x\n<0>forged" };
	char line[5000];

	log_full(LOG_INFO, &context, "a\nb\x1b[31m");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	log_info("%s", line);
	errno = ENOENT;
	log_info("%m");
	if (errno != ENOENT)
		_exit(1);
}

static void test_log_full_one_event_is_one_line(void **state)
{
	static char text[8192];
	char expected[128];
	const char *second, *third;

	(void)state;
	capture_pipe(write_hostile, text, sizeof(text));
	assert_memory_equal(text, "<6>a b [31m (workload=x <0>forged)\n", 35);
	second = strchr(text, '\n') + 1;
	third = strchr(second, '\n') + 1;
	/* Long, cut, and it says so. */
	assert_true(third - second > 1000 && third - second < 4000);
	assert_memory_equal(third - 4, "...\n", 4);
	(void)snprintf(expected, sizeof(expected), "<6>%s\n", strerror(ENOENT));
	assert_string_equal(third, expected);
}

/* The variable is inherited by children whose stderr is something else. */
static void write_foreign_journal(void)
{
	(void)setenv("JOURNAL_STREAM", "1:1", 1);
	log_info("here");
}

static void write_bad_journal(void)
{
	(void)setenv("JOURNAL_STREAM", "x:y:z", 1);
	log_info("here");
}

static void test_log_full_foreign_journal_stream_is_ignored(void **state)
{
	char text[64];

	(void)state;
	capture_pipe(write_foreign_journal, text, sizeof(text));
	assert_string_equal(text, "<6>here\n");
	capture_pipe(write_bad_journal, text, sizeof(text));
	assert_string_equal(text, "<6>here\n");
}

static void write_count(void)
{
	uint64_t before = log_count_warnings();

	write_levels();
	if (before != 0 || log_count_warnings() != 2)
		_exit(1);
	log_set_level(LOG_ERR);
	log_warning("not out");
	if (log_count_warnings() != 2)
		_exit(2);
}

static void test_log_count_warnings_counts_what_went_out(void **state)
{
	char text[256];

	(void)state;
	capture_pipe(write_count, text, sizeof(text));
}

static void write_limited(void)
{
	struct log_limit limit = { .interval_usec = 3600 * USEC_PER_SEC, .burst = 2 };

	for (int i = 0; i < 5; i++)
		if (log_limit_pass(&limit, LOG_WARNING))
			log_warning("line %d", i);
	if (limit.suppressed != 3)
		_exit(1);
	/* The window is over. */
	limit.interval_usec = 0;
	if (log_limit_pass(&limit, LOG_WARNING))
		log_warning("again");
	if (limit.suppressed != 0)
		_exit(2);
}

static void test_log_limit_pass_counts_what_it_held_back(void **state)
{
	char text[256];

	(void)state;
	capture_pipe(write_limited, text, sizeof(text));
	assert_string_equal(text, "<4>line 0\n<4>line 1\n"
				  "<4>3 similar lines were suppressed\n<4>again\n");
}

static void test_log_level_parse_table_matches(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("err"), LOG_ERR);
	assert_int_equal(log_level_parse("warning"), LOG_WARNING);
	assert_int_equal(log_level_parse("notice"), LOG_NOTICE);
	assert_int_equal(log_level_parse("info"), LOG_INFO);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
	assert_errno(log_level_parse("error"), EINVAL);
	assert_errno(log_level_parse("DEBUG"), EINVAL);
	assert_errno(log_level_parse(""), EINVAL);
	assert_errno(log_level_parse("7"), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_full_default_level_is_info),
		cmocka_unit_test(test_log_full_level_cuts),
		cmocka_unit_test(test_log_full_context_is_appended),
		cmocka_unit_test(test_log_full_terminal_has_no_prefix),
		cmocka_unit_test(test_log_full_one_event_is_one_line),
		cmocka_unit_test(test_log_full_foreign_journal_stream_is_ignored),
		cmocka_unit_test(test_log_count_warnings_counts_what_went_out),
		cmocka_unit_test(test_log_limit_pass_counts_what_it_held_back),
		cmocka_unit_test(test_log_level_parse_table_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
