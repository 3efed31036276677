/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-resctrl.c - schemata of the kernel, and the texts of shares and classes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/resctrl/resctrl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct resctrl_host host = {
	.resources = { { .name = "L3",
			 .kind = RESCTRL_L3,
			 .bits = 0x7ff,
			 .bits_min = 2,
			 .domains = { 0, 8 },
			 .domain_count = 2 },
		       { .name = "MB",
			 .kind = RESCTRL_MB,
			 .lowest = 10,
			 .step = 10,
			 .highest = 100,
			 .domains = { 0, 8 },
			 .domain_count = 2 } },
	.count = 2,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_strbuf struct strbuf schemata = { 0 };
	cleanup_free char *text = malloc(size + 1);
	struct resctrl_share share;
	char formatted[512], small[16];

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)resctrl_summary(&host, text, small, sizeof(small));
	/* Whatever is asked for can be written, and reads back as what it is. */
	if (resctrl_share_parse(text, &share) == 0 &&
	    (resctrl_format(&host, &share, formatted, sizeof(formatted)) < 0 ||
	     resctrl_expand(&host, formatted, &schemata) < 0 ||
	     resctrl_summary(&host, strbuf_text(&schemata), formatted, sizeof(formatted)) < 0))
		abort();
	strbuf_clear(&schemata);
	if (resctrl_expand(&host, text, &schemata) == 0 &&
	    resctrl_summary(&host, strbuf_text(&schemata), formatted, sizeof(formatted)) < 0)
		abort();
	return 0;
}
