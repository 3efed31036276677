/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "client.h"

enum { OPTION_RESUME };

static int resume(const struct ctl *ctl)
{
	json_auto_t *answer = NULL;
	struct strbuf page cleanup_strbuf = {};

	if (client_call(ctl, "POST", "/v1/resume", &answer) < 0)
		return 1;
	if (ctl->json)
		return ctl_print_json(answer);
	strbuf_add(&page, json_read_bool(answer, "was_paused")
				  ? "berthd works again: what plugins claim is being written.\n"
				  : "berthd was not paused.\n");
	return ctl_print(&page);
}

int run_restore(const struct ctl *ctl)
{
	json_auto_t *answer = NULL;
	struct strbuf page cleanup_strbuf = {};
	uint64_t failed;
	int r;

	if (ctl->cli->values[OPTION_RESUME])
		return resume(ctl);
	r = client_call(ctl, "POST", "/v1/restore?pause=true", &answer);
	if (r == -ENOENT || r == -ECONNREFUSED)
		(void)fprintf(stderr,
			      "What a berthd that is gone left is put back by: berthd --restore\n");
	if (r < 0)
		return 1;
	failed = json_read_number(answer, "failed");
	if (ctl->json)
		return ctl_print_json(answer) || failed > 0;
	if (failed)
		strbuf_addf(&page,
			    "%llu values could not be put back: `berthctl knobs` tells why. ",
			    (unsigned long long)failed);
	else
		strbuf_add(&page, "Every original is back. ");
	strbuf_add(&page, "berthd is paused;\n`berthctl restore --resume` ends that.\n");
	return ctl_print(&page) || failed > 0;
}
