/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod-stream.h - a PodList or a watch, decoded as it arrives: each pod as soon as its last byte is
 * there. What is kept is one object at a time, never the list. Pure.
 */
#pragma once

#include "kube/pod.h"

enum pod_stream_kind {
	POD_STREAM_LIST,  /* one PodList, compact or indented, items anywhere in it */
	POD_STREAM_WATCH, /* {"type":...,"object":...} one after the other; one that does not begin
			     as indented JSON does is one line: a line that ends within it was
			     cut */
};

enum pod_event { POD_LISTED, POD_ADDED, POD_MODIFIED, POD_DELETED };

struct pod_stream_handlers {
	/* The pod is the receiver's: free() it. A negative return ends the feed with it. */
	int (*pod)(void *data, enum pod_event event, struct kube_pod *pod);
	/* One object is of no use; the stream goes on. why is for people. */
	void (*bad)(void *data, const char *why);
	/* BOOKMARK: everything up to here was told. */
	void (*bookmark)(void *data, const char *resource_version);
	/* ERROR in a watch, or a Status object instead of a list: code 410 is "list again". */
	void (*failed)(void *data, int code, const char *reason, const char *message);
};

struct pod_stream;

int pod_stream_new(enum pod_stream_kind kind, const struct pod_stream_handlers *handlers,
		   void *data, struct pod_stream **ret);
struct pod_stream *pod_stream_free(struct pod_stream *stream);

/* 0; -EBADMSG: not JSON, or not of this kind, from here on nothing is believed; -EMSGSIZE: one
 * object over LIMIT_POD_BYTES; -ENOMEM; what pod() returned. After an error feed nothing more. */
int pod_stream_feed(struct pod_stream *stream, const char *bytes, size_t size);
/* The body has ended. -EBADMSG: in the middle of something. */
int pod_stream_end(const struct pod_stream *stream);

/* Of a list: metadata.resourceVersion and metadata.continue, "" while or when there is none. */
const char *pod_stream_resource_version(const struct pod_stream *stream);
const char *pod_stream_continue(const struct pod_stream *stream);
