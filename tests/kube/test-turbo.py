#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quota turbo and burst of real groups, laid out by both drivers of the kubelet, for pods of a real
kube-apiserver: raised, ancestors with it, and given back in every way that it can end."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

from kubetest import arguments, check, kube_cluster, skip, wait_until
from madeup import Host
from node import Node, PodGroups

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
         {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]
TURBO, BURST = "volcano.sh/quota-turbo", "volcano.sh/quota-burst-time"
LIMIT = 10_000  # microseconds of 100 ms: a tenth of a CPU, which even a busy machine has over
HOG = "while :; do :; done"


class Pods(PodGroups):
    """All hierarchies that tell something of a CPU."""

    def __init__(self, tag, suffix=""):
        super().__init__(tag)
        if suffix:
            self.clean()
            self.name += suffix
            self.make("")
        cpuacct = pathlib.Path("/sys/fs/cgroup/cpuacct")
        if self.version == 1 and cpuacct.is_dir() and not cpuacct.is_symlink():
            self.mounts["cpuacct"] = cpuacct
            self.make("")
        self.write("", self.weight, "10000")

    def quota(self, group):
        """Microseconds of 100 ms, or None."""
        if self.version == 2:
            word = self.read(group, "cpu.max").split()[0]
            return None if word == "max" else int(word)
        number = int(self.read(group, "cpu.cfs_quota_us"))
        return None if number < 0 else number

    def set_quota(self, group, usec):
        if self.version == 2:
            self.write(group, "cpu.max", f"{usec} 100000")
        else:
            self.write(group, "cpu.cfs_quota_us", str(usec))

    def burst(self, group):
        return int(self.read(group, "cpu.max.burst" if self.version == 2 else "cpu.cfs_burst_us"))

    def stat(self, group, key):
        for line in self.read(group, "cpu.stat").splitlines():
            if line.split()[0] == key:
                return int(line.split()[1])
        return 0

    def place(self, driver, uid, identity):
        """(pod, container)"""
        if driver == "cgroupfs":
            return f"kubepods/pod{uid}", f"kubepods/pod{uid}/{identity}"
        pod = f"kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice"
        return pod, f"{pod}/cri-containerd-{identity}.scope"

    def make_all(self, group):
        path = ""
        for part in group.split("/"):
            path = f"{path}/{part}" if path else part
            if not all(self.path(controller, path).exists() for controller in self.mounts):
                self.make(path)
                if self.version == 2 and path != group:
                    self.write(path, "cgroup.subtree_control", "+cpu")


class Pod:
    """One container at its limit, with a hog in it."""

    def __init__(self, kube, groups, name, driver, annotations, number):
        self.kube, self.groups, self.name = kube, groups, name
        body = kube.pod(name, annotations=annotations, requests={"cpu": "100m"},
                        limits={"cpu": "100m"})
        identity = f"{number:064x}"
        self.pod, self.container = groups.place(driver, body["metadata"]["uid"], identity)
        groups.make_all(self.container)
        groups.set_quota(self.pod, LIMIT)
        groups.set_quota(self.container, LIMIT)
        kube.pod_status(name, {"main": f"containerd://{identity}"})
        paths = [groups.path(controller, self.container) / "cgroup.procs"
                 for controller in groups.mounts]

        def enter():
            for path in paths:
                path.write_text("0")
        self.process = subprocess.Popen(["sh", "-c", HOG], preexec_fn=enter)

    def annotate(self, **annotations):
        self.kube.annotate(self.name, {f"volcano.sh/{key.replace('_', '-')}": value
                                       for key, value in annotations.items()})

    def quotas(self):
        return self.groups.quota(self.pod), self.groups.quota(self.container)

    def is_raised(self):
        pod, container = self.quotas()
        # Between the two writes the pod has more already.
        return container > LIMIT and pod >= container

    def is_whole(self):
        return self.quotas() == (2 * LIMIT, 2 * LIMIT)

    def is_back(self):
        return self.quotas() == (LIMIT, LIMIT)

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Rig:
    def __init__(self, build, kube, groups, slices, host):
        self.build, self.kube, self.groups, self.host = build, kube, groups, host
        kube.service_account("kube-system", "berth")
        kube.may("kube-system", "berth", RULES)
        token = kube.token("kube-system", "berth")
        wait_until(lambda: kube.request("GET", "/api/v1/pods", token=token)[0] == 200, "RBAC holds",
                   30)
        self.kubeconfig = kube.kubeconfig("berth.kubeconfig", token=token)
        self.pods = [Pod(kube, groups, "cgroupfs", "cgroupfs", {TURBO: "true"}, 1),
                     Pod(kube, slices, "systemd", "systemd", {TURBO: "true"}, 2)]
        self.other = Pod(kube, groups, "other", "cgroupfs", {}, 9)

    def node(self, turbo="", directory=None):
        node = Node(self.build, f'enabled: true, kubeconfig: "{self.kubeconfig}"', self.groups,
                    extra=self.extra(turbo), directory=directory)
        node.command = lambda *options, command=node.command: command(
            "--root", str(self.host.root), *options)
        return node

    @staticmethod
    def extra(turbo):
        return f"plugins: {{colocation: {{turbo: {{{turbo}}}}}}}\n"

    def change(self, daemon, turbo):
        daemon.extra = self.extra(turbo)
        daemon.change(f'enabled: true, kubeconfig: "{self.kubeconfig}"')

    def all_are(self, what, timeout=30):
        for pod in self.pods:
            try:
                wait_until(lambda pod=pod: getattr(pod, what)(), f"{pod.name} {what}", timeout)
            except SystemExit:
                print(f"pod and container have {pod.quotas()}")
                raise
        check(self.other.is_back(), f"a pod that did not opt in has {self.other.quotas()}")

    def close(self):
        for pod in [*self.pods, self.other]:
            pod.end()


