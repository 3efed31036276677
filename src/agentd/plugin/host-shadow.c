/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/host-shadow.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/knob/table.h"

static struct shadow *shadow_of(struct agent *agent)
{
	return container_of(agent, struct shadow, agent);
}

/* Ids are counted up: the bits are to spare, and claim() refuses ids that need them. */
static uint64_t plan_key(struct berth_target target, enum knob knob)
{
	return target.id << (TARGET_BITS + KNOB_BITS) | (uint64_t)target.kind << KNOB_BITS |
	       (uint64_t)knob;
}

struct plan_claim *shadow_claim(const struct shadow *shadow, unsigned int part,
				struct berth_target target, uint64_t device, enum knob knob)
{
	struct plan_claim *claim = hashmap_get_u64(&shadow->by_key, plan_key(target, knob));

	while (claim && (claim->device != device || claim->part != part))
		claim = claim->next;
	return claim;
}

static void shadow_log(struct agent *agent, int level, const char *format, ...)
{
	va_list arguments;

	/* What a running plugin would have said loudly is only a thought here. */
	if (level > log_level() || log_level() < LOG_DEBUG)
		return;
	va_start(arguments, format);
	host_log(shadow_of(agent)->plugin, LOG_DEBUG, format, arguments);
	va_end(arguments);
}

/* Time does not pass in a plan. The handle is never looked into. */
static int shadow_source(struct agent *agent, struct agent_source **ret)
{
	if (ret)
		*ret = (struct agent_source *)(void *)agent;
	return 0;
}

static int shadow_every(struct agent *agent, uint64_t period_usec, int (*fn)(void *self),
			struct agent_source **ret)
{
	return fn && period_usec > 0 ? shadow_source(agent, ret) : -EINVAL;
}

static int shadow_watch(struct agent *agent, int fd, uint32_t epoll_events,
			int (*fn)(void *self, uint32_t epoll_events), struct agent_source **ret)
{
	(void)epoll_events;
	return fn && fd >= 0 ? shadow_source(agent, ret) : -EINVAL;
}

static void shadow_forget(struct agent *agent, struct agent_source *source)
{
	(void)agent;
	(void)source;
}

/* Never run, but reported: done() is where a plugin frees its job. */
static int shadow_work(struct agent *agent, int (*fn)(void *job),
		       void (*done)(void *self, void *job, int result), void *job)
{
	struct shadow *shadow = shadow_of(agent);

	if (shadow->ending)
		return -ECANCELED;
	if (!fn)
		return -EINVAL;
	if (shadow->job_count == LIMIT_PLUGIN_JOBS)
		return -EAGAIN;
	shadow->jobs[shadow->job_count++] = (struct shadow_job){ done, job };
	return 0;
}

static int claim_check(const struct shadow *shadow, struct berth_target target, uint64_t device,
		       enum knob knob, const struct knob_value *value)
{
	const struct host *host = shadow->plan->host;
	const struct plan_workload *workload;
	const struct knob_row *row;

	if (shadow->ending)
		return -ECANCELED;
	if (!value || target.id > UINT64_MAX >> (TARGET_BITS + KNOB_BITS))
		return -EINVAL;
	if ((unsigned int)knob >= KNOB_MAX)
		return -EOPNOTSUPP;
	if (target.kind == TARGET_WORKLOAD) {
		workload = plan_workload_get(shadow->plan, target.id);
		if (!workload)
			return -ENOENT;
		if (workload->view.flags & WORKLOAD_IGNORED)
			return -EPERM;
	}
	if (!actuator_capabilities(host->context.actuator)->knobs[knob].available)
		return -EOPNOTSUPP;
	row = &knob_table[knob];
	if ((row->type == KNOB_TYPE_TEXT && (!value->text || !value->text[0])) ||
	    (device != 0) != ((row->flags & (KNOB_DEVICE | KNOB_ROOT)) == KNOB_DEVICE))
		return -EINVAL;
	if (row->type == KNOB_TYPE_U64 && (value->number < row->min || value->number > row->max))
		return -ERANGE;
	if (row->type == KNOB_TYPE_S64 && ((int64_t)value->number < (int64_t)row->min ||
					   (int64_t)value->number > (int64_t)row->max))
		return -ERANGE;
	return 0;
}

