/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "cleanup.h"
#include "list.h"
#include "macro.h"

/* libbpf and the lines that it logs take the most. What nobody touches costs nothing. */
#define POOL_STACK_BYTES ((size_t)256 * 1024)
#define POOL_IDLE_SEC    10

enum thread_state {
	THREAD_NONE,
	THREAD_LIVES,
	THREAD_ENDED, /* to be joined */
};

struct pool_thread {
	pthread_t id;
	enum thread_state state;
	struct worker_pool *pool;
};

struct pool_job {
	struct list link; /* in queue, running, finished or spare */
	int (*fn)(void *job);
	void (*done)(void *data, void *job, int result);
	void *job, *data;
	int result;
};

struct worker_pool {
	sd_event *event;
	sd_event_source *source;
	int event_fd; /* -EBADF: no thread lives */
	unsigned int thread_limit, queue_limit;

	pthread_mutex_t lock; /* all that follows */
	pthread_cond_t work;  /* something is queued, or stopping */
	pthread_cond_t ended; /* a job has left `running` */
	bool stopping;
	unsigned int lives, idle, queued;
	struct list queue, running, finished, spare;
	struct pool_job *jobs; /* all that there can be: queue_limit and one a thread */
	size_t jobs_used;      /* the rest were never needed, nor their pages touched */
	struct pool_thread threads[];
};

/* With the lock held. False when the thread is to end. */
static bool pool_wait(struct worker_pool *pool)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += POOL_IDLE_SEC;
	pool->idle++;
	while (list_is_empty(&pool->queue) && !pool->stopping)
		if (pthread_cond_timedwait(&pool->work, &pool->lock, &until) == ETIMEDOUT)
			break;
	pool->idle--;
	return !pool->stopping && !list_is_empty(&pool->queue);
}

static void *pool_thread_run(void *argument)
{
	struct pool_thread *thread = argument;
	struct worker_pool *pool = thread->pool;
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&pool->lock);
	while (pool_wait(pool)) {
		struct pool_job *job = list_entry(pool->queue.next, struct pool_job, link);
		int result;

		list_unlink(&job->link);
		list_append(&pool->running, &job->link);
		pool->queued--;
		(void)pthread_mutex_unlock(&pool->lock);

		result = job->fn(job->job);

		(void)pthread_mutex_lock(&pool->lock);
		job->result = result;
		list_unlink(&job->link);
		list_append(&pool->finished, &job->link);
		(void)pthread_cond_broadcast(&pool->ended);
		/* Fails only with EAGAIN, and then the loop has been told already. */
		if (write(pool->event_fd, &one, sizeof(one)) < 0)
			continue;
	}
	thread->state = THREAD_ENDED;
	pool->lives--;
	/* For all of them to be joined and the eventfd closed. */
	if (pool->lives == 0)
		(void)!write(pool->event_fd, &one, sizeof(one));
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* With the lock held. */
static void job_release(struct worker_pool *pool, struct pool_job *job)
{
	list_unlink(&job->link);
	list_append(&pool->spare, &job->link);
}

static bool pool_next_finished(struct worker_pool *pool, struct pool_job *ret)
{
	struct pool_job *job;
	bool any;

	(void)pthread_mutex_lock(&pool->lock);
	any = !list_is_empty(&pool->finished);
	if (any) {
		job = list_entry(pool->finished.next, struct pool_job, link);
		*ret = *job;
		job_release(pool, job);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return any;
}

static void threads_join_ended(struct worker_pool *pool)
{
	for (unsigned int i = 0; i < pool->thread_limit; i++) {
		struct pool_thread *thread = &pool->threads[i];

		if (thread->state != THREAD_ENDED)
			continue;
		/* It only has to unlock and return. */
		(void)pthread_join(thread->id, NULL);
		thread->state = THREAD_NONE;
		thread->pool = NULL;
	}
}

static void pool_close(struct worker_pool *pool)
{
	pool->source = sd_event_source_disable_unref(pool->source);
	pool->event_fd = close_keep_errno(pool->event_fd);
}

/* Nobody is left who could write to it. */
static void pool_rest(struct worker_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	if (pool->lives == 0 && list_is_empty(&pool->finished)) {
		threads_join_ended(pool);
		pool_close(pool);
	}
	(void)pthread_mutex_unlock(&pool->lock);
}

static int on_finished(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct worker_pool *pool = data;
	struct pool_job job;
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return -errno;
	/* One at a time from the shared list, so that done() may cancel one that waits behind it.
	 */
	while (pool_next_finished(pool, &job))
		if (job.done)
			job.done(job.data, job.job, job.result);
	pool_rest(pool);
	return 0;
}

static int pool_open(struct worker_pool *pool)
{
	int r;

	if (pool->event_fd >= 0)
		return 0;
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->event_fd < 0) {
		r = -errno;
		pool->event_fd = -EBADF;
		return r;
	}
	r = sd_event_add_io(pool->event, &pool->source, pool->event_fd, EPOLLIN, on_finished, pool);
	if (r < 0) {
		pool_close(pool);
		return r;
	}
	(void)sd_event_source_set_description(pool->source, "worker-pool");
	return 0;
}

static int pool_init_locks(struct worker_pool *pool)
{
	pthread_condattr_t attributes;
	int r;

	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->ended, NULL);
	r = pthread_condattr_init(&attributes);
	if (r != 0)
		return -r;
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	r = pthread_cond_init(&pool->work, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	return -r;
}

