/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.h - every bound of the daemon in one place. What is over a bound is refused, counted in
 * berth_limit_hits_total{limit="..."} or logged once, never silently cut.
 */
#pragma once

#define LIMIT_WORKLOADS          16384u        /* of the registry */
#define LIMIT_LABELS             256u          /* labels and annotations of one workload, each */
#define LIMIT_LABEL_BYTES        (256u * 1024) /* of all of one workload; Kubernetes' own limit */
#define LIMIT_FACTS              32u           /* of one workload, for explain */
#define LIMIT_PODS               4096u         /* of this node that an API names */
#define LIMIT_POD_CONTAINERS     256u          /* of one pod, all kinds */
#define LIMIT_POD_BYTES          (4u << 20)    /* JSON of one pod; etcd takes 1.5 MiB */
#define LIMIT_POD_DEPTH          128u          /* of its JSON; real ones stay under 20 */
#define LIMIT_POD_ANNOTATION     8192u         /* bytes of one that the protocol does not know */
#define LIMIT_POD_LIST_BYTES     (256u << 20)  /* of one list or poll, decompressed */
#define LIMIT_POD_PAGES          1000u         /* of one list */
#define LIMIT_KUBECONFIG_BYTES   (1u << 20)    /* and of a token or certificate file */
#define LIMIT_STATE_BYTES        (32u << 20)   /* of STATE_DIR/pods.json */
#define LIMIT_KUBE_EVENTS        64u           /* incidents that wait or are counted */
#define LIMIT_KUBE_EVICTIONS     16u           /* that the API is asked for at once */
#define LIMIT_MACHINES           4096u
#define LIMIT_MACHINE_THREADS    1024u /* vCPUs or I/O threads of one machine that are looked at */
#define LIMIT_MACHINE_SHOWN      64u   /* of them, whose threads explain names */
#define LIMIT_GLOBS              256u  /* sources.cgroups.paths and sources.units.slices, each */
#define LIMIT_GLOB_DEPTH         32u   /* components of one of sources.cgroups.paths */
#define LIMIT_GLOB_BYTES         1024u /* of one pattern or label value in the policy */
#define LIMIT_RULES              1024u
#define LIMIT_OVERRIDES          256u
#define LIMIT_DROPINS            256u /* files in berth.d */
#define LIMIT_PLUGINS            32u
#define LIMIT_PLUGIN_SOURCES     256u /* timers and watches of one plugin */
#define LIMIT_PLUGIN_JOBS        64u  /* of the work queue, so that one plugin cannot fill it */
#define LIMIT_PLUGIN_METRICS     64u
#define LIMIT_PLUGIN_PARTS       16u /* the plugin itself and parts of it that claim for themselves */
#define LIMIT_PLUGIN_FIELDS      256u
#define LIMIT_PLUGIN_CONFIG      (64u * 1024) /* bytes of its config struct */
#define LIMIT_PLUGIN_LOG         100u         /* lines of one plugin in 10 s */
#define LIMIT_CALLBACK_USEC      50000u       /* a longer one is an overrun: named in the log */
#define LIMIT_CLAIMS             131072u
#define LIMIT_REASON             192u /* bytes of a reason, with NUL */
#define LIMIT_DESCRIPTIONS       64u  /* describe() keys of one plugin and workload */
#define LIMIT_WORKERS            2u   /* threads of the pool */
#define LIMIT_WORK_QUEUE         256u
#define LIMIT_SLOW_QUEUE         1024u /* writes that may block, waiting */
#define LIMIT_JOURNAL_BYTES      (64u << 20)
#define LIMIT_HISTORY            1024u /* actions and notable events kept for `berthctl history` */
#define LIMIT_ACTIONS_PER_MINUTE 60u   /* of one plugin, by default; see actions.per_minute */
#define LIMIT_PIDS               65536u /* processes of one workload that a per-process knob covers */
#define LIMIT_CPUSET_LEVELS      32u    /* how deep groups lie whose CPUs follow those above */
#define LIMIT_NET_QUEUES         256u   /* of a network device that gets an fq each */
#define LIMIT_NET_WRITES         256u   /* of network devices that wait */
#define LIMIT_NET_WRITE_USEC     10000000u /* of one device, all its queues */
#define LIMIT_PROCESS_WATCHES    256u /* inotify watches of one process knob; more: the timer */
#define LIMIT_RESCTRL_DOMAINS    256u /* caches of one level, or memory controllers */
#define LIMIT_RESCTRL_RESOURCES  8u   /* L3, L2 and bandwidth; caches twice with code and data */
#define LIMIT_UNIT_CALLS         16u  /* units that systemd is asked about at once */
#define LIMIT_UNIT_CALL_USEC     30000000u    /* it answers nobody while it reloads */
#define LIMIT_UNIT_FILES_SEC     120u         /* texts of a unit's files, left by the run before */
#define LIMIT_SERIES             300000u      /* at /metrics; metrics.max_series lowers it */
#define LIMIT_PAGE_BYTES         (128u << 20) /* of the text that is kept of workloads */
#define LIMIT_PAGE_VERSIONS      4u           /* of that text, which slow readers hold */
#define LIMIT_PAGE_FAMILIES      64u          /* that a plugin publishes */
#define LIMIT_PAGE_COLUMNS       64u          /* of one of them */
#define LIMIT_PAGE_IDLE_USEC     300000000u   /* unasked for, the text is given back */
#define LIMIT_HTTP_CONNECTIONS   64u
#define LIMIT_HTTP_TIMEOUT_SEC   10u
#define LIMIT_HTTP_REQUEST_SEC   30u /* a whole request, also one that trickles */
#define LIMIT_HTTP_HEADER_BYTES  (16u * 1024)
#define LIMIT_HTTP_BODY_BYTES    (64u * 1024)
#define LIMIT_STAT_BYTES         (64u * 1024) /* of one file of counters; memory.stat has 2 KiB */
#define LIMIT_KEPT_FILES         8192u        /* files of counters kept open; 4 to 6 KiB each */
#define LIMIT_KEPT_FILES_PERCENT 50u          /* of RLIMIT_NOFILE, if that is less */
#define LIMIT_KEPT_FILE_USEC     60000000u    /* then those that were not there are looked for */
#define LIMIT_KEPT_REST_USEC     60000000u    /* no pass for so long: nothing is kept open */
#define LIMIT_PEEK_GROUPS        64u          /* that are peeked at in one go */
#define LIMIT_DEVICE_NAMES       4096u
#define LIMIT_DEVICE_NAME_USEC   60000000u /* a number may be another device's after that */
#define LIMIT_FLUSH_GROUPS       16u       /* top-level groups whose files are kept open for BPF */

