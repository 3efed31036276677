/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - put berthd together, run it, take it apart. Knows every module; none knows it. */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "daemon-internal.h"
#include "instance.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "trim.h"

static int daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *info,
			    void *data)
{
	(void)source;
	(void)info;
	(void)daemon_reload(data);
	return 0;
}

static void daemon_on_config_change(void *data)
{
	(void)daemon_reload(data);
}

static void daemon_on_workload(void *data, enum workload_change change, struct workload *workload)
{
	struct daemon *daemon = data;

	/* Where no probe group could be made (no write access to the root, controllers not passed
	 * on), the first workload's own group shows which files there are. */
	if (change == WORKLOAD_ADDED && !daemon->sampled) {
		daemon->sampled = true;
		if (actuator_probe(daemon->actuator, workload->cgroup->path))
			host_capabilities_changed(daemon->host);
	}
	host_workload(daemon->host, change, workload);
}

static int daemon_open_host(struct daemon *daemon)
{
	int r = sysroot_open(daemon->options->root, &daemon->root);

	if (r < 0) {
		log_error("cannot open '%s': %s", daemon->options->root, strerror(-r));
		return r;
	}
	r = hierarchy_open(&daemon->root, &daemon->hierarchy);
	if (r < 0) {
		log_error("cannot read the mount table: %s", strerror(-r));
		return r;
	}
	if (daemon->hierarchy.mode == HIERARCHY_NONE)
		log_warning("no cgroup file system is mounted: workloads cannot be found and no "
			    "knob can be written; going on with the rest");
	if (geteuid() != 0)
		log_warning("not root: knobs that this user may not write are off");
	return 0;
}

static int daemon_open_runtime(struct daemon *daemon)
{
	const char *dir = daemon->options->runtime_dir;
	pid_t pid = 0;
	int r = instance_open(dir, &daemon->runtime_fd, &pid);

	if (r == -EBUSY)
		log_error("another berthd (pid %d) runs with '%s'; this one ends and changes "
			  "nothing",
			  (int)pid, dir);
	else if (r < 0)
		log_error("cannot use the runtime directory '%s': %s", dir, strerror(-r));
	return r;
}

/* Without it berthd runs as well: it only forgets more. */
static void daemon_make_state(struct daemon *daemon)
{
	const char *dir = daemon->options->state_dir;
	int r = instance_make_state(dir);

	if (r >= 0)
		daemon->state_dir = dir;
	else
		log_warning("cannot use the state directory '%s': %s; what is known of pods will "
			    "not outlive this run",
			    dir, strerror(-r));
}

static int daemon_load_policy(struct daemon *daemon)
{
	const struct daemon_options *options = daemon->options;
	struct config_errors errors = { 0 };
	int r = plugin_list_load(options->plugin_dir, &errors, &daemon->plugins);

	/* A plugin that cannot be used is not the others' problem. */
	if (r < 0)
		log_warning("cannot read the plugin directory '%s': %s; going on without plugins",
			    options->plugin_dir, strerror(-r));
	daemon_log_config_errors(&errors);
	config_errors_done(&errors);
	r = settings_load(options->config_file, options->dropin_dir, !options->config_explicit,
			  &errors, &daemon->settings);
	if (r >= 0)
		r = plugin_check_all(&daemon->plugins, daemon->settings, &errors);
	daemon_log_config_errors(&errors);
	config_errors_done(&errors);
	if (r < 0)
		log_error("no valid policy: %s; `berthctl check` validates without starting",
			  r == -EINVAL ? "see the errors above" : strerror(-r));
	return r;
}

