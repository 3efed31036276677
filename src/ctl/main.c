/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <locale.h>
#include <stdio.h>

#include "ctl.h"

static int usage_refuse(const struct cli *cli)
{
	ctl_error("%s", cli->error);
	if (cli->command)
		(void)fprintf(stderr, "Try: berthctl %s --help\n", cli->command->name);
	else
		(void)fprintf(stderr, "Try: berthctl --help\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct strbuf page cleanup_strbuf = {};
	struct cli cli;
	struct ctl ctl = { .cli = &cli };
	int r;

	(void)setlocale(LC_CTYPE, "");
	if (cli_parse(argc, argv, ctl_commands, &cli) < 0)
		return usage_refuse(&cli);
	if (cli.help) {
		if (cli.command)
			cli_help_command(cli.command, &page);
		else
			cli_help(ctl_commands, &page);
		return ctl_print(&page);
	}
	if (cli.version) {
		strbuf_add(&page, "berthctl " BERTH_VERSION "\n");
		return ctl_print(&page);
	}
	ctl_prepare(&ctl);
	(void)curl_global_init(CURL_GLOBAL_NOTHING);
	r = cli.command->run(&ctl);
	curl_global_cleanup();
	return r;
}
