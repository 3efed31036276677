# SPDX-License-Identifier: Apache-2.0
"""Containers that only exist: groups with one sleeping process each."""

import os
import signal

from benchlib import procfs


class Sleepers:
    """One child process for each group, ended together."""

    def __init__(self):
        self.pids = []

    def add(self, tree, group):
        pid = os.fork()
        if pid == 0:
            try:
                procfs.die_with_parent(signal.SIGKILL)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.pause()
            finally:
                os._exit(0)
        self.pids.append(pid)
        tree.add(group, pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            os.waitpid(pid, 0)
