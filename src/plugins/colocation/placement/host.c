/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - the CPUs of this host, and which of the ways to place work it and the policy allow. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "hierarchy.h"
#include "placement/state.h"
#include "sysroot.h"

const char *placement_root;

/* Opens the sysroot, too, for the caller to be done with. */
static int sys_open(struct sysroot *root)
{
	int r = sysroot_open(placement_root, root);
	int fd = r < 0 ? -EBADF : openat(root->root, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return r < 0 ? r : fd < 0 ? -errno : fd;
}

/* What cannot be read now is as it was. */
void placement_host_read(struct placement *placement)
{
	struct hierarchy hierarchy = { 0 };
	struct sysroot root = SYSROOT_NULL;
	struct topology topology = { 0 };
	cleanup_close int sys = sys_open(&root);
	int r = sys < 0 ? sys : topology_read(sys, &topology);

	if (r < 0) {
		placement->agent->api->log(placement->agent, LOG_WARNING,
					   "placement: cannot read the CPUs of this host: %s",
					   strerror(-r));
	} else {
		topology_done(&placement->topology);
		placement->topology = topology;
	}
	if (r == 0 && hierarchy_open(&root, &hierarchy) == 0) {
		placement->version = hierarchy.mounts[CONTROLLER_CPUSET].version;
		hierarchy_done(&hierarchy);
	}
	sysroot_done(&root);
}

bool placement_host_is_current(const struct placement *placement)
{
	struct sysroot root = SYSROOT_NULL;
	cleanup_close int sys = sys_open(&root);
	bool current = sys < 0 || topology_is_current(sys, &placement->topology);

	sysroot_done(&root);
	return current;
}

static bool available(struct placement *placement, enum knob knob, const char **ret_reason)
{
	struct agent *agent = placement->agent;

	return agent->api->knob_available(agent, knob, ret_reason) > 0;
}

void tidal_choose(struct placement *placement)
{
	const struct placement_config *config = &placement->config->placement;
	const char *reason = "";
	char *why = placement->why_tidal;
	size_t size = sizeof(placement->why_tidal);

	placement->tidal = placement->preferred = false;
	if (!config->tidal_enabled) {
		(void)snprintf(why, size, "off");
	} else if (placement->topology.cpus == 0) {
		(void)snprintf(why, size, "off: the CPUs of this host cannot be read");
	} else if (placement->topology.cpus < 2) {
		(void)snprintf(why, size, "off: one CPU cannot be shared out");
	} else if (config->tidal_way != TIDAL_CPUSET &&
		   available(placement, KNOB_CPUSET_PREFERRED, &reason)) {
		placement->tidal = placement->preferred = true;
		(void)snprintf(why, size, "preferred CPUs");
	} else if (config->tidal_way != TIDAL_PREFERRED &&
		   available(placement, KNOB_CPUSET_CPUS, &reason)) {
		placement->tidal = true;
		(void)snprintf(why, size, "cpuset");
	} else {
		(void)snprintf(why, size, "off: %.140s", reason ? reason : "");
	}
}

void cores_choose(struct placement *placement)
{
	uint64_t protect = placement->config->cpu_smt_protect;
	const char *reason = "";
	bool core_sched = available(placement, KNOB_CORE_SCHED, &reason);
	char *why = placement->why_cores;
	size_t size = sizeof(placement->why_cores);

	placement->whole_cores = false;
	if (protect == SMT_OFF)
		(void)snprintf(why, size, "off");
	else if (placement->topology.cpus == 0)
		(void)snprintf(why, size, "off: the CPUs of this host cannot be read");
	else if (!placement->topology.smt)
		(void)snprintf(why, size, "off: no SMT: every CPU is a core of its own");
	else if (protect == SMT_CORE_SCHED || (protect == SMT_AUTO && core_sched))
		(void)snprintf(why, size, "%s%.120s", core_sched ? "core scheduling" : "off: ",
			       core_sched ? ""
			       : reason   ? reason
					  : "");
	else if (!available(placement, KNOB_CPUSET_CPUS, &reason))
		(void)snprintf(why, size, "off: %.120s", reason ? reason : "");
	else
		placement->whole_cores = true;
	if (placement->whole_cores)
		(void)snprintf(why, size, "whole cores");
}
