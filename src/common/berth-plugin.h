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
#define BERTH_PLUGIN_ABI    2u
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
	WORKLOAD_ENDING = 1u << 2,  /* a pod that is being deleted: it goes in its grace period */
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

/* What is changed: a workload's cgroup, a CPU, a block or network device, or the host itself. */
enum target_kind {
	TARGET_WORKLOAD,
	TARGET_CPU,
	TARGET_DEVICE,
	TARGET_HOST,
	TARGET_NET, /* a network device of the host's namespace */
};

struct berth_target {
	enum target_kind kind;
	uint64_t id; /* workload id, CPU number, dev_t, ifindex, or 0 */
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
	/* Of a workload and one block device, by claim_device(); UINT64_MAX: none. */
	KNOB_IO_READ_BPS,
	KNOB_IO_WRITE_BPS,
	KNOB_IO_READ_IOPS,
	KNOB_IO_WRITE_IOPS,
	KNOB_IO_LATENCY_USEC,   /* io.latency: the target */
	KNOB_IO_WEIGHT,         /* of io.cost: 1 to 10000, 100 is the kernel's default */
	KNOB_IO_BFQ_WEIGHT,     /* 1 to 1000, for devices under the scheduler bfq */
	KNOB_IO_PRIO_CLASS,     /* enum io_prio_class */
	KNOB_MEMORY_WB_BLKIO,   /* openEuler v1: 1 writes back as the workload's own blkio group */
	KNOB_DEVICE_COST_MODEL, /* TARGET_DEVICE, text: "ctrl=user rbps=1 ..." of io.cost.model */
	KNOB_DEVICE_COST_QOS,   /* TARGET_DEVICE, text: "enable=1 ctrl=user ..." of io.cost.qos */
	/* Text, a list of CPUs ("0-3,8"): at most these of what the group has. Claims merge to what
	 * all of them have. On v1 the groups below are narrowed and widened with it. */
	KNOB_CPUSET_CPUS,
	KNOB_CPUSET_PREFERRED,   /* openEuler cpuset.preferred_cpus, of cpuset.cpus; text */
	KNOB_SCHED_PRIO_BALANCE, /* host, openEuler: online tasks are balanced first, 0 or 1 */
	KNOB_QOS_OVERLOAD_MSEC,  /* host, openEuler: 100 to 100000 */
	KNOB_QOS_WAIT_MSEC,      /* host, openEuler: 100 to 1000 */
	KNOB_QOS_LEVEL_WEIGHTS,  /* host, openEuler: text, five numbers, for levels -2 to 2 */
	KNOB_SCHED_UTIL_LOW,     /* host, openEuler: of preferred CPUs, 0 to 100 percent */
	KNOB_CPU_BURST_USEC, /* unused quota that is kept, us of a period; not above the quota */
	/* Of a workload's memory. */
	KNOB_MEMORY_HIGH_BYTES,       /* memory.high; never written above what was found there */
	KNOB_MEMORY_HIGH_ASYNC_RATIO, /* openEuler memory.high_async_ratio: 0 (off) to 99 percent */
	KNOB_MEMORY_OOM_GROUP,        /* memory.oom.group: 1, the OOM killer takes all or none */
	KNOB_CACHE_CLASS,             /* enum cache_class: every thread of the workload is in it */
	/* Host, text: what the class gets, "l3=20 l2=100 mb=10 full_mbps=25600"; docs/cache.md */
	KNOB_CACHE_LOW,
	KNOB_CACHE_MIDDLE,
	KNOB_CACHE_HIGH,
	KNOB_CACHE_DYNAMIC,
	KNOB_NET_QDISC,   /* TARGET_NET, text: "fq" */
	KNOB_NET_EGRESS,  /* TARGET_NET, text: "program 12", a BPF program of type sched_cls by its
			     id */
	KNOB_NET_CLASSID, /* v1 net_cls.classid: 0 to 2^32-1; UINT32_MAX is bwm's offline */
	KNOB_BWM_BANDWIDTH, /* host, openEuler's bwm: text, "20mb,1024mb", low and high */
	KNOB_BWM_WATERLINE, /* host, openEuler's bwm: text, "20mb" */
	KNOB_MAX,
};

