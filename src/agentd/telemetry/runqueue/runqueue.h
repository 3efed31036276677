/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runqueue.h - how long a workload's tasks wait for a CPU, as a histogram (sample.latency).
 * Programs run at every wake-up and switch of tasks on the machine, so it is off until asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hashmap.h"
#include "hierarchy.h"

struct loader;
struct runqueue;
struct target;

/* Off until applied. 0 or -ENOMEM. All that it is given is borrowed. */
int runqueue_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		 struct loader *loader, struct runqueue **ret);
struct runqueue *runqueue_free(struct runqueue *runqueue);

/* On or off; the programs are in the kernel only while it is on. They are loaded meanwhile, and
 * taken up by the next pass that finds them there. */
void runqueue_apply(struct runqueue *runqueue, bool on);
/* "off", "loading", "on", or "not available" with the reason in runqueue_detail(). */
const char *runqueue_state(const struct runqueue *runqueue);
bool runqueue_is_loading(const struct runqueue *runqueue);
const char *runqueue_detail(const struct runqueue *runqueue);

/* Fill sample.latency of the targets (struct target by id) of this pass, while their groups are
 * there. A workload has what the workloads below it have. */
void runqueue_pass(struct runqueue *runqueue, const struct hashmap *targets, uint64_t generation);
/* The target goes. */
void runqueue_forget(struct runqueue *runqueue, struct target *target);
