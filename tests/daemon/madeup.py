# SPDX-License-Identifier: Apache-2.0
"""This host, but for the CPU use of the node: --root is a directory whose /sys is the real one and
whose /proc is too, except /proc/stat. So what a test wants of the node does not hang on what else
the machine does."""
import os
import pathlib
import threading
import time

HZ = os.sysconf("SC_CLK_TCK")


class Host:
    """As a context. percent: of all CPUs, may be changed at any time."""

    def __init__(self, directory, percent=20, cpus=4):
        self.root = pathlib.Path(directory)
        self.percent, self.cpus = percent, cpus
        self.busy = self.idle = 0.0
        self.last = time.monotonic()
        self.ended = threading.Event()
        (self.root / "proc").mkdir(parents=True)
        for name in os.listdir("/proc"):
            if not name.isdigit() and name != "stat":
                (self.root / "proc" / name).symlink_to(f"/proc/{name}")
        (self.root / "sys").symlink_to("/sys")
        self.write()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def write(self):
        now = time.monotonic()
        ticks = (now - self.last) * HZ * self.cpus
        self.last = now
        self.busy += ticks * self.percent / 100
        self.idle += ticks * (1 - self.percent / 100)
        numbers = f"{int(self.busy)} 0 0 {int(self.idle)} 0 0 0 0 0 0"
        each = "".join(f"cpu{i} {numbers}\n" for i in range(self.cpus))
        new = self.root / "proc/stat.new"
        new.write_text(f"cpu  {numbers}\n{each}intr 0\n")
        new.rename(self.root / "proc/stat")

    def run(self):
        while not self.ended.wait(0.02):
            self.write()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()
