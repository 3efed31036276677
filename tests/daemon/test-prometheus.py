#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus scrapes the real daemon over real cgroups, with the rules that are shipped: it
has the values that the files have, every rule and every query of the dashboard evaluates, and alerts
fire for what is provoked, say what they should, and end.

Only the times are changed: scrapes and rules each second, and no `for:` longer than a second.
"""
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from berthtest import (ROOT, Daemon, Groups, arguments, check, fail, free_port, policy, skip,
                       wait_until)

sys.path.insert(0, str(ROOT / "tests/prometheus"))

import dashboard  # noqa: E402
import promql  # noqa: E402
import yamlfile  # noqa: E402

RULES = ("berth.rules.yaml", "berth.alerts.yaml", "compat-cadvisor.rules.yaml")
SCRAPED = 120.0  # seconds until what is so must be known; the discovery alone takes five


class Prometheus:
    """One Prometheus on a port and in a directory of its own; usable as a context."""

    def __init__(self, target):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="berth-prometheus-"))
        self.port = free_port()
        self.process = None
        conf = ROOT / "conf/prometheus"
        config = yamlfile.load(conf / "prometheus.yml")
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
        config["rule_files"] = [self.hurried(conf / name) for name in RULES]
        self.write("prometheus.yml", config)

    def write(self, name, value):
        path = self.directory / name  # JSON is YAML as well
        path.write_text(json.dumps(value))
        return str(path)

    def hurried(self, path):
        rules = yamlfile.load(path)
        for group in rules["groups"]:
            for rule in group["rules"]:
                if "for" in rule:
                    rule["for"] = "1s"
        return self.write(path.name, rules)

    def __enter__(self):
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.directory}/prometheus.yml",
                 f"--storage.tsdb.path={self.directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *error):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if error and error[0]:
            print((self.directory / "log").read_text(errors="replace")[-2000:])
        shutil.rmtree(self.directory, ignore_errors=True)

    def get(self, path, **parameters):
        """What the API answers; None while it is not there yet."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is still reading its log
                return None
            fail(f"{path} {parameters}: {error.code} {error.read().decode()}")
        except OSError:
            if self.process.poll() is not None:
                fail(f"Prometheus ended: {(self.directory / 'log').read_text()[-2000:]}")
        return None

    def query(self, expr):
        """[(labels, value)]; nothing while Prometheus does not answer."""
        data = self.get("query", query=expr)
        return [(item["metric"], float(item["value"][1])) for item in data["result"]] if data else []

    def value(self, expr):
        found = self.query(expr)
        return found[0][1] if len(found) == 1 else None

    def alerts(self, name):
        data = self.get("alerts") or {"alerts": []}
        return [alert for alert in data["alerts"] if alert["labels"]["alertname"] == name]

    def firing(self, alertname, **labels):
        """Until such alerts fire; all of that name at that moment."""
        found = []

        def fires():
            found[:] = self.alerts(alertname)
            return any(alert["state"] == "firing" and labels.items() <= alert["labels"].items()
                       for alert in found)

        wait_until(fires, f"{alertname} fires", SCRAPED)
        return found


