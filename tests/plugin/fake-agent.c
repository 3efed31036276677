/* SPDX-License-Identifier: Apache-2.0 */
#include "fake-agent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "macro.h"

/* An element more at the end of an array; zeroed. */
#define GROW(array, count)                                      \
	({                                                      \
		if ((count) == ARRAY_SIZE(array))               \
			abort();                                \
		memset(&(array)[(count)], 0, sizeof(*(array))); \
		&(array)[(count)++];                            \
	})

#define SHRINK(array, count, index) \
	memmove(&(array)[(index)], &(array)[(index) + 1], (--(count) - (index)) * sizeof(*(array)))

static struct fake_agent *fake_of(struct agent *agent)
{
	return (struct fake_agent *)(void *)agent;
}

/* Berthd copies every string that it is handed, and so does this. */
static void copy(char *to, size_t size, const char *text)
{
	if (snprintf(to, size, "%s", text ? text : "") >= (int)size)
		abort();
}

static bool target_same(struct berth_target a, struct berth_target b)
{
	return a.kind == b.kind && a.id == b.id;
}

static void fake_log(struct agent *agent, int level, const char *format, ...)
{
	struct fake_agent *fake = fake_of(agent);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(fake->last_log, sizeof(fake->last_log), format, arguments);
	va_end(arguments);
	if (level >= 0 && level < 8)
		fake->log_lines[level]++;
}

static int source_add(struct fake_agent *fake, struct agent_source **ret)
{
	for (size_t i = 0; i < FAKE_SOURCES; i++)
		if (!fake->sources[i].used) {
			fake->sources[i] = (struct agent_source){ .used = true, .fd = -1 };
			*ret = &fake->sources[i];
			return 0;
		}
	return -ENOSPC;
}

static int fake_every(struct agent *agent, uint64_t period_usec, int (*fn)(void *self),
		      struct agent_source **ret)
{
	struct fake_agent *fake = fake_of(agent);
	struct agent_source *source;
	int r;

	if (fake->every_error)
		return fake->every_error;
	if (period_usec == 0 || !fn)
		return -EINVAL;
	r = source_add(fake, &source);
	if (r < 0)
		return r;
	source->period_usec = period_usec;
	source->next_usec = fake->now_usec + period_usec;
	source->on_time = fn;
	if (ret)
		*ret = source;
	return 0;
}

static int fake_watch(struct agent *agent, int fd, uint32_t epoll_events,
		      int (*fn)(void *self, uint32_t epoll_events), struct agent_source **ret)
{
	struct agent_source *source;
	int r;

	if (fd < 0 || !fn)
		return -EINVAL;
	if (fake_of(agent)->watch_error)
		return fake_of(agent)->watch_error;
	r = source_add(fake_of(agent), &source);
	if (r < 0)
		return r;
	source->fd = fd;
	source->epoll_events = epoll_events;
	source->on_event = fn;
	if (ret)
		*ret = source;
	return 0;
}

static void fake_forget(struct agent *agent, struct agent_source *source)
{
	(void)agent;
	if (source)
		*source = (struct agent_source){ .fd = -1 };
}

static int fake_work(struct agent *agent, int (*fn)(void *job),
		     void (*done)(void *self, void *job, int result), void *job)
{
	struct fake_agent *fake = fake_of(agent);

	if (fake->work_error)
		return fake->work_error;
	*GROW(fake->jobs, fake->job_count) = (struct fake_job){ fn, done, job };
	return 0;
}

/* part: NULL any. */
static struct fake_claim *claim_find(struct fake_agent *fake, const char *part,
				     struct berth_target target, uint64_t device, enum knob knob)
{
	for (size_t i = 0; i < fake->claim_count; i++)
		if (fake->claims[i].knob == knob && fake->claims[i].device == device &&
		    (!part || strcmp(fake->claims[i].part, part) == 0) &&
		    target_same(fake->claims[i].target, target))
			return &fake->claims[i];
	return NULL;
}

static int claim_check(struct fake_agent *fake, struct berth_target target, enum knob knob)
{
	const struct fake_workload *workload;

	if (knob < 0 || knob >= KNOB_MAX)
		return -EINVAL;
	if (fake->claim_error[knob])
		return fake->claim_error[knob];
	if (target.kind == TARGET_WORKLOAD) {
		workload = fake_agent_workload(fake, target.id);
		if (!workload)
			return -ENOENT;
		if (workload->view.flags & WORKLOAD_IGNORED)
			return -EPERM;
	}
	return fake->knob_off[knob] ? -EOPNOTSUPP : 0;
}

