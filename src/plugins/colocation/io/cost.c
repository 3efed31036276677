/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.c - one item of io.cost: the model of a device, as `berthctl io-model` measures it, and
 * how good its latencies are to be. Keys are the kernel's own (cgroup-v2.rst, io.cost.model,
 * io.cost.qos).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/io.h"
#include "macro.h"
#include "parse.h"

#define MODEL_KEYS 6u

struct cost_key {
	const char *name;
	bool is_percent;
	uint64_t min, max; /* of a percentage: in hundredths */
};

static const struct cost_key model_keys[MODEL_KEYS] = {
	{ "rbps", false, 1, UINT64_MAX },      { "rseqiops", false, 1, UINT64_MAX },
	{ "rrandiops", false, 1, UINT64_MAX }, { "wbps", false, 1, UINT64_MAX },
	{ "wseqiops", false, 1, UINT64_MAX },  { "wrandiops", false, 1, UINT64_MAX },
};

/* Ranges of ioc_qos_write(), block/blk-iocost.c. */
static const struct cost_key qos_keys[] = {
	{ "rpct", true, 0, 10000 },    { "rlat", false, 0, UINT32_MAX },
	{ "wpct", true, 0, 10000 },    { "wlat", false, 0, UINT32_MAX },
	{ "min", true, 100, 1000000 }, { "max", true, 100, 1000000 },
};

__attribute__((format(printf, 3, 4))) static int refuse(char *reterr, size_t size,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reterr, size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* "95" or "95.5", in hundredths. */
static int percent_parse(const char *text, uint64_t *ret)
{
	const char *point = strchr(text, '.');
	size_t whole = point ? (size_t)(point - text) : strlen(text);
	size_t digits = point ? strlen(point + 1) : 0;
	uint64_t number, fraction = 0;

	if (parse_u64_span(text, whole, &number) < 0 || number > 100000 || digits > 2 ||
	    (point && parse_u64(point + 1, &fraction) < 0))
		return -EINVAL;
	*ret = number * 100 + (digits == 1 ? fraction * 10 : fraction);
	return 0;
}

static int value_check(const struct cost_key *key, const char *value, uint64_t *ret)
{
	int r = key->is_percent ? percent_parse(value, ret) : parse_u64(value, ret);

	return r < 0 || *ret < key->min || *ret > key->max ? -EINVAL : 0;
}

static const struct cost_key *key_find(const struct cost_key *keys, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int text_add(char *text, size_t size, const char *key, const char *value)
{
	size_t length = strlen(text);
	int added = snprintf(text + length, size - length, " %s=%s", key, value);

	return added < 0 || (size_t)added >= size - length ? -EINVAL : 0;
}

struct cost_seen {
	uint32_t model, qos; /* bits of keys */
	uint64_t min, max;   /* hundredths of a percent; 0: not said */
};

static int pair_take(struct io_cost *cost, struct cost_seen *seen, const char *name,
		     const char *value, char *reterr, size_t size)
{
	const struct cost_key *model = key_find(model_keys, MODEL_KEYS, name);
	const struct cost_key *qos = key_find(qos_keys, ARRAY_SIZE(qos_keys), name);
	uint32_t *bits = model ? &seen->model : &seen->qos;
	uint32_t bit = model ? 1u << (model - model_keys) : qos ? 1u << (qos - qos_keys) : 0;
	uint64_t number = 0;

	if (!bit)
		return refuse(reterr, size,
			      "unknown '%s': rbps rseqiops rrandiops wbps wseqiops wrandiops, or "
			      "rpct rlat wpct wlat min max",
			      name);
	if (*bits & bit)
		return refuse(reterr, size, "%s is there twice", name);
	*bits |= bit;
	if (value_check(model ? model : qos, value, &number) < 0)
		return refuse(reterr, size, "%s: '%s' is out of range", name, value);
	if (strcmp(name, "min") == 0)
		seen->min = number;
	if (strcmp(name, "max") == 0)
		seen->max = number;
	if (text_add(model ? cost->model : cost->qos,
		     model ? sizeof(cost->model) : sizeof(cost->qos), name, value) < 0)
		return refuse(reterr, size, "too long");
	return 0;
}

int io_cost_parse(const char *item, struct io_cost *ret, char *reterr, size_t size)
{
	struct io_cost cost = { .model = "ctrl=user", .qos = "enable=1 ctrl=user" };
	struct cost_seen seen = { 0 };
	char key[16], value[32];
	const char *rest;
	int r = io_item_glob(item, cost.glob, sizeof(cost.glob), &rest, reterr, size);

	if (r < 0)
		return r;
	while ((r = io_item_next(&rest, key, sizeof(key), value, sizeof(value), reterr, size)) >
	       0) {
		r = pair_take(&cost, &seen, key, value, reterr, size);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	/* With some alone the kernel would keep what it guessed of the others. */
	if (seen.model && seen.model != (1u << MODEL_KEYS) - 1)
		return refuse(reterr, size,
			      "a model is all six: rbps rseqiops rrandiops wbps "
			      "wseqiops wrandiops (`berthctl io-model`)");
	if (seen.min && seen.max && seen.min > seen.max)
		return refuse(reterr, size, "min is above max");
	if (!seen.model)
		cost.model[0] = '\0';
	/* Without a word of quality, the device's rate is what the model says. */
	if (!seen.qos)
		(void)snprintf(cost.qos, sizeof(cost.qos),
			       "enable=1 ctrl=user min=100.00 max=100.00");
	*ret = cost;
	return 0;
}
