/* SPDX-License-Identifier: Apache-2.0 */
/* unit-want.c - between holdings and unit/pin.c: which property is to be what, by what is written.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actuator/claim/internal.h"

static enum unit_want holding_wants(const struct actuator *actuator, struct holding *holding,
				    uint64_t *ret)
{
	enum knob knob = (enum knob)holding->knob;
	int version = holding_version(actuator, holding);
	uint64_t value;

	/* While somebody else's value is being judged, or a write failed: as it is. */
	if (holding->status == KNOB_PENDING || holding->status == KNOB_FAILED)
		return UNIT_WANT_KEEP;
	if (holding->status != KNOB_WRITTEN || !holding->written)
		return UNIT_WANT_NOTHING;
	/* An ancestor whose own value is enough for the sum below it. */
	if (!holding_is_claimed(holding) && holding->original &&
	    knob_same(knob, version, holding->written, holding->original))
		return UNIT_WANT_NOTHING;
	/* What is lent changes too often for a call to systemd each time; a daemon-reload that
	 * takes it away is a foreign write, and written over. */
	if (holding_is_raised(actuator, holding))
		return UNIT_WANT_NOTHING;
	if (unit_property_value(knob, version, holding->number, &value) < 0)
		return UNIT_WANT_NOTHING;
	*ret = value;
	return UNIT_WANT_VALUE;
}

enum unit_want actuator_unit_wants(void *data, const char *path, enum unit_property property,
				   uint64_t *ret)
{
	const struct actuator *actuator = data;
	const struct group *group = hashmap_get(&actuator->by_path, path);
	enum unit_want want = UNIT_WANT_NOTHING;
	struct holding *holding;

	if (!group || !actuator_writes(actuator) || !actuator->options.pin_units)
		return UNIT_WANT_NOTHING;
	list_foreach (holding, &group->holdings, in_group) {
		int version = holding_version(actuator, holding);
		uint64_t value = 0;
		enum unit_want one;

		if ((holding->flags & HOLDING_DEAD) ||
		    unit_property_of((enum knob)holding->knob, version) != (int)property)
			continue;
		one = holding_wants(actuator, holding, &value);
		/* Of cpu.idle and the weight only one is in effect; the other is shadowed, or 0. */
		if (one == UNIT_WANT_VALUE)
			*ret = value;
		if (one > want)
			want = one;
		if (holding->knob == KNOB_CPU_IDLE && one != UNIT_WANT_NOTHING)
			return one;
	}
	return want;
}

bool actuator_unit_holds(void *data, const char *path, enum knob knob)
{
	const struct actuator *actuator = data;
	const struct group *group = hashmap_get(&actuator->by_path, path);
	const struct holding *holding = group ? holding_find(group, knob) : NULL;

	return holding && !(holding->flags & HOLDING_DEAD) && holding->status == KNOB_WRITTEN;
}

void actuator_unit_done(void *data, const char *path, bool is_unit)
{
	struct actuator *actuator = data;
	struct group *group = hashmap_get(&actuator->by_path, path);
	struct holding *holding;

	if (!group)
		return;
	if (!is_unit) {
		group->not_unit = true;
		return;
	}
	/* What was not looked at while systemd wrote. */
	list_foreach (holding, &group->holdings, in_group)
		holding_check(actuator, holding);
	actuator_sweep(actuator);
}

void actuator_unit_tell(void *data, const char *unit, const char *setting, const char *outcome,
			int result)
{
	struct actuator *actuator = data;
	char text[UNIT_NAME_LENGTH + 96];
	struct history_view view = {
		.owner = "berthd",
		.label = unit,
		.what = "systemd property",
		.argument = setting,
		.reason = "systemd would write its own value at daemon-reload",
		.outcome = outcome,
		.result = result,
	};

	(void)history_add(actuator->history, &view);
	(void)snprintf(text, sizeof(text), "%s of %s: %s", setting, unit, outcome);
	if (result < 0 && log_limit_pass(&actuator->unit_limit, LOG_NOTICE))
		log_notice("%s: %s", text, strerrordesc_np(-result));
}

void actuator_unit_look(struct actuator *actuator, const struct group *group)
{
	if (!group->not_unit && group->cgroup.path[0])
		unit_pins_look(actuator->pins, group->cgroup.path);
}

void actuator_unit_look_all(struct actuator *actuator)
{
	const struct group *group;

	unit_pins_retry(actuator->pins);
	list_foreach (group, &actuator->groups, list)
		actuator_unit_look(actuator, group);
}

int holding_set_original(struct holding *holding, const struct actuator *actuator,
			 const char *found)
{
	char text[KNOB_TEXT_MAX];

	if (unit_pins_original(actuator->pins, holding->group->cgroup.path,
			       (enum knob)holding->knob, holding_version(actuator, holding), found,
			       text, sizeof(text))) {
		/* It is ours, by way of systemd; what we know of it is as good. */
		if (holding->original)
			return 0;
		found = text;
	}
	if (!holding->original || strcmp(holding->original, found) != 0)
		holding->flags &= (uint16_t)~HOLDING_BASED;
	holding_set_text(&holding->original, found);
	return holding->original ? 0 : -ENOMEM;
}
