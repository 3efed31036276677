/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of the actuator share. Nothing outside includes it.
 *
 * A holding is one knob of one group that we have, or want, a say in. Settling a holding brings the
 * host in line with its claims; it is idempotent, and everything (a claim, a lease that is over, a
 * retry, drift, resume) ends in it. Holdings and groups are freed in one place only,
 * actuator_sweep() at the end of each entry point, so that no loop loses the ground it stands on.
 */
#pragma once

#include <systemd/sd-event.h>

#include "actuator/action/action.h"
#include "actuator/actuator.h"
#include "actuator/claim/intern.h"
#include "actuator/history.h"
#include "actuator/journal/journal.h"
#include "actuator/knob/line.h"
#include "actuator/knob/nested.h"
#include "actuator/knob/table.h"
#include "actuator/process/knob.h"
#include "actuator/restore/restore.h"
#include "actuator/slow/writer.h"
#include "actuator/unit/pin.h"
#include "hashmap.h"
#include "list.h"
#include "log.h"
#include "macro.h"

/* Also the owner shown for values that the run before left. */
#define OWNER_PREVIOUS "previous run"

struct inotify_event;
struct slow_knob;

struct claim {
	struct list list;           /* of its holding; oldest first */
	const char *owner, *reason; /* interned */
	uint64_t number;
	const char *text;      /* interned; NULL where the knob takes a number */
	uint64_t expires_usec; /* 0: never */
};

enum holding_flags {
	HOLDING_DEAD = 1u << 0,       /* until the sweep */
	HOLDING_SETTLED = 1u << 1,    /* number is what settle went for last */
	HOLDING_WAS_LOCKED = 1u << 2, /* its lock was set since it was written: see restore.h */
	HOLDING_UNWATCHED = 1u << 3,  /* no inotify watch: looked at by the timer */
	HOLDING_BASED = 1u << 4,      /* base is that of the original */
};

struct holding {
	struct list list;     /* of all holdings, in order of creation */
	struct list in_group; /* of its group */
	struct list grave;    /* linked once it is dead */
	struct list claims;
	struct group *group;
	uint8_t knob, status;
	uint16_t flags;
	uint32_t device; /* of a KNOB_DEVICE, else 0 */
	int error;
	char *original; /* NULL: not read yet */
	char *written;  /* as read back; NULL: the host does not hold a value of ours */
	uint64_t number;
	uint64_t base; /* the original as a number, of a KNOB_GROW_UP; grow.c */
	struct journal_slot slot;
	uint64_t retry_usec;   /* 0: no retry is due */
	uint32_t backoff_msec; /* of the next failure */
	int watch;             /* inotify, -1: none */
	uint64_t writes;
	uint32_t foreign;
	uint32_t drift_count; /* since drift_usec */
	uint64_t drift_usec;
	uint64_t foreign_hash;  /* of the foreign value counted last */
	uint64_t foreign_usec;  /* when that was */
	struct slow_knob *slow; /* under way off the loop; NULL: nothing */
	struct process_knob *processes;
	int *process_watches; /* inotify, of its group and of those below */
	size_t process_watch_count;
};

/* A cgroup that targets and holdings are about; the host itself has path "". */
struct group {
	struct list list; /* of all groups */
	struct list holdings;
	struct list children, sibling; /* linked for sums only */
	struct list suspect;           /* linked when nothing may be left that needs it */
	struct group *parent;
	struct cgroup cgroup;
	struct berth_target target; /* of the latest claim; kind TARGET_HOST for none */
	const char *label;          /* interned */
	unsigned int targets;       /* ids that point here */
	bool replaced;              /* its path is another group's now */
	bool not_unit;              /* systemd was asked */
};

struct actuator {
	struct actuator_context context;
	struct actuator_options options;
	struct capabilities capabilities;
	bool probed, paused;
	struct intern strings;
	struct journal *journal;
	struct history *history;
	struct slow_writer *slow_writer;
	struct slow_writer *net_writer; /* of network devices, which have no business with memory */
	struct actions *actions;
	struct unit_pins *pins;
	struct list groups, holdings;
	struct list graves, suspects; /* what the next sweep looks at, and all that it looks at */
	struct hashmap by_path;       /* to groups */
	struct hashmap by_target;     /* workload id, to groups */
	struct hashmap by_watch;      /* inotify wd, to groups */
	struct hashmap by_process_watch; /* inotify wd, to how many holdings have it */
	int inotify_fd;
	sd_event_source *inotify_source, *timer;
	uint64_t armed_usec; /* of the timer; 0: off */
	uint64_t reconcile_usec, unwatched_usec;
	uint64_t compact_usec; /* not before that */
	bool has_lost_records; /* only the journal has them, for want of memory: not compacted */
	bool refused; /* the kernel refused a KNOB_GROW_UP, maybe for a neighbour's value */
	unsigned int unwatched;
	struct actuator_stats stats;
	struct log_limit write_limit, drift_limit, journal_limit, unit_limit, refuse_limit;
};

uint64_t actuator_now(const struct actuator *actuator);
static inline bool actuator_writes(const struct actuator *actuator)
{
	return !actuator->paused && !actuator->options.dry_run;
}

