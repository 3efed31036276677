/* SPDX-License-Identifier: Apache-2.0 */
/* daemon-socket.c - the control socket: made in the runtime directory, served, taken away. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "api/http/server.h"
#include "daemon-internal.h"
#include "log.h"

#define CONTROL_SOCKET "control.sock"
#define CONTROL_MODE   0660
#define CONTROL_GROUP  "berth"

/* After `rm -r /run/berth` the name may be another berthd's. */
static void daemon_unlink_socket(const struct daemon *daemon)
{
	struct stat now;

	if (fstatat(daemon->runtime_fd, CONTROL_SOCKET, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_dev == daemon->control_stat.st_dev && now.st_ino == daemon->control_stat.st_ino)
		(void)unlinkat(daemon->runtime_fd, CONTROL_SOCKET, 0);
}

int daemon_socket_open(struct daemon *daemon)
{
	const struct group *group = getgrnam(CONTROL_GROUP);
	int fd = http_listen_unix(daemon->runtime_fd, CONTROL_SOCKET, CONTROL_MODE,
				  group ? group->gr_gid : (gid_t)-1);
	int r;

	/* Not root and not in the group: the socket stays this user's own. */
	if (fd == -EPERM && group)
		fd = http_listen_unix(daemon->runtime_fd, CONTROL_SOCKET, CONTROL_MODE, (gid_t)-1);
	if (fd < 0) {
		log_error("cannot listen on '%s/%s': %s", daemon->options->runtime_dir,
			  CONTROL_SOCKET, strerror(-fd));
		return fd;
	}
	if (fstatat(daemon->runtime_fd, CONTROL_SOCKET, &daemon->control_stat,
		    AT_SYMLINK_NOFOLLOW) < 0)
		daemon->control_stat = (struct stat){ 0 };
	r = http_server_new(daemon->event, fd, control_routes(), &daemon->control,
			    &daemon->control_server);
	if (r < 0) {
		log_error("cannot serve on '%s/%s': %s", daemon->options->runtime_dir,
			  CONTROL_SOCKET, strerror(-r));
		daemon_unlink_socket(daemon);
	}
	return r;
}

void daemon_socket_close(struct daemon *daemon)
{
	if (daemon->control_server)
		daemon_unlink_socket(daemon);
	daemon->control_server = http_server_free(daemon->control_server);
}
