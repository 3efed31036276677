/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.c - a device gets fq, unless it has it already, and the program that gives packets their
 * time. Both are claims: the actuator writes them, and takes them away whatever happens to us.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "net-device.h"
#include "network/internal.h"

static struct berth_target line_target(const struct line *line)
{
	return (struct berth_target){ TARGET_NET, line->device.ifindex };
}

static void line_unclaim(struct network *network, struct line *line)
{
	const struct agent_api *api = network->agent->api;

	/* The other way round than claimed: what is given a time by nobody may wait in anything. */
	if (line->claims_egress)
		api->unclaim_as(network->agent, NETWORK_PART, line_target(line), KNOB_NET_EGRESS);
	if (line->claims_qdisc)
		api->unclaim_as(network->agent, NETWORK_PART, line_target(line), KNOB_NET_QDISC);
	line->claims_egress = line->claims_qdisc = false;
}

/* Nor may its line be the one for what cannot wait. */
static void line_unpace(struct network *network, struct line *line)
{
	line_unclaim(network, line);
	if (network->programs)
		pace_programs_remove_device(network->programs, line->device.ifindex);
}

static void line_undescribe(struct network *network, const struct line *line)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "network %s", line->device.name);
	network->agent->api->describe(network->agent, 0, key, NULL);
}

static void line_drop(struct network *network, struct line *line)
{
	line_unpace(network, line);
	line_undescribe(network, line);
}

static void line_refuse(struct network *network, struct line *line, const char *detail)
{
	if (line->state != LINE_REFUSED || strcmp(line->detail, detail) != 0)
		network->agent->api->log(network->agent, LOG_WARNING, "%s is not paced: %s",
					 line->device.name, detail);
	line_unpace(network, line);
	line->state = LINE_REFUSED;
	(void)snprintf(line->detail, sizeof(line->detail), "%s", detail);
}

static int line_claim_text(struct network *network, const struct line *line, enum knob knob,
			   const char *text)
{
	const struct knob_value value = { .text = text };

	return network->agent->api->claim_as(network->agent, NETWORK_PART, line_target(line), knob,
					     &value, 0, "online traffic first");
}

/* fq of ours stays claimed, fq of somebody else's is as good, a default is replaced. */
static int line_claim_qdisc(struct network *network, struct line *line, struct net_qdisc *qdisc)
{
	bool is_ours = qdisc->handle == NET_QDISC_HANDLE;
	int r;

	if (!is_ours && net_qdisc_is_paced(qdisc))
		return 0;
	if (!is_ours && qdisc->handle != 0)
		return -EBUSY;
	r = line_claim_text(network, line, KNOB_NET_QDISC, "fq");
	if (r < 0)
		return r;
	line->claims_qdisc = true;
	return net_qdisc_look(line->device.ifindex, qdisc);
}

static void line_refuse_error(struct network *network, struct line *line,
			      const struct net_qdisc *qdisc, int error)
{
	const char *why = strerrordesc_np(-error);
	char text[128];

	if (error == -EBUSY)
		(void)snprintf(text, sizeof(text),
			       "the qdisc %s %x: is somebody's; delete it, or make it fq",
			       qdisc->kind, qdisc->handle >> 16);
	else if (error == -EOPNOTSUPP &&
		 !network->agent->api->knob_available(network->agent, KNOB_NET_QDISC, &why))
		(void)snprintf(text, sizeof(text), "%s", why);
	else
		(void)snprintf(text, sizeof(text), "%s", strerrordesc_np(-error));
	line_refuse(network, line, text);
}

