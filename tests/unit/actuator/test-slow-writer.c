/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "actuator/slow/writer.h"
#include "berth-test.h"
#include "group-fixture.h"
#include "limit.h"

#define RUN_USEC 20000000u

struct fixture {
	sd_event *event;
	struct slow_writer *writer;
	int pipe[2];
	unsigned int done;
	int results[8];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_ok(sd_event_new(&fixture->event));
	assert_ok(slow_writer_new(fixture->event, LIMIT_SLOW_QUEUE, &fixture->writer));
	assert_int_equal(pipe2(fixture->pipe, O_CLOEXEC), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	slow_writer_free(fixture->writer);
	sd_event_unref(fixture->event);
	(void)close(fixture->pipe[0]);
	(void)close(fixture->pipe[1]);
	free(fixture);
	return 0;
}

static void on_done(void *data, int result)
{
	struct fixture *fixture = data;

	fixture->results[fixture->done++ % 8] = result;
}

static int write_end(const struct fixture *fixture)
{
	int fd = fcntl(fixture->pipe[1], F_DUPFD_CLOEXEC, 3);

	assert_true(fd >= 0);
	return fd;
}

/* The next write to the pipe blocks until drain(). */
static void fill(const struct fixture *fixture)
{
	static const char zeros[4096];
	int size = fcntl(fixture->pipe[1], F_GETPIPE_SZ);

	assert_true(size > 0);
	for (int i = 0; i < size; i += (int)sizeof(zeros))
		assert_int_equal(write(fixture->pipe[1], zeros, sizeof(zeros)), sizeof(zeros));
}

static void drain(const struct fixture *fixture)
{
	static char sink[1 << 20];

	assert_true(read(fixture->pipe[0], sink, sizeof(sink)) > 0);
}

static void run_until(struct fixture *fixture, unsigned int done)
{
	while (fixture->done < done)
		assert_true(sd_event_run(fixture->event, RUN_USEC) > 0);
}

static void test_slow_writer_add_text_is_written_in_one_piece(void **state)
{
	struct fixture *fixture = *state;
	char text[32] = "";

	assert_ok(
		slow_writer_add(fixture->writer, write_end(fixture), "16777216", on_done, fixture));
	run_until(fixture, 1);
	assert_int_equal(fixture->results[0], 0);
	assert_int_equal(read(fixture->pipe[0], text, sizeof(text)), 8);
	assert_string_equal(text, "16777216");
}

static void test_slow_writer_add_refused_write_is_the_result(void **state)
{
	struct fixture *fixture = *state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(slow_writer_add(fixture->writer, fd, "1", on_done, fixture));
	run_until(fixture, 1);
	assert_int_equal(fixture->results[0], -ENOSPC);
	assert_errno(fcntl(fd, F_GETFD) < 0 ? -errno : 0, EBADF); /* it was the writer's to close */
}

static void test_slow_writer_add_blocked_write_leaves_the_loop_free(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	assert_ok(slow_writer_add(fixture->writer, write_end(fixture), "1", on_done, fixture));
	assert_int_equal(sd_event_run(fixture->event, 20000), 0);
	assert_int_equal(fixture->done, 0);
	drain(fixture);
	run_until(fixture, 1);
	assert_int_equal(fixture->results[0], 0);
}

static void test_slow_writer_add_over_limit_refused_and_fd_left(void **state)
{
	struct fixture *fixture = *state;
	unsigned int added = 0;
	int fd, r;

	fill(fixture);
	for (;;) {
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		r = slow_writer_add(fixture->writer, added ? fd : write_end(fixture), "1", on_done,
				    fixture);
		if (r < 0)
			break;
		if (added++ == 0)
			assert_int_equal(close(fd), 0);
		/* The first is taken off the queue when its thread runs. */
		assert_true(added <= LIMIT_SLOW_QUEUE + 1);
	}
	assert_errno(r, EAGAIN);
	assert_true(added >= LIMIT_SLOW_QUEUE);
	assert_int_equal(close(fd), 0); /* still ours */
	drain(fixture);
	run_until(fixture, added);
}

static void test_slow_writer_forget_queued_is_not_written(void **state)
{
	struct fixture *fixture = *state;
	struct fixture other = { .done = 0 };
	int pipe[2];
	char text[4];

	assert_int_equal(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
	fill(fixture);
	assert_ok(slow_writer_add(fixture->writer, write_end(fixture), "1", on_done, fixture));
	assert_ok(slow_writer_add(fixture->writer, pipe[1], "2", on_done, &other));
	slow_writer_forget(fixture->writer, &other);
	assert_ok(slow_writer_add(fixture->writer, write_end(fixture), "3", on_done, fixture));
	drain(fixture);
	run_until(fixture, 2); /* they are written one after the other */
	assert_int_equal(other.done, 0);
	assert_int_equal(read(pipe[0], text, sizeof(text)), 0); /* closed, and nothing in it */
	(void)close(pipe[0]);
}

static void test_slow_writer_free_closes_the_queued(void **state)
{
	struct fixture *fixture = *state;
	int pipe[2];
	char text[4];

	assert_int_equal(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_ok(slow_writer_add(fixture->writer, open("/dev/null", O_WRONLY | O_CLOEXEC), "1",
				  on_done, fixture));
	assert_ok(slow_writer_add(fixture->writer, pipe[1], "2", on_done, fixture));
	fixture->writer = slow_writer_free(fixture->writer);
	assert_null(fixture->writer);
	/* Written or dropped, but nobody holds the end open. */
	while (read(pipe[0], text, sizeof(text)) > 0)
		continue;
	assert_int_equal(read(pipe[0], text, sizeof(text)), 0);
	assert_int_equal(fixture->done, 0);
	(void)close(pipe[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_slow_writer_add_text_is_written_in_one_piece),
		TEST(test_slow_writer_add_refused_write_is_the_result),
		TEST(test_slow_writer_add_blocked_write_leaves_the_loop_free),
		TEST(test_slow_writer_add_over_limit_refused_and_fd_left),
		TEST(test_slow_writer_forget_queued_is_not_written),
		TEST(test_slow_writer_free_closes_the_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
