/* SPDX-License-Identifier: Apache-2.0 */
/* protect.c - how much of what online workloads request is protected, when all of it is too much.
 */
#include <stdlib.h>

#include "macro.h"
#include "priority/priority.h"

static size_t index_of(enum qos_level level)
{
	return (size_t)(QOS_CRITICAL - level);
}

void protect_scale(const uint64_t sums[PROTECT_LEVELS], uint64_t most,
		   uint32_t ret_shares[PROTECT_LEVELS])
{
	for (size_t i = 0; i < PROTECT_LEVELS; i++) {
		if (sums[i] <= most) {
			ret_shares[i] = PROTECT_WHOLE;
			most -= sums[i];
			continue;
		}
		ret_shares[i] = (uint32_t)((unsigned __int128)most * PROTECT_WHOLE / sums[i]);
		most = 0;
	}
}

bool protect_wants(const struct colocation_config *config, const struct berth_workload *workload)
{
	return config->memory_enabled && config->memory_protect != PROTECT_OFF &&
	       !(workload->flags & WORKLOAD_IGNORED) && workload->qos >= QOS_NORMAL &&
	       index_of(workload->qos) <= config->memory_protect_from;
}

uint64_t protect_amount(const struct priority_host *host, const struct berth_workload *workload)
{
	uint32_t share = host->protect_shares[index_of(workload->qos)];

	return (uint64_t)((unsigned __int128)workload->memory_request_bytes * share /
			  PROTECT_WHOLE);
}

static struct protect_entry *entry_get(struct protect_sums *sums, uint64_t id)
{
	struct protect_entry *entry = hashmap_get_u64(&sums->entries, id);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry && hashmap_put_u64(&sums->entries, id, entry) < 0) {
		free(entry);
		return NULL;
	}
	return entry;
}

void protect_forget(struct protect_sums *sums, uint64_t id)
{
	struct protect_entry *entry = hashmap_remove_u64(&sums->entries, id);

	if (entry)
		sums->bytes[entry->level] -= entry->bytes;
	free(entry);
}

void protect_note(struct protect_sums *sums, const struct berth_workload *workload)
{
	struct protect_entry *entry = entry_get(sums, workload->id);

	/* Without memory it is protected and not counted. */
	if (!entry)
		return;
	sums->bytes[entry->level] -= entry->bytes;
	entry->level = index_of(workload->qos);
	/* What a sum cannot hold is more than any node has. */
	entry->bytes = MIN(workload->memory_request_bytes, UINT64_MAX - sums->bytes[entry->level]);
	sums->bytes[entry->level] += entry->bytes;
}

void protect_done(struct protect_sums *sums)
{
	struct protect_entry *entry;

	hashmap_foreach (entry, &sums->entries)
		free(entry);
	hashmap_done(&sums->entries);
}
