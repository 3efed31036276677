# SPDX-License-Identifier: Apache-2.0
"""A start on a node of 1,000 pods: until every level is decided and every knob claimed, and what
memory that takes and leaves.

The time is from exec: it has the start itself and the server's answer of four pages in it.
"""

import os
import time

from benchlib import cgroups, kube, report
from benchlib.daemon import Daemon, DaemonFailed, wait_until

BAR = (
    "1,000 pods at start: all knobs decided < 300 ms; peak RSS < 32 MiB, back under 20 MiB"
)
LIMIT_MSEC, PEAK_KIB, REST_KIB, PODS = 300.0, 32 * 1024, 20 * 1024, 1000


def decided(daemon):
    """(pods known by name, claims held). Asked of /v1/status: /metrics would take a telemetry pass
    each time."""
    status = daemon.json("/v1/status")
    source = next(s for s in status["sources"] if s["name"] == "kubernetes")
    return source["workloads"], status["actuator"]["claims"]


def claims_at_rest(options, text, pods):
    """How many claims these pods lead to: the number that two looks, two seconds apart, agree on."""
    with Daemon(options.build, text) as daemon:
        wait_until(lambda: decided(daemon)[0] == pods, 30, f"{pods} pods")
        before = None
        while (now := decided(daemon)[1]) != before:
            before = now
            time.sleep(2)
        if now < pods:
            raise DaemonFailed(f"{now} claims for {pods} pods")
        return now


def once(options, text, expected):
    with Daemon(options.build, text) as daemon:
        begin = time.monotonic() - daemon.ready_seconds
        while decided(daemon) != expected:
            if time.monotonic() - begin > 30:
                raise DaemonFailed(f"{decided(daemon)} instead of {expected} after 30 s")
            time.sleep(0.01)
        took = (time.monotonic() - begin) * 1000
        # What only the list needed is given back within seconds.
        time.sleep(3)
        rss, peak, _ = kube.memory_kib(daemon.pid)
        return took, rss, peak


def run(options):
    pods = 200 if options.quick else PODS
    times = 2 if options.quick else 5
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree, kube.Node(tree) as node:
        for number in range(pods):
            node.add({"berth/qos": "batch" if number % 2 else "high"}, containers=1)
        expected = (pods, claims_at_rest(options, node.policy(), pods))
        samples = [once(options, node.policy(), expected) for _ in range(times)]
    for took, rss, peak in samples:
        print(f"{took:.0f} ms, peak {peak} KiB, after {rss} KiB", flush=True)
    values = {
        "pods": pods,
        "claims": expected[1],
        "median_msec": round(report.median([s[0] for s in samples]), 1),
        "max_msec": round(max(s[0] for s in samples), 1),
        "rss_kib": max(s[1] for s in samples),
        "peak_kib": max(s[2] for s in samples),
    }
    figure = (
        f"median {values['median_msec']} ms, max {values['max_msec']} ms; peak "
        f"{values['peak_kib'] / 1024:.1f} MiB, after {values['rss_kib'] / 1024:.1f} MiB"
    )
    passed = (
        values["median_msec"] < LIMIT_MSEC
        and values["peak_kib"] < PEAK_KIB
        and values["rss_kib"] < REST_KIB
    )
    return report.result("list", passed, figure, BAR, values)
