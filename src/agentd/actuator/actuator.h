/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actuator.h - the one place that changes the host. It merges claims, journals the original before
 * it writes, writes only what differs, reads back, notices foreign writers, and restores when the
 * last claim is gone, however it went. Knows no plugin and no workload: owners are names, targets
 * are groups.
 */
#pragma once

#include <systemd/sd-event.h>

#include "actuator/capability/capability.h"
#include "berth-plugin.h"
#include "cgroup.h"

struct action_evictor;
struct actuator;

struct actuator_context {
	sd_event *event;
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	int runtime_fd; /* of /run/berth: the journal lives there; borrowed */
};

struct actuator_options {
	bool dry_run; /* decide, journal nothing, write nothing */
	uint64_t reconcile_interval_usec;
	uint64_t actions_per_minute;  /* of one owner */
	uint64_t previous_lease_usec; /* of claims found in the journal at start; 60 s */
	bool pin_units; /* also set run-time properties of the systemd units that own groups */
	uint64_t quota_period_usec; /* of a quota for a group that has none; 0: as found */
};

/* A thing to change. The group is borrowed for the call; its path and inodes are copied. */
struct actuator_target {
	struct berth_target target;
	const struct cgroup *group; /* of TARGET_WORKLOAD */
	const char *label;          /* "namespace/name" for logs and history */
	uint64_t device;            /* dev_t, for a knob with a value for each device; else 0 */
};

/* Reads the journal of the run before and holds its entries as claims of "previous run". 0; -EIO
 * and a log line when the journal cannot be used (the old one is set aside as knobs.journal.bad).
 */
int actuator_new(const struct actuator_context *context, const struct actuator_options *options,
		 struct actuator **ret);
/* Leaves the host as it is: stop with actuator_restore_all() first where that is wanted. */
struct actuator *actuator_free(struct actuator *actuator);
int actuator_set_options(struct actuator *actuator, const struct actuator_options *options);
/* Probe again (capability.h). True when something came or went. */
bool actuator_probe(struct actuator *actuator, const char *sample_group);
const struct capabilities *actuator_capabilities(const struct actuator *actuator);

/* As agent_api.knob_value says. */
int actuator_knob_value(struct actuator *actuator, const struct actuator_target *target,
			enum knob knob, uint64_t *ret_original, uint64_t *ret_now);
/* As agent_api.claim says. owner is copied. */
int actuator_claim(struct actuator *actuator, const char *owner,
		   const struct actuator_target *target, enum knob knob,
		   const struct knob_value *value, uint64_t lease_usec, const char *reason);
void actuator_unclaim(struct actuator *actuator, const char *owner, struct berth_target target,
		      enum knob knob);
void actuator_unclaim_device(struct actuator *actuator, const char *owner,
			     struct berth_target target, uint64_t device, enum knob knob);
void actuator_drop_owner(struct actuator *actuator, const char *owner);
/* As agent_api.original_text says. */
int actuator_original_text(const struct actuator *actuator, const struct actuator_target *target,
			   enum knob knob, char *text, size_t size);
/* The workload is gone with its group: forget it, write nothing (ancestors are lowered again). */
void actuator_target_gone(struct actuator *actuator, struct berth_target target);
/* Its group appeared in more hierarchies: what waited for that is written now. */
void actuator_target_changed(struct actuator *actuator, const struct actuator_target *target);

/* result and done as in agent_api.act. data is handed to done. */
int actuator_act(struct actuator *actuator, const char *owner, const struct actuator_target *target,
		 enum action action, uint64_t argument, const char *reason,
		 void (*done)(void *data, struct berth_target target, int result), void *data);
/* Actions in flight of this owner will not call done any more. */
void actuator_forget_actions(struct actuator *actuator, const void *data);
/* Who evicts (action.h); copied, NULL: nobody. */
void actuator_set_evictor(struct actuator *actuator, const struct action_evictor *evictor);

/* Look at every knob again, now: write what is missing, notice what changed. */
void actuator_reconcile(struct actuator *actuator);
/* Put every original back and, if `pause`, keep claims as wishes until actuator_resume(). How many
 * could not be restored (their files tell why in `berthctl knobs`). */
