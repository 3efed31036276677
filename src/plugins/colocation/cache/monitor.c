/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.c - what resctrl says: how many groups there may be, and how many bytes went to memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cache/cache.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

const char *cache_resctrl = "/sys/fs/resctrl";

struct look {
	int fd;
	uint64_t least;    /* of num_closids; 0: not told */
	unsigned int ours; /* a bit for each class whose group there is */
	unsigned int others;
	uint64_t bytes;
	unsigned int domains;
	bool missing;
};

static int look_open(struct look *look, const char *path)
{
	int top = open(cache_resctrl, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return -errno;
	look->fd = top;
	if (path[0] == '\0')
		return 0;
	look->fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	(void)close_keep_errno(top);
	return look->fd < 0 ? -errno : 0;
}

static int on_resource(void *data, const char *name)
{
	struct look *look = data;
	char path[NAME_MAX + 16];
	uint64_t number;

	(void)snprintf(path, sizeof(path), "%s/num_closids", name);
	if (file_read_u64(look->fd, path, &number) == 0 && number > 0 &&
	    (look->least == 0 || number < look->least))
		look->least = number;
	return 0;
}

static int on_group(void *data, const char *name)
{
	struct look *look = data;
	struct stat st;

	if (strcmp(name, "info") == 0 || strcmp(name, "mon_groups") == 0 ||
	    strcmp(name, "mon_data") == 0)
		return 0;
	/* The mode is the mark of berthd's groups (docs/cache.md). */
	if (fstatat(look->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_mode & 07777u) == 01700u && strncmp(name, "berth_", 6) == 0) {
		for (unsigned int i = 0; i < CACHE_CLASSES; i++) {
			if (strcmp(name + 6, cache_choice_names[i]) != 0)
				continue;
			look->ours |= 1u << i;
			return 0;
		}
	}
	look->others++;
	return 0;
}

static int look_groups(struct look *look)
{
	int r = look_open(look, "");

	if (r == 0)
		r = file_each_directory(look->fd, ".", on_group, look);
	look->fd = close_keep_errno(look->fd);
	return r;
}

unsigned int cache_present(void)
{
	struct look look = { .fd = -EBADF };

	return look_groups(&look) < 0 ? 0 : look.ours;
}

unsigned int cache_slots(void)
{
	struct look look = { .fd = -EBADF };
	unsigned int slots = CACHE_CLASSES;
	int r = look_open(&look, "info");

	if (r == 0)
		r = file_each_directory(look.fd, ".", on_resource, &look);
	look.fd = close_keep_errno(look.fd);
	if (r == 0)
		r = look_groups(&look);
	/* Not told: the kernel will say, when a group is made. */
	if (r < 0 || look.least == 0)
		return slots;
	/* The default group is one of them, too. */
	look.others++;
	return look.least <= look.others
		       ? 0
		       : (unsigned int)MIN(look.least - look.others, (uint64_t)slots);
}

static int on_domain(void *data, const char *name)
{
	struct look *look = data;
	char path[NAME_MAX + 32];
	uint64_t bytes;

	if (strncmp(name, "mon_L3_", 7) != 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/mbm_total_bytes", name);
	/* "Unavailable", "Error": a domain whose counter is being read for the first time. */
	if (file_read_u64(look->fd, path, &bytes) < 0)
		look->missing = true;
	else
		look->bytes += bytes;
	look->domains++;
	return 0;
}

int cache_traffic_read(uint64_t *ret, unsigned int *ret_domains)
{
	struct look look = { .fd = -EBADF };
	int r = look_open(&look, "mon_data");

	if (r == 0)
		r = file_each_directory(look.fd, ".", on_domain, &look);
	look.fd = close_keep_errno(look.fd);
	if (r < 0 || look.domains == 0 || look.missing)
		return -ENODATA;
	*ret = look.bytes;
	*ret_domains = look.domains;
	return 0;
}

bool cache_traffic_step(struct cache_traffic *traffic, uint64_t bytes, uint64_t cpu_usec,
			uint32_t *ret_growth)
{
	uint64_t more = bytes - traffic->bytes, cpu = cpu_usec - traffic->cpu_usec, rate, lowest;
	bool first = !traffic->begun || bytes < traffic->bytes || cpu_usec <= traffic->cpu_usec;

	traffic->begun = true;
	traffic->bytes = bytes;
	traffic->cpu_usec = cpu_usec;
	if (first)
		return false;
	/* In thousandths, so that little traffic is not none. */
	rate = more > UINT64_MAX / 1000 ? UINT64_MAX / cpu : more * 1000 / cpu;
	traffic->rate = lowest = rate;
	for (size_t i = 0; i < traffic->count; i++)
		lowest = MIN(lowest, traffic->rates[i]);
	traffic->rates[traffic->next] = rate;
	traffic->next = (traffic->next + 1) % CACHE_TRAFFICS;
	traffic->count = MIN(traffic->count + 1, (size_t)CACHE_TRAFFICS);
	if (lowest == 0 || rate - lowest > UINT64_MAX / CACHE_WHOLE)
		*ret_growth = rate == lowest ? 0 : CACHE_WHOLE;
	else
		*ret_growth = (uint32_t)MIN((rate - lowest) * CACHE_WHOLE / lowest,
					    (uint64_t)CACHE_WHOLE);
	return true;
}
