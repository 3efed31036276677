# SPDX-License-Identifier: Apache-2.0
"""The real `berthctl top` on a terminal, with a real daemon and real hogs: keys, sizes, signals."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import berthtest
from berthtest import check, fail, wait_until

HOG = "while :; do :; done"


class Terminal:
    """As much of a terminal as `top` uses: what it shows, and what it must never do."""

    def __init__(self, command, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        self.rows, self.columns = rows, columns
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.modes = {"25": True, "7": True, "1049": False}
        self.lines, self.at = {}, [0, 0]
        self.inverse, self.marked, self.rest = False, None, ""
        self.settling = False  # a page of the size before may be on its way
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8", "COLUMNS": ""})

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def change(self, rows, columns, condition):
        """Another size; what comes after the condition holds must fit it."""
        self.settling, self.lines = True, {}
        self.resize(rows, columns)
        self.wait(condition, f"{rows} x {columns}")
        self.settling = False

    def put(self, character):
        row, column = self.at
        if self.settling and (row >= self.rows or column >= self.columns):
            return
        check(column < self.columns, f"a line is longer than {self.columns}: {self.text()}")
        check(row < self.rows, f"more than {self.rows} lines: {self.text()}")
        line = self.lines.setdefault(row, [])
        line += [" "] * (column + 1 - len(line))
        line[column] = character
        if self.inverse:
            self.marked = row
        self.at[1] += 1

    def obey(self, sequence):
        private = re.fullmatch(r"\x1b\[\?(\d+)([hl])", sequence)
        if private:
            check(private[1] in self.modes, f"an unknown mode: {sequence!r}")
            self.modes[private[1]] = private[2] == "h"
        elif sequence == "\x1b[H":
            self.at, self.marked = [0, 0], None
        elif sequence == "\x1b[K":
            self.lines[self.at[0]] = self.lines.get(self.at[0], [])[:self.at[1]]
        elif sequence == "\x1b[7m":
            self.inverse = True
        elif sequence == "\x1b[0m":
            self.inverse = False
        else:
            check(re.fullmatch(r"\x1b\[\d+m", sequence), f"an unknown sequence: {sequence!r}")

    def take(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            found = re.match(r"\x1b\[\??[0-9;]*[A-Za-z]", text)
            if found:
                self.obey(found[0])
                text = text[found.end():]
                continue
            if text[0] == "\x1b":
                self.rest = text  # the end of it comes with the next read
                return
            if text[0] == "\r":
                self.at[1] = 0
            elif text[0] == "\n":
                self.at[0] += 1
                # The other screen may not scroll.
                check(self.settling or not self.modes["1049"] or self.at[0] < self.rows,
                      "the screen scrolled")
            else:
                self.put(text[0])
            text = text[1:]

    def pump(self, seconds=0.02):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                got = os.read(self.master, 65536)
            except OSError:
                return
            self.take(got.decode(errors="replace"))
            seconds = 0

    def text(self):
        return "\n".join("".join(self.lines.get(row, [])).rstrip() for row in range(self.rows))

    def line(self, row):
        return "".join(self.lines.get(row, [])).rstrip()

    def press(self, keys):
        os.write(self.master, keys.encode())

    def wait(self, condition, what, timeout=30):
        deadline = time.monotonic() + timeout
        while True:
            self.pump()
            if condition():
                return
            if time.monotonic() > deadline:
                fail(f"still not so: {what}; the screen is:\n{self.text()}")

    def wait_text(self, text, timeout=30):
        self.wait(lambda: text in self.text(), f"'{text}' on the screen", timeout)

    def order(self, names):
        """The names in the order that they are shown in."""
        found = [(self.text().find(name), name) for name in names]
        return [name for place, name in sorted(found) if place >= 0]

    def wait_order(self, names, among=None):
        self.wait(lambda: self.order(among or names) == names, f"the order {names}")

    def is_given_back(self):
        return (termios.tcgetattr(self.slave) == self.before and self.modes["25"] and
                self.modes["7"] and not self.modes["1049"])

    def end(self, code=0):
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            self.pump()
            check(time.monotonic() < deadline, f"berthctl does not end:\n{self.text()}")
        self.pump()
        check(self.process.returncode == code, f"berthctl ended with {self.process.returncode}, "
              f"not {code}:\n{self.text()}")
        check(self.is_given_back(), f"the terminal was not put back: {self.modes}")
        os.close(self.master)
        os.close(self.slave)

    def state(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]


class Rig:
    def __init__(self, build):
        self.groups = berthtest.Groups("top")
        self.hogs = []
        self.names = ["batch-a", "online-b", "online-c"]
        for name in self.names:
            self.groups.make(name)
        # c is held to a tenth of a CPU: throttled in each period; b to a CPU, which it never is.
        self.quota("online-c", 10000)
        self.quota("online-b", 100000)
        self.hog("online-c", HOG)
        self.hog("online-b", "exec sleep 600")
        self.hog("batch-a", "x=$(head -c 20000000 /dev/zero | tr '\\0' x); sleep 600; echo $x")
        self.daemon = berthtest.Daemon(build, berthtest.policy(self.groups))
        self.build = self.daemon.build

    def quota(self, group, usec):
        if self.groups.version == 2:
            self.groups.write(group, "cpu.max", f"{usec} 100000")
        else:
            self.groups.write(group, "cpu.cfs_quota_us", str(usec))

    def hog(self, group, script):
        enter = "; ".join(f"echo $$ >{self.groups.path(controller, group)}/cgroup.procs"
                          for controller in self.groups.mounts)
        self.hogs.append(subprocess.Popen(["sh", "-c", f"{enter}; {script}"],
                                          start_new_session=True))

    def top(self, *options, **size):
        return Terminal([str(self.build / "src/ctl/berthctl"), "--socket",
                         str(self.daemon.runtime / "control.sock"), "top", "--interval=300ms",
                         *options], **size)

    def name(self, group):
        return f"{self.groups.name}/{group}"

    def clean(self):
        for hog in self.hogs:
            os.killpg(hog.pid, signal.SIGKILL)
            hog.wait()
        for name in self.names:
            self.groups.remove(name)
        self.groups.clean()


def test_sorts_filters_and_views(rig):
    names = [rig.name(name) for name in rig.names]
    a, b, c = names
    top = rig.top()
    top.wait_text("[1 overview]")
    check(top.modes["1049"] and not top.modes["25"], "not on the other screen")
    top.press("n")
    top.wait_order([a, b, c])
    top.press("r")
    top.wait_order([c, b, a])
    top.press("rt")
    top.wait(lambda: top.order(names)[:1] == [c], "the throttled one first")
    # Which share it is: the kernel throttles it in each period.
    top.wait(lambda: re.search(r"online-c .* (100|9\d)$", top.text(), re.MULTILINE), "its THR%")
    top.press("m")
    top.wait(lambda: top.order(names)[:1] == [a], "the one with 20 MB first")

    top.press("/ONLINE-B")
    top.wait_order([b], names)
    top.wait_text("/ONLINE-B_")
    top.press("\r")
    top.wait_text("1 of 3 by memory, /ONLINE-B")
    top.press("\x1b")
    top.wait(lambda: len(top.order(names)) == 3, "all of them after Esc")
    top.press("/xxxx")
    top.wait_text("No workload fits")
    top.press("\x1b")

    for key, title, column in (("2", "[2 pressure]", "CGRP"), ("3", "[3 memory]", "WKSET"),
                               ("\t", "[4 io]", "WRITE/S"), ("5", "[5 berth]", "BERTH WROTE"),
                               ("\x1b[Z", "[4 io]", "WRITE/S"), ("1", "[1 overview]", "THR%")):
        top.press(key)
        top.wait_text(title)
        top.wait_text(column)
    top.press("5")
    top.wait(lambda: re.search(r"batch-a +cpu.idle=1", top.text()), "what Berth wrote")
    top.press("ll")
    top.wait_text("2 of 3 by memory, high")
    top.press("lll")
    top.wait_text("0 of 3 by memory, scavenger")
    top.press("lq")
    top.end()


def test_what_the_host_does_not_tell_is_no_zero(rig):
    top = rig.top("--view=pressure", "--filter=online-c")
    top.wait_text("[2 pressure]")
    top.wait_text("online-c")
    # Its row is whole: what is below it has come.
    top.wait_text("h help")
    sample = next(item for item in rig.daemon.get("/v1/top")["workloads"]
                  if item["name"] == rig.name("online-c"))
    row = next(top.line(i) for i in range(24) if "online-c" in top.line(i)).split()[-8:]
    keys = [f"cause_{name}_usec" for name in (
        "cgroup_memory_reclaim_some", "global_memory_reclaim_some", "compact_some",
        "cgroup_async_memory_reclaim_some", "swap_some", "memory_other_some",
        "cpu_cfs_bandwidth_full", "cpu_qos_full")]
    for key, cell in zip(keys, row):
        if key not in sample:
            check(cell == "-", f"{key} is not told by this host, but shown as {cell}")
    top.press("q")
    top.end()


def test_detail_tells_why_and_what_berth_did(rig):
    names = [rig.name(name) for name in rig.names]
    top = rig.top("--sort=name")
    top.wait_order(names)
    check(top.marked is None, "a row is selected that nobody selected")
    top.press("\x1b[B")
    top.wait(lambda: top.marked is not None and "batch-a" in top.line(top.marked), "row 1 marked")
    top.press("\x1bOB\x1b[B\x1b[B")
    top.wait(lambda: top.marked is not None and "online-c" in top.line(top.marked), "the last one")
    top.press("\r")
    top.wait_text("waits for its own CPU limit")
    top.wait(lambda: re.search(r"[1-9]\d* of [1-9]\d* periods throttled", top.text()), "how much")
    check(top.line(0) == f"cgroup {names[2]}", top.line(0))
    top.press("h")
    top.wait_text("sort by memory pressure")
    top.press(" ")
    top.wait_text("waits for its own CPU limit")
    top.press("\x1b")
    top.wait_text("[1 overview]")
    top.press("k\x1b[A\r")
    top.wait_text("Berth holds  cpu.idle=1")
    top.wait_text("colocation wants 1: cpu.idle=1")
    top.press("q")
    top.end()


def test_sizes(rig):
    top = rig.top()
    top.wait_text("[1 overview]")
    check("KIND" not in top.text(), "a column of wide terminals on a narrow one")
    top.change(40, 132, lambda: "KIND" in top.text() and top.line(39).startswith("h help"))
    top.change(24, 80, lambda: "KIND" not in top.text() and top.line(23).startswith("h help"))
    for rows, columns in ((10, 80), (5, 80), (24, 80)):
        top.change(rows, columns, lambda rows=rows: top.line(rows - 1).startswith("h help"))
        for view in "12345h ":
            top.press(view)
            top.pump(0.1)
    top.wait_text("online-c")
    top.press("q")
    top.end()


def test_each_end_puts_the_terminal_back(rig):
    for what in ("q", "\x03", "\x1c", signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        top = rig.top()
        top.wait_text("[1 overview]")
        if isinstance(what, str):
            top.press(what)
        else:
            top.process.send_signal(what)
        top.end()


def test_a_stop_puts_the_terminal_back_and_takes_it_again(rig):
    top = rig.top()
    top.wait_text("[1 overview]")
    top.press("\x1a")
    top.wait(lambda: top.state() == "T", "stopped")
    top.pump()
    check(top.is_given_back(), f"stopped, but the terminal is not put back: {top.modes}")
    top.lines = {}
    top.process.send_signal(signal.SIGCONT)
    top.wait_text("[1 overview]")
    check(top.modes["1049"] and not top.modes["25"], "continued, but not on the other screen")

    # A stop that asks nobody; what the shell does to the terminal meanwhile is undone.
    top.process.send_signal(signal.SIGSTOP)
    top.wait(lambda: top.state() == "T", "stopped")
    termios.tcsetattr(top.slave, termios.TCSANOW, top.before)
    top.lines = {}
    top.process.send_signal(signal.SIGCONT)
    top.wait_text("[1 overview]")
    top.press("2")
    top.wait_text("[2 pressure]")
    top.press("q")
    top.end()


def test_berthd_goes_and_comes_back(rig):
    top = rig.top()
    top.wait_text("online-c")
    check(rig.daemon.stop() == 0, "berthd did not stop well")
    top.wait_text("Trying again: ")
    check("online-c" in top.text(), "what was known is gone")
    top.press("n2")
    top.wait_text("[2 pressure]")
    rig.daemon.start()
    top.wait(lambda: "Trying again" not in top.text() and "3 of 3" in top.text(), "it is back")

    # One that hangs holds neither keys nor signals up.
    rig.daemon.process.send_signal(signal.SIGSTOP)
    try:
        top.wait_text("Trying again: berthd does not answer")
        top.press("3")
        top.wait_text("[3 memory]")
        top.press("q")
        top.end()
    finally:
        rig.daemon.process.send_signal(signal.SIGCONT)


def test_plain_output_and_options(rig):
    def ctl(*options):
        return rig.daemon.ctl("top", "--interval=200ms", *options)

    plain = ctl("--sort=name")
    check(plain.returncode == 0 and "\x1b" not in plain.stdout, plain.stdout + plain.stderr)
    check(all(len(line) <= 80 for line in plain.stdout.splitlines()), plain.stdout)
    places = [plain.stdout.find(rig.name(name)) for name in rig.names]
    check(0 < places[0] < places[1] < places[2], plain.stdout)
    places = [ctl("-k", "n", "-r").stdout.find(rig.name(name)) for name in rig.names]
    check(0 < places[2] < places[1] < places[0], "reverse")
    some = ctl("--filter=Online", "--view=memory").stdout
    check("batch-a" not in some and "WKSET" in some, some)
    some = ctl("--level=batch", "-v", "5", "-n", "2").stdout
    check(some.count("batch-a") == 2 and "online" not in some and "cpu.idle=1" in some, some)
    check("CGRP" in ctl("--view=2", "--containers").stdout, "the second view")
    for wrong in ("--sort=size", "--view=6", "--level=fast", "--filter=" + "x" * 64,
                  "--interval=1us", "--iterations=0"):
        refused = ctl(wrong)
        check(refused.returncode == 2 and refused.stderr and not refused.stdout,
              f"{wrong}: {refused.returncode} {refused.stdout}")


def test_explain_and_metric(rig):
    looked = rig.daemon.ctl("explain", rig.name("online-c"))
    check(looked.returncode == 0, looked.stderr)
    found = re.search(r"its own CPU limit: (?:cpu_cfs_bandwidth \S+ of the last \S+s;\s+)?"
                      r"([1-9]\d*) of ([1-9]\d*) periods\s+throttled", looked.stdout)
    check(found and int(found[1]) <= int(found[2]), looked.stdout)
    once = rig.daemon.ctl("explain", "--now", rig.name("online-c"))
    check(re.search(r"periods\s+throttled", once.stdout) and not once.stderr, once.stdout)
    held = rig.daemon.ctl("explain", rig.name("batch-a")).stdout
    check("Berth holds  cpu.idle=1" in held, held)
    name = f'berth_workload_knob{{knob="cpu.idle",kind="cgroup",name="{rig.name("batch-a")}",' \
           'qos="batch"}'
    check(rig.daemon.metric(name) == 1, f"{name} is not 1")
    check(f'name="{rig.name("online-c")}",qos="high"}}' not in "\n".join(
        line for line in rig.daemon.get("/metrics").splitlines()
        if line.startswith("berth_workload_knob")), "a knob of a workload that has none")


def main():
    rig = Rig(berthtest.arguments().build)
    try:
        with rig.daemon as daemon:
            daemon.start()
            wait_until(lambda: rig.groups.read("batch-a", "cpu.idle") == "1", "batch-a is idle")
            for name, test in list(globals().items()):
                if name.startswith("test_"):
                    test(rig)
                    print(f"{name}: ok", flush=True)
    finally:
        rig.clean()


if __name__ == "__main__":
    sys.exit(main())
