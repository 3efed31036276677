# SPDX-License-Identifier: Apache-2.0
"""A berthd that asks an API for the pods of its node, and control groups laid out as a kubelet's."""

from berthtest import Daemon, Groups, check, fail, wait_until

IDLE = "cpu.idle"


class PodGroups(Groups):
    """ROOT/kubepods/podUID/CONTAINER, as kubelet's cgroupfs driver makes them."""

    def __init__(self, tag="test"):
        super().__init__(tag)
        self.make("kubepods")

    @staticmethod
    def group(uid, container=None):
        return f"kubepods/pod{uid}" + (f"/{container}" if container else "")

    def add(self, uid, container=None):
        self.make(self.group(uid, container))

    def drop(self, uid, container=None):
        self.remove(self.group(uid, container))

    def is_idle(self, uid):
        return self.read(self.group(uid), IDLE) == "1"

    def need_idle(self):
        """Which knob makes a group yield is the kernel's; these tests are about when."""
        return self.path("cpu", "").joinpath(IDLE).exists()


class Node(Daemon):
    """kubernetes: the text of that section of the policy."""

    def __init__(self, build, kubernetes, groups=None, node="node1", extra="", **options):
        self.groups = groups
        self.node_name, self.extra = node, extra
        super().__init__(build, self.text(kubernetes), **options)

    def text(self, kubernetes):
        paths = f'["{self.groups.glob("own-*")}"]' if self.groups else "[]"
        return (f'metrics: {{listen: ""}}\nnode: {{name: "{self.node_name}"}}\n'
                f"sources:\n  kubernetes: {{{kubernetes}}}\n  cgroups: {{paths: {paths}}}\n"
                "  units: {enabled: false}\n  machines: {enabled: false}\n"
                'rules:\n  - {match: {cgroup: "*/own-batch*"}, qos: batch}\n' + self.extra)

    def change(self, kubernetes):
        self.write_policy(self.text(kubernetes))
        check(self.wait_notify("READY=1"), "berthd ended at a change of the policy")

    def source(self, name="kubernetes"):
        for source in self.get("/v1/status")["sources"]:
            if source["name"] == name:
                return source
        fail(f"no source {name}")
        return None

    def is_ready(self, text=""):
        source = self.source()
        return source["state"] == "ready" and text in source["detail"]

    def is_down(self, text=""):
        source = self.source()
        return source["state"] == "down" and text in source["detail"]

    def wait_ready(self, text="", timeout=60.0):
        self.wait_state(lambda: self.is_ready(text), f"ready: {text}", timeout)

    def wait_down(self, text="", timeout=60.0):
        self.wait_state(lambda: self.is_down(text), f"down: {text}", timeout)

    def wait_state(self, condition, what, timeout):
        try:
            wait_until(condition, what, timeout)
        except SystemExit:
            print(f"the source is: {self.source()}")
            raise

    def pod(self, uid):
        """The workload that is that pod's group, or None."""
        for workload in self.get("/v1/workloads")["workloads"]:
            if workload["uid"] == uid and workload["kind"] == "pod":
                return workload
        return None

    def level(self, cgroup):
        """Of the workload at that path; None: there is none."""
        for workload in self.get("/v1/workloads")["workloads"]:
            if workload["cgroup"] == cgroup:
                return workload["qos"]
        return None

    def lines(self, text):
        """How many lines of the log have it."""
        return sum(text in line for line in self.log_text().splitlines())

    def status_bytes(self, field):
        """Of /proc/PID/status: VmRSS, VmHWM."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) << 10
        return 0

    def is_sanitized(self):
        """Its memory is then not its own."""
        with open(f"/proc/{self.process.pid}/maps", encoding="ascii") as file:
            return "libasan" in file.read()