struct knob_value {
	uint64_t number;
	const char *text; /* for knobs that the table types as text, such as a CPU list */
};

/* Values of KNOB_CACHE_CLASS, in the order of the knobs that say what each gets. */
enum cache_class { CACHE_LOW, CACHE_MIDDLE, CACHE_HIGH, CACHE_DYNAMIC, CACHE_CLASSES };

/* Values of KNOB_IO_PRIO_CLASS. */
enum io_prio_class { IO_PRIO_NO_CHANGE, IO_PRIO_TO_RT, IO_PRIO_TO_BE, IO_PRIO_IDLE };

/* One-shot and not undone: recorded, rate limited, dry-runnable. Append. */
enum action {
	ACTION_RECLAIM, /* argument: bytes; memory.reclaim. May take seconds: done() tells */
	ACTION_KILL,    /* every process of the workload: cgroup.kill, else SIGKILL one by one */
	/* Ask the API to take the pod off this node; its PodDisruptionBudgets hold. done() when the
	 * API has answered: 0 it goes (within its grace period); -EBUSY a budget does not allow it
	 * now; -EHOSTDOWN no API is up, or none has named the pod; -EACCES we may not; -ENOENT,
	 * -ESTALE it is gone; -EIO the API failed at it. */
	ACTION_EVICT,
	ACTION_MAX,
};

#define ACTION_DRY_RUN 1 /* a result: recorded only, nothing was done */

/* What a workload uses and suffers, a number each. Totals since its cgroup was made, but for bytes,
 * which are what is charged now. A pod's numbers contain its containers'. ABI: append. */
