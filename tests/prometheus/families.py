# SPDX-License-Identifier: Apache-2.0
"""Which metrics Berth has, with which labels and values: what rules and dashboards are held to.

From `berthd --dump-metrics`, to which docs/metrics.md is held, and what the recording rules make.
"""
import subprocess

import promql

# What Prometheus adds to each series.
TARGET = {"job", "instance"}
# Of each series of a workload: pods have namespace and pod, their containers also container, the
# others kind and name.
WORKLOAD = {"namespace", "pod", "container", "kind", "name", "qos"}
BUILT_IN = {"up": TARGET, "ALERTS": None}
# A value that no series has selects nothing, and says nothing about it.
MEMORY_CAUSES = {"cgroup_memory_reclaim", "global_memory_reclaim", "compact",
                 "cgroup_async_memory_reclaim", "swap", "memory_other"}
VALUES = {
    "qos": {"critical", "high", "normal", "batch", "scavenger"},
    "state": {"off", "unavailable", "running", "quarantined"},
    "resource": {"cpu", "memory", "io", "irq"},
    "stall": {"some", "full"},
    "cause": MEMORY_CAUSES | {"cpu_cfs_bandwidth", "cpu_qos"},
    "mode": {"user", "system"},
    "operation": {"read", "write", "discard"},
    "window": {"10s", "60s", "300s"},
    "class": {"online", "offline"},
    "result": {"ok", "error"},
    "stat": {"anon", "file", "shmem", "file_mapped", "file_dirty", "file_writeback", "inactive_anon",
             "active_anon", "inactive_file", "active_file", "unevictable", "slab_reclaimable",
             "slab_unreclaimable", "kernel_stack", "pagetables", "sock"},
}
VALUES_OF = {  # where a label means different things
    ("berth_workload_memory_events_total", "event"): {"low", "high", "max", "oom", "oom_kill"},
    ("berth_workload_memory_activity_total", "event"): {
        "fault", "major_fault", "refault_anon", "refault_file", "scan", "reclaim", "swap_in",
        "swap_out"},
    ("berth_node_pressure_seconds_total", "kind"): {"some", "full"},
}


def of_berthd(berthd, plugin_dir):
    """{name: labels} of what Berth itself tells; tests/lint/metrics-doc.py holds the docs to it.

    A label is NAME or NAME=VALUE|VALUE|..., and then VALUES_OF has the values of it.
    """
    dump = subprocess.run([berthd, "--plugin-dir", plugin_dir, "--dump-metrics"],
                          capture_output=True, text=True, check=True).stdout
    families = {}
    for line in dump.splitlines():
        name, kind, labels = line.split("\t")[:3]
        own = families.setdefault(name, set())
        for label, _, values in (text.partition("=") for text in labels.split(",") if text):
            own.add(label)
            if values:
                VALUES_OF[(name, label)] = set(values.split("|"))
        if kind == "histogram":
            families[name + "_bucket"] = own | {"le"}
            families[name + "_count"] = families[name + "_sum"] = own
    for name, labels in families.items():
        labels |= TARGET
        if name.startswith("berth_workload_"):
            labels |= WORKLOAD
    return families


def of_rules(rules, families):
    """{name: labels} of what recording rules make, for families that they are made of."""
    made = {}
    for rule in rules:
        selectors, grouping, replaced = promql.parse(rule["expr"])
        labels = set(rule.get("labels", {})) | replaced | grouping
        for selector in selectors:
            labels |= families.get(selector.metric, set())
        made.setdefault(rule["record"], set()).update(labels)
    return made


def check(expr, families):
    """What is wrong with the names in an expression."""
    selectors, grouping, made = promql.parse(expr)
    errors = []
    possible = set(made)
    for metric, matchers in selectors:
        if metric not in families:
            errors.append(f"there is no metric {metric}")
            continue
        labels = families[metric]
        if labels is None:
            possible |= grouping
            continue
        possible |= labels
        for label, operator, value in matchers:
            if label not in labels:
                errors.append(f"{metric} has no label {label}")
                continue
            known = VALUES_OF.get((metric, label), VALUES.get(label))
            for name in promql.alternatives(operator, value) or []:
                if known and name and name not in known and not name.startswith("$"):
                    errors.append(f"{metric}: {label} is never '{name}'")
    errors += [f"no series has the label {label}" for label in sorted(grouping - possible)]
    if not selectors:
        errors.append("names no metric")
    return errors
