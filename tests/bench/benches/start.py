# SPDX-License-Identifier: Apache-2.0
"""From exec to READY, with many cgroups there."""

import os

from benchlib import cgroups, report
from benchlib.daemon import Daemon, policy, wait_until

BAR = "start to READY with 1,000 cgroups < 300 ms"
LIMIT_MSEC, GROUPS, TIMES = 300.0, 1000, 7


def run(options):
    times = 3 if options.quick else TIMES
    ready = []
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree:
        for number in range(GROUPS):
            tree.make_leaf(f"{'batch' if number % 2 else 'online'}-{number}")
        text = policy(
            [f"{tree.name}/*"],
            [(f"{tree.name}/batch-*", "batch"), (f"{tree.name}/online-*", "high")],
        )
        for _ in range(times):
            with Daemon(options.build, text) as daemon:
                ready.append(daemon.ready_seconds * 1000)
                wait_until(lambda: daemon.groups() == GROUPS, 20,
                           f"{GROUPS} workloads")  # fmt: skip
            print(f"ready after {ready[-1]:.0f} ms", flush=True)
    values = {
        "groups": GROUPS,
        "times": times,
        "median_msec": round(report.median(ready), 1),
        "max_msec": round(max(ready), 1),
    }
    figure = f"median {values['median_msec']} ms, max {values['max_msec']} ms of {times} starts"
    return report.result("start", values["median_msec"] < LIMIT_MSEC, figure, BAR, values)
