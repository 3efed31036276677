/* SPDX-License-Identifier: Apache-2.0 */
/*
 * programs.h - pace.bpf.c, loaded: one program for devices, which is known by its id, and one for
 * the groups of offline workloads. What is attached to a group ends with its link, with the group,
 * and with this process, however that ends.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "network/pace-shared.h"

struct pace_programs;

/* -EOPNOTSUPP: built without BPF; -errno. ret_detail says why, for people. */
int pace_programs_new(const struct pace_settings *settings, struct pace_programs **ret,
		      char *ret_detail, size_t size);
struct pace_programs *pace_programs_free(struct pace_programs *programs);

void pace_programs_set(struct pace_programs *programs, const struct pace_settings *settings);
/* The id of the program of devices. */
uint32_t pace_programs_id(const struct pace_programs *programs);
/* The first of the devices gives the line for what cannot wait. 0 or -errno. */
int pace_programs_add_device(struct pace_programs *programs, uint32_t ifindex);
void pace_programs_remove_device(struct pace_programs *programs, uint32_t ifindex);
/* How many groups there are: with 0 nothing is looked up. */
void pace_programs_set_groups(struct pace_programs *programs, uint32_t count);

/* fd: of the group's directory on v2. Returns the link, an fd that is the caller's to close.
 * -EPERM: the group, or one above it, has a program of somebody else's that allows no other. */
int pace_programs_attach(struct pace_programs *programs, int fd);

struct pace_report {
	struct pace_device offline;
	struct pace_online online;
};

int pace_programs_read(const struct pace_programs *programs, uint32_t ifindex,
		       struct pace_report *ret);
