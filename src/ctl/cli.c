/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/bind.h"

#define COMMANDS_MAX 32u /* that a message can suggest */

enum global_option {
	GLOBAL_HELP,
	GLOBAL_NO_COLOR,
	GLOBAL_OUTPUT,
	GLOBAL_SOCKET,
	GLOBAL_VERSION,
	GLOBAL_WIDE
};

static const struct cli_option global_options[] = {
	[GLOBAL_HELP] = { "help", 'h', NULL, "Show this help, or that of the command." },
	[GLOBAL_NO_COLOR] = { "no-color", 0, NULL, "No colour, as with $NO_COLOR." },
	[GLOBAL_OUTPUT] = { "output", 'o', "table|json",
			    "For people (table) or for programs (json)." },
	[GLOBAL_SOCKET] = { "socket", 's', "PATH",
			    "Else $BERTH_SOCKET, or /run/berth/control.sock." },
	[GLOBAL_VERSION] = { "version", 'V', NULL, "Show the version of berthctl." },
	[GLOBAL_WIDE] = { "wide", 'w', NULL, "Cut and wrap nothing." },
	{ NULL },
};

__attribute__((format(printf, 2, 3))) static int cli_refuse(struct cli *cli, const char *format,
							    ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(cli->error, sizeof(cli->error), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int global_set(struct cli *cli, enum global_option option, const char *value)
{
	switch (option) {
	case GLOBAL_HELP:
		cli->help = true;
		return 0;
	case GLOBAL_VERSION:
		cli->version = true;
		return 0;
	case GLOBAL_NO_COLOR:
		cli->no_color = true;
		return 0;
	case GLOBAL_WIDE:
		cli->wide = true;
		return 0;
	case GLOBAL_SOCKET:
		if (!*value)
			return cli_refuse(cli, "--socket needs a path");
		cli->socket = value;
		return 0;
	case GLOBAL_OUTPUT:
		break;
	}
	cli->json = strcmp(value, "json") == 0;
	if (!cli->json && strcmp(value, "table") != 0)
		return cli_refuse(cli, "-o %s: there are 'table' and 'json'", value);
	return 0;
}

/* One option as typed: a name or a letter, and the text that was glued to it, if any. */
struct typed {
	const char *name, *glued;
	size_t length;
	char letter;
	const char *next; /* the word after it, or NULL */
};

static bool option_matches(const struct cli_option *option, const struct typed *typed)
{
	if (typed->letter)
		return option->letter == typed->letter;
	return strlen(option->name) == typed->length &&
	       strncmp(option->name, typed->name, typed->length) == 0;
}

/* The command's own, else the global one; NULL for neither. *ret_place is where in its table. */
static const struct cli_option *option_find(const struct cli *cli, const struct typed *typed,
					    bool *ret_own, size_t *ret_place)
{
	const struct cli_option *const tables[] = { cli->command ? cli->command->options : NULL,
						    global_options };

	for (size_t table = 0; table < 2; table++)
		for (size_t i = 0; tables[table] && tables[table][i].name; i++)
			if (option_matches(&tables[table][i], typed)) {
				*ret_own = table == 0;
				*ret_place = i;
				return &tables[table][i];
			}
	return NULL;
}

static int option_unknown(struct cli *cli, const struct typed *typed)
{
	const char *where = cli->command ? "" : " before the command";

	if (typed->letter)
		return cli_refuse(cli, "there is no option -%c%s", typed->letter, where);
	return cli_refuse(cli, "there is no option --%.*s%s", (int)typed->length, typed->name,
			  where);
}

/* 0, or 1 when the next word was its argument. */
static int option_take(struct cli *cli, const struct typed *typed)
{
	bool own = false;
	size_t place = 0;
	const struct cli_option *option = option_find(cli, typed, &own, &place);
	const char *value = typed->glued;
	int r = 0;

	if (!option)
		return option_unknown(cli, typed);
	if (!option->argument && value)
		return cli_refuse(cli, "--%s takes no value", option->name);
	if (option->argument && !value)
		value = typed->next;
	if (!value && option->argument)
		return cli_refuse(cli, "--%s needs %s", option->name, option->argument);
	if (!value)
		value = "";
	if (own)
		cli->values[place] = value;
	else
		r = global_set(cli, (enum global_option)place, value);
	return r < 0 ? r : option->argument && !typed->glued;
}

static int long_take(struct cli *cli, const char *word, const char *next)
{
	struct typed typed = { .name = word + 2, .next = next };
	const char *equals = strchr(typed.name, '=');

	typed.length = equals ? (size_t)(equals - typed.name) : strlen(typed.name);
	typed.glued = equals ? equals + 1 : NULL;
	return option_take(cli, &typed);
}

/* "-o json", "-ojson", "-hw": a letter that takes an argument takes the rest of its word. */
static int short_take(struct cli *cli, const char *word, const char *next)
{
	int r = 0;

	for (const char *at = word + 1; *at; at++) {
		struct typed typed = { .name = "", .letter = *at, .next = next };
		bool own;
		size_t place;
		const struct cli_option *option = option_find(cli, &typed, &own, &place);
		bool takes = option && option->argument;

		if (takes && at[1])
			typed.glued = at + 1;
		r = option_take(cli, &typed);
		if (r < 0 || takes)
			return r;
	}
	return r;
}

static int command_unknown(struct cli *cli, const struct command *commands, const char *word)
{
	const char *names[COMMANDS_MAX + 1] = {}, *nearest;

	for (size_t i = 0; commands[i].name && i < COMMANDS_MAX; i++)
		names[i] = commands[i].name;
	nearest = config_nearest(word, names);
	return cli_refuse(cli, "there is no command '%s'%s%s%s", word,
			  nearest ? "; did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?" : "");
}

static int word_take(struct cli *cli, const struct command *commands, const char *word)
{
	if (!cli->command) {
		for (const struct command *command = commands; command->name; command++)
			if (strcmp(command->name, word) == 0)
				cli->command = command;
		if (!cli->command)
			return command_unknown(cli, commands, word);
		return 0;
	}
	if (cli->argument_count >= cli->command->arguments_max ||
	    cli->argument_count >= CLI_ARGUMENTS_MAX)
		return cli_refuse(cli, "'%s' is one argument too many for '%s'", word,
				  cli->command->name);
	cli->arguments[cli->argument_count++] = word;
	return 0;
}

int cli_parse(int argc, char *const *argv, const struct command *commands, struct cli *ret)
{
	bool only_words = false;

	*ret = (struct cli){};
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		int r;

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		if (only_words || word[0] != '-' || !word[1])
			r = word_take(ret, commands, word);
		else if (word[1] == '-')
			r = long_take(ret, word, next);
		else
			r = short_take(ret, word, next);
		if (r < 0)
			return r;
		i += r;
	}
	if (ret->help || ret->version)
		return 0;
	if (!ret->command)
		return cli_refuse(ret, "say a command");
	if (ret->argument_count < ret->command->arguments_min)
		return cli_refuse(ret, "'%s' needs %s", ret->command->name,
				  ret->command->arguments);
	return 0;
}

static void options_help(const struct cli_option *options, struct strbuf *page)
{
	for (; options && options->name; options++) {
		char text[64], letter[8] = "    ";

		if (options->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", options->letter);
		(void)snprintf(text, sizeof(text), "%s--%s%s%s", letter, options->name,
			       options->argument ? "=" : "",
			       options->argument ? options->argument : "");
		if (strlen(text) > 25)
			strbuf_addf(page, "  %s\n%29s%s\n", text, "", options->help);
		else
			strbuf_addf(page, "  %-25s  %s\n", text, options->help);
	}
}

void cli_help(const struct command *commands, struct strbuf *page)
{
	strbuf_add(page, "Usage: berthctl [OPTION...] COMMAND [ARGUMENT...]\n\n"
			 "Look at and steer berthd, the node agent.\n\nCommands:\n");
	for (; commands->name; commands++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "%s %s", commands->name, commands->arguments);
		strbuf_addf(page, "  %-22s  %s\n", text, commands->summary);
	}
	strbuf_add(page, "\nOptions:\n");
	options_help(global_options, page);
	strbuf_add(page, "\n`berthctl COMMAND --help` tells more. Exit codes: 0 fine, 1 it failed "
			 "or did not\nhold, 2 used wrongly.\n");
}

void cli_help_command(const struct command *command, struct strbuf *page)
{
	strbuf_addf(page, "Usage: berthctl %s [OPTION...]%s%s\n\n%s\n", command->name,
		    *command->arguments ? " " : "", command->arguments, command->summary);
	if (command->description)
		strbuf_addf(page, "\n%s", command->description);
	if (command->options) {
		strbuf_add(page, "\nOptions of this command:\n");
		options_help(command->options, page);
	}
	strbuf_add(page, "\nOptions:\n");
	options_help(global_options, page);
}
