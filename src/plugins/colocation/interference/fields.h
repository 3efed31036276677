/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - the section `interference` of plugins.colocation; config.c includes the rows. */
#pragma once

#include "interference/interference.h"
#include "interference/signal.h"

static const char *const interference_signal_names[] = { "auto", "cpi", "latency", "pressure",
							 NULL };

/* clang-format off */
#define INTERFERENCE_FIELDS(T, member) \
	FIELD_BOOL(T, "interference.enabled", member.enabled, 0, \
		   "throttle the offline workload that an online one suffers from"), \
	FIELD_ENUM(T, "interference.signal", member.signal, interference_signal_names, SIGNAL_AUTO, \
		   "what tells: cycles per instruction, run-queue latency or CPU pressure"), \
	FIELD_USEC(T, "interference.window", member.window_usec, 100 * USEC_PER_MSEC, \
		   60 * USEC_PER_SEC, 10 * USEC_PER_SEC, \
		   "how long the CPUs count for one point of cpi"), \
	FIELD_USEC(T, "interference.every", member.every_usec, USEC_PER_SEC, 3600 * USEC_PER_SEC, \
		   60 * USEC_PER_SEC, "from one point to the next; 3 of 5 outside make a victim"), \
	FIELD_U64(T, "interference.learn", member.learn, 5, 10000, 60, \
		  "points of a workload that make what is usual, before any verdict"), \
	FIELD_U64(T, "interference.threshold_sigma", member.threshold_sigma, 1, 20, 2, \
		  "standard deviations over the mean that are still usual"), \
	FIELD_PERCENT(T, "interference.correlation_percent", member.correlation_percent, 15, \
		      "who goes with what the victim suffers more than this is to blame"), \
	FIELD_U64(T, "interference.throttle_milli", member.throttle_milli, 10, 1000000, 100, \
		  "CPU that is left to the one to blame, in thousandths of a core"), \
	FIELD_PERCENT(T, "interference.first_percent", member.first_percent, 0, \
		      "first leave it so much of what it used, and throttle_milli if that does not help; 0 at once"), \
	FIELD_USEC(T, "interference.throttle_time", member.throttle_usec, 3 * USEC_PER_SEC, \
		   86400 * USEC_PER_SEC, 300 * USEC_PER_SEC, \
		   "how long; twice as long each time that it is to blame again, up to 8 times")
/* clang-format on */
