# SPDX-License-Identifier: Apache-2.0
"""A host that has openEuler's bwm: a mount namespace of one's own with the kernel's own net_cls and a
place for bwm's map, and a /proc, for --root, in which bwmfs.py is /proc/qos."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from berthtest import check, skip

HERE = pathlib.Path(__file__).resolve().parent
NET_CLS = pathlib.Path("/sys/fs/cgroup/net_cls")
MAP = pathlib.Path("/sys/fs/bpf/tc/globals/throttle_cfg")


def enter():
    """Run this script again in a mount namespace of its own."""
    if os.environ.get("BERTH_TEST_BWM"):
        return
    if os.geteuid() != 0:
        skip("not root: nothing can be mounted")
    if not os.path.exists("/dev/fuse"):
        skip("no /dev/fuse on this host")
    if os.path.exists("/proc/qos"):
        skip("this host has a bwm of its own, which is not for tests")
    if "net_cls" not in pathlib.Path("/proc/cgroups").read_text():
        skip("this kernel has no net_cls")
    os.environ["BERTH_TEST_BWM"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                          *sys.argv])


def run(*command):
    subprocess.run(command, check=True)


def prepare():
    """/sys/fs becomes a tmpfs with the control groups that were there, net_cls beside them."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="berth-sysfs-"))
    old = pathlib.Path("/sys/fs/cgroup")
    run("mount", "-t", "tmpfs", "tmpfs", top)
    (top / MAP.relative_to("/sys/fs").parent).mkdir(parents=True)
    (top / "cgroup").mkdir()
    if (old / "cgroup.controllers").exists():
        skip("control groups of v2 alone: net_cls is one of v1")
    for mount in old.iterdir():
        if mount.is_dir() and mount.name != "net_cls":
            (top / "cgroup" / mount.name).mkdir()
            run("mount", "--rbind", mount, top / "cgroup" / mount.name)
    (top / "cgroup/net_cls").mkdir()
    if subprocess.run(["mount", "-t", "cgroup", "-o", "net_cls", "net_cls",
                       top / "cgroup/net_cls"], check=False).returncode:
        skip("net_cls cannot be mounted")
    run("umount", "-R", "-l", old)
    run("mount", "--move", top, "/sys/fs")
    top.rmdir()


class Host:
    """--root; the module comes and goes with load() and unload()."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="berth-bwm-"))
        (self.root / "proc/qos").mkdir(parents=True)
        for name in os.listdir("/proc"):
            if not name.isdigit():
                (self.root / "proc" / name).symlink_to(f"/proc/{name}")
        (self.root / "sys").symlink_to("/sys")
        self.qos = self.root / "proc/qos"
        self.process = None

    def load(self):
        self.process = subprocess.Popen([sys.executable, HERE / "bwmfs.py", self.qos, MAP],
                                        stdout=subprocess.PIPE)
        check(self.process.stdout.readline() == b"mounted\n", "bwm is mounted")

    def unload(self):
        self.process.terminate()
        self.process.wait(60)
        MAP.unlink(missing_ok=True)

    def switch_on(self):
        """As its CNI plugin or an administrator does, here for the namespace of the test."""
        (self.qos / "net_qos_enable").write_text(f"{os.getpid()}\n")

    def tell(self, bandwidth, waterline):
        (self.qos / "net_qos_bandwidth").write_text(bandwidth + "\n")
        (self.qos / "net_qos_waterline").write_text(waterline + "\n")

    def limits(self):
        return ((self.qos / "net_qos_bandwidth").read_text().strip(),
                (self.qos / "net_qos_waterline").read_text().strip())

    def refuse(self, refuse):
        (self.qos / ".mock").write_text("refuse" if refuse else "take")

    def ran(self):
        return json.loads((self.qos / ".mock").read_text())["ran"]

    def clean(self):
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_symlink():
                path.unlink()
        for path in (self.qos, self.root / "proc", self.root):
            path.rmdir()


def policy(groups, by="auto", enabled="true", water_line="110Mi", low="4Mi", high="100Mi",
           batch="batch"):
    return f"""
metrics: {{listen: ""}}
sources:
  cgroups: {{paths: ["{groups.glob()}", "{groups.glob('*/*')}"]}}
  units: {{enabled: false}}
  kubernetes: {{enabled: false}}
  machines: {{enabled: false}}
rules:
  - {{match: {{cgroup: "*/online*"}}, qos: high}}
  - {{match: {{cgroup: "*/batch*"}}, qos: {batch}}}
  - {{match: {{cgroup: "*/theirs"}}, qos: batch}}
plugins:
  colocation:
    cpu: {{enabled: false}}
    memory: {{enabled: false}}
    io: {{enabled: false}}
    network:
      {{enabled: {enabled}, by: {by}, water_line: {water_line}, low: {low}, high: {high},
       devices: [nosuchdevice0]}}
"""
