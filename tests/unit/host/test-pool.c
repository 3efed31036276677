/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "berth-test.h"
#include "worker/pool.h"

#define RUN_USEC 20000000u

struct fixture {
	sd_event *event;
	struct worker_pool *pool;
	unsigned int done;
	int last_result;
	pthread_t loop;
};

struct job {
	sem_t started, release, asleep;
	atomic_bool ran;
	pthread_t thread;
	int result;
};

static int setup_with(void **state, unsigned int threads, unsigned int limit)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_ok(sd_event_new(&fixture->event));
	assert_ok(worker_pool_new(fixture->event, threads, limit, &fixture->pool));
	fixture->loop = pthread_self();
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, 2, 4);
}

static int setup_one(void **state)
{
	return setup_with(state, 1, 4);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	worker_pool_free(fixture->pool);
	sd_event_unref(fixture->event);
	free(fixture);
	return 0;
}

static void job_init(struct job *job)
{
	memset(job, 0, sizeof(*job));
	assert_int_equal(sem_init(&job->started, 0, 0), 0);
	assert_int_equal(sem_init(&job->release, 0, 0), 0);
	assert_int_equal(sem_init(&job->asleep, 0, 0), 0);
}

static int job_wait(void *data)
{
	struct job *job = data;

	(void)sem_post(&job->started);
	(void)sem_wait(&job->release);
	atomic_store(&job->ran, true);
	return job->result;
}

static int job_quick(void *data)
{
	struct job *job = data;

	job->thread = pthread_self();
	atomic_store(&job->ran, true);
	return job->result;
}

static int job_count(void *data)
{
	atomic_uint *count = data;

	atomic_fetch_add(count, 1);
	return 0;
}

static void on_done(void *data, void *job, int result)
{
	struct fixture *fixture = data;

	(void)job;
	assert_true(pthread_equal(pthread_self(), fixture->loop));
	fixture->done++;
	fixture->last_result = result;
}

static void run_until(struct fixture *fixture, unsigned int done)
{
	while (fixture->done < done)
		assert_true(sd_event_run(fixture->event, RUN_USEC) > 0);
}

static void test_worker_pool_new_nothing_to_run_on_refused(void **state)
{
	struct fixture *fixture = *state;
	struct worker_pool *pool = NULL;

	assert_errno(worker_pool_new(fixture->event, 0, 1, &pool), EINVAL);
	assert_errno(worker_pool_new(fixture->event, 1, 0, &pool), EINVAL);
	assert_null(pool);
	assert_null(worker_pool_free(NULL));
}

static void test_worker_pool_add_job_runs_on_a_thread_and_done_on_the_loop(void **state)
{
	struct fixture *fixture = *state;
	struct job job;

	job_init(&job);
	job.result = -EIO;
	assert_ok(worker_pool_add(fixture->pool, job_quick, on_done, &job, fixture));
	run_until(fixture, 1);
	assert_true(atomic_load(&job.ran));
	assert_false(pthread_equal(job.thread, fixture->loop));
	assert_int_equal(fixture->last_result, -EIO);
}

static void test_worker_pool_add_thousand_jobs_all_done_once(void **state)
{
	struct fixture *fixture = *state;
	atomic_uint ran = 0;
	unsigned int added = 0;

	while (added < 1000) {
		int r = worker_pool_add(fixture->pool, job_count, on_done, &ran, fixture);

		if (r == 0)
			added++;
		else
			assert_true(r == -EAGAIN && sd_event_run(fixture->event, RUN_USEC) > 0);
	}
	run_until(fixture, 1000);
	/* A job that finished between the loop's read of the eventfd and its look at the list is
	 * done already when its own wake-up comes: one turn with nothing in it. */
	assert_true(sd_event_run(fixture->event, 0) <= 1);
	assert_int_equal(sd_event_run(fixture->event, 0), 0);
	assert_int_equal(fixture->done, 1000);
	assert_int_equal(atomic_load(&ran), 1000);
}

static void test_worker_pool_add_full_queue_refused(void **state)
{
	struct fixture *fixture = *state;
	struct job busy, queued;

	job_init(&busy);
	job_init(&queued);
	assert_ok(worker_pool_add(fixture->pool, job_wait, on_done, &busy, fixture));
	(void)sem_wait(&busy.started);
	for (int i = 0; i < 4; i++)
		assert_ok(worker_pool_add(fixture->pool, job_quick, on_done, &queued, fixture));
	assert_errno(worker_pool_add(fixture->pool, job_quick, on_done, &queued, fixture), EAGAIN);
	(void)sem_post(&busy.release);
	run_until(fixture, 5);
}

static void test_worker_pool_add_two_jobs_run_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct job first, second;

	job_init(&first);
	job_init(&second);
	assert_ok(worker_pool_add(fixture->pool, job_wait, on_done, &first, fixture));
	assert_ok(worker_pool_add(fixture->pool, job_wait, on_done, &second, fixture));
	/* Would wait for ever if the second had no thread of its own. */
	(void)sem_wait(&first.started);
	(void)sem_wait(&second.started);
	(void)sem_post(&first.release);
	(void)sem_post(&second.release);
	run_until(fixture, 2);
}

