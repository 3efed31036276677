/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/failpoint.h"
#include "actuator/knob/bwm.h"
#include "actuator/knob/line.h"
#include "actuator/knob/net.h"
#include "actuator/knob/text-file.h"
#include "actuator/knob/value-internal.h"
#include "actuator/resctrl/resctrl.h"
#include "cleanup.h"
#include "macro.h"

int knob_place_version(const struct knob_place *place)
{
	const struct knob_row *row = &knob_table[place->knob];

	if (row->flags & (KNOB_HOST | KNOB_NET))
		return 1;
	if (row->flags & KNOB_NET_CLS)
		return place->hierarchy->net_cls_path ? 1 : 0;
	return place->hierarchy->mounts[row->controller].version;
}

/* By its path, as nothing is known of it there: a successor of that name shows a value that is not
 * ours, and is left alone. */
static int net_cls_open(const struct knob_place *place)
{
	int r = place->group ? cgroup_path_check(place->group->path) : -EINVAL;

	return r < 0 ? r
		     : hierarchy_open_net_cls(place->hierarchy, place->root, place->group->path);
}

static int knob_directory_open(const struct knob_place *place)
{
	const struct knob_row *row = &knob_table[place->knob];

	if (row->flags & KNOB_RESCTRL)
		return resctrl_open(place->root);
	if (row->flags & KNOB_NET_CLS)
		return net_cls_open(place);
	if (row->flags & KNOB_HOST) {
		int fd = openat(place->root->root, row->flags & KNOB_BWM ? BWM_PROC : "proc/sys",
				O_PATH | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
	if (row->flags & KNOB_ROOT)
		return hierarchy_open_root(&place->hierarchy->mounts[row->controller], O_RDONLY);
	if (!place->group)
		return -EINVAL;
	return cgroup_open(place->hierarchy, place->group, row->controller);
}

int knob_file_open(const struct knob_place *place, bool writable, struct knob_file *ret)
{
	cleanup_close int dirfd = -EBADF;
	cleanup_close int fd = -EBADF;
	int version = knob_place_version(place);
	const char *name = knob_file(place->knob, version);
	struct stat st;

	if (knob_table[place->knob].flags & KNOB_NET) {
		*ret = (struct knob_file)KNOB_FILE_NULL;
		ret->version = version;
		ret->knob = place->knob;
		ret->device = place->device;
		ret->name = knob_table[place->knob].name;
		return 0;
	}
	if (knob_table[place->knob].flags & KNOB_HOST)
		name = knob_table[place->knob].file_v1;
	if (!name)
		return -EOPNOTSUPP;
	dirfd = knob_directory_open(place);
	if (dirfd < 0)
		return dirfd;
	/* The group may be still to be made: its file is opened when it is written or read. */
	if (knob_table[place->knob].flags & KNOB_RESCTRL) {
		*ret = (struct knob_file){
			.root = place->root,
			.dirfd = TAKE_FD(dirfd),
			.fd = -EBADF,
			.version = version,
			.knob = place->knob,
			.name = name,
		};
		return 0;
	}
	/* Non-blocking: whatever somebody has put in the file's place must not stop the loop. */
	fd = openat(dirfd, name,
		    (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW |
			    O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? -ENXIO : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret = (struct knob_file){
		.dirfd = TAKE_FD(dirfd),
		.fd = TAKE_FD(fd),
		.version = version,
		.knob = place->knob,
		.device = place->device,
		.name = name,
	};
	return 0;
}

void knob_file_done(struct knob_file *file)
{
	file->fd = close_keep_errno(file->fd);
	file->dirfd = close_keep_errno(file->dirfd);
}

int knob_file_read(const struct knob_file *file, char *text, size_t size)
{
	cleanup_free char *whole = NULL;
	int r;

	if (resctrl_class_of(file->knob) >= 0)
		return resctrl_read(file->root, file->dirfd,
				    (unsigned int)resctrl_class_of(file->knob), text, size);
	if (knob_table[file->knob].flags & KNOB_NET)
		return net_knob_read(file->knob, file->device, text, size);
	if (!knob_has_line(file->knob)) {
		r = text_file_read(file->fd, text, size);
		return r == 0 && quota_in_two_files(file->knob, file->version)
			       ? quota_add_period(file->dirfd, text, size)
			       : r;
	}
	whole = malloc(KNOB_LINES_MAX);
	if (!whole)
		return -ENOMEM;
	r = text_file_read(file->fd, whole, KNOB_LINES_MAX);
	return r < 0 ? r
		     : knob_line_find(file->knob, file->version, file->device, whole, text, size);
}

int knob_file_write(const struct knob_file *file, const char *text)
{
	char value[KNOB_TEXT_MAX];

	if (resctrl_class_of(file->knob) >= 0)
		return resctrl_write(file->root, file->dirfd,
				     (unsigned int)resctrl_class_of(file->knob), text);
	if (knob_table[file->knob].flags & KNOB_NET) {
		int r;

		failpoint("knob-write");
		r = net_knob_write(file->knob, file->device, text);
		if (r == 0)
			failpoint("knob-written");
		return r;
	}
	if (quota_in_two_files(file->knob, file->version))
		return quota_files_write(file->dirfd, text);
	if (knob_has_line(file->knob)) {
		int r = knob_line_make(file->knob, file->version, file->device, text, value,
				       sizeof(value));

		if (r < 0)
			return r;
		text = value;
	}
	if (knob_table[file->knob].flags & KNOB_BWM) {
		text = bwm_knob_text(file->knob, text);
		if (!text)
			return -EINVAL;
	}
	return text_file_write(file->fd, text);
}