DEFINE_CLEANUP(struct worker_pool *, worker_pool_free);

int worker_pool_new(sd_event *event, unsigned int threads, unsigned int queue_limit,
		    struct worker_pool **ret)
{
	CLEANUP(worker_pool_freep) struct worker_pool *pool = NULL;
	int r;

	if (threads == 0 || queue_limit == 0)
		return -EINVAL;
	pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
	if (!pool)
		return -ENOMEM;
	pool->thread_limit = threads;
	pool->queue_limit = queue_limit;
	list_init(&pool->queue);
	list_init(&pool->running);
	list_init(&pool->finished);
	list_init(&pool->spare);
	pool->event = sd_event_ref(event);
	pool->event_fd = -EBADF;
	r = pool_init_locks(pool);
	if (r < 0)
		return r;
	pool->jobs = calloc((size_t)queue_limit + threads, sizeof(*pool->jobs));
	if (!pool->jobs)
		return -ENOMEM;
	*ret = TAKE_PTR(pool);
	return 0;
}

struct worker_pool *worker_pool_free(struct worker_pool *pool)
{
	if (!pool)
		return NULL;
	(void)pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	/* Only this, the loop's thread, moves a slot to or from THREAD_NONE. */
	for (unsigned int i = 0; i < pool->thread_limit; i++)
		if (pool->threads[i].pool)
			(void)pthread_join(pool->threads[i].id, NULL);
	pool_close(pool);
	sd_event_unref(pool->event);
	(void)pthread_cond_destroy(&pool->work);
	(void)pthread_cond_destroy(&pool->ended);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool->jobs);
	free(pool);
	return NULL;
}

static int thread_create(struct pool_thread *thread)
{
	sigset_t all, saved;
	pthread_attr_t attributes;
	long smallest = sysconf(_SC_THREAD_STACK_MIN);
	size_t stack = POOL_STACK_BYTES;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return -r;
	/* The smallest stack grows with the CPU's vector state and with TLS (glibc 2.34). */
	if (smallest > 0 && (size_t)smallest + POOL_STACK_BYTES / 2 > stack)
		stack = (size_t)smallest + POOL_STACK_BYTES / 2;
	(void)pthread_attr_setstacksize(&attributes, stack);
	/* Signals are the loop's, through signalfd: one that a thread takes would be lost. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&thread->id, &attributes, pool_thread_run, thread);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	(void)pthread_attr_destroy(&attributes);
	return -r;
}

/* With the lock held. */
static int pool_start_thread(struct worker_pool *pool)
{
	threads_join_ended(pool);
	for (unsigned int i = 0; i < pool->thread_limit; i++) {
		struct pool_thread *thread = &pool->threads[i];
		int r;

		if (thread->state == THREAD_LIVES)
			continue;
		thread->pool = pool;
		r = thread_create(thread);
		if (r < 0) {
			thread->pool = NULL;
			return r;
		}
		thread->state = THREAD_LIVES;
		pool->lives++;
		return 0;
	}
	return -EAGAIN;
}

/* With the lock held: room for one more job, and a thread that will take it. */
static int pool_make_room(struct worker_pool *pool)
{
	int r;

	if (pool->queued >= pool->queue_limit)
		return -EAGAIN;
	if (pool->queued + 1 <= pool->idle || pool->lives >= pool->thread_limit)
		return 0;
	r = pool_start_thread(pool);
	return pool->lives > 0 ? 0 : r;
}

/* With the lock held. What has finished and waits for the loop takes room as well: a loop that does
 * not keep up is no reason to grow. */
static struct pool_job *job_take(struct worker_pool *pool)
{
	struct pool_job *job;

	if (!list_is_empty(&pool->spare)) {
		job = list_entry(pool->spare.next, struct pool_job, link);
		list_unlink(&job->link);
		return job;
	}
	if (pool->jobs_used == (size_t)pool->queue_limit + pool->thread_limit)
		return NULL;
	return &pool->jobs[pool->jobs_used++];
}

int worker_pool_add(struct worker_pool *pool, int (*fn)(void *job),
		    void (*done)(void *data, void *job, int result), void *job, void *data)
{
	struct pool_job *entry;
	int r;

	(void)pthread_mutex_lock(&pool->lock);
	r = pool_open(pool);
	if (r == 0)
		r = pool_make_room(pool);
	entry = r == 0 ? job_take(pool) : NULL;
	if (entry) {
		*entry = (struct pool_job){ .fn = fn, .done = done, .job = job, .data = data };
		list_append(&pool->queue, &entry->link);
		pool->queued++;
		(void)pthread_cond_signal(&pool->work);
	} else if (r == 0) {
		r = -EAGAIN;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return r;
}

static struct pool_job *jobs_find(const struct list *jobs, const void *job)
{
	struct pool_job *entry;

	list_foreach (entry, jobs, link)
		if (entry->job == job)
			return entry;
	return NULL;
}

int worker_pool_cancel(struct worker_pool *pool, const void *job)
{
	struct pool_job *entry;
	int found = 0;

	(void)pthread_mutex_lock(&pool->lock);
	while ((entry = jobs_find(&pool->queue, job))) {
		job_release(pool, entry);
		pool->queued--;
		found = 1;
	}
	while (jobs_find(&pool->running, job)) {
		found = 1;
		(void)pthread_cond_wait(&pool->ended, &pool->lock);
	}
	while ((entry = jobs_find(&pool->finished, job))) {
		job_release(pool, entry);
		found = 1;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return found;
}
