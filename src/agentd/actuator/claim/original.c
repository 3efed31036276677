/* SPDX-License-Identifier: Apache-2.0 */
/* original.c - what a knob is without us: for those who want to stay below it, or above. */
#include <errno.h>

#include "actuator/claim/internal.h"

int actuator_knob_value(struct actuator *actuator, const struct actuator_target *target,
			enum knob knob, uint64_t *ret_original, uint64_t *ret_now)
{
	const struct knob_row *row = (unsigned int)knob < KNOB_MAX ? &knob_table[knob] : NULL;
	struct group *group = group_find_target(actuator, target->target);
	struct holding *holding = group && row ? holding_find(group, knob) : NULL;
	uint64_t original, now;
	int version, r;

	if (!row || !target->group || row->type == KNOB_TYPE_TEXT ||
	    (row->flags & (KNOB_HOST | KNOB_PROCESSES | KNOB_DEVICE | KNOB_ROOT)))
		return -EINVAL;
	version = actuator->context.hierarchy->mounts[row->controller].version;
	if (version == 0 || !knob_file(knob, version))
		return -EOPNOTSUPP;
	/* What was never written is the host's own still, whatever was claimed. */
	if (holding && holding->written && holding->original) {
		r = holding_base(actuator, holding, &original);
		now = holding->status == KNOB_WRITTEN ? holding->number : original;
	} else {
		const struct group seen = { .cgroup = *target->group };

		r = group_number(actuator, &seen, knob, &original);
		now = original;
	}
	if (r < 0)
		return r;
	*ret_original = original;
	if (ret_now)
		*ret_now = now;
	return 0;
}
