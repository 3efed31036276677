/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - the sentences of `berthctl explain`, with the numbers that were decided by. */
#include <inttypes.h>
#include <stdio.h>

#include "macro.h"
#include "shares/shares.h"

#define NUMBER 24u

static const char *mib(uint64_t bytes, char text[static NUMBER])
{
	if (bytes == SHARES_NONE)
		(void)snprintf(text, NUMBER, "max");
	else
		(void)snprintf(text, NUMBER, "%" PRIu64 " MiB", bytes >> 20);
	return text;
}

static uint64_t back(const struct shares_member *member)
{
	return MIN(member->cache + member->swappable, member->use);
}

void shares_explain(const struct shares_member *member, uint64_t budget, size_t count, char *text,
		    size_t size)
{
	char a[NUMBER], b[NUMBER], c[NUMBER], d[NUMBER];

	switch (member->refusal) {
	case SHARES_NOTHING_TO_RECLAIM:
		(void)snprintf(
			text, size,
			"no memory.high: of %s only %s could be given back (page cache %s, to "
			"swap %s): it would stand still",
			mib(member->use, a), mib(back(member), b), mib(member->cache, c),
			mib(member->swappable, d));
		break;
	case SHARES_OWN_LIMIT:
		(void)snprintf(text, size, "no memory.high: its own limit of %s is below its share",
			       mib(member->limit, a));
		break;
	case SHARES_OK:
		(void)snprintf(text, size,
			       "memory.high %s, on the way to %s of %s for %zu offline workloads; "
			       "it holds %s%s",
			       mib(member->high, a), mib(member->share, b), mib(budget, c), count,
			       mib(member->use, d), member->hungry ? " and wants more" : "");
		break;
	}
}

void shares_explain_fssr(const struct shares_member *member, uint64_t high, char *text, size_t size)
{
	char a[NUMBER], b[NUMBER];

	if (member->refusal == SHARES_NOTHING_TO_RECLAIM && shares_floor(member) <= high)
		shares_explain(member, high, 1, text, size);
	else if (member->refusal == SHARES_NOTHING_TO_RECLAIM)
		(void)snprintf(text, size,
			       "no memory.high: %s of it could not be given back, more than the "
			       "%s of fssr: it would stand still",
			       mib(shares_floor(member), a), mib(high, b));
	else
		(void)snprintf(text, size, "memory.high %s, as each offline workload (fssr)",
			       mib(high, a));
}

void shares_explain_node(const struct shares_law *law, bool limits, uint64_t available,
			 uint64_t budget, size_t count, size_t refused, char *text, size_t size)
{
	char a[NUMBER], b[NUMBER], c[NUMBER];

	if (!limits)
		(void)snprintf(
			text, size,
			"on; nobody is limited: %s of %s are available, limits begin below %s",
			mib(available, a), mib(law->total, b), mib(law->release, c));
	else
		(void)snprintf(text, size,
			       "%s for %zu offline workloads (%zu cannot be limited): %s are "
			       "available, %s are reserved",
			       mib(budget, a), count, refused, mib(available, b),
			       mib(law->reserve, c));
}
