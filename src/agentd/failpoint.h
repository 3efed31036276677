/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint.h - kill tests: in a build with -Dfailpoints=true, $BERTH_FAILPOINT=N makes berthd kill
 * itself with SIGKILL at the Nth step of the actuator. Never in a release build.
 */
#pragma once

/* 0, or -EINVAL for a malformed $BERTH_FAILPOINT. Does nothing when it is not set. */
int failpoint_arm(void);
