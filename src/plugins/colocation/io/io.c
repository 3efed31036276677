/* SPDX-License-Identifier: Apache-2.0 */
/* io.c - what limit.c, weight.c and cost.c decide, to claims. */
#include "io/io.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"
#include "service.h"

static const enum knob device_knobs[] = { KNOB_IO_READ_BPS, KNOB_IO_WRITE_BPS, KNOB_IO_READ_IOPS,
					  KNOB_IO_WRITE_IOPS, KNOB_IO_LATENCY_USEC };
static const enum knob group_knobs[] = { KNOB_IO_WEIGHT, KNOB_IO_BFQ_WEIGHT, KNOB_IO_PRIO_CLASS,
					 KNOB_MEMORY_WB_BLKIO };

static bool io_has(const struct io *io, enum knob knob)
{
	return io->agent->api->knob_available(io->agent, knob, NULL) > 0;
}

/* v1's file of the same knob has another name; where it is tells the version. */
static bool io_limits_are_v2(const struct io *io)
{
	const char *where = "";

	(void)io->agent->api->knob_available(io->agent, KNOB_IO_READ_BPS, &where);
	return !where || !strstr(where, "blkio.");
}

static void io_unclaim_costs(struct io *io)
{
	for (size_t i = 0; i < io->cost_count; i++) {
		struct berth_target target = { TARGET_DEVICE, io->costs[i].device };

		/* The other way round than claimed: off first. */
		io->agent->api->unclaim(io->agent, target, KNOB_DEVICE_COST_QOS);
		io->agent->api->unclaim(io->agent, target, KNOB_DEVICE_COST_MODEL);
		io->agent->api->describe(io->agent, 0, io->costs[i].name, NULL);
	}
	io->cost_count = 0;
}

/* What is said of a device is one text, which this item has or the ones before it. */
static void io_claim_cost(struct io *io, const struct io_cost *cost, const struct disk *disk)
{
	const struct agent_api *api = io->agent->api;
	struct berth_target target = { TARGET_DEVICE, disk->device };
	struct knob_value model = { .text = cost->model }, qos = { .text = cost->qos };
	char text[512];
	int r = 0;

	if (cost->model[0])
		r = api->claim(io->agent, target, KNOB_DEVICE_COST_MODEL, &model, 0, "io.cost");
	else
		api->unclaim(io->agent, target, KNOB_DEVICE_COST_MODEL);
	if (r >= 0)
		r = api->claim(io->agent, target, KNOB_DEVICE_COST_QOS, &qos, 0, "io.cost");
	(void)snprintf(text, sizeof(text), "%s%s; %s%s", r < 0 ? "refused: " : "io.cost: ",
		       r < 0            ? strerrordesc_np(-r)
		       : cost->model[0] ? cost->model
					: "the kernel's model",
		       cost->qos, cost->model[0] ? "" : " (measure one: berthctl io-model)");
	api->describe(io->agent, 0, disk->name, text);
	io->costs[io->cost_count++] = *disk;
}

static bool disk_is_here(const struct io *io, const struct disk *disk)
{
	for (size_t d = 0; d < io->host.disks.count; d++)
		if (memcmp(&io->host.disks.items[d], disk, sizeof(*disk)) == 0)
			return true;
	return false;
}

static bool cost_is_wanted(const struct io *io, const struct disk *disk)
{
	if (!disk_is_here(io, disk))
		return false;
	for (char *const *item = io->config->io_cost; item && *item; item++) {
		struct io_cost cost;
		char error[192];

		if (io_cost_parse(*item, &cost, error, sizeof(error)) == 0 &&
		    fnmatch(cost.glob, disk->name, 0) == 0)
			return true;
	}
	return false;
}

/* A disk that two items match goes by the first. */
static void io_claim_costs(struct io *io)
{
	const struct disks *disks = &io->host.disks;

	io->cost_count = 0;
	for (size_t d = 0; d < disks->count; d++) {
		for (char *const *item = io->config->io_cost; item && *item; item++) {
			struct io_cost cost;
			char error[192];

			if (io_cost_parse(*item, &cost, error, sizeof(error)) < 0 ||
			    fnmatch(cost.glob, disks->items[d].name, 0) != 0)
				continue;
			io_claim_cost(io, &cost, &disks->items[d]);
			break;
		}
	}
}

