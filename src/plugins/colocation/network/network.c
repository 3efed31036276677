/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c - when what happens. Nothing until the first offline workload is here: then programs
 * are loaded and devices claimed, and stay so until the service is off, because changing a device's
 * qdisc drops the packets in it.
 */
#include "network/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"
#include "network/internal.h"
#include "network/unified.h"
#include "service.h"

/* A packet of 64 KiB takes a second of it. */
#define RATE_MIN    65536u
#define RATE_MAX    (1ull << 44) /* rubik takes up to 9999 GB */
#define REPORT_USEC (10 * USEC_PER_SEC)

static int check_rate(const char *key, uint64_t rate, struct berth_error *reterr)
{
	if (rate >= RATE_MIN && rate <= RATE_MAX)
		return 0;
	*reterr = (struct berth_error){ .key = key };
	(void)snprintf(reterr->text, sizeof(reterr->text),
		       "bytes a second, 64Ki to 16Ti, are needed when the service is on");
	return -EINVAL;
}

int network_check(const struct colocation_config *config, struct berth_error *reterr)
{
	const struct network_config *network = &config->network;
	int r;

	if (!network->enabled)
		return 0;
	r = check_rate("network.water_line", network->water_line, reterr);
	if (r == 0)
		r = check_rate("network.low", network->low, reterr);
	if (r == 0)
		r = check_rate("network.high", network->high, reterr);
	if (r == 0 && network->by == NETWORK_BWM)
		r = network_bwm_check(network, reterr);
	if (r < 0 || network->low < network->high)
		return r;
	*reterr = (struct berth_error){ .key = "network.high" };
	(void)snprintf(reterr->text, sizeof(reterr->text), "must be more than network.low");
	return -EINVAL;
}

static struct pace_settings settings_of(const struct network_config *config)
{
	return (struct pace_settings){
		.water_line = config->water_line,
		.low = config->low,
		.high = config->high,
		.step = config->law == NETWORK_STEP,
	};
}

static void network_update(struct network *network);

static int on_report(void *self)
{
	struct network *network = service_state(self, SERVICE_NETWORK);

	/* No worker was free. */
	if (!network->programs) {
		network_update(network);
		return 0;
	}
	network_lines_update(network);
	network_groups_update(network);
	network_report(network);
	return 0;
}

static int on_devices(void *self, uint32_t epoll_events)
{
	struct network *network = service_state(self, SERVICE_NETWORK);

	(void)epoll_events;
	if (net_devices_changed(network->watch_fd) && network->programs)
		return on_report(self);
	return 0;
}

static void network_rest(struct network *network)
{
	const struct agent_api *api = network->agent->api;

	if (network->timer)
		api->forget(network->agent, network->timer);
	if (network->watch)
		api->forget(network->agent, network->watch);
	network->timer = network->watch = NULL;
	network->watch_fd = close_keep_errno(network->watch_fd);
}

/* Where it fails, what they would tell is found by the timer. */
static void network_watch(struct network *network)
{
	const struct agent_api *api = network->agent->api;

	network->watch_fd = net_devices_watch();
	if (network->watch_fd >= 0 && api->watch(network->agent, network->watch_fd, EPOLLIN,
						 on_devices, &network->watch) == 0)
		return;
	network->watch = NULL;
	network->watch_fd = close_keep_errno(network->watch_fd);
	if (!network->watch_told)
		api->log(network->agent, LOG_NOTICE,
			 "links and routes cannot be watched: devices are looked for every 10 s");
	network->watch_told = true;
}

/* Reports only while there is somebody to report of, and tries what could not be tried. */
static void network_wake(struct network *network)
{
	const struct agent_api *api = network->agent->api;
	bool busy = !network->by_bwm && network->groups.count > 0 &&
		    (network->programs || !network->detail[0]);

	if (busy && !network->timer)
		(void)api->every(network->agent, REPORT_USEC, on_report, &network->timer);
	if (!busy && network->timer) {
		api->forget(network->agent, network->timer);
		network->timer = NULL;
	}
	if (network->programs && !network->watch)
		network_watch(network);
}

static void network_off(struct network *network)
{
	network_rest(network);
	network_groups_drop(network);
	network_bwm_update(network);
	network_lines_drop(network);
	network->programs = pace_programs_free(network->programs);
	network->unified = close_keep_errno(network->unified);
}

/* Reading the kernel's types takes tens of milliseconds. */
struct load {
	struct pace_settings settings;
	struct pace_programs *programs;
	char detail[sizeof(((struct network *)0)->detail)];
};

static int load_run(void *data)
{
	struct load *load = data;

	return pace_programs_new(&load->settings, &load->programs, load->detail,
				 sizeof(load->detail));
}

