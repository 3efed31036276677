# SPDX-License-Identifier: Apache-2.0
"""Quota turbo of 100 containers at 100 ms: what it costs, and what it does for one that is bursty.

Pods of a real apiserver with groups of the real kernel. Only the node's CPU use is made up
(/proc/stat of two CPUs): what others have, which is constant, and what the groups really use; so
that the figure is that of turbo and not of what else the machine does. The bursty one wants 1.5
times its limit for a second, and a tenth of it for the next one.
"""

import os
import subprocess
import sys
import tempfile
import time

from benchlib import cgroups, procfs, report
from benchlib.daemon import Daemon
from benchlib.kube import Node

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../daemon"))
from madeup import Host  # noqa: E402

BAR = (
    "100 containers at 100 ms: < 0.5 % of a core while one is raised; nr_throttled of a bursty pod "
    "down by >= 95 %, node use under the alarm line"
)
CONTAINERS, LIMIT_USEC, OTHERS_PERCENT, CPUS, ALARM = 100, 10000, 40, 2, 80
CORE_PERCENT, FALL_PERCENT = 0.5, 95
BURSTY = """
import sys, time
limit = float(sys.argv[1])
begin = time.monotonic()
while True:
    now = time.monotonic() - begin
    wanted = 1.5 * limit if now % 2 < 1 else 0.1 * limit
    until = time.process_time() + wanted
    while time.process_time() < until:
        pass
    rest = 0.1 - (time.monotonic() - begin) % 0.1
    time.sleep(rest)
"""


class Bursty:
    """As a context, in a group."""

    def __init__(self, tree, group):
        paths = [d + "/cgroup.procs" for d in tree.directories(group)]

        def enter():
            procfs.die_with_parent(9)
            for path in paths:
                cgroups.write(path, "0")

        self.process = subprocess.Popen(
            [sys.executable, "-c", BURSTY, str(LIMIT_USEC / 1e6)], preexec_fn=enter
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Use:
    """The node: what others have and what the groups do use."""

    def __init__(self, tree, host):
        self.tree, self.host = tree, host
        self.before = None
        self.worst = 0.0

    def look(self):
        now, used = time.monotonic(), self.tree.cpu_seconds("")
        if self.before and now - self.before[0] < 0.2:
            return
        if self.before:
            share = (used - self.before[1]) / (now - self.before[0]) / CPUS
            self.host.percent = min(OTHERS_PERCENT + 100 * share, 100)
            self.worst = max(self.worst, self.host.percent)
        self.before = now, used


def set_quota(tree, group, usec):
    if tree.version == 2:
        cgroups.write(tree.path(group) + "/cpu.max", f"{usec} 100000")
    else:
        cgroups.write(tree.path(group) + "/cpu.cfs_quota_us", str(usec))


def quota(tree, group):
    name = "cpu.max" if tree.version == 2 else "cpu.cfs_quota_us"
    return int(tree.knob(group, name).split()[0])


def counted(tree, group):
    text = tree.knob(group, "cpu.stat")
    return cgroups.field(text, "nr_throttled"), cgroups.field(text, "nr_periods")


def watch(tree, host, group, seconds):
    """(throttled, periods, worst use of the node) in so many seconds."""
    use, before = Use(tree, host), counted(tree, group)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        use.look()
        time.sleep(0.02)
    after = counted(tree, group)
    return after[0] - before[0], after[1] - before[1], use.worst


def policy(node, law):
    return node.policy() + f"plugins: {{colocation: {{turbo: {{{law}}}}}}}\n"


def with_law(options, tree, node, host, law, seconds):
    group = node.leaf
    with Daemon(options.build, policy(node, f"law: {law}"), root=str(host.root)) as daemon:
        node.settle(daemon)
        # Cold: the first second, and rubik's minute in which nothing may vary, are in it.
        cpu, begin = procfs.cpu_seconds(daemon.pid), time.monotonic()
        throttled, periods, worst = watch(tree, host, group, seconds)
        cost = 100 * (procfs.cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
        changes = daemon.metrics().get("berth_colocation_turbo_changes_total", 0)
        problems = daemon.problems()
    back = quota(tree, group) == LIMIT_USEC and quota(tree, os.path.dirname(group)) == LIMIT_USEC
    return {
        "throttled": throttled, "periods": periods, "node_use_percent": round(worst, 1),
        "core_percent": round(cost, 3), "changes": int(changes), "given_back": back,
        "problems": len(problems),
    }  # fmt: skip


def at_rest(options, node, host, seconds):
    """Nobody is throttled."""
    with Daemon(options.build, policy(node, "enabled: true"), root=str(host.root)) as daemon:
        node.settle(daemon)
        time.sleep(2)
        cpu, begin = procfs.cpu_seconds(daemon.pid), time.monotonic()
        time.sleep(seconds)
        return 100 * (procfs.cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)


def populate(tree, node):
    for _ in range(CONTAINERS):
        pod = node.add(
            {"volcano.sh/quota-turbo": "true"}, containers=1, limits={"cpu": "100m"}
        )
        leaf = next(e.name for e in os.scandir(tree.path(pod.group)) if e.is_dir())
        node.leaf = f"{pod.group}/{leaf}"
        set_quota(tree, pod.group, LIMIT_USEC)
        set_quota(tree, node.leaf, LIMIT_USEC)


def run(options):
    seconds, alone_seconds = (40, 12) if options.quick else (90, 60)
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree, Node(tree) as node:
        populate(tree, node)
        cgroups.write(
            tree.path("") + ("/cpu.weight" if tree.version == 2 else "/cpu.shares"), "10000"
        )
        with tempfile.TemporaryDirectory(prefix="berth-turbo-") as directory, Host(
            directory + "/root", OTHERS_PERCENT, CPUS
        ) as host:
            rest = at_rest(options, node, host, alone_seconds / 2)
            with Bursty(tree, node.leaf):
                time.sleep(1)
                alone = watch(tree, host, node.leaf, alone_seconds)
                laws = {
                    law: with_law(options, tree, node, host, law, seconds)
                    for law in (("pressure",) if options.quick else ("pressure", "rubik"))
                }
    share = {"alone": alone[0] / max(alone[1], 1)}
    for law, numbers in laws.items():
        share[law] = numbers["throttled"] / max(numbers["periods"], 1)
        numbers["fall_percent"] = round(100 * (1 - share[law] / max(share["alone"], 1e-9)), 1)
    best = laws["pressure"]
    rubik = laws.get("rubik")
    other = (
        f" (law rubik: {rubik['fall_percent']} % less, {rubik['core_percent']} % of a core)"
        if rubik else ""
    )  # fmt: skip
    figure = (
        f"{best['core_percent']} % of a core while raised, {rest:.3f} % at rest; throttled in "
        f"{100 * share['pressure']:.1f} % of its periods instead of {100 * share['alone']:.0f} %: "
        f"{best['fall_percent']} % less{other}; node use {best['node_use_percent']} %"
    )
    passed = (
        best["core_percent"] < CORE_PERCENT
        and best["fall_percent"] >= FALL_PERCENT
        and best["node_use_percent"] < ALARM
        and all(numbers["given_back"] for numbers in laws.values())
    )
    values = {"rest_core_percent": round(rest, 4), "alone": alone, **laws}
    return report.result("turbo", passed, figure, BAR, values)
