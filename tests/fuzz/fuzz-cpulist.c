/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted must survive being written and read again. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cpulist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = malloc(size + 1), *formatted = malloc(TEXT_MAX);
	struct cpulist list = { 0 }, again = { 0 };

	if (!text || !formatted)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (cpulist_parse(text, &list) < 0)
		return 0;
	/* The worst list, every other CPU, is 20 KiB. */
	if (cpulist_format(&list, formatted, TEXT_MAX) < 0)
		abort();
	if (cpulist_parse(formatted, &again) < 0 || memcmp(&list, &again, sizeof(list)) != 0)
		abort();
	if ((cpulist_count(&list) == 0) != (*formatted == '\0'))
		abort();
	return 0;
}
