/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.h - the composition of berthd: the only place that knows every module.
 */
#pragma once

#include <stdbool.h>

struct daemon_options {
	const char *root;        /* prefix of /proc and /sys, NULL for the host; for tests */
	const char *config_file; /* the policy */
	bool config_explicit;    /* the file was named by the user: it must exist */
	const char *dropin_dir, *runtime_dir, *plugin_dir;
	const char *state_dir; /* what outlives a boot */
	int log_level;         /* -1: as the policy says */
};

/* Exit statuses; sysexits(3) EX_CONFIG keeps systemd from restarting into the same error. */
#define DAEMON_EXIT_OK     0
#define DAEMON_EXIT_FAILED 1
#define DAEMON_EXIT_USAGE  2
#define DAEMON_EXIT_CONFIG 78

/* Until SIGTERM or SIGINT, which put everything back. An exit status. */
int daemon_run(const struct daemon_options *options);
/* `berthd --restore`: put back what a dead berthd left. An exit status. */
int daemon_restore(const struct daemon_options *options);
