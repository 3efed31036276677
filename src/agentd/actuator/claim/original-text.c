/* SPDX-License-Identifier: Apache-2.0 */
/* original-text.c - what a knob with a text is without us. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actuator/claim/internal.h"

static int copy(const char *from, char *text, size_t size)
{
	int length = snprintf(text, size, "%s", from);

	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}

int actuator_original_text(const struct actuator *actuator, const struct actuator_target *target,
			   enum knob knob, char *text, size_t size)
{
	const struct group *group = group_find_target(actuator, target->target);
	const struct knob_row *row = (unsigned int)knob < KNOB_MAX ? &knob_table[knob] : NULL;
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	const struct holding *holding;
	char found[KNOB_TEXT_MAX];
	struct knob_place place;
	int r;

	if (!row || row->type != KNOB_TYPE_TEXT || !target->group ||
	    (row->flags & (KNOB_HOST | KNOB_DEVICE | KNOB_ROOT)))
		return -EINVAL;
	/* Not every group that is held is a target. */
	if (!group)
		group = hashmap_get(&actuator->by_path, target->group->path);
	holding = group ? holding_find(group, knob) : NULL;
	if (holding && holding->original && holding->written)
		return copy(holding->original, text, size);
	place = (struct knob_place){
		.root = actuator->context.root,
		.hierarchy = actuator->context.hierarchy,
		.group = target->group,
		.knob = knob,
	};
	r = knob_file_open(&place, false, &file);
	if (r == 0)
		r = knob_file_read(&file, found, sizeof(found));
	if (r < 0)
		return r;
	return copy(knob_original_of(actuator, target->group->path, knob, file.version, found),
		    text, size);
}
