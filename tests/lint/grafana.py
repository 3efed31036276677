#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""conf/grafana/berth.json is what dashboard.py prints, in the form that Grafana 9 and 10 read, and
each query of it parses and names metrics, labels and values that exist.

    grafana.py SOURCE_ROOT BERTHD PLUGIN_DIR
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "prometheus"))

import dashboard as queries_of  # noqa: E402
import families  # noqa: E402
import yamlfile  # noqa: E402

# Key: type, of Grafana's dashboard schema; those that an import must have.
TOP = {"uid": str, "title": str, "tags": list, "schemaVersion": int, "version": int,
       "editable": bool, "graphTooltip": int, "refresh": str, "time": dict, "timepicker": dict,
       "templating": dict, "annotations": dict, "panels": list, "links": list}
VARIABLE = {"name": str, "type": str, "label": str, "hide": int, "refresh": int, "options": list,
            "multi": bool, "includeAll": bool, "current": dict}
PANEL = {"id": int, "type": str, "title": str, "gridPos": dict}
DRAWN = {"datasource": dict, "fieldConfig": dict, "options": dict, "targets": list,
         "description": str}
TARGET = {"refId": str, "expr": str, "legendFormat": str, "datasource": dict, "instant": bool,
          "range": bool, "format": str}
OPTIONS = {  # of each panel type that is used, what it draws by
    "timeseries": {"legend": dict, "tooltip": dict},
    "stat": {"reduceOptions": dict, "colorMode": str, "graphMode": str, "textMode": str},
    "table": {"showHeader": bool, "footer": dict},
    "text": {"mode": str, "content": str},
}
UNITS = {"none", "short", "bytes", "Bps", "iops", "ops", "percentunit", "s"}
WIDTH = 24
VARIABLES = ["datasource", "node", "namespace", "pod", "qos"]


class Report:
    def __init__(self):
        self.errors = []

    def expect(self, condition, text):
        if not condition:
            self.errors.append(text)
        return condition

    def keys(self, where, value, schema):
        """Has it each key, with a value of the type?"""
        for key, kind in schema.items():
            found = value.get(key)
            right = isinstance(found, kind) and not (kind is int and isinstance(found, bool))
            self.expect(right, f"{where}: {key} is {found!r}, not {kind.__name__}")


def check_places(report, panels):
    """Nothing overlaps, nothing stands out, nothing hangs below a gap."""
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        report.keys(f"panel {panel['id']}: gridPos", place, {"h": int, "w": int, "x": int, "y": int})
        report.expect(place["w"] > 0 and place["h"] > 0 and place["x"] >= 0 and
                      place["x"] + place["w"] <= WIDTH, f"panel {panel['id']}: place {place}")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["id"])
                if not report.expect(other == panel["id"],
                                     f"panels {other} and {panel['id']} overlap"):
                    return
    lines = {y for _, y in taken}
    report.expect(lines == set(range(max(lines) + 1)), "a gap between panels")


def check_target(report, where, target, kind):
    report.keys(where, target, TARGET)
    report.expect(target["datasource"] == {"type": "prometheus", "uid": "${datasource}"},
                  f"{where}: datasource {target['datasource']}")
    report.expect(target["instant"] != target["range"], f"{where}: both instant and range")
    report.expect((target["format"] == "table") == (kind == "table"), f"{where}: format")
    unknown = queries_of.variables_of(target["expr"]) - set(VARIABLES) - set(queries_of.GLOBALS)
    report.expect(not unknown, f"{where}: variables {unknown}")


