/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/actuator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/claim/internal.h"
#include "limit.h"

#define UNITS_FLUSH_USEC (10 * USEC_PER_SEC)

DEFINE_CLEANUP(struct actuator *, actuator_free);

static int actuator_start(struct actuator *actuator)
{
	const struct actuator_context *context = &actuator->context;
	int r = history_new(&actuator->history);

	if (r == 0)
		r = slow_writer_new(context->event, LIMIT_SLOW_QUEUE, &actuator->slow_writer);
	if (r == 0)
		r = slow_writer_new(context->event, LIMIT_NET_WRITES, &actuator->net_writer);
	if (r < 0)
		return r;

	struct action_context actions = {
		.event = context->event,
		.root = context->root,
		.hierarchy = context->hierarchy,
		.history = actuator->history,
		.slow_writer = actuator->slow_writer,
	};

	struct unit_pins_context pins = {
		.event = context->event,
		.root = context->root,
		.hierarchy = context->hierarchy,
		.want = actuator_unit_wants,
		.holds = actuator_unit_holds,
		.done = actuator_unit_done,
		.tell = actuator_unit_tell,
		.data = actuator,
	};

	r = actions_new(&actions, &actuator->actions);
	if (r == 0)
		r = unit_pins_new(&pins, &actuator->pins);
	if (r < 0)
		return r;
	actions_set_limit(actuator->actions, actuator->options.actions_per_minute);
	r = due_start(actuator);
	if (r < 0)
		return r;
	r = drift_start(actuator);
	return r < 0 ? r : actuator_replay(actuator);
}

int actuator_new(const struct actuator_context *context, const struct actuator_options *options,
		 struct actuator **ret)
{
	CLEANUP(actuator_freep) struct actuator *actuator = calloc(1, sizeof(*actuator));
	int r;

	if (!actuator)
		return -ENOMEM;
	actuator->context = *context;
	actuator->context.event = sd_event_ref(context->event);
	actuator->options = *options;
	actuator->inotify_fd = -EBADF;
	list_init(&actuator->groups);
	list_init(&actuator->holdings);
	list_init(&actuator->graves);
	list_init(&actuator->suspects);
	actuator->write_limit =
		(struct log_limit){ .interval_usec = 60 * USEC_PER_SEC, .burst = 20 };
	actuator->drift_limit =
		(struct log_limit){ .interval_usec = 60 * USEC_PER_SEC, .burst = 10 };
	actuator->journal_limit =
		(struct log_limit){ .interval_usec = 60 * USEC_PER_SEC, .burst = 2 };
	actuator->refuse_limit =
		(struct log_limit){ .interval_usec = 600 * USEC_PER_SEC, .burst = 4 };
	actuator->unit_limit = (struct log_limit){ .interval_usec = 60 * USEC_PER_SEC, .burst = 5 };
	r = actuator_start(actuator);
	if (r < 0)
		return r;
	/* A dry run changes nothing, and so must not go on with what a real one left. */
	if (options->dry_run)
		(void)actuator_restore_all(actuator, false);
	*ret = TAKE_PTR(actuator);
	return 0;
}

static void actuator_free_holdings(struct actuator *actuator)
{
	struct holding *holding;
	struct group *group, *following;

	list_foreach (holding, &actuator->holdings, list) {
		/* Its record stays: the next run, or --restore, goes on from there. */
		holding->slot = (struct journal_slot){ 0 };
		holding_kill(actuator, holding);
	}
	list_foreach (group, &actuator->groups, list)
		group->targets = 0;
	actuator_sweep(actuator);
	list_foreach_safe (group, following, &actuator->groups, list)
		group_free(actuator, group);
}

struct actuator *actuator_free(struct actuator *actuator)
{
	if (!actuator)
		return NULL;
	actuator->actions = actions_free(actuator->actions);
	actuator->slow_writer = slow_writer_free(actuator->slow_writer);
	actuator->net_writer = slow_writer_free(actuator->net_writer);
	/* Before the holdings, whose end would undo what is to stay. */
	actuator->pins = unit_pins_free(actuator->pins);
	actuator_free_holdings(actuator);
	sd_event_source_disable_unref(actuator->inotify_source);
	sd_event_source_disable_unref(actuator->timer);
	(void)close_keep_errno(actuator->inotify_fd);
	actuator->journal = journal_free(actuator->journal);
	actuator->history = history_free(actuator->history);
	hashmap_done(&actuator->by_path);
	hashmap_done(&actuator->by_target);
	hashmap_done(&actuator->by_watch);
	hashmap_done(&actuator->by_process_watch);
	intern_done(&actuator->strings);
	sd_event_unref(actuator->context.event);
	free(actuator);
	return NULL;
}

