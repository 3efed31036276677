# SPDX-License-Identifier: Apache-2.0
"""What berthd costs when nothing changes."""

import os
import time

from benchlib import cgroups, procfs, report
from benchlib.daemon import Daemon, policy, wait_until
from benches._idle import Sleepers

BAR = (
    "100 pods of 2 containers: RSS < 8 MiB, < 0.02 % of a core at rest; 1,000 containers: "
    "RSS < 16 MiB, < 0.1 %; at most 1 wake-up a second"
)
SECONDS = 60
# name, pods, containers of each, KiB resident, percent of a core
CASES = (("100_pods", 100, 2, 8 * 1024, 0.02), ("1000_containers", 500, 2, 16 * 1024, 0.1))


def populate(tree, sleepers, pods, containers):
    """Half of the pods are batch. Returns how many workloads that makes."""
    for pod in range(pods):
        name = f"{'batch' if pod % 2 else 'online'}-{pod}"
        tree.make(name)
        for container in range(containers):
            tree.make_leaf(f"{name}/c{container}")
            sleepers.add(tree, f"{name}/c{container}")
    return pods * (1 + containers)


def settle(daemon, workloads):
    """Until all are known, their knobs written, and two looks apart by a second are the same."""
    wait_until(lambda: daemon.groups() == workloads, 20, f"{workloads} workloads")
    before = None
    for _ in range(30):
        now = daemon.total("berth_knob_writes_total")
        if now == before and now > 0:
            return
        before = now
        time.sleep(1)


def measure(options, case, seconds):
    name, pods, containers, rss_limit, cpu_limit = case
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree, Sleepers() as sleepers:
        workloads = populate(tree, sleepers, pods, containers)
        text = policy(
            [f"{tree.name}/*", f"{tree.name}/*/*"],
            [(f"{tree.name}/batch-*", "batch"), (f"{tree.name}/online-*", "high")],
            only=False,
        )
        with Daemon(options.build, text) as daemon:
            settle(daemon, workloads)
            cpu, wakeups = procfs.cpu_seconds(daemon.pid), procfs.wakeups(daemon.pid)
            begin = time.monotonic()
            time.sleep(seconds)
            wall = time.monotonic() - begin
            cpu = (procfs.cpu_seconds(daemon.pid) - cpu) / wall * 100
            wakeups = procfs.wakeups_since(wakeups, daemon.pid) / wall
            rss, private = procfs.memory_kib(daemon.pid)
    print(f"{name}: {rss} KiB RSS, {private} KiB private, {cpu:.4f} % of a core, "
          f"{wakeups:.2f} wake-ups/s", flush=True)  # fmt: skip
    return {
        "rss_kib": rss,
        "private_kib": private,
        "cpu_percent": round(cpu, 4),
        "wakeups_per_second": round(wakeups, 2),
        "workloads": workloads,
        "pass": rss < rss_limit and cpu < cpu_limit and wakeups <= 1.0,
    }


def run(options):
    seconds = 10 if options.quick else SECONDS
    values = {case[0]: measure(options, case, seconds) for case in CASES}
    small, large = (values[case[0]] for case in CASES)
    figure = (
        f"100 pods: {small['rss_kib'] / 1024:.1f} MiB, {small['cpu_percent']:.3f} % of a core, "
        f"{small['wakeups_per_second']:.2f} wake-ups/s; 1,000 containers: "
        f"{large['rss_kib'] / 1024:.1f} MiB, {large['cpu_percent']:.3f} %, "
        f"{large['wakeups_per_second']:.2f} wake-ups/s"
    )
    return report.result("footprint", small["pass"] and large["pass"], figure, BAR, values)