def spawn_in(groups, group, program):
    """A Python program that runs in a group from its first instruction on."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(1)\n" + program],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for controller in groups.mounts:
        groups.write(group, "cgroup.procs", str(process.pid), controller)
    process.stdin.write(b"x")
    process.stdin.flush()
    return process


def end(process):
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def cpu_seconds(groups, group):
    if groups.version == 1:
        return int(groups.read(group, "cpuacct.usage", "cpuacct")) / 1e9
    stat = dict(line.split() for line in groups.read(group, "cpu.stat").splitlines())
    return int(stat["usage_usec"]) / 1e6


def memory_bytes(groups, group):
    name = "memory.usage_in_bytes" if groups.version == 1 else "memory.current"
    return int(groups.read(group, name, "memory"))


def test_page_passes_promtool(daemon):
    done = subprocess.run(["promtool", "check", "metrics"], input=daemon.get("/metrics"), text=True,
                          capture_output=True, check=False)
    check(done.returncode == 0, f"promtool check metrics: {done.stdout}{done.stderr}")


def test_target_is_up(prometheus):
    wait_until(lambda: prometheus.value('up{job="berth", instance="127.0.0.1"}') == 1,
               "the target is up", SCRAPED)
    errors = []

    def is_well():
        errors[:] = [target["lastError"] for target in
                     (prometheus.get("targets") or {"activeTargets": []})["activeTargets"]]
        return errors == [""]

    # A scrape that takes longer than a second is given up, and the next one counts.
    wait_until(is_well, "the target has no error", SCRAPED)


def test_values_are_those_of_the_files(prometheus, groups):
    """A hog works for half a second, and rests: then nothing moves, and both must say the same."""
    hog = spawn_in(groups, "batch-1", """
