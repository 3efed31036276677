#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berthd with what conf/kubernetes/daemonset.yaml leaves it: the manifest's capabilities and no other, no
new privileges, a cgroup namespace of its own, a read-only root and /proc/sys. It must write the knobs
of a process of another user, and put them back. No container runtime is needed."""
import pathlib
import re
import shutil
import subprocess

from berthtest import ROOT, Daemon, Groups, arguments, check, policy, skip, wait_until

# The daemon's own directory stays writable, as the host paths do; so does /sys/fs/cgroup.
ENTER = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -o remount,bind,ro /
shift
exec "$@"
"""


def granted():
    text = (ROOT / "conf/kubernetes/daemonset.yaml").read_text()
    drop, add = (re.findall(r'"(\w+)"', re.search(rf"{word}: \[(.*)\]", text).group(1))
                 for word in ("drop", "add"))
    check(drop == ["ALL"], f"the DaemonSet drops {drop}")
    return add


def confined(directory, capabilities, command):
    bounds = ",".join(["-all"] + [f"+{name.lower()}" for name in capabilities])
    return ["unshare", "--mount", "--cgroup", "sh", "-c", ENTER, "sh", str(directory), "setpriv",
            "--no-new-privs", f"--bounding-set={bounds}", "--inh-caps=-all", "--ambient-caps=-all",
            *command]


def cpu_knobs(groups):
    """cpu.idle is there since Linux 5.15."""
    return [groups.read("batch", knob) for knob in (groups.weight, "cpu.idle")
            if (groups.path("cpu", "batch") / knob).exists()]


class ConfinedDaemon(Daemon):
    def command(self, *options):
        return confined(self.directory, granted(), super().command(*options))


def main():
    args = arguments()
    for tool in ("unshare", "setpriv"):
        if not shutil.which(tool):
            skip(f"no {tool} here")
    groups = Groups("test")
    # May the test itself do what a runtime does?
    probe = subprocess.run(["unshare", "--mount", "--cgroup", "mount", "--make-rprivate", "/"],
                           capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        groups.clean()
        skip(f"no mount or cgroup namespaces here: {probe.stderr.strip()}")
    groups.make("batch")
    sleeper = subprocess.Popen(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups",
                                "sleep", "600"])
    score = pathlib.Path(f"/proc/{sleeper.pid}/oom_score_adj")
    try:
        wait_until(lambda: score.stat().st_uid == 12345, "the process runs as another user")
        score.write_text("100")
        for controller in groups.mounts:
            groups.write("batch", "cgroup.procs", str(sleeper.pid), controller)
        before = cpu_knobs(groups)
        with ConfinedDaemon(args.build, policy(groups)) as daemon:
            daemon.start()
            status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
            check("NoNewPrivs:\t1" in status, "berthd can gain privileges")
            effective = int(re.search(r"CapEff:\s+(\w+)", status).group(1), 16)
            check(bin(effective).count("1") == len(granted()), f"capabilities {effective:x}")
            mounts = pathlib.Path(f"/proc/{daemon.process.pid}/mounts").read_text()
            check(re.search(r"^\S+ / \S+ ro,", mounts, re.M), "its root can be written")
            wait_until(lambda: score.read_text().strip() == "950", "oom_score_adj is written")
            wait_until(lambda: cpu_knobs(groups) != before, "the CPU knob is written")
            check(daemon.stop() == 0, "berthd does not end well")
            check("Permission denied" not in daemon.log_text() and
                  "Operation not permitted" not in daemon.log_text(),
                  f"it was denied something:\n{daemon.log_text()[-3000:]}")
        check(score.read_text().strip() == "100", f"oom_score_adj is {score.read_text()}")
        after = cpu_knobs(groups)
        check(after == before, f"the group has {after}, and had {before}")
    finally:
        sleeper.kill()
        sleeper.wait()
        groups.clean()
    print("all done")


if __name__ == "__main__":
    main()
