/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the command line of berthd; see man/berthd.8. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "actuator/knob/table.h"
#include "config/bind.h"
#include "daemon.h"
#ifdef BERTH_FAILPOINTS
#include "failpoint.h"
#endif
#include "api/self/self.h"
#include "api/web/check.h"
#include "log.h"
#include "plugin/loader.h"
#include "settings-dump.h"
#include "settings.h"

#define DEFAULT_CONFIG      BERTH_CONF_DIR "/berth.yaml"
#define DEFAULT_DROPIN_DIR  BERTH_CONF_DIR "/berth.d"
#define DEFAULT_RUNTIME_DIR "/run/berth"
#define DEFAULT_STATE_DIR   "/var/lib/berth"

enum command {
	COMMAND_RUN,
	COMMAND_RESTORE,
	COMMAND_CHECK,
	COMMAND_FIELDS,
	COMMAND_KNOBS,
	COMMAND_METRICS
};

enum {
	OPTION_DROPIN_DIR = 256,
	OPTION_RUNTIME_DIR,
	OPTION_STATE_DIR,
	OPTION_PLUGIN_DIR,
	OPTION_ROOT,
	OPTION_LOG_LEVEL,
	OPTION_RESTORE,
	OPTION_CHECK,
	OPTION_FIELDS,
	OPTION_KNOBS,
	OPTION_METRICS
};

static const struct option options_table[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "dropin-dir", required_argument, NULL, OPTION_DROPIN_DIR },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR },
	{ "state-dir", required_argument, NULL, OPTION_STATE_DIR },
	{ "plugin-dir", required_argument, NULL, OPTION_PLUGIN_DIR },
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "restore", no_argument, NULL, OPTION_RESTORE },
	{ "check-config", no_argument, NULL, OPTION_CHECK },
	{ "dump-fields", no_argument, NULL, OPTION_FIELDS },
	{ "dump-knobs", no_argument, NULL, OPTION_KNOBS },
	{ "dump-metrics", no_argument, NULL, OPTION_METRICS },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *out)
{
	(void)fputs(
		"Usage: berthd [OPTION...]\n"
		"The node agent: keeps offline workloads out of the way of online ones.\n\n"
		"  -c, --config FILE        the policy (" DEFAULT_CONFIG ")\n"
		"      --dropin-dir DIR     its drop-ins (" DEFAULT_DROPIN_DIR ")\n"
		"      --runtime-dir DIR    socket, journal, lock (" DEFAULT_RUNTIME_DIR ")\n"
		"      --state-dir DIR      what outlives a boot (" DEFAULT_STATE_DIR ")\n"
		"      --plugin-dir DIR     plugins (" BERTH_PLUGIN_DIR ")\n"
		"      --log-level LEVEL    err, warning, notice, info, debug\n"
		"      --root DIR           find /proc and /sys below DIR (for tests)\n"
		"      --restore            put back what a dead berthd left, and end\n"
		"      --check-config [FILE...]  validate, say what is wrong, and end\n"
		"      --dump-fields, --dump-knobs, --dump-metrics  print a table, and end\n"
		"  -V, --version\n"
		"  -h, --help\n\n"
		"Exit status: 0 fine, 1 it failed, 2 used wrongly, 78 the policy is not valid.\n"
		"See berthd(8), berthctl(1), berth.yaml(5).\n",
		out);
}

static void print_config_errors(const struct config_errors *errors)
{
	char text[768];

	for (size_t i = 0; i < errors->count; i++) {
		config_error_format(&errors->items[i], text, sizeof(text));
		(void)fprintf(stderr, "%s\n", text);
	}
	if (errors->dropped > 0)
		(void)fprintf(stderr, "and %zu more errors\n", errors->dropped);
}

static int check_one(const char *file, const char *dropin_dir, bool missing_ok,
		     const struct plugin_list *plugins)
{
	struct config_errors errors = { 0 };
	struct settings *settings = NULL;
	int r = settings_check(file, dropin_dir, missing_ok, &errors, &settings), sections, web;

	/* One run tells all errors. */
	if (settings) {
		sections = plugin_check_all(plugins, settings, &errors);
		web = web_check(settings->metrics_web_config_file, &errors);
		r = r < 0 ? r : sections < 0 ? sections : web;
	}
	print_config_errors(&errors);
	if (r < 0 && errors.count == 0)
		(void)fprintf(stderr, "%s: %s\n", file, strerror(-r));
	config_errors_done(&errors);
	(void)settings_free(settings);
	return r;
}

