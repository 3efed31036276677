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
#define LIMIT_PROCESS_WATCHES    256u   /* inotify watches of one process knob; more: the timer */
#define LIMIT_UNIT_CALLS         16u    /* units that systemd is asked about at once */
#define LIMIT_UNIT_CALL_USEC     5000000u
#define LIMIT_SERIES             100000u
#define LIMIT_HTTP_CONNECTIONS   64u
#define LIMIT_HTTP_TIMEOUT_SEC   10u
#define LIMIT_HTTP_REQUEST_SEC   30u /* a whole request, also one that trickles */
#define LIMIT_HTTP_HEADER_BYTES  (16u * 1024)
#define LIMIT_HTTP_BODY_BYTES    (64u * 1024)
