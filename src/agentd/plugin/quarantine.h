/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine.h - when a plugin fails too often it rests, twice as long each time; and the
 * breadcrumb page: plugin and callback stored in a mapped file before each callback, so that after
 * a crash the next start knows whom to blame. A plugin that was named in two crashes is quarantined
 * at start.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define QUARANTINE_FAILURES     10u /* in a window */
#define QUARANTINE_WINDOW_USEC  (60ULL * 1000000)
#define QUARANTINE_FIRST_USEC   (60ULL * 1000000)
#define QUARANTINE_LAST_USEC    (3600ULL * 1000000)
#define QUARANTINE_CRASHES      2u
#define QUARANTINE_FORGIVE_USEC (600ULL * 1000000) /* of running: its crashes are forgotten */

struct quarantine {
	uint64_t window_start_usec, until_usec, rest_usec;
	uint64_t last_failure_usec; /* or the end of its last rest */
	unsigned int failures;
};

/* True when this failure is one too many: the plugin rests until until_usec. */
bool quarantine_failure(struct quarantine *quarantine, uint64_t now_usec);
/* Rest at once, whatever the count: it could not even start. */
void quarantine_rest(struct quarantine *quarantine, uint64_t now_usec);
/* It ran QUARANTINE_WINDOW_USEC without a failure: the next rest is short again. */
void quarantine_calm(struct quarantine *quarantine, uint64_t now_usec);

struct breadcrumb;

/* Bytes of a plugin's name with NUL; the loader holds it to that. */
#define BREADCRUMB_NAME_MAX 48u

/* Maps runtime_fd/breadcrumb, made if missing; a file of the wrong size or version is made anew. If
 * the last run died of a fault or of SIGABRT (the watchdog) inside a callback, that plugin's crash
 * is counted; SIGKILL blames nobody. Catches these signals until breadcrumb_close(). One a process.
 */
int breadcrumb_open(int runtime_fd, struct breadcrumb **ret);
/* Clears the mark: a clean end. */
struct breadcrumb *breadcrumb_close(struct breadcrumb *breadcrumb);
/* Stores to the page; no system call. callback is a static string. NULL, NULL: outside any plugin.
 * breadcrumb may be NULL, here and below: no page could be made, nothing is remembered. */
void breadcrumb_mark(struct breadcrumb *breadcrumb, const char *plugin, const char *callback);
unsigned int breadcrumb_crashes(const struct breadcrumb *breadcrumb, const char *plugin);
/* The callback it last crashed in, or "". */
const char *breadcrumb_callback(const struct breadcrumb *breadcrumb, const char *plugin);
/* Forgive: the plugin ran long enough, or its configuration changed. */
void breadcrumb_forgive(struct breadcrumb *breadcrumb, const char *plugin);
