/* SPDX-License-Identifier: Apache-2.0 */
#include "net-device.h"

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <stdio.h>
#include <string.h>

#include "rtnl.h"

struct qdisc_look {
	int ifindex;
	bool found, has_clsact;
	struct net_qdisc *qdisc;
};

static int qdisc_root(void *data, const struct nlmsghdr *message)
{
	struct qdisc_look *look = data;
	const struct tcmsg *traffic = NLMSG_DATA(message);
	const char *kind = rtnl_text(rtnl_find_traffic(message, TCA_KIND));

	if (message->nlmsg_type != RTM_NEWQDISC ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*traffic)) ||
	    traffic->tcm_ifindex != look->ifindex)
		return 0;
	if (traffic->tcm_parent == TC_H_CLSACT && strcmp(kind, "clsact") == 0)
		look->has_clsact = true;
	if (traffic->tcm_parent != TC_H_ROOT || !look->qdisc)
		return 0;
	look->found = true;
	look->qdisc->handle = traffic->tcm_handle;
	(void)snprintf(look->qdisc->kind, sizeof(look->qdisc->kind), "%s", kind);
	return 0;
}

static int qdisc_below(void *data, const struct nlmsghdr *message)
{
	struct qdisc_look *look = data;
	const struct tcmsg *traffic = NLMSG_DATA(message);

	if (message->nlmsg_type != RTM_NEWQDISC ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*traffic)) ||
	    traffic->tcm_ifindex != look->ifindex || traffic->tcm_parent == TC_H_ROOT ||
	    traffic->tcm_parent == TC_H_CLSACT ||
	    TC_H_MAJ(traffic->tcm_parent) != look->qdisc->handle)
		return 0;
	look->qdisc->queues++;
	if (strcmp(rtnl_text(rtnl_find_traffic(message, TCA_KIND)), "fq") == 0)
		look->qdisc->paced++;
	else if (traffic->tcm_handle != 0)
		look->qdisc->others++;
	return 0;
}

static int qdisc_dump(struct qdisc_look *look,
		      int (*fn)(void *data, const struct nlmsghdr *message))
{
	struct rtnl_request request;

	rtnl_request_init(&request, RTM_GETQDISC, NLM_F_DUMP, (unsigned int)look->ifindex);
	return rtnl_call(&request, fn, look);
}

int net_qdisc_look(unsigned int ifindex, struct net_qdisc *ret)
{
	struct net_qdisc qdisc = { .handle = 0 };
	struct qdisc_look look = { .ifindex = (int)ifindex, .qdisc = &qdisc };
	int r = qdisc_dump(&look, qdisc_root);

	if (r == 0 && !look.found)
		r = -ENODEV;
	if (r == 0)
		r = qdisc_dump(&look, qdisc_below);
	if (r == 0)
		*ret = qdisc;
	return r;
}

bool net_qdisc_is_paced(const struct net_qdisc *qdisc)
{
	if (strcmp(qdisc->kind, "fq") == 0)
		return true;
	return strcmp(qdisc->kind, "mq") == 0 && qdisc->queues > 0 && qdisc->paced == qdisc->queues;
}

static int filter_look(void *data, const struct nlmsghdr *message)
{
	struct net_egress *egress = data;
	const struct tcmsg *traffic = NLMSG_DATA(message);
	const struct rtattr *options = rtnl_find_traffic(message, TCA_OPTIONS);
	const struct rtattr *name = NULL, *id = NULL;

	/* One without a handle is the list that filters of this priority are in. */
	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*traffic)) || traffic->tcm_handle == 0)
		return 0;
	if (options) {
		name = rtnl_find(RTA_DATA(options), RTA_PAYLOAD(options), TCA_BPF_NAME);
		id = rtnl_find(RTA_DATA(options), RTA_PAYLOAD(options), TCA_BPF_ID);
	}
	if (traffic->tcm_handle == NET_FILTER_HANDLE &&
	    strcmp(rtnl_text(rtnl_find_traffic(message, TCA_KIND)), "bpf") == 0 &&
	    strcmp(rtnl_text(name), NET_FILTER_NAME) == 0 && id &&
	    RTA_PAYLOAD(id) >= sizeof(egress->program))
		memcpy(&egress->program, RTA_DATA(id), sizeof(egress->program));
	else
		egress->others++;
	return 0;
}

int net_egress_look(unsigned int ifindex, struct net_egress *ret)
{
	static const uint32_t directions[] = { TC_H_MIN_EGRESS, TC_H_MIN_INGRESS };
	struct net_qdisc root;
	struct qdisc_look look = { .ifindex = (int)ifindex, .qdisc = &root };
	struct net_egress egress = { .has_clsact = false };
	int r = qdisc_dump(&look, qdisc_root);

	if (r == 0 && !look.found)
		r = -ENODEV;
	egress.has_clsact = look.has_clsact;
	for (unsigned int i = 0; r == 0 && look.has_clsact && i < 2; i++) {
		struct rtnl_request request;

		rtnl_request_init(&request, RTM_GETTFILTER, NLM_F_DUMP, ifindex);
		request.traffic.tcm_parent = TC_H_MAKE(TC_H_CLSACT, directions[i]);
		r = rtnl_call(&request, filter_look, &egress);
	}
	if (r == 0)
		*ret = egress;
	return r;
}
