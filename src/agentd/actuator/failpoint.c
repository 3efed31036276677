/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/failpoint.h"

void (*actuator_failpoint)(const char *step);
