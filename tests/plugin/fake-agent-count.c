/* SPDX-License-Identifier: Apache-2.0 */
/* fake-agent-count.c - windows of counters, as berthd has them: they end by themselves; and what is
 * told. */
#include <errno.h>
#include <stdio.h>

#include "fake-agent.h"
#include "macro.h"

static struct fake_agent *fake_of(struct agent *agent)
{
	return (struct fake_agent *)(void *)agent;
}

static void windows_end(struct fake_agent *fake)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < fake->counted; i++) {
		if (fake->counted_until[i] <= fake->now_usec)
			continue;
		fake->counted_ids[kept] = fake->counted_ids[i];
		fake->counted_until[kept++] = fake->counted_until[i];
	}
	fake->counted = kept;
}

bool fake_agent_counts(const struct fake_agent *fake, uint64_t workload)
{
	for (unsigned int i = 0; i < fake->counted; i++)
		if (fake->counted_ids[i] == workload && fake->counted_until[i] > fake->now_usec)
			return true;
	return false;
}

int fake_agent_can_count(struct agent *agent, const char **ret_reason)
{
	if (ret_reason)
		*ret_reason = fake_of(agent)->can_count ? "by the fake" : "the fake has no PMU";
	return fake_of(agent)->can_count;
}

int fake_agent_count(struct agent *agent, uint64_t workload, uint64_t usec)
{
	struct fake_agent *fake = fake_of(agent);
	const struct fake_workload *found = fake_agent_workload(fake, workload);
	uint64_t until = fake->now_usec + usec;

	fake->count_calls++;
	if (!fake->can_count)
		return -EOPNOTSUPP;
	if (!found)
		return -ENOENT;
	if (found->view.flags & WORKLOAD_IGNORED)
		return -EPERM;
	if (usec == 0 || usec > 60 * USEC_PER_SEC)
		return -ERANGE;
	windows_end(fake);
	for (unsigned int i = 0; i < fake->counted; i++)
		if (fake->counted_ids[i] == workload) {
			fake->counted_until[i] = MAX(fake->counted_until[i], until);
			return 0;
		}
	if (fake->count_room && fake->counted >= fake->count_room)
		return -ENOSPC;
	fake->counted_ids[fake->counted] = workload;
	fake->counted_until[fake->counted++] = until;
	return 0;
}

void fake_agent_tell(struct agent *agent, const char *part, uint64_t workload, const char *what,
		     const char *reason)
{
	struct fake_agent *fake = fake_of(agent);

	fake->told++;
	(void)snprintf(fake->last_told, sizeof(fake->last_told), "%s %llu %s: %s", part,
		       (unsigned long long)workload, what, reason);
}
