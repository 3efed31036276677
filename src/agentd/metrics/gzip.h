/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip.h - compress a whole response, with ISA-L at its level 1: a tenth of zlib's time.
 */
#pragma once

#include <stddef.h>

#include "blob.h"

struct gzip;

int gzip_new(struct gzip **ret);
struct gzip *gzip_free(struct gzip *gzip);

/* *inout is written over if it is large enough and nobody else holds it, else replaced; NULL before
 * the first. What is made is counted in *alive. 0; -ENOMEM: *inout is NULL; -EFBIG: too long. */
int gzip_pack(struct gzip *gzip, const char *bytes, size_t length, unsigned int *alive,
	      struct blob **inout);
