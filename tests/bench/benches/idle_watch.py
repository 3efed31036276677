# SPDX-License-Identifier: Apache-2.0
"""100 pods of 2 containers, a watch open at a real kube-apiserver, and nothing happens. And the same
beside rubik 2.0.1, with 100 pods of 2 containers and CPU and memory priority, as it was measured once
on a machine like this one: 36.0 MiB resident, 12.3 MiB private and dirty, 0.02 % of a core.
"""

import os
import time

from benchlib import cgroups, kube, procfs, report
from benchlib.daemon import Daemon, wait_until
from benches._idle import Sleepers

BAR = (
    "100 pods, watch open, 60 s: < 0.05 % of a core, <= 2 wake-ups/s; of rubik's: RSS <= 40 %, "
    "private <= 20 %, CPU <= 100 %"
)
PODS, SECONDS, CPU_PERCENT, WAKEUPS = 100, 60, 0.05, 2.0
RUBIK_RSS_KIB, RUBIK_PRIVATE_KIB, RUBIK_CPU_PERCENT = 36.0 * 1024, 12.3 * 1024, 0.02


def measure(options, seconds):
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree, Sleepers() as sleepers:
        with kube.Node(tree) as node:
            for number in range(PODS):
                node.add({"berth/qos": "batch" if number % 2 else "high"}, sleepers=sleepers)
            with Daemon(options.build, node.policy()) as daemon:
                node.settle(daemon)
                # Threads of the pool end after 10 s of nothing; what they used ends with them.
                wait_until(lambda: procfs.threads(daemon.pid) == 1, 30, "one thread is left")
                time.sleep(5)
                cpu, wakeups = procfs.cpu_seconds(daemon.pid), procfs.wakeups(daemon.pid)
                begin = time.monotonic()
                time.sleep(seconds)
                wall = time.monotonic() - begin
                cpu = (procfs.cpu_seconds(daemon.pid) - cpu) / wall * 100
                wakeups = procfs.wakeups_since(wakeups, daemon.pid) / wall
                return cpu, wakeups, kube.memory_kib(daemon.pid)


def run(options):
    cpu, wakeups, (rss, peak, private) = measure(options, 10 if options.quick else SECONDS)
    values = {
        "pods": PODS,
        "cpu_percent": round(cpu, 4),
        "wakeups_per_second": round(wakeups, 2),
        "rss_kib": rss,
        "peak_kib": peak,
        "private_dirty_kib": private,
        "rss_ratio": round(rss / RUBIK_RSS_KIB, 3),
        "private_ratio": round(private / RUBIK_PRIVATE_KIB, 3),
        "cpu_ratio": round(cpu / RUBIK_CPU_PERCENT, 2),
    }
    figure = (
        f"{cpu:.4f} % of a core, {wakeups:.2f} wake-ups/s; {rss / 1024:.1f} MiB RSS "
        f"({values['rss_ratio']:.0%} of rubik's), {private / 1024:.1f} MiB private "
        f"({values['private_ratio']:.0%}), CPU {values['cpu_ratio']:.0%}"
    )
    passed = (
        cpu < CPU_PERCENT
        and wakeups <= WAKEUPS
        and values["rss_ratio"] <= 0.4
        and values["private_ratio"] <= 0.2
        and values["cpu_ratio"] <= 1.0
    )
    return report.result("idle-watch", passed, figure, BAR, values)
