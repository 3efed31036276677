#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Eviction against a real kube-apiserver: pods with processes that hold memory, budgets that forbid,
an API that is away, and those that are never evicted."""

import contextlib
import signal
import subprocess
import sys
import time

from kubetest import arguments, check, kube_cluster, skip, wait_until
from node import Node, PodGroups

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
         {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
         {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}]
BATCH = {"berth/qos": "batch"}
HELD = {**BATCH, "berth/evict": "false"}
BUDGETS = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets"
# Short for the node in every sample, so that a test decides by who may be evicted.
EVICT = {"enabled": "true", "samples": "2", "window": "3", "min_run_time": "0s", "cooldown": "2s",
         "memory": "{available_percent: 100, hard: 0}", "pressure": "{memory: 0}",
         "protect_namespaces": "[gate]"}
HOLD = "import sys, time; held = bytearray(int(sys.argv[1])); print(flush=True); time.sleep(3600)"


def policy(**changes):
    keys = ", ".join(f"{key}: {value}" for key, value in {**EVICT, **changes}.items())
    return f"plugins: {{colocation: {{evict: {{{keys}}}}}}}\n"


def node_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) << 10


class Rig:
    def __init__(self, build, kube, groups):
        self.build, self.kube, self.groups = build, kube, groups
        self.held, self.uids = {}, {}
        self.least = node_bytes() // 200
        self.kubeconfig = self.account("berth", RULES)

    def account(self, name, rules):
        kube = self.kube
        kube.service_account("kube-system", name)
        kube.may("kube-system", name, rules)
        token = kube.token("kube-system", name)
        wait_until(lambda: kube.request("GET", "/api/v1/pods", token=token)[0] == 200, "RBAC holds",
                   60)
        return kube.kubeconfig(f"{name}.kubeconfig", token=token)

    def node(self, kubeconfig=None, extra=None):
        return Node(self.build, f'enabled: true, kubeconfig: "{kubeconfig or self.kubeconfig}"',
                    self.groups, extra=policy() if extra is None else extra)

    def change(self, daemon, extra):
        daemon.extra = extra
        daemon.change(f'enabled: true, kubeconfig: "{self.kubeconfig}"')

    def pod(self, name, more_mib=8, annotations=None, namespace="default", **options):
        """A running pod whose one process holds as much memory as is worth an eviction, and more."""
        pod = self.kube.pod(name, namespace=namespace, annotations=annotations or HELD, **options)
        uid = pod["metadata"]["uid"]
        self.kube.pod_status(name, {"main": None}, namespace=namespace)
        # A budget protects only pods that are ready.
        self.kube.merge(self.kube.pod_path(name, namespace) + "/status",
                        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        self.groups.add(uid)
        paths = [self.groups.path(controller, self.groups.group(uid)) / "cgroup.procs"
                 for controller in self.groups.mounts]

        def enter():
            for path in paths:
                path.write_text("0")
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(self.least + (more_mib << 20))],
                                   stdout=subprocess.PIPE, preexec_fn=enter)
        process.stdout.readline()
        self.held[name], self.uids[name] = process, uid

    def release(self, name):
        self.kube.annotate(name, {"berth/evict": None})

    def hold(self, name):
        self.kube.annotate(name, {"berth/evict": "false"})

    def is_leaving(self, name, namespace="default"):
        return "deletionTimestamp" in self.kube.call("GET", self.kube.pod_path(name, namespace))["metadata"]

    def lives(self, name):
        return self.held[name].poll() is None

    def end(self, name, namespace="default"):
        """What a kubelet does in the end."""
        self.held[name].kill()
        self.held[name].wait()
        self.kube.pod_delete(name, namespace)
        self.groups.drop(self.uids[name])

    def close(self):
        for process in self.held.values():
            process.kill()
            process.wait()


def history(daemon, name, what="evict"):
    return [entry for entry in daemon.get("/v1/history")["history"]
            if entry["what"] == what and entry["label"].endswith("/" + name)]


def counted(daemon, result):
    text = daemon.get("/metrics")
    line = f'berth_colocation_evictions_total{{resource="memory",result="{result}"}} '
    return sum(float(found[len(line):]) for found in text.splitlines() if found.startswith(line))


def explained(daemon, uid):
    for item in daemon.get("/v1/explain", {"workload": uid})["descriptions"]:
        if item["key"] == "evict":
            return item["value"]
    return ""


def test_forbidden(rig):
    """Without the right to: one line, told again to nobody, and the pod stays."""
    with rig.node(rig.account("mute", RULES[:2])) as daemon:
        daemon.start()
        daemon.wait_ready("watching")
        rig.release("first")
        wait_until(lambda: history(daemon, "first"), "an eviction that is forbidden", 60)
        wait_until(lambda: daemon.lines("pods cannot be evicted") == 1, "a line about RBAC", 60)
        wait_until(lambda: "403" in history(daemon, "first")[0]["outcome"], "its outcome")
        wait_until(lambda: counted(daemon, "forbidden") >= 2, "the second try and its count", 60)
        # One that is under way is not counted yet.
        wait_until(lambda: len(history(daemon, "first")) == counted(daemon, "forbidden"),
                   "as many entries as tries", 60)
        check(daemon.lines("pods cannot be evicted") == 1, "it is told again and again")
        check(not rig.is_leaving("first"), "it was evicted all the same")
        rig.hold("first")


def test_dry_run(rig, daemon):
    rig.change(daemon, policy() + "dry_run: true\n")
    rig.release("first")
    wait_until(lambda: history(daemon, "first"), "a dry run", 60)
    rig.hold("first")
    check(history(daemon, "first")[0]["outcome"] == "dry run: nothing was done",
          f"{history(daemon, 'first')}")
    wait_until(lambda: counted(daemon, "dry_run") >= 1, "the count of dry runs", 60)
    check(counted(daemon, "evicted") == 0, "counted as real")
    check("would be evicted" in explained(daemon, rig.uids["first"]) or
          "never" in explained(daemon, rig.uids["first"]), explained(daemon, rig.uids["first"]))
    check(not rig.is_leaving("first"), "a dry run evicted")
    rig.change(daemon, policy())


def test_allowed(rig, daemon):
    rig.release("first")
    start = time.monotonic()
    wait_until(lambda: rig.is_leaving("first"), "an eviction", 60)
    print(f"  evicted {time.monotonic() - start:.1f} s after it may be")
    wait_until(lambda: history(daemon, "first")[-1]["outcome"] == "evicted through the API",
               f"{history(daemon, 'first')[-1]}")
    entry = history(daemon, "first")[-1]
    for part in ("memory: ", " left, line ", " of 3 samples", "it held ", "1 of 1 offline"):
        check(part in entry["reason"], f"no '{part}' in the evidence: {entry['reason']}")
    check(entry["reason"] in explained(daemon, rig.uids["first"]), "explain has not the evidence")
    wait_until(lambda: counted(daemon, "evicted") >= 1, "its count")
    check(counted(daemon, "evicted") == 1, "not counted once")

    def told():
        return [event for event in rig.kube.events("default") if event["reason"] == "BerthAction" and
                event["involvedObject"]["name"] == "first" and event["type"] == "Warning" and
                "colocation evicted this pod: memory" in event["message"]]
    wait_until(told, "an Event about it", 60)
    rig.end("first")


def test_budget(rig, daemon):
    """The largest is under a budget: refused, and the next one goes; then the budget does."""
    rig.kube.create([{"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget",
                      "metadata": {"name": "keep"},
                      "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}}}])
    # No controller here: what it would say of one healthy pod of one.
    rig.kube.merge(BUDGETS + "/keep/status",
                   {"status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1,
                               "desiredHealthy": 1, "expectedPods": 1}})
    rig.release("kept")
    wait_until(lambda: history(daemon, "kept"), "an eviction that a budget forbids", 60)
    rig.release("other")
    wait_until(lambda: rig.is_leaving("other"), "another one instead", 60)
    check("429" in history(daemon, "kept")[0]["outcome"], f"{history(daemon, 'kept')}")
    check("PodDisruptionBudget" in explained(daemon, rig.uids["kept"]),
          explained(daemon, rig.uids["kept"]))
    # It is asked again half a minute later, and then a minute.
    wait_until(lambda: counted(daemon, "budget") == len(history(daemon, "kept")), "each is counted", 60)
    check(counted(daemon, "budget") <= 2, "asked again and again")
    rig.end("other")
    check(not rig.is_leaving("kept"), "a budget was passed over")
    rig.kube.call("DELETE", BUDGETS + "/keep")
    wait_until(lambda: rig.is_leaving("kept"), "its eviction once the budget is gone", 120)
    check(len(history(daemon, "kept")) <= 3, f"{history(daemon, 'kept')}")
    rig.end("kept")


def test_api_is_down(rig, daemon):
    """Refused, unless the policy says kill; then one of them, and no second one."""
    rig.kube.stop_apiserver(signal.SIGKILL)
    rig.change(daemon, policy(protect_namespaces="[]"))
    both = ("gate-1", "gate-2")
    wait_until(lambda: any(history(daemon, name) for name in both), "an eviction without API", 60)
    wait_until(lambda: counted(daemon, "no_api") >= 1, "that no API is up")
    outcome = [entry["outcome"] for name in both for entry in history(daemon, name)][0]
    check("no answer of the API" in outcome, outcome)
    check(all(rig.lives(name) for name in both), "refused, and yet it is gone")
    check(not any(history(daemon, name, "kill") for name in both), "it was killed")
    rig.change(daemon, policy(protect_namespaces="[]", without_api="kill", cooldown="60s"))
    wait_until(lambda: not all(rig.lives(name) for name in both), "one that is killed", 90)
    wait_until(lambda: counted(daemon, "killed") == 1, "its count")
    killed = [name for name in both if not rig.lives(name)]
    check(len(killed) == 1 and history(daemon, killed[0], "kill")[0]["outcome"] == "done", f"{killed}")
    time.sleep(5)  # as many samples, each of them short
    check(sum(rig.lives(name) for name in both) == 1, "the cool-down does not hold")
    rig.change(daemon, policy())
    rig.kube.start_apiserver()
    daemon.wait_ready("watching", 60)


def main():
    build = arguments().build
    groups = PodGroups("test.evict")
    try:
        if "memory" not in groups.mounts:
            skip("no memory controller is mounted on this host")
        with kube_cluster() as kube, contextlib.closing(Rig(build, kube, groups)) as rig:
            kube.create_namespace("gate")
            kube.service_account("kube-system", "default")
            rig.pod("system", 64, BATCH, namespace="kube-system")
            rig.pod("online", 64, {"berth/qos": "high"})
            rig.pod("first")
            rig.pod("kept", 32, labels={"app": "kept"})
            rig.pod("other")
            for name in ("gate-1", "gate-2"):
                rig.pod(name, annotations=BATCH, namespace="gate")
            test_forbidden(rig)
            print("ok test_forbidden", flush=True)
            with rig.node() as daemon:
                daemon.start()
                daemon.wait_ready("watching")
                for test in (test_dry_run, test_allowed, test_budget, test_api_is_down):
                    test(rig, daemon)
                    print(f"ok {test.__name__}", flush=True)
                check("kube-system never is" in explained(daemon, rig.uids["system"]), "explain")
                for name in ("system", "online"):
                    check(not history(daemon, name) and not history(daemon, name, "kill"), name)
                check(daemon.stop() == 0, "berthd did not end well")
            check(rig.lives("system") and not rig.is_leaving("system", "kube-system"),
                  "a pod of kube-system was evicted")
            check(rig.lives("online") and not rig.is_leaving("online"), "an online pod was evicted")
    finally:
        groups.clean()


main()
