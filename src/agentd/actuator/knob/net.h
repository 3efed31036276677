/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h - knobs of a network device that are no file but an answer of rtnetlink. Their texts:
 *
 *   net.qdisc    "default KIND": what the kernel put there by itself; "fq": ours; "fq unfinished":
 *                ours, and some queues have no fq yet; "KIND": somebody else's, which is never
 *                replaced.
 *   net.egress   "none": no clsact; "clsact": one without a filter of ours; "program ID": our
 * filter with that BPF program.
 *
 * A device is known by its number, which the kernel gives to none other before the next boot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"

/* -ENODEV: there is no such device (any more). */
int net_knob_read(enum knob knob, uint32_t ifindex, char *text, size_t size);
/* -EBUSY: what stands there is somebody else's; -EOPNOTSUPP: this kernel has no fq, or no BPF
 * filters. */
int net_knob_write(enum knob knob, uint32_t ifindex, const char *text);
/* "default fq_codel" is what the kernel puts there, today or tomorrow; a clsact that others have
 * come to use is as good as none. */
bool net_knob_same(const char *a, const char *b);
/* Is `current` what a write of `text` leaves behind when it is cut short, of what was `original`?
 */
bool net_knob_is_part(const char *current, const char *original, const char *text);
/* May berthd do this at all? 0; -EPERM: without CAP_NET_ADMIN not. */
int net_knob_probe(void);
