# SPDX-License-Identifier: Apache-2.0
"""Cgroups of our own, on v1 or v2, always removed at the end."""

import os
import re
import time

from . import Unable

USED = ("cpu", "cpuacct", "memory")


def mounts():
    """{controller: mount point}, "" being the one of v2."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        for line in stream:
            left, right = line.split(" - ", 1)
            point = left.split()[4].replace("\\040", " ")
            kind, _, options = right.split()[:3]
            if kind == "cgroup2":
                found.setdefault("", point)
            elif kind == "cgroup":
                for controller in options.split(","):
                    found.setdefault(controller, point)
    return found


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read().strip()


def write(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def field(text, key):
    match = re.search(rf"^{re.escape(key)} (\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else 0


class Tree:
    """Groups below one top directory NAME, in every hierarchy that is used here."""

    def __init__(self, name):
        self.name = name
        self.enabled = []
        found = mounts()
        if "cpu" in found:
            self.version = 1
            self.roots = {c: found[c] for c in USED if c in found}
        elif "" in found:
            self.version = 2
            self.roots = dict.fromkeys(USED, found[""])
        else:
            raise Unable("no cgroup hierarchy is mounted here")
        self.lacks = [c for c in ("cpu", "memory") if c not in self.roots]
        self.tops = sorted({os.path.join(root, name) for root in self.roots.values()})
        self._clear_stale()
        try:
            self._prepare()
        except OSError as error:
            self.remove()
            raise Unable(f"cannot make cgroups: {error}; run as root") from None

    def _clear_stale(self):
        """A run that was killed may have left empty groups; a run that goes on is not ours."""
        for top in self.tops:
            for directory, _, _ in os.walk(top, topdown=False):
                if read(directory + "/cgroup.procs"):
                    raise Unable(f"{directory} is in use: another run goes on")
        if any(os.path.exists(top) for top in self.tops):
            self.remove()

    def _prepare(self):
        if self.version == 2:
            root = self.roots["cpu"]
            there = read(os.path.join(root, "cgroup.controllers")).split()
            self.lacks = [c for c in ("cpu", "memory") if c not in there]
            control = os.path.join(root, "cgroup.subtree_control")
            for controller in ("cpu", "memory"):
                if controller in there and controller not in read(control).split():
                    write(control, "+" + controller)
                    self.enabled.append(controller)
        self.make("")

    def path(self, group, controller="cpu"):
        return os.path.join(self.roots[controller], self.name, group).rstrip("/")

    def directories(self, group):
        """One for each hierarchy, the one of the CPU first."""
        first = self.path(group)
        return [first] + [d for d in (os.path.join(t, group).rstrip("/") for t in self.tops)
                          if d != first]  # fmt: skip

    def make(self, group, inner=True):
        """inner: groups will be made below it (v2 wants controllers switched on for those)."""
        for directory in self.directories(group):
            os.mkdir(directory)
        if inner and self.version == 2:
            there = read(self.path(group) + "/cgroup.controllers").split()
            wanted = " ".join("+" + c for c in ("cpu", "memory") if c in there)
            write(self.path(group) + "/cgroup.subtree_control", wanted)

    def make_leaf(self, group):
        self.make(group, inner=False)

    def unmake(self, group):
        for directory in self.directories(group):
            os.rmdir(directory)

    def add(self, group, pid):
        for directory in self.directories(group):
            write(directory + "/cgroup.procs", str(pid))

    def pids(self, group):
        return [int(pid) for pid in read(self.path(group) + "/cgroup.procs").split()]

    def cpu_seconds(self, group):
        """CPU time that the group and those below it have used."""
        if self.version == 2:
            return field(read(self.path(group) + "/cpu.stat"), "usage_usec") / 1e6
        if "cpuacct" not in self.roots:
            raise Unable("no cpuacct hierarchy is mounted here")
        return int(read(self.path(group, "cpuacct") + "/cpuacct.usage")) / 1e9

    def knob(self, group, name):
        """The text of a CPU file, or None where the kernel has none."""
        try:
            return read(f"{self.path(group)}/{name}")
        except OSError:
            return None

    def remove(self):
        """All of it, from the leaves up; processes left inside move to the root first."""
        for top in self.tops:
            for directory, _, _ in os.walk(top, topdown=False):
                self._remove_one(directory, os.path.dirname(top))
        for controller in self.enabled:
            try:
                write(self.roots["cpu"] + "/cgroup.subtree_control", "-" + controller)
            except OSError:
                pass  # somebody else began to use it meanwhile: it stays

    @staticmethod
    def _remove_one(directory, root):
        # A killed process leaves its group a moment after it was waited for.
        for _ in range(100):
            try:
                for pid in read(directory + "/cgroup.procs").split():
                    write(root + "/cgroup.procs", pid)
                os.rmdir(directory)
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)
        print(f"could not remove {directory}", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
