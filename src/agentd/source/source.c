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
	enum source_state before = source->state;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(source->detail, sizeof(source->detail), format, arguments);
	va_end(arguments);
	source->state = state;
	if (state == before || state == SOURCE_STARTING)
		return;
	log_full(state == SOURCE_DOWN ? LOG_WARNING : LOG_INFO, NULL, "source %s is %s: %s",
		 source->ops->name, source_state_name(state), source->detail);
}
