/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <math.h>
#include <string.h>

#include "client.h"
#include "macro.h"

void look_init(struct look *look, const json_t *before, const json_t *now)
{
	uint64_t first = json_read_number(before, "time_usec");
	uint64_t last = json_read_number(now, "time_usec");

	*look = (struct look){
		.before = before,
		.now = now,
		.usec = first && last > first ? last - first : 0,
	};
}

double look_value(const struct look *look, const char *key)
{
	return json_is_integer(json_read(look->now, key)) ? (double)json_read_number(look->now, key)
							  : NAN;
}

/* A counter that went back belongs to another life of the group. */
static double look_grown(const struct look *look, const char *key)
{
	uint64_t first, last;

	if (!look->usec || !json_read(look->before, key) || !json_read(look->now, key))
		return NAN;
	first = json_read_number(look->before, key);
	last = json_read_number(look->now, key);
	return last >= first ? (double)(last - first) : NAN;
}

double look_percent(const struct look *look, const char *key)
{
	return 100.0 * look_grown(look, key) / (double)look->usec;
}

double look_rate(const struct look *look, const char *key)
{
	return USEC_PER_SEC * look_grown(look, key) / (double)look->usec;
}

static const json_t *device_find(const json_t *sample, const char *name)
{
	const json_t *device;
	size_t i;

	json_array_foreach(json_read(sample, "devices"), i,
			   device) if (strcmp(json_read_text(device, "name"), name) ==
				       0) return device;
	return NULL;
}

/* A device that the workload had not touched before begins at 0. */
double look_device_rate(const struct look *look, const char *key)
{
	const json_t *device;
	double sum = 0;
	size_t i;

	if (!look->usec || !json_read(look->now, "devices"))
		return NAN;
	json_array_foreach(json_read(look->now, "devices"), i, device)
	{
		const json_t *old = device_find(look->before, json_read_text(device, "name"));
		uint64_t first = json_read_number(old, key), last = json_read_number(device, key);

		if (last > first)
			sum += (double)(last - first);
	}
	return USEC_PER_SEC * sum / (double)look->usec;
}

double look_throttled(const struct look *look)
{
	double periods = look_grown(look, "cpu_periods");
	double throttled = look_grown(look, "cpu_throttled_periods");

	if (isnan(periods) || isnan(throttled))
		return look_percent(look, "cpu_throttled_usec");
	return periods > 0 ? 100.0 * throttled / periods : 0;
}

double look_average(const struct look *look, const char *key, unsigned int window)
{
	const json_t *list = json_read(json_read(look->now, "averages"), key);
	const json_t *value = json_array_get(list, window);

	/* berthd says so where nobody had looked for long: there is nothing to average yet. */
	if (!json_is_number(value) || json_is_false(json_read(look->now, "averaged")) ||
	    json_is_false(json_read(look->before, "averaged")))
		return NAN;
	return json_number_value(value);
}

double look_sum(double a, double b)
{
	return isnan(a) ? b : isnan(b) ? a : a + b;
}

double look_larger(double a, double b)
{
	return isnan(a) || b > a ? b : a;
}
