# SPDX-License-Identifier: Apache-2.0
"""How long a pass by BPF holds cgroup_mutex, which everything that makes or removes a group waits for.

Not at all, and that is what is measured: a kprobe on mutex_lock counts who takes this mutex. A run of
a few passes and one of a hundred more take it as often (to read the mount table, at the start); that
the probe sees it is shown by mkdir, which takes it.
"""

from benchlib import guest, report

BAR = "a pass never takes cgroup_mutex, on 6.1 and 6.12, idle and under load"


def run(options):
    kernels = ["6.1"] if options.quick else ["6.1", "6.12"]
    groups = 50 if options.quick else 1000
    values, passed = {"groups": groups}, True
    for kernel in kernels:
        rig = ["--kernel", kernel]
        rows = guest.run(options, "MUTEX", "collect-mutex", groups, rig=rig)
        for row in rows:
            passed = passed and row["way"] == "bpf" and row["mkdir"] > 0
            passed = passed and row["many_passes"] == row["few_passes"]
        values[kernel] = {row["load"]: row for row in rows}
    taken = sum(
        row["many_passes"] - row["few_passes"]
        for kernel in kernels
        for row in values[kernel].values()
    )
    figure = f"taken {taken} times in 100 passes over {groups} groups, idle and under load"
    return report.result("collect-mutex", passed, figure, BAR, values)
