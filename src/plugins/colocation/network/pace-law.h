/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * pace-law.h - how fast offline traffic may leave a device, and when its next packet does. Pure,
 * and the same text in the kernel (pace.bpf.c) and in its tests.
 *
 * The law looks once a window at what online traffic took, smooths that over four of them, and
 * gives offline as a whole what the water line leaves, never less than `low` nor more than `high`.
 * What goes up fast and down slowly would do online no good, and bursts of it would cost offline
 * more than they take. With `step` there is nothing between the two: high below the water line,
 * else low.
 *
 * A packet departs when the one before it has (earliest departure time): `next` is when the line
 * that offline has for itself is free again.
 */
#pragma once

#include <linux/types.h>

#define PACE_WINDOW_NSEC 10000000ull /* between two looks at online traffic */
#define PACE_HORIZON_NSEC \
	50000000ull                  /* of offline packets that wait; what comes later is dropped */
#define PACE_POLICE_NSEC 10000000ull /* the same where packets cannot wait */
#define PACE_BACKLOG     6000000ull  /* bytes that wait at most: fq's limits count packets */
#define PACE_PACKET_NSEC 3000ull     /* the least that a packet takes: 50 ms of them fit in fq */
#define PACE_SMOOTH      4ull        /* windows */
#define PACE_BATCH       16384ull

struct pace_settings {
	__u64 water_line, low, high; /* bytes a second */
	__u64 step;
};

struct pace_law {
	__u64 rate;         /* of offline, bytes a second */
	__u64 online_rate;  /* smoothed */
	__u64 window_nsec;  /* when that was; 0: never */
	__u64 online_bytes; /* of all time, then */
	__u64 next_nsec;
};

static inline __u64 pace_target(const struct pace_settings *settings, __u64 online_rate)
{
	__u64 left = settings->water_line > online_rate ? settings->water_line - online_rate : 0;

	if (settings->step)
		return left ? settings->high : settings->low;
	if (left < settings->low)
		return settings->low;
	return left > settings->high ? settings->high : left;
}

/* Online traffic after `windows` of them in which it was `seen`. */
static inline __u64 pace_smooth(__u64 before, __u64 seen, __u64 windows)
{
	if (windows >= PACE_SMOOTH)
		return seen;
	return (before * (PACE_SMOOTH - windows) + seen * windows) / PACE_SMOOTH;
}

/* Offline may have been silent, and nobody have looked, for days. */
static inline __u64 pace_rate(__u64 bytes, __u64 usec)
{
	return bytes < 1ull << 43 ? bytes * 1000000 / usec : bytes / usec * 1000000;
}

/* online_bytes: of all time; not less than before, but for a CPU that read it before another one
 * did and looks after it. */
static inline void pace_look(struct pace_law *law, const struct pace_settings *settings, __u64 now,
			     __u64 online_bytes)
{
	__u64 usec, bytes, windows;

	if (law->window_nsec == 0) {
		/* Nothing is known of online traffic yet. */
		law->rate = settings->low;
		law->window_nsec = now;
		law->online_bytes = online_bytes;
		return;
	}
	if (now < law->window_nsec + PACE_WINDOW_NSEC)
		return;
	usec = (now - law->window_nsec) / 1000;
	windows = (now - law->window_nsec) / PACE_WINDOW_NSEC;
	bytes = online_bytes > law->online_bytes ? online_bytes - law->online_bytes : 0;
	law->online_rate = pace_smooth(law->online_rate, pace_rate(bytes, usec), windows);
	law->window_nsec = now;
	law->online_bytes += bytes;
	law->rate = pace_target(settings, law->online_rate);
}

/* What a CPU counts for itself before the others see it: a tenth of a window at the water line. */
static inline __u64 pace_batch(const struct pace_settings *settings)
{
	__u64 batch = settings->water_line / 1000;

	return batch > PACE_BATCH ? PACE_BATCH : batch;
}

/* When a packet may leave, at or after now; 0: it waited too long, and is to be dropped. */
static inline __u64 pace_depart(struct pace_law *law, __u64 now, __u64 bytes, __u64 horizon_nsec)
{
	__u64 rate = law->rate ? law->rate : 1;
	__u64 cost = bytes * 1000000000 / rate;
	__u64 most = PACE_BACKLOG * 1000000000 / rate;
	__u64 depart = law->next_nsec;

	if (most > horizon_nsec)
		most = horizon_nsec;
	if (cost < PACE_PACKET_NSEC)
		cost = PACE_PACKET_NSEC;
	if (depart < now)
		depart = now;
	if (depart - now > most)
		return 0;
	law->next_nsec = depart + cost;
	return depart;
}
