/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - the bounded pool for what blocks. Threads start with the first job and end after a while
 * of none; results come back to the loop by an eventfd, which is there while they are. Also used by
 * the slow writer.
 */
#pragma once

#include <systemd/sd-event.h>

struct worker_pool;

int worker_pool_new(sd_event *event, unsigned int threads, unsigned int queue_limit,
		    struct worker_pool **ret);
/* Waits for running jobs; queued ones are dropped without done(). */
struct worker_pool *worker_pool_free(struct worker_pool *pool);
/* fn(job) on a thread, then done(data, job, result) on the loop. -EAGAIN: the queue is full;
 * -EMFILE, -ENFILE: no thread lives, and there is no fd to start one with. */
int worker_pool_add(struct worker_pool *pool, int (*fn)(void *job),
		    void (*done)(void *data, void *job, int result), void *job, void *data);
/* This job's done() will not be called: it is dropped from the queue, or waited for while it runs.
 * 1: it was there; 0: it was not. */
int worker_pool_cancel(struct worker_pool *pool, const void *job);
