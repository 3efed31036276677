/* SPDX-License-Identifier: Apache-2.0 */
#include "import/import.h"

#include <errno.h>

const struct import_agent import_agents[] = {
	/* The order of the keys is that of `parts` in import/koordinator.c. */
	{ "koordinator",
	  "Koordinator's slo-controller-config",
	  { "resource-threshold-config", "resource-qos-config", "cpu-burst-config" },
	  false,
	  import_koordinator },
	{ "rubik", "rubik's config.json", { "config.json" }, true, import_rubik },
	{ "volcano",
	  "Volcano's volcano-agent-configuration",
	  { "colocation-config" },
	  true,
	  import_volcano },
	{ NULL },
};

void import_done(struct import *import)
{
	import_node_done(&import->policy);
	import_notes_done(&import->notes);
	import_file_done(&import->file);
}

int import_run(struct import *import, const struct import_agent *agent, const char *name,
	       const char *text, size_t length)
{
	int r;

	/* The name may hold anything, so it goes the way of all comments. */
	strbuf_addf(&import->policy.before,
		    "%s, from %.200s, as a policy of Berth: berth.yaml(5).\n", agent->title, name);
	strbuf_add(&import->policy.before,
		   "What is not here has Berth's default. Before it is used: berthctl check FILE, "
		   "berthctl plan FILE.\n");
	r = import_file_parse(import, name, text, length, agent->keys, agent->is_bare);
	if (r == 0)
		r = agent->read(import);
	if (import->notes.dropped)
		strbuf_addf(&import->policy.before,
			    "There are %zu remarks more than are told here.\n",
			    import->notes.dropped);
	if (import->error)
		return import->error;
	/* A part that went wrong in the middle of others. */
	return r == 0 && import->notes.errors ? -EINVAL : r;
}
