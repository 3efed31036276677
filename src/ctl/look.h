/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - two looks at one workload and what changed between them. What the host does not tell,
 * or what only one look has, is NAN: a table shows "-", never a 0 that nobody measured.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct look {
	const json_t *before, *now; /* samples as /v1/top has them; before may be NULL */
	uint64_t usec;              /* between them; 0: no rates */
};

void look_init(struct look *look, const json_t *before, const json_t *now);
/* As it is now. */
double look_value(const struct look *look, const char *key);
/* A counter of microseconds as percent of the time between. */
double look_percent(const struct look *look, const char *key);
/* A counter in a second. */
double look_rate(const struct look *look, const char *key);
/* The same of a counter of the devices, all of them together. */
double look_device_rate(const struct look *look, const char *key);
/* Share of the periods of its CPU limit in which it was throttled, in percent; of the time that it
 * was throttled where no periods are told. */
double look_throttled(const struct look *look);
/* Percent of the time over the last 10, 60 and 300 s. */
enum { LOOK_WINDOWS = 3 };
double look_average(const struct look *look, const char *key, unsigned int window);

/* a + b, of which one may be unknown. */
double look_sum(double a, double b);
/* The larger; NAN only if both are. */
double look_larger(double a, double b);
