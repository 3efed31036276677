# SPDX-License-Identifier: Apache-2.0
"""Latency of online requests alone, with batch work, and with batch work and Berth."""

import json
import os
import re
import subprocess
import time

from benchlib import Unable, cgroups, load, phases, report

BAR = "with Berth p99 <= 1.25 x p99 alone, and batch work gets >= 85 % of the CPU left over"
HAS_VM = True
P99_RATIO, BATCH_SHARE = 1.25, 85.0
ROUNDS, SECONDS = 5, 1.5
BUDGET_SECONDS = 140  # after that, phases in which others were in the way are not repeated


def on_host(options, kinds, rounds, seconds):
    """[(kind, round, phase, numbers)]"""
    samples, deadline = [], time.monotonic() + BUDGET_SECONDS
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree:
        tree.make_leaf("online")
        tree.make_leaf("batch")
        with load.Server(options.build, tree, "online") as server:
            server.phase("warm", 0.5)
            for turn in range(rounds):
                for kind in kinds:
                    for label in phases.PHASES:
                        numbers = phases.run_undisturbed(
                            options.build, server, tree, kind, label, seconds, deadline
                        )
                        samples.append((kind, label, numbers))
                        print(describe(turn, kind, label, numbers), flush=True)
    return samples


def in_guest(options, kinds, rounds, seconds):
    """The same, driven by a scenario that prints each phase as one line.

    On one CPU with counted instructions: time in the guest is then its own, whatever else the host
    does. (More guest CPUs would share one host thread, and slow each other down.)
    """
    runner = os.path.join(os.path.dirname(__file__), "../../vm/run")
    command = [
        os.path.realpath(runner), "--build", options.build, "--cgroup", "v2", "--kernel", "6.12",
        "--icount", "--cpus", "1", "--timeout", "900", *(["--no-build"] if options.no_build else []),
        "interference", str(rounds), str(int(seconds * 1000)), *kinds,
    ]  # fmt: skip
    samples, turn = [], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            match = re.match(r"PHASE (\S+) (\S+) (\S+) (\{.*\})\s*$", line)
            if not match:
                print(line, end="", flush=True)
                continue
            turn, kind, label = int(match[1]), match[2], match[3]
            numbers = json.loads(match[4])
            samples.append((kind, label, numbers))
            print(describe(turn, kind, label, numbers), flush=True)
    if process.returncode == 77:
        raise Unable("the VM cannot run here")
    if process.returncode:
        raise phases.DaemonFailed(f"the scenario in the VM ended with {process.returncode}")
    return samples


def describe(turn, kind, label, numbers):
    others = numbers.get("others_percent", 0.0)
    return (
        f"{turn + 1} {kind:8} {label:9} p50 {numbers['p50_usec']:8.0f} us"
        f"  p99 {numbers['p99_usec']:9.0f} us  p99.9 {numbers['p999_usec']:9.0f} us"
        f"  batch got {numbers['batch_share_percent']:5.1f} % of what was left"
        + (f"  (others {others:.0f} % of the machine)" if others > phases.DISTURBED_PERCENT else "")
    )


def summarise(samples, kinds):
    """{kind: medians and ratios}"""
    values = {}
    for kind in kinds:
        row = {}
        for label in phases.PHASES:
            these = [numbers for k, name, numbers in samples if (k, name) == (kind, label)]
            for key in ("p50_usec", "p99_usec", "p999_usec"):
                row[f"{label}_{key}"] = round(report.median([n[key] for n in these]), 1)
            shares = [n["batch_share_percent"] for n in these]
            row[f"{label}_batch_share_percent"] = round(report.median(shares), 1)
        row["berth_p99_ratio"] = round(row["berth_p99_usec"] / row["alone_p99_usec"], 2)
        row["unmanaged_p99_ratio"] = round(row["unmanaged_p99_usec"] / row["alone_p99_usec"], 2)
        del row["alone_batch_share_percent"]
        values[kind] = row
    return values


def run(options):
    kinds = options.hog or list(load.KINDS)
    unknown = [kind for kind in kinds if kind not in load.KINDS]
    if unknown:
        raise Unable(f"no such batch work: {unknown[0]} (there are {', '.join(load.KINDS)})")
    rounds, seconds = (2, 0.7) if options.quick else (ROUNDS, SECONDS)
    take = in_guest if options.vm else on_host
    samples = take(options, kinds, rounds, seconds)
    values = summarise(samples, kinds)
    ratio = max(row["berth_p99_ratio"] for row in values.values())
    unmanaged = max(row["unmanaged_p99_ratio"] for row in values.values())
    share = min(row["berth_batch_share_percent"] for row in values.values())
    figure = (
        f"worst of {len(kinds)} kinds of batch work: p99 {ratio:.2f} x alone with Berth, "
        f"{unmanaged:.1f} x without; batch work got {share:.0f} % of the CPU left over"
    )
    others = [numbers.get("others_percent", 0.0) for _, _, numbers in samples]
    disturbed = sum(share > phases.DISTURBED_PERCENT for share in others)
    if disturbed:
        figure += f"; others were in the way in {disturbed} of {len(samples)} phases"
    head = {"where": "VM, cgroup v2" if options.vm else "host", "rounds": rounds}
    values = {**head, "disturbed_phases": disturbed, **values}
    passed = ratio <= P99_RATIO and share >= BATCH_SHARE
    return report.result("interference", passed, figure, BAR, values)
