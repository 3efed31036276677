/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint.c - die at a chosen step. */
#include "failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "actuator/actuator.h"
#include "log.h"
#include "parse.h"

static uint64_t steps_left;

static void failpoint_step(const char *step)
{
	if (--steps_left > 0)
		return;
	log_notice("failpoint: killed at '%s'", step);
	(void)raise(SIGKILL);
}

int failpoint_arm(void)
{
	const char *text = getenv("BERTH_FAILPOINT");
	int r;

	if (!text)
		return 0;
	r = parse_u64(text, &steps_left);
	if (r < 0 || steps_left == 0)
		return -EINVAL;
	actuator_failpoint = failpoint_step;
	return 0;
}