static void io_decide_costs(struct io *io, bool enabled)
{
	struct disk before[DISKS_MAX];
	size_t count = io->cost_count;

	if (!enabled || !io->host.has_cost) {
		io_unclaim_costs(io);
		if (enabled && io->config->io_cost && io->config->io_cost[0]) {
			const char *why = "";

			(void)io->agent->api->knob_available(io->agent, KNOB_DEVICE_COST_QOS, &why);
			io->agent->api->describe(io->agent, 0, "io.cost", why);
		}
		return;
	}
	io->agent->api->describe(io->agent, 0, "io.cost", NULL);
	memcpy(before, io->costs, count * sizeof(*before));
	for (size_t i = 0; i < count; i++) {
		struct berth_target target = { TARGET_DEVICE, before[i].device };

		if (cost_is_wanted(io, &before[i]))
			continue;
		io->agent->api->unclaim(io->agent, target, KNOB_DEVICE_COST_QOS);
		io->agent->api->unclaim(io->agent, target, KNOB_DEVICE_COST_MODEL);
		io->agent->api->describe(io->agent, 0, before[i].name, NULL);
	}
	io_claim_costs(io);
}

static void io_describe(struct io *io)
{
	const char *why = "";
	char text[256];

	if (!io->config->io_enabled) {
		io->agent->api->describe(io->agent, 0, "io", "off");
		return;
	}
	if (!io->host.has_limits)
		(void)io->agent->api->knob_available(io->agent, KNOB_IO_READ_BPS, &why);
	(void)snprintf(text, sizeof(text), "%zu disks; limits %s%.100s; weights %s%s%s%s",
		       io->host.disks.count,
		       !io->host.has_limits ? "not: "
		       : io->host.is_v2     ? "by io.max"
					    : "by blkio.throttle",
		       why ? why : "", io->host.has_weight ? "io.cost " : "",
		       io->host.has_bfq_weight ? "bfq " : "",
		       io->host.has_weight || io->host.has_bfq_weight ? "" : "not here ",
		       io->host.has_prio_class ? "and priority classes" : "");
	io->agent->api->describe(io->agent, 0, "io", text);
}

static bool disks_have_bfq(const struct disks *disks)
{
	for (size_t i = 0; i < disks->count; i++)
		if (disks->items[i].is_bfq)
			return true;
	return false;
}

static bool has_device(const struct disks *disks, uint64_t device)
{
	for (size_t i = 0; i < disks->count; i++)
		if (disks->items[i].device == device)
			return true;
	return false;
}

/* After the watch told: true if the disks are others than before. Every workload is decided again
 * after that, or claims on what is gone would stay. */
static bool io_devices_changed(struct io *io)
{
	struct disks *now = &io->host.disks;
	char buffer[4096];
	struct disks before = *now;

	while (io->inotify_fd >= 0 && read(io->inotify_fd, buffer, sizeof(buffer)) > 0)
		continue;
	/* Too many open files, and no disk has gone. */
	if (disks_read(now) < 0)
		*now = before;
	if (before.count == now->count &&
	    memcmp(before.items, now->items, before.count * sizeof(*before.items)) == 0)
		return false;
	io->gone.count = 0;
	for (size_t i = 0; i < before.count; i++)
		if (!has_device(now, before.items[i].device))
			io->gone.items[io->gone.count++] = before.items[i];
	return true;
}

/* What there is, to what is claimed of devices and told. */
static void io_look(struct io *io)
{
	struct io_host *host = &io->host;
	const struct colocation_config *config = io->config;

	host->has_limits = io_has(io, KNOB_IO_READ_BPS);
	host->is_v2 = io_limits_are_v2(io);
	/* Without a disk that it rules a weight says nothing, and systemd would take io.weight back
	 * at each daemon-reload for nothing. */
	host->has_weight = io_has(io, KNOB_IO_WEIGHT) && config->io_cost && config->io_cost[0];
	host->has_bfq_weight = io_has(io, KNOB_IO_BFQ_WEIGHT) && disks_have_bfq(&host->disks);
	host->has_prio_class = io_has(io, KNOB_IO_PRIO_CLASS);
	host->has_latency = io_has(io, KNOB_IO_LATENCY_USEC);
	host->has_writeback = io_has(io, KNOB_MEMORY_WB_BLKIO);
	host->has_cost = io_has(io, KNOB_DEVICE_COST_QOS) && io_has(io, KNOB_DEVICE_COST_MODEL);
	io_describe(io);
	io_decide_costs(io, config->io_enabled);
}

void io_probe(void *state)
{
	struct io *io = state;

	(void)io_devices_changed(io);
	io_look(io);
}

static int on_devices(void *self, uint32_t epoll_events)
{
	struct io *io = service_state(self, SERVICE_IO);

	(void)epoll_events;
	if (!io_devices_changed(io))
		return 0;
	io_look(io);
	colocation_decide_service(self, SERVICE_IO);
	return 0;
}

/* Disks come and go with their nodes in /dev: no timer asks for them. */
static void io_watch_devices(struct io *io)
{
	io->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (io->inotify_fd >= 0 &&
	    inotify_add_watch(io->inotify_fd, "/dev", IN_CREATE | IN_DELETE | IN_MOVED_TO) >= 0 &&
	    io->agent->api->watch(io->agent, io->inotify_fd, EPOLLIN, on_devices, &io->source) >= 0)
		return;
	io->inotify_fd = close_keep_errno(io->inotify_fd);
	io->agent->api->log(io->agent, LOG_NOTICE,
			    "/dev cannot be watched: disks that come later are found at a reload");
}

