/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-plugin.h - the whole contract between berthd and a plugin, and the one installed header.
 *
 * A plugin is one shared object that exports one constant, `berth_plugin`. It decides; it never
 * writes: every change to the host goes through claim() or act(), so that berthd knows what was
 * changed, by whom, why, and how to put it back when the plugin stops, fails or is killed.
 *
 * All callbacks run on berthd's one thread and must not block; what takes longer goes to work().
 * Pointers passed to a callback are valid only until it returns; strings passed to berthd are
 * copied. Functions return 0 or a positive count on success, -errno on failure. Times are
 * CLOCK_MONOTONIC microseconds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Raised only when a field is removed, reordered or changes meaning. New fields are appended and
 * announced by `size` alone; the loader reads a missing tail as zero. */
#define BERTH_PLUGIN_ABI    1u
#define BERTH_PLUGIN_SYMBOL "berth_plugin"
#define BERTH_PLUGIN_EXPORT __attribute__((visibility("default")))

struct agent_source; /* a timer or fd watch, owned by berthd on the plugin's behalf */
struct agent_metric;

/* What the host must offer; probed before start(), so a plugin never starts half-able. */
enum berth_needs {
	BERTH_NEEDS_CGROUP_V2 = 1u << 0,
	BERTH_NEEDS_PSI = 1u << 1,
	BERTH_NEEDS_RESCTRL = 1u << 2,
	BERTH_NEEDS_BPF = 1u << 3,
	BERTH_NEEDS_CGROUP = 1u << 4, /* any version */
};

/* One row a setting: berthd parses, range-checks, documents and defaults it. */
enum config_type {
	CONFIG_END,
	CONFIG_BOOL,    /* uint64_t slot, 0 or 1 */
	CONFIG_U64,     /* uint64_t */
	CONFIG_S64,     /* int64_t; min, max and fallback hold its bits */
	CONFIG_PERCENT, /* uint64_t, 0 to 100 */
	CONFIG_USEC,    /* uint64_t microseconds, written "250ms" */
	CONFIG_BYTES,   /* uint64_t, written "1Gi" */
	CONFIG_STRING,  /* char *, "" when empty, never NULL */
	CONFIG_ENUM,    /* uint64_t: index into names */
	CONFIG_STRINGS, /* char **, NULL terminated, never NULL itself */
};

struct config_field {
	const char *key; /* "cpu.way" is `way` in the mapping `cpu` */
	enum config_type type;
	size_t offset; /* into the config struct; every slot is 8 bytes wide */
	uint64_t min, max, fallback;
	const char *fallback_text; /* of CONFIG_STRING; NULL means "" */
	const char *const *names;  /* of CONFIG_ENUM, NULL terminated */
	const char *help;          /* one sentence, shown in berth.yaml and its man page */
};

struct berth_error {
	const char *key; /* the setting at fault; berthd adds file, line and column */
	char text[192];
};

enum qos_level {
	QOS_SCAVENGER = -2,
	QOS_BATCH = -1,
	QOS_NORMAL = 0,
	QOS_HIGH = 1,
	QOS_CRITICAL = 2,
};

enum workload_flags {
	WORKLOAD_IGNORED = 1u << 0, /* berth/ignore: metrics only; claims are refused with -EPERM */
	WORKLOAD_EXPLAIN = 1u << 1, /* berth/explain: decisions are logged at info */
};

/* Who runs here: a pod, a container, a VM, a systemd unit, or a plain cgroup. */
struct berth_workload {
	uint32_t size;
	uint64_t id;      /* never reused; a cgroup made again under the same path is a new id */
	uint64_t parent;  /* the pod of a container, else the nearest one above it; 0 at the top */
	const char *kind; /* "pod", "container", "vm", "unit", "cgroup" */
	const char *name, *namespace, *cgroup; /* namespace "" where the kind has none */
	enum qos_level qos;
	uint32_t flags;                /* enum workload_flags */
	uint64_t cpu_request_milli;    /* 0: none */
	uint64_t cpu_limit_milli;      /* 0: none */
	uint64_t memory_request_bytes; /* 0: none */
	uint64_t memory_limit_bytes;   /* 0: none */
};

