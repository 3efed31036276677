/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h - knobs of network devices, off the loop. The kernel answers a request before
 * sendmsg(2) returns, behind a lock that all devices share and one wait for an RCU grace period for
 * each queue.
 */
#pragma once

#include "actuator/restore/restore.h"
#include "actuator/slow/writer.h"

/* knob_file_write() and restore_knob() of a KNOB_NET on the writer's thread; done() as
 * slow_writer_call() has it. All texts are copied. 0; -EAGAIN: the queue is full; -EMSGSIZE. */
int slow_net_write(struct slow_writer *writer, const struct knob_file *file, const char *text,
		   void (*done)(void *data, int result), void *data);
int slow_net_restore(struct slow_writer *writer, const struct restore_item *item,
		     void (*done)(void *data, int result), void *data);
