/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl.h"

/* Places in `values` are those of these tables: see the enum of each command's file. */
static const struct cli_option check_options[] = {
	{ "plugin-dir", 0, "DIR", "Where plugins are: their sections are checked." },
	{ NULL },
};
static const struct cli_option explain_options[] = {
	{ "now", 0, NULL, "One look: no second one for how it is now." },
	{ NULL },
};
static const struct cli_option history_options[] = {
	{ "lines", 'n', "N", "The last N only." },
	{ NULL },
};
static const struct cli_option import_options[] = {
	{ "to", 0, "FILE", "Write the policy to a new file." },
	{ NULL },
};
static const struct cli_option io_model_options[] = {
	{ "destructive", 0, NULL, "Overwrite the raw device to measure it." },
	{ "size", 0, "SIZE", "Of the file that is made; 256Mi by default." },
	{ "time", 0, "TIME", "Of each of six measurements; 3s by default." },
	{ NULL },
};
static const struct cli_option restore_options[] = {
	{ "resume", 0, NULL, "End the pause: what plugins claim is written again." },
	{ NULL },
};
static const struct cli_option top_options[] = {
	{ "interval", 'd', "TIME", "Between two looks, such as 500ms; 2s by default." },
	{ "iterations", 'n', "N", "Stop after N tables; 1 when not on a terminal." },
	{ "sort", 'k', "KEY",
	  "cpu, memory, memory-pressure, io-pressure,\n"
	  "                             pressure, throttling, name; or c m p i a t n." },
	{ "filter", 'f', "TEXT", "Only names (namespace/name) with this text." },
	{ "view", 'v', "VIEW", "overview, pressure, memory, io or berth; or 1 to 5." },
	{ "level", 'l', "LEVEL", "Only this level." },
	{ "containers", 'c', NULL, "Containers beside their pods." },
	{ "reverse", 'r', NULL, "The least first." },
	{ NULL },
};

const struct command ctl_commands[] = {
	{ "capabilities", "", "What this host can do, and why the rest is off.", NULL, NULL, 0, 0,
	  run_capabilities },
	{ "check", "[FILE...]", "Check the policy, without a daemon.",
	  "Without FILE the policy is " BERTH_CONF_DIR "/berth.yaml with its drop-ins in\n"
	  "berth.d/; each FILE given is a policy of its own. Every error is shown with\n"
	  "file, line and column. Exit code 1 if there is any.\n",
	  check_options, 0, CLI_ARGUMENTS_MAX, run_check },
	{ "explain", "WORKLOAD", "Why a workload is treated as it is.",
	  "WORKLOAD is namespace/name, a name (a pod's container is POD/CONTAINER; the name\n"
	  "of the VM finds its virt-launcher pod), a uid, a cgroup path or an id. Shown are\n"
	  "which source and rule gave the level, every claim with plugin and reason, what\n"
	  "was written where over which original, conflicts and foreign writes; and what\n"
	  "it waits for: why it is slow. Where no average tells that yet it is looked at\n"
	  "for a second.\n",
	  explain_options, 1, 1, run_explain },
	{ "history", "", "Actions, restores and conflicts, with reasons.", NULL, history_options, 0,
	  0, run_history },
	{ "import", "AGENT FILE", "Another agent's configuration, as a policy.",
	  "AGENT is rubik, koordinator or volcano. FILE is its configuration, or the\n"
	  "ConfigMap around it in YAML or JSON; - is standard input. What has no equal, or\n"
	  "differs, is told on stderr and stands as a comment in the policy. It needs no\n"
	  "daemon and changes nothing. Exit code 1 if FILE cannot be read or is not valid.\n",
	  import_options, 2, 2, run_import },
	{ "io-model", "PATH", "Measure a disk for io.cost, and print the policy.",
	  "PATH is a directory on the disk, or a device that has a mounted file system: a\n"
	  "file without a name is written and read there, which is gone at the end, however\n"
	  "it ends. The disk is as busy as it can be meanwhile. Needs no daemon.\n",
	  io_model_options, 1, 1, run_io_model },
	{ "knobs", "[WORKLOAD]", "What berthd holds on the host, and what was there.", NULL, NULL,
	  0, 1, run_knobs },
	{ "plan", "[FILE]", "What a policy would change, without doing it.",
	  "FILE stands in for berth.yaml; the drop-ins stay. Without FILE it is the policy\n"
	  "on disk, which berthd reads by itself when it changes. Nothing is changed.\n"
	  "Of a dry run, and while berthd is paused, it tells what would be without that.\n"
	  "It is about the workloads that are there: other sources are not tried.\n"
	  "Needs root: the daemon reads files and runs plugins for it.\n",
	  NULL, 0, 1, run_plan },
	{ "plugins", "", "Plugins, their state and what they say.", NULL, NULL, 0, 0, run_plugins },
	{ "reload", "", "Read the policy again; a bad one changes nothing.", NULL, NULL, 0, 0,
	  run_reload },
	{ "restore", "", "Put every original back and pause.",
	  "berthd then writes nothing until `berthctl restore --resume`. Exit code 1 if a\n"
	  "value could not be put back. Without a daemon: `berthd --restore`.\n",
	  restore_options, 0, 0, run_restore },
	{ "status", "", "Health, sources, plugins and last errors on a page.",
	  "Exit code 1 if a source is down, the policy on disk is not valid, or /metrics is\n"
	  "not served as it says.\n",
	  NULL, 0, 0, run_status },
	{ "top", "", "What workloads use and wait for, live.",
	  "On a terminal the table stays and takes keys: h shows them, q quits. Else, or\n"
	  "with -n 1, it is printed once. \"-\" is what this host does not tell.\n",
	  top_options, 0, 0, run_top },
	{ "version", "", "Versions of berthctl and of berthd.", NULL, NULL, 0, 0, run_version },
	{ "workloads", "", "Workloads with their level and where it comes from.", NULL, NULL, 0, 0,
	  run_workloads },
	{ NULL },
};
