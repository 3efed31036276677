/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

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
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(source->detail, sizeof(source->detail), format, arguments);
	va_end(arguments);
	source->state = state;
	/* A retry goes through STARTING each time: once DOWN is told, the next news is READY. */
	if (state == source->told || state == SOURCE_STARTING)
		return;
	source->told = state;
	log_full(state == SOURCE_DOWN ? LOG_WARNING : LOG_INFO, NULL, "source %s is %s: %s",
		 source->ops->name, source_state_name(state), source->detail);
}
