/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* pace-shared.h - what pace.bpf.c and its loader share: keys and values of its maps. */
#pragma once

#include <linux/bpf.h>

#include "network/pace-law.h"

#define PACE_DEVICES 8u     /* LIMIT_NET_DEVICES */
#define PACE_FLOWS   16384u /* offline flows; the one that was silent longest is forgotten */

/* A flow is known by the hash of its socket, which a packet keeps on its way through network
 * namespaces, bridges, address translation and tunnels; without one, by the socket itself. */
#define PACE_FLOW_SOCKET (1ull << 63)

struct pace_online {
	__u64 bytes, packets;
};

enum pace_count {
	PACE_BYTES,   /* that left */
	PACE_PACKETS, /* that left */
	PACE_DELAYED, /* packets that waited */
	PACE_DROPPED, /* packets */
	PACE_MARKED,  /* packets: ECN */
	PACE_POLICED, /* bytes that left a pod and could not wait: UDP without a connection */
	PACE_COUNTS,
};

/* Offline's line on one device. */
struct pace_device {
	struct bpf_spin_lock lock;
	__u32 unused;
	struct pace_law law;
	__u64 count[PACE_COUNTS];
};
