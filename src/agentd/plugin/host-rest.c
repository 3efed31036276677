/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "monotonic.h"
#include "plugin/host-internal.h"

/* A rest may end late: nobody waits for the second. */
#define REST_ACCURACY_USEC USEC_PER_SEC

void plugin_timer_clear(struct host_plugin *plugin)
{
	plugin->timer = sd_event_source_disable_unref(plugin->timer);
}

static void plugin_timer_set(struct host_plugin *plugin, uint64_t when_usec,
			     sd_event_time_handler_t handler)
{
	const struct log_context context = { .plugin = plugin->plugin->table.name };
	int r;

	plugin_timer_clear(plugin);
	r = sd_event_add_time(plugin->host->context.event, &plugin->timer, CLOCK_MONOTONIC,
			      when_usec, REST_ACCURACY_USEC, handler, plugin);
	if (r < 0)
		log_full(LOG_ERR, &context,
			 "no timer for plugin '%s': %s; only a reload changes its state",
			 context.plugin, strerror(-r));
}

static int on_rest_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct host_plugin *plugin = data;
	const struct log_context context = { .plugin = plugin->plugin->table.name };

	(void)source;
	(void)usec;
	plugin_timer_clear(plugin);
	breadcrumb_forgive(plugin->host->breadcrumb, context.plugin);
	log_full(LOG_NOTICE, &context, "plugin '%s' is tried again after its rest", context.plugin);
	plugin_try(plugin);
	return 0;
}

static void plugin_quarantine(struct host_plugin *plugin, const char *why)
{
	const struct log_context context = { .plugin = plugin->plugin->table.name };
	uint64_t now = monotonic_usec(), until = plugin->quarantine.until_usec;

	plugin_stop(plugin, PLUGIN_QUARANTINED, "%s", why);
	plugin_timer_set(plugin, until, on_rest_over);
	log_full(LOG_ERR, &context, "plugin '%s' rests for %llu s: %s", context.plugin,
		 (unsigned long long)((until > now ? until - now : 0) / USEC_PER_SEC + 1), why);
}

void plugin_rest(struct host_plugin *plugin, const char *why)
{
	uint64_t now = monotonic_usec();

	/* A count of failures has begun the rest already; a failed start has not. */
	if (plugin->quarantine.until_usec <= now) {
		quarantine_calm(&plugin->quarantine, now);
		quarantine_rest(&plugin->quarantine, now);
	}
	plugin_quarantine(plugin, why);
}

bool plugin_is_blamed(struct host_plugin *plugin)
{
	const struct breadcrumb *breadcrumb = plugin->host->breadcrumb;
	const char *name = plugin->plugin->table.name;
	unsigned int crashes = breadcrumb_crashes(breadcrumb, name);
	char why[128];

	if (crashes < QUARANTINE_CRASHES)
		return false;
	(void)snprintf(why, sizeof(why), "the daemon crashed %u times in it, the last in %s()",
		       crashes, breadcrumb_callback(breadcrumb, name));
	plugin->quarantine.until_usec = monotonic_usec() + QUARANTINE_LAST_USEC;
	plugin_quarantine(plugin, why);
	return true;
}

static int on_ran_long_enough(sd_event_source *source, uint64_t usec, void *data)
{
	struct host_plugin *plugin = data;

	(void)source;
	(void)usec;
	plugin_timer_clear(plugin);
	breadcrumb_forgive(plugin->host->breadcrumb, plugin->plugin->table.name);
	return 0;
}

void plugin_watch_crashes(struct host_plugin *plugin)
{
	if (breadcrumb_crashes(plugin->host->breadcrumb, plugin->plugin->table.name) > 0)
		plugin_timer_set(plugin, monotonic_usec() + QUARANTINE_FORGIVE_USEC,
				 on_ran_long_enough);
}