static int claim_link(struct shadow *shadow, struct plan_claim *claim)
{
	uint64_t key = plan_key(claim->target, claim->knob);
	struct plan_claim *first = hashmap_get_u64(&shadow->by_key, key);

	if (!first)
		return hashmap_put_u64(&shadow->by_key, key, claim);
	claim->next = first->next;
	first->next = claim;
	return 0;
}

static int shadow_claim_part(struct shadow *shadow, unsigned int part, struct berth_target target,
			     uint64_t device, enum knob knob, const struct knob_value *value,
			     const char *reason)
{
	struct plan_claim *claim;
	int r = claim_check(shadow, target, device, knob, value);

	if (r < 0)
		return r;
	claim = shadow_claim(shadow, part, target, device, knob);
	if (!claim) {
		if (shadow->claim_count >= LIMIT_CLAIMS)
			return -ENOSPC;
		claim = calloc(1, sizeof(*claim));
		if (!claim)
			return -ENOMEM;
		claim->target = target;
		claim->device = device;
		claim->part = part;
		claim->knob = knob;
		r = claim_link(shadow, claim);
		if (r < 0) {
			free(claim);
			return r;
		}
		list_append(&shadow->claims, &claim->link);
		shadow->claim_count++;
	}
	claim->number = value->number;
	if (knob_table[knob].type == KNOB_TYPE_TEXT) {
		claim->number = hash_bytes(value->text, strlen(value->text));
		(void)snprintf(claim->text, sizeof(claim->text), "%s", value->text);
	}
	(void)snprintf(claim->reason, sizeof(claim->reason), "%s", reason ? reason : "");
	return 0;
}

static int shadow_claim_device(struct agent *agent, struct berth_target target, uint64_t device,
			       enum knob knob, const struct knob_value *value, uint64_t lease_usec,
			       const char *reason)
{
	(void)lease_usec;
	return shadow_claim_part(shadow_of(agent), 0, target, device, knob, value, reason);
}

static int shadow_claim_as(struct agent *agent, const char *part, struct berth_target target,
			   enum knob knob, const struct knob_value *value, uint64_t lease_usec,
			   const char *reason)
{
	struct shadow *shadow = shadow_of(agent);
	int number = plugin_part(shadow->plugin, part, true);

	(void)lease_usec;
	return number < 0 ? number
			  : shadow_claim_part(shadow, (unsigned int)number, target, 0, knob, value,
					      reason);
}

static int shadow_claim_make(struct agent *agent, struct berth_target target, enum knob knob,
			     const struct knob_value *value, uint64_t lease_usec,
			     const char *reason)
{
	return shadow_claim_device(agent, target, 0, knob, value, lease_usec, reason);
}

static void claim_drop(struct shadow *shadow, struct plan_claim *claim)
{
	uint64_t key = plan_key(claim->target, claim->knob);
	struct plan_claim *before = hashmap_get_u64(&shadow->by_key, key);

	if (before == claim) {
		hashmap_remove_u64(&shadow->by_key, key);
		if (claim->next)
			(void)hashmap_put_u64(&shadow->by_key, key, claim->next);
	} else {
		while (before->next != claim)
			before = before->next;
		before->next = claim->next;
	}
	list_unlink(&claim->link);
	shadow->claim_count--;
	free(claim);
}

static void shadow_unclaim_part(struct shadow *shadow, unsigned int part,
				struct berth_target target, uint64_t device, enum knob knob)
{
	struct plan_claim *claim = NULL;

	/* What stop() takes back is what the plan asks for. */
	if (shadow->ending)
		return;
	if ((unsigned int)knob < KNOB_MAX)
		claim = shadow_claim(shadow, part, target, device, knob);
	if (claim)
		claim_drop(shadow, claim);
}

static void shadow_unclaim_device(struct agent *agent, struct berth_target target, uint64_t device,
				  enum knob knob)
{
	shadow_unclaim_part(shadow_of(agent), 0, target, device, knob);
}

