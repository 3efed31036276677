/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/admission.h"
#include "limit.h"
#include "macro.h"
#include "parse.h"

/* libmicrohttpd has renamed its own name of it twice. */
#define STATUS_TOO_LARGE 413u

/* What is over the limit is read and thrown away so that the client sees the 413; one that goes on
 * for long is cut off. */
#define DISCARD_MAX (4u * LIMIT_HTTP_BODY_BYTES)

struct upload {
	struct http_admission admission;
	struct strbuf body;
	size_t received;
	bool is_answered;
};

void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	admission_done(&upload->admission);
	strbuf_done(&upload->body);
	free(upload);
}

const char *http_query(const struct http_request *request, const char *key)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

static bool path_matches(const struct http_route *route, const char *path)
{
	size_t length = strlen(route->path);

	if (route->path[length - 1] == '/')
		return strncmp(route->path, path, length) == 0;
	return strcmp(route->path, path) == 0;
}

static bool method_matches(const struct http_route *route, const char *method)
{
	if (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
		method = MHD_HTTP_METHOD_GET;
	return strcmp(route->method, method) == 0;
}

/* NULL: none; *ret_allow then has the methods that the path knows, "" if no route has it. */
static const struct http_route *route_find(const struct http_route *routes, const char *method,
					   const char *path, char *ret_allow, size_t size)
{
	ret_allow[0] = '\0';
	for (const struct http_route *route = routes; route->method; route++) {
		const char *name = route->method;
		size_t length = strlen(ret_allow);

		if (!path_matches(route, path))
			continue;
		if (method_matches(route, method))
			return route;
		if (strcmp(name, MHD_HTTP_METHOD_GET) == 0)
			name = MHD_HTTP_METHOD_GET ", " MHD_HTTP_METHOD_HEAD;
		if (!strstr(ret_allow, name))
			(void)snprintf(ret_allow + length, size - length, "%s%s",
				       length ? ", " : "", name);
	}
	return NULL;
}

static enum MHD_Result header_add(struct MHD_Response *response, const char *name,
				  const char *value)
{
	return value ? MHD_add_response_header(response, name, value) : MHD_YES;
}

/* Headers that may be NULL are left out. The response is let go, also on failure. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned int status,
				     const char *type, const char *allow,
				     const struct http_response *answer,
				     struct MHD_Response *response)
{
	enum MHD_Result result = header_add(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);

	if (result == MHD_YES)
		result = header_add(response, MHD_HTTP_HEADER_ALLOW, allow);
	if (result == MHD_YES && answer)
		result = header_add(response, MHD_HTTP_HEADER_CONTENT_ENCODING, answer->encoding);
	if (result == MHD_YES && answer)
		result = header_add(response, MHD_HTTP_HEADER_VARY, answer->vary);
	if (result == MHD_YES && answer)
		result = header_add(response, MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after);
	if (result == MHD_YES)
		result = admission_headers(connection, status, response);
	if (result == MHD_YES)
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* Takes the text of body over; also when it fails. said: whose further headers; may be NULL. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
			      const char *type, const char *allow, const struct http_response *said,
			      struct strbuf *body)
{
	size_t length = body->length;
	char *text = strbuf_take(body);
	struct MHD_Response *response;

	/* MHD_NO closes the connection: there is no memory to say more. */
	if (!text)
		return MHD_NO;
	response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	return send_response(connection, status, type, allow, said, response);
}

static void on_blob_sent(void *data)
{
	(void)blob_unref(data);
}

#if MHD_VERSION >= 0x00097302
static struct MHD_Response *blob_response(struct blob *blob)
{
	return MHD_create_response_from_buffer_with_free_callback_cls(
		blob->length, blob_bytes(blob), on_blob_sent, blob);
}
#else
#define BLOB_BLOCK_BYTES ((size_t)32 * 1024)

static ssize_t blob_read(void *data, uint64_t position, char *block, size_t size)
{
	struct blob *blob = data;
	size_t length = MIN(size, blob->length - (size_t)position);

	memcpy(block, blob_bytes(blob) + position, length);
	return (ssize_t)length;
}

/* In blocks, which costs a copy, but never one of the whole for each slow reader. */
static struct MHD_Response *blob_response(struct blob *blob)
{
	return MHD_create_response_from_callback(blob->length, BLOB_BLOCK_BYTES, blob_read, blob,
						 on_blob_sent);
}
#endif

/* Takes the reference over; also when it fails. */
static enum MHD_Result answer_blob(struct MHD_Connection *connection,
				   const struct http_response *answer)
{
	struct blob *blob = answer->blob;
	struct MHD_Response *response = blob_response(blob);

	if (!response) {
		(void)blob_unref(blob);
		return MHD_NO;
	}
	return send_response(connection, answer->status, answer->content_type, NULL, answer,
			     response);
}

/* The same words in the form of the socket: JSON for berthctl, a line for a scraper's log. */
static enum MHD_Result refuse(const struct http_server *server, struct MHD_Connection *connection,
			      unsigned int status, const char *allow)
{
	cleanup_strbuf struct strbuf body = { 0 };
	const char *why = MHD_get_reason_phrase_for(status);

	if (!server->is_local) {
		strbuf_addf(&body, "%s\n", why);
		return answer(connection, status, "text/plain; charset=utf-8", allow, NULL, &body);
	}
	strbuf_addf(&body, "{\"error\":\"%s\"}\n", why);
	return answer(connection, status, "application/json", allow, NULL, &body);
}