bool actuator_probe(struct actuator *actuator, const char *sample_group)
{
	struct capabilities before = actuator->capabilities;
	bool changed = !actuator->probed;

	memset(&actuator->capabilities, 0, sizeof(actuator->capabilities));
	capabilities_probe(actuator->context.root, actuator->context.hierarchy, sample_group,
			   &actuator->capabilities);
	actuator->probed = true;
	for (unsigned int i = 0; i < KNOB_MAX; i++)
		changed = changed ||
			  before.knobs[i].available != actuator->capabilities.knobs[i].available ||
			  before.knobs[i].multilevel != actuator->capabilities.knobs[i].multilevel;
	for (unsigned int i = 0; i < FEATURE_MAX; i++)
		changed = changed || before.features[i].available !=
					     actuator->capabilities.features[i].available;
	return changed;
}

const struct capabilities *actuator_capabilities(const struct actuator *actuator)
{
	return &actuator->capabilities;
}

static struct restore_order holding_order(const struct holding *holding)
{
	return (struct restore_order){
		.knob = (enum knob)holding->knob,
		.path = holding->group->cgroup.path,
		.original = holding->original ? holding->original : "",
		.written = holding->written ? holding->written : "",
	};
}

static int holding_compare(const void *a, const void *b)
{
	const struct restore_order x = holding_order(*(const struct holding *const *)a);
	const struct restore_order y = holding_order(*(const struct holding *const *)b);

	return restore_compare(&x, &y);
}

static void holding_drop_claims(struct actuator *actuator, struct holding *holding)
{
	struct claim *claim, *following;

	list_foreach_safe (claim, following, &holding->claims, list)
		claim_free(actuator, claim);
}

/* How many could not be put back. */
static int restore_in_order(struct actuator *actuator, struct holding **order, size_t count,
			    bool keep_claims)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		struct holding *holding = order[i];
		int r;

		if (holding->flags & HOLDING_DEAD)
			continue;
		if (!keep_claims)
			holding_drop_claims(actuator, holding);
		r = keep_claims ? holding_put_back(actuator, holding)
				: holding_release(actuator, holding);
		if (r < 0)
			failed++;
	}
	return failed;
}

static int restore_everything(struct actuator *actuator, bool keep_claims)
{
	cleanup_free struct holding **order = calloc(actuator->stats.holdings + 1, sizeof(*order));
	struct holding *holding;
	size_t count = 0;
	int failed;

	if (!order)
		return -ENOMEM;
	list_foreach (holding, &actuator->holdings, list)
		if (!(holding->flags & HOLDING_DEAD))
			order[count++] = holding;
	qsort(order, count, sizeof(*order), holding_compare);
	failed = restore_in_order(actuator, order, count, keep_claims);
	actuator_sweep(actuator);
	return failed;
}

int actuator_restore_all(struct actuator *actuator, bool pause)
{
	bool paused = actuator->paused;
	int failed;

	/* Nothing that is put back may be written again on the way. */
	actuator->paused = true;
	failed = restore_everything(actuator, pause);
	/* For good: there may be no loop any more in which that could happen later. */
	if (!pause && failed >= 0)
		failed += unit_pins_flush(actuator->pins, UNITS_FLUSH_USEC, NULL, NULL);
	actuator->paused = paused || pause;
	return failed;
}

static void settle_everything(struct actuator *actuator)
{
	struct holding *holding;

	list_foreach (holding, &actuator->holdings, list) {
		holding_unsettle(holding);
		holding_settle(actuator, holding);
	}
	actuator_sweep(actuator);
}

void actuator_resume(struct actuator *actuator)
{
	if (!actuator->paused)
		return;
	actuator->paused = false;
	settle_everything(actuator);
}

bool actuator_is_paused(const struct actuator *actuator)
{
	return actuator->paused;
}

int actuator_set_options(struct actuator *actuator, const struct actuator_options *options)
{
	bool was_dry = actuator->options.dry_run;
	bool did_pin = actuator->options.pin_units;
	int failed = 0;

	actuator->options = *options;
	actions_set_limit(actuator->actions, options->actions_per_minute);
	if (options->dry_run && !was_dry)
		failed = restore_everything(actuator, true);
	if (!options->dry_run && was_dry)
		settle_everything(actuator);
	if (options->pin_units != did_pin)
		actuator_unit_look_all(actuator);
	due_expect(actuator);
	return MIN(failed, 0);
}

int actuator_act(struct actuator *actuator, const char *owner, const struct actuator_target *target,
		 enum action action, uint64_t argument, const char *reason,
		 void (*done)(void *data, struct berth_target target, int result), void *data)
{
	struct action_request request = {
		.owner = owner,
		.label = target->label,
		.reason = reason,
		.target = target->target,
		.group = target->group,
		.action = action,
		.argument = argument,
		/* While everything is put back, nothing else is changed either. */
		.dry_run = !actuator_writes(actuator),
		.done = done,
		.data = data,
	};

	return action_start(actuator->actions, &request);
}

void actuator_forget_actions(struct actuator *actuator, const void *data)
{
	actions_forget(actuator->actions, data);
}

void actuator_set_evictor(struct actuator *actuator, const struct action_evictor *evictor)
{
	actions_set_evictor(actuator->actions, evictor);
}
