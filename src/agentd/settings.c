/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <string.h>

#include "limit.h"
#include "macro.h"
#include "parse.h"
#include "settings-internal.h"

#define USEC_PER_MINUTE (60 * USEC_PER_SEC)

const char *const qos_names[] = { "scavenger", "batch", "normal", "high", "critical", NULL };
const char *const settings_log_levels[] = { "err", "warning", "notice", "info", "debug", NULL };
static const char *const via_names[] = { "apiserver", "kubelet", "cgroup", NULL };
static const char *const collector_names[] = { "auto", "bpf", "files", NULL };
static const char *const pressure_names[] = { "auto",     "vendor", "bpf", "tracepoints",
					      "counters", "off",    NULL };
static const char *const switch_names[] = { "auto", "true", "false", NULL };

const char *const settings_also[] = { "node.labels", "rules", "plugins", "overrides", NULL };

const struct config_field settings_fields[] = {
	FIELD_STRING(struct settings, "node.name", node_name, "",
		     "Name of this node; empty: $NODE_NAME, else the host's name."),
	FIELD_BOOL(struct settings, "dry_run", dry_run, 0,
		   "Decide, log and count as always, but write nothing to the host."),
	FIELD_ENUM(struct settings, "default_qos", default_qos, qos_names, QOS_NORMAL + 2,
		   "Level of a workload that has no annotation and that no rule matches."),
	FIELD_STRINGS(struct settings, "sources.cgroups.paths", cgroup_paths,
		      "Globs of cgroup paths that are workloads, below the hierarchy's root."),
	FIELD_ENUM(struct settings, "sources.units.enabled", units_enabled, switch_names,
		   SWITCH_AUTO, "Ask systemd for units; auto: where systemd runs."),
	FIELD_STRINGS(struct settings, "sources.units.slices", unit_slices,
		      "Globs of systemd units (slices, services, scopes) that are workloads."),
	FIELD_ENUM(struct settings, "sources.kubernetes.enabled", kubernetes_enabled, switch_names,
		   SWITCH_AUTO,
		   "Know the pods; auto: their cgroups always, an API where it is known how to "
		   "reach one."),
	FIELD_ENUM(struct settings, "sources.kubernetes.via", kubernetes_via, via_names,
		   VIA_APISERVER,
		   "Who is asked about pods: the apiserver, this node's kubelet, or the cgroup "
		   "tree alone."),
	FIELD_STRING(struct settings, "sources.kubernetes.kubeconfig", kubernetes_kubeconfig, "",
		     "A kubeconfig file; empty: the service account, where this is a pod."),
	FIELD_STRING(struct settings, "sources.kubernetes.server", kubernetes_server, "",
		     "https://HOST:PORT of the API; empty: as the kubeconfig or the pod says, or "
		     "this node's kubelet."),
	FIELD_STRING(struct settings, "sources.kubernetes.token_file", kubernetes_token_file, "",
		     "A file with a bearer token, read again when it is used."),
	FIELD_STRING(struct settings, "sources.kubernetes.ca_file", kubernetes_ca_file, "",
		     "PEM certificates that the API's certificate must lead to."),
	FIELD_BOOL(struct settings, "sources.kubernetes.events", kubernetes_events, 1,
		   "Report conflicts, malformed annotations and actions as Events of the pod."),
	FIELD_ENUM(struct settings, "sources.machines.enabled", machines_enabled, switch_names,
		   SWITCH_AUTO, "Know the virtual machines; auto: where there are any."),
	FIELD_STRING(struct settings, "metrics.listen", metrics_listen, ":9824",
		     "ADDRESS:PORT, [V6]:PORT or :PORT of /metrics; empty: off."),
	FIELD_STRING(struct settings, "metrics.web_config_file", metrics_web_config_file, "",
		     "A web.config.file as Prometheus' exporters have it: TLS, client "
		     "certificates and users of /metrics; empty: open to all."),
	FIELD_U64(struct settings, "metrics.max_series", metrics_max_series, 1000, LIMIT_SERIES,
		  LIMIT_SERIES,
		  "Series at /metrics at most; workloads beyond it are left out and counted."),
	FIELD_ENUM(struct settings, "telemetry.collector", telemetry_collector, collector_names, 0,
		   "How counters are read: bpf (cgroup v2, a kernel with BTF) costs least, files "
		   "work everywhere; auto: bpf where it works."),
	FIELD_U64(struct settings, "actions.per_minute", actions_per_minute, 0, 10000,
		  LIMIT_ACTIONS_PER_MINUTE,
		  "How many actions (reclaim, kill, evict) one plugin may take in a minute."),
	FIELD_ENUM(struct settings, "telemetry.pressure", telemetry_pressure, pressure_names,
		   PRESSURE_AUTO,
		   "How it is found out why workloads wait; the way named, or the next one after "
		   "it that the host has."),
	FIELD_BOOL(struct settings, "telemetry.runqueue_latency", telemetry_runqueue_latency, 0,
		   "Measure how long tasks wait for a CPU, as a histogram of each workload."),
	FIELD_USEC(struct settings, "quota_period", quota_period_usec, 100 * USEC_PER_MSEC,
		   USEC_PER_SEC, USEC_PER_SEC, "Period of a CPU quota for a group that had none."),
	FIELD_BOOL(struct settings, "systemd.pin", systemd_pin, 1,
		   "Also set values as run-time properties of the systemd unit that owns the "
		   "group, so that daemon-reload keeps them."),
	FIELD_USEC(struct settings, "reconcile_interval", reconcile_interval_usec,
		   10 * USEC_PER_SEC, 24 * 60 * USEC_PER_MINUTE, 10 * USEC_PER_MINUTE,
		   "How often everything is looked at again, also when nothing seems to change."),
	FIELD_ENUM(struct settings, "log_level", log_level, settings_log_levels, 3,
		   "Least important messages that are logged."),
	FIELD_END,
};

