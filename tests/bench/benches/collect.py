# SPDX-License-Identifier: Apache-2.0
"""What a pass over groups costs, in instructions: by BPF, by files that are kept open, by files that
are opened and closed each time; and by BPF where 64 CPUs could be plugged in.

In a guest of one CPU whose clock counts instructions (QEMU -icount shift=0: one is one nanosecond).
Before each pass a process in each group runs, touches 16 pages and reads 4 KiB past the page cache,
so that every group has something to bring up to date, which is part of the pass. The passes are those
of the daemon's own snapshot, every value of a sample included, driven by tests/bench/load/
berth-collect. What a pass without any group costs, the node's own files, is taken off.
"""

from benchlib import guest, report

BAR = (
    "1,000 active groups: <= 6,000 instructions a group by BPF, flush included; >= 30 x less than "
    "opened files, >= 10 x less than kept ones; <= 25 % more with 64 possible CPUs (on 6.1)"
)
GROUPS, PASSES = 1000, 5
FILE_GROUPS = 300  # what is kept open is bounded; cost is in proportion
PER_GROUP, OPENED_RATIO, KEPT_RATIO, GROWTH = 6000, 30.0, 10.0, 1.25


def per_group(figure):
    return (figure["pass_nsec"] - figure["empty_nsec"]) / figure["groups"]


def measure(options, kernel, groups, passes):
    rig = ["--kernel", kernel, "--icount", "--icount-shift", "0", "--cpus", "1"]
    files = min(groups, FILE_GROUPS)
    ways = ["bpf", f"kept:{files}", f"opened:{files}"]
    arguments = ["collect-cost", groups, passes]
    _, bpf, kept, opened = guest.run(options, "CPUS|COST", *arguments, *ways, rig=rig)
    row = {
        "as_meant": (bpf["way"], kept["way"], opened["way"]) == ("bpf", "kept files", "opened files"),
        "bpf": round(per_group(bpf)),
        "with_node_files": round(bpf["pass_nsec"] / bpf["groups"]),
        "kept": round(per_group(kept)),
        "opened": round(per_group(opened)),
        "opened_ratio": round(per_group(opened) / per_group(bpf), 1),
        "kept_ratio": round(per_group(kept) / per_group(bpf), 1),
    }
    # Linux 6.12 does not count the CPUs that this QEMU says could be plugged in.
    if kernel == "6.1":
        rig += ["--possible-cpus", "64"]
        cpus, many = guest.run(options, "CPUS|COST", *arguments, "bpf", rig=rig)
        row["as_meant"] = row["as_meant"] and (cpus["possible"], many["way"]) == (64, "bpf")
        row["growth_64_cpus"] = round(per_group(many) / per_group(bpf), 3)
    return row


def holds(row):
    return (
        row["as_meant"]
        and row["bpf"] <= PER_GROUP
        and row["opened_ratio"] >= OPENED_RATIO
        and row["kept_ratio"] >= KEPT_RATIO
        and row.get("growth_64_cpus", 1) <= GROWTH
    )


def describe(kernel, row):
    text = (
        f"{kernel}: {row['bpf']} instructions a group, {row['opened_ratio']:.0f} x less than "
        f"opened, {row['kept_ratio']:.0f} x less than kept"
    )
    if "growth_64_cpus" in row:
        text += f", {row['growth_64_cpus'] - 1:+.0%} with 64 possible CPUs"
    return text


def run(options):
    # With fewer groups, what a pass costs by itself would count for too much.
    groups, passes = GROUPS, 2 if options.quick else PASSES
    kernels = ["6.1"] if options.quick else ["6.1", "6.12"]
    values = {"groups": groups}
    for kernel in kernels:
        values[kernel] = measure(options, kernel, groups, passes)
    figure = "; ".join(describe(kernel, values[kernel]) for kernel in kernels)
    passed = all(holds(values[kernel]) for kernel in kernels)
    return report.result("collect", passed, figure, BAR, values)