enum sample_value {
	SAMPLE_CPU_USAGE_USEC,
	SAMPLE_CPU_USER_USEC,
	SAMPLE_CPU_SYSTEM_USEC,
	/* Of the quota (cpu.max): periods in which some task ran. These three are of the workload's
	 * own group and of those below it, added up. */
	SAMPLE_CPU_PERIODS,
	SAMPLE_CPU_THROTTLED_PERIODS,
	SAMPLE_CPU_THROTTLED_USEC, /* summed over CPUs */
	SAMPLE_MEMORY_BYTES,
	SAMPLE_MEMORY_WORKING_SET_BYTES, /* without the inactive page cache, as kubelet counts */
	SAMPLE_MEMORY_SWAP_BYTES,
	/* By kind, as memory.stat names them: Documentation/admin-guide/cgroup-v2.rst */
	SAMPLE_MEMORY_ANON_BYTES,
	SAMPLE_MEMORY_FILE_BYTES,
	SAMPLE_MEMORY_SHMEM_BYTES,
	SAMPLE_MEMORY_FILE_MAPPED_BYTES,
	SAMPLE_MEMORY_FILE_DIRTY_BYTES,
	SAMPLE_MEMORY_FILE_WRITEBACK_BYTES,
	SAMPLE_MEMORY_INACTIVE_ANON_BYTES,
	SAMPLE_MEMORY_ACTIVE_ANON_BYTES,
	SAMPLE_MEMORY_INACTIVE_FILE_BYTES,
	SAMPLE_MEMORY_ACTIVE_FILE_BYTES,
	SAMPLE_MEMORY_UNEVICTABLE_BYTES,
	SAMPLE_MEMORY_SLAB_RECLAIMABLE_BYTES,
	SAMPLE_MEMORY_SLAB_UNRECLAIMABLE_BYTES,
	SAMPLE_MEMORY_KERNEL_STACK_BYTES,
	SAMPLE_MEMORY_PAGETABLES_BYTES,
	SAMPLE_MEMORY_SOCK_BYTES,
	/* memory.events */
	SAMPLE_MEMORY_EVENT_LOW,
	SAMPLE_MEMORY_EVENT_HIGH,
	SAMPLE_MEMORY_EVENT_MAX,
	SAMPLE_MEMORY_EVENT_OOM,
	SAMPLE_MEMORY_EVENT_OOM_KILL,
	/* Counters of memory.stat; pages, but for the two kinds of fault */
	SAMPLE_MEMORY_FAULTS,
	SAMPLE_MEMORY_MAJOR_FAULTS,
	SAMPLE_MEMORY_REFAULT_ANON,
	SAMPLE_MEMORY_REFAULT_FILE,
	SAMPLE_MEMORY_SCANNED,
	SAMPLE_MEMORY_RECLAIMED,
	SAMPLE_MEMORY_SWAPPED_IN,
	SAMPLE_MEMORY_SWAPPED_OUT,
	/* PSI totals: Documentation/accounting/psi.rst. From here to the last of the causes each
	 * has averages, too. */
	SAMPLE_PRESSURE_CPU_SOME_USEC,
	SAMPLE_PRESSURE_CPU_FULL_USEC,
	SAMPLE_PRESSURE_MEMORY_SOME_USEC,
	SAMPLE_PRESSURE_MEMORY_FULL_USEC,
	SAMPLE_PRESSURE_IO_SOME_USEC,
	SAMPLE_PRESSURE_IO_FULL_USEC,
	SAMPLE_PRESSURE_IRQ_FULL_USEC,
	/* Pressure by cause, as openEuler's pressure.stat names it. The parts of memory, the last
	 * of which is what none of the others explains (refaults of page cache), sum to the memory
	 * pressure of the kernel where it tells one. */
	SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_SOME_USEC,
	SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_FULL_USEC,
	SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_SOME_USEC,
	SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_FULL_USEC,
	SAMPLE_CAUSE_COMPACT_SOME_USEC,
	SAMPLE_CAUSE_COMPACT_FULL_USEC,
	SAMPLE_CAUSE_CGROUP_ASYNC_MEMORY_RECLAIM_SOME_USEC,
	SAMPLE_CAUSE_CGROUP_ASYNC_MEMORY_RECLAIM_FULL_USEC,
	SAMPLE_CAUSE_SWAP_SOME_USEC,
	SAMPLE_CAUSE_SWAP_FULL_USEC,
	SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC,
	SAMPLE_CAUSE_MEMORY_OTHER_FULL_USEC,
	SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC,
	SAMPLE_CAUSE_CPU_QOS_FULL_USEC,
	/* What CPUs counted of it in the windows that somebody asked for by count(). */
	SAMPLE_CYCLES,
	SAMPLE_INSTRUCTIONS,
	/* Of the last-level cache, where the PMU tells: on AMD of the second level. */
	SAMPLE_CACHE_REFERENCES,
	SAMPLE_CACHE_MISSES,
	SAMPLE_MAX,
	SAMPLE_PRESSURE_FIRST = SAMPLE_PRESSURE_CPU_SOME_USEC,
	SAMPLE_CAUSE_FIRST = SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_SOME_USEC,
	SAMPLE_PRESSURE_COUNT = SAMPLE_CAUSE_CPU_QOS_FULL_USEC - SAMPLE_PRESSURE_FIRST + 1,
};

enum sample_io {
	IO_READ_BYTES,
	IO_WRITE_BYTES,
	IO_DISCARD_BYTES,
	IO_READS,
	IO_WRITES,
	IO_DISCARDS,
	SAMPLE_IO_MAX
};

#define SAMPLE_DEVICES     4u  /* of one workload, those with the lowest numbers */
#define SAMPLE_DEVICE_NAME 32u /* "vda", "nvme0n1"; "8:0" where the host does not name it */

struct sample_device {
	uint32_t major, minor;
	char name[SAMPLE_DEVICE_NAME];
	uint64_t value[SAMPLE_IO_MAX];
};

/* How long tasks waited on a run queue: bucket i counts waits of at most 8 << i microseconds that
 * no bucket before it counts, the last one all that were longer. */
#define SAMPLE_LATENCY_BUCKETS 17u

struct sample_latency {
	uint64_t count[SAMPLE_LATENCY_BUCKETS];
	uint64_t sum_usec;
};

enum sample_window { WINDOW_10S, WINDOW_60S, WINDOW_300S, SAMPLE_WINDOWS };

