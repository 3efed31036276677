/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - holdings to the journal. */
#include <errno.h>
#include <string.h>

#include "actuator/claim/internal.h"
#include "actuator/process-list.h"
#include "strbuf.h"

#define COMPACT_RETRY_USEC USEC_PER_SEC

/* originals: where the text of a process knob goes. */
static int record_fill(const struct actuator *actuator, const struct holding *holding,
		       const char *next, struct strbuf *originals, struct journal_record *ret)
{
	const struct knob_row *row = &knob_table[holding->knob];
	const struct claim *claim = holding_effective_claim(holding);

	*ret = (struct journal_record){
		.inode = holding->group->cgroup.inode[row->controller],
		.number = holding->number,
		.knob = holding->knob,
		.device = holding->device,
		.version = (uint32_t)holding_version(actuator, holding),
		.flags = (holding->flags & HOLDING_WAS_LOCKED ? JOURNAL_LOCKED : 0u) |
			 (claim ? 0u : JOURNAL_INTERNAL),
		.path = holding->group->cgroup.path,
		.original = holding->original ? holding->original : "",
		.previous = holding_slow_previous(holding),
		.next = next,
		.owner = claim ? claim->owner : "",
	};
	if (row->flags & (KNOB_HOST | KNOB_ROOT))
		ret->inode = 0;
	/* Processes are found by any hierarchy: a v1 host may have none with memory (6.12 without
	 * CONFIG_MEMCG_V1). */
	if (row->flags & KNOB_PROCESSES) {
		int controller = process_list_controller(&holding->group->cgroup);

		ret->inode = controller < 0 ? 0 : holding->group->cgroup.inode[controller];
	}
	if (holding->processes) {
		process_knob_originals(holding->processes, originals);
		ret->original = strbuf_text(originals);
	}
	return strbuf_error(originals);
}

static int journal_compact_all(struct actuator *actuator)
{
	uint64_t now = actuator_now(actuator);
	struct holding *holding;
	int r;

	if (actuator->has_lost_records || actuator->compact_usec > now)
		return -EBUSY;
	r = journal_compact_begin(actuator->journal);
	if (r < 0)
		return r;
	list_foreach (holding, &actuator->holdings, list) {
		cleanup_strbuf struct strbuf originals = { 0 };
		struct journal_record record;

		if (!holding->slot.id)
			continue;
		r = record_fill(actuator, holding, holding->written ? holding->written : "",
				&originals, &record);
		if (r == 0)
			r = journal_compact_add(actuator->journal, &record, &holding->slot);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = unit_pins_compact(actuator->pins, actuator->journal);
	if (r == 0)
		r = journal_compact_end(actuator->journal);
	if (r < 0) {
		journal_compact_abort(actuator->journal);
		/* On a full file system each of a thousand holdings would copy all of them. */
		actuator->compact_usec = now + COMPACT_RETRY_USEC;
	}
	return r;
}

int holding_record(struct actuator *actuator, struct holding *holding, const char *next)
{
	cleanup_strbuf struct strbuf originals = { 0 };
	struct journal_record record;
	int r = record_fill(actuator, holding, next, &originals, &record);

	if (r < 0)
		return r;
	if (journal_wants_compaction(actuator->journal))
		(void)journal_compact_all(actuator);
	r = journal_append(actuator->journal, &record, &holding->slot);
	if (r == -ENOSPC && journal_compact_all(actuator) == 0)
		r = journal_append(actuator->journal, &record, &holding->slot);
	if (r < 0) {
		actuator->stats.journal_errors++;
		if (log_limit_pass(&actuator->journal_limit, LOG_ERR))
			log_error("cannot record a change in '%s', so it is not made: %s",
				  JOURNAL_NAME, strerror(-r));
	}
	return r;
}

void holding_forget_record(struct actuator *actuator, struct holding *holding)
{
	if (holding->slot.id && journal_release(actuator->journal, &holding->slot) < 0)
		actuator->stats.journal_errors++;
}
