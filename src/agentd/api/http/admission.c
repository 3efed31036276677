/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/admission.h"

#include "api/http/connection.h"
#include "macro.h"

static void admission_resume(struct http_admission *admission)
{
	list_unlink(&admission->link);
	if (admission->connection)
		admission->connection->is_waiting = false;
	MHD_resume_connection(admission->handle);
}

static void on_verdict(struct web_wait *wait, enum web_verdict verdict)
{
	struct http_admission *admission = container_of(wait, struct http_admission, wait);

	admission->verdict = verdict;
	admission_resume(admission);
	http_server_kick(admission->server);
}

enum web_verdict admission_begin(struct http_admission *admission, struct http_server *server,
				 struct MHD_Connection *handle)
{
	const char *header;

	list_init(&admission->link);
	list_init(&admission->wait.link);
	admission->verdict = WEB_ALLOWED;
	if (!server->web || !server->web->auth)
		return WEB_ALLOWED;
	header =
		MHD_lookup_connection_value(handle, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
	admission->server = server;
	admission->handle = handle;
	admission->wait.done = on_verdict;
	admission->verdict = web_auth_check(server->web->auth, header, &admission->wait);
	if (admission->verdict != WEB_WAITS)
		return admission->verdict;
	admission->connection = connection_of(handle);
	if (admission->connection)
		admission->connection->is_waiting = true;
	list_append(&server->admissions, &admission->link);
	MHD_suspend_connection(handle);
	return WEB_WAITS;
}

void admission_done(struct http_admission *admission)
{
	list_unlink(&admission->link);
	web_wait_cancel(&admission->wait);
}

void admissions_end(struct http_server *server)
{
	struct http_admission *admission, *following;

	list_foreach_safe (admission, following, &server->admissions, link) {
		web_wait_cancel(&admission->wait);
		admission->verdict = WEB_BUSY;
		admission_resume(admission);
	}
}

enum MHD_Result admission_headers(struct MHD_Connection *handle, unsigned int status,
				  struct MHD_Response *response)
{
	const struct connection *connection = connection_of(handle);
	const struct web *web = connection ? connection->server->web : NULL;
	enum MHD_Result result = MHD_YES;

	if (!web)
		return MHD_YES;
	for (size_t i = 0; i < web->config.header_count && result == MHD_YES; i++)
		result = MHD_add_response_header(response, web->config.headers[i].name,
						 web->config.headers[i].value);
	if (result == MHD_YES && status == MHD_HTTP_UNAUTHORIZED)
		result = MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
						 "Basic realm=\"berthd\", charset=\"UTF-8\"");
	if (result == MHD_YES && status == MHD_HTTP_SERVICE_UNAVAILABLE)
		result = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	return result;
}