def check_panel(report, panel):
    where = f"panel {panel.get('id')}"
    report.keys(where, panel, PANEL)
    if panel["type"] == "row":
        report.expect(panel["collapsed"] is bool(panel["panels"]), f"{where}: collapsed")
        return
    if not report.expect(panel["type"] in OPTIONS, f"{where}: type {panel['type']}"):
        return
    report.keys(f"{where}: options", panel["options"], OPTIONS[panel["type"]])
    if panel["type"] == "text":
        return
    where += f" '{panel['title']}'"
    report.keys(where, panel, DRAWN)
    report.expect(panel["title"] and panel["description"], f"{where}: no title or description")
    defaults = panel["fieldConfig"]["defaults"]
    report.expect(defaults["unit"] in UNITS, f"{where}: unit {defaults['unit']}")
    steps = defaults["thresholds"]["steps"]
    report.expect(steps and steps[0]["value"] is None, f"{where}: the first threshold has a value")
    for override in panel["fieldConfig"]["overrides"]:
        report.expect(set(override) == {"matcher", "properties"}, f"{where}: override")
        pattern = override["matcher"]["options"].strip("/^")
        report.expect(any(target["legendFormat"].startswith(pattern) for target in panel["targets"]),
                      f"{where}: an override for '{pattern}', which no query is called")
    letters = [target["refId"] for target in panel["targets"]]
    report.expect(letters and len(letters) == len(set(letters)), f"{where}: refIds {letters}")
    legends = [target["legendFormat"] for target in panel["targets"]]
    report.expect(len(legends) == len(set(legends)), f"{where}: legends {legends}")
    for target in panel["targets"]:
        check_target(report, f"{where} {target.get('refId')}", target, panel["type"])


def check_variables(report, listed, known):
    report.expect([variable["name"] for variable in listed] == VARIABLES,
                  f"variables {[variable['name'] for variable in listed]}, not {VARIABLES}")
    for variable in listed:
        where = f"variable {variable['name']}"
        report.keys(where, variable, VARIABLE)
        if variable["type"] == "datasource":
            report.expect(variable["query"] == "prometheus", f"{where}: query")
            continue
        query = variable["query"]["query"]
        report.expect(variable["definition"] == query, f"{where}: definition")
        inside = query.removeprefix("label_values(").removesuffix(")")
        expr, _, label = inside.rpartition(", ")
        report.expect(query.startswith("label_values(") and expr and label, f"{where}: {query}")
        for error in families.check(f"sum by ({label}) ({queries_of.expand(expr)})", known):
            report.expect(False, f"{where}: {error}")


def check_queries(report, queries, known):
    """By promtool, which has no command for an expression: as the rules of a file."""
    groups = [{"name": where, "rules": [{"record": "x", "expr": queries_of.expand(expr)}]}
              for where, expr in queries]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump({"groups": groups}, file)
        file.flush()
        done = subprocess.run(["promtool", "check", "rules", "--lint=none", file.name], check=False,
                              capture_output=True, text=True)
    report.expect(done.returncode == 0, f"promtool check rules: {done.stdout}{done.stderr}")
    for where, expr in queries:
        for error in families.check(queries_of.expand(expr), known):
            report.expect(False, f"{where}: {error}")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    if not shutil.which("promtool"):
        print("no promtool (scripts/deps test installs prometheus)")
        return 77
    report = Report()
    text = (root / "conf/grafana/berth.json").read_text()
    printed = subprocess.run([sys.executable, root / "conf/grafana/dashboard.py"], check=True,
                             capture_output=True, text=True).stdout
    report.expect(text == printed, "berth.json is not what dashboard.py prints: run it again")
    board = json.loads(text)
    known = {**families.of_berthd(*sys.argv[2:4]), **families.BUILT_IN}
    for name in ("berth.rules.yaml", "berth.alerts.yaml"):
        rules = [rule for rule in yamlfile.rules(root / "conf/prometheus" / name) if "record" in rule]
        known.update(families.of_rules(rules, known))
    known["ALERTS"] = None

    report.keys("dashboard", board, TOP)
    report.expect(board["id"] is None, "an id of its own: an import would replace another one's")
    report.expect(36 <= board["schemaVersion"] <= 39, "schemaVersion is not of Grafana 9 or 10")
    panels = list(queries_of.panels(board))
    numbers = [panel["id"] for panel in panels]
    report.expect(len(numbers) == len(set(numbers)), "two panels have one id")
    for panel in panels:
        check_panel(report, panel)
    check_places(report, panels)
    check_variables(report, board["templating"]["list"], known)
    queries = list(queries_of.queries(board))
    check_queries(report, queries, known)
    print("\n".join(report.errors))
    print(f"{len(panels)} panels, {len(queries)} queries: {len(report.errors)} errors")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
