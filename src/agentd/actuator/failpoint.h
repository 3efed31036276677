/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint.h - the places at which a kill test ends the process. actuator_failpoint itself is
 * declared in actuator.h.
 */
#pragma once

extern void (*actuator_failpoint)(const char *step);

static inline void failpoint(const char *step)
{
	if (actuator_failpoint)
		actuator_failpoint(step);
}