static void shadow_unclaim_as(struct agent *agent, const char *part, struct berth_target target,
			      enum knob knob)
{
	struct shadow *shadow = shadow_of(agent);
	int number = plugin_part(shadow->plugin, part, false);

	if (number >= 0)
		shadow_unclaim_part(shadow, (unsigned int)number, target, 0, knob);
}

static void shadow_unclaim(struct agent *agent, struct berth_target target, enum knob knob)
{
	shadow_unclaim_device(agent, target, 0, knob);
}

static int shadow_knob_available(struct agent *agent, enum knob knob, const char **ret_reason)
{
	const struct host *host = shadow_of(agent)->plan->host;

	return host_knob_available(host, knob, ret_reason);
}

/* An action is nothing that a policy holds: not planned, not done, like one that never ended. */
static int shadow_act(struct agent *agent, struct berth_target target, enum action action,
		      uint64_t argument, const char *reason,
		      void (*done)(void *self, struct berth_target target, int result))
{
	(void)agent;
	(void)target;
	(void)action;
	(void)argument;
	(void)reason;
	(void)done;
	return 0;
}

static const struct berth_workload *shadow_workload(struct agent *agent, uint64_t id)
{
	const struct plan_workload *workload = plan_workload_get(shadow_of(agent)->plan, id);

	return workload ? &workload->view : NULL;
}

static void shadow_each_workload(struct agent *agent,
				 void (*fn)(void *self, const struct berth_workload *workload))
{
	const struct shadow *shadow = shadow_of(agent);

	for (size_t i = 0; i < shadow->plan->count; i++)
		fn(shadow->self, &shadow->plan->workloads[i].view);
}

static void shadow_each_child(struct agent *agent, uint64_t id,
			      void (*fn)(void *self, const struct berth_workload *workload))
{
	const struct shadow *shadow = shadow_of(agent);

	for (size_t i = 0; i < shadow->plan->count; i++)
		if (shadow->plan->workloads[i].view.parent == id)
			fn(shadow->self, &shadow->plan->workloads[i].view);
}

static const char *shadow_annotation(struct agent *agent, uint64_t id, const char *key)
{
	const struct plan_workload *workload = plan_workload_get(shadow_of(agent)->plan, id);

	return workload && key ? workload_annotation(workload->workload, key) : NULL;
}

static const struct workload_sample *shadow_sample(struct agent *agent, uint64_t id)
{
	return snapshot_get(shadow_of(agent)->plan->host->context.snapshot, id);
}

static int shadow_fresh(struct agent *agent, uint64_t max_age_usec)
{
	return host_fresh(shadow_of(agent)->plan->host, max_age_usec);
}

static void shadow_describe(struct agent *agent, uint64_t workload, const char *key,
			    const char *value)
{
	(void)agent;
	(void)workload;
	(void)key;
	(void)value;
}

static int shadow_metric(struct agent *agent, const char *name, const char *help,
			 struct agent_metric **ret)
{
	(void)name;
	(void)help;
	*ret = &shadow_of(agent)->metric;
	return 0;
}

static void shadow_metric_set(struct agent *agent, struct agent_metric *metric, uint64_t workload,
			      double value)
{
	(void)agent;
	(void)metric;
	(void)workload;
	(void)value;
}

static const struct node_sample *shadow_node(struct agent *agent, uint64_t max_age_usec)
{
	return host_node(shadow_of(agent)->plan->host, max_age_usec);
}

static void shadow_metric_set_labels(struct agent *agent, struct agent_metric *metric,
				     const char *labels, double value)
{
	(void)agent;
	(void)metric;
	(void)labels;
	(void)value;
}

/* A plan is over before anything could be counted. */
static int shadow_count(struct agent *agent, uint64_t workload, uint64_t usec)
{
	(void)usec;
	return shadow_workload(agent, workload) ? 0 : -ENOENT;
}

static int shadow_can_count(struct agent *agent, const char **ret_reason)
{
	return host_can_count(shadow_of(agent)->plan->host, ret_reason);
}

static void shadow_tell(struct agent *agent, const char *part, uint64_t workload, const char *what,
			const char *reason)
{
	(void)agent;
	(void)part;
	(void)workload;
	(void)what;
	(void)reason;
}

