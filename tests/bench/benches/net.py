# SPDX-License-Identifier: Apache-2.0
"""Online and batch TCP over one link of 16 Mbit/s behind a veth pair, in the VM: with and without Berth.

In a guest of one CPU whose clock counts instructions, so that what else runs on this machine does not
change who gets how much of the link.
"""

import os
import re
import subprocess

from benchlib import Unable, phases, report

BAR = "online >= 95 % of alone beside batch, and batch >= 90 % of what the water line leaves"
HAS_VM = True
ONLINE_PERCENT, BATCH_PERCENT = 95.0, 90.0
ROUNDS, MILLISECONDS = 3, 6000
# The scenario's, in bytes a second. The line counts what is on the wire; a sender counts what it sends.
WATER_LINE, HIGH, ONLINE_RATE = 1900000, 1800000, 800000
WIRE_PER_PAYLOAD = 1514 / 1448


def samples_of(options, rounds, milliseconds):
    """{phase: [bytes a second of payload]}"""
    runner = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../vm/run"))
    command = [
        runner, "--build", options.build, "--cgroup", "v2", "--kernel",
        os.environ.get("BERTH_KERNEL", "6.12"), "--icount", "--cpus", "1", "--timeout", "900",
        *(["--no-build"] if options.no_build else []), "network", "bench", str(rounds),
        str(milliseconds),
    ]  # fmt: skip
    samples = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            match = re.match(r"PHASE (\S+) (\d+)$", line)
            if match:
                samples.setdefault(match[1], []).append(int(match[2]))
    if process.returncode == 77:
        raise Unable("the VM cannot run here")
    if process.returncode:
        raise phases.DaemonFailed(f"the scenario in the VM ended with {process.returncode}")
    return samples


def percent(part, whole):
    return round(100 * part / whole, 1)


def run(options):
    rounds, milliseconds = (1, 3000) if options.quick else (ROUNDS, MILLISECONDS)
    samples = samples_of(options, rounds, milliseconds)
    middle = {phase: report.median(values) for phase, values in samples.items()}
    left = WATER_LINE - ONLINE_RATE * WIRE_PER_PAYLOAD
    values = {
        "where": "VM, one CPU, cgroup v2, a link of 16 Mbit/s",
        "rounds": rounds,
        "alone_bytes": middle["alone"],
        "unmanaged_online_percent": percent(middle["unmanaged"], middle["alone"]),
        "berth_online_percent": percent(middle["berth"], middle["alone"]),
        "batch_beside_bytes": middle["berth-batch"],
        "batch_part_percent": percent(middle["part"] * WIRE_PER_PAYLOAD, left),
        "online_part_percent": percent(middle["part-online"], ONLINE_RATE),
        "batch_idle_percent": percent(middle["idle"] * WIRE_PER_PAYLOAD, HIGH),
    }
    figure = (
        f"online {values['berth_online_percent']} % of alone with Berth, "
        f"{values['unmanaged_online_percent']} % without; batch {values['batch_part_percent']} % "
        f"of what the water line leaves, {values['batch_idle_percent']} % of high while online is idle"
    )
    passed = (
        values["berth_online_percent"] >= ONLINE_PERCENT
        and values["batch_part_percent"] >= BATCH_PERCENT
        and values["batch_idle_percent"] >= BATCH_PERCENT
    )
    return report.result("net", passed, figure, BAR, values)
