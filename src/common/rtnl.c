/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"

#define ANSWER_BYTES 65536u
#define ANSWERS_MOST 4096u /* reads of one answer: a dump of 100000 qdiscs */
#define WAIT_SECONDS 2     /* a kernel that answers at all has done so before that */

void rtnl_request_init(struct rtnl_request *request, uint16_t type, uint16_t flags,
		       unsigned int ifindex)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(sizeof(request->traffic));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->header.nlmsg_seq = 1;
	request->traffic.tcm_family = AF_UNSPEC;
	request->traffic.tcm_ifindex = (int)ifindex;
}

int rtnl_add(struct rtnl_request *request, uint16_t type, const void *data, size_t size)
{
	size_t offset = NLMSG_ALIGN(request->header.nlmsg_len);
	size_t end = offset + RTA_ALIGN(RTA_LENGTH(size));
	struct rtattr head = { .rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type };
	char *bytes = (char *)request;

	if (size > RTNL_REQUEST_BYTES || end > sizeof(*request))
		return -EMSGSIZE;
	memcpy(bytes + offset, &head, sizeof(head));
	if (size > 0)
		memcpy(bytes + offset + RTA_LENGTH(0), data, size);
	request->header.nlmsg_len = (uint32_t)end;
	return 0;
}

int rtnl_nest_begin(struct rtnl_request *request, uint16_t type, size_t *ret_offset)
{
	size_t offset = NLMSG_ALIGN(request->header.nlmsg_len);
	int r = rtnl_add(request, type, NULL, 0);

	if (r == 0)
		*ret_offset = offset;
	return r;
}

void rtnl_nest_end(struct rtnl_request *request, size_t offset)
{
	uint16_t length = (uint16_t)(request->header.nlmsg_len - offset);

	memcpy((char *)request + offset, &length, sizeof(length));
}

/* How a dump ended: an error in the middle of it comes with its last message. */
static int done_result(const struct nlmsghdr *message)
{
	int result = 0;

	if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(result)))
		memcpy(&result, NLMSG_DATA(message), sizeof(result));
	return MIN(result, 0);
}

int rtnl_answer(const void *buffer, size_t size,
		int (*fn)(void *data, const struct nlmsghdr *message), void *data)
{
	const struct nlmsghdr *message = buffer;
	unsigned int left = (unsigned int)size;
	int r;

	for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
		/* The list changed while it was walked: what is missing in it may be there. */
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (message->nlmsg_type == NLMSG_DONE)
			return done_result(message);
		if (message->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(message);

			return message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) ? -EBADMSG
										 : error->error;
		}
		r = fn ? fn(data, message) : 0;
		if (r < 0)
			return r;
	}
	return 1;
}

int rtnl_call(struct rtnl_request *request, int (*fn)(void *data, const struct nlmsghdr *message),
	      void *data)
{
	bool is_dump = (request->header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	const struct timeval wait = { .tv_sec = WAIT_SECONDS };
	cleanup_free char *buffer = malloc(ANSWER_BYTES);
	cleanup_close int fd = -EBADF;
	int r = 1;

	if (!buffer)
		return -ENOMEM;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (!is_dump)
		request->header.nlmsg_flags |= NLM_F_ACK;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	for (unsigned int i = 0; r == 1 && i < ANSWERS_MOST; i++) {
		ssize_t n = recv(fd, buffer, ANSWER_BYTES, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		r = rtnl_answer(buffer, (size_t)n, fn, data);
	}
	return r == 1 ? -E2BIG : r;
}

const struct rtattr *rtnl_find(const struct rtattr *attributes, size_t size, uint16_t type)
{
	const struct rtattr *attribute = attributes;
	unsigned int left = (unsigned int)size;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

const struct rtattr *rtnl_find_traffic(const struct nlmsghdr *message, uint16_t type)
{
	const char *data = (const char *)message + NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct tcmsg)));

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct tcmsg)))
		return NULL;
	return rtnl_find((const void *)data, NLMSG_PAYLOAD(message, sizeof(struct tcmsg)), type);
}

const char *rtnl_text(const struct rtattr *attribute)
{
	size_t size = attribute ? RTA_PAYLOAD(attribute) : 0;
	const char *text = attribute ? RTA_DATA(attribute) : "";

	return size > 0 && memchr(text, '\0', size) ? text : "";
}
