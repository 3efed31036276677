/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/serve.h"

#include "metrics/registry-internal.h"

int metrics_serve(struct metrics *metrics, const struct metrics_query *query, struct blob **ret)
{
	struct page_source source = query->source;
	cleanup_strbuf struct strbuf head = { 0 };
	int r;

	source.max_series =
		metrics->max_series > metrics->count ? metrics->max_series - metrics->count : 0;
	r = page_update(metrics->page, query->exposition, &source);
	if (r < 0)
		return r;
	metrics->dropped += page_dropped(metrics->page);
	r = metrics_render_families(metrics, query->exposition, &head);
	if (r < 0)
		return r;
	return page_take(metrics->page, strbuf_text(&head), head.length,
			 query->encoding == ENCODING_GZIP, query->now_usec, ret);
}