/* One workload's record in the telemetry snapshot. */
struct workload_sample {
	uint32_t size;
	uint32_t device_count;
	uint64_t generation; /* of the pass that filled it */
	uint64_t time_usec;
	uint64_t known[2]; /* bit: enum sample_value; what this host tells of this workload */
	const struct sample_device *devices;  /* by number, those it did IO on; NULL for none */
	const struct sample_latency *latency; /* NULL: not measured */
	/* Share of time in hundredths of a percent, by value - SAMPLE_PRESSURE_FIRST. */
	uint32_t averages[SAMPLE_PRESSURE_COUNT][SAMPLE_WINDOWS];
	uint64_t value[SAMPLE_MAX]; /* 0 where it is not known; last, so that it can grow */
};

/* The host's own numbers. pressure: PSI totals by enum sample_value - SAMPLE_PRESSURE_FIRST, the
 * first six; pressure_known: a bit for each. */
#define NODE_PRESSURES 6u
struct node_sample {
	uint32_t size;
	uint32_t cpus;
	uint64_t time_usec;
	uint64_t cpu_total_usec, cpu_busy_usec; /* of all CPUs, since the boot */
	uint64_t memory_total_bytes, memory_available_bytes;
	uint64_t pressure_known;
	uint64_t pressure_usec[NODE_PRESSURES];
	uint64_t memory_free_bytes, swap_total_bytes, swap_free_bytes;
};

/* Does the host tell this value of this workload? */
static inline int sample_knows(const struct workload_sample *sample, enum sample_value value)
{
	return (int)((sample->known[value / 64] >> (value % 64)) & 1);
}

/* How a family of series is read off a sample. */
enum metric_source {
	METRIC_FROM_VALUE,   /* value: enum sample_value */
	METRIC_FROM_AVERAGE, /* value: (enum sample_value - SAMPLE_PRESSURE_FIRST) *
				SAMPLE_WINDOWS + enum sample_window; a ratio of 0 to 1 */
	METRIC_FROM_DEVICE,  /* value: enum sample_io; a series for each device */
	METRIC_FROM_LATENCY, /* one column: a histogram in seconds */
};

struct metric_column {
	/* Put behind those of the workload: `cause="swap",stall="some"`; or "". Names that
	 * workloads have (namespace, pod, container, kind, name, qos), device and le are taken. */
	const char *labels;
	uint32_t value;
};

/* One family with a series for each column of each workload, read off its sample at each scrape.
 * A column that the host cannot tell of a workload has no series. */
