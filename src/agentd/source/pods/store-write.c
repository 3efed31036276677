/* SPDX-License-Identifier: Apache-2.0 */
/* store-write.c - STATE_DIR/pods.json is written: all of it on a thread. */
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "source/pods/internal.h"
#include "strbuf.h"

#define STORE_CHUNK_BYTES (64u * 1024)
#define STORE_FRAME_BYTES 1024u /* more than the first and the last line have */

struct store_text {
	int fd;
	struct strbuf text; /* not in the file yet */
	size_t size;        /* of both */
};

static int text_flush(struct store_text *out)
{
	const char *at = strbuf_text(&out->text);
	size_t left = out->text.length;

	if (strbuf_error(&out->text) < 0)
		return -ENOMEM;
	while (left > 0) {
		ssize_t n = write(out->fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		left -= (size_t)n;
	}
	strbuf_clear(&out->text);
	return 0;
}

static int line_add(const char *bytes, size_t size, void *data)
{
	struct strbuf *line = data;

	strbuf_add_bytes(line, bytes, size);
	return strbuf_error(line);
}

/* Write those that are not written yet, and whose line has at most this many bytes. */
static int store_write_pods(struct store_text *out, struct store_job *job, size_t line_max)
{
	struct strbuf line cleanup_strbuf = { 0 };

	for (size_t i = 0; i < job->count; i++) {
		json_auto_t *object = NULL;
		int r;

		if (job->pods[i].written)
			continue;
		object = kube_pod_encode(job->pods[i].shared->pod);
		strbuf_clear(&line);
		strbuf_add(&line, job->written > 0 ? ",\n" : "");
		if (!object || json_dump_callback(object, line_add, &line, JSON_COMPACT) < 0 ||
		    strbuf_error(&line) < 0)
			return -ENOMEM;
		if (line.length > line_max ||
		    out->size + line.length > LIMIT_STATE_BYTES - STORE_FRAME_BYTES)
			continue;
		strbuf_add_bytes(&out->text, line.text, line.length);
		out->size += line.length;
		job->pods[i].written = true;
		job->written++;
		r = out->text.length < STORE_CHUNK_BYTES ? 0 : text_flush(out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Who sets a pod's annotations may make it 1.5 MiB in JSON. Those that take no more than their
 * share of the file always have a place in it. */
static int store_write_all(int fd, struct store_job *job)
{
	struct store_text out = { .fd = fd };
	size_t share = (LIMIT_STATE_BYTES - STORE_FRAME_BYTES) / MAX(job->count, 1u);
	int r;

	strbuf_addf(&out.text, "{\"version\":%d,\"saved\":\"%s\",\"pods\":[\n", STORE_VERSION,
		    job->saved);
	r = store_write_pods(&out, job, share);
	if (r == 0 && job->written < job->count)
		r = store_write_pods(&out, job, LIMIT_STATE_BYTES);
	if (r == 0) {
		strbuf_add(&out.text, job->written > 0 ? "\n]}\n" : "]}\n");
		r = text_flush(&out);
	}
	strbuf_done(&out.text);
	return r;
}

int pods_store_write(void *data)
{
	struct store_job *job = data;
	cleanup_close int directory = pods_store_open(job->dir), fd = -EBADF;
	int r;

	if (directory < 0)
		return directory;
	/* Of a write that was cut short. */
	(void)unlinkat(directory, STORE_TEMPORARY, 0);
	fd = openat(directory, STORE_TEMPORARY,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0)
		return -errno;
	r = store_write_all(fd, job);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(directory, STORE_TEMPORARY, directory, STORE_FILE) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(directory, STORE_TEMPORARY, 0);
		return r;
	}
	/* The file is whole without it; only which of the two is there after a power cut is not. */
	(void)fsync(directory);
	return 0;
}
