# SPDX-License-Identifier: Apache-2.0
"""Small online reads and batch reads on one disk of limited speed: with and without Berth.

In a guest of one CPU whose clock counts instructions, on a disk of the guest's own (null_blk), so
that neither the machine's load nor its disks have a say.
"""

import json
import os
import re
import subprocess

from benchlib import Unable, phases, report

BAR = "with Berth p99 of online <= 1.5 x alone, and batch >= 70 % of solo while online is idle"
HAS_VM = True
P99_RATIO, SOLO_SHARE = 1.5, 70.0
ROUNDS, MILLISECONDS = 3, 5000


def samples_of(options, rounds, milliseconds):
    """[(phase, [numbers of online, or of batch where it is alone, and then of batch])]"""
    runner = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../vm/run"))
    command = [
        runner, "--build", options.build, "--cgroup", "v2", "--kernel", "6.12", "--icount", "--cpus", "1",
        "--timeout", "900",
        *(["--no-build"] if options.no_build else []), "io-share", str(rounds), str(milliseconds),
    ]  # fmt: skip
    samples = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            match = re.match(r"PHASE \d+ (\S+) (.*)$", line)
            if match:
                found = re.findall(r"\{.*?\}", match[2])
                samples.append((match[1], [json.loads(item) for item in found]))
    if process.returncode == 77:
        raise Unable("the VM cannot run here")
    if process.returncode:
        raise phases.DaemonFailed(f"the scenario in the VM ended with {process.returncode}")
    return samples


def median_of(samples, phase, place, key):
    return report.median([items[place][key] for name, items in samples if name == phase])


def run(options):
    rounds, milliseconds = (3, 2000) if options.quick else (ROUNDS, MILLISECONDS)
    samples = samples_of(options, rounds, milliseconds)
    alone = median_of(samples, "alone", 0, "p99_usec")
    solo = median_of(samples, "solo", 0, "per_second")
    values = {
        "where": "VM, cgroup v2, null_blk: 16 requests at a time, 5 ms each",
        "rounds": rounds,
        "alone_p50_usec": median_of(samples, "alone", 0, "p50_usec"),
        "alone_p99_usec": alone,
        "unmanaged_p50_usec": median_of(samples, "unmanaged", 0, "p50_usec"),
        "berth_p50_usec": median_of(samples, "berth", 0, "p50_usec"),
        "unmanaged_p99_ratio": round(median_of(samples, "unmanaged", 0, "p99_usec") / alone, 2),
        "berth_p99_ratio": round(median_of(samples, "berth", 0, "p99_usec") / alone, 2),
        "batch_idle_percent": round(
            100 * median_of(samples, "berth-idle", 0, "per_second") / solo, 1),
        "batch_beside_percent": round(100 * median_of(samples, "berth", 1, "per_second") / solo, 1),
    }
    figure = (
        f"p99 {values['berth_p99_ratio']} x alone with Berth, {values['unmanaged_p99_ratio']} x "
        f"without; batch {values['batch_idle_percent']} % of solo while online is idle"
    )
    passed = values["berth_p99_ratio"] <= P99_RATIO and values["batch_idle_percent"] >= SOLO_SHARE
    return report.result("io", passed, figure, BAR, values)
