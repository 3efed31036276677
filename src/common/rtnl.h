/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnl.h - one question to rtnetlink, and its answers. A socket is opened for each and closed
 * again; the kernel answers before sendmsg(2) returns, so that nothing waits.
 */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#define RTNL_REQUEST_BYTES 512u

/* A request about a qdisc or a filter, with its attributes behind it. */
struct rtnl_request {
	struct nlmsghdr header;
	struct tcmsg traffic;
	char attributes[RTNL_REQUEST_BYTES];
};

/* type, flags: RTM_..., NLM_F_... */
void rtnl_request_init(struct rtnl_request *request, uint16_t type, uint16_t flags,
		       unsigned int ifindex);
/* -EMSGSIZE */
int rtnl_add(struct rtnl_request *request, uint16_t type, const void *data, size_t size);
/* Attributes that are added until rtnl_nest_end() are inside this one. */
int rtnl_nest_begin(struct rtnl_request *request, uint16_t type, size_t *ret_offset);
void rtnl_nest_end(struct rtnl_request *request, size_t offset);

/* Calls fn (may be NULL) for each message of one datagram. 1: more are to come; 0: that was the
 * end; -errno: what the kernel answered, or what fn returned; -EAGAIN: a list that changed
 * meanwhile. */
int rtnl_answer(const void *buffer, size_t size,
		int (*fn)(void *data, const struct nlmsghdr *message), void *data);
/* Sends it and hands the answer to rtnl_answer(). */
int rtnl_call(struct rtnl_request *request, int (*fn)(void *data, const struct nlmsghdr *message),
	      void *data);

/* The attribute of that type among `size` bytes of them; NULL. */
const struct rtattr *rtnl_find(const struct rtattr *attributes, size_t size, uint16_t type);
/* The same in a message about a qdisc or a filter, which begins with a struct tcmsg. */
const struct rtattr *rtnl_find_traffic(const struct nlmsghdr *message, uint16_t type);
/* "" when it is none or no text. */
const char *rtnl_text(const struct rtattr *attribute);
