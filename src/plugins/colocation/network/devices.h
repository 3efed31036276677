/* SPDX-License-Identifier: Apache-2.0 */
/* devices.h - the network devices that the policy means, in the namespace that berthd is in. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "network/pace-shared.h"

struct net_device {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
};

struct net_devices {
	struct net_device items[PACE_DEVICES]; /* by number; more are not looked at */
	size_t count;
	size_t found; /* with those */
};

/* Where the route tables are; tests have some of their own. */
extern const char *net_devices_proc;

/* Those that one of the globs matches, without lo; no globs: those that a default route leaves by.
 * 0 or -errno. */
int net_devices_find(char *const *globs, struct net_devices *ret);
/* Is the namespace that berthd is in that of the host's first process? True when that cannot be
 * told. */
bool net_devices_are_hosts(void);
/* A socket that is readable when links, routes or filters changed; -errno. */
int net_devices_watch(void);
/* Empties it. True: what net_devices_find() goes by may have changed, or a filter of ours. */
bool net_devices_changed(int fd);
