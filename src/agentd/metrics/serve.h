/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h - one response of /metrics: the families that were set, then those of workloads.
 */
#pragma once

#include "metrics/page.h"

struct metrics_query {
	enum exposition exposition;
	enum encoding encoding;
	struct page_source source; /* max_series is the registry's affair */
	uint64_t now_usec;
};

/* One reference to *ret. 0; -EBUSY: too many slow readers, ask again in a second; -ENOMEM. */
int metrics_serve(struct metrics *metrics, const struct metrics_query *query, struct blob **ret);
