/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry-internal.h - from what sources say to what plugins see. Private to the registry.
 */
#pragma once

#include "workload/registry.h"

/* It names a parent that the registry does not hold (yet). */
bool workload_is_orphan(const struct workload *workload);

/* Take over what the first word says. What it said before must still be in memory: it is compared.
 * 1 if what plugins see changed, 0 if not, -ENOMEM with nothing changed. */
int workload_decide(struct registry *registry, struct workload *workload);
