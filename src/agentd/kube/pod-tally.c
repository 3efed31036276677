/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kube/pod-internal.h"
#include "macro.h"
#include "parse.h"

static const struct {
	const char *list, *name;
	uint64_t scale;
	bool limit;
} amount_names[POD_AMOUNTS] = {
	[CPU_REQUEST] = { "requests", "cpu", 1000, false },
	[CPU_LIMIT] = { "limits", "cpu", 1000, true },
	[MEMORY_REQUEST] = { "requests", "memory", 1, false },
	[MEMORY_LIMIT] = { "limits", "memory", 1, true },
};

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void amount_read(const json_t *list, enum pod_amount amount, uint64_t *value)
{
	const char *text = json_string_value(json_object_get(list, amount_names[amount].name));
	int r;

	if (!text)
		return;
	r = parse_quantity(text, amount_names[amount].scale, value);
	/* 0 would be "no limit". */
	if (r == -ERANGE)
		*value = UINT64_MAX;
}

void pod_amounts_read(const json_t *resources, uint64_t amounts[POD_AMOUNTS])
{
	for (enum pod_amount i = 0; i < POD_AMOUNTS; i++)
		amount_read(json_object_get(resources, amount_names[i].list), i, &amounts[i]);
}

void pod_tally_add(struct pod_tally *tally, const struct kube_container *container, bool sidecar)
{
	const uint64_t amounts[POD_AMOUNTS] = {
		[CPU_REQUEST] = container->cpu_request_milli,
		[CPU_LIMIT] = container->cpu_limit_milli,
		[MEMORY_REQUEST] = container->memory_request_bytes,
		[MEMORY_LIMIT] = container->memory_limit_bytes,
	};

	/* They may not ask for resources. */
	if (container->kind == CONTAINER_EPHEMERAL)
		return;
	for (enum pod_amount i = 0; i < POD_AMOUNTS; i++) {
		bool stays = container->kind == CONTAINER_APP || sidecar;

		if (stays && amount_names[i].limit && amounts[i] == 0)
			tally->unlimited[i] = true;
		if (container->kind == CONTAINER_APP)
			tally->apps[i] = add(tally->apps[i], amounts[i]);
		else if (sidecar)
			tally->sidecars[i] = add(tally->sidecars[i], amounts[i]);
		/* An init container runs beside the sidecars that were started before it. */
		if (container->kind == CONTAINER_INIT)
			tally->init[i] = MAX(tally->init[i],
					     add(tally->sidecars[i], sidecar ? 0 : amounts[i]));
	}
}

void pod_tally_finish(const struct pod_tally *tally, const json_t *spec, struct kube_pod *pod)
{
	const json_t *overhead = json_object_get(spec, "overhead");
	uint64_t totals[POD_AMOUNTS];

	for (enum pod_amount i = 0; i < POD_AMOUNTS; i++) {
		uint64_t running = add(tally->apps[i], tally->sidecars[i]);

		totals[i] = tally->unlimited[i] ? 0 : MAX(running, tally->init[i]);
	}
	/* Resources of the pod itself (Kubernetes 1.32) stand for the sum of its containers'. */
	pod_amounts_read(json_object_get(spec, "resources"), totals);
	for (enum pod_amount i = 0; i < POD_AMOUNTS; i++) {
		uint64_t more = 0;

		amount_read(overhead, i, &more);
		if (totals[i] > 0 || !amount_names[i].limit)
			totals[i] = add(totals[i], more);
	}
	pod->cpu_request_milli = totals[CPU_REQUEST];
	pod->cpu_limit_milli = totals[CPU_LIMIT];
	pod->memory_request_bytes = totals[MEMORY_REQUEST];
	pod->memory_limit_bytes = totals[MEMORY_LIMIT];
}