/* group.c */
struct group *group_find_target(const struct actuator *actuator, struct berth_target target);
/* Finds or makes. -ENOMEM and what cgroup_path_check() says. */
int group_get(struct actuator *actuator, const struct cgroup *cgroup, struct group **ret);
int group_for_target(struct actuator *actuator, const struct actuator_target *target,
		     struct group **ret);
int group_bind(struct actuator *actuator, struct group *group,
	       const struct actuator_target *target);
void group_unbind(struct actuator *actuator, struct group *group, uint64_t id);
/* v1 makes a group in one hierarchy after the other, and not every one is watched: look again where
 * it was not there. */
void group_look_again(const struct actuator *actuator, struct group *group,
		      enum controller controller);
/* The group above, made when it is missing; -ENOENT at the top. */
int group_parent(struct actuator *actuator, struct group *group, struct group **ret);
/* Is it there still, in any hierarchy that it was known in? */
bool group_is_alive(const struct actuator *actuator, const struct group *group);
bool group_is_below(const struct group *group, const struct group *ancestor);
/* The next sweep frees it, unless something needs it then. */
void group_suspect(struct actuator *actuator, struct group *group);
void group_free(struct actuator *actuator, struct group *group);

/* holding.c */
struct holding *holding_find(const struct group *group, enum knob knob);
struct holding *holding_find_device(const struct group *group, enum knob knob, uint32_t device);
int holding_get(struct actuator *actuator, struct group *group, enum knob knob,
		struct holding **ret);
int holding_get_device(struct actuator *actuator, struct group *group, enum knob knob,
		       uint32_t device, struct holding **ret);
void holding_kill(struct actuator *actuator, struct holding *holding);
void holding_place(const struct actuator *actuator, const struct holding *holding,
		   struct knob_place *ret);
int holding_version(const struct actuator *actuator, const struct holding *holding);
/* What claims (and sums) ask for; false: nothing. */
bool holding_effective(const struct actuator *actuator, struct holding *holding, uint64_t *ret);
bool holding_is_claimed(const struct holding *holding);
const struct claim *holding_effective_claim(const struct holding *holding);
/* Its lock (cpu.idle) holds a value of ours that is not 0. */
bool holding_is_locked(const struct actuator *actuator, const struct holding *holding);
void holding_set_text(char **text, const char *value);
void actuator_sweep(struct actuator *actuator);

/* claim.c */
struct claim *claim_find(const struct holding *holding, const char *owner);
/* text: of a knob of that type, whose number is its hash; else NULL. */
int claim_add(struct actuator *actuator, struct holding *holding, const char *owner,
	      uint64_t number, const char *text, uint64_t expires_usec, const char *reason);
void claim_free(struct actuator *actuator, struct claim *claim);

/* settle.c */
void holding_settle(struct actuator *actuator, struct holding *holding);
/* Its ancestors again, after it changed or died. */
void holding_settle_above(struct actuator *actuator, struct holding *holding);
/* Forget what was decided last: the next settle looks at the host. */
void holding_unsettle(struct holding *holding);
/* The kernel hands the new value of a parent down to everything below, over what we hold there. */
void holding_settle_below(struct actuator *actuator, const struct holding *holding);
void holding_fail(struct actuator *actuator, struct holding *holding, int error, const char *what);
/* The end of a write. result: 0, or -errno of it. */
void holding_is_written(struct actuator *actuator, struct holding *holding, int result);

/* release.c */
/* Put its original back; the holding is dead after, or failed and tried again. */
int holding_release(struct actuator *actuator, struct holding *holding);
/* The same, while its claims stay as wishes in a new holding. */
int holding_put_back(struct actuator *actuator, struct holding *holding);
/* The same off the loop, of a network device: holding_is_restored() ends it. */
void holding_release_slowly(struct actuator *actuator, struct holding *holding);
/* result: enum restore_result or -errno. */
void holding_is_restored(struct actuator *actuator, struct holding *holding, int result);

/* write.c */
#define WRITE_UNDER_WAY 1 /* holding_is_written() will tell */
/* Journal, write, read back. 0, WRITE_UNDER_WAY or -errno; sets written. */
int holding_write(struct actuator *actuator, struct holding *holding, uint64_t number);
/* What a value that is found means as an original: a copy of a value of ours that was made in a
 * group above stands for that group's original. */
const char *knob_original_of(const struct actuator *actuator, const char *group_path,
			     enum knob knob, int version, const char *found);
/* Its original into the journal, before its lock is set. */
int holding_shadow(struct actuator *actuator, const struct holding *lock, struct holding *holding);

/* What the file of a group holds, whatever systemd is writing in passing. 0 or -errno. */
int group_look(const struct actuator *actuator, const struct group *group, enum knob knob,
	       char *text, size_t size);

/* grow.c */
/* What the file holds, as a number. */
int group_number(const struct actuator *actuator, const struct group *group, enum knob knob,
		 uint64_t *ret);
