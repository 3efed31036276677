# SPDX-License-Identifier: Apache-2.0
"""A host of cgroup v2 in a directory: as many groups as wanted, with every file that is read, so that
what berthd keeps of them does not depend on what the kernel here tells."""

import os
import shutil
import tempfile

PRESSURE = (
    "some avg10=0.10 avg60=0.20 avg300=0.30 total={0}\n"
    "full avg10=0.10 avg60=0.20 avg300=0.30 total={1}\n"
)
STAT = (
    "anon file kernel_stack pagetables sock shmem file_mapped file_dirty file_writeback inactive_anon "
    "active_anon inactive_file active_file unevictable slab_reclaimable slab_unreclaimable "
    "workingset_refault_anon workingset_refault_file pgscan pgsteal pgfault pgmajfault pswpin pswpout"
).split()


def files(number):
    """{name: text} of one group."""
    base = 1000003 * (number + 1)
    return {
        "cgroup.procs": "", "cgroup.controllers": "cpu io memory\n", "cgroup.events": "populated 1\n",
        "cpu.stat": f"usage_usec {base}\nuser_usec {base // 2}\nsystem_usec {base // 2}\n"
                    f"nr_periods {number}\nnr_throttled {number}\nthrottled_usec {base // 9}\n",
        "memory.current": f"{base * 8}\n", "memory.swap.current": f"{number * 4096}\n",
        "memory.stat": "".join(f"{name} {base + i}\n" for i, name in enumerate(STAT)),
        "memory.events": f"low 0\nhigh {number}\nmax {number}\noom 0\noom_kill 0\n",
        "io.stat": f"254:0 rbytes={base} wbytes={base} rios={number} wios={number} dbytes=0 dios=0\n",
        "cpu.pressure": PRESSURE.format(base, number), "memory.pressure": PRESSURE.format(base, number),
        "io.pressure": PRESSURE.format(base, number), "cpu.weight": "100\n", "cpu.idle": "0\n",
        "cpu.max": "max 100000\n", "memory.low": "0\n", "memory.min": "0\n",
    }  # fmt: skip


class Host:
    """As a context: `root` for berthd --root, gone at the end."""

    def __init__(self, groups):
        # Memory, where there is any: a disk would be what is measured.
        self.root = tempfile.mkdtemp(prefix="berth-host-", dir="/dev/shm")
        cgroup = os.path.join(self.root, "sys/fs/cgroup")
        for directory in ("proc/self", "proc/pressure", "sys/fs/cgroup"):
            os.makedirs(os.path.join(self.root, directory))
        self._write("proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
        self._write("proc/stat", "cpu  1 2 3 4 5 6 7 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\n")
        self._write("proc/meminfo", "MemTotal: 1024 kB\nMemAvailable: 512 kB\n")
        self._write("sys/fs/cgroup/cgroup.controllers", "cpu io memory\n")
        self._write("sys/fs/cgroup/cgroup.subtree_control", "cpu io memory\n")
        for number in range(groups):
            group = os.path.join(cgroup, f"pod-{number}")
            os.mkdir(group)
            for name, text in files(number).items():
                self._write(f"sys/fs/cgroup/pod-{number}/{name}", text)

    def _write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as stream:
            stream.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)