int io_start(struct agent *agent, void *self, const struct colocation_config *config,
	     void **ret_state)
{
	struct io *io = calloc(1, sizeof(*io));

	(void)self;
	if (!io)
		return -ENOMEM;
	*io = (struct io){ .agent = agent, .config = config, .inotify_fd = -EBADF };
	io_watch_devices(io);
	io_probe(io);
	*ret_state = io;
	return 0;
}

int io_apply(void *state, const struct colocation_config *config)
{
	struct io *io = state;

	io->config = config;
	io_probe(io);
	return 0;
}

void io_stop(void *state)
{
	struct io *io = state;

	if (io->source)
		io->agent->api->forget(io->agent, io->source);
	io->inotify_fd = close_keep_errno(io->inotify_fd);
	free(io);
}

static void io_place_of(struct io *io, const struct berth_workload *workload,
			bool parent_is_offline, struct io_place *ret)
{
	const struct agent_api *api = io->agent->api;
	const struct berth_workload *parent =
		workload->parent ? api->workload(io->agent, workload->parent) : NULL;

	*ret = (struct io_place){
		.annotation = api->annotation(io->agent, workload->id, IO_ANNOTATION),
		.is_pod = strcmp(workload->kind, "pod") == 0,
		.has_parent_workload = parent != NULL,
		.parent_is_offline = parent_is_offline,
	};
	if (!ret->annotation && parent && strcmp(workload->kind, "container") == 0)
		ret->annotation = api->annotation(io->agent, parent->id, IO_ANNOTATION);
}

static void io_unclaim_rest(struct io *io, const struct berth_workload *workload,
			    const struct io_wants *wants)
{
	const struct agent_api *api = io->agent->api;
	struct berth_target target = { TARGET_WORKLOAD, workload->id };

	/* Those that were there before, too: a claim on one that went ends here. */
	const struct disks *both[] = { &io->host.disks, &io->gone };

	for (size_t b = 0; b < ARRAY_SIZE(both); b++)
		for (size_t d = 0; d < both[b]->count; d++)
			for (size_t k = 0; k < ARRAY_SIZE(device_knobs); k++)
				if (!io_wants_get(wants, device_knobs[k], both[b]->items[d].device))
					api->unclaim_device(io->agent, target,
							    both[b]->items[d].device,
							    device_knobs[k]);
	for (size_t k = 0; k < ARRAY_SIZE(group_knobs); k++)
		if (!io_wants_get(wants, group_knobs[k], 0))
			api->unclaim(io->agent, target, group_knobs[k]);
}

static const char *reason_of(const struct io_want *want, const struct io_wants *wants)
{
	if (want->knob == KNOB_IO_LATENCY_USEC)
		return "io.latency";
	return want->device ? wants->limits : wants->shares;
}

static void io_claim(struct io *io, const struct berth_workload *workload,
		     const struct io_wants *wants)
{
	const struct agent_api *api = io->agent->api;
	struct berth_target target = { TARGET_WORKLOAD, workload->id };
	char text[512];
	int refused = 0;

	io_unclaim_rest(io, workload, wants);
	for (size_t i = 0; i < wants->count; i++) {
		const struct io_want *want = &wants->items[i];
		struct knob_value value = { .number = want->number };
		int r = api->claim_device(io->agent, target, want->device, want->knob, &value, 0,
					  reason_of(want, wants));

		if (r < 0 && r != -ENOENT)
			refused = r;
	}
	(void)snprintf(text, sizeof(text), "%s; %s%s%s", wants->limits, wants->shares,
		       refused ? "; refused: " : "", refused ? strerrordesc_np(-refused) : "");
	api->describe(io->agent, workload->id, "io", text);
}

void io_decide(void *state, const struct berth_workload *workload, bool parent_is_offline)
{
	struct io *io = state;
	struct io_wants wants; /* large: what counts is set below */
	struct io_place place;

	wants.count = 0;
	(void)snprintf(wants.limits, sizeof(wants.limits), "left alone: berth/ignore");
	if (!io->config->io_enabled || (workload->flags & WORKLOAD_IGNORED)) {
		io_unclaim_rest(io, workload, &wants);
		io->agent->api->describe(io->agent, workload->id, "io",
					 io->config->io_enabled ? wants.limits
								: "off: io.enabled is false");
		return;
	}
	io_place_of(io, workload, parent_is_offline, &place);
	io_limits_decide(io->config, &io->host, workload, &place, &wants);
	io_shares_decide(io->config, &io->host, workload, &place, &wants);
	io_claim(io, workload, &wants);
}
