/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-import.c - anything as the configuration of each other agent: an error that says so, or a
 * policy that Berth's own reader takes. */
#include <stdlib.h>
#include <string.h>

#include "config/tree.h"
#include "import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void policy_read_back(const struct import *import)
{
	struct config_errors errors CLEANUP(config_errors_done) = {};
	struct strbuf page cleanup_strbuf = {};
	struct config_node *node = NULL;
	int r;

	import_policy_print(&import->policy, &page);
	if (strbuf_error(&page))
		return;
	r = config_tree_parse(page.text, page.length, "policy", &errors, &node);
	/* A file of 10 MiB may become a policy that is larger than Berth takes. */
	if (r == -EINVAL && page.length <= CONFIG_FILE_MAX && errors.count &&
	    !strstr(errors.items[0].text, "more than"))
		abort();
	(void)config_node_free(node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (const struct import_agent *agent = import_agents; agent->name; agent++) {
		struct import import = {};
		int r = import_run(&import, agent, "fuzz", text, size);

		/* A failure that says nothing leaves its user with nothing. */
		if (r == -EINVAL && import.notes.errors == 0)
			abort();
		if (r == 0)
			policy_read_back(&import);
		import_done(&import);
	}
	free(text);
	return 0;
}
