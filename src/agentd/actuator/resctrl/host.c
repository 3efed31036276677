/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - what this host's caches and memory controllers let us share out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "actuator/resctrl/internal.h"
#include "actuator/resctrl/resctrl.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

#define MBPS_NONE   UINT32_MAX /* MBA_MAX_MBPS: what the kernel shows for no limit */
#define PERCENT_ALL 100u
#define AMD_ALL     2048u

int resctrl_open(const struct sysroot *root)
{
	cleanup_close int fd =
		openat(root->root, RESCTRL_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EBADF ? -ENODEV : -errno;
	/* The kernel's mount point is there without a mount, empty. */
	if (faccessat(fd, "schemata", F_OK, 0) < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	return TAKE_FD(fd);
}

static int kind_of(const char *name, enum resctrl_kind *ret)
{
	static const struct {
		const char *name;
		enum resctrl_kind kind;
	} kinds[] = {
		/* CODE and DATA: code and data apart, "-o cdp" and "-o cdpl2". */
		{ "L3", RESCTRL_L3 }, { "L3CODE", RESCTRL_L3 }, { "L3DATA", RESCTRL_L3 },
		{ "L2", RESCTRL_L2 }, { "L2CODE", RESCTRL_L2 }, { "L2DATA", RESCTRL_L2 },
		{ "MB", RESCTRL_MB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*ret = kinds[i].kind;
			return 0;
		}
	}
	/* SMBA (AMD's slow memory), priorities of openEuler's MPAM: left as they are. */
	return -EINVAL;
}

static int info_read(int resctrl_fd, const char *resource, const char *file, char *text,
		     size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "info/%s/%s", resource, file);
	return file_read(resctrl_fd, path, text, size);
}

static uint64_t info_hex(int resctrl_fd, const char *resource, const char *file, uint64_t fallback)
{
	char text[32];
	uint64_t value;

	return info_read(resctrl_fd, resource, file, text, sizeof(text)) >= 0 &&
			       parse_u64_hex(text, &value) == 0
		       ? value
		       : fallback;
}

static uint64_t info_number(int resctrl_fd, const char *resource, const char *file,
			    uint64_t fallback)
{
	char text[32];
	uint64_t value;

	return info_read(resctrl_fd, resource, file, text, sizeof(text)) >= 0 &&
			       parse_u64(text, &value) == 0
		       ? value
		       : fallback;
}

/* "0=SSSSSSHH;1=SSEEEEHH": of each domain the highest bit first. E is for one group alone, P
 * locked: the kernel refuses a mask that has such a bit. */
static uint64_t bits_taken(const char *usage)
{
	uint64_t taken = 0;

	while (*usage) {
		size_t length = strcspn(usage, ";\n");
		const char *bits = memchr(usage, '=', length);
		size_t count = bits ? length - (size_t)(bits + 1 - usage) : 0;

		for (size_t i = 0; i < count && count <= 64; i++)
			if (bits[1 + i] == 'E' || bits[1 + i] == 'P')
				taken |= 1ULL << (count - 1 - i);
		usage += length;
		usage += *usage != '\0';
	}
	return taken;
}

static int cache_read(int resctrl_fd, struct resctrl_resource *resource)
{
	char usage[LIMIT_RESCTRL_DOMAINS * 80];

	resource->bits = info_hex(resctrl_fd, resource->name, "cbm_mask", 0);
	if (resource->bits == 0)
		return -EINVAL;
	resource->bits_min = MAX(1u, info_number(resctrl_fd, resource->name, "min_cbm_bits", 1));
	resource->shared = info_hex(resctrl_fd, resource->name, "shareable_bits", 0);
	/* Since 4.19. */
	if (info_read(resctrl_fd, resource->name, "bit_usage", usage, sizeof(usage)) >= 0)
		resource->taken = bits_taken(usage);
	return 0;
}

static bool is_amd(const struct sysroot *root)
{
	char text[512];
	cleanup_close int fd = openat(root->root, "proc/cpuinfo", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine");
}

static bool is_mbps(const struct sysroot *root)
{
	cleanup_free char *mounts = NULL;
	char *line, *rest;

	if (file_read_all(root->root, "proc/self/mounts", &mounts, NULL) < 0)
		return false;
	for (rest = mounts; (line = strsep(&rest, "\n"));)
		if (strstr(line, " resctrl ") && strstr(line, "mba_MBps"))
			return true;
	return false;
}

/* No file says how the kernel counts. Nobody but AMD goes beyond 100 percent. */
static int bandwidth_read(const struct sysroot *root, int resctrl_fd,
			  struct resctrl_resource *resource)
{
	uint64_t linear;

	resource->step = info_number(resctrl_fd, resource->name, "bandwidth_gran", 0);
	if (resource->step == 0 || resource->highest == 0)
		return -EINVAL;
	resource->lowest = info_number(resctrl_fd, resource->name, "min_bandwidth", 0);
	linear = info_number(resctrl_fd, resource->name, "delay_linear", 1);
	if (is_mbps(root) || resource->highest == MBPS_NONE) {
		resource->unit = RESCTRL_MBPS;
	} else if (is_amd(root) || resource->highest > PERCENT_ALL) {
		resource->unit = RESCTRL_AMD;
		if (resource->highest <= PERCENT_ALL)
			resource->highest = AMD_ALL;
	} else {
		resource->unit = RESCTRL_PERCENT;
		resource->highest = PERCENT_ALL;
		resource->is_fixed = linear == 0;
	}
	return 0;
}

/* The default group's line: which domains there are, and the most bandwidth. */
static int domains_read(struct resctrl_line *line, struct resctrl_resource *resource)
{
	uint32_t domain;
	uint64_t value;
	int r;

	while ((r = resctrl_line_next(line, resource->kind, &domain, &value)) > 0) {
		if (resource->domain_count == ARRAY_SIZE(resource->domains))
			return -E2BIG;
		resource->domains[resource->domain_count++] = domain;
		if (resource->kind == RESCTRL_MB)
			resource->highest = MAX(resource->highest, value);
	}
	return r < 0 ? r : resource->domain_count == 0 ? -EINVAL : 0;
}

static uint64_t closids_read(const struct resctrl_host *host, int resctrl_fd)
{
	uint64_t least = 0;

	for (size_t i = 0; i < host->count; i++) {
		uint64_t number =
			info_number(resctrl_fd, host->resources[i].name, "num_closids", 0);

		if (number && (!least || number < least))
			least = number;
	}
	return least;
}

int resctrl_host_read(const struct sysroot *root, int resctrl_fd, struct resctrl_host *ret)
{
	cleanup_free char *schemata = NULL;
	struct resctrl_line line;
	char *rest;
	int r = file_read_all(resctrl_fd, "schemata", &schemata, NULL);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	for (rest = schemata; resctrl_line_cut(&rest, &line) > 0;) {
		struct resctrl_resource *resource = &ret->resources[ret->count];

		if (ret->count == ARRAY_SIZE(ret->resources))
			break;
		memset(resource, 0, sizeof(*resource));
		/* One that cannot be used is left as it is. */
		if (kind_of(line.name, &resource->kind) < 0 || domains_read(&line, resource) < 0)
			continue;
		(void)snprintf(resource->name, sizeof(resource->name), "%s", line.name);
		r = resource->kind == RESCTRL_MB ? bandwidth_read(root, resctrl_fd, resource)
						 : cache_read(resctrl_fd, resource);
		ret->count += r == 0;
	}
	ret->closids = closids_read(ret, resctrl_fd);
	return ret->count > 0 ? 0 : -EOPNOTSUPP;
}
