/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - one write(2) that may block for seconds (memory.reclaim), off the loop: a bounded
 * queue of writes and one thread, so that two of them never press on the host at once.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

struct slow_writer;

int slow_writer_new(sd_event *event, unsigned int queue_limit, struct slow_writer **ret);
/* Waits for the write that is running; queued ones are dropped, their fds closed, done not called.
 */
struct slow_writer *slow_writer_free(struct slow_writer *writer);

/* Write the whole text to fd in one write(2), then done(data, result) on the loop: result 0 or
 * -errno. On success the fd belongs to the writer; text is copied. -EAGAIN: the queue is full. */
int slow_writer_add(struct slow_writer *writer, int fd, const char *text,
		    void (*done)(void *data, int result), void *data);
/* The same with fn(argument) for the write: not negative means that it was written, and goes to
 * done() as it is. `size` bytes of argument are copied, aligned like a pointer. */
int slow_writer_call(struct slow_writer *writer, int (*fn)(const void *argument),
		     const void *argument, size_t size, void (*done)(void *data, int result),
		     void *data);
/* No done() of this data will come any more: queued writes are dropped, one that is running ends
 * unheard. */
void slow_writer_forget(struct slow_writer *writer, const void *data);
/* The same, and none of its writes runs any more: one that does is waited for. 1: it was written;
 * 0: it never began, or there is none; -errno: of the write. */
int slow_writer_cancel(struct slow_writer *writer, const void *data);
