/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a client against the server of the daemon, on a loop as in the daemon. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/http/server.h"
#include "cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handle(void *data, const struct http_request *request, struct http_response *response)
{
	const char *query = http_query(request, "q");

	(void)data;
	/* Promised to be a string, and read to its end. */
	if (strlen(request->body) > request->body_length || !request->path || !request->is_local)
		abort();
	strbuf_addf(&response->body, "%s %s %s %s", request->method, request->path,
		    query ? query : "", request->accept ? request->accept : "");
	strbuf_add_bytes(&response->body, request->body, request->body_length);
}

static const struct http_route routes[] = {
	{ "GET", "/metrics", false, handle },
	{ "POST", "/v1/", true, handle },
	{ NULL, NULL, false, NULL },
};

/* A socket that needs no name in the file system. */
static int listen_unnamed(struct sockaddr_un *ret, socklen_t *ret_length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*ret_length = sizeof(*ret);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
	    listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)ret, ret_length) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_un address = { 0 };
	socklen_t length = 0;
	int listen_fd = listen_unnamed(&address, &length);
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct http_server *server = NULL;
	sd_event *event = NULL;
	char answer[4096];

	if (sd_event_new(&event) < 0 ||
	    http_server_new(event, listen_fd, routes, NULL, &server) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, length) < 0)
		abort();
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		(void)sd_event_run(event, 0);
		(void)!read(fd, answer, sizeof(answer));
	}
	(void)shutdown(fd, SHUT_WR);
	/* Until there is nothing left to do for it. */
	for (int idle = 0; idle < 2;)
		idle = sd_event_run(event, 0) > 0 || read(fd, answer, sizeof(answer)) > 0
			       ? 0
			       : idle + 1;
	(void)http_server_free(server);
	(void)sd_event_unref(event);
	return 0;
}
