/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - the last LIMIT_HISTORY actions and notable events (restores, foreign writes, yields,
 * conflicts), for `berthctl history`. A ring of copies with bounded strings: a longer one is cut at
 * a character boundary and ends in "...".
 */
#pragma once

#include <stdint.h>

struct history;
struct history_view; /* actuator.h */

int history_new(struct history **ret);
struct history *history_free(struct history *history);

/* Copies the strings (NULL is ""). time_realtime_usec 0 is now; id is assigned. The id, never 0. */
uint64_t history_add(struct history *history, const struct history_view *view);
/* How it ended, of an entry that was added while its action was under way. Nothing when the ring
 * has dropped the entry since. */
void history_finish(struct history *history, uint64_t id, const char *outcome, int result);

/* Oldest first. The strings are valid for the call; fn must not add. */
void history_each(const struct history *history,
		  void (*fn)(void *data, const struct history_view *view), void *data);
