/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "fake-agent.h"

int fake_agent_publish(struct agent *agent, const struct metric_table *tables, size_t count,
		       int (*wants)(void *self, const struct berth_workload *workload))
{
	struct fake_agent *fake = (struct fake_agent *)(void *)agent;

	if (fake->publish_error)
		return fake->publish_error;
	for (size_t i = 0; i < count; i++)
		if (strncmp(tables[i].name, "berth_", strlen("berth_")) != 0 ||
		    tables[i].column_count == 0)
			return -EINVAL;
	fake->published = tables;
	fake->published_count = count;
	fake->wants = wants;
	return 0;
}

bool fake_agent_publishes(const struct fake_agent *fake, const char *name, uint64_t workload)
{
	const struct berth_workload *view = NULL;

	for (size_t i = 0; i < fake->workload_count; i++)
		if (fake->workloads[i]->view.id == workload)
			view = &fake->workloads[i]->view;
	if (workload != 0 && (!view || (fake->wants && fake->wants(fake->self, view) <= 0)))
		return false;
	for (size_t i = 0; i < fake->published_count; i++)
		if (strcmp(fake->published[i].name, name) == 0)
			return true;
	return false;
}
