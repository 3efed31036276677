/* SPDX-License-Identifier: Apache-2.0 */
/* swap.c - may the anonymous memory of a group go to swap? */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "shares/shares.h"

const char *shares_root; /* NULL: the host */

int shares_host_open(struct shares_host *ret)
{
	int r = sysroot_open(shares_root, &ret->root);

	if (r < 0)
		return r;
	r = hierarchy_open(&ret->root, &ret->hierarchy);
	if (r < 0)
		sysroot_done(&ret->root);
	return r;
}

void shares_host_done(struct shares_host *host)
{
	hierarchy_done(&host->hierarchy);
	sysroot_done(&host->root);
}

/* v2, and openEuler's v1 under the same name. On v1 memory.memsw.* is no limit of this kind: what
 * goes to swap is in that sum before and after. */
static uint64_t room_here(int directory)
{
	uint64_t limit, used, swap = 0, memory = 0;
	char text[256];

	/* openEuler: which swap device the group may use. v1: 0 is only page cache. */
	if ((file_read(directory, "memory.swapfile", text, sizeof(text)) >= 0 &&
	     strcmp(text, "none") == 0) ||
	    (file_read_u64(directory, "memory.swappiness", &used) == 0 && used == 0))
		return 0;
	if (file_read_u64(directory, "memory.swap.max", &limit) < 0 || limit == UINT64_MAX)
		return UINT64_MAX;
	if (file_read_u64(directory, "memory.swap.current", &used) == 0)
		swap = used;
	else if (file_read_u64(directory, "memory.memsw.usage_in_bytes", &used) == 0 &&
		 file_read_u64(directory, "memory.usage_in_bytes", &memory) == 0)
		swap = used > memory ? used - memory : 0;
	return limit > swap ? limit - swap : 0;
}

uint64_t shares_swap_room(const struct shares_host *host, const char *group)
{
	cleanup_close int mount =
		hierarchy_open_root(&host->hierarchy.mounts[CONTROLLER_MEMORY], O_PATH);
	cleanup_free char *path = strdup(group);
	uint64_t room = UINT64_MAX;
	char *slash;

	/* Whatever is not known is taken for no swap. */
	if (!path || mount < 0)
		return 0;
	for (;;) {
		cleanup_close int directory =
			openat(mount, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		uint64_t here;

		if (directory < 0)
			return 0;
		here = room_here(directory);
		room = MIN(room, here);
		slash = strrchr(path, '/');
		if (!slash)
			return room;
		*slash = '\0';
	}
}
