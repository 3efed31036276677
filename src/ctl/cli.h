/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what was typed: global options, the command, its options and arguments. Pure: it prints
 * and decides nothing, so that a test can hold every refusal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "strbuf.h"

#define CLI_OPTIONS_MAX   8u
#define CLI_ARGUMENTS_MAX 64u

struct ctl;

struct cli_option {
	const char *name;     /* "iterations" for --iterations; NULL ends a table */
	char letter;          /* 'n' for -n; 0: none */
	const char *argument; /* "N"; NULL: a flag */
	const char *help;
};

struct command {
	const char *name, *arguments, *summary; /* arguments: "WORKLOAD", "[FILE...]", "" */
	const char *description;                /* more lines for its --help, or NULL */
	const struct cli_option *options;       /* NULL: none but the global ones */
	size_t arguments_min, arguments_max;
	int (*run)(const struct ctl *ctl); /* the exit code: 0, 1 or 2 */
};

struct cli {
	const struct command *command; /* NULL: none was named */
	bool help, version, json, wide, no_color;
	const char *socket; /* NULL: not given */
	/* By place in the command's table: its argument, "" for a flag, NULL when not given. */
	const char *values[CLI_OPTIONS_MAX];
	const char *arguments[CLI_ARGUMENTS_MAX];
	size_t argument_count;
	char error[256]; /* after -EINVAL: what is wrong, for people */
};

/* argv[0] is passed over. commands ends with a NULL name. Strings of argv are borrowed. 0 or
 * -EINVAL; the command is set as soon as it is known, so that help can be given. */
int cli_parse(int argc, char *const *argv, const struct command *commands, struct cli *ret);

/* The help pages. */
void cli_help(const struct command *commands, struct strbuf *page);
void cli_help_command(const struct command *command, struct strbuf *page);