#define LIMIT_BPF_LOADS      8u        /* that wait for the thread; more come with reloads */
#define LIMIT_BPF_ATTEMPTS   3u        /* in one pass, of one group, to compare BPF with files */
#define LIMIT_BPF_GROUPS     8u        /* of one pass that are compared */
#define LIMIT_BPF_PASSES     4u        /* that differ: the part is the files' until a reload */
#define LIMIT_BPF_CHECK_USEC 30000000u /* until the next try, where nothing could be compared */
#define LIMIT_BPF_FIND_USEC  10000000u /* the same, where finding groups lacked fds or memory */

#define LIMIT_PERF_FDS           2048u /* of windows of counters; four for each CPU and workload */
#define LIMIT_PERF_FDS_PERCENT   25u   /* of RLIMIT_NOFILE, if that is less */
#define LIMIT_PERF_OPENS         64u   /* CPUs of one window in one turn of the loop */
#define LIMIT_PERF_USEC          60000000u  /* a window */
#define LIMIT_PERF_ACCURACY_USEC 50000u     /* of its end */
#define LIMIT_PERF_STARVED_NSEC  500000000u /* run in a window without being counted: too many */

#define LIMIT_METRICS_SOCKETS   8u         /* that systemd may pass */
#define LIMIT_WEB_FILE_BYTES    (1u << 20) /* the web config, and each certificate file */
#define LIMIT_WEB_USERS         256u
#define LIMIT_WEB_BCRYPT_COST   14u   /* a second of CPU for each password that is tried */
#define LIMIT_WEB_CREDENTIAL    1024u /* bytes of an Authorization header */
#define LIMIT_WEB_PASSWORDS     32u   /* that wait to be hashed; more: 503 */
#define LIMIT_WEB_CACHE_ALLOWED 64u   /* credentials that are known to be right */
#define LIMIT_WEB_CACHE_DENIED  192u  /* and those known to be wrong */

#define LIMIT_IMPORT_BYTES (10u << 20) /* that `berthctl import` reads; rubik's own limit */
#define LIMIT_IMPORT_NOTES 512u        /* that it tells; more are counted */
