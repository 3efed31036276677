/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/workload.h"

#include <string.h>

const char *workload_annotation(const struct workload *workload, const char *key)
{
	for (size_t i = 0; i < workload->annotation_count; i++)
		if (strcmp(workload->annotations[i].key, key) == 0)
			return workload->annotations[i].value;
	return NULL;
}
