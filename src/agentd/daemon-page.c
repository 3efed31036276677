/* SPDX-License-Identifier: Apache-2.0 */
/* daemon-page.c - the text of a thousand pods is 8 MiB: it is kept for who scrapes, not for who
 * once did. */
#include <string.h>

#include "daemon-internal.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "metrics/page.h"
#include "trim.h"

static int daemon_on_unasked(sd_event_source *source, uint64_t usec, void *data)
{
	const struct daemon *daemon = data;

	(void)source;
	(void)usec;
	page_forget_texts(metrics_page(daemon->metrics));
	memory_trim();
	return 0;
}

void daemon_on_scraped(void *data)
{
	struct daemon *daemon = data;
	int r;

	if (daemon->unasked) {
		r = sd_event_source_set_time_relative(daemon->unasked, LIMIT_PAGE_IDLE_USEC);
		if (r >= 0)
			r = sd_event_source_set_enabled(daemon->unasked, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(daemon->event, &daemon->unasked, CLOCK_MONOTONIC,
					       LIMIT_PAGE_IDLE_USEC, USEC_PER_SEC,
					       daemon_on_unasked, daemon);
	}
	if (r < 0)
		log_debug("the page of metrics is kept: %s", strerror(-r));
}
