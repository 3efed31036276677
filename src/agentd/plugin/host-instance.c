/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "plugin/host-internal.h"

/* What the loop's thread used itself: on a busy host far less than the time that went by. */
static uint64_t cpu_usec(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

struct call call_begin(struct host_plugin *plugin, const char *callback)
{
	struct host *host = plugin->host;
	struct call call = {
		.outer_plugin = host->marked_plugin,
		.outer_callback = host->marked_callback,
	};

	host->marked_plugin = plugin->plugin->table.name;
	host->marked_callback = callback;
	breadcrumb_mark(host->breadcrumb, host->marked_plugin, callback);
	call.begin_usec = monotonic_usec();
	call.begin_cpu_usec = cpu_usec();
	return call;
}

void call_end(struct host_plugin *plugin, const char *callback, const struct call *call)
{
	struct host *host = plugin->host;
	const struct log_context context = { .plugin = plugin->plugin->table.name };
	uint64_t used = cpu_usec() - call->begin_cpu_usec;
	uint64_t took = monotonic_usec() - call->begin_usec;

	host->marked_plugin = call->outer_plugin;
	host->marked_callback = call->outer_callback;
	breadcrumb_mark(host->breadcrumb, call->outer_plugin, call->outer_callback);
	plugin->callbacks++;
	plugin->busy_usec += took;
	plugin->longest_usec = MAX(plugin->longest_usec, took);
	plugin->longest_cpu_usec = MAX(plugin->longest_cpu_usec, used);
	if (took <= LIMIT_CALLBACK_USEC)
		return;
	plugin->overruns++;
	if (log_limit_pass(&plugin->overrun_log, LOG_WARNING))
		log_full(LOG_WARNING, &context,
			 "plugin '%s' held up the daemon for %llu ms in %s(), %llu ms of them on a "
			 "CPU; %u ms is the limit",
			 context.plugin, (unsigned long long)(took / USEC_PER_MSEC), callback,
			 (unsigned long long)(used / USEC_PER_MSEC), LIMIT_CALLBACK_USEC / 1000);
}

void plugin_result(struct host_plugin *plugin, const char *callback, int error)
{
	const struct log_context context = { .plugin = plugin->plugin->table.name };
	uint64_t now = monotonic_usec();
	char why[96];

	if (error >= 0)
		return;
	plugin->failures++;
	if (log_limit_pass(&plugin->failure_log, LOG_WARNING))
		log_full(LOG_WARNING, &context, "plugin '%s' failed in %s(): %s", context.plugin,
			 callback, strerror(-error));
	quarantine_calm(&plugin->quarantine, now);
	if (!quarantine_failure(&plugin->quarantine, now))
		return;
	(void)snprintf(why, sizeof(why), "%u failures within a minute, the last in %s(): %s",
		       QUARANTINE_FAILURES, callback, strerrordesc_np(-error));
	plugin_rest(plugin, why);
}

static struct instance *instance_new(struct host_plugin *plugin)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->agent.api = &host_api;
	instance->plugin = plugin;
	list_init(&instance->sources);
	list_init(&instance->actions);
	return instance;
}

/* successor: keeps what both claimed; NULL: all claims of the plugin go. started: stop() is due. */
static void instance_end(struct instance *instance, struct instance *successor, bool started)
{
	struct host_plugin *plugin = instance->plugin;
	struct call call;

	instance->ending = true;
	instance_cancel_jobs(instance);
	if (started) {
		call = call_begin(plugin, "stop");
		plugin->plugin->table.stop(instance->self);
		call_end(plugin, "stop", &call);
	}
	/* After stop(), which may forget() them itself. */
	instance_drop_sources(instance);
	instance_drop_actions(instance);
	instance_drop_claims(instance, successor);
	instance_drop_descriptions(instance);
	/* One that failed to start took over the metrics of the one that runs, which still uses
	 * them when it is stopped. */
	instance_drop_metrics(instance, started ? NULL : successor);
	instance_unpublish(instance);
	free(instance);
}

void instance_workload(struct instance *instance, enum workload_change change,
		       const struct berth_workload *workload)
{
	struct host_plugin *plugin = instance->plugin;
	const struct workload_event event = {
		.size = sizeof(event),
		.change = change,
		.workload = workload,
	};
	struct call call;

	if (!plugin->plugin->table.workload)
		return;
	call = call_begin(plugin, "workload");
	plugin->plugin->table.workload(instance->self, &event);
	call_end(plugin, "workload", &call);
}

void plugin_start(struct host_plugin *plugin)
{
	struct instance *instance = instance_new(plugin), *before = plugin->running;
	const struct log_context context = { .plugin = plugin->plugin->table.name };
	const struct workload *workload;
	struct call call;
	char why[128];
	int r = -ENOMEM;

	if (instance) {
		call = call_begin(plugin, "start");
		r = plugin->plugin->table.start(&instance->agent, plugin->config, &instance->self);
		call_end(plugin, "start", &call);
	}
	if (r < 0) {
		plugin->failures++;
		(void)snprintf(why, sizeof(why), "it could not start: %s", strerrordesc_np(-r));
		if (instance)
			instance_end(instance, before, false);
		plugin_rest(plugin, why);
		return;
	}
	plugin->running = instance;
	plugin->state = PLUGIN_RUNNING;
	plugin->detail[0] = '\0';
	host_foreach_workload(workload, plugin->host)
		instance_workload(instance, WORKLOAD_ADDED, &workload->view);
	/* One that publishes nothing leaves it to the end of the one before. */
	if (instance->published.count > 0)
		instance_publish(instance);
	/* Only now: what both want was never without a claim, so nothing is written twice. */
	if (before)
		instance_end(before, instance, true);
	plugin_watch_crashes(plugin);
	log_full(LOG_INFO, &context, "plugin '%s' %s", context.plugin,
		 before ? "runs with its new settings" : "runs");
}

void plugin_stop(struct host_plugin *plugin, enum plugin_state state, const char *format, ...)
{
	struct instance *instance = plugin->running;
	va_list arguments;

	plugin_timer_clear(plugin);
	plugin->running = NULL;
	if (instance)
		instance_end(instance, NULL, true);
	plugin->state = state;
	va_start(arguments, format);
	(void)vsnprintf(plugin->detail, sizeof(plugin->detail), format, arguments);
	va_end(arguments);
}

const char *plugin_lacks(const struct host_plugin *plugin, char *text, size_t size)
{
	static const struct {
		uint64_t need;
		enum feature feature;
	} rows[] = {
		{ BERTH_NEEDS_CGROUP, FEATURE_CGROUP },
		{ BERTH_NEEDS_PSI, FEATURE_PSI },
		{ BERTH_NEEDS_RESCTRL, FEATURE_RESCTRL },
		{ BERTH_NEEDS_BPF, FEATURE_BPF },
	};
	const struct host_context *context = &plugin->host->context;
	const struct capabilities *capabilities = actuator_capabilities(context->actuator);
	uint64_t needs = plugin->plugin->table.needs;

	if ((needs & BERTH_NEEDS_CGROUP_V2) && context->registry->hierarchy->mode != HIERARCHY_V2) {
		(void)snprintf(text, size, "needs cgroup v2; this host has %s",
			       hierarchy_mode_name(context->registry->hierarchy->mode));
		return text;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct capability *feature = &capabilities->features[rows[i].feature];

		if (!(needs & rows[i].need) || feature->available)
			continue;
		(void)snprintf(text, size, "needs %s: %s", feature_name(rows[i].feature),
			       feature->detail);
		return text;
	}
	return NULL;
}
