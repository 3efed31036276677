/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-qemu-cmdline.c - a command line as /proc shows it; its pieces also as paths of groups. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "source/machine/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Goes to logs and terminals. */
static void check(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		abort();
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Its own, so that ASan sees a byte too far. */
	cleanup_free char *text = malloc(size + 1);
	cleanup_free char *exact = malloc(size ? size : 1);
	struct machine_cmdline cmdline;
	struct machine_scope scope;

	if (!text || !exact)
		return 0;
	memcpy(text, data, size);
	memcpy(exact, data, size);
	text[size] = '\0';
	if (machine_cmdline_parse(exact, size, &cmdline)) {
		check(cmdline.name, sizeof(cmdline.name));
		check(cmdline.uuid, sizeof(cmdline.uuid));
		if (cmdline.uuid[0] && strlen(cmdline.uuid) != MACHINE_UUID_MAX - 1)
			abort();
	}
	for (size_t i = 0; i < size; i += strlen(text + i) + 1) {
		if (!machine_scope_parse(text + i, &scope))
			continue;
		check(scope.domain, sizeof(scope.machine));
		if (scope.length > strlen(text + i) || scope.domain < scope.machine)
			abort();
	}
	return 0;
}
