/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-agent-run.c - the side of the fake host that a test drives: settings, lifecycle, workloads,
 * time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config/bind.h"
#include "config/tree.h"
#include "fake-agent.h"
#include "macro.h"

DEFINE_CLEANUP(struct config_node *, config_node_free);

struct fake_agent *fake_agent_new(void)
{
	struct fake_agent *fake = calloc(1, sizeof(*fake));

	if (!fake)
		abort();
	fake->agent.api = &fake_agent_api;
	return fake;
}

static void workload_free(struct fake_workload *workload)
{
	for (size_t i = 0; i < ARRAY_SIZE(workload->strings); i++)
		free(workload->strings[i]);
	free(workload);
}

static void config_free(struct fake_agent *fake, void *config)
{
	if (!config)
		return;
	if (fake->plugin->fields)
		config_bind_done(fake->plugin->fields, config);
	free(config);
}

struct fake_agent *fake_agent_free(struct fake_agent *fake)
{
	if (!fake)
		return NULL;
	fake_agent_stop(fake);
	while (fake->workload_count > 0)
		fake_agent_remove(fake, fake->workloads[0]->view.id);
	free(fake);
	return NULL;
}

/* The section as the daemon would bind it; NULL and `error` set when it is refused. */
static int settings_bind(struct fake_agent *fake, const struct berth_plugin *plugin,
			 const char *settings, void **ret)
{
	CLEANUP(config_node_freep) struct config_node *tree = NULL;
	CLEANUP(config_errors_done) struct config_errors errors = {};
	struct berth_error error = {};
	void *config;
	int r = 0;

	fake->error[0] = '\0';
	config = calloc(1, MAX(plugin->config_size, (size_t)8));
	if (!config)
		abort();
	if (settings)
		r = config_tree_parse(settings, strlen(settings), "test.yaml", &errors, &tree);
	if (r >= 0 && plugin->fields)
		r = config_bind(plugin->fields, tree, "", NULL, &errors, config);
	if (r < 0 && errors.count > 0)
		(void)snprintf(fake->error, sizeof(fake->error), "%.60s: %.120s",
			       errors.items[0].key, errors.items[0].text);
	if (r >= 0 && plugin->check) {
		r = plugin->check(config, &error);
		if (r < 0)
			(void)snprintf(fake->error, sizeof(fake->error), "%.60s: %.120s",
				       error.key ? error.key : "", error.text);
	}
	if (r < 0) {
		if (plugin->fields)
			config_bind_done(plugin->fields, config);
		free(config);
		return r;
	}
	*ret = config;
	return 0;
}

static void event_send(struct fake_agent *fake, enum workload_change change,
		       const struct berth_workload *workload)
{
	struct workload_event event = {
		.size = sizeof(event),
		.change = change,
		.workload = workload,
	};

	if (fake->running && fake->plugin->workload)
		fake->plugin->workload(fake->self, &event);
}

static int plugin_begin(struct fake_agent *fake)
{
	int r = fake->plugin->start(&fake->agent, fake->config, &fake->self);

	if (r < 0) {
		fake_agent_drop(fake, 0, true);
		(void)fake_agent_publish(&fake->agent, NULL, 0, NULL);
		config_free(fake, TAKE_PTR(fake->config));
		return r;
	}
	fake->running = true;
	for (size_t i = 0; i < fake->workload_count; i++)
		event_send(fake, WORKLOAD_ADDED, &fake->workloads[i]->view);
	return 0;
}

int fake_agent_start(struct fake_agent *fake, const struct berth_plugin *plugin,
		     const char *settings)
{
	void *config;
	int r;

	r = settings_bind(fake, plugin, settings, &config);
	if (r < 0)
		return r;
	fake->plugin = plugin;
	fake->config = config;
	return plugin_begin(fake);
}

int fake_agent_apply(struct fake_agent *fake, const char *settings)
{
	void *config, *old;
	int r;

	r = settings_bind(fake, fake->plugin, settings, &config);
	if (r < 0)
		return r;
	if (!fake->plugin->apply) {
		fake_agent_stop(fake);
		fake->config = config;
		return plugin_begin(fake);
	}
	r = fake->plugin->apply(fake->self, config);
	old = fake->config;
	fake->config = config;
	config_free(fake, old);
	return r;
}

void fake_agent_stop(struct fake_agent *fake)
{
	if (!fake->running)
		return;
	for (size_t i = 0; i < fake->job_count; i++)
		if (fake->jobs[i].done)
			fake->jobs[i].done(fake->self, fake->jobs[i].job, -ECANCELED);
	fake->job_count = 0;
	fake->plugin->stop(fake->self);
	fake->running = false;
	fake->self = NULL;
	for (size_t i = 0; i < fake->action_count; i++)
		fake->actions[i].finished = true;
	fake_agent_drop(fake, 0, true);
	(void)fake_agent_publish(&fake->agent, NULL, 0, NULL);
	config_free(fake, TAKE_PTR(fake->config));
}

void fake_agent_capabilities(struct fake_agent *fake)
{
	if (fake->running && fake->plugin->capabilities)
		fake->plugin->capabilities(fake->self);
}

static char *text_format(const char *prefix, const char *text)
{
	char *made;

	if (asprintf(&made, "%s%s", prefix, text) < 0)
		abort();
	return made;
}

