#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists of CPUs of real groups: those of offline workloads are narrowed, those below them with them; a
reload, a stop, and --restore after SIGKILL put all of them back."""
import pathlib

from berthtest import Daemon, Groups, arguments, check, skip, wait_until


class CpuGroups(Groups):
    """With the cpuset hierarchy of v1, where a runtime copies the parent's lists into each group."""

    def __init__(self):
        super().__init__("placement")
        mount = pathlib.Path("/sys/fs/cgroup/cpuset")
        if self.version != 1 or not (mount / "cpuset.cpus").exists():
            self.clean()
            skip("no cpuset of cgroup v1 here (tests/vm has both versions)")
        self.mounts["cpuset"] = mount
        self.make("")

    def make(self, group):
        super().make(group)
        if "cpuset" not in self.mounts:
            return
        path = self.path("cpuset", group)
        for name in ("cpuset.cpus", "cpuset.mems"):
            (path / name).write_text((path.parent / name).read_text())

    def cpus(self, group):
        return self.read(group, "cpuset.cpus", "cpuset")


def policy(groups, enabled):
    return f"""
metrics: {{listen: ""}}
sources:
  cgroups: {{paths: ["{groups.glob()}"]}}
  units: {{enabled: false}}
  kubernetes: {{enabled: false}}
  machines: {{enabled: false}}
rules:
  - {{match: {{cgroup: "*/batch*"}}, qos: batch}}
plugins:
  colocation:
    placement: {{tidal: {{enabled: {enabled}, calm: 1h, share_percent: 1, floor_percent: 1}}}}
"""


NAMES = ("batch", "batch/main", "batch/main/deep", "online")


def main():
    build = arguments().build
    groups = CpuGroups()
    try:
        whole = groups.cpus("")
        if "-" not in whole and "," not in whole:
            skip("one CPU: nothing can be taken away")
        for name in NAMES:
            groups.make(name)
        process = groups.hold("batch/main", 4096)

        def narrow():
            return all(groups.cpus(name) != whole for name in NAMES if name != "online")

        def put_back(when, *more):
            for name in (*NAMES, *more):
                check(groups.cpus(name) == whole, f"{when}: {name} has {groups.cpus(name)}")

        with Daemon(build, policy(groups, "true")) as daemon:
            daemon.start()
            wait_until(narrow, "batch and all below it are narrowed")
            check(groups.cpus("online") == whole, "online keeps its CPUs")
            allowed = pathlib.Path(f"/proc/{process.pid}/status")
            # One CPU after the other is taken away where there are many.
            wait_until(lambda: f"Cpus_allowed_list:\t{groups.cpus('batch')}\n" in
                       allowed.read_text(), "its process has the CPUs of its group")
            late = "batch/late"
            groups.make(late)
            check(groups.cpus(late) != whole, "one that is made now is narrow")
            daemon.write_policy(policy(groups, "false"))
            check(daemon.ctl("reload").returncode == 0, "reload")
            wait_until(lambda: all(groups.cpus(name) == whole for name in (*NAMES, late)),
                       "off by a reload")
            # It stays so over the reload that the file's change brings as well.
            check(daemon.ctl("reload").returncode == 0, "reload")
            put_back("after a reload", late)
            daemon.write_policy(policy(groups, "true"))
            check(daemon.ctl("reload").returncode == 0, "reload")
            wait_until(narrow, "on by a reload")
            check(daemon.stop() == 0, "stop")
            put_back("after a stop")
            daemon.start()
            wait_until(narrow, "narrowed again")
            daemon.kill()
            check(narrow(), "a kill leaves it as it is")
            restored = daemon.restore()
            check(restored.returncode == 0, f"--restore: {restored.stderr}")
            put_back("after --restore")
            # Killed, and taken over: no group is wide in between.
            daemon.start()
            wait_until(narrow, "narrowed a third time")
            daemon.kill()
            daemon.start()
            check(narrow(), "the next run goes on")
            wait_until(lambda: daemon.get("/v1/knobs")["knobs"], "claims of the next run")
            check(daemon.stop() == 0, "stop")
            put_back("in the end")
            check(groups.cpus(late) == whole, f"the later one has {groups.cpus(late)}")
        process.kill()
        process.wait()
        print("ok")
    finally:
        groups.clean()


main()
