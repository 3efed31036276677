/* SPDX-License-Identifier: Apache-2.0 */
#include "api/self/self.h"

#include <errno.h>
#include <string.h>

#include "api/self/internal.h"
#include "macro.h"

#define SELF_LABELS_MAX 4u

#define ROW_GAUGE(name, labels, help)            \
	{                                        \
		name, labels, help, METRIC_GAUGE \
	}
#define ROW_COUNTER(name, labels, help)            \
	{                                          \
		name, labels, help, METRIC_COUNTER \
	}

static const struct self_metric self_table[SELF_MAX] = {
	[SELF_BUILD_INFO] =
		ROW_GAUGE("berth_build_info", "version", "Always 1; the version is the label."),
	[SELF_CONFIG_VALID] = ROW_GAUGE(
		"berth_config_valid", "",
		"1 if the policy on disk is the one that runs, 0 after a reload that failed."),
	[SELF_CONFIG_RELOADS] = ROW_COUNTER("berth_config_reloads_total", "result",
					    "Reloads of the policy by result: ok, error."),
	[SELF_WEB_CONFIG_VALID] =
		ROW_GAUGE("berth_web_config_valid", "",
			  "1 if what metrics.web_config_file says is in force or there is none, "
			  "0 if it could not be taken."),
	[SELF_WEB_CERTIFICATE] =
		ROW_GAUGE("berth_web_certificate_expiry_seconds", "",
			  "Unix time at which the certificate of the TCP listener expires."),
	[SELF_PAUSED] = ROW_GAUGE("berth_paused", "",
				  "1 after `berthctl restore` until `berthctl restore --resume`."),
	[SELF_SOURCE_UP] =
		ROW_GAUGE("berth_source_up", "source",
			  "1 if the source has told all it knows; sources that are off have none."),
	[SELF_PLUGIN_STATE] =
		ROW_GAUGE("berth_plugin_state", "plugin,state",
			  "1 for the state that the plugin is in, 0 for the other states."),
	[SELF_PLUGIN_FAILURES] = ROW_COUNTER("berth_plugin_failures_total", "plugin",
					     "Callbacks of the plugin that failed."),
	[SELF_PLUGIN_OVERRUNS] = ROW_COUNTER("berth_plugin_overruns_total", "plugin",
					     "Callbacks that took longer than their budget."),
	[SELF_PLUGIN_BUSY] = ROW_COUNTER("berth_plugin_busy_seconds_total", "plugin",
					 "Time that the loop spent in callbacks of the plugin."),
	[SELF_CLAIMS] = ROW_GAUGE("berth_claims", "", "Claims of plugins that are held now."),
	[SELF_KNOBS] = ROW_GAUGE("berth_knobs", "", "Knobs that at least one claim is on."),
	[SELF_KNOB_WRITES] =
		ROW_COUNTER("berth_knob_writes_total", "", "Values written to the host."),
	[SELF_KNOB_WRITE_ERRORS] =
		ROW_COUNTER("berth_knob_write_errors_total", "", "Writes to the host that failed."),
	[SELF_FOREIGN_WRITES] =
		ROW_COUNTER("berth_foreign_writes_total", "",
			    "Times that somebody else had changed a knob that Berth holds."),
	[SELF_WORKLOAD_KNOB] =
		ROW_GAUGE("berth_workload_knob", "knob,namespace,pod,container,kind,name,qos",
			  "The value that Berth holds in a file of the workload."),
	[SELF_RESTORES] = ROW_COUNTER("berth_restores_total", "", "Originals put back."),
	[SELF_RESTORE_ERRORS] = ROW_COUNTER("berth_restore_errors_total", "",
					    "Originals that could not be put back."),
	[SELF_UNIT_PINS] = ROW_COUNTER("berth_unit_pins_total", "",
				       "Run-time properties of systemd units set or put back."),
	[SELF_UNIT_PIN_ERRORS] = ROW_COUNTER("berth_unit_pin_errors_total", "",
					     "Properties that systemd refused or did not answer."),
	[SELF_ACTIONS] =
		ROW_COUNTER("berth_actions_total", "", "One-shot actions such as reclaim or kill."),
	[SELF_ACTIONS_LIMITED] = ROW_COUNTER("berth_actions_limited_total", "",
					     "Actions refused by the rate limit."),
	[SELF_JOURNAL_BYTES] =
		ROW_GAUGE("berth_journal_bytes", "", "Size of the journal of originals."),
	[SELF_JOURNAL_ERRORS] = ROW_COUNTER("berth_journal_errors_total", "",
					    "Records that could not be written to the journal."),
	[SELF_METRICS_DROPPED] = ROW_COUNTER("berth_metrics_dropped_total", "",
					     "Series left out because of the cap on series."),
	[SELF_LIMIT_HITS] =
		ROW_COUNTER("berth_limit_hits_total", "limit",
			    "Things refused over a limit of the daemon: actuator, workloads."),
	[SELF_LOG_WARNINGS] = ROW_COUNTER("berth_log_warnings_total", "",
					  "Lines logged at warning or above since the start."),
	[SELF_KERNEL_FEATURE] =
		ROW_GAUGE("berth_kernel_feature", "name",
			  "1 if this host has the knob or feature, 0 if not, as probed."),
	[SELF_TELEMETRY] =
		ROW_GAUGE("berth_telemetry_info", "collector,pressure",
			  "Always 1; how counters are read, and pressure by cause, are labels."),
	[SELF_TELEMETRY_PASSES] = ROW_COUNTER("berth_telemetry_passes_total", "",
					      "Passes over all workloads; nobody asks, none."),
	[SELF_TELEMETRY_PASS] =
		ROW_GAUGE("berth_telemetry_pass_seconds", "", "How long the last pass took."),
	[SELF_TELEMETRY_ERRORS] = ROW_COUNTER("berth_telemetry_errors_total", "",
					      "Reads that failed although the group is there."),
	[SELF_NODE_CPU] = ROW_COUNTER("berth_node_cpu_seconds_total", "",
				      "CPU time of all CPUs of the node, busy and idle."),
	[SELF_NODE_CPU_BUSY] = ROW_COUNTER("berth_node_cpu_busy_seconds_total", "",
					   "CPU time that the node did not idle."),
	[SELF_NODE_MEMORY] = ROW_GAUGE("berth_node_memory_bytes", "", "Memory of the node."),
	[SELF_NODE_MEMORY_AVAILABLE] =
		ROW_GAUGE("berth_node_memory_available_bytes", "",
			  "Memory that can be had without swapping, as the kernel estimates."),
	[SELF_NODE_PRESSURE] = ROW_COUNTER(
		"berth_node_pressure_seconds_total", "resource,kind",
		"Time in which tasks of the node waited for the resource: some or all of them."),
	[SELF_PROCESS_CPU] =
		ROW_COUNTER("berth_process_cpu_seconds_total", "", "CPU time of berthd itself."),
	[SELF_PROCESS_RESIDENT] =
		ROW_GAUGE("berth_process_resident_memory_bytes", "", "Resident memory of berthd."),
	[SELF_PROCESS_FDS] =
		ROW_GAUGE("berth_process_open_fds", "", "File descriptors that berthd has open."),
	[SELF_WORKLOADS] = ROW_GAUGE("berth_workloads", "kind,qos",
				     "Workloads on the node by kind and level."),
	[SELF_WORKLOAD_CONFLICTS] =
		ROW_GAUGE("berth_workload_conflicts", "",
			  "Workloads of which two annotations disagree or one is malformed."),
	[SELF_WORKLOADS_STALE] =
		ROW_GAUGE("berth_workloads_stale", "",
			  "Workloads whose level is from the last known good, unconfirmed since."),
};

