/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "client.h"
#include "explain/page.h"

enum { OPTION_NOW };

/* The same workload once more, a second later. NULL: it failed, which was said. */
static json_t *look_again(const struct ctl *ctl, const char *path)
{
	struct timespec left = { .tv_sec = 1 };
	json_t *answer = NULL;

	ctl_error("no averages yet: looking for a second (--now does not)");
	while (nanosleep(&left, &left) < 0)
		;
	return client_get(ctl, path, &answer) == 0 ? answer : NULL;
}

int run_explain(const struct ctl *ctl)
{
	struct strbuf page cleanup_strbuf = {}, path cleanup_strbuf = {};
	json_auto_t *first = NULL, *second = NULL;
	int r;

	if (client_path(&path, "/v1/explain", "workload", ctl->cli->arguments[0]) < 0)
		return 1;
	r = client_get(ctl, strbuf_text(&path), &first);
	if (r)
		return r < 0;
	if (!ctl->cli->values[OPTION_NOW] && explain_wants_more(first)) {
		second = look_again(ctl, strbuf_text(&path));
		if (!second)
			return 1;
	}
	r = second ? explain_page(first, second, false, &ctl->screen, &page)
		   : explain_page(NULL, first, false, &ctl->screen, &page);
	return r < 0 ? 1 : ctl_print(&page);
}
