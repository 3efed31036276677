/* SPDX-License-Identifier: Apache-2.0 */
/* evict.c - an eviction: somebody else is asked, and his answer is the result. */
#include <errno.h>
#include <stdio.h>

#include "actuator/action/internal.h"

static void on_answer(void *call, int result, const char *outcome)
{
	struct action_run *run = call;

	run->asked = false;
	(void)snprintf(run->outcome, sizeof(run->outcome), "%s", outcome);
	action_finish(run, result);
}

int evict_start(struct action_run *run)
{
	const struct action_evictor *evictor = &run->actions->evictor;
	int r;

	if (!evictor->start) {
		(void)snprintf(run->outcome, sizeof(run->outcome), "no API is up");
		return -EHOSTDOWN;
	}
	r = evictor->start(evictor->data, run->target, on_answer, run, run->outcome,
			   sizeof(run->outcome));
	run->asked = r >= 0;
	return r;
}

void evict_forget(struct action_run *run)
{
	const struct action_evictor *evictor = &run->actions->evictor;

	if (run->asked)
		evictor->forget(evictor->data, run);
	run->asked = false;
}
