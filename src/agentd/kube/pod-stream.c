/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/pod-stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kube/pod-scan.h"
#include "limit.h"
#include "macro.h"
#include "strbuf.h"

#define WHY_SIZE 256u

/* A buffer larger than this is given back after its object: one huge pod is no reason to hold
 * megabytes for as long as the watch is open. */
#define BUFFER_KEPT 65536u

enum stage {
	STAGE_START,    /* of a list; of a watch also between its objects */
	STAGE_OBJECT,   /* in an event, or in a pod of a list */
	STAGE_ENVELOPE, /* in the list, but not in its items */
	STAGE_FIRST,    /* after "items":[ */
	STAGE_NEXT,     /* after a pod in it */
	STAGE_COMMA,    /* after the comma behind a pod */
	STAGE_DONE,     /* after the list */
};

struct pod_stream {
	enum pod_stream_kind kind;
	struct pod_stream_handlers handlers;
	void *data;
	enum stage stage;
	struct pod_scan scan;
	struct strbuf object;   /* what is being read */
	struct strbuf envelope; /* the list without what is in its items, and without blanks */
	size_t string_at;       /* in the envelope, where the last string begins */
	bool after_items;       /* the last string at depth 1 is "items" */
	bool is_items;          /* the value that comes is that of "items" */
	int error;
	char *resource_version, *continue_token;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int pod_stream_new(enum pod_stream_kind kind, const struct pod_stream_handlers *handlers,
		   void *data, struct pod_stream **ret)
{
	struct pod_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->kind = kind;
	stream->handlers = *handlers;
	stream->data = data;
	*ret = stream;
	return 0;
}

struct pod_stream *pod_stream_free(struct pod_stream *stream)
{
	if (!stream)
		return NULL;
	strbuf_done(&stream->object);
	strbuf_done(&stream->envelope);
	free(stream->resource_version);
	free(stream->continue_token);
	free(stream);
	return NULL;
}

/* 1: *ret; 0: it is JSON, but nothing that we take, and bad() was told; -EBADMSG; -ENOMEM. */
static int text_load(struct pod_stream *stream, const struct strbuf *text, json_t **ret)
{
	json_error_t error = { 0 };
	json_t *value = json_loadb(text->text, text->length, 0, &error);

	if (value) {
		*ret = value;
		return 1;
	}
	switch (json_error_code(&error)) {
	case json_error_out_of_memory:
		return -ENOMEM;
	/* The braces were balanced, so that the next object is found all the same. */
	case json_error_null_character:
	case json_error_null_byte_in_key:
	case json_error_invalid_utf8:
	case json_error_numeric_overflow:
		stream->handlers.bad(stream->data, error.text);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int pod_deliver(struct pod_stream *stream, enum pod_event event, const json_t *object)
{
	struct kube_pod *pod = NULL;
	char why[WHY_SIZE] = "";
	int r;

	r = kube_pod_decode(object, why, sizeof(why), &pod);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		stream->handlers.bad(stream->data, why);
		return 0;
	}
	return stream->handlers.pod(stream->data, event, pod);
}

static void status_deliver(struct pod_stream *stream, const json_t *status)
{
	json_int_t code = json_integer_value(json_object_get(status, "code"));

	stream->handlers.failed(stream->data, code >= 0 && code < 1000 ? (int)code : 0,
				text_of(status, "reason"), text_of(status, "message"));
}

static int bookmark_deliver(struct pod_stream *stream, const json_t *object)
{
	const char *version = text_of(json_object_get(object, "metadata"), "resourceVersion");

	if (*version)
		stream->handlers.bookmark(stream->data, version);
	else
		stream->handlers.bad(stream->data, "a bookmark without a resourceVersion");
	return 0;
}

static int event_deliver(struct pod_stream *stream, const json_t *event)
{
	static const struct {
		const char *type;
		enum pod_event event;
	} types[] = {
		{ "ADDED", POD_ADDED },
		{ "MODIFIED", POD_MODIFIED },
		{ "DELETED", POD_DELETED },
	};
	const char *type = text_of(event, "type");
	const json_t *object = json_object_get(event, "object");

	/* What a server says instead of a watch, where nobody looked at the HTTP status. */
	if (strcmp(text_of(event, "kind"), "Status") == 0) {
		status_deliver(stream, event);
		return 0;
	}
	if (!*type || !json_is_object(object))
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return pod_deliver(stream, types[i].event, object);
	if (strcmp(type, "BOOKMARK") == 0)
		return bookmark_deliver(stream, object);
	if (strcmp(type, "ERROR") == 0)
		status_deliver(stream, object);
	else
		stream->handlers.bad(stream->data, "a watch event of an unknown type");
	return 0;
}

static int object_deliver(struct pod_stream *stream)
{
	CLEANUP(json_decrefp) json_t *object = NULL;
	int r;

	r = text_load(stream, &stream->object, &object);
	if (stream->object.capacity > BUFFER_KEPT)
		strbuf_done(&stream->object);
	strbuf_clear(&stream->object);
	if (r <= 0)
		return r;
	return stream->kind == POD_STREAM_LIST ? pod_deliver(stream, POD_LISTED, object)
					       : event_deliver(stream, object);
}

/* An apiserver writes each event as one line. What is missing in one will not come, and would not
 * be missed before the next event or, without one, before the silence is too long. */
static bool line_is_cut(const struct pod_stream *stream, const char *bytes, size_t size)
{
	return stream->kind == POD_STREAM_WATCH && stream->object.length > 1 &&
	       stream->object.text[1] == '"' && memchr(bytes, '\n', size);
}

static int object_step(struct pod_stream *stream, const char *bytes, size_t size, size_t *used)
{
	unsigned int until = stream->kind == POD_STREAM_LIST ? 2 : 0;
	bool closed = false;
	int r;

	r = pod_scan(&stream->scan, bytes, size, until, &closed, used);
	if (r < 0)
		return r;
	if (stream->object.length + *used > LIMIT_POD_BYTES)
		return -EMSGSIZE;
	strbuf_add_bytes(&stream->object, bytes, *used);
	if (strbuf_error(&stream->object) < 0)
		return -ENOMEM;
	if (line_is_cut(stream, bytes, *used))
		return -EBADMSG;
	if (!closed)
		return 0;
	stream->stage = stream->kind == POD_STREAM_LIST ? STAGE_NEXT : STAGE_START;
	r = object_deliver(stream);
	return r < 0 ? r : 0;
}

static int metadata_take(struct pod_stream *stream, const json_t *list)
{
	const json_t *metadata = json_object_get(list, "metadata");

	stream->resource_version = strdup(text_of(metadata, "resourceVersion"));
	stream->continue_token = strdup(text_of(metadata, "continue"));
	return stream->resource_version && stream->continue_token ? 0 : -ENOMEM;
}

/* The end of the list. Without "items" it is not believed: it would mean that the node is empty.
 * The kubelet says "items":null when it is. */
static int envelope_deliver(struct pod_stream *stream)
{
	CLEANUP(json_decrefp) json_t *list = NULL;
	json_error_t error;
	const json_t *items;
	const char *kind;

	list = json_loadb(stream->envelope.text, stream->envelope.length, 0, &error);
	if (!list)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	kind = text_of(list, "kind");
	if (strcmp(kind, "Status") == 0) {
		status_deliver(stream, list);
		return 0;
	}
	items = json_object_get(list, "items");
	/* Pods that are still in there had an escaped "items" before them. */
	if (strcmp(kind, "PodList") != 0 ||
	    !(json_is_null(items) || (json_is_array(items) && json_array_size(items) == 0)))
		return -EBADMSG;
	return metadata_take(stream, list);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Which key of the list the next value belongs to. was: before the byte. */
static void envelope_key(struct pod_stream *stream, const struct pod_scan *was, char byte)
{
	static const char items[] = "\"items\"";

	if (was->depth != 1)
		return;
	if (!was->in_string && byte == '"') {
		stream->string_at = stream->envelope.length - 1;
	} else if (was->in_string && !stream->scan.in_string) {
		stream->after_items =
			stream->envelope.length - stream->string_at == sizeof(items) - 1 &&
			memcmp(stream->envelope.text + stream->string_at, items,
			       sizeof(items) - 1) == 0;
	} else if (!was->in_string) {
		stream->is_items = byte == ':' && stream->after_items;
	}
}

static int envelope_byte(struct pod_stream *stream, char byte)
{
	struct pod_scan was = stream->scan;
	bool closed = false, opens_items = stream->is_items && byte == '[';
	size_t used = 0;
	int r;

	if (!was.in_string && is_blank(byte))
		return 0;
	if (stream->envelope.length == LIMIT_POD_BYTES)
		return -EMSGSIZE;
	r = pod_scan(&stream->scan, &byte, 1, 0, &closed, &used);
	if (r < 0)
		return r;
	strbuf_add_char(&stream->envelope, byte);
	if (strbuf_error(&stream->envelope) < 0)
		return -ENOMEM;
	envelope_key(stream, &was, byte);
	if (opens_items && was.depth == 1)
		stream->stage = STAGE_FIRST;
	if (!closed)
		return 0;
	stream->stage = STAGE_DONE;
	r = envelope_deliver(stream);
	strbuf_done(&stream->envelope);
	return r;
}

/* Between the pods of a list. */
static int items_byte(struct pod_stream *stream, char byte)
{
	if (is_blank(byte))
		return 0;
	if (byte == ',' && stream->stage == STAGE_NEXT) {
		stream->stage = STAGE_COMMA;
		return 0;
	}
	if (byte == ']' && stream->stage != STAGE_COMMA) {
		stream->stage = STAGE_ENVELOPE;
		return envelope_byte(stream, byte);
	}
	return -EBADMSG;
}

static int stream_step(struct pod_stream *stream, const char *bytes, size_t size, size_t *used)
{
	*used = 1;
	switch (stream->stage) {
	case STAGE_OBJECT:
		return object_step(stream, bytes, size, used);
	case STAGE_ENVELOPE:
		return envelope_byte(stream, *bytes);
	case STAGE_FIRST:
	case STAGE_NEXT:
	case STAGE_COMMA:
		if (*bytes != '{' || stream->stage == STAGE_NEXT)
			return items_byte(stream, *bytes);
		stream->stage = STAGE_OBJECT;
		return object_step(stream, bytes, size, used);
	case STAGE_START:
		if (*bytes != '{')
			return is_blank(*bytes) ? 0 : -EBADMSG;
		if (stream->kind == POD_STREAM_LIST) {
			stream->stage = STAGE_ENVELOPE;
			return envelope_byte(stream, *bytes);
		}
		stream->stage = STAGE_OBJECT;
		return object_step(stream, bytes, size, used);
	case STAGE_DONE:
	default:
		return is_blank(*bytes) ? 0 : -EBADMSG;
	}
}

int pod_stream_feed(struct pod_stream *stream, const char *bytes, size_t size)
{
	while (size > 0 && stream->error == 0) {
		size_t used = 0;

		stream->error = stream_step(stream, bytes, size, &used);
		bytes += used;
		size -= used;
	}
	return stream->error;
}

int pod_stream_end(const struct pod_stream *stream)
{
	enum stage whole = stream->kind == POD_STREAM_LIST ? STAGE_DONE : STAGE_START;

	if (stream->error < 0)
		return stream->error;
	return stream->stage == whole ? 0 : -EBADMSG;
}

const char *pod_stream_resource_version(const struct pod_stream *stream)
{
	return stream->resource_version ? stream->resource_version : "";
}

const char *pod_stream_continue(const struct pod_stream *stream)
{
	return stream->continue_token ? stream->continue_token : "";
}
