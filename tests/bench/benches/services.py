# SPDX-License-Identifier: Apache-2.0
"""Every service of colocation on, 100 pods of 2 containers, and nothing happens.

Pods of a real apiserver with groups of the real kernel, half of them batch. All have CPU limits; a
fifth may borrow and save quota, as many have a class of cache, and batch has limits of IO. What a host
cannot do is off there: `values.services` is what each service said of itself while it was measured.
The node's own use is the host's, so a busy machine makes suppression and turbo work. And the same
beside rubik with its services on, as it was measured once with 100 pods: 6.5 % of a core.
"""

import os
import time

from benchlib import cgroups, kube, procfs, report
from benchlib.daemon import Daemon, wait_until
from benches._idle import Sleepers

BAR = "all services on, 100 pods, steady: < 0.3 % of a core, < 16 MiB RSS"
PODS, SECONDS, QUICK_SECONDS, SETTLE_SECONDS = 100, 60, 20, 15
CPU_PERCENT, RSS_KIB, RUBIK_CPU_PERCENT = 0.3, 16 * 1024, 6.5
PERIOD_USEC, QUOTA_USEC = 100000, 20000

SERVICES = """
plugins:
  exporter: {enabled: true}
  colocation:
    suppress: {enabled: true}
    placement: {tidal: {enabled: true}}
    turbo: {enabled: true}
    burst: {enabled: true}
    shares: {enabled: true}
    cache: {enabled: true}
    interference: {enabled: true}
    network: {enabled: true, water_line: 110Mi, low: 4Mi, high: 100Mi}
    evict: {enabled: true, without_api: refuse}
    io: {enabled: true, limits: {batch: ["* read_bps=1Gi"]}}
"""


def annotations(number):
    """Of one pod; what it opts in for goes round, so that both levels have some of each."""
    found = {"berth/qos": "batch" if number % 2 else "high"}
    if number % 10 in (0, 1):
        found |= {"volcano.sh/quota-turbo": "true", "volcano.sh/quota-burst-time": "10000"}
    if number % 10 in (2, 3):
        found["volcano.sh/cache-limit"] = "low"
    return found


def set_quota(tree, group):
    if tree.version == 2:
        cgroups.write(tree.path(group) + "/cpu.max", f"{QUOTA_USEC} {PERIOD_USEC}")
    else:
        cgroups.write(tree.path(group) + "/cpu.cfs_quota_us", str(QUOTA_USEC))


def populate(tree, node, sleepers):
    for number in range(PODS):
        pod = node.add(annotations(number), sleepers=sleepers, limits={"cpu": "400m"})
        for entry in os.scandir(tree.path(pod.group)):
            if entry.is_dir():
                set_quota(tree, f"{pod.group}/{entry.name}")


def said(daemon):
    """{service: what it says of itself}"""
    return {item["key"]: item["value"] for item in daemon.json("/v1/plugins")["descriptions"]}


def plugin(daemon, name):
    return next(p for p in daemon.json("/v1/status")["plugins"] if p["name"] == name)


def measure(daemon, seconds):
    cpu, wakeups = procfs.cpu_seconds(daemon.pid), procfs.wakeups(daemon.pid)
    begin = time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - begin
    cpu = (procfs.cpu_seconds(daemon.pid) - cpu) / wall * 100
    wakeups = procfs.wakeups_since(wakeups, daemon.pid) / wall
    return cpu, wakeups


def run(options):
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree, Sleepers() as sleepers:
        with kube.Node(tree) as node:
            populate(tree, node, sleepers)
            with Daemon(options.build, node.policy() + SERVICES) as daemon:
                node.settle(daemon)
                # Threads of the pool end after 10 s of nothing; what they used ends with them.
                wait_until(lambda: procfs.threads(daemon.pid) == 1, 30, "one thread is left")
                time.sleep(SETTLE_SECONDS)
                before = plugin(daemon, "colocation")
                writes = daemon.json("/v1/status")["actuator"]["writes"]
                cpu, wakeups = measure(daemon, QUICK_SECONDS if options.quick else SECONDS)
                rss, peak, private = kube.memory_kib(daemon.pid)
                fds = procfs.fds(daemon.pid)
                after, services = plugin(daemon, "colocation"), said(daemon)
                writes = daemon.json("/v1/status")["actuator"]["writes"] - writes
    callbacks = after["callbacks"] - before["callbacks"]
    busy = after["busy_usec"] - before["busy_usec"]
    for name, text in sorted(services.items()):
        print(f"  {name}: {text}", flush=True)
    values = {
        "pods": PODS, "cpu_percent": round(cpu, 4), "wakeups_per_second": round(wakeups, 2),
        "rss_kib": rss, "peak_kib": peak, "private_dirty_kib": private, "fds": fds,
        "writes": writes, "overruns": after["overruns"],
        "overruns_steady": after["overruns"] - before["overruns"],
        "callback_mean_usec": round(busy / max(callbacks, 1)),
        "callback_longest_usec": after["longest_usec"],
        "callback_longest_cpu_usec": after["longest_cpu_usec"],
        "cpu_ratio": round(cpu / RUBIK_CPU_PERCENT, 3), "services": services,
    }  # fmt: skip
    figure = (
        f"{cpu:.3f} % of a core ({values['cpu_ratio']:.1%} of rubik's), {wakeups:.1f} wake-ups/s; "
        f"{rss / 1024:.1f} MiB RSS, {private / 1024:.1f} MiB private, {fds} fds; longest callback "
        f"{after['longest_usec'] / 1000:.1f} ms since the start, {after['overruns']} overruns; on a "
        f"CPU {after['longest_cpu_usec'] / 1000:.1f} ms"
    )
    return report.result("services", cpu < CPU_PERCENT and rss < RSS_KIB, figure, BAR, values)
