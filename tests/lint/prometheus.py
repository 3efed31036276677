#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""conf/prometheus: promtool's own checks and tests, and what promtool cannot know: that each metric,
label and value exists, that each alert is tested both ways and has its part in docs/alerts.md.

    prometheus.py SOURCE_ROOT BERTHD PLUGIN_DIR
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "prometheus"))

import families  # noqa: E402
import promql  # noqa: E402
import yamlfile  # noqa: E402

RULES = ("berth.rules.yaml", "berth.alerts.yaml", "compat-cadvisor.rules.yaml")
SEVERITIES = {"critical", "warning", "info"}
DISCOVERED = {  # what Kubernetes' discovery says of a berthd pod
    "__address__": "10.0.0.7:9824",
    "__meta_kubernetes_namespace": "berth-system",
    "__meta_kubernetes_pod_name": "berth-x7z",
    "__meta_kubernetes_pod_node_name": "node-7",
    "__meta_kubernetes_pod_phase": "Running",
    "__meta_kubernetes_pod_container_name": "berthd",
    "__meta_kubernetes_pod_container_port_name": "metrics",
    "__meta_kubernetes_pod_label_app_kubernetes_io_name": "berth",
}
# What the Operator writes before a PodMonitor's own relabelings.
OPERATOR = [
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_container_name"], "target_label": "container"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    {"target_label": "job", "replacement": "berth-system/berth"},
    {"source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "target_label": "job",
     "regex": "(.+)", "replacement": "${1}"},
    {"target_label": "endpoint", "replacement": "metrics"},
]


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], check=False, capture_output=True,
                          text=True)
    if done.returncode == 0:
        return []
    return [f"promtool {arguments[0]} {arguments[1]}: {(done.stdout + done.stderr).strip()}"]


def check_names(rules, known):
    return [f"{rule.get('alert') or rule['record']}: {error}"
            for rule in rules for error in families.check(rule["expr"], known)]


def annotation_queries(rule):
    """The expressions that the text of an alert asks, with something in place of its %q."""
    text = " ".join(rule["annotations"].values())
    return [match.replace('\\"', '"').replace("%q", '"x"')
            for match in re.findall(r'printf "((?:\\.|[^"\\])*\[5m\](?:\\.|[^"\\])*)"', text)]


def check_alert(rule, page, known):
    name, errors = rule["alert"], []
    if rule["labels"].get("severity") not in SEVERITIES:
        errors.append(f"severity is not one of {sorted(SEVERITIES)}")
    for key in ("summary", "description"):
        if not rule["annotations"].get(key):
            errors.append(f"no {key}")
    if rule["annotations"].get("runbook") != f"docs/alerts.md#{name.lower()}":
        errors.append(f"runbook is not docs/alerts.md#{name.lower()}")
    if not re.search(rf"^### {name}$", page, re.MULTILINE):
        errors.append("not in docs/alerts.md")
    for query in annotation_queries(rule):
        errors += families.check(query, known)
    return [f"{name}: {error}" for error in errors]


def outcome(check, names):
    """(alerts that a check of a test wants to fire, alerts that it would see)."""
    if "alertname" in check:
        return ({check["alertname"]} if check.get("exp_alerts") else set()), {check["alertname"]}
    if not check["expr"].startswith('ALERTS{alertstate="firing"'):
        return set(), set()
    fires = {re.search(r'alertname="(\w+)"', sample["labels"]).group(1)
             for sample in check.get("exp_samples", [])}
    return fires, names - set(re.findall(r'alertname!="(\w+)"', check["expr"]))


def check_tested(alerts, tests):
    """Each alert fires in a test, and in another one its series are there and it does not."""
    names = {rule["alert"] for rule in alerts}
    fires, silent = set(), set()
    for test in tests:
        there = {promql.parse(series["series"])[0][0].metric for series in test["input_series"]}
        checks = [outcome(check, names) for check in [*test.get("promql_expr_test", []),
                                                      *test.get("alert_rule_test", [])]]
        wanted = set().union(*(found for found, _ in checks))
        sees = set().union(*(seen for _, seen in checks))
        fires |= wanted
        silent |= {rule["alert"] for rule in alerts
                   if rule["alert"] in sees - wanted and
                   there & {selector.metric for selector in promql.parse(rule["expr"])[0]}}
    return [f"{name}: no test in which it fires" for name in sorted(names - fires)] + \
           [f"{name}: no test in which it does not fire" for name in sorted(names - silent)]


