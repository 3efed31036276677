# SPDX-License-Identifier: Apache-2.0
"""1,000 pods with the exporter on, and nobody scrapes: how often berthd wakes up, what it keeps open
and what the kernel keeps for it. The quietest of three windows counts: groups that others make on this
machine are news to it as well.
"""

import os
import re
import time

from benchlib import cgroups, procfs, report
from benchlib.daemon import Daemon, policy, wait_until

BAR = "1,000 pods, nobody scrapes: <= 1 wake-up/s, no kernel thread per cgroup, <= 16 fds"
PODS, SECONDS, WAKEUPS, FDS = 1000, 30, 1.0, 16


def kernel_threads():
    """Those that a user of cgroups can cause: monitors of pressure triggers, io_uring's workers."""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as stream:
                found += re.match(r"psimon|iou-", stream.read()) is not None
        except OSError:
            pass  # it ended meanwhile
    return found


def window(daemon, seconds):
    """(wake-ups a second, percent of a core)"""
    wakeups, cpu = procfs.wakeups(daemon.pid), procfs.cpu_seconds(daemon.pid)
    begin = time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - begin
    return (
        procfs.wakeups_since(wakeups, daemon.pid) / wall,
        (procfs.cpu_seconds(daemon.pid) - cpu) / wall * 100,
    )


def run(options):
    pods, seconds = (200, 10) if options.quick else (PODS, SECONDS)
    threads = kernel_threads()
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree:
        for number in range(pods):
            tree.make_leaf(f"pod-{number}")
        text = policy([f"{tree.name}/*"], [(f"{tree.name}/pod-*5", "batch")])
        with Daemon(options.build, text) as daemon:
            wait_until(lambda: daemon.groups() == pods, 20, f"{pods} groups")
            # Knobs are written, what the start needed is given back, threads of the pool have ended.
            wait_until(lambda: procfs.threads(daemon.pid) == 1, 30, "one thread is left")
            time.sleep(5)
            wakeups, cpu = min(window(daemon, seconds) for _ in range(3))
            fds = procfs.fds(daemon.pid)
            threads = kernel_threads() - threads
    values = {"pods": pods, "wakeups_per_second": round(wakeups, 2), "cpu_percent": round(cpu, 4),
              "fds": fds, "kernel_threads": threads}  # fmt: skip
    figure = (f"{wakeups:.2f} wake-ups/s, {cpu:.4f} % of a core, {fds} fds, {threads} kernel threads "
              f"more with {pods} pods")  # fmt: skip
    passed = wakeups <= WAKEUPS and fds <= FDS and threads <= 0
    return report.result("idle", passed, figure, BAR, values)