static int run_check(const struct daemon_options *options, char **files)
{
	struct config_errors errors = { 0 };
	struct plugin_list plugins = { 0 };
	int r = plugin_list_load(options->plugin_dir, &errors, &plugins);
	int failed = 0;

	print_config_errors(&errors);
	config_errors_done(&errors);
	if (r < 0)
		(void)fprintf(stderr, "%s: %s; no plugin's section can be checked\n",
			      options->plugin_dir, strerror(-r));
	if (!*files)
		failed = check_one(options->config_file, options->dropin_dir,
				   !options->config_explicit, &plugins) < 0;
	for (; *files; files++)
		failed |= check_one(*files, NULL, false, &plugins) < 0;
	plugin_list_done(&plugins);
	return failed ? DAEMON_EXIT_FAILED : DAEMON_EXIT_OK;
}

static int run_dump_fields(const struct daemon_options *options)
{
	struct config_errors errors = { 0 };
	struct plugin_list plugins = { 0 };

	(void)plugin_list_load(options->plugin_dir, &errors, &plugins);
	print_config_errors(&errors);
	config_errors_done(&errors);
	settings_dump_daemon(stdout);
	for (size_t i = 0; i < plugins.count; i++)
		settings_dump_plugin(stdout, plugins.items[i]->table.name,
				     plugins.items[i]->table.fields);
	plugin_list_done(&plugins);
	return DAEMON_EXIT_OK;
}

static int run_dump_metrics(const struct daemon_options *options)
{
	struct config_errors errors = { 0 };
	struct plugin_list plugins = { 0 };

	(void)plugin_list_load(options->plugin_dir, &errors, &plugins);
	print_config_errors(&errors);
	config_errors_done(&errors);
	self_metrics_dump(stdout, &plugins);
	plugin_list_done(&plugins);
	return DAEMON_EXIT_OK;
}

static int parse_options(int argc, char **argv, struct daemon_options *options,
			 enum command *command)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", options_table, NULL)) >= 0) {
		switch (c) {
		case 'c':
			options->config_file = optarg;
			options->config_explicit = true;
			break;
		case OPTION_DROPIN_DIR:
			options->dropin_dir = optarg;
			break;
		case OPTION_RUNTIME_DIR:
			options->runtime_dir = optarg;
			break;
		case OPTION_STATE_DIR:
			options->state_dir = optarg;
			break;
		case OPTION_PLUGIN_DIR:
			options->plugin_dir = optarg;
			break;
		case OPTION_ROOT:
			options->root = optarg;
			break;
		case OPTION_LOG_LEVEL:
			options->log_level = log_level_parse(optarg);
			if (options->log_level >= 0)
				break;
			(void)fprintf(stderr,
				      "berthd: --log-level '%s': expected err, warning, notice, "
				      "info or debug\n",
				      optarg);
			return -1;
		case OPTION_RESTORE:
			*command = COMMAND_RESTORE;
			break;
		case OPTION_CHECK:
			*command = COMMAND_CHECK;
			break;
		case OPTION_FIELDS:
			*command = COMMAND_FIELDS;
			break;
		case OPTION_KNOBS:
			*command = COMMAND_KNOBS;
			break;
		case OPTION_METRICS:
			*command = COMMAND_METRICS;
			break;
		case 'V':
			(void)puts("berthd " BERTH_VERSION);
			return 1;
		case 'h':
			usage(stdout);
			return 1;
		default:
			(void)fputs("Try 'berthd --help'.\n", stderr);
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct daemon_options options = {
		.config_file = DEFAULT_CONFIG,
		.dropin_dir = DEFAULT_DROPIN_DIR,
		.runtime_dir = DEFAULT_RUNTIME_DIR,
		.state_dir = DEFAULT_STATE_DIR,
		.plugin_dir = BERTH_PLUGIN_DIR,
		.log_level = -1,
	};
	enum command command = COMMAND_RUN;
	int r = parse_options(argc, argv, &options, &command);

	if (r != 0)
		return r > 0 ? DAEMON_EXIT_OK : DAEMON_EXIT_USAGE;
	if (command != COMMAND_CHECK && optind < argc) {
		(void)fprintf(stderr, "berthd: '%s' is not an option.\nTry 'berthd --help'.\n",
			      argv[optind]);
		return DAEMON_EXIT_USAGE;
	}
	/* One arena: the pool's threads allocate next to nothing, and each arena of its own would
	 * cost resident memory. */
	(void)mallopt(M_ARENA_MAX, 1);
#ifdef BERTH_FAILPOINTS
	if (failpoint_arm() < 0) {
		(void)fputs("berthd: $BERTH_FAILPOINT is not a number from 1\n", stderr);
		return DAEMON_EXIT_USAGE;
	}
#endif
	switch (command) {
	case COMMAND_RESTORE:
		return daemon_restore(&options);
	case COMMAND_CHECK:
		return run_check(&options, argv + optind);
	case COMMAND_FIELDS:
		return run_dump_fields(&options);
	case COMMAND_KNOBS:
		knob_table_dump(stdout);
		return DAEMON_EXIT_OK;
	case COMMAND_METRICS:
		return run_dump_metrics(&options);
	case COMMAND_RUN:
		break;
	}
	return daemon_run(&options);
}
