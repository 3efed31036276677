# SPDX-License-Identifier: Apache-2.0
"""Online load that goes up and down in steps beside offline work that takes all it gets.

The same trace is run alone and with offline work and Berth, turn about. Of each step the online
requests' p99 is compared, with what comes before suppression has seen the step; of each minute, what
offline work got with what the target left (target minus all that was busy but not offline work). Then
the load is steady, and changes are counted.
"""

import math
import os
import time

from benchlib import cgroups, guest, load, phases, procfs, report
from benchlib.daemon import Daemon, DaemonFailed, policy, wait_until

BAR = (
    "online p99 <= 1.25 x alone at every step; offline gets >= 90 % of what the target leaves over a "
    "minute; <= 10 changes a minute when the load is steady"
)
HAS_VM = True
TRACE = (10, 30, 50, 20, 40)
TARGET = 0.65
STEP_SECONDS, ROUNDS = 12, 2
GUEST_CPUS = "4"  # the least for which `by: auto` takes a set of CPUs, too
P99_RATIO, SHARE, CHANGES = 1.25, 90.0, 10.0
OFFLINE = ("batch-a", "batch-b")
BUDGET_METRIC = "berth_colocation_suppress_budget_cores"
CHANGES_METRIC = "berth_colocation_suppress_changes_total"


def on_host(options, seconds, rounds):
    """[step], {steady}"""
    steps = []
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree:
        for group in ("online", *OFFLINE):
            tree.make_leaf(group)
        with load.Server(options.build, tree, "online") as server:
            server.phase("warm", 0.5)
            for _ in range(rounds):
                steps += [one_step(server, tree, "alone", load_, seconds) for load_ in TRACE]
                together, steady = with_berth(options, server, tree, seconds)
                steps += together
    return steps, steady


def with_berth(options, server, tree, seconds):
    rules = [(f"{tree.name}/online", "high"), (f"{tree.name}/batch-*", "batch")]
    text = policy([f"{tree.name}/*"], rules) + "plugins: {colocation: {suppress: {enabled: true}}}\n"
    with Daemon(options.build, text) as daemon:
        with load.Hog(options.build, tree, OFFLINE[0], "compute"), \
                load.Hog(options.build, tree, OFFLINE[1], "compute"):
            wait_until(lambda: 0 < daemon.total(BUDGET_METRIC) < math.inf, 10, "a budget")
            server.phase("warm", 8, TRACE[0])  # what the start of the daemon took is not online load
            steps = [one_step(server, tree, "berth", load_, seconds) for load_ in TRACE]
            server.phase("warm", 8, 30)
            before = changes(daemon)
            one_step(server, tree, "steady", 30, 4 * seconds)
            steady = {"changes": changes(daemon) - before, "seconds": 4 * seconds}
        daemon.stop()
        if any(is_held(tree, group) for group in OFFLINE):
            raise DaemonFailed("a quota was left behind")
    return steps, steady


def is_held(tree, group):
    if tree.version == 2:
        return not tree.knob(group, "cpu.max").startswith("max")
    return not tree.knob(group, "cpu.cfs_quota_us").startswith("-")


def changes(daemon):
    return int(daemon.total(CHANGES_METRIC))


def one_step(server, tree, label, utilisation, seconds):
    begin, busy = time.monotonic(), procfs.busy_seconds()
    online = tree.cpu_seconds("online")
    batch = sum(tree.cpu_seconds(group) for group in OFFLINE)
    numbers = server.phase(label, seconds, utilisation)
    wall = time.monotonic() - begin
    numbers.update(
        utilisation=utilisation, cpus=procfs.cpus(), wall_usec=wall * 1e6,
        busy_usec=(procfs.busy_seconds() - busy) * 1e6,
        online_usec=(tree.cpu_seconds("online") - online) * 1e6,
        batch_usec=(sum(tree.cpu_seconds(group) for group in OFFLINE) - batch) * 1e6,
    )  # fmt: skip
    show(numbers)
    return numbers


