/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <stdio.h>
#include <string.h>

#include "macro.h"

const char *format_bytes(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1000) {
		(void)snprintf(text, size, "%u", (unsigned int)bytes);
		return text;
	}
	/* 999.5 K would print as four digits. */
	for (value /= 1024; value >= 999.5 && units[unit + 1]; unit++)
		value /= 1024;
	(void)snprintf(text, size, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return text;
}

const char *format_count(double count, char *text, size_t size)
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	if (count < 999.5) {
		(void)snprintf(text, size, "%.0f", count);
		return text;
	}
	for (count /= 1000; count >= 999.5 && units[unit + 1]; unit++)
		count /= 1000;
	(void)snprintf(text, size, count < 9.95 ? "%.1f%c" : "%.0f%c", count, units[unit]);
	return text;
}

const char *format_usec(uint64_t usec, char *text, size_t size)
{
	uint64_t seconds = usec / USEC_PER_SEC;

	if (usec < USEC_PER_MSEC)
		(void)snprintf(text, size, "%u us", (unsigned int)usec);
	else if (seconds == 0)
		(void)snprintf(text, size, "%u ms", (unsigned int)(usec / USEC_PER_MSEC));
	else if (seconds < 60)
		(void)snprintf(text, size, "%u s", (unsigned int)seconds);
	else if (seconds < 3600)
		(void)snprintf(text, size, "%u min %u s", (unsigned int)(seconds / 60),
			       (unsigned int)(seconds % 60));
	else if (seconds < 86400)
		(void)snprintf(text, size, "%u h %u min", (unsigned int)(seconds / 3600),
			       (unsigned int)(seconds / 60 % 60));
	else
		(void)snprintf(text, size, "%llu d %u h", (unsigned long long)(seconds / 86400),
			       (unsigned int)(seconds / 3600 % 24));
	return text;
}

const char *format_name(const char *namespace, const char *name, char *text, size_t size)
{
	(void)snprintf(text, size, "%s%s%s", namespace, *namespace ? "/" : "", name);
	return text;
}

enum style style_of(const char *word)
{
	static const struct {
		const char *word;
		enum style style;
	} table[] = {
		{ "ready", STYLE_GOOD },       { "running", STYLE_GOOD },
		{ "written", STYLE_GOOD },     { "down", STYLE_BAD },
		{ "quarantined", STYLE_BAD },  { "failed", STYLE_BAD },
		{ "unavailable", STYLE_WARN }, { "starting", STYLE_WARN },
		{ "pending", STYLE_WARN },     { "yielded", STYLE_WARN },
		{ "paused", STYLE_WARN },      { "off", STYLE_DIM },
		{ "shadowed", STYLE_DIM },     { "dry-run", STYLE_DIM },
		{ "batch", STYLE_DIM },        { "scavenger", STYLE_DIM },
		{ "critical", STYLE_BOLD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].word, word) == 0)
			return table[i].style;
	return STYLE_NONE;
}