struct metric_table {
	const char *name, *help; /* berth_..., a counter's name ends in _total; a sentence */
	enum metric_source source;
	uint32_t divisor; /* 1000000: microseconds to seconds; 1 */
	const struct metric_column *columns;
	uint32_t column_count;
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
	 * minute quarantine the plugin. Timers are aligned to whole seconds, those
	 * below one that divide it to their own period, and coalesced. */
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
	/* 1: the host has the knob, and *ret_reason (may be NULL) says where; 0: not, and it says
	 * why in a phrase. */
	int (*knob_available)(struct agent *agent, enum knob knob, const char **ret_reason);
	/* done may be NULL; result 0, -errno, or ACTION_DRY_RUN. -EAGAIN: over the rate limit. */
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
	/* Serve these families at /metrics for every workload that wants() is true of (NULL: all),
	 * until the next call (count 0: none) or the end of the plugin. The tables are borrowed
	 * until then. wants() is asked once for each workload and change of it, never before
	 * start() has returned. 0; -EINVAL for a table that is none (nothing changes, the log says
	 * why); -EBUSY another plugin publishes. */
	int (*publish)(struct agent *agent, const struct metric_table *tables, size_t count,
		       int (*wants)(void *self, const struct berth_workload *workload));
	/* claim() and unclaim() of a knob that a workload has once for each block device. device: a
	 * dev_t of a whole disk (the kernel answers ENODEV to a partition). -EINVAL: no such
	 * number, or a knob without devices. */
	int (*claim_device)(struct agent *agent, struct berth_target target, uint64_t device,
			    enum knob knob, const struct knob_value *value, uint64_t lease_usec,
			    const char *reason);
	void (*unclaim_device)(struct agent *agent, struct berth_target target, uint64_t device,
			       enum knob knob);
	/* The host's numbers, read again unless they are at most that old: a few files, not a pass
	 * over all workloads. NULL: they cannot be read. Good until the next call. */
	const struct node_sample *(*node)(struct agent *agent, uint64_t max_age_usec);
	/* A series of the plugin with labels of its own: `resource="cpu",result="ok"`. */
	void (*metric_set_labels)(struct agent *agent, struct agent_metric *metric,
				  const char *labels, double value);
	/* claim() and unclaim() for one part of a plugin that decides several things: each part is
	 * an owner of its own, "PLUGIN/PART", in merging, conflicts and `berthctl explain`, so that
	 * two parts on one knob are merged like two plugins. part: up to 23 of a to z and '-';
	 * -EINVAL otherwise, -ENOSPC with more than 15 of them. All end with the plugin. */
	int (*claim_as)(struct agent *agent, const char *part, struct berth_target target,
			enum knob knob, const struct knob_value *value, uint64_t lease_usec,
			const char *reason);
	void (*unclaim_as)(struct agent *agent, const char *part, struct berth_target target,
			   enum knob knob);
	/* What a knob with a text (a list of CPUs) would be of the workload if nobody claimed it.
	 * Reads a file. 0; -ENOENT, -EPERM as claim(); -ENXIO its group has no such file (yet);
	 * -EOPNOTSUPP the host has none; -ENOSPC longer than size. */
	int (*original_text)(struct agent *agent, struct berth_target target, enum knob knob,
			     char *text, size_t size);
	/* Read a few counters of a few workloads now, without a pass over all of them: for what is
	 * decided many times a second. values: of CPU and pressure, but no causes (-EINVAL). ret:
	 * value_count numbers for each workload in turn; UINT64_MAX: not told. Throttling is that
	 * of the workload's own quota, without those below it. sample() stays as it was. 0 or
	 * -errno. */
	int (*peek)(struct agent *agent, const uint64_t *workloads, size_t count,
		    const enum sample_value *values, size_t value_count, uint64_t *ret);
	/* What a knob with a number would be of the workload if nobody claimed it, and what it is
	 * (ret_now may be NULL). Reads a file or two where nothing is written. -ENOENT, -EPERM as
	 * claim(); -EOPNOTSUPP the host has no such file; -EINVAL a knob of text, devices or
	 * processes. */
	int (*knob_value)(struct agent *agent, struct berth_target target, enum knob knob,
			  uint64_t *ret_original, uint64_t *ret_now);
	/* Have the CPUs count SAMPLE_CYCLES and SAMPLE_INSTRUCTIONS of this workload from now on
	 * until usec from now (at most a minute), or for longer if somebody wants that; the sample
	 * has them after the next pass, and SAMPLE_CACHE_REFERENCES and SAMPLE_CACHE_MISSES if the
	 * CPUs can count those too. It costs up to four fds for each CPU. 0; -EOPNOTSUPP as
	 * can_count(); -ENOSPC: so many are counted that this one has to wait; -ENOENT; -EPERM. */
	int (*count)(struct agent *agent, uint64_t workload, uint64_t usec);
	/* 1: this host can, and *ret_reason (may be NULL) says how; 0: not, and it says why. */
	int (*can_count)(struct agent *agent, const char **ret_reason);
	/* What the people of a workload should know was done to it by claims: an entry of `berthctl
	 * history`, a line of the log and, for a pod, an Event. part: as of claim_as(), NULL: none.
	 * what: a few words, "throttled to 0.1 CPU"; reason: the evidence. Tell what happens once,
	 * not what goes on. */
	void (*tell)(struct agent *agent, const char *part, uint64_t workload, const char *what,
		     const char *reason);
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
	/* Every family that it may publish(), whatever its settings: what docs/metrics.md lists. */
	const struct metric_table *metrics;
	size_t metric_count;
};
