/* SPDX-License-Identifier: Apache-2.0 */
/* wants.c - a small set of wanted knob values. */
#include "priority/priority.h"

void wants_add(struct wants *wants, enum knob knob, uint64_t number)
{
	if (wants->count == WANTS_MAX || wants_has(wants, knob))
		return;
	wants->items[wants->count++] = (struct want){ .knob = knob, .number = number };
}

bool wants_has(const struct wants *wants, enum knob knob)
{
	for (size_t i = 0; i < wants->count; i++)
		if (wants->items[i].knob == knob)
			return true;
	return false;
}
