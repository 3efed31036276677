/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "api/self/internal.h"
#include "file.h"
#include "macro.h"
#include "parse.h"
#include "telemetry/collect/collector.h"
#include "telemetry/snapshot.h"
#include "telemetry/stall/stall.h"

static void fill_pressure(struct self_page *page, const char *resource, const struct psi *psi)
{
	const char *some[] = { resource, "some" };
	const char *full[] = { resource, "full" };

	if (psi->some.present)
		self_set(page, SELF_NODE_PRESSURE, some,
			 (double)psi->some.total_usec / USEC_PER_SEC);
	if (psi->full.present)
		self_set(page, SELF_NODE_PRESSURE, full,
			 (double)psi->full.total_usec / USEC_PER_SEC);
}

static void fill_telemetry(struct self_page *page, const struct snapshot *snapshot)
{
	struct collector_status status;
	const char *ways[2];

	snapshot_status(snapshot, &status);
	ways[0] = status.way;
	ways[1] = stall_way_name(stall_way(snapshot->stall));
	self_set(page, SELF_TELEMETRY, ways, 1);
	self_set_plain(page, SELF_TELEMETRY_PASSES, (double)snapshot->generation);
	self_set_plain(page, SELF_TELEMETRY_PASS, (double)snapshot->duration_usec / USEC_PER_SEC);
	self_set_plain(page, SELF_TELEMETRY_ERRORS, (double)snapshot->errors);
}

void self_fill_node(struct self_page *page, const struct self_state *state)
{
	const struct snapshot_node *node;

	/* Before the first pass all is zero, and a counter that starts at zero and jumps would
	 * read as a node that worked for weeks in one interval. */
	if (!state->snapshot || state->snapshot->generation == 0)
		return;
	fill_telemetry(page, state->snapshot);
	node = &state->snapshot->node;
	self_set_plain(page, SELF_NODE_CPU, (double)node->cpu_total_usec / USEC_PER_SEC);
	self_set_plain(page, SELF_NODE_CPU_BUSY, (double)node->cpu_busy_usec / USEC_PER_SEC);
	self_set_plain(page, SELF_NODE_MEMORY, (double)node->memory_total_bytes);
	self_set_plain(page, SELF_NODE_MEMORY_AVAILABLE, (double)node->memory_available_bytes);
	if (!node->has_psi)
		return;
	fill_pressure(page, "cpu", &node->cpu);
	fill_pressure(page, "memory", &node->memory);
	fill_pressure(page, "io", &node->io);
}

/* The second number of statm is resident pages (proc(5)). */
static int resident_read(int root, uint64_t *ret)
{
	char text[128];
	const char *field;
	uint64_t pages;
	int r = file_read(root, "proc/self/statm", text, sizeof(text));

	if (r < 0)
		return r;
	field = strchr(text, ' ');
	if (!field)
		return -EINVAL;
	field++;
	r = parse_u64_span(field, strcspn(field, " "), &pages);
	if (r < 0)
		return r;
	*ret = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int fds_count(int root, uint64_t *ret)
{
	DIR *dir cleanup_closedir = NULL;
	uint64_t count = 0;
	int fd = openat(root, "proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return close_keep_errno(fd), -errno;
	for (const struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	/* One of them is the directory itself. */
	*ret = count ? count - 1 : 0;
	return 0;
}

void self_fill_process(struct self_page *page, const struct self_state *state)
{
	struct rusage usage;
	uint64_t number = 0;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		self_set_plain(page, SELF_PROCESS_CPU,
			       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
				       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
					       USEC_PER_SEC);
	if (!state->root || state->root->root < 0)
		return;
	if (resident_read(state->root->root, &number) == 0)
		self_set_plain(page, SELF_PROCESS_RESIDENT, (double)number);
	if (fds_count(state->root->root, &number) == 0)
		self_set_plain(page, SELF_PROCESS_FDS, (double)number);
}
