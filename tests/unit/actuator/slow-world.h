/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow-world.h - until the thread of a world's slow writer has done its work, however long it had
 * to wait for a CPU.
 */
#pragma once

#include "actuator/claim/internal.h"
#include "world.h"

static inline int slow_nothing(const void *argument)
{
	(void)argument;
	return 0;
}

static inline void slow_on_last(void *data, int result)
{
	(void)result;
	*(bool *)data = true;
}

/* Writes are made one after the other: when this one is done, all before it are. */
static inline void slow_writes_end(struct world *world, struct slow_writer *writer)
{
	bool last = false;
	int r;

	world_until(world, (r = slow_writer_call(writer, slow_nothing, "", 1, slow_on_last,
						 &last)) != -EAGAIN);
	assert_ok(r);
	world_until(world, last);
}

static inline bool slow_write_is_under_way(const struct world *world)
{
	const struct holding *holding;

	list_foreach (holding, &world->actuator->holdings, list)
		if (holding->slow)
			return true;
	return false;
}

/* Also what is written because one was: until there is nothing more to write. */
static inline void slow_settle(struct world *world, struct slow_writer *writer)
{
	do {
		slow_writes_end(world, writer);
		world_run(world, 0);
	} while (slow_write_is_under_way(world));
}
