/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net-device.h - what stands at the way out of a network device: its root qdisc, and the BPF filter
 * of ours at clsact's egress. Read only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whose a qdisc or a filter is, by its handle. */
#define NET_QDISC_HANDLE  0xbe270000u
#define NET_FILTER_HANDLE 0xbe27u
#define NET_FILTER_PRIO   1u
#define NET_FILTER_NAME   "berth"
#define NET_KIND          16u /* IFNAMSIZ of the kernel's qdisc kinds */

struct net_qdisc {
	char kind[NET_KIND]; /* of the root: "fq", "mq", "noqueue" */
	uint32_t handle;     /* 0: what the kernel put there by itself */
	unsigned int queues; /* qdiscs right below the root: mq has one for each queue */
	unsigned int paced;  /* of those, how many are fq */
	unsigned int others; /* and how many neither that nor put there by the kernel itself */
};

/* -ENODEV: no such device, or one without a qdisc. */
int net_qdisc_look(unsigned int ifindex, struct net_qdisc *ret);
/* Is every packet sent when its time (skb->tstamp) has come? */
bool net_qdisc_is_paced(const struct net_qdisc *qdisc);

struct net_egress {
	bool has_clsact;
	uint32_t program;    /* the id of that in our filter; 0: it is not there */
	unsigned int others; /* filters of others, of both directions */
};

int net_egress_look(unsigned int ifindex, struct net_egress *ret);