enum workload_change {
	WORKLOAD_ADDED,
	WORKLOAD_UPDATED, /* level, labels, annotations, or a hierarchy that its cgroup appeared in
			   */
	WORKLOAD_REMOVED,
};

struct workload_event {
	uint32_t size;
	enum workload_change change;
	const struct berth_workload *workload;
};

/* What is changed: a workload's cgroup, a CPU, a block device, or the host itself. */
enum target_kind {
	TARGET_WORKLOAD,
	TARGET_CPU,
	TARGET_DEVICE,
	TARGET_HOST,
};

struct berth_target {
	enum target_kind kind;
	uint64_t id; /* workload id, CPU number, dev_t, or 0 */
};

/* A row of the daemon's knob table each: files, type, range, merge rule, order, restore. The
 * numbers are ABI: append. See docs/knobs.md. */
enum knob {
	KNOB_CPU_QOS_LEVEL,  /* openEuler/Kylin cpu.qos_level: -2 to 2, as int64_t bits */
	KNOB_CPU_IDLE,       /* cpu.idle: 0 or 1 (kernel 5.15) */
	KNOB_CPU_WEIGHT,     /* 1 to 10000, 100 is the kernel's default; v1: cpu.shares, x 10.24 */
	KNOB_CPU_QUOTA_USEC, /* CPU microseconds per 100 ms, UINT64_MAX none; the period is kept */
	KNOB_MEMORY_QOS_LEVEL, /* openEuler/Kylin memory.qos_level: 0 or -1, as int64_t bits */
	KNOB_MEMORY_MIN_BYTES, /* memory.min; ancestors are raised to the sum */
	KNOB_MEMORY_LOW_BYTES, /* memory.low; ancestors are raised to the sum */
	KNOB_MEMCG_QOS_ENABLE, /* host: sysctl vm.memcg_qos_enable, 0 or 1 */
	KNOB_OOM_SCORE_ADJ,    /* of every process of the workload: -1000 to 1000, int64_t bits */
	KNOB_CORE_SCHED,       /* 1: the workload shares an SMT core with none but itself */
	KNOB_MAX,
};

struct knob_value {
	uint64_t number;
	const char *text; /* for knobs that the table types as text, such as a CPU list */
};

/* One-shot and not undone: recorded, rate limited, dry-runnable. Append. */
enum action {
	ACTION_RECLAIM, /* argument: bytes; memory.reclaim. May take seconds: done() tells */
	ACTION_KILL,    /* every process of the workload: cgroup.kill, else SIGKILL one by one */
	ACTION_MAX,
};

/* One workload's record in the telemetry snapshot. Counters only grow; 0 where the host has none.
 */
struct workload_sample {
	uint32_t size;
	uint64_t generation; /* of the pass that filled it */
	uint64_t time_usec;
	uint64_t cpu_usage_usec, cpu_throttled_usec;
	uint64_t memory_bytes;
	uint64_t cpu_some_usec, memory_some_usec, memory_full_usec, io_some_usec; /* PSI totals */
};

struct agent_api;

struct agent {
	const struct agent_api *api;
};

