/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evictor.h - how an eviction finds its way from the actuator, which knows groups, to the API,
 * which knows pods: by the registry.
 */
#pragma once

struct daemon;

/* The actuator evicts through daemon->evictions from now on. */
void evictor_set(struct daemon *daemon);
