/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "strbuf.h"
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
			 (decision->explain ? WORKLOAD_EXPLAIN : 0u) |
			 (record->ending ? WORKLOAD_ENDING : 0u),
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

/* Whose level it takes; NULL: it has its own. One step only: no circle of words can run on. */
static const struct workload *workload_heir_of(const struct registry *registry,
					       const struct workload *workload)
{
	const struct workload_record *record = &workload->words->record;
	const struct workload *parent;

	if (!record->inherits)
		return NULL;
	parent = registry_parent(registry, workload->cgroup->path, record->parent_cgroup);
	if (!parent || parent->words->record.inherits)
		return NULL;
	/* The one it names is not here: a group further up says nothing of this one. */
	if (record->parent_cgroup && strcmp(parent->cgroup->path, record->parent_cgroup) != 0)
		return NULL;
	return parent;
}

/* The level, "ignore" and "explain" of `parent`; what a rule says of requests, or that this one is
 * to be left alone, stays its own. */
static int decision_inherit(struct qos_decision *decision, const struct workload_record *parent,
			    const struct settings *settings)
{
	CLEANUP(qos_decision_done) struct qos_decision above = { 0 };
	struct strbuf detail cleanup_strbuf = { 0 };
	int r;

	r = selector_decide(settings, parent, &above);
	if (r < 0)
		return r;
	strbuf_addf(&detail, "%s %s%s%s: %s", parent->kind, parent->namespace,
		    *parent->namespace ? "/" : "", parent->name, above.detail);
	if (strbuf_error(&detail) < 0)
		return -ENOMEM;
	qos_decision_done(decision);
	decision->level = above.level;
	decision->origin = ORIGIN_PARENT;
	decision->detail = strbuf_take(&detail);
	decision->ignore |= above.ignore;
	decision->explain = above.explain;
	return 0;
}

int registry_decide(const struct registry *registry, const struct workload *workload,
		    const struct settings *settings, struct qos_decision *ret)
{
	const struct workload *parent = workload_heir_of(registry, workload);
	CLEANUP(qos_decision_done) struct qos_decision decision = { 0 };
	int r;

	r = selector_decide(settings, &workload->words->record, &decision);
	if (r == 0 && parent)
		r = decision_inherit(&decision, &parent->words->record, settings);
	if (r < 0)
		return r;
	*ret = decision;
	decision = (struct qos_decision){ 0 };
	return 0;
}

/* Once for each new text, and bounded: one wrong template can be a thousand pods. */
void workload_note(struct registry *registry, const struct workload *workload,
		   const struct qos_decision *before)
{
	const struct qos_decision *decision = &workload->decision;
	const struct log_context context = { .workload = workload->cgroup->path };
	const char *slash = workload->namespace[0] ? "/" : "";
	bool malformed = text_is_new(decision->malformed, before->malformed);
	bool conflict = text_is_new(decision->conflict, before->conflict);

	if (malformed && log_limit_pass(&registry->warnings, LOG_WARNING))
		log_full(LOG_WARNING, &context,
			 "%s '%s%s%s' (%s): ignoring a value: %s; its level is %s, by %s",
			 workload->kind, workload->namespace, slash, workload->name,
			 workload->cgroup->path, decision->malformed, qos_name(decision->level),
			 decision->detail);
	if (conflict && log_limit_pass(&registry->warnings, LOG_WARNING))
		log_full(LOG_WARNING, &context, "%s '%s%s%s' (%s): taking %s, by %s, although %s",
			 workload->kind, workload->namespace, slash, workload->name,
			 workload->cgroup->path, qos_name(decision->level), decision->detail,
			 decision->conflict);
	if (decision->explain && text_is_new(decision->detail, before->detail))
		log_full(LOG_INFO, &context, "%s '%s%s%s' (%s): level %s, by %s", workload->kind,
			 workload->namespace, slash, workload->name, workload->cgroup->path,
			 qos_name(decision->level), decision->detail);
	if (!registry->notice)
		return;
	if (malformed)
		registry->notice(registry->listener_data, NOTICE_MALFORMED, workload);
	if (conflict)
		registry->notice(registry->listener_data, NOTICE_CONFLICT, workload);
}

static bool labels_differ(const struct workload *workload, const struct workload_record *record)
{
	return !labels_equal(workload->labels, workload->label_count, record->labels,
			     record->label_count) ||
	       !labels_equal(workload->annotations, workload->annotation_count, record->annotations,
			     record->annotation_count);
}

static bool text_differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

static void take_over(struct workload *workload, const struct workload_record *record)
{
	workload->kind = record->kind;
	workload->namespace = record->namespace;
	workload->name = record->name;
	workload->parent_cgroup = record->parent_cgroup;
	workload->labels = record->labels;
	workload->label_count = record->label_count;
	workload->annotations = record->annotations;
	workload->annotation_count = record->annotation_count;
	workload->uid = record->uid;
	workload->alias = record->alias;
	workload->via = record->via;
	workload->stale = record->stale;
	workload->inherits = record->inherits;
	workload->leader = record->leader;
	workload->facts = record->facts;
	workload->fact_count = record->fact_count;
	workload->source = workload->words->source;
}

int workload_decide(struct registry *registry, struct workload *workload)
{
	const struct workload_record *record = &workload->words->record;
	struct qos_decision decision, before = workload->decision;
	struct berth_workload view;
	bool changed, moved;
	int r;

	r = registry_decide(registry, workload, registry->settings, &decision);
	if (r < 0)
		return r;
	view = view_of(registry, workload, &decision);
	changed = workload->announced &&
		  (view_differs(&workload->view, &view) || labels_differ(workload, record));
	/* Where it stays below the same one it keeps its place there: that list may be walked. */
	moved = workload->announced &&
		(workload->view.parent != view.parent ||
		 text_differs(workload->parent_cgroup, record->parent_cgroup));
	if (moved)
		workload_unlink_parent(registry, workload);
	workload->view = view;
	workload->decision = decision;
	take_over(workload, record);
	if (moved)
		workload_link_parent(registry, workload, registry_get(registry, view.parent));
	if (workload->announced)
		workload_note(registry, workload, &before);
	qos_decision_done(&before);
	return changed;
}

int workload_decide_again(struct registry *registry, struct workload *workload, bool anyway)
{
	struct workload *child, *following;
	int r;

	r = workload_decide(registry, workload);
	if (r < 0)
		return r;
	if (r > 0 || anyway)
		registry_tell(registry, WORKLOAD_UPDATED, workload);
	list_foreach_safe (child, following, &workload->below, beside) {
		if (!child->inherits)
			continue;
		r = workload_decide(registry, child);
		if (r < 0)
			log_error("no memory to decide the level of '%s' again: it stays %s",
				  child->cgroup->path, qos_name(child->view.qos));
		else if (r > 0)
			registry_tell(registry, WORKLOAD_UPDATED, child);
	}
	return 0;
}
