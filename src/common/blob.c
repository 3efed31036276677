/* SPDX-License-Identifier: Apache-2.0 */
#include "blob.h"

#include <stdlib.h>

struct blob *blob_new(size_t capacity)
{
	struct blob *blob = malloc(sizeof(*blob) + capacity);

	if (!blob)
		return NULL;
	*blob = (struct blob){ .references = 1, .capacity = capacity };
	return blob;
}

struct blob *blob_ref(struct blob *blob)
{
	if (blob)
		blob->references++;
	return blob;
}

struct blob *blob_unref(struct blob *blob)
{
	if (!blob || --blob->references > 0)
		return NULL;
	if (blob->alive)
		(*blob->alive)--;
	free(blob);
	return NULL;
}
