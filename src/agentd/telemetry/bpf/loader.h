/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h - programs of BPF are loaded on a thread: the kernel checks them for 100 ms, or for
 * seconds on a slow machine, and the loop does not wait. Whoever wants some starts a load, looks at
 * each pass whether it is done, and takes what was loaded, or drops it at any time.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "list.h"

struct loader;
struct worker_pool;

/* A part of what is loaded; run and free are set by its owner. */
struct load {
	int (*run)(struct load *load);   /* on the thread; what it uses outlives the loader */
	void (*free)(struct load *load); /* on the loop, with all that run() made */
	/* loader.c's */
	struct loader *loader;
	struct list member;
	atomic_bool dropped;
	bool done;
	int result; /* of run(), once it is done */
};

/* The pool has one thread, so that loads do not add up. NULL: a load runs where it is started. The
 * pool is borrowed. 0 or -ENOMEM. */
int loader_new(struct worker_pool *pool, struct loader **ret);
/* Waits for what is running, and frees all loads that nobody took. */
struct loader *loader_free(struct loader *loader);

/* 0; -EAGAIN or the like: there is no thread for it now, and the load stays the caller's. */
int loader_start(struct loader *loader, struct load *load);
static inline bool load_is_done(const struct load *load)
{
	return load->done;
}
/* It is done, and from now on the caller's to free: run()'s result. */
int load_take(struct load *load);
/* One that was not taken: freed now, or when it ends, for which nobody waits. NULL is fine. */
void load_drop(struct load *load);
