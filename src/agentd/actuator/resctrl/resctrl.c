/* SPDX-License-Identifier: Apache-2.0 */
/* resctrl.c - the groups of Berth's classes: made, marked, written, removed. */
#include "actuator/resctrl/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/failpoint.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"

/* What a group of ours is known by: nobody makes a directory like that by chance, mkdir(2) gives it
 * at once, and kernfs keeps it as long as the group is there. Neither a file nor an extended
 * attribute could do that: the first cannot be made in a group, the second comes a moment later. */
#define MARK_MODE 01700u

static const char *const class_groups[RESCTRL_CLASSES] = {
	[CACHE_LOW] = "berth_low",
	[CACHE_MIDDLE] = "berth_middle",
	[CACHE_HIGH] = "berth_high",
	[CACHE_DYNAMIC] = "berth_dynamic",
};

const char *resctrl_class_group(unsigned int class)
{
	return class < RESCTRL_CLASSES ? class_groups[class] : NULL;
}

int resctrl_class_of(enum knob knob)
{
	return knob >= KNOB_CACHE_LOW && knob <= KNOB_CACHE_DYNAMIC ? (int)(knob - KNOB_CACHE_LOW)
								    : -EINVAL;
}

int resctrl_is_ours(int resctrl_fd, const char *group)
{
	struct stat st;

	if (fstatat(resctrl_fd, group, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && (st.st_mode & 07777u) == MARK_MODE && st.st_uid == geteuid();
}

static int class_summary(const struct resctrl_host *host, int resctrl_fd, const char *group,
			 char *text, size_t size)
{
	cleanup_free char *schemata = NULL;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "%s/schemata", group);
	r = file_read_all(resctrl_fd, path, &schemata, NULL);
	return r < 0 ? r : resctrl_summary(host, schemata, text, size);
}

int resctrl_read(const struct sysroot *root, int resctrl_fd, unsigned int class, char *text,
		 size_t size)
{
	const char *group = resctrl_class_group(class);
	struct resctrl_host host;
	int r = group ? resctrl_is_ours(resctrl_fd, group) : -EINVAL;

	if (r == 1) {
		r = resctrl_host_read(root, resctrl_fd, &host);
		if (r == 0)
			r = class_summary(&host, resctrl_fd, group, text, size);
		/* Gone since, or a kernel that has less to share out than before. */
		if (r != -ENOENT && r != -ENODEV)
			return r;
		r = -ENOENT;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	return snprintf(text, size, "%s", r == 0 ? RESCTRL_FOREIGN : RESCTRL_ABSENT) < (int)size
		       ? 0
		       : -EMSGSIZE;
}

static int class_remove(int resctrl_fd, const char *group)
{
	int r = resctrl_is_ours(resctrl_fd, group);

	if (r <= 0)
		return r == -ENOENT ? 0 : r < 0 ? r : -EEXIST;
	failpoint("resctrl-remove");
	/* Its tasks go back to the default group, in the kernel (rdtgroup_rmdir_ctrl()). */
	return unlinkat(resctrl_fd, group, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* 1: made; 0: it was there. */
static int class_make(int resctrl_fd, const char *group)
{
	int r;

	if (mkdirat(resctrl_fd, group, MARK_MODE) == 0) {
		failpoint("resctrl-made");
		return 1;
	}
	if (errno != EEXIST)
		return -errno;
	r = resctrl_is_ours(resctrl_fd, group);
	return r > 0 ? 0 : r == 0 ? -EEXIST : r;
}

static int schemata_write(int resctrl_fd, const char *group, const struct strbuf *schemata)
{
	cleanup_close int fd = -EBADF;
	struct stat st;
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/schemata", group);
	fd = openat(resctrl_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	failpoint("knob-write");
	/* In one write: the kernel takes all lines or none. */
	n = pwrite(fd, schemata->text, schemata->length, 0);
	if (n < 0)
		return -errno;
	failpoint("knob-written");
	return (size_t)n == schemata->length ? 0 : -EIO;
}

int resctrl_write(const struct sysroot *root, int resctrl_fd, unsigned int class, const char *text)
{
	const char *group = resctrl_class_group(class);
	cleanup_strbuf struct strbuf schemata = { 0 };
	struct resctrl_host host;
	int made, r;

	if (!group)
		return -EINVAL;
	if (strcmp(text, RESCTRL_ABSENT) == 0)
		return class_remove(resctrl_fd, group);
	r = resctrl_host_read(root, resctrl_fd, &host);
	if (r == 0)
		r = resctrl_expand(&host, text, &schemata);
	if (r < 0)
		return r;
	made = class_make(resctrl_fd, group);
	if (made < 0)
		return made;
	r = schemata_write(resctrl_fd, group, &schemata);
	/* One that nothing could be written to is of no use, and takes a group from others. */
	if (r < 0 && made > 0)
		(void)class_remove(resctrl_fd, group);
	return r;
}

void resctrl_explain(int resctrl_fd, unsigned int class, int error, char *text, size_t size)
{
	const char *group = resctrl_class_group(class);
	char status[160] = "";

	/* "ok" when the failure was none of the kernel's. */
	if (file_read(resctrl_fd, "info/last_cmd_status", status, sizeof(status)) >= 0 &&
	    strcmp(status, "ok") == 0)
		status[0] = '\0';
	for (char *c = status; *c; c++)
		if (*c == '\n')
			*c = ' ';
	if (error == -EEXIST)
		(void)snprintf(text, size,
			       "/" RESCTRL_PATH "/%s is there and not made by Berth: remove it",
			       group ? group : "");
	else
		(void)snprintf(text, size, "%s%s%s", strerrordesc_np(-error),
			       status[0] ? ": the kernel says: " : "", status);
}
