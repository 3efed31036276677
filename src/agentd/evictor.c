/* SPDX-License-Identifier: Apache-2.0 */
#include "evictor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actuator/action/action.h"
#include "daemon-internal.h"

static int evictor_start(void *data, struct berth_target target,
			 void (*done)(void *call, int result, const char *outcome), void *call,
			 char *why, size_t size)
{
	const struct daemon *daemon = data;
	const struct workload *workload = registry_get(&daemon->registry, target.id);
	struct kube_eviction eviction = { .done = done, .data = call };

	if (!workload) {
		(void)snprintf(why, size, "the workload is gone");
		return -ENOENT;
	}
	if (strcmp(workload->kind, "pod") != 0) {
		(void)snprintf(why, size, "a %s is not evicted by any API", workload->kind);
		return -EOPNOTSUPP;
	}
	if (!workload->uid || !workload->namespace[0]) {
		(void)snprintf(why, size, "no API has named this pod yet");
		return -EHOSTDOWN;
	}
	eviction.namespace = workload->namespace;
	eviction.pod = workload->name;
	eviction.uid = workload->uid;
	return kube_evict(daemon->evictions, &eviction, why, size);
}

static void evictor_forget(void *data, void *call)
{
	const struct daemon *daemon = data;

	kube_evict_forget(daemon->evictions, call);
}

void evictor_set(struct daemon *daemon)
{
	const struct action_evictor evictor = {
		.start = evictor_start,
		.forget = evictor_forget,
		.data = daemon,
	};

	actuator_set_evictor(daemon->actuator, &evictor);
}
