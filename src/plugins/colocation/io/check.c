/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what the policy says of IO, before anything goes by it. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "io/io.h"
#include "macro.h"

static int fail(struct berth_error *reterr, const char *key, const char *text)
{
	reterr->key = key;
	(void)snprintf(reterr->text, sizeof(reterr->text), "%s", text);
	return -EINVAL;
}

static int check_items(char *const *items, const char *key,
		       int (*check)(const char *item, char *reterr, size_t size),
		       struct berth_error *reterr)
{
	char error[192];

	for (; items && *items; items++)
		if (check(*items, error, sizeof(error)) < 0)
			return fail(reterr, key, error);
	return 0;
}

static int check_cost(const char *item, char *reterr, size_t size)
{
	struct io_cost cost;

	return io_cost_parse(item, &cost, reterr, size);
}

static bool names_overlap(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || fnmatch(a, b, 0) == 0 || fnmatch(b, a, 0) == 0;
}

/* Both hold requests back by latency, each without knowing of the other. */
static int check_latency_against_cost(const struct colocation_config *config,
				      struct berth_error *reterr)
{
	for (char *const *latency = config->io_latency; latency && *latency; latency++) {
		char glob[64], text[192];
		const char *rest;

		if (io_item_glob(*latency, glob, sizeof(glob), &rest, text, sizeof(text)) < 0)
			continue;
		for (char *const *item = config->io_cost; item && *item; item++) {
			struct io_cost cost;

			if (io_cost_parse(*item, &cost, text, sizeof(text)) < 0 ||
			    !names_overlap(glob, cost.glob))
				continue;
			(void)snprintf(text, sizeof(text),
				       "'%.40s' is a device of io.cost ('%.40s'): the two exclude "
				       "each other on one device",
				       glob, cost.glob);
			return fail(reterr, "io.latency", text);
		}
	}
	return 0;
}

int io_check(const struct colocation_config *config, struct berth_error *reterr)
{
	int r = check_items(config->io_limits_batch, "io.limits.batch", io_limit_check, reterr);

	if (r == 0)
		r = check_items(config->io_limits_scavenger, "io.limits.scavenger", io_limit_check,
				reterr);
	if (r == 0)
		r = check_items(config->io_latency, "io.latency", io_latency_check, reterr);
	if (r == 0)
		r = check_items(config->io_cost, "io.cost", check_cost, reterr);
	return r < 0 ? r : check_latency_against_cost(config, reterr);
}