import sys, time
block = bytearray(24 << 20)
while time.process_time() < 0.5: pass
sys.stdout.write("done"); sys.stdout.flush(); sys.stdin.read()
""")
    try:
        check(hog.stdout.read(4) == b"done", "the hog did not work")
        name = f'{{kind="cgroup", name="{groups.glob("batch-1")}", qos="batch"}}'
        usage, memory = "berth_workload_cpu_usage_seconds_total", "berth_workload_memory_bytes"
        wait_until(lambda: abs((prometheus.value(usage + name) or 0) -
                               cpu_seconds(groups, "batch-1")) < 1e-5, "CPU time as in the file", SCRAPED)
        check(cpu_seconds(groups, "batch-1") > 0.4, "the hog used no CPU time")
        wait_until(lambda: prometheus.value(memory + name) == memory_bytes(groups, "batch-1"),
                   "memory as in the file", SCRAPED)
        check(memory_bytes(groups, "batch-1") > 24 << 20, "the hog has no memory")
    finally:
        end(hog)


def test_node_is_recorded(prometheus):
    for expr, low, high in (("instance:berth_node_cpu_busy:ratio_rate5m", 0, 1.001),
                            ("instance:berth_node_memory_used:ratio", 0, 1)):
        # Recorded from one scrape alone, a rate is no number yet.
        values = []

        def is_recorded(e=expr, values=values):
            values[:] = [prometheus.value(e)]
            return values[0] and not math.isnan(values[0])

        wait_until(is_recorded, f"{expr} is recorded", SCRAPED)
        check(low < values[0] < high, f"{expr} is {values[0]}")
    total = "rate(berth_node_cpu_seconds_total[1m])"
    cpus = len([line for line in open("/proc/stat") if line.startswith("cpu")]) - 1
    wait_until(lambda: 0.8 * cpus < (prometheus.value(total) or 0) < 1.2 * cpus,
               f"{total} is about {cpus} CPUs", SCRAPED)


def test_dashboard_asks_what_prometheus_answers(prometheus):
    board = json.loads((ROOT / "conf/grafana/berth.json").read_text())
    asked = answered = 0
    for where, written in dashboard.queries(board):
        expr = dashboard.expand(written)
        names = {selector.metric for selector in promql.parse(expr)[0]}
        # Alerts and workloads' series may have none; a kernel may have no pressure.
        if not any(name.startswith(("berth_workload_", "berth_node_pressure", "ALERTS"))
                   for name in names):
            # After a scrape that was given up nothing has data, until the next one.
            wait_until(lambda e=expr: prometheus.query(e), f"{where}: {expr}: data", SCRAPED)
        asked, answered = asked + 1, answered + bool(prometheus.query(expr))
    check(asked > 50 and answered, f"{answered} of {asked} queries have data")
    print(f"   {answered} of {asked} queries of the dashboard have data on this host")


def test_rules_evaluate(prometheus):
    def rules():
        return [rule for group in (prometheus.get("rules") or {"groups": []})["groups"]
                for rule in group["rules"]]
    wanted = sum(len(yamlfile.rules(ROOT / "conf/prometheus" / name)) for name in RULES)
    ran = []

    def all_ran():
        ran[:] = rules()
        return ran and all(rule["health"] != "unknown" for rule in ran)

    wait_until(all_ran, "all rules ran", SCRAPED)
    check(len(ran) == wanted, f"{len(ran)} of {wanted} rules are loaded")
    for rule in ran:
        check(rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}")


def test_bad_policy_alarms_until_it_is_mended(prometheus, daemon, good):
    check(not prometheus.alerts("BerthPolicyInvalid"), "it fires with a policy that is valid")
    daemon.write_policy(good + "rulez: []\n")
    (alert,) = prometheus.firing("BerthPolicyInvalid", severity="warning")
    check("127.0.0.1" in alert["annotations"]["summary"] and
          "berthctl check" in alert["annotations"]["description"], f"its text: {alert}")
    daemon.write_policy(good)
    wait_until(lambda: not prometheus.alerts("BerthPolicyInvalid"), "BerthPolicyInvalid ends", SCRAPED)


def test_quota_alarms(prometheus, groups):
    """An online group whose quota is used up in each period."""
    if not prometheus.query("berth_workload_cpu_periods_total"):
        return "this berthd does not tell periods of quotas"
    if groups.version == 1:
        groups.write("online-1", "cpu.cfs_quota_us", "20000")
    else:
        groups.write("online-1", "cpu.max", "20000 100000")
    hog = spawn_in(groups, "online-1", "while True: pass")
    try:
        name = groups.glob("online-1")
        text = [alert["annotations"]["summary"] for alert in
                prometheus.firing("BerthOnlineThrottled", name=name, kind="cgroup")]
        check(text == [f"cgroup {name} is throttled by its CPU limit"], f"its text: {text}")
    finally:
        end(hog)
    return None


def test_no_text_is_broken(prometheus):
    for alert in (prometheus.get("alerts") or {"alerts": []})["alerts"]:
        check("error expanding" not in json.dumps(alert["annotations"]), f"text: {alert}")


def test_end_alarms(prometheus, daemon):
    daemon.stop()
    prometheus.firing("BerthDown", instance="127.0.0.1", severity="critical")


def run(build, groups):
    listen = f"127.0.0.1:{free_port()}"
    good = policy(groups).replace('metrics: {listen: ""}', f'metrics: {{listen: "{listen}"}}')
    with Daemon(build, good) as daemon, Prometheus(listen) as prometheus:
        daemon.start()
        test_page_passes_promtool(daemon)
        test_target_is_up(prometheus)
        test_values_are_those_of_the_files(prometheus, groups)
        test_node_is_recorded(prometheus)
        test_rules_evaluate(prometheus)
        test_dashboard_asks_what_prometheus_answers(prometheus)
        test_bad_policy_alarms_until_it_is_mended(prometheus, daemon, good)
        missing = test_quota_alarms(prometheus, groups)
        print(f"   quota: {missing or 'BerthOnlineThrottled fired'}")
        test_no_text_is_broken(prometheus)
        test_end_alarms(prometheus, daemon)
    print("ok Prometheus scrapes, records, alarms")


def main():
    build = arguments().build
    for program in ("prometheus", "promtool"):
        if not shutil.which(program):
            skip(f"no {program} (scripts/deps test installs it)")
    groups = Groups("prometheus")
    try:
        if groups.version == 1:
            # CPU time is told by a hierarchy of its own.
            cpuacct = pathlib.Path("/sys/fs/cgroup/cpuacct")
            if not cpuacct.is_dir():
                skip("no cpuacct controller is mounted on this host")
            if cpuacct.resolve() != groups.mounts["cpu"].resolve():
                groups.mounts["cpuacct"] = cpuacct
            groups.make("")
        for group in ("batch-1", "online-1"):
            groups.make(group)
        run(build, groups)
    finally:
        groups.clean()


main()
