/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/gzip.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "macro.h"

/* A page shrinks to a fifteenth; what does not fit grows. */
#define GUESS_SHARE 12u
#define SPARE_BYTES 4096u

struct gzip {
	struct isal_zstream stream;
	uint8_t level[ISAL_DEF_LVL1_DEFAULT];
};

int gzip_new(struct gzip **ret)
{
	struct gzip *gzip = malloc(sizeof(*gzip));

	if (!gzip)
		return -ENOMEM;
	*ret = gzip;
	return 0;
}

struct gzip *gzip_free(struct gzip *gzip)
{
	free(gzip);
	return NULL;
}

/* Room for at least `capacity`, with the first `used` bytes of what was there. */
static int output_grow(struct blob **inout, size_t capacity, size_t used, unsigned int *alive)
{
	struct blob *grown = blob_new(capacity);

	if (grown) {
		grown->alive = alive;
		(*alive)++;
		if (used > 0)
			memcpy(grown->data, (*inout)->data, used);
	}
	(void)blob_unref(*inout);
	*inout = grown;
	return grown ? 0 : -ENOMEM;
}

static void stream_begin(struct gzip *gzip, const char *bytes, size_t length)
{
	isal_deflate_init(&gzip->stream);
	gzip->stream.level = 1;
	gzip->stream.level_buf = gzip->level;
	gzip->stream.level_buf_size = sizeof(gzip->level);
	gzip->stream.gzip_flag = IGZIP_GZIP;
	gzip->stream.end_of_stream = 1;
	gzip->stream.flush = NO_FLUSH;
	/* It is only read; the library's type is from before const. */
	gzip->stream.next_in = (uint8_t *)(uintptr_t)bytes;
	gzip->stream.avail_in = (uint32_t)length;
}

int gzip_pack(struct gzip *gzip, const char *bytes, size_t length, unsigned int *alive,
	      struct blob **inout)
{
	struct isal_zstream *stream = &gzip->stream;
	size_t used = 0;
	int r = 0;

	if (length > UINT32_MAX)
		return -EFBIG;
	if (!*inout || (*inout)->references > 1)
		r = output_grow(inout, length / GUESS_SHARE + SPARE_BYTES, 0, alive);
	stream_begin(gzip, bytes, length);
	while (r == 0 && stream->internal_state.state != ZSTATE_END) {
		if ((*inout)->capacity == used)
			r = output_grow(inout, used + used / 2, used, alive);
		if (r < 0)
			break;
		stream->next_out = (uint8_t *)(*inout)->data + used;
		stream->avail_out = (uint32_t)((*inout)->capacity - used);
		if (isal_deflate(stream) != COMP_OK)
			r = -EIO;
		used = (*inout)->capacity - stream->avail_out;
	}
	if (r < 0) {
		*inout = blob_unref(*inout);
		return r;
	}
	(*inout)->start = 0;
	(*inout)->length = used;
	return 0;
}
