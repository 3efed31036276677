/* SPDX-License-Identifier: Apache-2.0 */
#include "psi-stat.h"

#include <errno.h>
#include <string.h>

static const char *const names[PSI_CAUSES] = {
	[PSI_CGROUP_MEMORY_RECLAIM] = "cgroup_memory_reclaim",
	[PSI_GLOBAL_MEMORY_RECLAIM] = "global_memory_reclaim",
	[PSI_COMPACT] = "compact",
	[PSI_CGROUP_ASYNC_MEMORY_RECLAIM] = "cgroup_async_memory_reclaim",
	[PSI_SWAP] = "swap",
	[PSI_CPU_CFS_BANDWIDTH] = "cpu_cfs_bandwidth",
	[PSI_CPU_QOS] = "cpu_qos",
};

/* A line without '=' is a name, whatever blanks are around it. */
static bool is_header(const char *line, const char *end)
{
	return memchr(line, '=', (size_t)(end - line)) == NULL;
}

/* NULL for one that is not known: its lines are passed over. */
static struct psi *cause_of(struct psi_stat *stat, const char *line, const char *end)
{
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	while (line < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	for (unsigned int i = 0; i < PSI_CAUSES; i++)
		if (strlen(names[i]) == (size_t)(end - line) &&
		    memcmp(names[i], line, (size_t)(end - line)) == 0)
			return &stat->cause[i];
	return NULL;
}

int psi_stat_parse(const char *text, struct psi_stat *ret)
{
	struct psi_stat stat = { 0 };
	struct psi *cause = NULL;
	unsigned int found = 0;

	while (*text) {
		const char *end = strchrnul(text, '\n');
		int r;

		if (is_header(text, end)) {
			/* An empty line ends nothing. */
			if (end > text)
				cause = cause_of(&stat, text, end);
		} else if (cause) {
			r = psi_line_parse(text, end, cause);
			if (r < 0)
				return r;
			found += (unsigned int)r;
		}
		text = *end ? end + 1 : end;
	}
	if (found == 0)
		return -EINVAL;
	*ret = stat;
	return 0;
}
