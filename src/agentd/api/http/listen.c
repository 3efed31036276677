/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - the sockets that http/server.c is given. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "api/http/server.h"
#include "cleanup.h"
#include "macro.h"
#include "parse.h"

#define LISTEN_BACKLOG 64

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_length(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

/* Numbers only: a name would need a resolver, which blocks. */
static int address_parse(const char *text, union address *ret)
{
	union address address = { .any.sa_family = AF_INET6 };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port = 0;
	size_t length;

	if (!colon || parse_u64(colon + 1, &port) < 0 || port > UINT16_MAX)
		return -EINVAL;
	length = (size_t)(colon - text);
	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	address.v6.sin6_port = htons((uint16_t)port);
	if (length == 0) {
		address.v6.sin6_addr = in6addr_any;
	} else if (host[0] == '[') {
		if (host[length - 1] != ']')
			return -EINVAL;
		host[length - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &address.v6.sin6_addr) != 1)
			return -EINVAL;
	} else {
		address.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
						   .sin_port = htons((uint16_t)port) };
		if (inet_pton(AF_INET, host, &address.v4.sin_addr) != 1)
			return -EINVAL;
	}
	*ret = address;
	return 0;
}

static int tcp_listen(const union address *address)
{
	cleanup_close int fd = socket(address->any.sa_family,
				      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	/* A restart must not wait for the connections of the one before to time out. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(fd, &address->any, address_length(address)) < 0)
		return -errno;
	if (listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int http_listen_tcp(const char *text)
{
	union address address;
	int r = address_parse(text, &address);

	if (r < 0)
		return r;
	r = tcp_listen(&address);
	/* ":PORT" is v6 with v4 mapped into it; a host without v6 has v4 alone. */
	if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && text[0] == ':') {
		uint16_t port = address.v6.sin6_port;

		address = (union address){ .v4 = { .sin_family = AF_INET, .sin_port = port } };
		r = tcp_listen(&address);
	}
	return r;
}

/* 0: nothing there any more; -EADDRINUSE: somebody answers, or it is no socket. */
static int stale_remove(int dirfd, const char *name, const struct sockaddr_un *address)
{
	cleanup_close int fd = -EBADF;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Also -EAGAIN, a full backlog, is a sign of life. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return -EADDRINUSE;
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

int http_listen_unix(int dirfd, const char *name, mode_t mode, gid_t gid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -EBADF;
	int r;

	/* There is no bindat(2). */
	r = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dirfd,
		     name);
	if (r < 0 || (size_t)r >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	r = stale_remove(dirfd, name, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* Nobody can connect before listen(), so there is no moment with another mode. */
	if (fchownat(dirfd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dirfd, name, mode, 0) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		(void)unlinkat(dirfd, name, 0);
		return r;
	}
	return TAKE_FD(fd);
}

const char *http_listen_problem(int fd)
{
	int type = 0, listens = 0, flags = fcntl(fd, F_GETFL);
	socklen_t length = sizeof(type);
	union address address = { 0 };

	if (flags < 0)
		return "no file descriptor";
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return "no socket";
	length = sizeof(address);
	if (getsockname(fd, &address.any, &length) < 0 ||
	    (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6))
		return "no TCP socket";
	if (type != SOCK_STREAM)
		return "no stream socket";
	length = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens)
		return "a socket that does not listen (Accept=yes in its unit?)";
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return "a socket that cannot be made non-blocking";
	return NULL;
}