int qos_parse(const char *text, enum qos_level *ret)
{
	int64_t number = 0;

	for (int i = 0; qos_names[i]; i++) {
		if (strcmp(qos_names[i], text) == 0) {
			*ret = (enum qos_level)(i + QOS_SCAVENGER);
			return 0;
		}
	}
	if (parse_s64(text, &number) < 0 || number < QOS_SCAVENGER || number > QOS_CRITICAL)
		return -EINVAL;
	*ret = (enum qos_level)number;
	return 0;
}

const char *qos_name(enum qos_level level)
{
	if (level < QOS_SCAVENGER || level > QOS_CRITICAL)
		return "unknown";
	return qos_names[level - QOS_SCAVENGER];
}

void settings_clear(struct settings *settings)
{
	struct config_node *tree = settings->tree;

	config_bind_done(settings_fields, settings);
	free(settings->node_labels);
	settings_rules_free(settings->rules, settings->rule_count);
	free(settings->plugins);
	*settings = (struct settings){ .tree = tree };
}

struct settings *settings_free(struct settings *settings)
{
	if (!settings)
		return NULL;
	settings_clear(settings);
	(void)config_node_free(settings->tree);
	free(settings);
	return NULL;
}
DEFINE_CLEANUP(struct settings *, settings_free);

/* The one key of a plugin's section that is the daemon's. */
struct plugin_switch {
	uint64_t enabled;
};

static int plugins_bind(const struct config_node *node, const char *prefix,
			struct config_errors *errors, struct settings *settings)
{
	static const struct config_field field =
		FIELD_BOOL(struct plugin_switch, "enabled", enabled, 1, "");
	int result = 0;

	if (!node || node->kind == CONFIG_NULL)
		return 0;
	if (node->kind != CONFIG_MAPPING || node->count > LIMIT_PLUGINS) {
		config_errors_add(errors, node, "plugins", "expected at most %u sections by name",
				  LIMIT_PLUGINS);
		return -EINVAL;
	}
	settings->plugins = calloc(node->count + 1, sizeof(*settings->plugins));
	if (!settings->plugins)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		const struct config_node *child = node->children[i], *enabled;
		struct plugin_switch is = { .enabled = 1 };
		char key[128];

		(void)snprintf(key, sizeof(key), "%splugins.%s.", prefix, child->key);
		enabled = config_node_get(child, "enabled");
		if (child->kind != CONFIG_MAPPING && child->kind != CONFIG_NULL) {
			key[strlen(key) - 1] = '\0';
			config_errors_add(errors, child, key, "expected a section (keys below it)");
			result = -EINVAL;
			continue;
		}
		if (enabled && enabled->kind != CONFIG_NULL &&
		    config_bind_scalar(&field, enabled, key, errors, &is) < 0)
			result = -EINVAL;
		settings->plugins[settings->plugin_count++] = (struct settings_plugin){
			.name = child->key,
			.enabled = is.enabled,
			.node = child->kind == CONFIG_NULL ? NULL : child,
		};
	}
	return result;
}