static int part_claim(struct fake_agent *fake, const char *part, struct berth_target target,
		      uint64_t device, enum knob knob, const struct knob_value *value,
		      uint64_t lease_usec, const char *reason)
{
	struct fake_claim *claim;
	int r;

	fake->claim_calls++;
	r = claim_check(fake, target, knob);
	if (r < 0)
		return r;
	claim = claim_find(fake, part, target, device, knob);
	if (!claim)
		claim = GROW(fake->claims, fake->claim_count);
	copy(claim->part, sizeof(claim->part), part);
	claim->target = target;
	claim->device = device;
	claim->knob = knob;
	claim->number = value->number;
	claim->lease_usec = lease_usec;
	copy(claim->text, sizeof(claim->text), value->text);
	copy(claim->reason, sizeof(claim->reason), reason);
	return 0;
}

static int fake_claim_device(struct agent *agent, struct berth_target target, uint64_t device,
			     enum knob knob, const struct knob_value *value, uint64_t lease_usec,
			     const char *reason)
{
	return part_claim(fake_of(agent), "", target, device, knob, value, lease_usec, reason);
}

static int fake_claim_as(struct agent *agent, const char *part, struct berth_target target,
			 enum knob knob, const struct knob_value *value, uint64_t lease_usec,
			 const char *reason)
{
	return part_claim(fake_of(agent), part, target, 0, knob, value, lease_usec, reason);
}

static int fake_claim(struct agent *agent, struct berth_target target, enum knob knob,
		      const struct knob_value *value, uint64_t lease_usec, const char *reason)
{
	return fake_claim_device(agent, target, 0, knob, value, lease_usec, reason);
}

static void part_unclaim(struct fake_agent *fake, const char *part, struct berth_target target,
			 uint64_t device, enum knob knob)
{
	const struct fake_claim *claim = claim_find(fake, part, target, device, knob);

	fake->unclaim_calls++;
	if (!claim)
		return;
	fake->unclaimed_at[knob] = fake->unclaim_calls;
	SHRINK(fake->claims, fake->claim_count, (size_t)(claim - fake->claims));
}

static void fake_unclaim_device(struct agent *agent, struct berth_target target, uint64_t device,
				enum knob knob)
{
	part_unclaim(fake_of(agent), "", target, device, knob);
}

static void fake_unclaim_as(struct agent *agent, const char *part, struct berth_target target,
			    enum knob knob)
{
	part_unclaim(fake_of(agent), part, target, 0, knob);
}

static void fake_unclaim(struct agent *agent, struct berth_target target, enum knob knob)
{
	fake_unclaim_device(agent, target, 0, knob);
}

static int fake_knob_available(struct agent *agent, enum knob knob, const char **ret_reason)
{
	const struct fake_agent *fake = fake_of(agent);

	if (knob < 0 || knob >= KNOB_MAX)
		return -EINVAL;
	if (!fake->knob_off[knob]) {
		if (ret_reason)
			*ret_reason = fake->knob_reason[knob] ? fake->knob_reason[knob] : "";
		return 1;
	}
	if (ret_reason)
		*ret_reason = fake->knob_reason[knob] ? fake->knob_reason[knob] : "no such file";
	return 0;
}

static int fake_act(struct agent *agent, struct berth_target target, enum action action,
		    uint64_t argument, const char *reason,
		    void (*done)(void *self, struct berth_target target, int result))
{
	struct fake_agent *fake = fake_of(agent);
	struct fake_action *record;

	if (fake->act_error)
		return fake->act_error;
	if (target.kind == TARGET_WORKLOAD && !fake_agent_workload(fake, target.id))
		return -ENOENT;
	record = GROW(fake->actions, fake->action_count);
	record->target = target;
	record->action = action;
	record->argument = argument;
	record->done = done;
	copy(record->reason, sizeof(record->reason), reason);
	return 0;
}

static const struct berth_workload *fake_get(struct agent *agent, uint64_t id)
{
	struct fake_workload *workload = fake_agent_workload(fake_of(agent), id);

	return workload ? &workload->view : NULL;
}

static void fake_each(struct agent *agent,
		      void (*fn)(void *self, const struct berth_workload *workload))
{
	const struct fake_agent *fake = fake_of(agent);

	for (size_t i = 0; i < fake->workload_count; i++)
		fn(fake->self, &fake->workloads[i]->view);
}

static void fake_each_child(struct agent *agent, uint64_t id,
			    void (*fn)(void *self, const struct berth_workload *workload))
{
	const struct fake_agent *fake = fake_of(agent);

	for (size_t i = 0; i < fake->workload_count; i++)
		if (fake->workloads[i]->view.parent == id)
			fn(fake->self, &fake->workloads[i]->view);
}

static const char *label_get(const struct fake_label *labels, size_t count, uint64_t workload,
			     const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (labels[i].workload == workload && strcmp(labels[i].key, key) == 0)
			return labels[i].value;
	return NULL;
}

