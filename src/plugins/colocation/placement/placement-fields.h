/* SPDX-License-Identifier: Apache-2.0 */
/* placement-fields.h - the rows of config.c that placement goes by. */
#pragma once

#include "config/bind.h"
#include "macro.h"
#include "placement/placement.h"

static const char *const tidal_way_names[] = { "auto", "preferred", "cpuset", NULL };

#define PLACEMENT_CPU_FIELDS(T)                                                                    \
	FIELD_BOOL(T, "cpu.prio_load_balance", placement.prio_balance, 0,                          \
		   "openEuler: load balancing moves online tasks first"),                          \
		FIELD_USEC(T, "cpu.overload_detect", placement.overload_usec, 0,                   \
			   100 * USEC_PER_SEC, 0,                                                  \
			   "openEuler: so long may offline tasks starve on a CPU, 100ms to 100s; " \
			   "0 leaves it alone"),                                                   \
		FIELD_USEC(T, "cpu.overload_wait", placement.wait_usec, 0, USEC_PER_SEC, 0,        \
			   "openEuler: so long they sleep after that, 100ms to 1s; 0 leaves it "   \
			   "alone"),                                                               \
		FIELD_STRING(T, "cpu.level_weights", placement.level_weights, "",                  \
			     "openEuler: what the levels -2 to 2 weigh, five numbers; empty "      \
			     "leaves it alone")

#define PLACEMENT_FIELDS(T)                                                                        \
	FIELD_BOOL(T, "placement.tidal.enabled", placement.tidal_enabled, 0,                       \
		   "offline work has fewer CPUs while online work waits for them"),                \
		FIELD_ENUM(T, "placement.tidal.way", placement.tidal_way, tidal_way_names,         \
			   TIDAL_AUTO,                                                             \
			   "preferred is cpuset.preferred_cpus of openEuler, cpuset is a list "    \
			   "that is narrowed and widened"),                                        \
		FIELD_USEC(T, "placement.tidal.period", placement.period_usec, USEC_PER_SEC,       \
			   60 * USEC_PER_SEC, 2 * USEC_PER_SEC, "between two looks"),              \
		FIELD_U64(T, "placement.tidal.high_percent", placement.high_percent, 1, 100, 10,   \
			  "an online workload waits for the CPU so much: narrower at once"),       \
		FIELD_PERCENT(T, "placement.tidal.low_percent", placement.low_percent, 3,          \
			      "none waits for more than that: wider, slowly"),                     \
		FIELD_U64(T, "placement.tidal.floor_percent", placement.floor_percent, 0, 100, 10, \
			  "CPUs that offline work always has; one at least"),                      \
		FIELD_U64(T, "placement.tidal.share_percent", placement.share_percent, 0, 100, 50, \
			  "CPUs that it has, or prefers, while nothing is known"),                 \
		FIELD_U64(T, "placement.tidal.step_percent", placement.step_percent, 1, 100, 10,   \
			  "CPUs that it is given back at a time"),                                 \
		FIELD_USEC(T, "placement.tidal.calm", placement.calm_usec, USEC_PER_SEC,           \
			   3600 * USEC_PER_SEC, 30 * USEC_PER_SEC, "calm before each such step"),  \
		FIELD_PERCENT(T, "placement.tidal.util_low_percent", placement.util_low_percent,   \
			      0,                                                                   \
			      "preferred: how busy the preferred CPUs are before tasks leave "     \
			      "them; 0 leaves it alone"),                                          \
		FIELD_PERCENT(T, "placement.shared_percent", placement.shared_percent, 50,         \
			      "CPUs that whole cores of critical workloads leave to the others")
