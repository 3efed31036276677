/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/control/internal.h"
#include "config/tree.h"
#include "macro.h"

json_t *json_text(const char *text)
{
	struct strbuf safe cleanup_strbuf = {};
	json_t *string;

	if (!text)
		text = "";
	string = json_string(text);
	if (string)
		return string;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 0x80)
			strbuf_add_char(&safe, *at);
		else
			strbuf_addf(&safe, "\\x%02x", (unsigned int)(unsigned char)*at);
	return strbuf_error(&safe) ? NULL : json_string(strbuf_text(&safe));
}

void json_set_text(json_t *object, const char *key, const char *text)
{
	(void)json_object_set_new(object, key, json_text(text));
}

void json_set_number(json_t *object, const char *key, uint64_t number)
{
	(void)json_object_set_new(object, key,
				  json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX)));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
	(void)json_object_set_new(object, key, json_boolean(value));
}

void json_set_time(json_t *object, const char *key, uint64_t realtime_usec)
{
	time_t seconds = (time_t)(realtime_usec / USEC_PER_SEC);
	struct tm fields;
	char text[32];

	if (!gmtime_r(&seconds, &fields))
		return;
	if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &fields) > 0)
		json_set_text(object, key, text);
}

void json_set_errno(json_t *object, const char *key, int result)
{
	char text_key[64];
	const char *name;

	if (result >= 0)
		return;
	name = strerrorname_np(-result);
	(void)snprintf(text_key, sizeof(text_key), "%s_text", key);
	json_set_text(object, key, name ? name : "unknown");
	json_set_text(object, text_key, strerror(-result));
}

static int body_add(const char *bytes, size_t length, void *data)
{
	struct strbuf *body = data;

	strbuf_add_bytes(body, bytes, length);
	return strbuf_error(body) ? -1 : 0;
}

void reply_json(struct http_response *response, unsigned int status, json_t *answer)
{
	json_auto_t *owned = answer;

	response->content_type = "application/json";
	response->status = status;
	/* Straight into the body: a table of a thousand workloads is not held twice. */
	if (!owned || json_dump_callback(owned, body_add, &response->body, JSON_COMPACT) < 0) {
		strbuf_clear(&response->body);
		strbuf_add(&response->body, "{\"error\":\"out of memory\"}");
		response->status = 500;
	}
	strbuf_add_char(&response->body, '\n');
}

static json_t *error_json(const char *text)
{
	json_t *answer = json_object();

	json_set_text(answer, "error", text);
	return answer;
}

void reply_error(struct http_response *response, unsigned int status, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	reply_json(response, status, error_json(text));
}

json_t *config_errors_json(const struct config_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; errors && i < errors->count; i++) {
		const struct config_error *error = &errors->items[i];
		json_t *item = json_object();
		char text[1024];

		config_error_format(error, text, sizeof(text));
		json_set_text(item, "file", error->file);
		json_set_number(item, "line", error->line);
		json_set_number(item, "column", error->column);
		json_set_text(item, "key", error->key);
		json_set_text(item, "text", error->text);
		json_set_text(item, "message", text);
		(void)json_array_append_new(list, item);
	}
	return list;
}

void reply_config_errors(struct http_response *response, const char *what,
			 const struct config_errors *errors)
{
	json_t *answer = error_json(what);

	(void)json_object_set_new(answer, "errors", config_errors_json(errors));
	if (errors)
		json_set_number(answer, "errors_dropped", errors->dropped);
	reply_json(response, 422, answer);
}