static void label_set(struct fake_label labels[FAKE_LABELS], size_t *count, uint64_t workload,
		      const char *key, const char *value)
{
	for (size_t i = 0; i < *count; i++)
		if (labels[i].workload == workload && strcmp(labels[i].key, key) == 0) {
			SHRINK(labels, *count, i);
			break;
		}
	if (!value)
		return;
	if (*count == FAKE_LABELS)
		abort();
	labels[*count].workload = workload;
	copy(labels[*count].key, sizeof(labels->key), key);
	copy(labels[*count].value, sizeof(labels->value), value);
	(*count)++;
}

static const char *fake_annotation(struct agent *agent, uint64_t workload, const char *key)
{
	const struct fake_agent *fake = fake_of(agent);

	return label_get(fake->annotations, fake->annotation_count, workload, key);
}

static const struct workload_sample *fake_sample(struct agent *agent, uint64_t workload)
{
	const struct fake_workload *found = fake_agent_workload(fake_of(agent), workload);

	return found && found->sampled ? &found->sample : NULL;
}

static int fake_fresh(struct agent *agent, uint64_t max_age_usec)
{
	(void)max_age_usec;
	fake_of(agent)->fresh_calls++;
	return fake_of(agent)->fresh_error;
}

/* The sample's own numbers: what a test sets is what is read now. */
static int fake_peek(struct agent *agent, const uint64_t *workloads, size_t count,
		     const enum sample_value *values, size_t value_count, uint64_t *ret)
{
	struct fake_agent *fake = fake_of(agent);

	fake->peek_calls++;
	fake->peeked += count;
	for (size_t i = 0; i < count * value_count; i++) {
		struct fake_workload *workload =
			fake_agent_workload(fake, workloads[i / value_count]);
		enum sample_value value = values[i % value_count];

		if (value >= SAMPLE_CAUSE_FIRST ||
		    (value > SAMPLE_CPU_THROTTLED_USEC && value < SAMPLE_PRESSURE_FIRST))
			return -EINVAL;
		ret[i] = workload && sample_knows(&workload->sample, value)
				 ? workload->sample.value[value]
				 : UINT64_MAX;
	}
	return fake->peek_error;
}

static int fake_knob_value(struct agent *agent, struct berth_target target, enum knob knob,
			   uint64_t *ret_original, uint64_t *ret_now)
{
	struct fake_agent *fake = fake_of(agent);
	const struct fake_claim *claim = claim_find(fake, NULL, target, 0, knob);
	const struct fake_workload *workload = fake_agent_workload(fake, target.id);

	if (!workload)
		return -ENOENT;
	if (workload->view.flags & WORKLOAD_IGNORED)
		return -EPERM;
	*ret_original = workload->original[knob] ? workload->original[knob] : UINT64_MAX;
	if (ret_now)
		*ret_now = claim                  ? claim->number
			   : workload->quota_left ? workload->quota_left
						  : *ret_original;
	return 0;
}

static void fake_describe(struct agent *agent, uint64_t workload, const char *key,
			  const char *value)
{
	struct fake_agent *fake = fake_of(agent);

	label_set(fake->descriptions, &fake->description_count, workload, key, value);
}

static int fake_metric(struct agent *agent, const char *name, const char *help,
		       struct agent_metric **ret)
{
	struct fake_agent *fake = fake_of(agent);

	for (size_t i = 0; i < fake->metric_count; i++)
		if (strcmp(fake->metrics[i].name, name) == 0) {
			*ret = &fake->metrics[i];
			return 0;
		}
	if (fake->metric_count == FAKE_METRICS)
		return -ENOSPC;
	copy(fake->metrics[fake->metric_count].name, sizeof(fake->metrics->name), name);
	copy(fake->metrics[fake->metric_count].help, sizeof(fake->metrics->help), help);
	*ret = &fake->metrics[fake->metric_count++];
	return 0;
}

static void series_set(struct fake_agent *fake, const struct agent_metric *metric,
		       uint64_t workload, const char *labels, double value)
{
	struct fake_series *series;
	size_t index;

	if (!metric)
		return;
	index = (size_t)(metric - fake->metrics);
	for (size_t i = 0; i < fake->series_count; i++)
		if (fake->series[i].metric == index && fake->series[i].workload == workload &&
		    strcmp(fake->series[i].labels, labels) == 0) {
			fake->series[i].value = value;
			return;
		}
	series = GROW(fake->series, fake->series_count);
	series->metric = index;
	series->workload = workload;
	series->value = value;
	copy(series->labels, sizeof(series->labels), labels);
}

static void fake_metric_set(struct agent *agent, struct agent_metric *metric, uint64_t workload,
			    double value)
{
	series_set(fake_of(agent), metric, workload, "", value);
}

