#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real QEMU processes in real cgroups, laid out as libvirt does without systemd, and by hand."""
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

from berthtest import Daemon, Groups, arguments, check, fail, skip, wait_until

QEMU = shutil.which("qemu-system-x86_64")
LOOK = 55  # seconds until the next one; timers may be five early
POLICY = """
metrics: {listen: ""}
sources:
  units: {enabled: false}
  machines: {enabled: SWITCH}
rules:
  - {match: {kind: vm, name: "batch*"}, qos: batch}
"""


class Machine:
    """QEMU, stopped before its first instruction. TCG, because CI has no KVM."""

    def __init__(self, name, group=None, groups=None):
        self.name, self.uuid = name, str(uuid.uuid4())
        self.directory = tempfile.mkdtemp(prefix="berth-test-qemu-")
        pid_file = pathlib.Path(self.directory) / "pid"
        # QEMU doubles no comma by itself.
        guest = name.replace(",", ",,")
        command = [QEMU, "-name", f"guest={guest},debug-threads=on", "-uuid", self.uuid, "-S",
                   "-machine", "pc", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "32", "-display",
                   "none", "-nodefaults", "-no-user-config", "-pidfile", str(pid_file)]
        # In its group before it runs, as systemd-run and libvirt do it.
        enter = "".join(f"echo $$ >'{groups.path(controller, group)}/cgroup.procs' && "
                        for controller in groups.mounts) if group else ""
        self.process = subprocess.Popen(["sh", "-c", enter + 'exec "$@"', "sh", *command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)

        def started():
            if self.process.poll() is not None:
                fail(f"QEMU ended with {self.process.returncode}: {self.process.stderr.read()}")
            return pid_file.exists() and len(self.vcpus()) == 2
        wait_until(started, f"QEMU '{name}' runs", timeout=60)

    @property
    def pid(self):
        return self.process.pid

    def vcpus(self):
        """Number of the vCPU to its thread."""
        found = {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                comm = (task / "comm").read_text().strip()
            except OSError:  # a thread that has ended
                continue
            if comm.startswith("CPU ") and comm.endswith("/TCG"):
                found[int(comm[4:-4])] = int(task.name)
        return found

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def machines(daemon):
    return {item["cgroup"]: item for item in daemon.get("/v1/workloads")["workloads"]
            if item["kind"] == "vm"}


def source(daemon):
    return next(item for item in daemon.get("/v1/status")["sources"] if item["name"] == "machines")


def libvirt_groups(groups, scope):
    """What libvirt makes for a domain of two vCPUs where it makes the groups itself."""
    groups.make("machine")
    if groups.version == 2:
        groups.write("machine", "cgroup.subtree_control", "+cpu +memory")
    for name in ("", "/emulator", "/vcpu0", "/vcpu1", "/iothread1"):
        groups.make(scope + name)


def test_domain_is_found_by_its_scope_and_command_line(daemon, groups):
    """The group first, then QEMU in it: as libvirt does it. The name does not fit a group's."""
    scope = "machine/qemu-1-batchjob.libvirt-qemu"
    path = groups.glob(scope)
    libvirt_groups(groups, scope)
    # Of the one above, which is no machine: its own may be written already.
    before = groups.read("machine", groups.weight)
    wait_until(lambda: path in machines(daemon), "a machine's group is seen")
    check(machines(daemon)[path]["name"] == "batchjob", f"named {machines(daemon)[path]}")
    check(machines(daemon)[path]["via"] == "scope name", "who told")
    wait_until(lambda: groups.read(scope, groups.weight) != before, "its level is written")
    name = "batch job, \N{LATIN SMALL LETTER E WITH ACUTE}t\N{LATIN SMALL LETTER E WITH ACUTE}"
    qemu = Machine(name, scope + "/emulator", groups)
    try:
        vcpus = qemu.vcpus()
        for number, thread in vcpus.items():
            if groups.version == 1:
                for controller in groups.mounts:
                    (groups.path(controller, f"{scope}/vcpu{number}") / "tasks").write_text(str(thread))
        wait_until(lambda: machines(daemon)[path].get("leader") == qemu.pid, "its process", timeout=40)
        item = machines(daemon)[path]
        check(item["name"] == name, f"the true name: {item}")
        check(item["uid"] == qemu.uuid and item["alias"] == "qemu-1-batchjob", f"uuid, alias: {item}")
        wait_until(lambda: machines(daemon)[path]["facts"].get("vcpu threads") ==
                   ",".join(f"{number}:{vcpus[number]}" for number in sorted(vcpus)), "its vCPUs")
        facts = machines(daemon)[path]["facts"]
        check(facts["vcpus"] == "2 (vcpu0..1)" and facts["emulator"] == "emulator" and
              facts["iothreads"] == "1 (iothread1)", f"facts: {facts}")
        for text in (qemu.uuid, "qemu-1-batchjob", name, path):
            result = daemon.ctl("explain", text)
            check(result.returncode == 0 and name in result.stdout and "batch" in result.stdout,
                  f"explain '{text}': {result}")
        check(source(daemon)["state"] == "ready", f"the source: {source(daemon)}")
    finally:
        qemu.end()
    for below in ("/emulator", "/vcpu0", "/vcpu1", "/iothread1", ""):
        groups.remove(scope + below)
    wait_until(lambda: path not in machines(daemon), "a machine that ended is forgotten", timeout=40)
    groups.remove("machine")


def test_machine_by_hand_is_found_in_a_group_of_its_own(daemon, groups):
    groups.make("hand")
    path = groups.glob("hand")
    before = groups.read("hand", groups.weight)
    qemu = Machine("batch by hand", "hand", groups)
    try:
        # Processes are looked at a minute after the start, too: on a slow machine that is now.
        check(path not in machines(daemon) or time.monotonic() > daemon.started + LOOK,
              "nothing tells of it before the next look")
        daemon.ctl("reload")
        wait_until(lambda: path in machines(daemon), "a machine by hand")
        item = machines(daemon)[path]
        check(item["via"] == "command line" and item["leader"] == qemu.pid and
              item["uid"] == qemu.uuid and item["name"] == "batch by hand", f"it is {item}")
        check(item["facts"]["vcpus"] == "2", f"facts: {item['facts']}")
        wait_until(lambda: groups.read("hand", groups.weight) != before, "its level is written")
    finally:
        qemu.end()
    # Its group stays, and nobody tells of it but the end of the process.
    wait_until(lambda: path not in machines(daemon), "the end of a machine by hand", timeout=40)
    wait_until(lambda: groups.read("hand", groups.weight) == before, "its group is as it was")
    groups.remove("hand")


def test_machine_in_a_shared_group_is_only_counted(daemon, groups):
    groups.make("shared")
    groups.make("alone")
    other = subprocess.Popen(["sleep", "600"])
    started = []
    try:
        for controller in groups.mounts:
            groups.write("shared", "cgroup.procs", str(other.pid), controller)
        started.append(Machine("batch in company", "shared", groups))
        started.append(Machine("alone", "alone", groups))
        daemon.ctl("reload")
        # Other tests' QEMU may be counted as well: the walk has ended when it tells of this one.
        wait_until(lambda: groups.glob("alone") in machines(daemon), "the one beside it")
        detail = source(daemon)["detail"]
        check("in a shared group" in detail or "in shared groups" in detail, f"not counted: {detail}")
        check("systemd-run --scope" in detail, f"not what to do about it: {detail}")
        check(groups.glob("shared") not in machines(daemon),
              f"a shared group is a machine: {machines(daemon)}")
    finally:
        other.kill()
        other.wait()
        for qemu in started:
            qemu.end()
    groups.remove("shared")
    groups.remove("alone")


def test_start_finds_what_runs_and_off_forgets_it(build, groups):
    scope = "machine/qemu-7-batch.libvirt-qemu"
    libvirt_groups(groups, scope)
    before = groups.read(scope, groups.weight)
    qemu = Machine("batch", scope + "/emulator", groups)
    try:
        with Daemon(build, POLICY.replace("SWITCH", "auto")) as daemon:
            daemon.start()
            path = groups.glob(scope)
            wait_until(lambda: machines(daemon).get(path, {}).get("leader") == qemu.pid, "it is found")
            wait_until(lambda: groups.read(scope, groups.weight) != before, "its level is written")
            daemon.write_policy(POLICY.replace("SWITCH", "false"))
            wait_until(lambda: source(daemon)["state"] == "off", "the source is off")
            check(not machines(daemon), f"machines stay: {machines(daemon)}")
            wait_until(lambda: groups.read(scope, groups.weight) == before, "its group is as it was")
            check(daemon.stop() == 0, "it ends well")
    finally:
        qemu.end()
    for below in ("/emulator", "/vcpu0", "/vcpu1", "/iothread1", ""):
        groups.remove(scope + below)
    groups.remove("machine")


def main():
    options = arguments()
    if not QEMU:
        skip("no qemu-system-x86_64")
    groups = Groups("test")
    try:
        with Daemon(options.build, POLICY.replace("SWITCH", "true")) as daemon:
            daemon.started = time.monotonic()
            daemon.start()
            wait_until(lambda: source(daemon)["state"] == "ready", "the source is ready")
            test_domain_is_found_by_its_scope_and_command_line(daemon, groups)
            print("ok a domain of libvirt's layout")
            test_machine_by_hand_is_found_in_a_group_of_its_own(daemon, groups)
            print("ok a machine by hand")
            test_machine_in_a_shared_group_is_only_counted(daemon, groups)
            print("ok a machine in company")
            check(daemon.stop() == 0, "berthd ends well")
        test_start_finds_what_runs_and_off_forgets_it(options.build, groups)
        print("ok found at start, forgotten when off")
    finally:
        groups.clean()


if __name__ == "__main__":
    main()
