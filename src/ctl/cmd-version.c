/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

int run_version(const struct ctl *ctl)
{
	json_auto_t *answer = NULL;
	struct strbuf page cleanup_strbuf = {};
	int r;

	/* Known without a daemon, and what a bug report needs most. */
	if (!ctl->json)
		strbuf_add(&page, "berthctl " BERTH_VERSION "\n");
	if (ctl_print(&page))
		return 1;
	strbuf_clear(&page);
	r = client_call(ctl, "GET", "/v1/version", &answer);
	if (r < 0)
		return 1;
	if (ctl->json) {
		(void)json_object_set_new(answer, "berthctl", json_string(BERTH_VERSION));
		return ctl_print_json(answer);
	}
	strbuf_addf(&page, "berthd %s (pid %llu, plugin ABI %llu)\n",
		    json_read_text(answer, "version"),
		    (unsigned long long)json_read_number(answer, "pid"),
		    (unsigned long long)json_read_number(answer, "plugin_abi"));
	return ctl_print(&page);
}