static void fake_metric_set_labels(struct agent *agent, struct agent_metric *metric,
				   const char *labels, double value)
{
	series_set(fake_of(agent), metric, 0, labels, value);
}

static const struct node_sample *fake_node(struct agent *agent, uint64_t max_age_usec)
{
	struct fake_agent *fake = fake_of(agent);

	(void)max_age_usec;
	fake->node_calls++;
	if (!fake->has_node)
		return NULL;
	fake->node.size = sizeof(fake->node);
	fake->node.time_usec = fake->now_usec;
	return &fake->node;
}

/* What the test put in the annotation "original". */
static int fake_original_text(struct agent *agent, struct berth_target target, enum knob knob,
			      char *text, size_t size)
{
	struct fake_agent *fake = fake_of(agent);
	const char *original =
		label_get(fake->annotations, fake->annotation_count, target.id, "original");

	if (fake->knob_off[knob])
		return -EOPNOTSUPP;
	if (!fake_agent_workload(fake, target.id))
		return -ENOENT;
	(void)snprintf(text, size, "%s", original ? original : "");
	return 0;
}

const struct agent_api fake_agent_api = {
	.size = sizeof(struct agent_api),
	.log = fake_log,
	.every = fake_every,
	.watch = fake_watch,
	.forget = fake_forget,
	.work = fake_work,
	.claim = fake_claim,
	.unclaim = fake_unclaim,
	.knob_available = fake_knob_available,
	.act = fake_act,
	.workload = fake_get,
	.each_workload = fake_each,
	.annotation = fake_annotation,
	.sample = fake_sample,
	.fresh = fake_fresh,
	.describe = fake_describe,
	.metric = fake_metric,
	.metric_set = fake_metric_set,
	.each_child = fake_each_child,
	.publish = fake_agent_publish,
	.claim_device = fake_claim_device,
	.unclaim_device = fake_unclaim_device,
	.node = fake_node,
	.metric_set_labels = fake_metric_set_labels,
	.claim_as = fake_claim_as,
	.unclaim_as = fake_unclaim_as,
	.original_text = fake_original_text,
	.peek = fake_peek,
	.knob_value = fake_knob_value,
	.count = fake_agent_count,
	.can_count = fake_agent_can_count,
	.tell = fake_agent_tell,
};

void fake_agent_drop(struct fake_agent *fake, uint64_t workload, bool all)
{
	for (size_t i = fake->claim_count; i-- > 0;)
		if (all || (fake->claims[i].target.kind == TARGET_WORKLOAD &&
			    fake->claims[i].target.id == workload))
			SHRINK(fake->claims, fake->claim_count, i);
	for (size_t i = fake->description_count; i-- > 0;)
		if (all || fake->descriptions[i].workload == workload)
			SHRINK(fake->descriptions, fake->description_count, i);
	for (size_t i = fake->series_count; i-- > 0;)
		if (all || fake->series[i].workload == workload)
			SHRINK(fake->series, fake->series_count, i);
	if (!all)
		for (size_t i = fake->annotation_count; i-- > 0;)
			if (fake->annotations[i].workload == workload)
				SHRINK(fake->annotations, fake->annotation_count, i);
	if (all)
		for (size_t i = 0; i < FAKE_SOURCES; i++)
			fake_forget(&fake->agent, &fake->sources[i]);
}

void fake_agent_annotate(struct fake_agent *fake, uint64_t id, const char *key, const char *value)
{
	label_set(fake->annotations, &fake->annotation_count, id, key, value);
}

const struct fake_claim *fake_agent_claim(struct fake_agent *fake, struct berth_target target,
					  enum knob knob)
{
	return claim_find(fake, NULL, target, 0, knob);
}

const struct fake_claim *fake_agent_claim_of(struct fake_agent *fake, uint64_t workload,
					     enum knob knob)
{
	return claim_find(fake, NULL, (struct berth_target){ TARGET_WORKLOAD, workload }, 0, knob);
}

const struct fake_claim *fake_agent_claim_as(struct fake_agent *fake, const char *part,
					     uint64_t workload, enum knob knob)
{
	return claim_find(fake, part, (struct berth_target){ TARGET_WORKLOAD, workload }, 0, knob);
}

const struct fake_claim *fake_agent_claim_of_device(struct fake_agent *fake, uint64_t workload,
						    uint64_t device, enum knob knob)
{
	return claim_find(fake, NULL, (struct berth_target){ TARGET_WORKLOAD, workload }, device,
			  knob);
}

const char *fake_agent_description(const struct fake_agent *fake, uint64_t workload,
				   const char *key)
{
	return label_get(fake->descriptions, fake->description_count, workload, key);
}
