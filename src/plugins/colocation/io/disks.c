/* SPDX-License-Identifier: Apache-2.0 */
#include "io/disks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "parse.h"

const char *disks_sys = "/sys";

/* "8:0" */
static int device_parse(const char *text, uint64_t *ret)
{
	const char *colon = strchr(text, ':');
	uint64_t number_major, number_minor;

	if (!colon || parse_u64_span(text, (size_t)(colon - text), &number_major) < 0 ||
	    parse_u64(colon + 1, &number_minor) < 0 || number_major > 0xfff ||
	    number_minor > 0xfffff)
		return -EINVAL;
	*ret = makedev((unsigned int)number_major, (unsigned int)number_minor);
	return 0;
}

static int disk_read(int dirfd, const char *name, struct disk *ret)
{
	char path[NAME_MAX + 32], text[128];
	uint64_t sectors;
	int r;

	if (strlen(name) >= sizeof(ret->name))
		return -ENAMETOOLONG;
	/* Compared byte by byte. */
	memset(ret, 0, sizeof(*ret));
	(void)snprintf(path, sizeof(path), "%s/size", name);
	r = file_read_u64(dirfd, path, &sectors);
	if (r < 0 || sectors == 0)
		return r < 0 ? r : -ENOMEDIUM;
	(void)snprintf(path, sizeof(path), "%s/dev", name);
	r = file_read(dirfd, path, text, sizeof(text));
	if (r < 0)
		return r;
	r = device_parse(text, &ret->device);
	(void)snprintf(ret->name, sizeof(ret->name), "%.31s", name);
	/* "none [mq-deadline] kyber bfq": the one in brackets. Some devices have no such file. */
	(void)snprintf(path, sizeof(path), "%s/queue/scheduler", name);
	if (file_read(dirfd, path, text, sizeof(text)) >= 0)
		ret->is_bfq = strstr(text, "[bfq]") != NULL;
	return r;
}

static int disk_compare(const void *a, const void *b)
{
	const struct disk *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int disks_read(struct disks *ret)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *directory;

	ret->count = 0;
	(void)snprintf(path, sizeof(path), "%s/block", disks_sys);
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (ret->count < DISKS_MAX && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' &&
		    disk_read(dirfd(directory), entry->d_name, &ret->items[ret->count]) == 0)
			ret->count++;
	(void)closedir(directory);
	qsort(ret->items, ret->count, sizeof(*ret->items), disk_compare);
	return 0;
}

/* Of what is in /sys/class/block but is no disk; "" none. */
static void partition_of(const char *name, char *disk, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	char *slash;
	ssize_t n;

	disk[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/class/block/%s/partition", disks_sys, name);
	if (access(path, F_OK) < 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/class/block/%s", disks_sys, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	/* .../block/sda/sda1 */
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return;
	*slash = '\0';
	slash = strrchr(target, '/');
	(void)snprintf(disk, size, "%.254s", slash ? slash + 1 : target);
}

/* A link such as /dev/disk/by-id/x, or a device mapper's name. */
static int device_of_path(const char *path, uint64_t *ret)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return -ENOENT;
	*ret = st.st_rdev;
	return 0;
}

/* What sysfs calls a device number: "sda1"; "" for none. */
static void name_of_device(uint64_t device, char *name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/dev/block/%u:%u", disks_sys, major(device),
		       minor(device));
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	slash = strrchr(target, '/');
	(void)snprintf(name, size, "%.254s", slash ? slash + 1 : target);
}

static const struct disk *disk_by_device(const struct disks *disks, uint64_t device)
{
	for (size_t i = 0; i < disks->count; i++)
		if (disks->items[i].device == device)
			return &disks->items[i];
	return NULL;
}

static const struct disk *disk_by_name(const struct disks *disks, const char *name)
{
	for (size_t i = 0; i < disks->count; i++)
		if (strcmp(disks->items[i].name, name) == 0)
			return &disks->items[i];
	return NULL;
}

/* Out of /dev and to whatever hangs elsewhere: stat() of that would hold up the daemon. */
static bool path_climbs(const char *path)
{
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return true;
	}
	return false;
}

int disks_find(const struct disks *disks, const char *text, const struct disk **ret, char *reterr,
	       size_t size)
{
	bool is_path = strncmp(text, "/dev/", 5) == 0;
	const char *name = is_path ? text + 5 : text;
	char known[NAME_MAX], whole[NAME_MAX];
	uint64_t device = 0;
	const struct disk *disk = NULL;

	if (name[0] == '\0' || strlen(text) >= NAME_MAX ||
	    (is_path ? path_climbs(name) : strchr(name, '/') != NULL)) {
		(void)snprintf(reterr, size, "'%.64s' is no disk: /dev/NAME or MAJOR:MINOR", text);
		return -EINVAL;
	}
	(void)snprintf(known, sizeof(known), "%s", name);
	if (device_parse(name, &device) == 0 || (is_path && !(disk = disk_by_name(disks, name)) &&
						 device_of_path(text, &device) == 0)) {
		disk = disk_by_device(disks, device);
		name_of_device(device, known, sizeof(known));
	} else if (!disk) {
		disk = disk_by_name(disks, name);
	}
	if (disk) {
		*ret = disk;
		return 0;
	}
	/* A name with a slash is none of sysfs, where it would lead elsewhere. */
	if (!strchr(known, '/'))
		partition_of(known, whole, sizeof(whole));
	else
		whole[0] = '\0';
	if (whole[0]) {
		(void)snprintf(reterr, size,
			       "%.40s is a partition: the kernel limits whole disks, here %.31s",
			       text, whole);
		return -EINVAL;
	}
	(void)snprintf(reterr, size, "%.64s is not here", text);
	return -ENOENT;
}
