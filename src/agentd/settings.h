/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - the policy: /etc/berth/berth.yaml and its drop-ins, read, merged, checked and bound
 * into one immutable struct. All or nothing: a struct settings exists only if every key of every
 * file was valid. Overrides that match this node are already merged in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "berth-plugin.h"
#include "config/bind.h"
#include "config/tree.h"
#include "label.h"

/* Every given pattern must match; fnmatch(3) globs; NULL: any. */
struct rule_match {
	char *kind, *namespace, *name, *cgroup;
	struct label *labels;
	size_t label_count;
};

struct rule {
	struct rule_match match;
	bool has_qos;
	enum qos_level qos;
	bool ignore;
	uint64_t cpu_request_milli, memory_request_bytes; /* 0: none; where no pod says it */
	const char *file; /* of the rule, for `berthctl explain`; owned by the settings' tree */
	unsigned int line;
};

/* One plugin's section: still a node, bound by the loader against the plugin's own table. */
struct settings_plugin {
	char *name;
	bool enabled;
	const struct config_node *node; /* owned by the tree; may be NULL: all defaults */
};

struct settings {
	/* Bound by the field table; slots are 8 bytes wide. */
	char *node_name; /* never "": the key, else $NODE_NAME, else gethostname() */
	uint64_t dry_run;
	char **cgroup_paths;         /* sources.cgroups.paths */
	char **unit_slices;          /* sources.units.slices */
	uint64_t units_enabled;      /* sources.units.enabled: enum auto_switch */
	uint64_t machines_enabled;   /* sources.machines.enabled: enum auto_switch */
	uint64_t kubernetes_enabled; /* sources.kubernetes.enabled: enum auto_switch */
	uint64_t kubernetes_via;     /* enum kubernetes_via */
	char *kubernetes_kubeconfig, *kubernetes_server;
	char *kubernetes_token_file, *kubernetes_ca_file;
	uint64_t kubernetes_events;    /* report incidents as Events */
	uint64_t default_qos;          /* index into qos_names: level + 2 */
	char *metrics_listen;          /* "ADDRESS:PORT", "[V6]:PORT", ":PORT"; "" is off */
	char *metrics_web_config_file; /* how that is protected; "" not at all */
	uint64_t metrics_max_series;
	uint64_t actions_per_minute;
	uint64_t quota_period_usec;
	uint64_t systemd_pin; /* values are run-time properties of units, too */
	uint64_t reconcile_interval_usec;
	uint64_t log_level;           /* index into settings_log_levels */
	uint64_t telemetry_collector; /* enum snapshot_collector */
	uint64_t telemetry_pressure;  /* enum pressure_wish */
	uint64_t telemetry_runqueue_latency;
	/* Read by hand. */
	struct label *node_labels;
	size_t node_label_count;
	struct rule *rules;
	size_t rule_count;
	struct settings_plugin *plugins; /* every section there is; others are on, with defaults */
	size_t plugin_count;
	/* Owned: the merged tree that strings above may point into. */
	struct config_node *tree;
};

enum auto_switch { SWITCH_AUTO, SWITCH_TRUE, SWITCH_FALSE };
enum pressure_wish {
	PRESSURE_AUTO,
	PRESSURE_VENDOR,
	PRESSURE_BPF,
	PRESSURE_TRACEPOINTS,
	PRESSURE_COUNTERS,
	PRESSURE_OFF,
};
enum kubernetes_via { VIA_APISERVER, VIA_KUBELET, VIA_CGROUP };

extern const struct config_field settings_fields[]; /* the daemon's own keys, with help */
extern const char *const qos_names[];               /* scavenger, batch, normal, high, critical */
extern const char *const settings_log_levels[];     /* err, warning, notice, info, debug */

/* "batch" or "-1" to a level; -EINVAL. */
int qos_parse(const char *text, enum qos_level *ret);
const char *qos_name(enum qos_level level);

/* Read `file` (may be missing only if `missing_ok`) and `dropin_dir`/NAME.yaml (may be NULL or
 * missing) in lexical order, merge, apply overrides. Needs no plugin: sections under plugins: stay
 * nodes. 0 with *ret, or -EINVAL with errors added, or -ENOMEM. */
int settings_load(const char *file, const char *dropin_dir, bool missing_ok,
		  struct config_errors *errors, struct settings **ret);
/* The same for who looks for errors only. With -EINVAL *ret may be set as well: it then has the
 * sections of plugins, as far as files could be read, and defaults for the rest. */
int settings_check(const char *file, const char *dropin_dir, bool missing_ok,
		   struct config_errors *errors, struct settings **ret);
struct settings *settings_free(struct settings *settings);

/* The section of a plugin, or NULL if the policy does not name it. */
const struct settings_plugin *settings_plugin(const struct settings *settings, const char *name);
