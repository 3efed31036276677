# SPDX-License-Identifier: Apache-2.0
"""More memory than there is, grabbed by an offline group in 5 s, beside requests of an online one.

In a guest, as it takes a machine whose memory may run out; with counted instructions, so that what the
host does meanwhile is nobody's stall. Without Berth the same is done first, for comparison: the
kernel's OOM killer ends it.
"""

import json
import os
import re
import subprocess

from benchlib import Unable, phases, report

BAR = (
    "evicted before any online group is killed or stalls for more than 1 s, exactly one eviction"
)
HAS_VM = True
ROUNDS, STALL_MSEC = 3, 1000


def in_guest(options, rounds):
    """[(label, numbers)]"""
    runner = os.path.join(os.path.dirname(__file__), "../../vm/run")
    command = [
        os.path.realpath(runner), "--build", options.build, "--cgroup", "v2", "--kernel", "6.12",
        "--icount", "--cpus", "1", "--timeout", "900", *(["--no-build"] if options.no_build else []),
        "evict", "compare", str(rounds),
    ]  # fmt: skip
    samples = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            match = re.match(r"ROUND (\S+) (\{.*\})\s*$", line)
            if match:
                samples.append((match[1], json.loads(match[2])))
    if process.returncode == 77:
        raise Unable("the VM cannot run here")
    if not any(label == "berth" for label, _ in samples):
        raise phases.DaemonFailed(f"the scenario in the VM ended with {process.returncode}")
    return samples


def worst(samples, label):
    """The numbers of a kind of round that count against it."""
    these = [numbers for name, numbers in samples if name == label]
    return {
        "rounds": len(these),
        "stalled_msec": max(n["stalled_msec"] for n in these),
        "request_max_msec": round(max(n["max_usec"] for n in these) / 1000, 1),
        "took_msec": round(report.median([n["took_msec"] for n in these])),
        "least_available_mib": min(n["least_mib"] for n in these),
        "oom_kills": max(n["oom_kills"] for n in these),
        "evictions": [n["evictions"] for n in these],
        "online_alive": min(n["online_alive"] for n in these),
        "others_alive": min(n["others_alive"] for n in these),
    }


def run(options):
    samples = in_guest(options, 1 if options.quick else ROUNDS)
    berth, alone = worst(samples, "berth"), worst(samples, "unmanaged")
    figure = (
        f"worst of {berth['rounds']}: online waited {berth['stalled_msec']} ms for memory, slowest "
        f"request {berth['request_max_msec']} ms, {max(berth['evictions'])} eviction after "
        f"{berth['took_msec']} ms with {berth['least_available_mib']} MiB left at least; without "
        f"Berth {alone['stalled_msec']} ms, {alone['request_max_msec']} ms, "
        f"{alone['oom_kills']} killed by the kernel"
    )
    passed = (
        set(berth["evictions"]) == {1}
        and berth["online_alive"] == 1
        and berth["others_alive"] == 1
        and berth["oom_kills"] == 0
        and berth["stalled_msec"] < STALL_MSEC
        and berth["request_max_msec"] < STALL_MSEC
    )
    return report.result("evict", passed, figure, BAR, {"berth": berth, "unmanaged": alone})