/* The worse of two results, so that one run finds all errors. */
static int worse(int a, int b)
{
	return a == -ENOMEM || b == -ENOMEM ? -ENOMEM : MIN(a, b);
}

int settings_bind(const struct config_node *root, const char *prefix, const char *const *also,
		  struct config_errors *errors, struct settings *settings)
{
	const struct config_node *labels = config_node_get(config_node_get(root, "node"), "labels");
	char key[128];
	int r = config_bind(settings_fields, root, prefix, also, errors, settings);

	if (r == -ENOMEM)
		return r;
	(void)snprintf(key, sizeof(key), "%snode.labels", prefix);
	r = worse(r, settings_labels(labels, key, errors, &settings->node_labels,
				     &settings->node_label_count));
	r = worse(r, settings_rules(config_node_get(root, "rules"), prefix, errors,
				    &settings->rules, &settings->rule_count));
	r = worse(r, plugins_bind(config_node_get(root, "plugins"), prefix, errors, settings));
	r = worse(r, settings_check_listen(root, prefix, errors));
	r = worse(r, settings_check_web_config(root, prefix, errors));
	return worse(r, settings_check_globs(root, prefix, errors, settings));
}

/* The key, else what the pod's downward API says, else the host's name. */
static int node_name_default(struct settings *settings)
{
	char host[HOST_NAME_MAX + 1] = "";
	const char *name = getenv("NODE_NAME");
	char *copy;

	if (settings->node_name[0])
		return 0;
	if (!name || !name[0]) {
		if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
			(void)snprintf(host, sizeof(host), "localhost");
		name = host;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	free(settings->node_name);
	settings->node_name = copy;
	return 0;
}

static int settings_fill(struct settings *settings, struct config_errors *errors)
{
	int r = settings_bind(settings->tree, "", settings_also, errors, settings);

	return r < 0 ? r : node_name_default(settings);
}

static int settings_read(const char *file, const char *dropin_dir, bool missing_ok,
			 struct config_errors *errors, struct settings *settings)
{
	int r = settings_tree_load(file, dropin_dir, missing_ok, errors, &settings->tree);

	if (r < 0)
		return r;
	/* Twice: overrides match on the name and labels, and then change the rest. */
	r = settings_fill(settings, errors);
	if (r < 0)
		return r;
	r = settings_overrides_apply(settings->tree, settings, errors);
	settings_clear(settings);
	if (r < 0)
		return r;
	return settings_fill(settings, errors);
}

int settings_load(const char *file, const char *dropin_dir, bool missing_ok,
		  struct config_errors *errors, struct settings **ret)
{
	CLEANUP(settings_freep) struct settings *settings = calloc(1, sizeof(*settings));
	int r;

	if (!settings)
		return -ENOMEM;
	r = settings_read(file, dropin_dir, missing_ok, errors, settings);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(settings);
	return 0;
}

/* What else is wrong was told. */
static int sections_fill(struct settings *settings)
{
	CLEANUP(config_errors_done) struct config_errors told = { 0 };
	int r;

	settings_clear(settings);
	r = config_bind(settings_fields, NULL, "", NULL, &told, settings);
	if (r == 0)
		r = plugins_bind(config_node_get(settings->tree, "plugins"), "", &told, settings);
	return r == -ENOMEM ? r : 0;
}

int settings_check(const char *file, const char *dropin_dir, bool missing_ok,
		   struct config_errors *errors, struct settings **ret)
{
	CLEANUP(settings_freep) struct settings *settings = calloc(1, sizeof(*settings));
	int r;

	if (!settings)
		return -ENOMEM;
	r = settings_read(file, dropin_dir, missing_ok, errors, settings);
	if (r == -ENOMEM || (r < 0 && !settings->tree))
		return r;
	if (r < 0 && sections_fill(settings) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(settings);
	return r;
}

const struct settings_plugin *settings_plugin(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->plugin_count; i++)
		if (strcmp(settings->plugins[i].name, name) == 0)
			return &settings->plugins[i];
	return NULL;
}