/* Whatever it would publish: a plan is about knobs. */
static int shadow_publish(struct agent *agent, const struct metric_table *tables, size_t count,
			  int (*wants)(void *self, const struct berth_workload *workload))
{
	(void)agent;
	(void)wants;
	return tables || count == 0 ? 0 : -EINVAL;
}

static int shadow_original_text(struct agent *agent, struct berth_target target, enum knob knob,
				char *text, size_t size)
{
	return host_original_text(shadow_of(agent)->plan->host, target, knob, text, size);
}

static int shadow_peek(struct agent *agent, const uint64_t *workloads, size_t count,
		       const enum sample_value *values, size_t value_count, uint64_t *ret)
{
	return host_peek(shadow_of(agent)->plan->host, workloads, count, values, value_count, ret);
}

static int shadow_knob_value(struct agent *agent, struct berth_target target, enum knob knob,
			     uint64_t *ret_original, uint64_t *ret_now)
{
	return host_knob_value(shadow_of(agent)->plan->host, target, knob, ret_original, ret_now);
}

static const struct agent_api shadow_api = {
	.size = sizeof(struct agent_api),
	.log = shadow_log,
	.every = shadow_every,
	.watch = shadow_watch,
	.forget = shadow_forget,
	.work = shadow_work,
	.claim = shadow_claim_make,
	.unclaim = shadow_unclaim,
	.knob_available = shadow_knob_available,
	.act = shadow_act,
	.workload = shadow_workload,
	.each_workload = shadow_each_workload,
	.annotation = shadow_annotation,
	.sample = shadow_sample,
	.fresh = shadow_fresh,
	.describe = shadow_describe,
	.metric = shadow_metric,
	.metric_set = shadow_metric_set,
	.each_child = shadow_each_child,
	.publish = shadow_publish,
	.claim_device = shadow_claim_device,
	.unclaim_device = shadow_unclaim_device,
	.node = shadow_node,
	.metric_set_labels = shadow_metric_set_labels,
	.claim_as = shadow_claim_as,
	.unclaim_as = shadow_unclaim_as,
	.original_text = shadow_original_text,
	.peek = shadow_peek,
	.knob_value = shadow_knob_value,
	.count = shadow_count,
	.can_count = shadow_can_count,
	.tell = shadow_tell,
};

static void shadow_stop(struct shadow *shadow, bool started)
{
	struct host_plugin *plugin = shadow->plugin;
	struct call call;

	shadow->ending = true;
	for (size_t i = 0; i < shadow->job_count; i++) {
		const struct shadow_job *job = &shadow->jobs[i];

		if (!job->done)
			continue;
		call = call_begin(plugin, "done");
		job->done(shadow->self, job->job, -ECANCELED);
		call_end(plugin, "done", &call);
	}
	if (!started)
		return;
	call = call_begin(plugin, "stop");
	plugin->plugin->table.stop(shadow->self);
	call_end(plugin, "stop", &call);
}

int shadow_run(struct shadow *shadow, struct host_plugin *plugin, const struct plan *plan,
	       const void *config)
{
	const struct berth_plugin *table = &plugin->plugin->table;
	struct call call;
	int r;

	*shadow = (struct shadow){ .plugin = plugin, .plan = plan };
	shadow->agent.api = &shadow_api;
	list_init(&shadow->claims);
	call = call_begin(plugin, "start");
	r = table->start(&shadow->agent, config, &shadow->self);
	call_end(plugin, "start", &call);
	for (size_t i = 0; r >= 0 && table->workload && i < plan->count; i++) {
		const struct workload_event event = {
			.size = sizeof(event),
			.change = WORKLOAD_ADDED,
			.workload = &plan->workloads[i].view,
		};

		call = call_begin(plugin, "workload");
		table->workload(shadow->self, &event);
		call_end(plugin, "workload", &call);
	}
	shadow_stop(shadow, r >= 0);
	return r < 0 ? r : 0;
}

void shadow_done(struct shadow *shadow)
{
	struct plan_claim *claim, *following;

	list_foreach_safe (claim, following, &shadow->claims, link)
		claim_drop(shadow, claim);
	hashmap_done(&shadow->by_key);
}
