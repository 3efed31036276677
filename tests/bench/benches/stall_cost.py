# SPDX-License-Identifier: Apache-2.0
"""What pressure by cause costs who waits: memory is pushed out to a RAM disk and touched again, a page
at a time, with the breakdown and without, in a guest that counts instructions. Each page is a page
fault that comes from swap; those of the working set are a wait for memory, as the kernel counts it.
That is the shortest wait there is. The rate is that of a CPU of a thousand million instructions a
second. The guest stalls less than 50,000 times a second, so that what that many cost is reckoned from
what one does. Beside it: two tasks that pass a token, with the run-queue histogram and without.
"""

import json
import os
import re
import subprocess

from benchlib import Unable, phases, report

BAR = "a workload that stalls 50,000 times a second: breakdown on against off < 3 % slower"
SLOWER_PERCENT = 3.0
STALLS = 50_000
INSTRUCTION_NSEC = 2  # of the guest: -icount shift=1


def in_guest(options, rounds, size, passes):
    """{(work, state): [numbers of each round]}"""
    runner = os.path.join(os.path.dirname(__file__), "../../vm/run")
    command = [
        os.path.realpath(runner), "--build", options.build, "--cgroup", "v2", "--kernel",
        os.environ.get("BERTH_KERNEL", "6.12"), "--icount", "--cpus", "1", "--timeout", "900",
        *(["--no-build"] if options.no_build else []),
        "stall-cost", str(rounds), str(size), str(passes),
    ]  # fmt: skip
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            match = re.match(r"PHASE \d+ (\S+) (\S+) (\{.*\})\s*$", line)
            if match:
                found.setdefault((match[1], match[2]), []).append(json.loads(match[3]))
    if process.returncode == 77:
        raise Unable("the VM cannot run here")
    if process.returncode:
        raise phases.DaemonFailed(f"the scenario in the VM ended with {process.returncode}")
    return found


def line(points):
    """Least squares: (at 0, slope). How many of the pages that come back are of the working set differs
    from run to run, and such a page costs more also without Berth."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - slope * mean_x, slope


def against(found, state):
    """Of the stalls in that state: (percent slower, instructions a stall) than as many without."""
    base, slope = line([(item["stalls"], item["usec"]) for item in found["stall", "off"]])
    rows = [(item, base + slope * item["stalls"]) for item in found["stall", state]]
    return (
        report.median([(item["usec"] / wanted - 1) * 100 for item, wanted in rows]),
        report.median(
            [
                (item["usec"] - wanted) * 1000 / INSTRUCTION_NSEC / item["stalls"]
                for item, wanted in rows
            ]
        ),
    )


def run(options):
    rounds, size, passes = (1 if options.quick else 3), 16, 4
    found = in_guest(options, rounds, size, passes)
    rate = report.median(
        [item["stalls"] / item["usec"] * 1e6 * INSTRUCTION_NSEC for item in found["stall", "bpf"]]
    )
    slower, extra = against(found, "bpf")
    at_bar = extra * STALLS / 1e9 * 100
    turns = passes * 2000
    switch = [item["usec"] for item in found["switch", "off"]]
    switch_on = [item["usec"] for item in found["switch", "on"]]
    # A turn there and back is two wake-ups and two switches.
    each = report.median(
        [(b - a) * 1000 / INSTRUCTION_NSEC / turns / 2 for a, b in zip(switch, switch_on)]
    )
    values = {
        "rounds": rounds,
        "stalls_per_second": round(rate),
        "bpf_slower_percent": round(slower, 2),
        "tracepoints_slower_percent": round(against(found, "tracepoints")[0], 2),
        "bpf_instructions_per_stall": round(extra),
        f"bpf_slower_percent_at_{STALLS}": round(at_bar, 2),
        "runqueue_slower_percent": round(report.median([(b / a - 1) * 100 for a, b in zip(switch, switch_on)]), 2),
        "runqueue_instructions_per_switch": round(each),
    }
    figure = (
        f"{values['stalls_per_second']} stalls a second of 10^9 instructions: "
        f"{values['bpf_slower_percent']} % slower, {values['bpf_instructions_per_stall']} "
        f"instructions a stall, {at_bar:.2f} % at {STALLS} "
        f"(tracepoints {values['tracepoints_slower_percent']} %); run-queue "
        f"histogram {values['runqueue_instructions_per_switch']} instructions a wake-up and switch, "
        f"{values['runqueue_slower_percent']} % of a token's way"
    )
    return report.result(
        "stall-cost", max(slower, at_bar) < SLOWER_PERCENT, figure, BAR, values
    )
