# SPDX-License-Identifier: Apache-2.0
"""What a process and the machine have used, from /proc."""

import ctypes
import os
import platform
import re
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent(number):
    """In a new child: be sent this signal when the benchmark is gone, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _tasks(pid):
    return [f"/proc/{pid}/task/{task}" for task in os.listdir(f"/proc/{pid}/task")]


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def threads(pid):
    return len(_tasks(pid))


def cpu_seconds(pid):
    """Time on a CPU of the whole process to the nanosecond, threads that have ended included: its CPU
    clock, as clock_getcpuclockid(3) makes its number."""
    return time.clock_gettime((~pid << 3) | 2)


def wakeups(pid):
    """{task: how often it gave up a CPU of its own will}, once for each sleep."""
    found = {}
    for task in _tasks(pid):
        found[task] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", _read(task + "/status"),
                                    re.MULTILINE)[1])  # fmt: skip
    return found


def wakeups_since(before, pid):
    """Of the tasks that there are now; what a thread did that came and went meanwhile is not in it."""
    return sum(count - before.get(task, 0) for task, count in wakeups(pid).items())


def memory_kib(pid):
    """(resident, private anonymous) in KiB."""
    text = _read(f"/proc/{pid}/smaps_rollup")
    rss = int(re.search(r"^Rss:\s+(\d+)", text, re.MULTILINE)[1])
    anon = re.search(r"^Pss_Anon:\s+(\d+)", text, re.MULTILINE)
    return rss, int(anon[1]) if anon else 0


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def busy_seconds():
    """CPU time of the whole machine that was not idle, steal included."""
    numbers = [int(word) for word in _read("/proc/stat").split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = numbers[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cpus():
    return os.cpu_count() or 1


def machine():
    """One line that says where a figure was measured."""
    model = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = int(re.search(r"^MemTotal:\s+(\d+)", _read("/proc/meminfo"), re.MULTILINE)[1])
    virtual = " (virtual)" if " hypervisor" in _read("/proc/cpuinfo") else ""
    return (
        f"{cpus()} x {model[1] if model else platform.machine()}{virtual}, "
        f"{memory / 1048576:.0f} GiB, Linux {platform.release()}"
    )
