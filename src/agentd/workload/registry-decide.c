/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "log.h"
#include "workload/annotation.h"
#include "workload/registry-internal.h"
#include "workload/selector.h"
#include "workload/word.h"

static struct berth_workload view_of(const struct registry *registry,
				     const struct workload *workload,
				     const struct qos_decision *decision)
{
	const struct workload_record *record = &workload->words->record;
	const struct workload *parent =
		registry_parent(registry, workload->cgroup->path, record->parent_cgroup);

	return (struct berth_workload){
		.size = sizeof(struct berth_workload),
		.id = workload->view.id,
		.parent = parent ? parent->view.id : 0,
		.kind = record->kind,
		.name = record->name,
		.namespace = record->namespace,
		.cgroup = workload->cgroup->path,
		.qos = decision->level,
		.flags = (decision->ignore ? WORKLOAD_IGNORED : 0u) |
			 (decision->explain ? WORKLOAD_EXPLAIN : 0u),
		.cpu_request_milli = record->cpu_request_milli ? record->cpu_request_milli
							       : decision->cpu_request_milli,
		.cpu_limit_milli = record->cpu_limit_milli,
		.memory_request_bytes = record->memory_request_bytes
						? record->memory_request_bytes
						: decision->memory_request_bytes,
		.memory_limit_bytes = record->memory_limit_bytes,
	};
}

static bool view_differs(const struct berth_workload *a, const struct berth_workload *b)
{
	return a->parent != b->parent || strcmp(a->kind, b->kind) != 0 ||
	       strcmp(a->name, b->name) != 0 || strcmp(a->namespace, b->namespace) != 0 ||
	       a->qos != b->qos || a->flags != b->flags ||
	       a->cpu_request_milli != b->cpu_request_milli ||
	       a->cpu_limit_milli != b->cpu_limit_milli ||
	       a->memory_request_bytes != b->memory_request_bytes ||
	       a->memory_limit_bytes != b->memory_limit_bytes;
}

static bool text_is_new(const char *text, const char *before)
{
	return text && (!before || strcmp(text, before) != 0);
}

/* Once for each new text, and bounded: one wrong template can be a thousand pods. */
static void log_decision(struct registry *registry, const struct workload *workload,
			 const struct qos_decision *before)
{
	const struct qos_decision *decision = &workload->decision;
	const struct log_context context = { .workload = workload->cgroup->path };

	if (text_is_new(decision->malformed, before->malformed) &&
	    log_limit_pass(&registry->warnings, LOG_WARNING))
		log_full(LOG_WARNING, &context, "%s '%s' (%s): ignoring %s; its level is %s, by %s",
			 workload->kind, workload->name, workload->cgroup->path,
			 decision->malformed, qos_name(decision->level), decision->detail);
	if (text_is_new(decision->conflict, before->conflict) &&
	    log_limit_pass(&registry->warnings, LOG_WARNING))
		log_full(LOG_WARNING, &context, "%s '%s' (%s): taking %s, by %s, although %s",
			 workload->kind, workload->name, workload->cgroup->path,
			 qos_name(decision->level), decision->detail, decision->conflict);
	if (decision->explain && text_is_new(decision->detail, before->detail))
		log_full(LOG_INFO, &context, "%s '%s' (%s): level %s, by %s", workload->kind,
			 workload->name, workload->cgroup->path, qos_name(decision->level),
			 decision->detail);
}

int workload_decide(struct registry *registry, struct workload *workload)
{
	const struct workload_record *record = &workload->words->record;
	struct qos_decision decision, before = workload->decision;
	struct berth_workload view;
	bool changed;
	int r;

	r = selector_decide(registry->settings, record, &decision);
	if (r < 0)
		return r;
	view = view_of(registry, workload, &decision);
	changed = workload->announced &&
		  (view_differs(&workload->view, &view) ||
		   !labels_equal(workload->labels, workload->label_count, record->labels,
				 record->label_count) ||
		   !labels_equal(workload->annotations, workload->annotation_count,
				 record->annotations, record->annotation_count));
	if (workload->announced)
		workload_unlink_parent(registry, workload);
	workload->view = view;
	workload->kind = record->kind;
	workload->namespace = record->namespace;
	workload->name = record->name;
	workload->parent_cgroup = record->parent_cgroup;
	workload->labels = record->labels;
	workload->label_count = record->label_count;
	workload->annotations = record->annotations;
	workload->annotation_count = record->annotation_count;
	workload->source = workload->words->source;
	workload->decision = decision;
	if (workload->announced)
		workload_link_parent(registry, workload, registry_get(registry, view.parent));
	log_decision(registry, workload, &before);
	qos_decision_done(&before);
	return changed;
}
