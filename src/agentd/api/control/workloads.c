/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/control/internal.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "plugin/host.h"
#include "sample.h"
#include "strbuf.h"
#include "telemetry/snapshot.h"
#include "workload/registry.h"

/* Two people who look at `top` at once share a pass. */
#define TOP_AGE_USEC (USEC_PER_SEC / 2)
/* Averages are made from pass to pass: after a longer gap they tell of the gap. */
#define AVERAGE_AGE_USEC (60 * USEC_PER_SEC)

static const char *origin_name(enum qos_origin origin)
{
	switch (origin) {
	case ORIGIN_RULE:
		return "rule";
	case ORIGIN_ANNOTATION:
		return "annotation";
	case ORIGIN_PARENT:
		return "pod";
	case ORIGIN_DEFAULT:
		break;
	}
	return "default";
}

static json_t *workload_names_json(const struct workload *workload)
{
	json_t *item = json_object();

	json_set_number(item, "id", workload->view.id);
	json_set_text(item, "kind", workload->kind);
	json_set_text(item, "namespace", workload->namespace);
	json_set_text(item, "name", workload->name);
	json_set_text(item, "qos", qos_name(workload->view.qos));
	(void)json_object_set_new(item, "level", json_integer(workload->view.qos));
	return item;
}

static json_t *facts_json(const struct workload *workload)
{
	json_t *facts = json_object();

	for (size_t i = 0; i < workload->fact_count; i++)
		json_set_text(facts, workload->facts[i].key, workload->facts[i].value);
	return facts;
}

static json_t *workload_json(const struct workload *workload)
{
	const struct berth_workload *view = &workload->view;
	json_t *item = workload_names_json(workload);

	json_set_number(item, "parent", view->parent);
	json_set_text(item, "cgroup", view->cgroup);
	json_set_text(item, "uid", workload->uid);
	json_set_text(item, "alias", workload->alias);
	json_set_text(item, "source", workload->source);
	json_set_text(item, "via", workload->via);
	json_set_bool(item, "stale", workload->stale);
	if (workload->leader > 0)
		json_set_number(item, "leader", (uint64_t)workload->leader);
	json_set_text(item, "origin", origin_name(workload->decision.origin));
	json_set_text(item, "origin_detail", workload->decision.detail);
	json_set_text(item, "conflict", workload->decision.conflict);
	json_set_text(item, "malformed", workload->decision.malformed);
	json_set_bool(item, "ignored", (view->flags & WORKLOAD_IGNORED) != 0);
	json_set_number(item, "cpu_request_milli", view->cpu_request_milli);
	json_set_number(item, "cpu_limit_milli", view->cpu_limit_milli);
	json_set_number(item, "memory_request_bytes", view->memory_request_bytes);
	json_set_number(item, "memory_limit_bytes", view->memory_limit_bytes);
	(void)json_object_set_new(item, "facts", facts_json(workload));
	return item;
}

void handle_workloads(void *data, const struct http_request *request,
		      struct http_response *response)
{
	const struct control_context *context = data;
	json_t *answer = json_object(), *list = json_array();
	const struct workload *workload;

	(void)request;
	list_foreach (workload, &context->state.registry->workloads, link)
		(void)json_array_append_new(list, workload_json(workload));
	(void)json_object_set_new(answer, "workloads", list);
	reply_json(response, 200, answer);
}

static json_t *devices_json(const struct workload_sample *sample)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < sample->device_count; i++) {
		const struct sample_device *device = &sample->devices[i];
		json_t *item = json_object();

		json_set_text(item, "name", device->name);
		for (unsigned int io = 0; io < SAMPLE_IO_MAX; io++)
			json_set_number(item, sample_io_name((enum sample_io)io),
					device->value[io]);
		(void)json_array_append_new(list, item);
	}
	return list;
}

/* Hundredths of a percent, as the files of PSI have them. */
static json_t *averages_json(const struct workload_sample *sample)
{
	json_t *averages = json_object();

	for (unsigned int i = 0; i < SAMPLE_PRESSURE_COUNT; i++) {
		enum sample_value value = (enum sample_value)(SAMPLE_PRESSURE_FIRST + i);
		json_t *list;

		if (!sample_knows(sample, value))
			continue;
		list = json_array();
		for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
			(void)json_array_append_new(list,
						    json_real(sample->averages[i][window] / 100.0));
		(void)json_object_set_new(averages, sample_value_name(value), list);
	}
	return averages;
}

