/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the settings of plugins.exporter; `berthd --dump-fields` prints them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/bind.h"
#include "exporter.h"

#define T struct exporter_config

const struct config_field exporter_fields[] = {
	FIELD_BOOL(T, "containers", containers, 0,
		   "series of containers, too; without, a pod has the sum of its own"),
	FIELD_STRINGS(T, "namespaces", namespaces,
		      "globs of namespaces whose pods have series; empty: all"),
	FIELD_BOOL(T, "cpu", groups[GROUP_CPU], 1, "CPU time and throttling"),
	FIELD_BOOL(T, "memory", groups[GROUP_MEMORY], 1, "memory, working set, swap and events"),
	FIELD_BOOL(T, "memory_stat", groups[GROUP_MEMORY_STAT], 1,
		   "memory by kind, faults, reclaim and swapping"),
	FIELD_BOOL(T, "io", groups[GROUP_IO], 1, "bytes and operations by block device"),
	FIELD_BOOL(T, "pressure", groups[GROUP_PRESSURE], 1,
		   "time in which tasks waited for CPU, memory or IO"),
	FIELD_BOOL(T, "causes", groups[GROUP_CAUSES], 1, "the same by cause"),
	FIELD_BOOL(T, "latency", groups[GROUP_LATENCY], 1,
		   "histogram of waits on the run queue, where that is measured"),
	FIELD_BOOL(T, "averages", averages, 0,
		   "averages of pressure, too, for who cannot take a rate of the totals"),
	FIELD_END,
};

/* Behind the ']' that ends what is in brackets, where `at` is the first of it; NULL: none does. */
static const char *bracket_end(const char *at)
{
	at += *at == '!' || *at == '^';
	/* As the first one it is one of the characters. */
	at += *at == ']';
	while (*at && *at != ']') {
		const char *end = NULL;

		if (*at == '\\' && at[1]) {
			at += 2;
		} else if (*at == '[' && at[1] && strchr(":.=", at[1])) {
			const char closing[] = { at[1], ']', '\0' };

			end = strstr(at + 2, closing);
			at = end ? end + 2 : at + 1;
		} else {
			at++;
		}
	}
	return *at ? at + 1 : NULL;
}

/* NULL, or why fnmatch(3) would take it for another text than was meant. */
static const char *glob_error(const char *glob)
{
	const char *at = glob;

	if (*glob == '\0')
		return "names no namespace: leave it out, or the whole list for all";
	while (at && *at) {
		if (*at == '\\' && at[1] == '\0')
			return "ends in a '\\' with nothing behind it";
		if (*at == '[')
			at = bracket_end(at + 1);
		else
			at += *at == '\\' ? 2 : 1;
	}
	return at ? NULL : "has a '[' without its ']'";
}

int exporter_check(const void *data, struct berth_error *reterr)
{
	const struct exporter_config *config = data;

	for (char *const *glob = config->namespaces; glob && *glob; glob++) {
		const char *error = glob_error(*glob);

		if (!error)
			continue;
		reterr->key = "namespaces";
		(void)snprintf(reterr->text, sizeof(reterr->text), "'%.64s' %s", *glob, error);
		return -EINVAL;
	}
	return 0;
}
