/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/actuator.h"
#include "actuator/knob/table.h"
#include "api/self/internal.h"
#include "api/web/web.h"
#include "config/tree.h"
#include "log.h"
#include "macro.h"
#include "plugin/host.h"
#include "source/source.h"
#include "workload/registry.h"

static void fill_config(struct self_page *page, const struct self_state *state)
{
	const struct config_errors *errors = state->config_errors;

	self_set_one(page, SELF_BUILD_INFO, BERTH_VERSION, 1);
	self_set_plain(page, SELF_CONFIG_VALID, !errors || errors->count + errors->dropped == 0);
	self_set_one(page, SELF_CONFIG_RELOADS, "ok", (double)state->reloads);
	self_set_one(page, SELF_CONFIG_RELOADS, "error", (double)state->reload_failures);
	self_set_plain(page, SELF_LOG_WARNINGS, (double)log_count_warnings());
}

static void fill_plugin(void *data, const struct plugin_view *view)
{
	static const enum plugin_state states[] = { PLUGIN_OFF, PLUGIN_UNAVAILABLE, PLUGIN_RUNNING,
						    PLUGIN_QUARANTINED };
	struct self_page *page = data;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		const char *values[] = { view->name, plugin_state_name(states[i]) };

		self_set(page, SELF_PLUGIN_STATE, values, view->state == states[i]);
	}
	self_set_one(page, SELF_PLUGIN_FAILURES, view->name, (double)view->failures);
	self_set_one(page, SELF_PLUGIN_OVERRUNS, view->name, (double)view->overruns);
	self_set_one(page, SELF_PLUGIN_BUSY, view->name, (double)view->busy_usec / USEC_PER_SEC);
}

static void fill_actuator(struct self_page *page, const struct self_state *state)
{
	struct actuator_stats stats;

	actuator_stats(state->actuator, &stats);
	self_set_plain(page, SELF_PAUSED, actuator_is_paused(state->actuator));
	self_set_plain(page, SELF_CLAIMS, (double)stats.claims);
	self_set_plain(page, SELF_KNOBS, (double)stats.holdings);
	self_set_plain(page, SELF_KNOB_WRITES, (double)stats.writes);
	self_set_plain(page, SELF_KNOB_WRITE_ERRORS, (double)stats.write_errors);
	self_set_plain(page, SELF_FOREIGN_WRITES, (double)stats.foreign_writes);
	self_set_plain(page, SELF_RESTORES, (double)stats.restores);
	self_set_plain(page, SELF_RESTORE_ERRORS, (double)stats.restore_errors);
	self_set_plain(page, SELF_UNIT_PINS, (double)stats.unit_pins);
	self_set_plain(page, SELF_UNIT_PIN_ERRORS, (double)stats.unit_pin_errors);
	self_set_plain(page, SELF_ACTIONS, (double)stats.actions);
	self_set_plain(page, SELF_ACTIONS_LIMITED, (double)stats.actions_limited);
	self_set_plain(page, SELF_JOURNAL_BYTES, (double)stats.journal_bytes);
	self_set_plain(page, SELF_JOURNAL_ERRORS, (double)stats.journal_errors);
	self_set_one(page, SELF_LIMIT_HITS, "actuator", (double)stats.limit_hits);
}

static void fill_capabilities(struct self_page *page, const struct capabilities *found)
{
	for (size_t i = 0; i < FEATURE_MAX; i++)
		self_set_one(page, SELF_KERNEL_FEATURE, feature_name((enum feature)i),
			     found->features[i].available);
	for (size_t i = 0; i < KNOB_MAX; i++)
		self_set_one(page, SELF_KERNEL_FEATURE, knob_table[i].name,
			     found->knobs[i].available);
}

static void fill_web(struct self_page *page, const struct web_state *state)
{
	if (!state)
		return;
	self_set_plain(page, SELF_WEB_CONFIG_VALID, web_state_is_valid(state));
	if (state->web && state->web->tls && web_tls_expires(state->web->tls) >= 0)
		self_set_plain(page, SELF_WEB_CERTIFICATE,
			       (double)web_tls_expires(state->web->tls));
}

void self_fill_daemon(struct self_page *page, const struct self_state *state)
{
	fill_config(page, state);
	fill_web(page, state->web);
	for (size_t i = 0; i < state->source_count; i++) {
		const struct source *source = state->sources[i];

		if (source && source->state != SOURCE_OFF)
			self_set_one(page, SELF_SOURCE_UP, source->ops->name,
				     source->state == SOURCE_READY);
	}
	if (state->host)
		host_each_plugin(state->host, fill_plugin, page);
	fill_actuator(page, state);
	fill_capabilities(page, actuator_capabilities(state->actuator));
	self_set_one(page, SELF_LIMIT_HITS, "workloads", (double)state->registry->refused);
	self_set_plain(page, SELF_METRICS_DROPPED, (double)metrics_dropped(page->metrics));
}
