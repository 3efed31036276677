/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "cleanup.h"

/* A plan or a restore of a thousand groups takes seconds; a daemon that hangs does not answer. */
#define CLIENT_TIMEOUT_SEC 60L
#define CLIENT_BODY_MAX    (64u << 20)

DEFINE_CLEANUP(CURL *, curl_easy_cleanup);
DEFINE_CLEANUP(char *, curl_free);

static size_t body_take(const char *bytes, size_t size, size_t count, void *data)
{
	struct strbuf *body = data;

	if (body->length + size * count > CLIENT_BODY_MAX)
		return 0;
	strbuf_add_bytes(body, bytes, size * count);
	return strbuf_error(body) ? 0 : size * count;
}

/* libcurl says only "could not connect"; the errno of connect() says what to do about it. */
static int connect_explain(const struct ctl *ctl, CURL *curl, CURLcode code)
{
	long error = 0;

	if (code == CURLE_ABORTED_BY_CALLBACK) {
		ctl_say(ctl, "berthd does not answer");
		return -ETIMEDOUT;
	}
	if (code != CURLE_COULDNT_CONNECT) {
		ctl_say(ctl, "no answer over '%s': %s", ctl->socket, curl_easy_strerror(code));
		return -EPROTO;
	}
	(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	/* Older libcurl does not keep it for a unix socket. */
	if (error == 0)
		error = access(ctl->socket, R_OK | W_OK) < 0 ? errno : ECONNREFUSED;
	if (error == EACCES || error == EPERM) {
		ctl_say(ctl, "no permission for '%s': be root or join group berth", ctl->socket);
		return -EACCES;
	}
	ctl_say(ctl, "cannot connect to '%s' (%s): berthd is not running? systemctl status berthd",
		ctl->socket, strerror((int)error));
	return error == ENOENT ? -ENOENT : -ECONNREFUSED;
}

/* What the daemon says of a refusal, each place in a file on its own line. */
static int refusal_explain(const struct ctl *ctl, const char *path, long status,
			   const json_t *answer)
{
	const char *text = json_read_text(answer, "error");
	const json_t *item;
	size_t i;

	if (ctl->json && answer)
		(void)ctl_print_json(answer);
	if (status == 403) {
		ctl_say(ctl, "this is for root, and for the user that berthd runs as");
		return -EACCES;
	}
	if (*text)
		ctl_say(ctl, "%s", text);
	else
		ctl_say(ctl, "berthd answered %ld to %s", status, path);
	json_array_foreach(json_read(answer, "errors"), i, item)(void)
		fprintf(stderr, "  %s\n", json_read_text(item, "message"));
	return -EREMOTEIO;
}

static int on_progress(void *data, curl_off_t expected, curl_off_t got, curl_off_t to_send,
		       curl_off_t sent)
{
	const struct ctl *ctl = data;

	(void)expected, (void)got, (void)to_send, (void)sent;
	return ctl->abandon(ctl->data);
}

static int curl_prepare(const struct ctl *ctl, CURL *curl, const char *method, const char *path,
			struct strbuf *body)
{
	struct strbuf url cleanup_strbuf = {};

	/* The host is only what the Host header says. */
	strbuf_addf(&url, "http://berthd%s", path);
	if (strbuf_error(&url))
		return -ENOMEM;
	if (strcmp(method, "POST") == 0) {
		(void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->socket);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, CLIENT_TIMEOUT_SEC);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "berthctl/" BERTH_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	if (ctl->abandon) {
		(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
		(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
		(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, ctl);
	}
	return curl_easy_setopt(curl, CURLOPT_URL, strbuf_text(&url)) == CURLE_OK ? 0 : -ENOMEM;
}

/* Names of workloads and texts of others are in it: none may reach the terminal as an escape. JSON
 * output needs no such care, it is escaped anyway. No deeper than jansson's parser lets it be. */
static void answer_sanitize(json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach(value, key, child) answer_sanitize(child);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, child) answer_sanitize(child);
	} else if (json_is_string(value)) {
		cleanup_free char *text = strdup(json_string_value(value));

		if (text)
			(void)text_sanitize(text);
		(void)json_string_set(value, text ? text : "");
	}
}

int client_call(const struct ctl *ctl, const char *method, const char *path, json_t **ret)
{
	CURL *curl CLEANUP(curl_easy_cleanupp) = curl_easy_init();
	struct strbuf body cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	json_error_t error;
	long status = 0;
	CURLcode code;
	int r = curl ? curl_prepare(ctl, curl, method, path, &body) : -ENOMEM;

	/* libcurl would speak of a host that it cannot resolve. */
	if (strlen(ctl->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		r = -ENAMETOOLONG;
	if (r < 0) {
		ctl_say(ctl, "cannot ask '%s': %s", ctl->socket, strerror(-r));
		return r;
	}
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return connect_explain(ctl, curl, code);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	answer = json_loadb(strbuf_text(&body), body.length, JSON_REJECT_DUPLICATES, &error);
	if (!ctl->json || status < 200 || status > 299)
		answer_sanitize(answer);
	if (status < 200 || status > 299)
		return refusal_explain(ctl, path, status, answer);
	if (!json_is_object(answer)) {
		ctl_say(ctl, "the answer over '%s' is not that of berthd", ctl->socket);
		return -EPROTO;
	}
	*ret = json_incref(answer);
	return 0;
}

int client_get(const struct ctl *ctl, const char *path, json_t **ret)
{
	json_auto_t *answer = NULL;
	int r = client_call(ctl, "GET", path, &answer);

	if (r < 0)
		return r;
	if (ctl->json)
		return ctl_print_json(answer) == 0 ? 1 : -EIO;
	*ret = json_incref(answer);
	return 0;
}

int client_path(struct strbuf *ret, const char *path, const char *key, const char *value)
{
	char *escaped CLEANUP(curl_freep) = curl_easy_escape(NULL, value, 0);

	if (!escaped)
		return -ENOMEM;
	strbuf_addf(ret, "%s?%s=%s", path, key, escaped);
	return strbuf_error(ret);
}

json_t *json_read(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

const char *json_read_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t json_read_signed(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

uint64_t json_read_number(const json_t *object, const char *key)
{
	int64_t number = json_read_signed(object, key);

	return number > 0 ? (uint64_t)number : 0;
}

bool json_read_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
