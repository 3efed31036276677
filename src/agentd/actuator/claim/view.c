/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - what people see of the actuator. */
#include <stdlib.h>
#include <string.h>

#include "actuator/claim/internal.h"

const char *knob_status_name(enum knob_status status)
{
	static const char *const names[] = {
		[KNOB_WRITTEN] = "written",   [KNOB_PENDING] = "pending", [KNOB_FAILED] = "failed",
		[KNOB_YIELDED] = "yielded",   [KNOB_DRY_RUN] = "dry-run", [KNOB_PAUSED] = "paused",
		[KNOB_SHADOWED] = "shadowed",
	};

	return (unsigned int)status < ARRAY_SIZE(names) ? names[status] : "unknown";
}

static void view_current(const struct actuator *actuator, const struct holding *holding, char *text,
			 size_t size)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place place;

	text[0] = '\0';
	if (holding->processes)
		return;
	holding_place(actuator, holding, &place);
	if (knob_file_open(&place, false, &file) < 0 || knob_file_read(&file, text, size) < 0)
		text[0] = '\0';
}

static size_t view_claims(const struct actuator *actuator, const struct holding *holding,
			  struct claim_view **ret)
{
	const struct claim *effective = holding_effective_claim(holding);
	uint64_t now = actuator_now(actuator);
	struct claim_view *views;
	const struct claim *claim;
	size_t count = 0;

	*ret = NULL;
	list_foreach (claim, &holding->claims, list)
		count++;
	views = count ? calloc(count, sizeof(*views)) : NULL;
	if (!views)
		return 0;
	count = 0;
	list_foreach (claim, &holding->claims, list) {
		views[count++] = (struct claim_view){
			.owner = claim->owner,
			.reason = claim->reason,
			.number = claim->number,
			.text = claim->text,
			.lease_left_usec =
				claim->expires_usec ? MAX(claim->expires_usec, now + 1) - now : 0,
			.effective = claim == effective,
		};
	}
	*ret = views;
	return count;
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static void view_file(const struct holding *holding, int version, char *text, size_t size)
{
	const struct knob_row *row = &knob_table[holding->knob];
	const char *file = knob_file((enum knob)holding->knob, version);
	const char *key = version == 2 && row->key ? row->key : "";
	char device[DEVICE_NAME_BYTES] = "";

	knob_device_name((enum knob)holding->knob, holding->device, device);
	(void)snprintf(text, size, "%s%s%s%s%s", file ? file : row->name, device[0] ? " " : "",
		       device, key[0] ? " " : "", key);
}

static void view_holding(const struct actuator *actuator, const struct holding *holding,
			 void (*fn)(void *data, const struct knob_view *view), void *data)
{
	cleanup_free struct claim_view *claims = NULL;
	const struct group *group = holding->group;
	int version = holding_version(actuator, holding);
	uint64_t now = actuator_now(actuator);
	char current[KNOB_TEXT_MAX], setting[64] = "";
	const char *unit =
		unit_pins_unit(actuator->pins, group->cgroup.path, (enum knob)holding->knob,
			       version, setting, sizeof(setting));

	char file[128];

	view_current(actuator, holding, current, sizeof(current));
	view_file(holding, version, file, sizeof(file));

	size_t count = view_claims(actuator, holding, &claims);
	struct knob_view view = {
		.target = group->target,
		.label = text_or_empty(group->label),
		.path = group->cgroup.path,
		.file = file,
		.knob = (enum knob)holding->knob,
		.device = holding->device,
		.status = (enum knob_status)holding->status,
		.error = holding->error,
		.original = text_or_empty(holding->original),
		.written = text_or_empty(holding->written),
		.current = current,
		.writes = holding->writes,
		.foreign = holding->foreign,
		.foreign_ago_usec = holding->foreign ? MAX(now, holding->foreign_usec + 1) -
							       holding->foreign_usec
						     : 0,
		.retry_left_usec =
			holding->retry_usec ? MAX(holding->retry_usec, now + 1) - now : 0,
		.unit = text_or_empty(unit),
		.unit_setting = unit ? setting : "",
		.claims = claims,
		.claim_count = count,
	};

	fn(data, &view);
}

void actuator_each_knob(const struct actuator *actuator, const struct berth_target *target,
			void (*fn)(void *data, const struct knob_view *view), void *data)
{
	const struct group *group = target ? group_find_target(actuator, *target) : NULL;
	const struct holding *holding;

	if (target && !group)
		return;
	list_foreach (holding, &actuator->holdings, list)
		if (!(holding->flags & HOLDING_DEAD) && (!group || holding->group == group))
			view_holding(actuator, holding, fn, data);
}

void actuator_each_held(const struct actuator *actuator,
			void (*fn)(void *data, const struct held_view *view), void *data)
{
	const struct holding *holding;

	list_foreach (holding, &actuator->holdings, list) {
		enum knob knob = (enum knob)holding->knob;
		const char *file = knob_file(knob, holding_version(actuator, holding));
		struct held_view view = {
			.target = holding->group->target,
			.knob = knob,
			.status = (enum knob_status)holding->status,
			.file = file ? file : knob_table[knob].name,
			.written = text_or_empty(holding->written),
		};

		if (!(holding->flags & HOLDING_DEAD))
			fn(data, &view);
	}
}

void actuator_each_history(const struct actuator *actuator,
			   void (*fn)(void *data, const struct history_view *view), void *data)
{
	history_each(actuator->history, fn, data);
}

void actuator_stats(const struct actuator *actuator, struct actuator_stats *ret)
{
	struct actuator_stats stats = actuator->stats;

	stats.journal_bytes = journal_bytes(actuator->journal);
	actions_stats(actuator->actions, &stats.actions, &stats.actions_limited);
	unit_pins_stats(actuator->pins, &stats.unit_pins, &stats.unit_pin_errors);
	*ret = stats;
}

/* Of what has no claim to tell it: it is being put back. */
static const char *end_reason(const struct actuator *actuator)
{
	return actuator->options.dry_run ? "the policy is a dry run"
	       : actuator->paused        ? "everything is put back"
					 : "nobody claims it any more";
}

void actuator_tell(struct actuator *actuator, const struct holding *holding, const char *what,
		   const char *argument, const char *outcome, int result)
{
	const struct claim *claim = holding_effective_claim(holding);
	const struct group *group = holding->group;
	char text[96], device[DEVICE_NAME_BYTES] = "";

	knob_device_name((enum knob)holding->knob, holding->device, device);
	(void)snprintf(text, sizeof(text), "%s %s%s%s", what, knob_table[holding->knob].name,
		       device[0] ? " " : "", device);

	struct history_view view = {
		.target = group->target,
		.owner = claim ? claim->owner : "berthd",
		.label = group->label && group->label[0] ? group->label : group->cgroup.path,
		.what = text,
		.argument = argument,
		.reason = claim ? claim->reason : end_reason(actuator),
		.outcome = outcome,
		.result = result,
	};

	(void)history_add(actuator->history, &view);
}

bool actuator_note(struct actuator *actuator, const char *owner,
		   const struct actuator_target *target, const char *what, const char *reason)
{
	bool writes = actuator_writes(actuator);
	const struct history_view view = {
		.target = target->target,
		.owner = owner,
		.label = target->label,
		.what = what,
		.reason = reason,
		.outcome = writes ? "done" : "nothing is written",
	};

	(void)history_add(actuator->history, &view);
	return writes;
}
