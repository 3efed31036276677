/* SPDX-License-Identifier: Apache-2.0 */
#include "network/devices.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "macro.h"
#include "net-device.h"

#define BLANKS " \t\n"

const char *net_devices_proc = "/proc";

static void device_add(struct net_devices *devices, const char *name, uint32_t ifindex)
{
	size_t i;

	if (ifindex == 0 || strcmp(name, "lo") == 0)
		return;
	for (i = 0; i < devices->count; i++)
		if (devices->items[i].ifindex == ifindex)
			return;
	devices->found++;
	if (devices->count == PACE_DEVICES)
		return;
	for (i = devices->count; i > 0 && devices->items[i - 1].ifindex > ifindex; i--)
		devices->items[i] = devices->items[i - 1];
	devices->items[i] = (struct net_device){ .ifindex = ifindex };
	(void)snprintf(devices->items[i].name, sizeof(devices->items[i].name), "%s", name);
	devices->count++;
}

static void find_by_globs(char *const *globs, const struct if_nameindex *names,
			  struct net_devices *ret)
{
	for (; names->if_index != 0; names++)
		for (char *const *glob = globs; *glob; glob++)
			if (fnmatch(*glob, names->if_name, 0) == 0)
				device_add(ret, names->if_name, names->if_index);
}

/* The blank-separated fields of a line, which is cut up. How many, at most `most`. */
static size_t fields_of(char *line, char **fields, size_t most)
{
	size_t count = 0;
	char *rest = NULL;

	for (char *field = strtok_r(line, BLANKS, &rest); field && count < most;
	     field = strtok_r(NULL, BLANKS, &rest))
		fields[count++] = field;
	return count;
}

static bool is_zero(const char *hex)
{
	return hex[strspn(hex, "0")] == '\0';
}

/* "eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0": device, destination, gateway, flags, two
 * counters, metric, mask. What is refused has "*" for a device. */
static void route_line(char *line, struct net_devices *ret)
{
	char *fields[8];

	if (fields_of(line, fields, ARRAY_SIZE(fields)) == ARRAY_SIZE(fields) &&
	    is_zero(fields[1]) && is_zero(fields[7]))
		device_add(ret, fields[0], if_nametoindex(fields[0]));
}

/* Destination, its length, source, its length, gateway, metric, two counters, flags, device. What
 * is refused has lo for one. */
static void route6_line(char *line, struct net_devices *ret)
{
	char *fields[10];

	if (fields_of(line, fields, ARRAY_SIZE(fields)) == ARRAY_SIZE(fields) &&
	    is_zero(fields[0]) && is_zero(fields[1]))
		device_add(ret, fields[9], if_nametoindex(fields[9]));
}

static int find_by_routes(const char *file, void (*fn)(char *line, struct net_devices *ret),
			  struct net_devices *ret)
{
	cleanup_free char *line = NULL;
	char path[256];
	size_t size = 0;
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/net/%s", net_devices_proc, file);
	stream = fopen(path, "re");
	/* A kernel without IPv6 has no such file. */
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&line, &size, stream) > 0)
		fn(line, ret);
	(void)fclose(stream);
	return 0;
}

int net_devices_find(char *const *globs, struct net_devices *ret)
{
	struct if_nameindex *names;
	int r;

	*ret = (struct net_devices){ .count = 0 };
	if (!globs || !globs[0]) {
		r = find_by_routes("route", route_line, ret);
		return r < 0 ? r : find_by_routes("ipv6_route", route6_line, ret);
	}
	names = if_nameindex();
	if (!names)
		return -errno;
	find_by_globs(globs, names, ret);
	if_freenameindex(names);
	return 0;
}

bool net_devices_are_hosts(void)
{
	char path[256];
	struct stat host, own;

	(void)snprintf(path, sizeof(path), "%s/1/ns/net", net_devices_proc);
	if (stat(path, &host) < 0)
		return true;
	(void)snprintf(path, sizeof(path), "%s/self/ns/net", net_devices_proc);
	return stat(path, &own) < 0 || host.st_ino == own.st_ino;
}

int net_devices_watch(void)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	cleanup_close int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const void *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* A pod that comes brings a link and a route to it, and no default route. Of what is done to
 * devices the last: the filter of ours is written off the loop, after the qdisc. */
static bool message_tells(const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct tcmsg *traffic = NLMSG_DATA(message);

	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) &&
		       route->rtm_dst_len == 0;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return true;
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*traffic)) &&
		       traffic->tcm_handle == NET_FILTER_HANDLE;
	default:
		return false;
	}
}

bool net_devices_changed(int fd)
{
	_Alignas(struct nlmsghdr) char buffer[8192];
	bool changed = false;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) != 0) {
		const struct nlmsghdr *message = (const void *)buffer;
		unsigned int left = (unsigned int)n;

		if (n < 0 && errno == EINTR)
			continue;
		/* ENOBUFS: more than fitted, and so anything. */
		if (n < 0 && errno != ENOBUFS)
			break;
		if (n < 0) {
			changed = true;
			continue;
		}
		for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
			changed = changed || message_tells(message);
	}
	return changed;
}
