/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

int run_reload(const struct ctl *ctl)
{
	json_auto_t *answer = NULL;
	struct strbuf page cleanup_strbuf = {};

	if (client_call(ctl, "POST", "/v1/reload", &answer) < 0)
		return 1;
	if (ctl->json)
		return ctl_print_json(answer);
	strbuf_add(&page, "The policy on disk is the one that runs now.\n");
	return ctl_print(&page);
}
