/* SPDX-License-Identifier: Apache-2.0 */
/* victim.c - who may be evicted, and who goes first. Pure functions. */
#include <fnmatch.h>
#include <string.h>

#include "evict/evict.h"
#include "macro.h"

#define LEAST_CPU_USEC   50000u        /* of a second: 5 % of a CPU */
#define LEAST_IO_BYTES   (256u * 1024) /* in a second */
#define LEAST_MEMORY_DIV 200u          /* 0.5 % of the node */

static bool namespace_is_protected(const struct evict_config *config, const char *namespace)
{
	if (strcmp(namespace, "kube-system") == 0)
		return true;
	for (char *const *pattern = config->protect_namespaces; pattern && *pattern; pattern++)
		if (namespace[0] && fnmatch(*pattern, namespace, 0) == 0)
			return true;
	return false;
}

const char *evict_protection(const struct evict_config *config, const struct evict_facts *facts)
{
	const struct berth_workload *workload = facts->workload;
	const char *annotation = facts->annotation;

	if (workload->qos >= QOS_NORMAL)
		return "";
	if (workload->flags & WORKLOAD_IGNORED)
		return "berth/ignore";
	if (strcmp(workload->kind, "container") == 0 || facts->inside_pod)
		return "it goes with its pod";
	/* It may be anybody's, kube-system's too. */
	if (strcmp(workload->kind, "pod") == 0 && !workload->namespace[0])
		return "no API has said whose pod it is";
	if (namespace_is_protected(config, workload->namespace))
		return strcmp(workload->namespace, "kube-system") == 0
			       ? "kube-system never is"
			       : "its namespace is in evict.protect_namespaces";
	if (annotation && strcmp(annotation, "false") == 0)
		return "berth/evict is \"false\"";
	/* Whoever wrote it meant something; the harmless one of its meanings holds. */
	if (annotation && strcmp(annotation, "first") != 0 && strcmp(annotation, "true") != 0)
		return "berth/evict is none of \"true\", \"false\", \"first\"";
	if (facts->mirror)
		return "a static pod: the API has only its image";
	if (facts->shelters)
		return "something below it is online or protected";
	return NULL;
}

uint64_t evict_least(enum evict_resource resource, uint64_t memory_total_bytes)
{
	switch (resource) {
	case EVICT_CPU:
		return LEAST_CPU_USEC;
	case EVICT_IO:
		return LEAST_IO_BYTES;
	default:
		return MAX(memory_total_bytes / LEAST_MEMORY_DIV, UINT64_C(1));
	}
}

bool evict_before(const struct evict_candidate *a, const struct evict_candidate *b)
{
	if (a->level != b->level)
		return a->level < b->level;
	if (a->first != b->first)
		return a->first;
	if (a->amount != b->amount)
		return a->amount > b->amount;
	return a->id > b->id;
}
