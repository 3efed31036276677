/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top-page.h - two answers of /v1/top to one page: rates, sorted. Pure.
 */
#pragma once

#include <jansson.h>

#include "table.h"

enum top_sort { TOP_CPU, TOP_MEMORY, TOP_PRESSURE, TOP_NAME };

/* before may be NULL: then there are no rates. At most `rows` workloads. 0 or -ENOMEM. */
int top_page(const json_t *before, const json_t *now, enum top_sort sort, size_t rows,
	     const struct screen *screen, struct strbuf *page);
