/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "limit.h"
#include "plugin/host-internal.h"

struct host_job {
	struct list link; /* in host->jobs */
	struct instance *instance;
	int (*fn)(void *job);
	void (*done)(void *self, void *job, int result);
	void *job;
};

/* On a worker thread: nothing of the host but this job's own constants. */
static int job_run(void *data)
{
	const struct host_job *job = data;

	return job->fn(job->job);
}

static void job_finish(struct host_job *job, int result)
{
	struct instance *instance = job->instance;
	struct call call;

	list_unlink(&job->link);
	instance->job_count--;
	if (job->done) {
		call = call_begin(instance->plugin, "done");
		job->done(instance->self, job->job, result);
		call_end(instance->plugin, "done", &call);
	}
	free(job);
}

static void job_done(void *data, void *job, int result)
{
	(void)data;
	job_finish(job, result);
}

int api_work(struct agent *agent, int (*fn)(void *job),
	     void (*done)(void *self, void *job, int result), void *job)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct host *host = instance->plugin->host;
	struct host_job *entry;
	int r;

	if (instance->ending)
		return -ECANCELED;
	if (!fn)
		return -EINVAL;
	if (instance->job_count >= LIMIT_PLUGIN_JOBS)
		return -EAGAIN;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = (struct host_job){ .instance = instance, .fn = fn, .done = done, .job = job };
	r = worker_pool_add(host->pool, job_run, job_done, entry, host);
	if (r < 0) {
		free(entry);
		return r;
	}
	list_append(&host->jobs, &entry->link);
	instance->job_count++;
	return 0;
}

void instance_cancel_jobs(struct instance *instance)
{
	struct host *host = instance->plugin->host;
	struct host_job *job, *following;

	/* All out of the queue first: waiting for one must not let the next one start. */
	list_foreach_safe (job, following, &host->jobs, link)
		if (job->instance == instance)
			(void)worker_pool_cancel(host->pool, job);
	list_foreach_safe (job, following, &host->jobs, link)
		if (job->instance == instance)
			job_finish(job, -ECANCELED);
}