static uint64_t workload_add(struct fake_agent *fake, uint64_t parent, const char *kind,
			     const char *namespace, const char *name, enum qos_level level)
{
	struct fake_workload *workload = calloc(1, sizeof(*workload));

	if (!workload || fake->workload_count == FAKE_WORKLOADS)
		abort();
	workload->strings[0] = text_format("", kind);
	workload->strings[1] = text_format("", namespace);
	workload->strings[2] = text_format("", name);
	workload->strings[3] = text_format("fake/", name);
	workload->view = (struct berth_workload){
		.size = sizeof(struct berth_workload),
		.id = ++fake->last_id,
		.parent = parent,
		.kind = workload->strings[0],
		.namespace = workload->strings[1],
		.name = workload->strings[2],
		.cgroup = workload->strings[3],
		.qos = level,
	};
	fake->workloads[fake->workload_count++] = workload;
	event_send(fake, WORKLOAD_ADDED, &workload->view);
	return workload->view.id;
}

uint64_t fake_agent_add(struct fake_agent *fake, const char *kind, const char *namespace,
			const char *name, enum qos_level level)
{
	return workload_add(fake, 0, kind, namespace, name, level);
}

uint64_t fake_agent_add_child(struct fake_agent *fake, uint64_t parent, const char *name)
{
	const struct fake_workload *pod = fake_agent_workload(fake, parent);

	if (!pod)
		abort();
	return workload_add(fake, parent, "container", pod->view.namespace, name, pod->view.qos);
}

struct fake_workload *fake_agent_workload(struct fake_agent *fake, uint64_t id)
{
	for (size_t i = 0; i < fake->workload_count; i++)
		if (fake->workloads[i]->view.id == id)
			return fake->workloads[i];
	return NULL;
}

void fake_agent_update(struct fake_agent *fake, uint64_t id)
{
	const struct fake_workload *workload = fake_agent_workload(fake, id);

	if (workload)
		event_send(fake, WORKLOAD_UPDATED, &workload->view);
}

void fake_agent_set_level(struct fake_agent *fake, uint64_t id, enum qos_level level)
{
	struct fake_workload *workload = fake_agent_workload(fake, id);

	if (!workload)
		return;
	workload->view.qos = level;
	fake_agent_update(fake, id);
}

void fake_agent_remove(struct fake_agent *fake, uint64_t id)
{
	struct fake_workload *workload = fake_agent_workload(fake, id);
	size_t i = 0;

	if (!workload)
		return;
	event_send(fake, WORKLOAD_REMOVED, &workload->view);
	while (fake->workloads[i] != workload)
		i++;
	memmove(&fake->workloads[i], &fake->workloads[i + 1],
		(--fake->workload_count - i) * sizeof(*fake->workloads));
	fake_agent_drop(fake, id, false);
	workload_free(workload);
}

struct workload_sample *fake_agent_sample(struct fake_agent *fake, uint64_t id)
{
	struct fake_workload *workload = fake_agent_workload(fake, id);

	if (!workload)
		return NULL;
	workload->sampled = true;
	workload->sample.size = sizeof(workload->sample);
	return &workload->sample;
}

void fake_agent_knob(struct fake_agent *fake, enum knob knob, bool available, const char *reason)
{
	fake->knob_off[knob] = !available;
	fake->knob_reason[knob] = reason;
}

int fake_agent_advance(struct fake_agent *fake, uint64_t usec)
{
	uint64_t end = fake->now_usec + usec;
	int lowest = 0;

	for (;;) {
		struct agent_source *due = NULL;
		int r;

		for (size_t i = 0; i < FAKE_SOURCES; i++) {
			struct agent_source *source = &fake->sources[i];

			if (source->used && source->on_time && source->next_usec <= end &&
			    (!due || source->next_usec < due->next_usec))
				due = source;
		}
		if (!due)
			break;
		fake->now_usec = due->next_usec;
		due->next_usec += due->period_usec;
		r = due->on_time(fake->self);
		lowest = MIN(lowest, r);
	}
	fake->now_usec = end;
	return lowest;
}

int fake_agent_event(struct fake_agent *fake, int fd, uint32_t epoll_events)
{
	for (size_t i = 0; i < FAKE_SOURCES; i++)
		if (fake->sources[i].used && fake->sources[i].on_event && fake->sources[i].fd == fd)
			return fake->sources[i].on_event(fake->self, epoll_events);
	return -ENOENT;
}

size_t fake_agent_run_jobs(struct fake_agent *fake)
{
	size_t ran = 0;

	while (fake->job_count > 0) {
		struct fake_job job = fake->jobs[0];
		int result;

		memmove(&fake->jobs[0], &fake->jobs[1], --fake->job_count * sizeof(job));
		result = job.fn(job.job);
		if (job.done)
			job.done(fake->self, job.job, result);
		ran++;
	}
	return ran;
}

void fake_agent_finish(struct fake_agent *fake, size_t index, int result)
{
	struct fake_action action;

	if (index >= fake->action_count || fake->actions[index].finished)
		return;
	fake->actions[index].finished = true;
	/* A copy: done() may act again, which moves the array. */
	action = fake->actions[index];
	if (action.done)
		action.done(fake->self, action.target, result);
}

size_t fake_agent_sources(const struct fake_agent *fake)
{
	size_t count = 0;

	for (size_t i = 0; i < FAKE_SOURCES; i++)
		count += fake->sources[i].used;
	return count;
}

static bool series_get(const struct fake_agent *fake, const char *name, uint64_t workload,
		       const char *labels, double *ret)
{
	for (size_t i = 0; i < fake->series_count; i++)
		if (fake->series[i].workload == workload &&
		    strcmp(fake->series[i].labels, labels) == 0 &&
		    strcmp(fake->metrics[fake->series[i].metric].name, name) == 0) {
			*ret = fake->series[i].value;
			return true;
		}
	return false;
}

bool fake_agent_metric(const struct fake_agent *fake, const char *name, uint64_t workload,
		       double *ret)
{
	return series_get(fake, name, workload, "", ret);
}

bool fake_agent_metric_labels(const struct fake_agent *fake, const char *name, const char *labels,
			      double *ret)
{
	return series_get(fake, name, 0, labels, ret);
}