static json_t *latency_json(const struct sample_latency *latency)
{
	json_t *item = json_object(), *counts = json_array();

	for (unsigned int i = 0; i < SAMPLE_LATENCY_BUCKETS; i++)
		(void)json_array_append_new(counts, json_integer((json_int_t)latency->count[i]));
	(void)json_object_set_new(item, "count", counts);
	json_set_number(item, "sum_usec", latency->sum_usec);
	return item;
}

/* What the host does not tell has no key. */
static void sample_add(json_t *item, const struct workload_sample *sample)
{
	json_set_number(item, "time_usec", sample->time_usec);
	for (unsigned int value = 0; value < SAMPLE_MAX; value++)
		if (sample_knows(sample, (enum sample_value)value))
			json_set_number(item, sample_value_name((enum sample_value)value),
					sample->value[value]);
	(void)json_object_set_new(item, "averages", averages_json(sample));
	if (sample->latency)
		(void)json_object_set_new(item, "runqueue_latency", latency_json(sample->latency));
	if (sample->device_count > 0)
		(void)json_object_set_new(item, "devices", devices_json(sample));
}

static void pressure_add(json_t *node, const char *key, const struct psi *psi)
{
	/* Hundredths of a percent, as /proc/pressure has them. */
	(void)json_object_set_new(node, key, json_real(psi->some.avg10 / 100.0));
}

static json_t *node_json(const struct snapshot *snapshot)
{
	const struct snapshot_node *node = &snapshot->node;
	json_t *item = json_object();

	json_set_number(item, "time_usec", snapshot->time_usec);
	json_set_number(item, "cpus", node->cpus);
	json_set_number(item, "cpu_total_usec", node->cpu_total_usec);
	json_set_number(item, "cpu_busy_usec", node->cpu_busy_usec);
	json_set_number(item, "memory_total_bytes", node->memory_total_bytes);
	json_set_number(item, "memory_available_bytes", node->memory_available_bytes);
	if (node->has_psi) {
		pressure_add(item, "cpu_pressure_percent", &node->cpu);
		pressure_add(item, "memory_pressure_percent", &node->memory);
		pressure_add(item, "io_pressure_percent", &node->io);
	}
	return item;
}

static void knob_done_add(void *data, const struct held_view *view)
{
	json_t *by_id = data, *list;
	char key[32], text[96];

	if (view->target.kind != TARGET_WORKLOAD || view->status != KNOB_WRITTEN)
		return;
	(void)snprintf(key, sizeof(key), "%llu", (unsigned long long)view->target.id);
	list = json_object_get(by_id, key);
	if (!list) {
		list = json_array();
		if (json_object_set_new(by_id, key, list) < 0)
			return;
	}
	(void)snprintf(text, sizeof(text), "%s=%s", view->file, view->written);
	(void)json_array_append_new(list, json_text(text));
}

/* What the history still has of each workload: how much, and the last of it. */
static void event_add(void *data, const struct history_view *view)
{
	json_t *by_id = data, *event;
	struct strbuf text cleanup_strbuf = {};
	char key[32];

	if (view->target.kind != TARGET_WORKLOAD || view->target.id == 0)
		return;
	(void)snprintf(key, sizeof(key), "%llu", (unsigned long long)view->target.id);
	event = json_object_get(by_id, key);
	if (!event) {
		event = json_object();
		if (json_object_set_new(by_id, key, event) < 0)
			return;
	}
	strbuf_addf(&text, "%s%s%s: %s", view->what, *view->argument ? " " : "", view->argument,
		    view->outcome);
	json_set_number(event, "count",
			1 + (uint64_t)json_integer_value(json_object_get(event, "count")));
	json_set_text(event, "last", strbuf_text(&text));
	json_set_time(event, "last_time", view->time_realtime_usec);
}

void handle_top(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	const struct self_state *state = &context->state;
	json_t *answer = json_object(), *list = json_array();
	json_auto_t *done = json_object(), *events = json_object();
	const struct workload *workload;
	int r = state->host ? host_fresh(state->host, TOP_AGE_USEC) : -ENODEV;

	(void)request;
	actuator_each_held(state->actuator, knob_done_add, done);
	actuator_each_history(state->actuator, event_add, events);
	list_foreach (workload, &state->registry->workloads, link) {
		const struct workload_sample *sample =
			snapshot_get(state->snapshot, workload->view.id);
		json_t *item = workload_names_json(workload);
		char key[32];

		json_set_number(item, "parent", workload->view.parent);
		json_set_bool(item, "sampled", sample != NULL);
		if (sample)
			sample_add(item, sample);
		(void)snprintf(key, sizeof(key), "%llu", (unsigned long long)workload->view.id);
		if (json_object_get(done, key))
			(void)json_object_set(item, "written", json_object_get(done, key));
		if (json_object_get(events, key))
			(void)json_object_set(item, "events", json_object_get(events, key));
		(void)json_array_append_new(list, item);
	}
	json_set_errno(answer, "pass_error", r);
	json_set_number(answer, "generation", state->snapshot->generation);
	json_set_number(answer, "pass_usec", state->snapshot->duration_usec);
	(void)json_object_set_new(answer, "node", node_json(state->snapshot));
	(void)json_object_set_new(answer, "workloads", list);
	reply_json(response, 200, answer);
}

