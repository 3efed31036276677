/* SPDX-License-Identifier: Apache-2.0 */
/* bwm.h - is openEuler's module bwm there, and can it be told who is offline? */
#pragma once

#include "actuator/capability/capability.h"

void bwm_knob_probe(const struct sysroot *root, enum knob knob, struct capability *capability);
/* Of the class that tells bwm who is offline. */
void net_cls_probe(const struct sysroot *root, const struct hierarchy *hierarchy,
		   struct capability *capability);