/* Its original as a number; what the file holds is taken for it if none was read yet. */
int holding_base(const struct actuator *actuator, struct holding *holding, uint64_t *ret);
/* What an ancestor that nobody claimed is to have for what is below it; false: its original. */
bool holding_grown(const struct actuator *actuator, struct holding *holding, uint64_t *ret);
/* The groups above, after a claim in this one changed or went. */
void grow_settle_above(struct actuator *actuator, struct group *group, enum knob knob);
/* One was written: those above and below that were refused have their turn again. */
void grow_settle_refused(struct actuator *actuator, const struct holding *holding);
/* More than its original, rather than less. */
bool holding_is_raised(const struct actuator *actuator, struct holding *holding);

/* burst.c */
/* The kernel refused this quota. True: a burst of ours was above it and is not any more. */
bool burst_yield(struct actuator *actuator, const struct holding *quota, uint64_t number);
/* The quota is another one: a burst that it cut has what it can have now. */
void burst_follow(struct actuator *actuator, const struct holding *quota);
/* slow-knob.c */
/* Journal, and hand the write to the slow writer: the kernel sets memory.high at once and then
 * reclaims, for as long as it takes, in whoever wrote it; a network device is asked once for each
 * of its queues. WRITE_UNDER_WAY or -errno. The file's fd is taken. */
int holding_write_slowly(struct actuator *actuator, struct holding *holding, struct knob_file *file,
			 const char *text);
/* restore_knob() of a network device. The item's texts are copied. 0 or -errno. */
int holding_restore_slowly(struct actuator *actuator, struct holding *holding,
			   const struct restore_item *item);
/* Before its original is put back: the write ends, or never begins, and `written` is what the file
 * holds of ours. */
void holding_slow_end(struct actuator *actuator, struct holding *holding);
/* What the host may hold of ours beside `written`, while that is under way; else the same. "" none.
 */
const char *holding_slow_previous(const struct holding *holding);
/* Its group is gone, or all ends. */
void holding_slow_forget(struct actuator *actuator, struct holding *holding);

/* unit-want.c */
enum unit_want actuator_unit_wants(void *data, const char *path, enum unit_property property,
				   uint64_t *ret);
bool actuator_unit_holds(void *data, const char *path, enum knob knob);
void actuator_unit_done(void *data, const char *path, bool is_unit);
void actuator_unit_tell(void *data, const char *unit, const char *setting, const char *outcome,
			int result);
/* What is written of this group may have changed: its unit's properties follow. */
void actuator_unit_look(struct actuator *actuator, const struct group *group);
void actuator_unit_look_all(struct actuator *actuator);
/* As found, unless systemd wrote that for us. 0 or -ENOMEM. */
int holding_set_original(struct holding *holding, const struct actuator *actuator,
			 const char *found);

/* nested.c: lists of CPUs */
bool holding_is_nested(const struct actuator *actuator, const struct holding *holding);
/* What claims leave of them, its own and where groups are nested those above; false: none. */
bool holding_cpus(const struct actuator *actuator, const struct holding *holding,
		  struct cpulist *ret);
/* Bring the groups right below in line: the holding's own file has room for what they have and for
 * what they are to have. before: what it held until now, if that was ours, or "". */
void nested_settle_below(struct actuator *actuator, const struct holding *holding,
			 const struct knob_file *file, const char *before,
			 const struct cpulist *target);
/* It was put back: groups below that were made meanwhile have a copy of what was. */
void nested_restore_copies(struct actuator *actuator, const struct holding *holding);
/* And it is dead: now what is held below. */
void nested_released(struct actuator *actuator, const struct holding *holding);

/* record.c */
int holding_record(struct actuator *actuator, struct holding *holding, const char *next);
void holding_forget_record(struct actuator *actuator, struct holding *holding);
/* Holdings from the journal of the run before. */
int actuator_replay(struct actuator *actuator);

/* drift.c */
int drift_start(struct actuator *actuator);
void drift_watch(struct actuator *actuator, struct holding *holding);
void drift_unwatch(struct actuator *actuator, struct holding *holding);
/* Look at the file. */
void holding_check(struct actuator *actuator, struct holding *holding);
/* A value that is neither ours nor the original was found. Counts and tells. */
void drift_note(struct actuator *actuator, struct holding *holding, const char *current);

/* process-watch.c */
/* Be told of processes that join. Again at each look: groups below come and go. -errno: not of all
 * of them. */
int process_watch(struct actuator *actuator, struct holding *holding);
void process_unwatch(struct actuator *actuator, struct holding *holding);
/* Of the same inotify fd as drift.c's. */
void process_watch_event(struct actuator *actuator, const struct inotify_event *event);
/* Settle it again shortly. */
void process_look_soon(struct actuator *actuator, struct holding *holding);

/* due.c */
int due_start(struct actuator *actuator);
/* Something is due then: the timer is armed for it. */
void due_at(struct actuator *actuator, uint64_t usec);
/* The next looks, one interval from now: something is held, or without a watch. */
void due_expect(struct actuator *actuator);

/* view.c */
void actuator_tell(struct actuator *actuator, const struct holding *holding, const char *what,
		   const char *argument, const char *outcome, int result);
