#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the Grafana dashboard of Berth: python3 dashboard.py >berth.json

What is shown is in rows() below, a panel a line; the rest is how Grafana 9 and 10 want it written.
Queries use $__rate_interval and need no recording rules.
"""
import json
import sys

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
NODE = 'instance=~"$node"'
# Workloads that were chosen. container="": a pod as a whole, or its containers would count again.
CHOSEN = 'instance=~"$node", namespace=~"$namespace", pod=~"$pod", qos=~"$qos", container=""'
ALL = 'instance=~"$node", container=""'
ONLINE, OFFLINE = 'qos=~"critical|high|normal"', 'qos=~"batch|scavenger"'
# Pods have namespace and pod, everything else kind and name.
WHO = "namespace, pod, kind, name"
WHO_LEGEND = "{{namespace}}/{{pod}}{{kind}} {{name}}"
WIDTH = 24


def rate(metric, labels):
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def workload(name, labels=CHOSEN, **matchers):
    """The rate of a counter of workloads."""
    more = "".join(f', {label}=~"{value}"' for label, value in matchers.items())
    return rate(f"berth_workload_{name}_total", labels + more)


def top(expr, count=10):
    return f"topk({count}, sum by ({WHO}) ({expr}))"


class Panel:
    """One panel; its place is given when all are known."""

    def __init__(self, kind, title, width, height, queries, unit="short", text="", **more):
        self.kind, self.title, self.width, self.height = kind, title, width, height
        self.queries, self.unit, self.text, self.more = queries, unit, text, more

    def json(self, number, place):
        panel = {"id": number, "type": self.kind, "title": self.title, "gridPos": place}
        if self.kind == "text":
            return {**panel, "options": {"mode": "markdown", "content": self.text},
                    "transparent": True}
        custom, overrides = self.custom()
        defaults = {"unit": self.unit, "custom": custom, "color": {"mode": "palette-classic"},
                    "mappings": self.more.get("mappings", []),
                    "thresholds": {"mode": "absolute",
                                   "steps": self.more.get("steps", [{"color": "green", "value": None}])}}
        if "steps" in self.more:
            defaults["color"] = {"mode": "thresholds"}
        for bound in ("min", "max"):
            if bound in self.more:
                defaults[bound] = self.more[bound]
        panel.update({
            "description": self.text,
            "datasource": DATASOURCE,
            "fieldConfig": {"defaults": defaults, "overrides": overrides},
            "options": self.options(),
            "targets": [self.target(letter, *query)
                        for letter, query in zip("ABCDEFGH", self.queries)]})
        if self.kind == "table":
            panel["transformations"] = [{
                "id": "organize",
                "options": {"excludeByName": {"Time": True, "job": True, "__name__": True},
                            "indexByName": {}, "renameByName": {"instance": "node"}}}]
        return panel

    def target(self, letter, expr, legend=""):
        instant = self.kind in ("table", "stat")
        return {"refId": letter, "expr": expr, "legendFormat": legend or "__auto",
                "datasource": DATASOURCE, "editorMode": "code", "instant": instant,
                "range": not instant, "format": "table" if self.kind == "table" else "time_series"}

    def custom(self):
        if self.kind != "timeseries":
            return {}, []
        stack = self.more.get("stack", False)
        custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stack else 0,
                  "showPoints": "never", "spanNulls": False, "axisPlacement": "auto",
                  "lineInterpolation": "stepAfter" if self.more.get("steps_line") else "linear",
                  "stacking": {"mode": "normal" if stack else "none", "group": "A"}}
        # What the stack is a part of: a line over it.
        overrides = [{"matcher": {"id": "byRegexp", "options": f"/^{name}/"},
                      "properties": [
                          {"id": "custom.stacking", "value": {"mode": "none", "group": "A"}},
                          {"id": "custom.fillOpacity", "value": 0},
                          {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
                          {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}}]}
                     for name in self.more.get("over", [])]
        return custom, overrides

    def options(self):
        if self.kind == "timeseries":
            return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True,
                               "calcs": []},
                    "tooltip": {"mode": "multi", "sort": "desc"}}
        if self.kind == "stat":
            return {"colorMode": "background", "graphMode": "none", "justifyMode": "auto",
                    "orientation": "auto", "textMode": "auto",
                    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        return {"showHeader": True, "cellHeight": "sm",
                "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""}}


def series(title, width, queries, unit, text, **more):
    return Panel("timeseries", title, width, more.pop("height", 8), queries, unit, text, **more)


def stat(title, expr, text, steps, mappings=(), unit="short"):
    return Panel("stat", title, 4, 4, [(expr,)], unit, text, steps=steps, mappings=list(mappings))


def values(names):
    return [{"type": "value", "options": {str(value): {"text": text, "index": value}
                                          for value, text in names.items()}}]


def good_above(value):
    return [{"color": "red", "value": None}, {"color": "green", "value": value}]


def good_below(value, color="red"):
    return [{"color": "green", "value": None}, {"color": color, "value": value}]


def node_row():
    cpu = "cpu_usage_seconds"
    both = f"sum({workload(cpu, ALL)})"
    busy = "sum(" + rate("berth_node_cpu_busy_seconds_total", NODE) + ")"
    memory = f"sum(berth_workload_memory_bytes{{{ALL}, %s}})"
    pressure = f"max by (resource, stall) ({workload('pressure_seconds', ALL + ', ' + '%s')})"
    yield series("CPU: online against offline", 12, [
        (f"sum({workload(cpu, ALL + ', ' + ONLINE)})", "online"),
        (f"sum({workload(cpu, ALL + ', ' + OFFLINE)})", "offline"),
        (f"clamp_min({busy} - ({both} or vector(0)), 0)", "the rest of the node"),
        ("sum(" + rate("berth_node_cpu_seconds_total", NODE) + ")", "all CPUs")],
        "none", "CPUs in use. What is between the stack and the dashed line was idle.",
        stack=True, over=["all CPUs"], min=0)
    yield series("Memory: online against offline", 12, [
        (memory % ONLINE, "online"),
        (memory % OFFLINE, "offline"),
        (f"sum(berth_node_memory_bytes{{{NODE}}} - berth_node_memory_available_bytes{{{NODE}}})",
         "used or not to be had"),
        (f"sum(berth_node_memory_bytes{{{NODE}}})", "all memory")],
        "bytes", "What is charged to workloads, page cache included; the lower dashed line leaves out "
        "what can be had without swapping.",
        stack=True, over=["used", "all memory"], min=0)
    yield series("Pressure of the node", 8, [
        (f"max by (resource, kind) ({rate('berth_node_pressure_seconds_total', NODE)})",
         "{{resource}} {{kind}}")],
        "percentunit", "Share of the time in which some or all tasks waited; of the node that waits most.",
        min=0)
    yield series("Pressure of online work", 8, [(pressure % ONLINE, "{{resource}} {{stall}}")],
                 "percentunit", "Of the online workload that waits most. This should stay low whatever "
                 "offline work does.", min=0)
    yield series("Pressure of offline work", 8, [(pressure % OFFLINE, "{{resource}} {{stall}}")],
                 "percentunit", "Of the offline workload that waits most. It is there to wait.", min=0)
    yield series("Workloads by level", 12, [
        (f"sum by (qos) (berth_workloads{{{NODE}, kind!=\"container\"}})", "{{qos}}")],
        "none", "Pods, VMs, units and groups.", stack=True, min=0, height=6)
    yield series("Who uses the CPUs", 12, [(top(workload(cpu, ALL)), WHO_LEGEND)],
                 "none", "The ten that use most, of the chosen nodes.", min=0, height=6)


def pod_row():
    yield series("CPU", 12, [(top(workload("cpu_usage_seconds")), WHO_LEGEND)], "none",
                 "CPUs in use; the ten chosen workloads that use most.", min=0)
    yield series("CPU by mode", 6, [
        (f"sum by (mode) ({workload('cpu_mode_seconds')})", "{{mode}}")],
        "none", "Much time in system is often reclaim or IO.", stack=True, min=0)
    yield series("Working set", 6, [
        (f"topk(10, sum by ({WHO}) (berth_workload_memory_working_set_bytes{{{CHOSEN}}}))", WHO_LEGEND)],
        "bytes", "Memory without the inactive page cache, as kubelet counts.", min=0)
    kinds = "anon|file|slab_reclaimable|slab_unreclaimable|kernel_stack|pagetables|sock"
    yield series("Memory by kind", 12, [
        (f"sum by (stat) (berth_workload_memory_stat_bytes{{{CHOSEN}, stat=~\"{kinds}\"}})", "{{stat}}"),
        (f"sum(berth_workload_memory_bytes{{{CHOSEN}}})", "charged"),
        (f"sum(berth_workload_memory_swap_bytes{{{CHOSEN}}})", "swap")],
        "bytes", "file includes tmpfs. swap is not part of what is charged.",
        stack=True, over=["charged", "swap"], min=0)
    yield series("IO by device", 6, [
        (f"sum by (device, operation) ({workload('io_bytes', operation='read|write')})",
         "{{device}} {{operation}}")],
        "Bps", "Bytes a second. Choose all pods to see who else uses the device.", min=0)
    yield series("IO operations by device", 6, [
        (f"sum by (device, operation) ({workload('io_operations', operation='read|write')})",
         "{{device}} {{operation}}")], "iops", "Operations a second.", min=0)


def cause(resource, stall):
    return f"sum by (cause) ({workload('pressure_cause_seconds', resource=resource, stall=stall)})"


def why_row():
    yield Panel("text", "", WIDTH, 2, [], text="Choose **one pod** above. Left: what it waited for, and "
                "why. Right: what Berth and the kernel did to it at that time.")
    yield series("CPU: waited, by cause", 12, [
        (cause("cpu", "full"), "{{cause}}"),
        (f"sum({workload('pressure_seconds', resource='cpu', stall='some')})", "all waits (some)"),
        (f"sum({workload('pressure_seconds', resource='cpu', stall='full')})", "nothing ran (full)")],
        "percentunit", "Share of the time. cpu_cfs_bandwidth: its quota was used up. cpu_qos: a higher level "
        "went first. What is above the stack: it waited for its turn.",
        stack=True, over=["all waits", "nothing ran"], min=0)
    yield series("Throttling", 6, [
        (f"sum({workload('cpu_throttled_periods')}) / sum({workload('cpu_periods')})",
         "share of periods"),
        (f"sum({workload('cpu_throttled_seconds')})", "CPU seconds lost a second")],
        "percentunit", "How often its quota was used up.", min=0)
    yield series("Knobs that Berth holds on it", 6, [
        (f"max by (knob) (berth_workload_knob{{{CHOSEN}}})", "{{knob}}")],
        "short", "The value that Berth has set; a line that ends was put back.", steps_line=True)
    yield series("Memory: waited, by cause", 12, [
        (cause("memory", "some"), "{{cause}}"),
        (f"sum({workload('pressure_seconds', resource='memory', stall='some')})", "all waits (some)"),
        (f"sum({workload('pressure_seconds', resource='memory', stall='full')})", "nothing ran (full)")],
        "percentunit", "The causes add up to the kernel's own figure. What to do for each is in "
        "docs/alerts.md.", stack=True, over=["all waits", "nothing ran"], min=0)
    moved = "reclaim|refault_anon|refault_file|swap_in|swap_out"
    yield series("Reclaim, refaults, swap", 6, [
        (f"sum by (event) ({workload('memory_activity', event=moved)})", "{{event}}")],
        "short", "Pages a second. Refaults: pages that reclaim took and the pod needed again.", min=0)
    yield series("Memory events", 6, [
        (f"sum by (event) (increase(berth_workload_memory_events_total{{{CHOSEN}}}[$__rate_interval]))",
         "{{event}}")],
        "short", "low: its protection was broken. high, max: it reached its limit. oom_kill: a process "
        "was killed.", min=0)
    yield series("IO: waited", 12, [
        (f"sum by (stall) ({workload('pressure_seconds', resource='io')})", "{{stall}}")],
        "percentunit", "The kernel does not tell causes of IO: if refaults rise at the same time it is memory.",
        min=0)
    yield series("What Berth did on the node", 6, [
        ("sum(" + rate("berth_actions_total", NODE) + ")", "actions"),
        ("sum(" + rate("berth_knob_writes_total", NODE) + ")", "knobs written"),
        ("sum(" + rate("berth_restores_total", NODE) + ")", "originals put back"),
        ("sum(" + rate("berth_foreign_writes_total", NODE) + ")", "written by others")],
        "ops", "`berthctl history` has each with its reason.", min=0)
    yield series("Run-queue latency", 6, [
        (f"histogram_quantile({quantile}, sum by (le) ("
         + rate("berth_workload_runqueue_latency_seconds_bucket", CHOSEN) + "))", f"p{name}")
        for quantile, name in ((0.5, 50), (0.99, 99), (0.999, "99.9"))],
        "s", "From ready to running. Empty unless it is turned on in the policy.", min=0)


def health_row():
    yield stat("Daemons that answer", f'sum(up{{job="berth", {NODE}}})', "Of the chosen nodes.",
               good_above(1))
    yield stat("Daemons that do not", f'count(up{{job="berth", {NODE}}} == 0) or vector(0)',
               "See BerthDown in docs/alerts.md.", good_below(1))
    yield stat("Policies not valid", f"count(berth_config_valid{{{NODE}}} == 0) or vector(0)",
               "Nodes that go on with an older policy; `berthctl check` says why.", good_below(1))
    yield stat("Paused", f"count(berth_paused{{{NODE}}} == 1) or vector(0)",
               "Nodes on which everything is put back.", good_below(1, "orange"))
    yield stat("Sources down", f"count(berth_source_up{{{NODE}}} == 0) or vector(0)",
               "`berthctl status` says why.", good_below(1))
    yield stat("Plugins quarantined",
               f'count(berth_plugin_state{{{NODE}, state="quarantined"}} == 1) or vector(0)',
               "`berthctl plugins` says why.", good_below(1))
    yield series("Errors", 8, [
        (f"sum(increase({metric}{{{NODE}}}[$__rate_interval]))", legend) for metric, legend in (
            ("berth_knob_write_errors_total", "knob not written"),
            ("berth_restore_errors_total", "original not put back"),
            ("berth_unit_pin_errors_total", "systemd refused"),
            ("berth_journal_errors_total", "journal"),
            ("berth_metrics_dropped_total", "series left out"),
            ("berth_limit_hits_total", "limit reached"),
            ("berth_log_warnings_total", "warnings logged"))],
        "short", "Each should be zero.", min=0)
    yield series("Claims and knobs", 8, [
        (f"sum(berth_claims{{{NODE}}})", "claims"), (f"sum(berth_knobs{{{NODE}}})", "knobs"),
        (f"sum(berth_workload_conflicts{{{NODE}}})", "workloads with conflicts"),
        (f"sum(berth_workloads_stale{{{NODE}}})", "workloads that no API confirmed")],
        "short", "What is held now.", min=0)
    yield series("Time in plugins", 8, [
        (f"max by (plugin) ({rate('berth_plugin_busy_seconds_total', NODE)})", "{{plugin}}")],
        "percentunit", "Share of one CPU, on the node where it is most.", min=0)
    yield series("CPU of berthd", 8, [
        (rate("berth_process_cpu_seconds_total", NODE), "{{instance}}")], "percentunit",
        "Share of one CPU.", min=0, height=6)
    yield series("Memory of berthd", 8, [
        (f"berth_process_resident_memory_bytes{{{NODE}}}", "{{instance}}")], "bytes",
        "Resident.", min=0, height=6)
    yield Panel("table", "Versions", 8, 6, [(f"berth_build_info{{{NODE}}}",)],
                text="Which node runs which.")


def rows():
    return [("Node", node_row()), ("Pod: what it costs", pod_row()),
            ("Why is this pod slow?", why_row()), ("Berth itself", health_row())]


def place_panels():
    panels, number, y = [], 0, 0
    for title, contents in rows():
        number += 1
        panels.append({"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}})
        y, x, height = y + 1, 0, 0
        for panel in contents:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            number += 1
            panels.append(panel.json(number, {"h": panel.height, "w": panel.width, "x": x, "y": y}))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return panels


def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "definition": query, "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1,
            "regex": "", "hide": 0, "skipUrlSync": False, "options": [],
            # .* and not .+: VMs, units and groups have no namespace and no pod.
            "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def variables():
    which = 'berth_workload_memory_bytes{instance=~"$node"%s}'
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
         "refresh": 1, "regex": "", "hide": 0, "skipUrlSync": False, "options": [], "multi": False,
         "includeAll": False, "current": {}},
        variable("node", "Node", "label_values(berth_build_info, instance)"),
        variable("namespace", "Namespace", "label_values(" + which % "" + ", namespace)"),
        variable("pod", "Pod", "label_values(" + which % ', namespace=~"$namespace", qos=~"$qos"'
                 + ", pod)"),
        variable("qos", "Level", "label_values(berth_workloads, qos)")]


def dashboard():
    return {
        "id": None, "uid": "berth", "title": "Berth", "tags": ["berth"], "schemaVersion": 38,
        "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s", "style": "dark",
        "timezone": "", "time": {"from": "now-1h", "to": "now"}, "timepicker": {}, "links": [],
        "fiscalYearStartMonth": 0, "weekStart": "", "liveNow": False,
        "description": "What each workload costs and suffers, and what Berth did about it.",
        "annotations": {"list": [{
            "name": "Alerts", "datasource": DATASOURCE, "enable": True, "iconColor": "red",
            "expr": 'ALERTS{alertname=~"Berth.*", alertstate="firing", instance=~"$node"}',
            "titleFormat": "{{alertname}}", "textFormat": "{{namespace}}/{{pod}}{{kind}} {{name}}",
            "step": "60s"}]},
        "templating": {"list": variables()},
        "panels": place_panels()}


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=1, ensure_ascii=False)
    print()
