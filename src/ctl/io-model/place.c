/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - where a measurement takes place, without harm to what is there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "io-model/io-model.h"

__attribute__((format(printf, 4, 5))) static int refuse(char *reterr, size_t size, int error,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reterr, size, format, arguments);
	va_end(arguments);
	return -error;
}

/* "../../devices/.../sda/sda1", by number; the names of it and of the directory above. */
static int sysfs_names(dev_t device, char *name, char *above, size_t size)
{
	char path[64], target[PATH_MAX];
	char *slash;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return -ENODEV;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (!slash || strlen(slash + 1) >= size)
		return -ENODEV;
	(void)snprintf(name, size, "%.60s", slash + 1);
	*slash = '\0';
	slash = strrchr(target, '/');
	(void)snprintf(above, size, "%.60s", slash ? slash + 1 : "");
	return 0;
}

/* io.cost is of whole disks. */
static void whole_disk(dev_t device, struct io_model_place *place)
{
	char name[64], above[64], path[160];
	unsigned int number_major, number_minor;

	if (major(device) == 0 || sysfs_names(device, name, above, sizeof(name)) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/sys/class/block/%s/partition", name);
	if (access(path, F_OK) == 0)
		(void)snprintf(name, sizeof(name), "%s", above);
	(void)snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);

	FILE *stream = fopen(path, "re");

	if (!stream)
		return;
	if (fscanf(stream, "%u:%u", &number_major, &number_minor) == 2) { /* NOLINT: the kernel's */
		place->device = makedev(number_major, number_minor);
		(void)snprintf(place->name, sizeof(place->name), "%s", name);
	}
	(void)fclose(stream);
}

/* A file without a name goes with its last descriptor, also at SIGKILL. */
static int open_nameless(const char *directory, char *reterr, size_t size)
{
	char path[PATH_MAX];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return refuse(reterr, size, errno, "no file can be made in '%s': %s", directory,
			      strerrordesc_np(errno));
	if (snprintf(path, sizeof(path), "%s/.berth-io-model.XXXXXX", directory) >=
	    (int)sizeof(path))
		return refuse(reterr, size, ENAMETOOLONG, "'%s' is too long", directory);
	fd = mkostemp(path, O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return refuse(reterr, size, errno, "no file for direct IO can be made in '%s': %s",
			      directory, strerrordesc_np(errno));
	(void)unlink(path);
	return fd;
}

static int open_directory(const char *directory, struct io_model_place *ret, char *reterr,
			  size_t size)
{
	struct stat st;
	int fd = open_nameless(directory, reterr, size);

	if (fd < 0)
		return fd;
	*ret = (struct io_model_place){ .fd = fd };
	if (fstat(fd, &st) == 0)
		whole_disk(st.st_dev, ret);
	return 0;
}

/* Where a file system of this device, or of a partition of it, is mounted for writing. */
static int find_mount(dev_t device, char *point, size_t size)
{
	char line[4096];
	FILE *stream = fopen("/proc/self/mountinfo", "re");
	int r = -ENOENT;

	if (!stream)
		return -errno;
	while (r < 0 && fgets(line, sizeof(line), stream)) {
		char *rest = NULL, *fields[6] = { NULL };
		struct io_model_place disk = { .device = 0 };
		unsigned int number_major, number_minor;

		for (size_t i = 0; i < 6; i++)
			fields[i] = strtok_r(i ? NULL : line, " ", &rest);
		if (!fields[5] || strncmp(fields[5], "rw", 2) != 0 ||
		    sscanf(fields[2], "%u:%u", &number_major, &number_minor) != 2) /* NOLINT */
			continue;
		whole_disk(makedev(number_major, number_minor), &disk);
		if (makedev(number_major, number_minor) != device && disk.device != device)
			continue;
		/* One whose name is escaped is left to the user to say. */
		if (strchr(fields[4], '\\') || strlen(fields[4]) >= size)
			continue;
		(void)snprintf(point, size, "%s", fields[4]);
		r = 0;
	}
	(void)fclose(stream);
	return r;
}

static int open_raw(const char *path, const struct stat *st, struct io_model_place *ret,
		    char *reterr, size_t size)
{
	/* O_EXCL: the kernel refuses one that is mounted, swapped to, or part of an array. */
	int fd = open(path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return refuse(reterr, size, errno, "'%s' cannot be overwritten: %s", path,
			      errno == EBUSY ? "it is in use" : strerrordesc_np(errno));
	*ret = (struct io_model_place){ .fd = fd };
	if (ioctl(fd, BLKGETSIZE64, &ret->bytes) < 0) {
		int r = errno;

		(void)close(fd);
		return refuse(reterr, size, r, "'%s' does not tell its size", path);
	}
	whole_disk(st->st_rdev, ret);
	return 0;
}

int io_model_open(const char *path, bool destructive, struct io_model_place *ret, char *reterr,
		  size_t size)
{
	char point[1024];
	struct stat st;

	/* Not the directory above: that of a mistyped name may be on another disk. */
	if (stat(path, &st) < 0)
		return refuse(reterr, size, errno, "'%s': %s", path, strerrordesc_np(errno));
	if (S_ISDIR(st.st_mode))
		return open_directory(path, ret, reterr, size);
	if (!S_ISBLK(st.st_mode))
		return refuse(reterr, size, EEXIST,
			      "'%s' is neither a directory nor a disk: say a directory on the "
			      "disk",
			      path);
	if (destructive)
		return open_raw(path, &st, ret, reterr, size);
	if (find_mount(st.st_rdev, point, sizeof(point)) < 0)
		return refuse(reterr, size, ENOTBLK,
			      "no file system of '%s' is mounted for writing: say a directory on "
			      "it, or --destructive, which overwrites what is on it",
			      path);
	return open_directory(point, ret, reterr, size);
}
