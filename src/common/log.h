/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one line an event, to journald with structured fields when stderr is the journal
 * ($JOURNAL_STREAM), else to stderr with a <N> level prefix as sd-daemon(3) has it, or plain on a
 * terminal. Code in common/ logs nothing above debug; the edge logs, once, with what was tried and
 * on what.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* What a line is about; become journal fields BERTH_PLUGIN=, BERTH_WORKLOAD=, BERTH_KNOB=, … */
struct log_context {
	const char *plugin, *workload, *knob, *action, *reason;
};

/* Of the process: LOG_INFO until set. */
void log_set_level(int level);
int log_level(void);
/* "err", "warning", "notice", "info", "debug"; -EINVAL. */
int log_level_parse(const char *text);

void log_full(int level, const struct log_context *context, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)   log_full(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_full(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_full(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_full(LOG_DEBUG, NULL, __VA_ARGS__)

/* At most `burst` in each `interval_usec`; the next one that passes is preceded by a count of those
 * that did not. Zero initialised apart from the two limits. */
struct log_limit {
	uint64_t interval_usec;
	unsigned int burst;
	uint64_t window_start_usec;
	unsigned int passed, suppressed;
};

bool log_limit_pass(struct log_limit *limit, int level);

/* How many lines of LOG_WARNING and above went out since start; for `berthctl status`. */
uint64_t log_count_warnings(void);
