/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/quarantine.h"

#include "macro.h"

void quarantine_rest(struct quarantine *quarantine, uint64_t now_usec)
{
	uint64_t rest = QUARANTINE_FIRST_USEC;

	if (quarantine->rest_usec > 0)
		rest = MIN(quarantine->rest_usec * 2, QUARANTINE_LAST_USEC);
	quarantine->rest_usec = rest;
	quarantine->until_usec = now_usec + rest;
	quarantine->last_failure_usec = quarantine->until_usec;
	quarantine->failures = 0;
}

bool quarantine_failure(struct quarantine *quarantine, uint64_t now_usec)
{
	if (quarantine->failures == 0 ||
	    now_usec - quarantine->window_start_usec >= QUARANTINE_WINDOW_USEC) {
		quarantine->window_start_usec = now_usec;
		quarantine->failures = 0;
	}
	quarantine->last_failure_usec = now_usec;
	if (++quarantine->failures < QUARANTINE_FAILURES)
		return false;
	quarantine_rest(quarantine, now_usec);
	return true;
}

void quarantine_calm(struct quarantine *quarantine, uint64_t now_usec)
{
	if (now_usec < quarantine->last_failure_usec + QUARANTINE_WINDOW_USEC)
		return;
	quarantine->rest_usec = 0;
	quarantine->failures = 0;
}
