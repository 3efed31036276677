/* SPDX-License-Identifier: Apache-2.0 */
/* none.c - runqueue.h for a berthd that was built without libbpf. */
#include <errno.h>
#include <stdlib.h>

#include "telemetry/runqueue/runqueue.h"

struct runqueue {
	bool wanted;
};

int runqueue_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		 struct loader *loader, struct runqueue **ret)
{
	(void)root;
	(void)loader;
	(void)hierarchy;
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct runqueue *runqueue_free(struct runqueue *runqueue)
{
	free(runqueue);
	return NULL;
}

void runqueue_apply(struct runqueue *runqueue, bool on)
{
	runqueue->wanted = on;
}

bool runqueue_is_loading(const struct runqueue *runqueue)
{
	(void)runqueue;
	return false;
}

const char *runqueue_state(const struct runqueue *runqueue)
{
	return runqueue->wanted ? "not available" : "off";
}

const char *runqueue_detail(const struct runqueue *runqueue)
{
	return runqueue->wanted ? "this berthd was built without libbpf" : "";
}

void runqueue_pass(struct runqueue *runqueue, const struct hashmap *targets, uint64_t generation)
{
	(void)runqueue;
	(void)targets;
	(void)generation;
}

void runqueue_forget(struct runqueue *runqueue, struct target *target)
{
	(void)runqueue;
	(void)target;
}
