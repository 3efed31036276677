# SPDX-License-Identifier: Apache-2.0
"""From a cgroup's appearance to its knob written."""

import os
import time

from benchlib import cgroups, phases, report
from benchlib.daemon import Daemon, policy, wait_until

BAR = "cgroup appears to knob written, 500 times: p99 < 20 ms"
LIMIT_MSEC, TIMES = 20.0, 500
# Berth changes one of these, whichever way this kernel has.
KNOBS = ("cpu.idle", "cpu.weight", "cpu.shares")


def state(directory):
    texts = []
    for name in KNOBS:
        try:
            texts.append(cgroups.read(os.path.join(directory, name)))
        except OSError:
            texts.append(None)
    return texts


def once(tree, group, original):
    """Milliseconds, or None when nothing was written within ten seconds."""
    directory = tree.path(group)
    begin = time.monotonic()
    tree.make_leaf(group)
    try:
        while time.monotonic() - begin < 10:
            if state(directory) != original:
                return (time.monotonic() - begin) * 1000
            # Short against the bar, and it leaves the CPU to the daemon.
            time.sleep(0.0001)
        return None
    finally:
        tree.unmake(group)


def run(options):
    times = 200 if options.quick else TIMES
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree:
        tree.make("batch")
        tree.make_leaf("plain")
        original = state(tree.path("plain"))
        text = policy([f"{tree.name}/batch/*"], [(f"{tree.name}/batch/*", "batch")])
        with Daemon(options.build, text) as daemon:
            tree.make_leaf("batch/first")
            wait_until(lambda: state(tree.path("batch/first")) != original, 30,
                       "berthd changed no knob of a new batch group")  # fmt: skip
            samples = []
            for turn in range(times):
                samples.append(once(tree, f"batch/job-{turn}", original))
                time.sleep(0.02)
            problems = daemon.problems()
    missed = samples.count(None)
    found = [sample for sample in samples if sample is not None]
    if not found:
        raise phases.DaemonFailed("no group's knob was ever written")
    values = {
        "times": times,
        "missed": missed,
        "p50_msec": round(report.quantile(found, 0.5), 2),
        "p99_msec": round(report.quantile(found, 0.99), 2),
        "max_msec": round(max(found), 2),
        "log_problems": len(problems),
    }
    figure = (
        f"p50 {values['p50_msec']} ms, p99 {values['p99_msec']} ms, "
        f"max {values['max_msec']} ms of {times}; {missed} never written"
    )
    passed = missed == 0 and values["p99_msec"] < LIMIT_MSEC
    return report.result("react", passed, figure, BAR, values)
