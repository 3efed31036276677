# SPDX-License-Identifier: Apache-2.0
"""The request server and the batch hogs, each inside a group."""

import json
import os
import signal
import subprocess
import time

from . import Unable, procfs

KINDS = ("compute", "memory", "syscall", "threads")


def _spawn(build, tree, group, arguments, **pipes):
    program = os.path.join(build, "tests/bench/load", arguments[0])
    if not os.path.exists(program):
        raise Unable(f"{program} is not built")

    def enter():
        procfs.die_with_parent(signal.SIGKILL)
        tree.add(group, os.getpid())

    # In a session of its own, so that Ctrl-C reaches only us and we end it in order.
    return subprocess.Popen(
        [program, *arguments[1:]], preexec_fn=enter, start_new_session=True, text=True, **pipes
    )


class Server:
    """berth-load: one process for all phases, calibrated once."""

    def __init__(self, build, tree, group, utilisation=30, settle_msec=200):
        self.process = _spawn(
            build, tree, group,
            ["berth-load", f"--utilisation={utilisation}", f"--settle-msec={settle_msec}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.ready = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Unable(f"berth-load ended with {self.process.wait()}")
        return json.loads(line)

    def phase(self, label, seconds, utilisation=""):
        self.begin(label, seconds, utilisation)
        return self._answer()

    def begin(self, label, seconds, utilisation=""):
        self.process.stdin.write(f"phase {label} {int(seconds * 1000)} {utilisation}\n")
        self.process.stdin.flush()

    def end(self):
        return self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Hog:
    """berth-hog of one kind, from the moment it really runs."""

    def __init__(self, build, tree, group, kind):
        before = tree.cpu_seconds(group)
        self.process = _spawn(
            build, tree, group, ["berth-hog", kind], stdout=subprocess.DEVNULL
        )  # fmt: skip
        end = time.monotonic() + 10
        while tree.cpu_seconds(group) - before < 0.05:
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise Unable(f"berth-hog {kind} does not run")
            time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Behind an idle group it may wait long for its SIGTERM; what it used is in its group.
        self.process.kill()
        self.process.wait()
