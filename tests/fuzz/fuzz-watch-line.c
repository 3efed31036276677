/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-watch-line.c - a watch: in one piece and byte by byte it says the same. */
#include <string.h>

#include "cleanup.h"
#include "kube/pod-stream.h"
#include "strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_pod(void *data, enum pod_event event, struct kube_pod *pod)
{
	strbuf_addf(data, "%d %s %s %zu\n", (int)event, pod->uid, pod->name, pod->label_count);
	free(pod);
	return 0;
}

static void on_bad(void *data, const char *why)
{
	strbuf_addf(data, "bad %s\n", why);
}

static void on_bookmark(void *data, const char *resource_version)
{
	strbuf_addf(data, "bookmark %s\n", resource_version);
}

static void on_failed(void *data, int code, const char *reason, const char *message)
{
	strbuf_addf(data, "failed %d %s %s\n", code, reason, message);
}

static int watch(const uint8_t *data, size_t size, size_t slice, struct strbuf *told)
{
	static const struct pod_stream_handlers handlers = { on_pod, on_bad, on_bookmark,
							     on_failed };
	struct pod_stream *stream = NULL;
	int r = 0;

	if (pod_stream_new(POD_STREAM_WATCH, &handlers, told, &stream) < 0)
		abort();
	for (size_t at = 0; at + slice <= size && r == 0; at += slice)
		r = pod_stream_feed(stream, (const char *)data + at, slice);
	r = pod_stream_end(stream);
	(void)pod_stream_free(stream);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_strbuf struct strbuf whole = { 0 }, bytes = { 0 };

	if (size == 0)
		return 0;
	if (watch(data, size, size, &whole) != watch(data, size, 1, &bytes) ||
	    strcmp(strbuf_text(&whole), strbuf_text(&bytes)) != 0)
		abort();
	return 0;
}
