/* SPDX-License-Identifier: Apache-2.0 */
#include "label.h"

#include <string.h>

const char *label_get(const struct label *labels, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].key, key) == 0)
			return labels[i].value;
	return NULL;
}