static void daemon_fill_control(struct daemon *daemon)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	daemon->control = (struct control_context){
		.state = {
			.root = &daemon->root,
			.hierarchy = &daemon->hierarchy,
			.registry = &daemon->registry,
			.actuator = daemon->actuator,
			.host = daemon->host,
			.snapshot = &daemon->snapshot,
			.sources = daemon->sources,
			.source_count = daemon->source_count,
			.config_errors = &daemon->config_errors,
			.start_usec = (uint64_t)now.tv_sec * USEC_PER_SEC +
				      (uint64_t)now.tv_nsec / NSEC_PER_USEC,
		},
		.metrics = daemon->metrics,
		.plugins = &daemon->plugins,
		.settings = &daemon->settings,
		.config_file = daemon->options->config_file,
		.dropin_dir = daemon->options->dropin_dir,
		.plugin_dir = daemon->options->plugin_dir,
		.reload = daemon_reload,
		.scraped = daemon_on_scraped,
		.data = daemon,
	};
}

static int daemon_new_modules(struct daemon *daemon)
{
	struct actuator_context context = { daemon->event, &daemon->root, &daemon->hierarchy,
					    daemon->runtime_fd };
	struct actuator_options options = daemon_actuator_options(daemon->settings);
	struct host_context host = { .event = daemon->event,
				     .registry = &daemon->registry,
				     .snapshot = &daemon->snapshot,
				     .runtime_fd = daemon->runtime_fd,
				     .acted = daemon_on_acted,
				     .told = daemon_on_told,
				     .acted_data = daemon };
	struct snapshot_options telemetry = {
		.event = daemon->event,
		.collector = (enum snapshot_collector)daemon->settings->telemetry_collector,
	};
	int r = actuator_new(&context, &options, &daemon->actuator);

	if (r < 0)
		return r;
	(void)actuator_probe(daemon->actuator, NULL);
	r = worker_pool_new(daemon->event, 1, LIMIT_BPF_LOADS, &daemon->loads);
	if (r < 0)
		return r;
	telemetry.pool = daemon->loads;
	r = snapshot_init(&daemon->snapshot, &daemon->root, &daemon->hierarchy, &telemetry);
	if (r < 0)
		return r;
	daemon->has_snapshot = true;
	r = metrics_new(&daemon->metrics);
	if (r >= 0)
		r = self_metrics_make(daemon->metrics);
	if (r < 0)
		return r;
	registry_init(&daemon->registry, &daemon->hierarchy, daemon->settings, daemon_on_workload,
		      daemon);
	daemon->has_registry = true;
	host.actuator = daemon->actuator;
	host.metrics = daemon->metrics;
	r = host_new(&host, &daemon->plugins, &daemon->host);
	if (r < 0)
		return r;
	return daemon_new_sources(daemon);
}

static int daemon_watch_signals(struct daemon *daemon)
{
	sigset_t signals;
	int r;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGHUP, daemon_on_reload, daemon);
	return r;
}

static int daemon_start(struct daemon *daemon)
{
	int r = sd_event_default(&daemon->event);

	if (r >= 0)
		r = daemon_watch_signals(daemon);
	if (r < 0) {
		log_error("cannot make the event loop: %s", strerror(-r));
		return r;
	}
	r = daemon_open_runtime(daemon);
	if (r >= 0)
		r = daemon_open_host(daemon);
	if (r < 0)
		return r;
	daemon_make_state(daemon);
	/* Before the files are read: what changes while berthd starts is seen by the loop. */
	r = config_watch_new(daemon->event, daemon->options->config_file,
			     daemon->options->dropin_dir, daemon_on_config_change, daemon,
			     &daemon->config_watch);
	if (r < 0)
		log_warning("changed files are not noticed, SIGHUP reloads: %s", strerror(-r));
	r = daemon_load_policy(daemon);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	r = daemon_new_modules(daemon);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return r;
	}
	daemon_fill_control(daemon);
	r = listener_new(daemon->event, &daemon->control, &daemon->listener);
	if (r < 0) {
		log_error("cannot take the sockets of systemd: %s", strerror(-r));
		return r;
	}
	daemon->control.state.web = listener_state(daemon->listener);
	r = daemon_apply(daemon);
	if (r < 0) {
		log_error("cannot apply the policy: %s", strerror(-r));
		return r;
	}
	r = daemon_socket_open(daemon);
	if (r < 0)
		return r;
	(void)sd_event_set_watchdog(daemon->event, true);
	return 0;
}