def in_guest(options, seconds, rounds):
    """The same, driven by the scenario, in counted instructions, so that time in the guest is its own,
    whatever else the host does; once. Its CPUs share one thread of the host: together they do the work
    of one, and load is in percent of that."""
    lines = guest.run(
        options, "STEP|STEADY", "suppress", "trace", seconds, "polite",
        rig=("--kernel", "6.12", "--icount", "--icount-shift", "2", "--cpus", GUEST_CPUS),
    )  # fmt: skip
    steady = next(line for line in lines if "changes" in line)
    steps = []
    for label in ("alone", "berth"):
        these = [line for line in lines if line.get("label") == label]
        steps += [{**step, "utilisation": load_} for step, load_ in zip(these, TRACE, strict=True)]
    return steps, steady


def left_usec(step):
    """What the target left to offline work."""
    others = max(step["busy_usec"] - step["batch_usec"], 0)
    return max(TARGET * step["cpus"] * step["wall_usec"] - others, 0)


def show(step):
    share = 100 * step["batch_usec"] / left_usec(step) if left_usec(step) else 0
    print(
        f"{step['label']:7} {step['utilisation']:3} %: p50 {step['p50_usec']:8.0f} us"
        f"  p99 {step['p99_usec']:8.0f} us  offline {step['batch_usec'] / step['wall_usec']:5.2f} CPUs"
        f" ({share:5.1f} % of what the target leaves)", flush=True)  # fmt: skip


def worst_minute(steps):
    """The least share over a minute, in percent: windows of steps that are a minute or all there are."""
    shares = []
    for first in range(len(steps)):
        wall = got = left = 0.0
        for step in steps[first:]:
            wall, got = wall + step["wall_usec"], got + step["batch_usec"]
            left += left_usec(step)
            if wall >= 59e6:
                break
        if wall >= 59e6 or first == 0:
            shares.append(100 * got / left if left else 100.0)
    return min(shares)


def summarise(steps, steady):
    alone = [step for step in steps if step["label"] == "alone"]
    berth = [step for step in steps if step["label"] == "berth"]
    ratios = {}
    for utilisation in TRACE:
        p99 = {
            label: report.median([s["p99_usec"] for s in these if s["utilisation"] == utilisation])
            for label, these in (("alone", alone), ("berth", berth))
        }
        ratios[utilisation] = round(p99["berth"] / p99["alone"], 2)
    rounds = [berth[i : i + len(TRACE)] for i in range(0, len(berth), len(TRACE))]
    used = [s["busy_usec"] / (s["cpus"] * s["wall_usec"]) for s in berth]
    others = [(s["busy_usec"] - s["online_usec"] - s["batch_usec"]) / (s["cpus"] * s["wall_usec"])
              for s in steps]  # fmt: skip
    return {
        "p99_ratio": {str(k): v for k, v in ratios.items()},
        "p99_ratio_worst": max(ratios.values()),
        "offline_share_percent": round(min(worst_minute(these) for these in rounds), 1),
        "node_busy_percent_most": round(100 * max(used), 1),
        "changes_a_minute": round(60 * steady["changes"] / steady["seconds"], 1),
        "others_percent_most": round(100 * max(others), 1),
    }


def run(options):
    seconds, rounds = (5, 1) if options.quick else (STEP_SECONDS, ROUNDS)
    steps, steady = (in_guest if options.vm else on_host)(options, seconds, rounds)
    if options.vm:
        for step in steps:
            show(step)
    values = summarise(steps, steady)
    figure = (
        f"worst p99 {values['p99_ratio_worst']:.2f} x alone of {len(TRACE)} steps; offline got "
        f"{values['offline_share_percent']:.0f} % of what the target left; "
        f"{values['changes_a_minute']:.1f} changes a minute when steady; node at most "
        f"{values['node_busy_percent_most']:.0f} % busy"
    )
    if values["others_percent_most"] > phases.DISTURBED_PERCENT:
        figure += f"; others used up to {values['others_percent_most']:.0f} % of the machine"
    passed = (
        values["p99_ratio_worst"] <= P99_RATIO
        and values["offline_share_percent"] >= SHARE
        and values["changes_a_minute"] <= CHANGES
    )
    return report.result("suppress", passed, figure, BAR, {"seconds": seconds, **values})
