/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/bpf/bpf-log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

static int on_libbpf_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[512];

	(void)level;
	if (log_level() < LOG_DEBUG)
		return 0;
	(void)vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
	return 0;
}

void bpf_log_start(void)
{
	(void)libbpf_set_print(on_libbpf_line);
}
