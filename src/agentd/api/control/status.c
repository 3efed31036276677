/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "actuator/actuator.h"
#include "actuator/knob/table.h"
#include "api/control/internal.h"
#include "config/tree.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "plugin/host.h"
#include "settings.h"
#include "telemetry/collect/collector.h"
#include "telemetry/collect/stat-file.h"
#include "telemetry/perf/perf.h"
#include "telemetry/runqueue/runqueue.h"
#include "telemetry/snapshot.h"
#include "telemetry/stall/stall.h"
#include "workload/registry.h"

#define STATUS_ERRORS 5u

static void plugin_add(void *data, const struct plugin_view *view)
{
	json_t *list = data, *item = json_object();
	uint64_t now = monotonic_usec();

	json_set_text(item, "name", view->name);
	json_set_text(item, "description", view->description);
	json_set_text(item, "path", view->path);
	json_set_text(item, "state", plugin_state_name(view->state));
	json_set_text(item, "detail", view->detail);
	json_set_number(item, "failures", view->failures);
	json_set_number(item, "overruns", view->overruns);
	json_set_number(item, "callbacks", view->callbacks);
	json_set_number(item, "busy_usec", view->busy_usec);
	json_set_number(item, "longest_usec", view->longest_usec);
	json_set_number(item, "longest_cpu_usec", view->longest_cpu_usec);
	json_set_number(item, "sources", view->sources);
	if (view->state == PLUGIN_QUARANTINED)
		json_set_number(item, "retry_in_usec",
				view->retry_usec > now ? view->retry_usec - now : 0);
	(void)json_array_append_new(list, item);
}

static json_t *plugins_json(const struct host *host)
{
	json_t *list = json_array();

	if (host)
		host_each_plugin(host, plugin_add, list);
	return list;
}

static json_t *config_json(const struct control_context *context)
{
	const struct config_errors *errors = context->state.config_errors;
	json_t *config = json_object();

	json_set_text(config, "file", context->config_file);
	json_set_text(config, "dropin_dir", context->dropin_dir);
	json_set_text(config, "plugin_dir", context->plugin_dir);
	json_set_bool(config, "valid", !errors || errors->count + errors->dropped == 0);
	json_set_number(config, "reloads", context->state.reloads);
	json_set_number(config, "reload_failures", context->state.reload_failures);
	(void)json_object_set_new(config, "errors", config_errors_json(errors));
	return config;
}

static json_t *levels_json(const struct registry *registry)
{
	uint64_t levels[QOS_CRITICAL - QOS_SCAVENGER + 1] = {}, conflicts = 0, ignored = 0,
						       stale = 0;
	json_t *counts = json_object(), *by_level = json_object();
	const struct workload *workload;

	list_foreach (workload, &registry->workloads, link) {
		levels[workload->view.qos - QOS_SCAVENGER]++;
		conflicts += workload->decision.conflict || workload->decision.malformed;
		stale += workload->stale;
		ignored += (workload->view.flags & WORKLOAD_IGNORED) != 0;
	}
	for (int level = QOS_CRITICAL; level >= QOS_SCAVENGER; level--)
		json_set_number(by_level, qos_name((enum qos_level)level),
				levels[level - QOS_SCAVENGER]);
	json_set_number(counts, "total", registry->count);
	json_set_number(counts, "conflicts", conflicts);
	json_set_number(counts, "ignored", ignored);
	json_set_number(counts, "stale", stale);
	(void)json_object_set_new(counts, "levels", by_level);
	return counts;
}

struct knob_counts {
	uint64_t by_status[KNOB_SHADOWED + 1];
};

static void knob_count(void *data, const struct knob_view *view)
{
	struct knob_counts *counts = data;

	if ((size_t)view->status < ARRAY_SIZE(counts->by_status))
		counts->by_status[view->status]++;
}

static json_t *actuator_json(const struct actuator *actuator)
{
	struct knob_counts counts = {};
	struct actuator_stats stats;
	json_t *answer = json_object(), *knobs = json_object();

	actuator_stats(actuator, &stats);
	actuator_each_knob(actuator, NULL, knob_count, &counts);
	for (size_t i = 0; i < ARRAY_SIZE(counts.by_status); i++)
		json_set_number(knobs, knob_status_name((enum knob_status)i), counts.by_status[i]);
	(void)json_object_set_new(answer, "knobs", knobs);
	json_set_bool(answer, "paused", actuator_is_paused(actuator));
	json_set_number(answer, "claims", stats.claims);
	json_set_number(answer, "writes", stats.writes);
	json_set_number(answer, "write_errors", stats.write_errors);
	json_set_number(answer, "foreign_writes", stats.foreign_writes);
	json_set_number(answer, "restores", stats.restores);
	json_set_number(answer, "restore_errors", stats.restore_errors);
	json_set_number(answer, "unit_pins", stats.unit_pins);
	json_set_number(answer, "unit_pin_errors", stats.unit_pin_errors);
	json_set_number(answer, "actions", stats.actions);
	json_set_number(answer, "actions_limited", stats.actions_limited);
	json_set_number(answer, "journal_bytes", stats.journal_bytes);
	json_set_number(answer, "journal_errors", stats.journal_errors);
	return answer;
}

static void pressure_add(json_t *telemetry, const struct snapshot *snapshot)
{
	json_set_text(telemetry, "pressure", stall_way_name(stall_way(snapshot->stall)));
	json_set_text(telemetry, "pressure_detail", stall_detail(snapshot->stall));
	json_set_text(telemetry, "runqueue", runqueue_state(snapshot->runqueue));
	json_set_text(telemetry, "runqueue_detail", runqueue_detail(snapshot->runqueue));
}

