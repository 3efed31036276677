/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pace.bpf.c - offline traffic after online traffic, by the clock.
 *
 * tag() sits on each offline workload's cgroup and notes whose packets pass: at the device the
 * socket of a pod's packet is gone. pace() sits on the device, where everything that leaves the
 * host passes once: it counts what is online, and gives each offline packet a time to leave
 * (skb->tstamp), which the qdisc fq keeps. There is no timer and no queue of our own.
 */
/* Their types first: bpf_helpers.h brings none. */
#include "network/pace-shared.h"
/* libbpf's, after them. */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/pkt_cls.h>

typedef _Bool bool;
enum { false, true };

#define KEEP      1
#define DROP      2 /* as a full queue would: no error for the sender */
#define NSEC      1000000000ull
#define STALE     (3 * NSEC) /* a flow whose workload is no longer offline */
#define RENEW     NSEC
#define SOCK_HEAD 128u /* skc_net is 48 bytes into it */
#define MARK_NSEC (PACE_HORIZON_NSEC / 8)

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct sock_common {
	possible_net_t skc_net;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PACE_FLOWS);
	__type(key, __u64);
	__type(value, __u64); /* when it was noted */
} flows SEC(".maps");

/* By ifindex, in the host's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PACE_DEVICES);
	__type(key, __u32);
	__type(value, struct pace_device);
} devices SEC(".maps");

/* Online bytes, all of them, by device. What each CPU has not added yet is in the other one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PACE_DEVICES);
	__type(key, __u32);
	__type(value, struct pace_online);
} online SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, PACE_DEVICES);
	__type(key, __u32);
	__type(value, struct pace_online);
} online_here SEC(".maps");

struct pace_settings settings;
__u32 host_netns;   /* inode number of the namespace that the devices are in */
__u32 first_device; /* whose line packets take that cannot wait */
__u32 offline_groups;

/* The verifier lets no program follow skb->sk by itself: its head is copied. */
static bool is_in_host(const struct __sk_buff *skb)
{
	__u32 offset = bpf_core_field_offset(struct sock_common, skc_net.net);
	__u64 head[SOCK_HEAD / sizeof(__u64)];
	const struct net *net;

	if (!skb->sk || offset > SOCK_HEAD - sizeof(__u64) ||
	    bpf_probe_read_kernel(head, sizeof(head), skb->sk) < 0)
		return false;
	net = (const void *)head[offset / sizeof(__u64)];
	return BPF_CORE_READ(net, ns.inum) == host_netns;
}

/* When it may leave; 0: never. */
static __u64 depart(struct pace_device *device, __u64 online_bytes, __u64 bytes, __u64 horizon)
{
	__u64 now = bpf_ktime_get_ns(), when;
	struct pace_settings rule = settings;

	bpf_spin_lock(&device->lock);
	pace_look(&device->law, &rule, now, online_bytes);
	when = pace_depart(&device->law, now, bytes, horizon);
	if (!when) {
		device->count[PACE_DROPPED]++;
	} else if (horizon == PACE_POLICE_NSEC) {
		device->count[PACE_POLICED] += bytes;
	} else {
		device->count[PACE_BYTES] += bytes;
		device->count[PACE_PACKETS]++;
		if (when > now)
			device->count[PACE_DELAYED]++;
	}
	bpf_spin_unlock(&device->lock);
	return when;
}

static int police(const struct __sk_buff *skb)
{
	__u32 key = first_device;
	struct pace_device *device = bpf_map_lookup_elem(&devices, &key);
	struct pace_online *all = bpf_map_lookup_elem(&online, &key);

	if (!device || !all || depart(device, all->bytes, skb->len, PACE_POLICE_NSEC))
		return KEEP;
	return DROP;
}

SEC("cgroup_skb/egress")
int tag(struct __sk_buff *skb)
{
	__u64 key = skb->hash, now, *noted;

	if (!key) {
		if (!is_in_host(skb))
			return police(skb);
		key = bpf_get_socket_cookie(skb) | PACE_FLOW_SOCKET;
	}
	now = bpf_ktime_get_ns();
	noted = bpf_map_lookup_elem(&flows, &key);
	if (!noted || now - *noted > RENEW)
		bpf_map_update_elem(&flows, &key, &now, BPF_ANY);
	return KEEP;
}

static bool is_offline(struct __sk_buff *skb)
{
	__u64 key = skb->hash, *noted;

	if (!key) {
		key = bpf_get_socket_cookie(skb);
		if (!key)
			return false;
		key |= PACE_FLOW_SOCKET;
	}
	noted = bpf_map_lookup_elem(&flows, &key);
	return noted && bpf_ktime_get_ns() - *noted < STALE;
}

static void count_online(__u32 ifindex, struct pace_online *all, __u64 bytes)
{
	struct pace_online *here = bpf_map_lookup_elem(&online_here, &ifindex);

	if (!here)
		return;
	here->bytes += bytes;
	here->packets++;
	if (here->bytes < pace_batch(&settings))
		return;
	__sync_fetch_and_add(&all->bytes, here->bytes);
	__sync_fetch_and_add(&all->packets, here->packets);
	here->bytes = 0;
	here->packets = 0;
}

SEC("tc")
int pace(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct pace_device *device = bpf_map_lookup_elem(&devices, &ifindex);
	struct pace_online *all = bpf_map_lookup_elem(&online, &ifindex);
	__u64 bytes = skb->wire_len, now, when; /* with the headers that are still to come */

	if (!device || !all)
		return TC_ACT_UNSPEC;
	if (!offline_groups || !is_offline(skb)) {
		count_online(ifindex, all, bytes);
		return TC_ACT_UNSPEC;
	}
	now = bpf_ktime_get_ns();
	when = depart(device, all->bytes, bytes, PACE_HORIZON_NSEC);
	if (!when)
		return TC_ACT_SHOT;
	if ((__s64)(when - now) > (__s64)MARK_NSEC && bpf_skb_ecn_set_ce(skb))
		__sync_fetch_and_add(&device->count[PACE_MARKED], 1);
	/* TCP's own pacing may ask for later; what is far off is the time of another clock. */
	if (skb->tstamp < when || skb->tstamp - now > NSEC)
		skb->tstamp = when;
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
