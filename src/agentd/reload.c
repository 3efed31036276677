/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.c - the policy into the running daemon, all or nothing: everything that can be wrong is
 * found before the first module hears of it.
 */
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "cleanup.h"
#include "daemon-internal.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "telemetry/runqueue/runqueue.h"
#include "telemetry/stall/stall.h"
#include "trim.h"

DEFINE_CLEANUP(struct settings *, settings_free);

static const int log_levels[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

#define PREVIOUS_LEASE_USEC (60 * USEC_PER_SEC)

struct actuator_options daemon_actuator_options(const struct settings *settings)
{
	return (struct actuator_options){
		.dry_run = settings->dry_run,
		.reconcile_interval_usec = settings->reconcile_interval_usec,
		.actions_per_minute = settings->actions_per_minute,
		.previous_lease_usec = PREVIOUS_LEASE_USEC,
		.pin_units = settings->systemd_pin,
		.quota_period_usec = settings->quota_period_usec,
	};
}

void daemon_log_config_errors(const struct config_errors *errors)
{
	char text[768];

	for (size_t i = 0; i < errors->count; i++) {
		config_error_format(&errors->items[i], text, sizeof(text));
		log_error("%s", text);
	}
	if (errors->dropped > 0)
		log_error("and %zu more errors", errors->dropped);
}

void daemon_notify_status(const struct daemon *daemon)
{
	struct actuator_stats stats;

	actuator_stats(daemon->actuator, &stats);
	(void)sd_notifyf(
		0, "STATUS=%zu workloads, %llu knobs held%s%s", daemon->registry.count,
		(unsigned long long)stats.holdings, daemon->settings->dry_run ? ", dry run" : "",
		daemon->config_errors.count > 0 ? ", the policy on disk is not valid" : "");
}

/* Which rung of stall.h's ladder the policy begins with. */
static const enum stall_way pressure_ways[] = {
	[PRESSURE_AUTO] = STALL_VENDOR,       [PRESSURE_VENDOR] = STALL_VENDOR,
	[PRESSURE_BPF] = STALL_BPF,           [PRESSURE_TRACEPOINTS] = STALL_TRACEPOINTS,
	[PRESSURE_COUNTERS] = STALL_COUNTERS, [PRESSURE_OFF] = STALL_OFF,
};

static void daemon_apply_pressure(struct daemon *daemon)
{
	const struct settings *settings = daemon->settings;
	struct snapshot *snapshot = &daemon->snapshot;

	stall_apply(snapshot->stall, pressure_ways[settings->telemetry_pressure]);
	runqueue_apply(snapshot->runqueue, settings->telemetry_runqueue_latency);
	if (settings->telemetry_runqueue_latency && *runqueue_detail(snapshot->runqueue))
		log_warning("telemetry.runqueue_latency: %s", runqueue_detail(snapshot->runqueue));
}

int daemon_apply(struct daemon *daemon)
{
	const struct settings *settings = daemon->settings;
	struct actuator_options options = daemon_actuator_options(settings);
	int r;

	if (daemon->options->log_level < 0)
		log_set_level(log_levels[settings->log_level]);
	r = actuator_set_options(daemon->actuator, &options);
	if (r < 0)
		return r;
	metrics_set_max(daemon->metrics, settings->metrics_max_series);
	r = snapshot_apply(&daemon->snapshot,
			   (enum snapshot_collector)settings->telemetry_collector);
	if (r < 0)
		return r;
	/* Levels first: a plugin that starts or applies sees them as they are now. */
	registry_reload(&daemon->registry, settings);
	r = host_apply(daemon->host, settings);
	if (r < 0)
		return r;
	for (size_t i = 0; i < daemon->source_count; i++) {
		r = daemon->sources[i]->ops->apply(daemon->sources[i], settings);
		if (r < 0)
			return r;
	}
	daemon_apply_pressure(daemon);
	listener_apply(daemon->listener, settings->metrics_listen,
		       settings->metrics_web_config_file);
	daemon->control.state.last_apply_usec = monotonic_usec();
	return 0;
}

int daemon_reload(void *data)
{
	struct daemon *daemon = data;
	const struct daemon_options *options = daemon->options;
	CLEANUP(settings_freep) struct settings *settings = NULL;
	struct settings *old;
	int r;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)monotonic_usec());
	config_errors_done(&daemon->config_errors);
	r = settings_load(options->config_file, options->dropin_dir, !options->config_explicit,
			  &daemon->config_errors, &settings);
	if (r >= 0)
		r = plugin_check_all(&daemon->plugins, settings, &daemon->config_errors);
	if (r < 0) {
		daemon->control.state.reload_failures++;
		daemon_log_config_errors(&daemon->config_errors);
		log_error("the policy was not reloaded: %s; the one before stays in force",
			  r == -EINVAL ? "see the errors above" : strerror(-r));
		daemon_notify_status(daemon);
		(void)sd_notify(0, "READY=1");
		return r;
	}
	old = daemon->settings;
	daemon->settings = TAKE_PTR(settings);
	if (actuator_probe(daemon->actuator, NULL))
		host_capabilities_changed(daemon->host);
	r = daemon_apply(daemon);
	(void)settings_free(old);
	daemon->control.state.reloads++;
	if (r < 0)
		log_error("the policy was reloaded in part: %s", strerror(-r));
	else
		log_info("the policy was reloaded");
	memory_trim();
	daemon_notify_status(daemon);
	(void)sd_notify(0, "READY=1");
	return r;
}
