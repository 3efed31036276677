/* SPDX-License-Identifier: Apache-2.0 */
/* Success means that a cause had a line; failure leaves the output alone. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "psi-stat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = malloc(size + 1);
	struct psi_stat stat, before;
	unsigned int found = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&stat, 0x5a, sizeof(stat));
	memcpy(&before, &stat, sizeof(stat));
	if (psi_stat_parse(text, &stat) < 0) {
		if (memcmp(&before, &stat, sizeof(stat)) != 0)
			abort();
		return 0;
	}
	for (unsigned int cause = 0; cause < PSI_CAUSES; cause++)
		found += stat.cause[cause].some.present || stat.cause[cause].full.present;
	if (found == 0)
		abort();
	return 0;
}
