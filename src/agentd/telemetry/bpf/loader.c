/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/bpf/loader.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "telemetry/bpf/bpf-log.h"
#include "worker/pool.h"

struct loader {
	struct worker_pool *pool;
	struct list loads; /* that were started and not taken */
};

int loader_new(struct worker_pool *pool, struct loader **ret)
{
	struct loader *loader = calloc(1, sizeof(*loader));

	if (!loader)
		return -ENOMEM;
	loader->pool = pool;
	list_init(&loader->loads);
#ifdef BERTH_HAVE_BPF
	bpf_log_start();
#endif
	*ret = loader;
	return 0;
}

struct loader *loader_free(struct loader *loader)
{
	struct load *load, *following;

	if (!loader)
		return NULL;
	list_foreach_safe (load, following, &loader->loads, member) {
		atomic_store(&load->dropped, true);
		if (!load->done)
			(void)worker_pool_cancel(loader->pool, load);
		list_unlink(&load->member);
		load->free(load);
	}
	free(loader);
	return NULL;
}

static int load_run(void *job)
{
	struct load *load = job;

	return atomic_load(&load->dropped) ? -ECANCELED : load->run(load);
}

static void load_end(void *data, void *job, int result)
{
	struct load *load = job;

	(void)data;
	load->result = result;
	load->done = true;
	if (atomic_load(&load->dropped))
		load_drop(load);
	/* The description of the kernel takes ten megabytes while it is read. */
	(void)malloc_trim(0);
}

int loader_start(struct loader *loader, struct load *load)
{
	int r;

	load->loader = loader;
	load->done = false;
	atomic_store(&load->dropped, false);
	if (loader->pool) {
		r = worker_pool_add(loader->pool, load_run, load_end, load, NULL);
		if (r < 0)
			return r;
	}
	list_append(&loader->loads, &load->member);
	if (!loader->pool)
		load_end(NULL, load, load_run(load));
	return 0;
}

int load_take(struct load *load)
{
	list_unlink(&load->member);
	return load->result;
}

void load_drop(struct load *load)
{
	if (!load)
		return;
	atomic_store(&load->dropped, true);
	if (!load->done)
		return;
	list_unlink(&load->member);
	load->free(load);
}
