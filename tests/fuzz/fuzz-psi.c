/* SPDX-License-Identifier: Apache-2.0 */
/* Success means that a line was there; failure leaves the output alone. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "psi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = malloc(size + 1);
	struct psi psi, before;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&psi, 0x5a, sizeof(psi));
	memcpy(&before, &psi, sizeof(psi));
	if (psi_parse(text, &psi) < 0) {
		if (memcmp(&before, &psi, sizeof(psi)) != 0)
			abort();
	} else if (!psi.some.present && !psi.full.present) {
		abort();
	}
	return 0;
}
