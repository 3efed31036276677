/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - an answer of /v1/explain as a page: who the workload is, what it waits for, what
 * Berth did and why. Pure.
 */
#pragma once

#include <jansson.h>

#include "pressure.h"
#include "table.h"

/* before: the answer of a while ago, for what happened since; may be NULL. brief: who it is on two
 * lines. 0 or -ENOMEM. */
int explain_page(const json_t *before, const json_t *answer, bool brief,
		 const struct screen *screen, struct strbuf *page);
/* What it waits for, in words: a limit that Berth set is not the workload's own. */
void explain_wait_words(const json_t *knobs, enum wait wait, char *text, size_t size);
/* The part about pressure. */
int explain_pressure(const json_t *before, const json_t *answer, const struct screen *screen,
		     struct strbuf *page);
/* Has it waited at all, and is there nothing yet that tells how much of it is now? Then a second
 * look is worth its second. */
bool explain_wants_more(const json_t *answer);