def explained(daemon, pod):
    return daemon.ctl("explain", f"{pod.groups.name}/{pod.container}").stdout


def test_raised_and_given_back(rig, daemon):
    rig.all_are("is_whole")
    for pod in rig.pods:
        check("colocation/turbo" in explained(daemon, pod), explained(daemon, pod))
    check(daemon.metric("berth_colocation_turbo_raised") == 2, "the metric does not say 2")
    rig.host.percent = 95
    rig.all_are("is_back")
    rig.host.percent = 20
    rig.all_are("is_whole")


def test_annotation_goes(rig, _daemon):
    pod = rig.pods[1]
    pod.annotate(quota_turbo=None)
    wait_until(pod.is_back, "given back without the annotation", 30)
    check(rig.pods[0].is_whole(), "the other pod lost what it had")
    pod.annotate(quota_turbo="true")
    rig.all_are("is_whole")


def test_resized_in_place(rig, _daemon):
    """The kubelet writes a pod before its container on the way up."""
    pod = rig.pods[0]
    rig.groups.set_quota(pod.pod, 5 * LIMIT)
    wait_until(lambda: rig.groups.quota(pod.pod) == 6 * LIMIT, "what is lent is on top of the new one",
               30)
    rig.groups.set_quota(pod.pod, LIMIT + LIMIT // 2 if rig.groups.version == 2 else 2 * LIMIT)
    wait_until(lambda: rig.groups.quota(pod.pod) in (LIMIT * 5 // 2, 3 * LIMIT), "and again",
               30)


def test_service_off(rig, daemon):
    rig.change(daemon, "enabled: false")
    pod = rig.pods[1]
    wait_until(pod.is_back, "given back by a service that is off", 30)
    # The container before the pod: one that was written meanwhile would be put back on top of it.
    wait_until(lambda: rig.groups.quota(rig.pods[0].container) == LIMIT, "and the other one's", 30)
    rig.groups.set_quota(rig.pods[0].pod, LIMIT)
    check(rig.pods[0].is_back(), f"{rig.pods[0].quotas()}")
    rig.change(daemon, "enabled: true")
    rig.all_are("is_whole")


def test_law_rubik(rig, daemon):
    rig.change(daemon, "law: rubik")
    # It goes by averages: a hog is over its own at once.
    wait_until(lambda: all(not pod.is_whole() for pod in rig.pods), "rubik's budget is used up", 30)
    rig.change(daemon, "law: pressure")
    rig.all_are("is_whole")


def test_burst(rig, daemon):
    pod = rig.pods[0]
    try:
        rig.groups.burst(pod.container)
    except OSError:
        print("skipped: burst: this kernel has none")
        return
    pod.annotate(quota_burst_time="4000")
    wait_until(lambda: rig.groups.burst(pod.container) == 4000, "the burst", 30)
    wait_until(lambda: rig.groups.burst(pod.pod) == 4000, "the burst of the pod")
    pod.annotate(quota_burst_time=str(5 * LIMIT))
    wait_until(lambda: rig.groups.burst(pod.container) == LIMIT, "the burst at the limit", 30)
    check("not more than the quota" in explained(daemon, pod), explained(daemon, pod))
    check(pod.is_whole(), "turbo went with the burst")
    pod.annotate(quota_burst_time=None)
    wait_until(lambda: rig.groups.burst(pod.container) == 0, "no burst", 30)
    wait_until(lambda: rig.groups.burst(pod.pod) == 0, "no burst of the pod")


TESTS = [test_raised_and_given_back, test_annotation_goes, test_burst, test_law_rubik,
         test_service_off, test_resized_in_place]


def test_ends(rig):
    """By SIGKILL and --restore, by SIGKILL and a start, by SIGTERM."""
    rig.groups.set_quota(rig.pods[0].pod, LIMIT)
    with rig.node() as daemon:
        daemon.start(level="info")
        rig.all_are("is_whole")
        daemon.kill()
        rig.all_are("is_whole")
        result = daemon.restore()
        check(result.returncode == 0, f"--restore: {result.stdout}{result.stderr}")
        rig.all_are("is_back", 10)
        daemon.start(level="info")
        rig.all_are("is_whole")
        daemon.kill()
        daemon.start(level="info")
        rig.all_are("is_whole")
        problems = [line for line in daemon.log_text().splitlines() if line[:3] in ("<3>", "<4>")]
        check(not [line for line in problems if "cpu.quota" in line], "\n".join(problems))
        check(daemon.stop() == 0, "berthd did not end well")
        rig.all_are("is_back", 10)


def main():
    options = arguments()
    groups = Pods("turbo")
    slices = Pods("turbo-slice", ".slice")
    host = Host(tempfile.mkdtemp(prefix="berth-turbo-") + "/root")
    rig = None
    try:
        with kube_cluster() as kube, host:
            try:
                rig = Rig(options.build, kube, groups, slices, host)
            except OSError as error:
                skip(f"no CPU quota for a group here: {error}")
            with rig.node() as daemon:
                daemon.start(level="info")
                for test in TESTS:
                    test(rig, daemon)
                    print(f"ok {test.__name__}", flush=True)
            test_ends(rig)
            print("ok test_ends")
    finally:
        if rig:
            rig.close()
        groups.clean()
        slices.clean()
        shutil.rmtree(host.root.parent, ignore_errors=True)


main()
