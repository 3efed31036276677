/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-pod-list.c - a PodList in slices of the size that the first byte says. */
#include <string.h>

#include "cleanup.h"
#include "kube/pod-stream.h"
#include "macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What outlives a restart says the same, and is as clean as the rest. */
static int on_pod(void *data, enum pod_event event, struct kube_pod *pod)
{
	cleanup_free struct kube_pod *owned = pod, *again = NULL;
	json_t *encoded = kube_pod_encode(pod);
	char why[64];

	(void)data;
	if (event != POD_LISTED || !encoded ||
	    kube_pod_decode(encoded, why, sizeof(why), &again) < 0 || !kube_pod_equal(owned, again))
		abort();
	json_decref(encoded);
	return 0;
}

static void on_bad(void *data, const char *why)
{
	(void)data;
	if (strnlen(why, 256) == 256)
		abort();
}

static void on_bookmark(void *data, const char *resource_version)
{
	(void)data;
	(void)resource_version;
	abort();
}

static void on_failed(void *data, int code, const char *reason, const char *message)
{
	(void)data;
	if (code < 0 || !reason || !message)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pod_stream_handlers handlers = { on_pod, on_bad, on_bookmark,
							     on_failed };
	struct pod_stream *stream = NULL;
	size_t slice = size > 0 ? data[0] + 1u : 1;

	if (pod_stream_new(POD_STREAM_LIST, &handlers, NULL, &stream) < 0)
		return 0;
	for (size_t at = 1; at < size; at += slice) {
		const char *bytes = (const char *)data + at;

		if (pod_stream_feed(stream, bytes, MIN(slice, size - at)) < 0)
			break;
	}
	/* A list that is not whole has no next page. */
	if (pod_stream_end(stream) < 0 && *pod_stream_continue(stream) &&
	    pod_stream_feed(stream, "", 0) == 0)
		abort();
	(void)pod_stream_free(stream);
	return 0;
}
