/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "monotonic.h"
#include "plugin/host-internal.h"

DEFINE_CLEANUP(struct host *, host_free);

const char *plugin_state_name(enum plugin_state state)
{
	static const char *const names[] = {
		[PLUGIN_OFF] = "off",
		[PLUGIN_UNAVAILABLE] = "unavailable",
		[PLUGIN_RUNNING] = "running",
		[PLUGIN_QUARANTINED] = "quarantined",
	};

	return (unsigned int)state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static void host_plugin_init(struct host_plugin *plugin, struct host *host,
			     const struct plugin *loaded)
{
	*plugin = (struct host_plugin){
		.plugin = loaded,
		.host = host,
		.state = PLUGIN_OFF,
		.failure_log = { .interval_usec = 60 * USEC_PER_SEC, .burst = 5 },
		.overrun_log = { .interval_usec = 60 * USEC_PER_SEC, .burst = 2 },
		.own_log = { .interval_usec = 10 * USEC_PER_SEC, .burst = LIMIT_PLUGIN_LOG },
	};
	list_init(&plugin->metrics);
}

int host_new(const struct host_context *context, const struct plugin_list *plugins,
	     struct host **ret)
{
	CLEANUP(host_freep) struct host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return -ENOMEM;
	host->context = *context;
	list_init(&host->jobs);
	host->plugins = calloc(plugins->count + 1, sizeof(*host->plugins));
	if (!host->plugins)
		return -ENOMEM;
	for (size_t i = 0; i < plugins->count; i++)
		host_plugin_init(&host->plugins[host->count++], host, plugins->items[i]);
	r = worker_pool_new(context->event, LIMIT_WORKERS, LIMIT_WORK_QUEUE, &host->pool);
	if (r < 0)
		return r;
	r = breadcrumb_open(context->runtime_fd, &host->breadcrumb);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_warning("no breadcrumb page: %s; a plugin that crashes the daemon will not be "
			    "known at the next start",
			    strerror(-r));
	*ret = TAKE_PTR(host);
	return 0;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	for (size_t i = host->count; i-- > 0;) {
		struct host_plugin *plugin = &host->plugins[i];

		plugin_stop(plugin, PLUGIN_OFF, "%s", "");
		plugin_config_free(plugin->plugin, plugin->config);
		plugin_parts_free(plugin);
	}
	sd_event_source_disable_unref(host->probe);
	worker_pool_free(host->pool);
	(void)breadcrumb_close(host->breadcrumb);
	hashmap_done(&host->metric_levels);
	free(host->plugins);
	free(host);
	return NULL;
}

void plugin_try(struct host_plugin *plugin)
{
	char lack[192];

	if (plugin_lacks(plugin, lack, sizeof(lack))) {
		const struct log_context context = { .plugin = plugin->plugin->table.name };

		if (plugin->state != PLUGIN_UNAVAILABLE || strcmp(plugin->detail, lack) != 0)
			log_full(LOG_NOTICE, &context, "plugin '%s' is off: it %s", context.plugin,
				 lack);
		plugin_stop(plugin, PLUGIN_UNAVAILABLE, "%s", lack);
		return;
	}
	if (!plugin->running && plugin_is_blamed(plugin))
		return;
	plugin_start(plugin);
}

/* With the new config in plugin->config. False: it must be started again with it. */
static bool plugin_apply_running(struct host_plugin *plugin)
{
	const struct berth_plugin *table = &plugin->plugin->table;
	const struct log_context context = { .plugin = table->name };
	struct call call;
	int r;

	if (!table->apply)
		return false;
	call = call_begin(plugin, "apply");
	r = table->apply(plugin->running->self, plugin->config);
	call_end(plugin, "apply", &call);
	if (r >= 0)
		return true;
	plugin->failures++;
	log_full(LOG_WARNING, &context,
		 "plugin '%s' could not take its new settings: %s; starting it again",
		 context.plugin, strerror(-r));
	return false;
}

/* Takes config over. */
static void plugin_apply(struct host_plugin *plugin, void *config)
{
	const struct config_field *fields = plugin->plugin->table.fields;
	void *before = plugin->config;
	bool same = before && (!fields || config_equal(fields, before, config));

	if (same && plugin->state != PLUGIN_UNAVAILABLE) {
		plugin_config_free(plugin->plugin, config);
		return;
	}
	plugin->config = config;
	if (before && !same) {
		/* Somebody changed something: that is worth a try. */
		plugin->quarantine = (struct quarantine){};
		breadcrumb_forgive(plugin->host->breadcrumb, plugin->plugin->table.name);
	}
	if (!plugin->running || !plugin_apply_running(plugin)) {
		if (!plugin->running)
			plugin_timer_clear(plugin);
		plugin_try(plugin);
	}
	/* Only now: it was in use until here. */
	plugin_config_free(plugin->plugin, before);
}

static void plugin_off(struct host_plugin *plugin)
{
	if (plugin->config)
		breadcrumb_forgive(plugin->host->breadcrumb, plugin->plugin->table.name);
	plugin_stop(plugin, PLUGIN_OFF, "%s", "enabled: false");
	plugin_config_free(plugin->plugin, TAKE_PTR(plugin->config));
	plugin->quarantine = (struct quarantine){};
}

static bool plugin_is_enabled(const struct host_plugin *plugin, const struct settings *settings)
{
	const struct settings_plugin *section =
		settings_plugin(settings, plugin->plugin->table.name);

	return !section || section->enabled;
}

int host_apply(struct host *host, const struct settings *settings)
{
	CLEANUP(config_errors_done) struct config_errors errors = {};
	int result = 0;

	for (size_t i = 0; i < host->count; i++) {
		struct host_plugin *plugin = &host->plugins[i];
		void *config = NULL;
		int r;

		if (!plugin_is_enabled(plugin, settings)) {
			plugin_off(plugin);
			continue;
		}
		r = plugin_bind(plugin->plugin, settings, &errors, &config);
		if (r < 0) {
			/* plugin_check_all() accepted it: only memory can be short. */
			log_error("cannot bind the settings of plugin '%s': %s",
				  plugin->plugin->table.name, strerror(-r));
			result = -ENOMEM;
			continue;
		}
		plugin_apply(plugin, config);
	}
	return result;
}

/* Its group lives on when only its source has stopped to vouch for it. */
static bool workload_lives(const struct host *host, const struct workload *workload)
{
	for (unsigned int i = 0; i < CONTROLLER_MAX; i++) {
		cleanup_close int fd = -EBADF;

		if (workload->cgroup->inode[i] == 0)
			continue;
		fd = cgroup_open(host->context.registry->hierarchy, workload->cgroup,
				 (enum controller)i);
		if (fd >= 0)
			return true;
	}
	return false;
}

static void workload_removed(struct host *host, const struct workload *workload)
{
	const struct berth_target target = { TARGET_WORKLOAD, workload->view.id };
	bool lives = workload_lives(host, workload);

	/* Before the plugins hear of it: their unclaim() has nothing to restore any more. */
	if (!lives)
		actuator_target_gone(host->context.actuator, target);
	for (size_t i = 0; i < host->count; i++) {
		struct instance *instance = host->plugins[i].running;

		if (!instance)
			continue;
		instance_workload(instance, WORKLOAD_REMOVED, &workload->view);
		if (lives)
			instance_unclaim_workload(instance, target.id);
		instance_forget_workload(instance, target.id);
		instance_drop_described(instance, target.id);
	}
	host_publish_workload(host, WORKLOAD_REMOVED, workload);
}

void host_workload(void *data, enum workload_change change, struct workload *workload)
{
	struct host *host = data;
	const struct berth_workload *view = &workload->view;
	struct actuator_target target;
	char label[512];

	host_metrics_changed(host, view, change == WORKLOAD_REMOVED);
	if (change == WORKLOAD_REMOVED) {
		workload_removed(host, workload);
		return;
	}
	if (change == WORKLOAD_UPDATED &&
	    host_target(host, (struct berth_target){ TARGET_WORKLOAD, view->id }, label,
			sizeof(label), &target) >= 0)
		actuator_target_changed(host->context.actuator, &target);
	for (size_t i = 0; i < host->count; i++) {
		struct instance *instance = host->plugins[i].running;

		if (!instance)
			continue;
		if (view->flags & WORKLOAD_IGNORED)
			instance_unclaim_workload(instance, view->id);
		instance_workload(instance, change, view);
	}
	host_publish_workload(host, change, workload);
}

static void plugin_look_again(struct host_plugin *plugin)
{
	char lack[192];
	struct call call;

	if (plugin->state == PLUGIN_UNAVAILABLE ||
	    (plugin->running && plugin_lacks(plugin, lack, sizeof(lack)))) {
		plugin_try(plugin);
		return;
	}
	if (!plugin->running || !plugin->plugin->table.capabilities)
		return;
	call = call_begin(plugin, "capabilities");
	plugin->plugin->table.capabilities(plugin->running->self);
	call_end(plugin, "capabilities", &call);
}

static int on_probe(sd_event_source *source, void *data)
{
	struct host *host = data;

	(void)source;
	for (size_t i = 0; i < host->count; i++)
		plugin_look_again(&host->plugins[i]);
	return 0;
}

/* From the loop, not from here: this is called while a workload is being announced, and a plugin
 * that starts now would hear of it twice. */
void host_capabilities_changed(struct host *host)
{
	int r = 0;

	if (!host->probe)
		r = sd_event_add_defer(host->context.event, &host->probe, on_probe, host);
	if (r >= 0)
		r = sd_event_source_set_enabled(host->probe, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("cannot tell plugins what the host can do now: %s", strerror(-r));
}

void host_each_plugin(const struct host *host,
		      void (*fn)(void *data, const struct plugin_view *view), void *data)
{
	for (size_t i = 0; i < host->count; i++) {
		const struct host_plugin *plugin = &host->plugins[i];
		const struct plugin_view view = {
			.name = plugin->plugin->table.name,
			.description = plugin->plugin->table.description,
			.path = plugin->plugin->path,
			.state = plugin->state,
			.detail = plugin->detail,
			.failures = plugin->failures,
			.overruns = plugin->overruns,
			.callbacks = plugin->callbacks,
			.busy_usec = plugin->busy_usec,
			.longest_usec = plugin->longest_usec,
			.longest_cpu_usec = plugin->longest_cpu_usec,
			.retry_usec = plugin->state == PLUGIN_QUARANTINED
					      ? plugin->quarantine.until_usec
					      : 0,
			.sources = plugin->running ? plugin->running->source_count : 0,
		};

		fn(data, &view);
	}
}

int host_fresh(struct host *host, uint64_t max_age_usec)
{
	struct snapshot *snapshot = host->context.snapshot;
	const struct workload *workload;

	if (snapshot_is_fresh(snapshot, monotonic_usec(), max_age_usec))
		return 0;
	snapshot_begin(snapshot);
	host_foreach_workload(workload, host)
	{
		/* A group that went meanwhile is counted there and has no record. */
		(void)snapshot_take(snapshot, workload->view.id, workload->view.parent,
				    workload->cgroup);
		if (workload->view.qos < QOS_NORMAL)
			snapshot_mark_offline(snapshot, workload->view.id);
	}
	snapshot_end(snapshot);
	return 0;
}
