/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h - basic_auth_users: who may read /metrics. What was found of credentials is kept in a
 * bounded cache, right ones apart from wrong ones, so that guesses push no scraper out of it. It
 * holds keyed digests of them, no password.
 */
#pragma once

#include <stdbool.h>

#include "api/web/config.h"
#include "api/web/verify.h"
#include "list.h"

enum web_verdict {
	WEB_ALLOWED,
	WEB_DENIED,
	WEB_WAITS, /* for a hash */
	WEB_BUSY,  /* too many wait, or memory is short: come again */
};

struct web_auth;

/* One request that waits; the caller's memory. */
struct web_wait {
	struct list link;
	void (*done)(struct web_wait *wait, enum web_verdict verdict);
};

/* Both must outlive it. */
int web_auth_new(const struct web_config *config, struct verifier *verifier, struct web_auth **ret);
/* Nobody may wait any more. */
struct web_auth *web_auth_free(struct web_auth *auth);

/* header: that of Authorization, NULL if there is none. At WEB_WAITS wait->done() is called later,
 * from the loop, unless web_wait_cancel() comes first. */
enum web_verdict web_auth_check(struct web_auth *auth, const char *header, struct web_wait *wait);
void web_wait_cancel(struct web_wait *wait);
