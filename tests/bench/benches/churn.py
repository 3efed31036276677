# SPDX-License-Identifier: Apache-2.0
"""Cgroups that come and go all the time."""

import contextlib
import os
import time

from benchlib import cgroups, procfs, report
from benchlib.daemon import Daemon, DaemonFailed, policy, wait_until

BAR = "50 cgroups/s made and removed for 60 s: nothing above debug logged, no leak, < 5 % of a core"
RATE, SECONDS, CPU_PERCENT = 50, 60, 5.0
LIVE = 25  # groups at a time: each lives half a second
LEAK_KIB = 256


class Churn:
    """Groups made at a steady rate, each removed LIVE groups later."""

    def __init__(self, tree):
        self.tree = tree
        self.made = self.removed = 0

    def step(self):
        self.tree.make_leaf(f"batch/job-{self.made}")
        self.made += 1
        if self.made - self.removed > LIVE:
            self.remove_one()

    def remove_one(self):
        self.tree.unmake(f"batch/job-{self.removed}")
        self.removed += 1

    def go(self, seconds):
        """Returns the rate that was reached."""
        begin = time.monotonic()
        count = int(seconds * RATE)
        for turn in range(count):
            self.step()
            time.sleep(max(begin + (turn + 1) / RATE - time.monotonic(), 0))
        while self.removed < self.made:
            self.remove_one()
        return count / (time.monotonic() - begin)


def usage(daemon, fds=None):
    """(fds, private KiB) when no group is left. fds: that it is to come back to, as a worker that has
    nothing to do any more ends after a while, and with the last one an eventfd."""
    wait_until(lambda: daemon.groups() == 0, 30, "berthd forgot every group")
    if fds is not None:
        with contextlib.suppress(DaemonFailed):  # the figure says so
            wait_until(lambda: procfs.fds(daemon.pid) <= fds, 30, "no fd is left over")
    return procfs.fds(daemon.pid), procfs.memory_kib(daemon.pid)[1]


def run(options):
    seconds = 5 if options.quick else SECONDS
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree:
        tree.make("batch")
        text = policy([f"{tree.name}/batch/*"], [(f"{tree.name}/batch/*", "batch")])
        with Daemon(options.build, text) as daemon:
            churn = Churn(tree)
            churn.go(seconds / 6)  # what is allocated once is allocated now
            fds, private = usage(daemon)
            logged = len(daemon.lines)
            cpu = procfs.cpu_seconds(daemon.pid)
            begin = time.monotonic()
            rate = churn.go(seconds)
            cpu = (procfs.cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin) * 100
            fds_after, private_after = usage(daemon, fds)
            writes = daemon.total("berth_knob_writes_total")
            noise = daemon.lines[logged:]
    for line in noise[:10]:
        print("    " + line)
    values = {
        "rate_per_second": round(rate, 1),
        "made": churn.made,
        "knob_writes": writes,
        "cpu_percent": round(cpu, 3),
        "fds_growth": fds_after - fds,
        "private_kib_growth": private_after - private,
        "log_lines": len(noise),
        "log_first": noise[0] if noise else "",
    }
    figure = (
        f"{rate:.0f} groups/s: {cpu:.2f} % of a core, {len(noise)} lines logged, "
        f"fds {values['fds_growth']:+d}, private memory {values['private_kib_growth']:+d} KiB"
    )
    passed = (
        not noise
        and values["fds_growth"] <= 0
        and values["private_kib_growth"] <= LEAK_KIB
        and cpu < CPU_PERCENT
        and rate > RATE * 0.9
        and writes >= churn.made * 0.5
    )
    return report.result("churn", passed, figure, BAR, values)
