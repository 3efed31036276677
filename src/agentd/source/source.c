/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "source/source-internal.h"

const char *source_state_name(enum source_state state)
{
	static const char *const names[] = {
		[SOURCE_OFF] = "off",
		[SOURCE_STARTING] = "starting",
		[SOURCE_READY] = "ready",
		[SOURCE_DOWN] = "down",
	};

	return names[state];
}

void source_set_state(struct source *source, enum source_state state, const char *format, ...)
{
	char why[sizeof(source->told_why)];
	va_list arguments;
	bool again;

	va_start(arguments, format);
	(void)vsnprintf(source->detail, sizeof(source->detail), format, arguments);
	va_end(arguments);
	source->state = state;
	(void)snprintf(why, sizeof(why), "%.*s", (int)strcspn(source->detail, ";"), source->detail);
	/* A retry goes through STARTING each time: once DOWN is told, the next news is READY, or
	 * another cause. What follows it is advice and figures. */
	again = state == source->told;
	if (state == SOURCE_STARTING ||
	    (again && (state != SOURCE_DOWN || strcmp(why, source->told_why) == 0)))
		return;
	source->told = state;
	memcpy(source->told_why, why, sizeof(why));
	log_full(state == SOURCE_DOWN ? LOG_WARNING : LOG_INFO, NULL, "source %s is %s%s: %s",
		 source->ops->name, again ? "still " : "", source_state_name(state),
		 source->detail);
}