/* As /proc/PID/stat has it: "PID (NAME) STATE ...". */
static char state_of_loop(void)
{
	FILE *file = fopen("/proc/self/stat", "re");
	char text[256] = "", *end;

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	end = strrchr(text, ')');
	assert_non_null(end);
	return end[1] ? end[2] : '\0';
}

/* Lets the job go when the loop's thread, which is the first of the process, sleeps: it has nothing
 * else to wait for than that job, once it goes into the pool. */
static void *release_later(void *data)
{
	struct job *job = data;

	(void)sem_wait(&job->asleep);
	while (state_of_loop() != 'S')
		(void)usleep(1000);
	(void)sem_post(&job->release);
	return NULL;
}

static void test_worker_pool_free_waits_for_the_running_and_drops_the_queued(void **state)
{
	struct fixture *fixture = *state;
	struct job running, queued;
	pthread_t thread;

	job_init(&running);
	job_init(&queued);
	assert_ok(worker_pool_add(fixture->pool, job_wait, on_done, &running, fixture));
	(void)sem_wait(&running.started);
	assert_ok(worker_pool_add(fixture->pool, job_quick, on_done, &queued, fixture));
	assert_int_equal(pthread_create(&thread, NULL, release_later, &running), 0);
	(void)sem_post(&running.asleep);
	fixture->pool = worker_pool_free(fixture->pool);
	assert_null(fixture->pool);
	assert_true(atomic_load(&running.ran));
	assert_false(atomic_load(&queued.ran));
	assert_int_equal(fixture->done, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_worker_pool_cancel_queued_job_never_runs(void **state)
{
	struct fixture *fixture = *state;
	struct job running, queued;

	job_init(&running);
	job_init(&queued);
	assert_ok(worker_pool_add(fixture->pool, job_wait, on_done, &running, fixture));
	(void)sem_wait(&running.started);
	assert_ok(worker_pool_add(fixture->pool, job_quick, on_done, &queued, fixture));
	assert_int_equal(worker_pool_cancel(fixture->pool, &queued), 1);
	assert_int_equal(worker_pool_cancel(fixture->pool, &queued), 0);
	(void)sem_post(&running.release);
	run_until(fixture, 1);
	assert_false(atomic_load(&queued.ran));
}

static void test_worker_pool_cancel_running_job_is_waited_for_unheard(void **state)
{
	struct fixture *fixture = *state;
	struct job running;
	pthread_t thread;

	job_init(&running);
	assert_ok(worker_pool_add(fixture->pool, job_wait, on_done, &running, fixture));
	(void)sem_wait(&running.started);
	assert_int_equal(pthread_create(&thread, NULL, release_later, &running), 0);
	(void)sem_post(&running.asleep);
	assert_int_equal(worker_pool_cancel(fixture->pool, &running), 1);
	assert_true(atomic_load(&running.ran));
	(void)sd_event_run(fixture->event, 0);
	assert_int_equal(fixture->done, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static unsigned int fd_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

/* Ten seconds after the last job its thread ends, and the loop is told. */
static void test_worker_pool_without_jobs_has_no_fd(void **state)
{
	struct fixture *fixture = *state;
	struct worker_pool *pool = NULL;
	unsigned int before = fd_count();
	struct job job;

	assert_ok(worker_pool_new(fixture->event, 2, 4, &pool));
	assert_int_equal(fd_count(), before);
	job_init(&job);
	for (unsigned int done = 1; done <= 2; done++) {
		assert_ok(worker_pool_add(pool, job_quick, on_done, &job, fixture));
		assert_int_equal(fd_count(), before + 1);
		run_until(fixture, done);
		if (done == 2)
			break;
		assert_int_equal(fd_count(), before + 1);
		assert_true(sd_event_run(fixture->event, 3 * RUN_USEC) > 0);
		assert_int_equal(fd_count(), before);
	}
	assert_null(worker_pool_free(pool));
	assert_int_equal(fd_count(), before);
}

static void test_worker_pool_add_out_of_files_is_refused_and_later_taken(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit before, none;
	struct job job;

	job_init(&job);
	assert_ok(getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = 0;
	assert_ok(setrlimit(RLIMIT_NOFILE, &none));
	assert_errno(worker_pool_add(fixture->pool, job_quick, on_done, &job, fixture), EMFILE);
	assert_ok(setrlimit(RLIMIT_NOFILE, &before));
	assert_ok(worker_pool_add(fixture->pool, job_quick, on_done, &job, fixture));
	run_until(fixture, 1);
	assert_true(atomic_load(&job.ran));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_worker_pool_new_nothing_to_run_on_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_worker_pool_add_job_runs_on_a_thread_and_done_on_the_loop, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_worker_pool_add_thousand_jobs_all_done_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_worker_pool_add_full_queue_refused, setup_one,
						teardown),
		cmocka_unit_test_setup_teardown(test_worker_pool_add_two_jobs_run_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_worker_pool_free_waits_for_the_running_and_drops_the_queued, setup_one,
			teardown),
		cmocka_unit_test_setup_teardown(test_worker_pool_without_jobs_has_no_fd, setup_one,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_worker_pool_add_out_of_files_is_refused_and_later_taken, setup_one,
			teardown),
		cmocka_unit_test_setup_teardown(test_worker_pool_cancel_queued_job_never_runs,
						setup_one, teardown),
		cmocka_unit_test_setup_teardown(
			test_worker_pool_cancel_running_job_is_waited_for_unheard, setup_one,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
