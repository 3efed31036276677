/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/slow/writer.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "cleanup.h"
#include "list.h"
#include "macro.h"
#include "worker/pool.h"

struct slow_write {
	struct list link;
	int (*fn)(const void *argument);
	atomic_bool dropped; /* set by the loop, read by the thread */
	int result;          /* set by the thread: 1 written, 0 not begun, or -errno */
	void (*done)(void *data, int result);
	void *data;
	/* Of slow_writer_add(). */
	int fd;
	size_t length;
	_Alignas(void *) char argument[];
};

struct slow_writer {
	struct worker_pool *pool;
	struct list writes;
};

static void slow_write_free(struct slow_write *job)
{
	list_unlink(&job->link);
	(void)close_keep_errno(job->fd);
	free(job);
}

DEFINE_CLEANUP(struct slow_writer *, slow_writer_free);

int slow_writer_new(sd_event *event, unsigned int queue_limit, struct slow_writer **ret)
{
	CLEANUP(slow_writer_freep)
	struct slow_writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return -ENOMEM;
	list_init(&writer->writes);
	r = worker_pool_new(event, 1, queue_limit, &writer->pool);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(writer);
	return 0;
}

struct slow_writer *slow_writer_free(struct slow_writer *writer)
{
	struct slow_write *job, *next;

	if (!writer)
		return NULL;
	worker_pool_free(writer->pool);
	list_foreach_safe (job, next, &writer->writes, link)
		slow_write_free(job);
	free(writer);
	return NULL;
}

static int slow_write_text(const struct slow_write *job)
{
	ssize_t written;

	do {
		written = write(job->fd, job->argument, job->length);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		return -errno;
	return (size_t)written == job->length ? 0 : -EIO;
}

static int slow_write_run(void *data)
{
	struct slow_write *job = data;
	int r;

	if (atomic_load(&job->dropped))
		return -ECANCELED;
	r = job->fn ? job->fn(job->argument) : slow_write_text(job);
	job->result = r < 0 ? r : 1;
	return r;
}

static void on_written(void *data, void *job, int result)
{
	struct slow_write *write = job;
	void (*done)(void *data, int result) = write->done;
	void *done_data = write->data;
	bool dropped = atomic_load(&write->dropped);

	(void)data;
	slow_write_free(write);
	if (done && !dropped)
		done(done_data, result);
}

/* Allocated with its argument. fd: taken when it is added. */
static int slow_write_add(struct slow_writer *writer, struct slow_write *job, int fd,
			  void (*done)(void *data, int result), void *data)
{
	int r;

	atomic_init(&job->dropped, false);
	job->done = done;
	job->data = data;
	list_append(&writer->writes, &job->link);
	job->fd = fd;
	r = worker_pool_add(writer->pool, slow_write_run, on_written, job, NULL);
	if (r < 0) {
		job->fd = -EBADF; /* still the caller's */
		slow_write_free(job);
		return r;
	}
	return 0;
}

int slow_writer_add(struct slow_writer *writer, int fd, const char *text,
		    void (*done)(void *data, int result), void *data)
{
	size_t length = strlen(text);
	struct slow_write *job = calloc(1, sizeof(*job) + length + 1);

	if (!job)
		return -ENOMEM;
	job->length = length;
	memcpy(job->argument, text, length + 1);
	return slow_write_add(writer, job, fd, done, data);
}

int slow_writer_call(struct slow_writer *writer, int (*fn)(const void *argument),
		     const void *argument, size_t size, void (*done)(void *data, int result),
		     void *data)
{
	struct slow_write *job = calloc(1, sizeof(*job) + size);

	if (!job)
		return -ENOMEM;
	job->fn = fn;
	memcpy(job->argument, argument, size);
	return slow_write_add(writer, job, -EBADF, done, data);
}

void slow_writer_forget(struct slow_writer *writer, const void *data)
{
	struct slow_write *job;

	list_foreach (job, &writer->writes, link)
		if (job->data == data)
			atomic_store(&job->dropped, true);
}

int slow_writer_cancel(struct slow_writer *writer, const void *data)
{
	struct slow_write *job, *next;
	int r = 0;

	list_foreach_safe (job, next, &writer->writes, link) {
		if (job->data != data)
			continue;
		/* 0: its done() is what calls, and it is freed there. */
		if (worker_pool_cancel(writer->pool, job) == 0)
			continue;
		r = job->result;
		slow_write_free(job);
	}
	return r;
}