/* The order of construction, backwards: plugins stop first, so that their claims are dropped while
 * there is an actuator to restore what they wrote. */
static void daemon_done(struct daemon *daemon)
{
	(void)config_watch_free(daemon->config_watch);
	daemon_socket_close(daemon);
	(void)listener_free(daemon->listener);
	daemon->unasked = sd_event_source_disable_unref(daemon->unasked);
	daemon_free_sources(daemon);
	(void)host_free(daemon->host);
	(void)kube_events_free(daemon->events);
	if (daemon->actuator)
		actuator_set_evictor(daemon->actuator, NULL);
	(void)kube_evictions_free(daemon->evictions);
	if (daemon->actuator) {
		int left = actuator_restore_all(daemon->actuator, false);

		if (left > 0)
			log_warning("%d knobs could not be put back; `berthd --restore` tries "
				    "again",
				    left);
	}
	(void)actuator_free(daemon->actuator);
	if (daemon->has_registry)
		registry_done(&daemon->registry);
	(void)metrics_free(daemon->metrics);
	if (daemon->has_snapshot)
		snapshot_done(&daemon->snapshot);
	(void)worker_pool_free(daemon->loads);
	plugin_list_done(&daemon->plugins);
	(void)settings_free(daemon->settings);
	config_errors_done(&daemon->config_errors);
	hierarchy_done(&daemon->hierarchy);
	sysroot_done(&daemon->root);
	(void)sd_event_unref(daemon->event);
	(void)close_keep_errno(daemon->runtime_fd);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {
		.options = options,
		.root = SYSROOT_NULL,
		.runtime_fd = -EBADF,
	};
	int r;

	if (options->log_level >= 0)
		log_set_level(options->log_level);
	r = daemon_start(&daemon);
	if (r >= 0) {
		log_info("berthd " BERTH_VERSION " runs: cgroup %s, %zu workloads%s",
			 hierarchy_mode_name(daemon.hierarchy.mode), daemon.registry.count,
			 daemon.settings->dry_run ? ", dry run: nothing is written" : "");
		daemon_notify_status(&daemon);
		(void)sd_notify(0, "READY=1");
		memory_trim();
		r = sd_event_loop(daemon.event);
		if (r < 0)
			log_error("the event loop failed: %s", strerror(-r));
		(void)sd_notify(0, "STOPPING=1\nSTATUS=putting everything back");
	}
	daemon_done(&daemon);
	if (r == -EBADMSG)
		return DAEMON_EXIT_CONFIG;
	return r < 0 ? DAEMON_EXIT_FAILED : DAEMON_EXIT_OK;
}

static void daemon_report_restore(void *data, const char *path, const char *knob, int result)
{
	(void)data;
	if (result < 0)
		log_error("%s of '%s' could not be put back: %s", knob, path, strerror(-result));
	else
		log_info("%s of '%s' %s", knob, path,
			 result > 0 ? "was put back" : "needs nothing");
}

int daemon_restore(const struct daemon_options *options)
{
	struct daemon daemon = {
		.options = options,
		.root = SYSROOT_NULL,
		.runtime_fd = -EBADF,
	};
	int r;

	if (options->log_level >= 0)
		log_set_level(options->log_level);
	r = daemon_open_runtime(&daemon);
	if (r >= 0)
		r = daemon_open_host(&daemon);
	if (r >= 0)
		r = actuator_restore_journal(&daemon.root, &daemon.hierarchy, daemon.runtime_fd,
					     daemon_report_restore, NULL);
	if (r < 0)
		log_error("nothing was put back: %s", strerror(-r));
	else if (r > 0)
		log_error("%d knobs could not be put back", r);
	daemon_done(&daemon);
	return r == 0 ? DAEMON_EXIT_OK : DAEMON_EXIT_FAILED;
}
