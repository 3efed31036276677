/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob/bwm.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "macro.h"
#include "parse.h"

/* bwmcli's: bpf/bwm_tc.h of oncn-bwm. */
#define DEFAULT_BANDWIDTH "20mb,1gb"
#define DEFAULT_WATERLINE "20mb"
#define ARGUMENT_MAX      16u /* characters that bwmcli takes of each */
#define NUMBERS           2u

static const struct {
	const char *name;
	unsigned int shift;
} units[] = { { "kb", 10 }, { "mb", 20 }, { "gb", 30 } };

/* "20mb"; a leading 0 is refused there. */
static int amount_parse(const char *text, size_t length, uint64_t *ret)
{
	uint64_t number;
	int r;

	if (length < 3 || length > ARGUMENT_MAX || text[0] == '0')
		return -EINVAL;
	r = parse_u64_span(text, length - 2, &number);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (memcmp(text + length - 2, units[i].name, 2) != 0)
			continue;
		if (number > UINT64_MAX >> units[i].shift)
			return -ERANGE;
		*ret = number << units[i].shift;
		return 0;
	}
	return -EINVAL;
}

static int amounts_parse(enum knob knob, const char *text, uint64_t ret[static NUMBERS])
{
	const char *comma = strchr(text, ',');
	int r;

	ret[1] = 0;
	if (knob == KNOB_BWM_WATERLINE)
		return amount_parse(text, strlen(text), &ret[0]);
	if (!comma)
		return -EINVAL;
	r = amount_parse(text, (size_t)(comma - text), &ret[0]);
	return r < 0 ? r : amount_parse(comma + 1, strlen(comma + 1), &ret[1]);
}

const char *bwm_knob_text(enum knob knob, const char *text)
{
	uint64_t amounts[NUMBERS];

	if (text[0] == '\0')
		return knob == KNOB_BWM_WATERLINE ? DEFAULT_WATERLINE : DEFAULT_BANDWIDTH;
	return amounts_parse(knob, text, amounts) < 0 ? NULL : text;
}

bool bwm_knob_same(enum knob knob, const char *a, const char *b)
{
	uint64_t left[NUMBERS], right[NUMBERS];

	a = bwm_knob_text(knob, a);
	b = bwm_knob_text(knob, b);
	return a && b && amounts_parse(knob, a, left) == 0 && amounts_parse(knob, b, right) == 0 &&
	       left[0] == right[0] && left[1] == right[1];
}