struct agent_api {
	uint32_t size;
	/* level: syslog(3) LOG_ERR to LOG_DEBUG. */
	void (*log)(struct agent *agent, int level, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

	/* Event sources die with the plugin. A negative return counts as one failure; ten in a
	 * minute quarantine the plugin. Timers are aligned to whole seconds and coalesced. */
	int (*every)(struct agent *agent, uint64_t period_usec, int (*fn)(void *self),
		     struct agent_source **ret);
	int (*watch)(struct agent *agent, int fd, uint32_t epoll_events,
		     int (*fn)(void *self, uint32_t epoll_events), struct agent_source **ret);
	void (*forget)(struct agent *agent, struct agent_source *source);
	/* Run fn(job) on the worker pool, then done(self, job, result) on the loop. -EAGAIN when
	 * the queue is full. done() is called exactly once for each job, so free the job there:
	 * before stop(), the host waits for running fns and calls done() with -ECANCELED for every
	 * job that has not been reported (self is NULL if start() failed). fn() must not use self
	 * or the agent. */
	int (*work)(struct agent *agent, int (*fn)(void *job),
		    void (*done)(void *self, void *job, int result), void *job);

	/* Ask for a value until unclaimed, stopped, or lease_usec passes unrenewed (0: no lease).
	 * berthd merges all plugins' claims by the knob's rule and writes only the result. Claiming
	 * what is already claimed renews the lease and costs no write. 0; -ERANGE outside the
	 * knob's range; -EOPNOTSUPP the host has no such knob; -ENOENT no such workload; -EPERM it
	 * is to be ignored; -ENOSPC too many claims. A failing write is not the plugin's error: it
	 * is counted, named in `berthctl explain` and tried again. */
	int (*claim)(struct agent *agent, struct berth_target target, enum knob knob,
		     const struct knob_value *value, uint64_t lease_usec, const char *reason);
	void (*unclaim)(struct agent *agent, struct berth_target target, enum knob knob);
	/* 1: the host has the knob; 0: not, and *ret_reason (may be NULL) says why in a phrase. */
	int (*knob_available)(struct agent *agent, enum knob knob, const char **ret_reason);
	/* done may be NULL; result 0 or -errno. -EAGAIN: over the rate limit. */
	int (*act)(struct agent *agent, struct berth_target target, enum action action,
		   uint64_t argument, const char *reason,
		   void (*done)(void *self, struct berth_target target, int result));

	/* NULL when the workload is gone. Good until the callback returns. */
	const struct berth_workload *(*workload)(struct agent *agent, uint64_t id);
	/* Calls fn for every workload that there is. */
	void (*each_workload)(struct agent *agent,
			      void (*fn)(void *self, const struct berth_workload *workload));
	const char *(*annotation)(struct agent *agent, uint64_t workload, const char *key);
	/* NULL when the workload is gone or was never sampled. Good until the next pass. */
	const struct workload_sample *(*sample)(struct agent *agent, uint64_t workload);
	/* Take a new pass unless the last one is at most max_age_usec old. */
	int (*fresh)(struct agent *agent, uint64_t max_age_usec);

	/* What `berthctl explain` shows; workload 0 is the plugin as a whole; value NULL removes.
	 */
	void (*describe)(struct agent *agent, uint64_t workload, const char *key,
			 const char *value);
	/* A gauge, or a counter if the name ends in _total; berth_PLUGIN_ is put before the name
	 * and the workload's labels are added. workload 0: one series of the plugin. */
	int (*metric)(struct agent *agent, const char *name, const char *help,
		      struct agent_metric **ret);
	void (*metric_set)(struct agent *agent, struct agent_metric *metric, uint64_t workload,
			   double value);
	/* Calls fn for every workload of which this one is the parent. */
	void (*each_child)(struct agent *agent, uint64_t workload,
			   void (*fn)(void *self, const struct berth_workload *workload));
};

struct berth_plugin {
	uint32_t abi;
	uint32_t size;
	const char *name; /* file stem, config section and metric label, all the same word */
	const char *description;
	uint64_t needs;
	const struct config_field *fields; /* ends with CONFIG_END */
	size_t config_size;
	/* Pure: no side effect. If it accepts, apply() may fail only for want of resources. May be
	 * NULL, as may every callback but start and stop. */
	int (*check)(const void *config, struct berth_error *reterr);
	/* The config stays valid until stop() or the next apply() returns. Called a second time
	 * beside a running instance by `berthctl plan`, with an agent that records and writes
	 * nothing: keep no state outside *ret_self. Existing workloads follow as ADDED events. */
	int (*start)(struct agent *agent, const void *config, void **ret_self);
	int (*apply)(void *self, const void *config); /* NULL: berthd stops and starts instead */
	void (*workload)(void *self, const struct workload_event *event);
	void (*stop)(void *self); /* berthd then drops its sources, jobs and claims */
	/* A re-probe found knobs that were not there before, or lost some: decide again. */
	void (*capabilities)(void *self);
};
