# SPDX-License-Identifier: Apache-2.0
"""A mount namespace of one's own whose /sys/fs/resctrl is resctrlfs.py: no host of ours has one."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from berthtest import check, skip

POINT = pathlib.Path("/sys/fs/resctrl")
HERE = pathlib.Path(__file__).resolve().parent
CPUINFO = "/proc/cpuinfo"
# Who made the processor says how bandwidth is counted: a host's is not that of its test.
VENDORS = {"intel": "vendor_id\t: GenuineIntel", "amd": "vendor_id\t: AuthenticAMD",
           "arm": "CPU implementer\t: 0x41"}


def enter():
    """Run this script again in a mount namespace of its own."""
    if os.environ.get("BERTH_TEST_RESCTRL"):
        return
    if os.geteuid() != 0:
        skip("not root: nothing can be mounted")
    if not os.path.exists("/dev/fuse"):
        skip("no /dev/fuse on this host")
    if POINT.exists() and (POINT / "schemata").exists():
        skip("this host has a resctrl of its own, which is not for tests")
    os.environ["BERTH_TEST_RESCTRL"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                          *sys.argv])


def prepare():
    """sysfs takes no new directory: /sys/fs becomes a tmpfs with what was there and ours."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="berth-sysfs-"))
    for command in (["mount", "-t", "tmpfs", "tmpfs", top],
                    ["mkdir", top / "cgroup", top / "resctrl"],
                    ["mount", "--rbind", "/sys/fs/cgroup", top / "cgroup"],
                    ["umount", "-R", "-l", "/sys/fs/cgroup"],
                    ["mount", "--move", top, "/sys/fs"]):
        subprocess.run(command, check=True)
    top.rmdir()


class Mock:
    """One resctrl, mounted; usable as a context."""

    def __init__(self, profile):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "resctrlfs.py", POINT, profile], stdout=subprocess.PIPE)
        check(self.process.stdout.readline() == b"mounted\n", f"{profile}: not mounted")
        with tempfile.NamedTemporaryFile("w", prefix="berth-cpuinfo-") as cpuinfo:
            cpuinfo.write(f"processor\t: 0\n{VENDORS[profile.split('-')[0]]}\n")
            cpuinfo.flush()
            subprocess.run(["mount", "--bind", cpuinfo.name, CPUINFO], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        subprocess.run(["umount", CPUINFO], check=True)
        self.process.terminate()
        self.process.wait(60)

    @staticmethod
    def groups():
        return sorted(path.name for path in POINT.iterdir()
                      if path.is_dir() and path.name not in ("info", "mon_data", "mon_groups"))

    @staticmethod
    def schemata(group=""):
        """{"L3": {0: "3"}}, in the kernel's own digits without padding."""
        lines = (POINT / group / "schemata").read_text().split()
        text = "".join(lines).replace("MB:", "\nMB:").replace("L", "\nL")
        return {name: {int(d): v.strip().lstrip("0") for d, v in
                       (pair.split("=") for pair in values.split(";"))}
                for name, values in (line.split(":") for line in text.split())}

    @staticmethod
    def tasks(group):
        path = POINT / group / "tasks"
        return set(map(int, path.read_text().split())) if path.exists() else set()

    @staticmethod
    def refused():
        return json.loads((POINT / ".mock").read_text())["refused"]

    @staticmethod
    def count(group, counter, values):
        (POINT / ".mock").write_text(json.dumps({"mon": {group: {counter: values}}}))


def cache_policy(groups, batch="high", enabled="true", more=""):
    return f"""
metrics: {{listen: ""}}
sources:
  cgroups: {{paths: ["{groups.glob()}"]}}
  units: {{enabled: false}}
  kubernetes: {{enabled: false}}
  machines: {{enabled: false}}
rules:
  - {{match: {{cgroup: "*/batch*"}}, qos: batch}}
  - {{match: {{cgroup: "*/scav*"}}, qos: scavenger}}
plugins:
  colocation:
    cpu: {{enabled: false}}
    memory: {{enabled: false}}
    io: {{enabled: false}}
    cache: {{enabled: {enabled}, batch: {batch}, bandwidth_mbps: 50000{more}}}
"""


class Worker:
    """A process with threads, in a group; more of both at a word."""
    CODE = """
import os, signal, sys, threading
def thread():
    threading.Thread(target=signal.pause, daemon=True).start()
for _ in range(int(sys.argv[1])):
    thread()
print("up", flush=True)
for line in sys.stdin:
    if line == "thread\\n":
        thread()
    elif os.fork() == 0:
        signal.pause()
    print("done", flush=True)
"""

    def __init__(self, groups, group, threads):
        self.process = subprocess.Popen([sys.executable, "-c", self.CODE, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        check(self.process.stdout.readline() == b"up\n", "the worker is up")
        for controller in groups.mounts:
            groups.write(group, "cgroup.procs", str(self.process.pid), controller)

    def more(self, what):
        self.process.stdin.write(f"{what}\n".encode())
        self.process.stdin.flush()
        check(self.process.stdout.readline() == b"done\n", "the worker obeys")

    def stop(self, groups, group):
        for pid in groups.read(group, "cgroup.procs").split():
            os.kill(int(pid), signal.SIGKILL)
        self.process.wait()


def tids(groups, group):
    file = "cgroup.threads" if groups.version == 2 else "tasks"
    return set(map(int, groups.read(group, file).split()))