const struct self_metric *self_metric_at(size_t index)
{
	return index < SELF_MAX ? &self_table[index] : NULL;
}

/* The table keeps the names in one string, as docs/metrics.md prints them. */
static size_t labels_split(const char *names, char *text, size_t size, struct metric_label *labels)
{
	size_t count = 0;
	char *rest = text, *name;

	if (strlen(names) >= size)
		return 0;
	(void)memcpy(text, names, strlen(names) + 1);
	while (count < SELF_LABELS_MAX && (name = strsep(&rest, ",")))
		if (*name)
			labels[count++].name = name;
	return count;
}

void self_set(struct self_page *page, enum self_family family, const char *const *values,
	      double value)
{
	struct metric_label labels[SELF_LABELS_MAX] = {};
	char text[64];
	size_t count = labels_split(self_table[family].labels, text, sizeof(text), labels);
	int r;

	for (size_t i = 0; i < count; i++)
		labels[i].value = values ? values[i] : "";
	r = metrics_set(page->metrics, page->families[family], 0, labels, count, value);
	/* Over the cap on series: counted by the registry, and the next ones may be known. */
	if (r < 0 && r != -ENOSPC && !page->error)
		page->error = r;
}

void self_set_plain(struct self_page *page, enum self_family family, double value)
{
	self_set(page, family, NULL, value);
}

void self_set_one(struct self_page *page, enum self_family family, const char *label, double value)
{
	self_set(page, family, &label, value);
}

static int families_make(struct metrics *metrics, struct metric_family **ret)
{
	for (size_t i = 0; i < SELF_MAX; i++) {
		const struct self_metric *row = &self_table[i];
		int r = metrics_family(metrics, row->name, row->type, row->help, &ret[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int self_metrics_make(struct metrics *metrics)
{
	struct metric_family *families[SELF_MAX];

	return families_make(metrics, families);
}

int self_metrics_fill(struct metrics *metrics, const struct self_state *state)
{
	struct self_page page = { .metrics = metrics };
	int r = families_make(metrics, page.families);

	if (r < 0)
		return r;
	/* What was there at the last scrape may be gone: a plugin, a level, a source. Knobs of a
	 * thousand workloads are made anew only when one changed. */
	for (size_t i = 0; i < SELF_MAX; i++)
		if (*self_table[i].labels && i != SELF_WORKLOAD_KNOB)
			metrics_clear_family(metrics, page.families[i]);

	self_fill_daemon(&page, state);
	self_fill_node(&page, state);
	self_fill_process(&page, state);
	self_fill_workloads(&page, state);
	self_fill_knobs(&page, state);
	return page.error;
}