/* What is claimed may not be written: the kernel lacks fq, berthd runs dry or pauses. */
static void line_judge(const struct network *network, struct line *line,
		       const struct net_qdisc *qdisc)
{
	struct net_egress egress = { .program = 0 };
	int r = net_egress_look(line->device.ifindex, &egress);

	line->detail[0] = '\0';
	line->state = LINE_WAITS;
	if (r < 0)
		(void)snprintf(line->detail, sizeof(line->detail), "%s", strerrordesc_np(-r));
	else if (!net_qdisc_is_paced(qdisc))
		(void)snprintf(line->detail, sizeof(line->detail),
			       "fq is not there (modprobe sch_fq; CONFIG_NET_SCH_FQ): "
			       "see `berthctl explain`");
	else if (!network->programs)
		(void)snprintf(line->detail, sizeof(line->detail), "its programs are being loaded");
	else if (egress.program != pace_programs_id(network->programs))
		(void)snprintf(line->detail, sizeof(line->detail),
			       "the program is not there (cls_bpf, sch_ingress): "
			       "see `berthctl explain`");
	else
		line->state = LINE_ACTIVE;
}

/* Until ours is loaded, that of the run before goes on; a plan, which loads none, sees no change.
 */
static int line_claim_egress(struct network *network, struct line *line)
{
	struct net_egress egress = { .program = 0 };
	char program[32];
	int r = 0;

	if (network->programs) {
		r = pace_programs_add_device(network->programs, line->device.ifindex);
		egress.program = pace_programs_id(network->programs);
	} else {
		r = net_egress_look(line->device.ifindex, &egress);
	}
	if (r < 0 || egress.program == 0)
		return r;
	(void)snprintf(program, sizeof(program), "program %u", egress.program);
	r = line_claim_text(network, line, KNOB_NET_EGRESS, program);
	line->claims_egress = line->claims_egress || r == 0;
	return r;
}

static void line_update(struct network *network, struct line *line)
{
	struct net_qdisc qdisc = { .handle = 0 };
	int r = net_qdisc_look(line->device.ifindex, &qdisc);

	if (r == 0)
		r = line_claim_qdisc(network, line, &qdisc);
	if (r == 0)
		r = line_claim_egress(network, line);
	if (r < 0)
		line_refuse_error(network, line, &qdisc, r);
	else
		line_judge(network, line, &qdisc);
}

static bool line_is_wanted(const struct net_devices *devices, const struct line *line)
{
	for (size_t i = 0; i < devices->count; i++)
		if (devices->items[i].ifindex == line->device.ifindex)
			return true;
	return false;
}

static struct line *line_of(struct network *network, const struct net_device *device)
{
	for (size_t i = 0; i < network->line_count; i++)
		if (network->lines[i].device.ifindex == device->ifindex)
			return &network->lines[i];
	return NULL;
}

void network_lines_update(struct network *network)
{
	struct net_devices devices;
	size_t kept = 0;
	int r = net_devices_find(network->config->devices, &devices);

	if (r < 0) {
		network->agent->api->log(network->agent, LOG_WARNING,
					 "cannot look for network devices: %s",
					 strerrordesc_np(-r));
		return;
	}
	network->devices_found = devices.found;
	for (size_t i = 0; i < network->line_count; i++) {
		if (line_is_wanted(&devices, &network->lines[i]))
			network->lines[kept++] = network->lines[i];
		else
			line_drop(network, &network->lines[i]);
	}
	network->line_count = kept;
	for (size_t i = 0; i < devices.count; i++) {
		struct line *line = line_of(network, &devices.items[i]);

		if (!line) {
			line = &network->lines[network->line_count++];
			*line = (struct line){ .device = devices.items[i] };
		} else if (strcmp(line->device.name, devices.items[i].name) != 0) {
			/* As udev does with those that have just come. */
			line_undescribe(network, line);
			line->device = devices.items[i];
		}
		line_update(network, line);
	}
}

void network_lines_drop(struct network *network)
{
	for (size_t i = 0; i < network->line_count; i++)
		line_drop(network, &network->lines[i]);
	network->line_count = 0;
}

bool network_is_active(const struct network *network)
{
	for (size_t i = 0; i < network->line_count; i++)
		if (network->lines[i].state == LINE_ACTIVE)
			return true;
	return false;
}