static void load_done(void *self, void *data, int result)
{
	struct network *network = self ? service_state(self, SERVICE_NETWORK) : NULL;
	struct load *load = data;

	if (network)
		network->loading = false;
	/* Switched off meanwhile, or it is bwm's now. */
	if (!network || result == -ECANCELED || !network->config->enabled || network->by_bwm) {
		(void)pace_programs_free(load->programs);
		free(load);
		return;
	}
	if (result < 0) {
		(void)snprintf(network->detail, sizeof(network->detail), "%s", load->detail);
		network->agent->api->log(network->agent, LOG_WARNING,
					 "offline traffic is not paced: %s", network->detail);
	} else {
		const struct pace_settings settings = settings_of(network->config);

		network->programs = load->programs;
		network->unified = unified_open();
		pace_programs_set(network->programs, &settings);
	}
	free(load);
	network_update(network);
}

/* Tried again when something about the host or the policy changed, which empties detail. */
static void network_load(struct network *network)
{
	struct load *load;
	int r;

	if (network->programs || network->loading || network->detail[0])
		return;
	if (!net_devices_are_hosts()) {
		(void)snprintf(network->detail, sizeof(network->detail),
			       "berthd is in a network namespace of its own (hostNetwork: true)");
		network->agent->api->log(network->agent, LOG_WARNING,
					 "offline traffic is not paced: %s", network->detail);
		return;
	}
	load = calloc(1, sizeof(*load));
	if (!load)
		return;
	load->settings = settings_of(network->config);
	r = network->agent->api->work(network->agent, load_run, load_done, load);
	if (r == 0) {
		network->loading = true;
		return;
	}
	network->agent->api->log(network->agent, LOG_WARNING,
				 "offline traffic is not paced yet: %s", strerrordesc_np(-r));
	free(load);
}

/* From the first offline workload on. */
static bool network_is_on(const struct network *network)
{
	return network->programs || network->loading;
}

static void network_update(struct network *network)
{
	if (network->by_bwm) {
		network_bwm_update(network);
		network_report(network);
		return;
	}
	if (network->groups.count > 0)
		network_load(network);
	/* First: what is claimed is written off the loop, and the watch tells of it. */
	network_wake(network);
	if (network_is_on(network)) {
		network_lines_update(network);
		network_groups_update(network);
	} else {
		network_lines_drop(network);
	}
	network_report(network);
}

/* From one way to the other all is taken back first; who is offline is asked again after it. */
static void network_choose(struct network *network)
{
	bool by_bwm = false;

	network->detail[0] = '\0';
	if (network->config->enabled)
		by_bwm = network_bwm_wanted(network);
	if (by_bwm == network->by_bwm)
		return;
	network_off(network);
	network->by_bwm = by_bwm;
}

void network_probe(void *state)
{
	struct network *network = state;

	network_choose(network);
	if (network->config->enabled)
		network_update(network);
}

int network_start(struct agent *agent, void *self, const struct colocation_config *config,
		  void **ret_state)
{
	struct network *network = calloc(1, sizeof(*network));

	if (!network)
		return -ENOMEM;
	*network = (struct network){
		.agent = agent,
		.self = self,
		.config = &config->network,
		.unified = -EBADF,
		.watch_fd = -EBADF,
	};
	network_choose(network);
	network_report(network);
	*ret_state = network;
	return 0;
}

int network_apply(void *state, const struct colocation_config *config)
{
	struct network *network = state;

	network->config = &config->network;
	network_choose(network);
	if (!network->config->enabled) {
		network_off(network);
		network_report(network);
		return 0;
	}
	if (network->programs) {
		const struct pace_settings settings = settings_of(network->config);

		pace_programs_set(network->programs, &settings);
	}
	network_update(network);
	return 0;
}

/* One more or one less. */
static void network_count(struct network *network)
{
	if (network->by_bwm)
		network_bwm_update(network);
	else if (network->programs)
		pace_programs_set_groups(network->programs, (uint32_t)network->groups.count);
	network_wake(network);
	/* Without anybody offline no timer tells any more. */
	network_report(network);
}

void network_workload(void *state, const struct workload_event *event)
{
	struct network *network = state;

	if (event->change != WORKLOAD_REMOVED)
		return;
	network_group_remove(network, event->workload->id);
	network_count(network);
}

void network_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct network *network = state;
	bool wanted = network->config->enabled && workload->qos < QOS_NORMAL &&
		      !(workload->flags & WORKLOAD_IGNORED) && (!below_offline || network->by_bwm);
	size_t before = network->groups.count;
	int r = 0;

	/* A group's program sees the packets of all groups below it; a class is the group's own. */
	if (wanted)
		r = network_group_add(network, workload);
	else
		network_group_remove(network, workload->id);
	if (r < 0)
		network->agent->api->log(network->agent, LOG_WARNING, "%s is not paced: %s",
					 workload->name, strerrordesc_np(-r));
	if (before == network->groups.count)
		return;
	if (before == 0)
		network_update(network);
	else
		network_count(network);
}

void network_stop(void *state)
{
	struct network *network = state;

	network_off(network);
	free(network);
}
