/* SPDX-License-Identifier: Apache-2.0 */
#include "shares/fssr.h"

#include "macro.h"

#define HIGHEST_PERCENT 80u
#define LOWEST_PERCENT  30u
#define RESERVE_PERCENT 10u
#define DOWN_PERCENT    10u
#define UP_PERCENT      1u
#define CALM_PERIODS    12u

static uint64_t percent(uint64_t total, unsigned int part)
{
	return total / 100 * part;
}

uint64_t fssr_tick(struct fssr *fssr, uint64_t total, uint64_t free)
{
	uint64_t reserve = percent(total, RESERVE_PERCENT);
	uint64_t highest = percent(total, HIGHEST_PERCENT);
	uint64_t lowest = percent(total, LOWEST_PERCENT);

	if (fssr->high == 0)
		fssr->high = highest;
	/* Of a host that has more memory now, or less. */
	fssr->high = MAX(MIN(fssr->high, highest), lowest);
	if (free < reserve) {
		fssr->calm = 0;
		fssr->high = MAX(fssr->high - percent(total, DOWN_PERCENT), lowest);
	} else if (free <= 2 * reserve) {
		fssr->calm = 0;
	} else if (fssr->calm < CALM_PERIODS) {
		fssr->calm++;
	} else {
		fssr->calm = 0;
		fssr->high = MIN(fssr->high + percent(total, UP_PERCENT), highest);
	}
	return fssr->high;
}
