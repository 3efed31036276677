/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob.h - bytes that several readers hold, and that nobody changes while more than one does. Not
 * thread-safe: the loop's own.
 */
#pragma once

#include <stddef.h>

#include "cleanup.h"

struct blob {
	unsigned int references;
	unsigned int *alive;  /* counts one less when this is freed; NULL: nobody counts */
	size_t start, length; /* of the content in data: what is in front of it is room */
	size_t capacity;
	char data[];
};

/* One reference, no content. NULL without memory. */
struct blob *blob_new(size_t capacity);
static inline char *blob_bytes(struct blob *blob)
{
	return blob->data + blob->start;
}
struct blob *blob_ref(struct blob *blob);
/* NULL, always; the last reference frees. */
struct blob *blob_unref(struct blob *blob);

DEFINE_CLEANUP(struct blob *, blob_unref);
#define cleanup_blob CLEANUP(blob_unrefp)