static json_t *explain_sample_json(const struct control_context *context, uint64_t id,
				   bool averaged)
{
	const struct workload_sample *sample = snapshot_get(context->state.snapshot, id);
	json_t *item = json_object();

	json_set_bool(item, "averaged", averaged);
	if (sample)
		sample_add(item, sample);
	return item;
}

static json_t *children_json(const struct registry *registry, uint64_t parent)
{
	json_t *list = json_array();
	const struct workload *workload;

	list_foreach (workload, &registry->workloads, link)
		if (workload->view.parent == parent)
			(void)json_array_append_new(list, workload_names_json(workload));
	return list;
}

static void reply_unknown(const struct control_context *context, const char *text,
			  struct http_response *response)
{
	const struct workload *near[3];
	struct strbuf names cleanup_strbuf = {};
	size_t count = registry_near(context->state.registry, text, near, ARRAY_SIZE(near));

	for (size_t i = 0; i < MIN(count, ARRAY_SIZE(near)); i++)
		strbuf_addf(&names, "%s'%s%s%s'", i ? ", " : "; there is ", near[i]->namespace,
			    near[i]->namespace[0] ? "/" : "", near[i]->name);
	if (count > ARRAY_SIZE(near))
		strbuf_addf(&names, " and %zu more", count - ARRAY_SIZE(near));
	reply_error(response, 404, "no workload '%.200s'%s: `berthctl workloads` lists %s", text,
		    strbuf_text(&names), count ? "all" : "those that berthd knows");
}

/* The workload that ?workload= names, or NULL with the answer given. */
static const struct workload *workload_asked(const struct control_context *context,
					     const char *text, struct http_response *response)
{
	size_t many = 0;
	const struct workload *workload;

	workload = registry_find(context->state.registry, text, &many);
	if (!workload && many > 1)
		reply_error(
			response, 409,
			"%zu workloads are called '%s': say namespace/name, the uid, the cgroup "
			"path or the id; `berthctl workloads -o json` shows them",
			many, text);
	else if (!workload)
		reply_unknown(context, text, response);
	return workload;
}

void handle_explain(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	const char *text = http_query(request, "workload");
	const struct workload *workload;
	struct berth_target target = { .kind = TARGET_WORKLOAD };
	json_t *answer;
	const struct workload_sample *last;
	bool averaged;

	if (!text || !*text) {
		reply_error(response, 400, "say which: /v1/explain?workload=NAME");
		return;
	}
	workload = workload_asked(context, text, response);
	if (!workload)
		return;
	target.id = workload->view.id;
	last = snapshot_get(context->state.snapshot, target.id);
	averaged = last && monotonic_usec() < last->time_usec + AVERAGE_AGE_USEC;
	if (context->state.host)
		(void)host_fresh(context->state.host, TOP_AGE_USEC);
	answer = json_object();
	(void)json_object_set_new(answer, "workload", workload_json(workload));
	(void)json_object_set_new(answer, "sample",
				  explain_sample_json(context, target.id, averaged));
	(void)json_object_set_new(answer, "children",
				  children_json(context->state.registry, target.id));
	(void)json_object_set_new(answer, "knobs", knobs_json(context->state.actuator, &target));
	(void)json_object_set_new(answer, "descriptions",
				  descriptions_json(context->state.host, target.id));
	(void)json_object_set_new(
		answer, "history",
		history_json(context->state.actuator, target.id, false, LIMIT_HISTORY));
	reply_json(response, 200, answer);
}

void handle_knobs(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	const char *text = http_query(request, "workload");
	struct berth_target target = { .kind = TARGET_WORKLOAD };
	json_t *answer;

	if (text && *text) {
		const struct workload *workload = workload_asked(context, text, response);

		if (!workload)
			return;
		target.id = workload->view.id;
	}
	answer = json_object();
	(void)json_object_set_new(answer, "knobs",
				  knobs_json(context->state.actuator, target.id ? &target : NULL));
	reply_json(response, 200, answer);
}
