# SPDX-License-Identifier: Apache-2.0
"""One phase of online load, with or without batch work and Berth: what the demo and `interference`
repeat."""

import contextlib
import time

from . import procfs
from .daemon import Daemon, DaemonFailed, policy, wait_until
from .load import Hog

PHASES = ("alone", "unmanaged", "berth")
# Above this share of the machine, processes that are neither ours nor berthd (and a hypervisor that
# takes the CPU away) decide the tail of the latencies.
DISTURBED_PERCENT = 3.0
TRIES = 3


def bench_policy(tree, listen=""):
    return policy(
        [f"{tree.name}/*"],
        [(f"{tree.name}/online", "high"), (f"{tree.name}/batch", "batch")],
        listen,
    )


def knobs(tree):
    """What Berth changes of the CPU: compared before, during and after."""
    names = ("cpu.idle", "cpu.weight", "cpu.shares")
    return {g: {n: tree.knob(g, n) for n in names} for g in ("online", "batch")}


def measure(server, tree, label, seconds):
    """The server's own numbers and what the batch group and the machine used meanwhile."""
    begin = time.monotonic()
    busy, online, batch = procfs.busy_seconds(), tree.cpu_seconds("online"), tree.cpu_seconds(
        "batch"
    )  # fmt: skip
    result = server.phase(label, seconds)
    wall = time.monotonic() - begin
    batch = tree.cpu_seconds("batch") - batch
    online = tree.cpu_seconds("online") - online
    busy = procfs.busy_seconds() - busy
    total = wall * procfs.cpus()
    others = max(busy - online - batch, 0.0)
    left_over = total - online - others
    result.update(
        others_percent=round(100.0 * others / total, 1),
        batch_cpu_seconds=round(batch, 3),
        online_cpu_seconds=round(online, 3),
        node_busy_percent=round(min(100.0 * busy / total, 100.0), 1),
        batch_share_percent=round(min(100.0 * batch / left_over, 100.0), 1) if left_over else 0.0,
    )
    return result


def run(build, server, tree, kind, label, seconds, listen="", observe=None):
    """One phase. observe(daemon) is called before and after what is measured with Berth."""
    if label == "alone":
        return measure(server, tree, label, seconds)
    with contextlib.ExitStack() as stack:
        daemon, original = None, knobs(tree)
        if label == "berth":
            daemon = stack.enter_context(Daemon(build, bench_policy(tree, listen)))
            wait_until(lambda: knobs(tree) != original, 30, "berthd changed no knob of the batch")
        stack.enter_context(Hog(build, tree, "batch", kind))
        if daemon and observe:
            observe(daemon)
        result = measure(server, tree, label, seconds)
        if daemon:
            if observe:
                observe(daemon)
            daemon.stop()
            if knobs(tree) != original:
                raise DaemonFailed(f"not restored: {knobs(tree)}, was {original}")
    return result


def run_undisturbed(build, server, tree, kind, label, seconds, deadline, listen="", observe=None):
    """run(), again while others were in the way: judged by their CPU use, never by the latency."""
    for tries in range(1, TRIES + 1):
        numbers = run(build, server, tree, kind, label, seconds, listen, observe)
        if numbers["others_percent"] <= DISTURBED_PERCENT or time.monotonic() > deadline:
            break
    numbers["tries"] = tries
    return numbers
