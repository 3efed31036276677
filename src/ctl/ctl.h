/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl.h - what every command gets: what was typed, where to ask, how to print. And the commands.
 */
#pragma once

#include <jansson.h>

#include "cli.h"
#include "table.h"

struct ctl {
	const struct cli *cli;
	const char *socket;
	bool json, terminal;
	struct screen screen;
	/* For `top`, which owns the screen: what would go to stderr, and a look at whether to give
	 * up on an answer that does not come. NULL: stderr, and the time limit alone. */
	struct strbuf *said;
	bool (*abandon)(void *data);
	void *data;
};

/* Sorted; ends with a NULL name. */
extern const struct command ctl_commands[];

typedef int(ctl_run)(const struct ctl *ctl);
ctl_run run_capabilities, run_check, run_explain, run_history, run_import, run_io_model, run_knobs,
	run_plan, run_plugins, run_reload, run_restore, run_status, run_top, run_version,
	run_workloads;

/* One line to stderr, "berthctl: ...". */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same where ctl->said is not set. */
void ctl_say(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fill the rest from ctl->cli, the environment and stdout. */
void ctl_prepare(struct ctl *ctl);
/* How wide, colour or not, UTF-8 or not: asked again by `top` when the window changes. */
void ctl_screen(struct ctl *ctl);
/* Print the page to stdout. The exit code. */
int ctl_print(struct strbuf *page);
int ctl_print_json(const json_t *answer);