def discover(job, labels):
    """The labels that a target is scraped with, or None for one that is dropped."""
    job = {key: value for key, value in job.items() if not key.endswith("_sd_configs")}
    job["static_configs"] = [{"targets": [labels["__address__"]],
                              "labels": {key: value for key, value in labels.items()
                                         if key != "__address__"}}]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"scrape_configs": [job]}, file)
        file.flush()
        # promtool waits as long as it is told, always: for a busy machine a second time.
        for seconds in (1, 5, 30):
            done = subprocess.run(["promtool", "check", "service-discovery", f"--timeout={seconds}s",
                                   file.name, job["job_name"]],
                                  check=False, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"promtool check service-discovery: {done.stdout}{done.stderr}")
            found = json.loads(done.stdout)
            if found:
                return found[0].get("labels") or None
    sys.exit(f"{job['job_name']}: promtool found no target in {seconds} s")


def seen(labels):
    return {key: value for key, value in labels.items() if not key.startswith("__")}


def check_discovery(name, job):
    errors = []
    wanted = {"job": "berth", "instance": "node-7"}
    labels = discover(job, DISCOVERED)
    if labels is None or seen(labels) != wanted:
        errors.append(f"{name}: a pod of the DaemonSet is scraped as {labels and seen(labels)}, "
                      f"not as {wanted}")
    return errors


def check_drops(name, job):
    return [f"{name}: a pod with {key}={value} is scraped" for key, value in (
        ("__meta_kubernetes_pod_label_app_kubernetes_io_name", "other"),
        ("__meta_kubernetes_pod_container_port_name", "debug"),
        ("__meta_kubernetes_pod_phase", "Succeeded"))
        if discover(job, {**DISCOVERED, key: value}) is not None]


def check_configs(conf):
    errors = promtool("check", "config", "--lint=all", "--lint-fatal", conf / "prometheus.yml")
    errors += promtool("check", "config", "--syntax-only", conf / "prometheus-tls.yml")
    for name in ("prometheus.yml", "prometheus-tls.yml"):
        (job,) = yamlfile.load(conf / name)["scrape_configs"]
        labels = discover(job, {"__address__": "node-7:9824"})
        if seen(labels) != {"job": "berth", "instance": "node-7"}:
            errors.append(f"{name}: a node is scraped as {seen(labels)}")
    # Debian's promtool is built without Kubernetes' discovery; the rest it can check.
    (job,) = yamlfile.load(conf / "prometheus-kubernetes.yml")["scrape_configs"]
    if [list(config) for config in job["kubernetes_sd_configs"]] != [["role", "namespaces"]]:
        errors.append("prometheus-kubernetes.yml: kubernetes_sd_configs")
    errors += check_discovery("prometheus-kubernetes.yml", job)
    errors += check_drops("prometheus-kubernetes.yml", job)
    (endpoint,) = yamlfile.load(conf / "podmonitor.yaml")["spec"]["podMetricsEndpoints"]
    own = [{re.sub("[A-Z]", lambda match: "_" + match.group().lower(), key): value
            for key, value in entry.items()} for entry in endpoint["relabelings"]]
    job = {"job_name": "podMonitor/berth-system/berth/0", "relabel_configs": OPERATOR + own,
           "honor_labels": endpoint["honorLabels"]}
    return errors + check_discovery("podmonitor.yaml", job)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    if not shutil.which("promtool"):
        print("no promtool (scripts/deps test installs prometheus)")
        return 77
    conf, tests = root / "conf/prometheus", sorted((root / "tests/prometheus").glob("*.test.yaml"))
    rules = {name: yamlfile.rules(conf / name) for name in RULES}
    alerts = [rule for rule in rules["berth.alerts.yaml"] if "alert" in rule]
    known = {**families.of_berthd(*sys.argv[2:4]), **families.BUILT_IN}

    errors = promtool("check", "rules", "--lint=all", "--lint-fatal",
                      *(conf / name for name in RULES))
    errors += promtool("test", "rules", *tests)
    errors += check_configs(conf)
    page = (root / "docs/alerts.md").read_text()
    for name, found in rules.items():
        errors += [f"{name}: {error}" for error in check_names(found, known)]
    for rule in alerts:
        errors += check_alert(rule, page, known)
    errors += [f"docs/alerts.md: there is no alert {name}"
               for name in set(re.findall(r"^### (Berth\w+)$", page, re.MULTILINE)) -
               {rule["alert"] for rule in alerts}]
    errors += check_tested(alerts, [test for path in tests
                                    for test in yamlfile.load(path)["tests"]])
    if not alerts or not tests:
        errors.append("no alerts or no tests were found")
    print("\n".join(errors))
    print(f"{sum(map(len, rules.values()))} rules, {len(alerts)} alerts: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