int actuator_restore_all(struct actuator *actuator, bool pause);
void actuator_resume(struct actuator *actuator);
bool actuator_is_paused(const struct actuator *actuator);

/* `berthd --restore`: put back what a dead daemon left, from its journal alone. 0; the number of
 * knobs that could not be restored; or -errno. Prints nothing: report() is told each knob, result 1
 * restored, 0 nothing to do, or -errno. report may be NULL. */
int actuator_restore_journal(
	const struct sysroot *root, const struct hierarchy *hierarchy, int runtime_fd,
	void (*report)(void *data, const char *path, const char *knob, int result), void *data);

/* ---- what people see ---- */

enum knob_status {
	KNOB_WRITTEN, /* the host holds the effective value */
	KNOB_PENDING, /* waits: for the group to appear, for the slow writer, for a retry */
	KNOB_FAILED,  /* the last write failed: error; tried again by reconcile */
	KNOB_YIELDED, /* somebody else's value stands, by the knob's rule */
	KNOB_DRY_RUN,
	KNOB_PAUSED,
	KNOB_SHADOWED, /* locked by another knob (the weight under cpu.idle); original kept */
};
const char *knob_status_name(enum knob_status status);

struct claim_view {
	const char *owner, *reason;
	uint64_t number;
	const char *text;         /* of a knob that takes a text, else NULL */
	uint64_t lease_left_usec; /* 0: none */
	bool effective;
};

struct knob_view {
	struct berth_target target;
	const char *label, *path, *file; /* "batch/job-1", its group, "cpu.idle" or, of a device,
					    "io.max 8:0 rbps" */
	enum knob knob;
	uint32_t device; /* dev_t; 0: none */
	enum knob_status status;
	int error;                                /* -errno of the last write, or 0 */
	const char *original, *written, *current; /* texts; "" unknown */
	uint64_t writes, foreign;
	uint64_t foreign_ago_usec; /* since the last foreign write; 0: none */
	uint64_t retry_left_usec;  /* until it is written again, or a yield ends; 0: neither */
	const char *unit, *unit_setting; /* whose property holds it too: "x.service",
					    "CPUWeight=idle"; "" none */
	const struct claim_view *claims;
	size_t claim_count;
};

/* Strings are valid for the call. target NULL: all. fn must not claim. */
void actuator_each_knob(const struct actuator *actuator, const struct berth_target *target,
			void (*fn)(void *data, const struct knob_view *view), void *data);

/* The same walk without a look at any file: what is held at each scrape and refresh. */
struct held_view {
	struct berth_target target;
	enum knob knob;
	enum knob_status status;
	const char *file, *written; /* written: "" nothing yet */
};
void actuator_each_held(const struct actuator *actuator,
			void (*fn)(void *data, const struct held_view *view), void *data);

struct history_view {
	uint64_t time_realtime_usec, id;
	struct berth_target target; /* zeroed: of none, such as a systemd unit */
	const char *owner, *label, *what, *argument, *reason, *outcome;
	int result;
};
/* An entry of the history that is no change of its own: what claims of this owner mean. False: it
 * is dry run or paused, which the entry says. */
bool actuator_note(struct actuator *actuator, const char *owner,
		   const struct actuator_target *target, const char *what, const char *reason);
/* Oldest first: actions, restores, foreign writes, yields, conflicts. */
void actuator_each_history(const struct actuator *actuator,
			   void (*fn)(void *data, const struct history_view *view), void *data);

struct actuator_stats {
	uint64_t claims, holdings, writes, write_errors, foreign_writes, restores, restore_errors,
		actions, actions_limited, journal_bytes, journal_errors, watches, limit_hits,
		unit_pins, unit_pin_errors;
};
void actuator_stats(const struct actuator *actuator, struct actuator_stats *ret);

/* Kill tests: the journal and the writer call it with each step's name ("journal-append",
 * "knob-write", "journal-release", "journal-compact" and so on, before and after); NULL in a
 * release build's normal run. */
extern void (*actuator_failpoint)(const char *step);
