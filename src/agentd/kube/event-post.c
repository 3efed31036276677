/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kube/events-internal.h"
#include "kube/url.h"
#include "log.h"

#define COMPONENT       "berthd"
#define NAME_MAX_BYTES  253u /* of an object: a DNS subdomain */
#define NAME_TAIL_BYTES 17u  /* "." and 16 digits */
#define TIMEOUT_USEC    (30 * USEC_PER_SEC)
#define ANSWER_BYTES    (256u * 1024)

size_t events_message_length(const char *text)
{
	size_t length = strnlen(text, KUBE_EVENT_MESSAGE_MAX);

	/* Not in the middle of a character: bytes after its first are 10xxxxxx. */
	while (text[length] && length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

/* "POD.1827a0c5d9b3e001", as client-go names them. */
static void object_name(const struct incident *incident, char *name, size_t size)
{
	size_t length = strnlen(incident->pod, NAME_MAX_BYTES - NAME_TAIL_BYTES);
	struct timespec now;

	while (length > 0 && (incident->pod[length - 1] == '.' || incident->pod[length - 1] == '-'))
		length--;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(name, size, "%.*s.%llx", (int)length, incident->pod,
		       (unsigned long long)now.tv_sec * 1000000000ULL +
			       (unsigned long long)now.tv_nsec);
}

static void rfc3339(uint64_t usec, char *text, size_t size)
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(text, size, "1970-01-01T00:00:00Z");
}

static char *event_body(const struct kube_events *events, const struct incident *incident)
{
	char name[NAME_MAX_BYTES + 1], first[32], last[32];
	json_auto_t *object = NULL;

	object_name(incident, name, sizeof(name));
	rfc3339(incident->first_usec, first, sizeof(first));
	rfc3339(incident->last_usec, last, sizeof(last));
	object = json_pack("{ss ss s{ss ss} s{ss ss ss ss ss} ss ss s{ss ss} ss ss si ss ss ss}",
			   "kind", "Event", "apiVersion", "v1", "metadata", "name", name,
			   "namespace", incident->namespace, "involvedObject", "kind", "Pod",
			   "apiVersion", "v1", "namespace", incident->namespace, "name",
			   incident->pod, "uid", incident->uid, "reason", incident->reason,
			   "message", incident->message, "source", "component", COMPONENT, "host",
			   events->node, "firstTimestamp", first, "lastTimestamp", last, "count",
			   (int)incident->occurred, "type", incident->type, "reportingComponent",
			   COMPONENT, "reportingInstance", events->node);
	return object ? json_dumps(object, JSON_COMPACT) : NULL;
}

int events_post(struct kube_events *events, const struct incident *incident,
		const struct http_handlers *handlers)
{
	static const char *const headers[] = { "Content-Type: application/json",
					       "Accept: application/json", NULL };
	cleanup_free char *body = event_body(events, incident);
	cleanup_strbuf struct strbuf url = { 0 };
	struct http_identity identity;
	struct http_call_spec spec = {
		.method = "POST",
		.headers = headers,
		.body = body,
		.identity = &identity,
		.total_timeout_usec = TIMEOUT_USEC,
		.body_limit = ANSWER_BYTES,
	};
	char why[256] = "";
	int r;

	if (!body)
		return -EBADMSG;
	strbuf_addf(&url, "%s/api/v1/namespaces/", events->access->server);
	kube_url_add(&url, incident->namespace);
	strbuf_add(&url, "/events");
	r = strbuf_error(&url);
	if (r < 0)
		return r;
	r = kube_access_identity(events->access, why, sizeof(why), &identity);
	if (r < 0) {
		log_debug("an Event cannot be sent: %s", why);
		return r == -EBADMSG ? -EIO : r;
	}
	spec.url = strbuf_text(&url);
	spec.body_size = strlen(body);
	return http_call_start(events->client, &spec, handlers, events, &events->call);
}