static void counters_add(json_t *telemetry, const struct snapshot *snapshot)
{
	const char *detail;

	json_set_bool(telemetry, "cycles", perf_available(snapshot->perf, &detail));
	json_set_text(telemetry, "cycles_detail", detail);
	json_set_number(telemetry, "cycles_files", perf_files(snapshot->perf));
}

static json_t *telemetry_json(const struct snapshot *snapshot)
{
	json_t *answer = json_object(), *parts = json_array();
	struct collector_status status;

	snapshot_status(snapshot, &status);
	for (unsigned int i = 0; i < SAMPLE_PARTS; i++)
		if (status.by_files & (1u << i))
			(void)json_array_append_new(parts, json_string(sample_part_name(1u << i)));
	json_set_text(answer, "collector", snapshot->collector->ops->name);
	json_set_text(answer, "way", status.way);
	json_set_text(answer, "detail", status.detail);
	json_set_bool(answer, "loading", snapshot_is_loading(snapshot));
	(void)json_object_set_new(answer, "by_files", parts);
	json_set_number(answer, "groups", snapshot->by_id.count);
	json_set_number(answer, "passes", snapshot->generation);
	json_set_number(answer, "pass_usec", snapshot->duration_usec);
	json_set_number(answer, "errors", snapshot->errors);
	json_set_number(answer, "kept_files", status.kept_files);
	pressure_add(answer, snapshot);
	counters_add(answer, snapshot);
	return answer;
}

static json_t *capability_json(const char *name, const struct capability *found)
{
	json_t *item = json_object();

	json_set_text(item, "name", name);
	json_set_bool(item, "available", found->available);
	json_set_text(item, "detail", found->detail);
	return item;
}

static json_t *capabilities_json(const struct self_state *state)
{
	const struct capabilities *found = actuator_capabilities(state->actuator);
	json_t *answer = json_object(), *knobs = json_array(), *features = json_array();
	struct capability counters = { 0 };
	const char *detail;

	for (size_t i = 0; i < FEATURE_MAX; i++)
		(void)json_array_append_new(features, capability_json(feature_name((enum feature)i),
								      &found->features[i]));
	for (size_t i = 0; i < KNOB_MAX; i++) {
		json_t *item = capability_json(knob_table[i].name, &found->knobs[i]);

		json_set_text(item, "help", knob_table[i].help);
		json_set_bool(item, "multilevel", found->knobs[i].multilevel);
		(void)json_array_append_new(knobs, item);
	}
	json_set_text(answer, "cgroup",
		      state->hierarchy ? hierarchy_mode_name(state->hierarchy->mode) : "none");
	counters.available = perf_available(state->snapshot->perf, &detail);
	(void)snprintf(counters.detail, sizeof(counters.detail), "%.150s", detail);
	(void)json_array_append_new(features, capability_json("perf_event", &counters));
	(void)json_object_set_new(answer, "features", features);
	(void)json_object_set_new(answer, "knobs", knobs);
	return answer;
}

void handle_status(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	const struct self_state *state = &context->state;
	const struct settings *settings = *context->settings;
	json_t *answer = json_object();

	(void)request;
	json_set_text(answer, "version", BERTH_VERSION);
	json_set_text(answer, "node", settings->node_name);
	json_set_number(answer, "pid", (uint64_t)getpid());
	json_set_number(answer, "uptime_usec", monotonic_usec() - state->start_usec);
	json_set_bool(answer, "healthy", state_is_healthy(state));
	json_set_bool(answer, "ready", state_is_ready(state));
	json_set_bool(answer, "dry_run", settings->dry_run);
	json_set_number(answer, "warnings", log_count_warnings());
	(void)json_object_set_new(answer, "config", config_json(context));
	(void)json_object_set_new(answer, "metrics", listener_json(state->web));
	(void)json_object_set_new(answer, "sources", sources_json(state));
	(void)json_object_set_new(answer, "plugins", plugins_json(state->host));
	(void)json_object_set_new(answer, "workloads", levels_json(state->registry));
	(void)json_object_set_new(answer, "actuator", actuator_json(state->actuator));
	if (state->snapshot)
		(void)json_object_set_new(answer, "telemetry", telemetry_json(state->snapshot));
	(void)json_object_set_new(answer, "capabilities", capabilities_json(state));
	(void)json_object_set_new(answer, "last_errors",
				  history_json(state->actuator, 0, true, STATUS_ERRORS));
	reply_json(response, 200, answer);
}

void handle_version(void *data, const struct http_request *request, struct http_response *response)
{
	json_t *answer = json_object();

	(void)data;
	(void)request;
	json_set_text(answer, "version", BERTH_VERSION);
	json_set_number(answer, "pid", (uint64_t)getpid());
	json_set_number(answer, "plugin_abi", BERTH_PLUGIN_ABI);
	reply_json(response, 200, answer);
}

void handle_plugins(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	json_t *answer = json_object();

	(void)request;
	(void)json_object_set_new(answer, "plugins", plugins_json(context->state.host));
	(void)json_object_set_new(answer, "descriptions",
				  descriptions_json(context->state.host, 0));
	reply_json(response, 200, answer);
}

void handle_capabilities(void *data, const struct http_request *request,
			 struct http_response *response)
{
	const struct control_context *context = data;

	(void)request;
	reply_json(response, 200, capabilities_json(&context->state));
}
