/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "cli.h"
#include "ctl.h"
#include "macro.h"

struct parse_case {
	const char *words[8];
	int result; /* errno, 0: accepted */
	const char *command, *error;
	size_t arguments;
};

static int words_parse(const char *const *words, struct cli *ret)
{
	/* Not written to: argv of main() is only historically not const. */
	char *argv[10] = { (char[]){ "berthctl" } };
	char copies[8][128];
	int argc = 1;

	for (size_t i = 0; i < 8 && words[i]; i++) {
		(void)snprintf(copies[i], sizeof(copies[i]), "%s", words[i]);
		argv[argc++] = copies[i];
	}
	return cli_parse(argc, argv, ctl_commands, ret);
}

static void test_cli_parse_words_accepted_or_refused(void **state)
{
	static const struct parse_case cases[] = {
		{ { "status" }, 0, "status", "", 0 },
		{ { "-o", "json", "status" }, 0, "status", "", 0 },
		{ { "status", "-ojson" }, 0, "status", "", 0 },
		{ { "status", "--output=table", "--no-color" }, 0, "status", "", 0 },
		{ { "explain", "batch/job-1" }, 0, "explain", "", 1 },
		{ { "explain", "--", "-odd" }, 0, "explain", "", 1 },
		{ { "knobs" }, 0, "knobs", "", 0 },
		{ { "knobs", "x" }, 0, "knobs", "", 1 },
		{ { "check", "a", "b", "c", "--plugin-dir", "d" }, 0, "check", "", 3 },
		{ { "top", "-n1", "-d", "5s", "--sort=m" }, 0, "top", "", 0 },
		{ { "--help" }, 0, NULL, "", 0 },
		{ { "explain", "--help" }, 0, "explain", "", 0 },
		{ { NULL }, EINVAL, NULL, "say a command", 0 },
		{ { "statsu" },
		  EINVAL,
		  NULL,
		  "there is no command 'statsu'; did you mean 'status'?",
		  0 },
		{ { "frobnicate" }, EINVAL, NULL, "there is no command 'frobnicate'", 0 },
		{ { "" }, EINVAL, NULL, "there is no command ''", 0 },
		{ { "explain" }, EINVAL, "explain", "'explain' needs WORKLOAD", 0 },
		{ { "explain", "a", "b" },
		  EINVAL,
		  "explain",
		  "'b' is one argument too many for 'explain'",
		  1 },
		{ { "status", "-o" }, EINVAL, "status", "--output needs table|json", 0 },
		{ { "status", "-oyaml" },
		  EINVAL,
		  "status",
		  "-o yaml: there are 'table' and 'json'",
		  0 },
		{ { "status", "--resume" }, EINVAL, "status", "there is no option --resume", 0 },
		{ { "--resume", "restore" },
		  EINVAL,
		  NULL,
		  "there is no option --resume before the command",
		  0 },
		{ { "restore", "--resume=yes" }, EINVAL, "restore", "--resume takes no value", 0 },
		{ { "restore", "--resum" }, EINVAL, "restore", "there is no option --resum", 0 },
		{ { "top", "-x" }, EINVAL, "top", "there is no option -x", 0 },
		{ { "--socket=", "status" }, EINVAL, NULL, "--socket needs a path", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct parse_case *c = &cases[i];
		struct cli cli;
		int r = words_parse(c->words, &cli);

		if (c->result)
			assert_errno(r, c->result);
		else
			assert_ok(r);
		assert_string_equal(cli.error, c->error);
		assert_int_equal(cli.argument_count, c->arguments);
		if (c->command)
			assert_string_equal(cli.command->name, c->command);
		else
			assert_null(cli.command);
	}
}

static void test_cli_parse_options_values_by_place(void **state)
{
	char *argv[] = { (char[]){ "berthctl" }, (char[]){ "-wo" },        (char[]){ "json" },
			 (char[]){ "top" },      (char[]){ "-n" },         (char[]){ "3" },
			 (char[]){ "--socket" }, (char[]){ "/run/x.sock" } };
	struct cli cli;

	(void)state;
	assert_ok(cli_parse((int)ARRAY_SIZE(argv), argv, ctl_commands, &cli));
	assert_true(cli.wide);
	assert_true(cli.json);
	assert_string_equal(cli.socket, "/run/x.sock");
	assert_null(cli.values[0]);
	assert_string_equal(cli.values[1], "3");
	assert_null(cli.values[2]);
}

static void test_cli_parse_many_arguments_refused(void **state)
{
	char *argv[CLI_ARGUMENTS_MAX + 3];
	char program[] = "berthctl", command[] = "check", file[] = "x";
	struct cli cli;

	(void)state;
	argv[0] = program;
	argv[1] = command;
	for (size_t i = 0; i < CLI_ARGUMENTS_MAX + 1; i++)
		argv[i + 2] = file;
	assert_ok(cli_parse((int)CLI_ARGUMENTS_MAX + 2, argv, ctl_commands, &cli));
	assert_int_equal(cli.argument_count, CLI_ARGUMENTS_MAX);
	assert_errno(cli_parse((int)CLI_ARGUMENTS_MAX + 3, argv, ctl_commands, &cli), EINVAL);
}

static void test_ctl_commands_table_sorted_and_whole(void **state)
{
	(void)state;
	for (const struct command *command = ctl_commands; command->name; command++) {
		struct strbuf page cleanup_strbuf = {};
		size_t options = 0;

		if (command[1].name)
			assert_true(strcmp(command->name, command[1].name) < 0);
		assert_non_null(command->run);
		assert_true(command->arguments_min <= command->arguments_max);
		for (const struct cli_option *option = command->options; option && option->name;
		     option++)
			options++;
		assert_true(options <= CLI_OPTIONS_MAX);
		cli_help_command(command, &page);
		assert_ok(strbuf_error(&page));
		assert_non_null(strstr(strbuf_text(&page), command->name));
	}
}

/* People read help on 80 columns. */
static void test_cli_help_every_page_in_80_columns(void **state)
{
	struct strbuf page cleanup_strbuf = {};
	char *rest, *line;

	(void)state;
	cli_help(ctl_commands, &page);
	for (const struct command *command = ctl_commands; command->name; command++)
		cli_help_command(command, &page);
	assert_ok(strbuf_error(&page));
	rest = page.text;
	while ((line = strsep(&rest, "\n")))
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cli_parse_words_accepted_or_refused),
		cmocka_unit_test(test_cli_parse_options_values_by_place),
		cmocka_unit_test(test_cli_parse_many_arguments_refused),
		cmocka_unit_test(test_ctl_commands_table_sorted_and_whole),
		cmocka_unit_test(test_cli_help_every_page_in_80_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