static int peer_read(struct MHD_Connection *connection, struct http_request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);

	if (!info)
		return -ENOTCONN;
	if (getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return -errno;
	request->uid = peer.uid;
	request->gid = peer.gid;
	request->pid = peer.pid;
	return 0;
}

static enum MHD_Result serve(struct http_server *server, struct MHD_Connection *connection,
			     const struct http_route *route, const char *url, const char *method,
			     const struct upload *upload)
{
	struct http_response response = { .status = MHD_HTTP_OK };
	struct http_request request = {
		.method = method,
		.path = url,
		.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						      MHD_HTTP_HEADER_ACCEPT),
		.accept_encoding = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							       MHD_HTTP_HEADER_ACCEPT_ENCODING),
		.body = strbuf_text(&upload->body),
		.body_length = upload->body.length,
		.is_local = server->is_local,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.connection = connection,
	};
	const char *type;

	if (server->is_local && peer_read(connection, &request) < 0)
		return refuse(server, connection, MHD_HTTP_FORBIDDEN, NULL);
	/* A berthd that is not root's is its own user's, who could as well kill it. */
	if (route->privileged &&
	    (!request.is_local || (request.uid != 0 && request.uid != geteuid())))
		return refuse(server, connection, MHD_HTTP_FORBIDDEN, NULL);
	route->handle(server->data, &request, &response);
	if (response.blob) {
		strbuf_done(&response.body);
		return answer_blob(connection, &response);
	}
	if (strbuf_error(&response.body) < 0) {
		strbuf_done(&response.body);
		return refuse(server, connection, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	}
	type = server->is_local ? "application/json" : "text/plain; charset=utf-8";
	return answer(connection, response.status,
		      response.content_type ? response.content_type : type, NULL, &response,
		      &response.body);
}

static const struct http_route *route_or_refuse(struct http_server *server,
						struct MHD_Connection *connection, const char *url,
						const char *method, enum MHD_Result *ret_result)
{
	char allow[64];
	const struct http_route *route =
		route_find(server->routes, method, url, allow, sizeof(allow));

	if (!route && *allow)
		*ret_result = refuse(server, connection, MHD_HTTP_METHOD_NOT_ALLOWED, allow);
	else if (!route)
		*ret_result = refuse(server, connection, MHD_HTTP_NOT_FOUND, NULL);
	return route;
}

/* One that waits goes on in on_request(). */
static enum MHD_Result not_admitted(const struct http_server *server,
				    struct MHD_Connection *connection, struct upload *upload)
{
	if (upload->admission.verdict == WEB_WAITS)
		return MHD_YES;
	upload->is_answered = true;
	return refuse(server, connection,
		      upload->admission.verdict == WEB_DENIED ? MHD_HTTP_UNAUTHORIZED
							      : MHD_HTTP_SERVICE_UNAVAILABLE,
		      NULL);
}

/* Headers are there, the body is not: refuse what can be refused before it is sent. */
static enum MHD_Result request_begin(struct http_server *server, struct MHD_Connection *connection,
				     const char *url, const char *method, void **context)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct upload *upload = calloc(1, sizeof(*upload));
	enum MHD_Result result = MHD_YES;
	uint64_t bytes = 0;
	int r;

	if (!upload)
		return MHD_NO;
	*context = upload;
	if (admission_begin(&upload->admission, server, connection) != WEB_ALLOWED)
		return not_admitted(server, connection, upload);
	r = length ? parse_u64(length, &bytes) : 0;
	if (r == -ERANGE || bytes > LIMIT_HTTP_BODY_BYTES) {
		upload->is_answered = true;
		return refuse(server, connection, STATUS_TOO_LARGE, NULL);
	}
	if (!route_or_refuse(server, connection, url, method, &result))
		upload->is_answered = true;
	return result;
}

static enum MHD_Result upload_add(struct upload *upload, const char *data, size_t *size)
{
	upload->received += *size;
	if (upload->received > DISCARD_MAX)
		return MHD_NO;
	if (upload->received <= LIMIT_HTTP_BODY_BYTES)
		strbuf_add_bytes(&upload->body, data, *size);
	*size = 0;
	return MHD_YES;
}

enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
			   const char *method, const char *version, const char *upload_data,
			   size_t *upload_data_size, void **context)
{
	struct http_server *server = data;
	struct upload *upload = *context;
	const struct http_route *route;
	enum MHD_Result result = MHD_NO;

	(void)version;
	if (!upload)
		return request_begin(server, connection, url, method, context);
	if (upload->is_answered) {
		*upload_data_size = 0;
		return MHD_YES;
	}
	if (*upload_data_size > 0)
		return upload_add(upload, upload_data, upload_data_size);
	if (upload->admission.verdict != WEB_ALLOWED)
		return not_admitted(server, connection, upload);
	if (upload->received > LIMIT_HTTP_BODY_BYTES)
		return refuse(server, connection, STATUS_TOO_LARGE, NULL);
	if (strbuf_error(&upload->body) < 0)
		return MHD_NO;
	route = route_or_refuse(server, connection, url, method, &result);
	return route ? serve(server, connection, route, url, method, upload) : result;
}
