#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shares of cache and bandwidth: the real daemon over a resctrl that refuses what the kernel's does.

No hardware with cache allocation was used: resctrlfs.py is the kernel here, threads and control
groups are the host's.
"""
import pathlib
import subprocess
import sys

import resctrlrig
from berthtest import Daemon, Groups, arguments, check, wait_until
from resctrlrig import POINT, Mock, Worker, cache_policy as policy, tids

THREADS = 12
# What low (20 % of the cache, 10 % of the bandwidth) and high (50 and 50) are on each host.
EXPECTED = {
    "intel-11": ({"L3": "3", "MB": "10"}, {"L3": "1f", "MB": "50"}),
    "intel-20": ({"L3": "f"}, {"L3": "3ff"}),
    "intel-16-cdp": ({"L3CODE": "7", "L3DATA": "7", "MB": "10"},
                     {"L3CODE": "ff", "L3DATA": "ff", "MB": "50"}),
    "intel-l2": ({"L3": "3", "L2": "ff", "MB": "10"}, {"L3": "3f", "L2": "ff", "MB": "50"}),
    "intel-snc": ({"L3": "7", "MB": "10"}, {"L3": "7f", "MB": "50"}),
    # 10 % and 50 % of 50000 MB/s.
    "intel-mbps": ({"L3": "3", "MB": "5000"}, {"L3": "1f", "MB": "25000"}),
    "amd-ccx": ({"L3": "7", "MB": "39"}, {"L3": "ff", "MB": "195"}),
    "arm-mpam": ({"L3": "3f", "MB": "10"}, {"L3": "ffff", "MB": "50"}),
}


def uniform(schemata):
    return {name: set(values.values()) for name, values in schemata.items()}


def check_profile(build, groups, name):
    """Classes made, written and undone on one kind of host."""
    low, high = EXPECTED[name]
    with Mock(name) as mock, Daemon(build, policy(groups)) as daemon:
        before = mock.schemata()
        daemon.start()
        wait_until(lambda: mock.groups() == ["berth_high", "berth_low"], f"{name}: classes")
        for group, expected in (("berth_low", low), ("berth_high", high)):
            # A group is made before its shares are written.
            wanted = {key: {value} for key, value in expected.items()}
            wait_until(lambda g=group, w=wanted: uniform(mock.schemata(g)) == w,
                       f"{name}: {group} is {mock.schemata(group)}, to be {wanted}")
            found = mock.schemata(group)
            check({key: set(values) for key, values in found.items()} ==
                  {key: set(values) for key, values in before.items()}, f"{name}: domains")
        wait_until(lambda: tids(groups, "batch") <= mock.tasks("berth_high"), f"{name}: batch")
        wait_until(lambda: tids(groups, "scav") <= mock.tasks("berth_low"), f"{name}: scavenger")
        check(len(tids(groups, "batch")) > THREADS, "there are threads, not only leaders")
        check(not tids(groups, "online") & (mock.tasks("berth_high") | mock.tasks("berth_low")),
              f"{name}: online threads stay")
        check(mock.refused() == [], f"{name}: the kernel refused {mock.refused()}")
        check(daemon.stop() == 0, f"{name}: stop")
        check(mock.groups() == [] and mock.schemata() == before, f"{name}: all is as before")


def check_life(build, groups, worker):
    """New threads and processes, a level that changes, foreign hands, reload, stop."""
    with Mock("intel-11") as mock, Daemon(build, policy(groups)) as daemon:
        foreign = POINT / "theirs"
        foreign.mkdir()
        kept = min(tids(groups, "batch") - {worker.process.pid})
        (foreign / "tasks").write_text(f"{kept}\n")
        daemon.start()
        wait_until(lambda: tids(groups, "batch") - {kept} == mock.tasks("berth_high"),
                   "all threads but the one that somebody put elsewhere")
        check(mock.tasks("theirs") == {kept}, "the other's thread stays")
        worker.more("thread")
        worker.more("process")
        wait_until(lambda: tids(groups, "batch") - {kept} == mock.tasks("berth_high"),
                   "new ones inherit the group")
        late = subprocess.Popen(["sleep", "1000"])
        for controller in groups.mounts:
            groups.write("batch", "cgroup.procs", str(late.pid), controller)
        wait_until(lambda: late.pid in mock.tasks("berth_high"), "one that joins is moved")
        (POINT / "berth_high" / "schemata").write_text("L3:0=7ff\n")
        wait_until(lambda: mock.schemata("berth_high")["L3"] == {0: "1f", 1: "1f"},
                   "what somebody wrote is written over")
        daemon.write_policy(policy(groups, batch="middle"))
        wait_until(lambda: tids(groups, "batch") - {kept} <= mock.tasks("berth_middle"),
                   "another class")
        check(mock.schemata("berth_middle")["L3"] == {0: "7", 1: "7"}, "30 % of 11 ways")
        text = daemon.ctl("explain", "--", groups.name + "/batch").stdout
        check("middle, by its level" in text, f"explain says: {text}")
        daemon.write_policy(policy(groups, enabled="false"))
        wait_until(lambda: mock.groups() == ["theirs"], "off: its groups are gone")
        check(mock.tasks("theirs") == {kept}, "and the other's thread is where it was")
        daemon.write_policy(policy(groups))
        wait_until(lambda: tids(groups, "batch") - {kept} <= mock.tasks("berth_high"), "on again")
        check(daemon.stop() == 0, "stop")
        check(mock.groups() == ["theirs"], f"only the other's is left: {mock.groups()}")
        late.kill()
        late.wait()
        foreign.rmdir()


def check_foreign_name(build, groups):
    """A group that has our name and not our mark."""
    with Mock("intel-11") as mock, Daemon(build, policy(groups)) as daemon:
        (POINT / "berth_high").mkdir()
        before = mock.schemata("berth_high")
        daemon.start()
        wait_until(lambda: "not made by Berth" in daemon.log_text(), "it is said")
        wait_until(lambda: tids(groups, "scav") | tids(groups, "batch") <=
                   mock.tasks("berth_low"), "the rest works, and high goes with the stricter one")
        check(not mock.tasks("berth_high"), "nothing is moved into another's group")
        check(daemon.stop() == 0, "stop")
        check(mock.groups() == ["berth_high"] and mock.schemata("berth_high") == before,
              "another's group is left alone")


def check_few(build, groups):
    """Two groups beside the default one, one of them taken: three classes share what is left."""
    with Mock("intel-few") as mock, Daemon(build, policy(groups)) as daemon:
        (POINT / "theirs").mkdir()
        daemon.start()
        wait_until(lambda: tids(groups, "batch") | tids(groups, "scav") <=
                   mock.tasks("berth_low"), "high joins the stricter class")
        check(mock.groups() == ["berth_low", "theirs"], f"no more groups: {mock.groups()}")
        text = daemon.ctl("explain", "--", groups.name + "/batch").stdout
        check("in the group of low" in text and "num_closids" in text, f"explain says: {text}")
        check(mock.refused() == [], "nothing was tried that cannot be")
        check(daemon.stop() == 0, "stop")
        check(mock.groups() == ["theirs"], "all is as before")


def check_refused(build, groups):
    """The kernel has no monitoring id left: what it says is said, and it is tried again."""
    with Mock("intel-rmids") as mock, Daemon(build, policy(groups)) as daemon:
        daemon.start()
        wait_until(lambda: "Out of RMIDs" in daemon.log_text(), "the kernel's reason is told")
        wait_until(lambda: tids(groups, "scav") | tids(groups, "batch") <= mock.tasks(
            mock.groups()[0]), "all share the one group")
        check("Out of RMIDs" in daemon.ctl("history").stdout, "history has it")
        check(daemon.stop() == 0, "stop")
        check(mock.groups() == [], "all is as before")


def check_exclusive(build, groups):
    """Somebody has the low ways for himself: ours are elsewhere."""
    with Mock("intel-11") as mock, Daemon(build, policy(groups)) as daemon:
        theirs = POINT / "theirs"
        theirs.mkdir()
        (theirs / "schemata").write_text("L3:0=3;1=3\n")
        (theirs / "mode").write_text("exclusive\n")
        daemon.start()
        wait_until(lambda: mock.groups() == ["berth_high", "berth_low", "theirs"], "classes")
        wait_until(lambda: set(mock.schemata("berth_low")["L3"].values()) == {"c"}, "beside them")
        check(mock.refused() == [], f"refused: {mock.refused()}")
        check(daemon.stop() == 0, "stop")


def check_crash(build, groups):
    """SIGKILL, then a restart, or --restore."""
    with Mock("amd-ccx") as mock, Daemon(build, policy(groups)) as daemon:
        for after in ("restart", "restore"):
            daemon.start()
            wait_until(lambda: tids(groups, "batch") <= mock.tasks("berth_high") and
                       tids(groups, "scav") <= mock.tasks("berth_low"), "moved")
            daemon.kill()
            check(mock.groups() == ["berth_high", "berth_low"], "a killed daemon's are there")
            if after == "restart":
                daemon.start()
                wait_until(lambda: tids(groups, "batch") <= mock.tasks("berth_high"), "held")
                check(daemon.stop() == 0, "stop")
            else:
                result = daemon.restore()
                check(result.returncode == 0, f"--restore: {result.stdout} {result.stderr}")
            check(mock.groups() == [], f"{after}: groups are left: {mock.groups()}")
            check(tids(groups, "batch") <= mock.tasks(""), f"{after}: threads")


ACCOUNTS = pathlib.Path("/sys/fs/cgroup/cpuacct")  # of v1, often a hierarchy of its own


def cpu_usec(groups, group):
    if groups.version == 2:
        return int(groups.read(group, "cpu.stat").split()[1])
    return int((ACCOUNTS / groups.name / group / "cpuacct.usage").read_text()) // 1000


def check_dynamic(build, groups):
    """The class dynamic grows while the memory traffic of the online group goes with its CPU time, and
    shrinks at once when it is ten times that. The counters are the mock's, the CPU time is real."""
    code = "import time\nwhile True:\n end = time.thread_time() + .02\n" \
           " while time.thread_time() < end: pass\n time.sleep(.08)"
    more = ", max_miss: 90, min_miss: 50, min_pressure: 100, max_pressure: 100"
    busy = subprocess.Popen([sys.executable, "-c", code])
    apart = groups.version == 1 and not ACCOUNTS.samefile(groups.mounts["cpu"])
    if apart:
        (ACCOUNTS / groups.name / "online").mkdir(parents=True)
        (ACCOUNTS / groups.name / "online" / "cgroup.procs").write_text(str(busy.pid))
    for controller in groups.mounts:
        groups.write("online", "cgroup.procs", str(busy.pid), controller)
    times, moved, last = 1, 0, cpu_usec(groups, "online")

    def count():
        nonlocal moved, last
        now = cpu_usec(groups, "online")
        moved, last = moved + (now - last) * times, now
        mock.count("", "mbm_total_bytes", {"0": moved, "1": 0})

    def share():
        count()
        if "berth_dynamic" not in mock.groups():
            return set()
        return set(mock.schemata("berth_dynamic")["L3"].values())

    with Mock("intel-11") as mock, Daemon(build, policy(groups, "dynamic", more=more)) as daemon:
        count()
        daemon.start()
        wait_until(lambda: share() == {"3"}, "it begins with 20 % of 11 ways")
        wait_until(lambda: share() == {"1f"}, "it grows to 50 %", 90)
        times = 10
        # Without pressure of cgroups (v1) the traffic alone decides; else somebody has to wait, too.
        if groups.version == 1:
            wait_until(lambda: share() == {"3"}, "it shrinks at once", 40)
        check(mock.refused() == [], f"refused: {mock.refused()}")
        check(daemon.stop() == 0, "stop")
        check(mock.groups() == [], "all is as before")
    busy.kill()
    busy.wait()
    if apart:
        (ACCOUNTS / groups.name / "online").rmdir()
        (ACCOUNTS / groups.name).rmdir()


def check_remounted(build, groups):
    """resctrl goes and comes again under a running daemon, as the admin mounts it with other options.
    The kernel has forgotten all groups; meanwhile the class dynamic has become another one."""
    text = policy(groups, "dynamic") + "reconcile_interval: 10s\n"
    # Of a group without CPU time (v1) it is not known that it rests.
    apart = groups.version == 1 and not ACCOUNTS.samefile(groups.mounts["cpu"])
    if apart:
        (ACCOUNTS / groups.name / "online").mkdir(parents=True)
    with Daemon(build, text) as daemon:
        with Mock("intel-11") as mock:
            daemon.start()
            wait_until(lambda: mock.groups() == ["berth_dynamic", "berth_low"], "classes")
            grown = "berth_colocation_cache_dynamic_ratio{resource=\"l3\"}"
            check((daemon.metric(grown) or 0) < 0.5, "it had no time to grow")
        wait_until(lambda: daemon.metric(grown) == 0.5, "it grows, though to nobody's use", 90)
        with Mock("intel-16-cdp") as mock:
            wait_until(lambda: mock.groups() == ["berth_dynamic", "berth_low"], "made again", 40)
            wait_until(lambda: tids(groups, "batch") <= mock.tasks("berth_dynamic"), "moved", 40)
            found = mock.schemata("berth_dynamic")
            check(uniform(found)["L3CODE"] == {"ff"}, f"50 % of 16 ways, not {found}: "
                  f"{daemon.ctl('plugins').stdout} {daemon.ctl('history').stdout}")
            check(daemon.stop() == 0, "stop")
            check(mock.groups() == [], "all is as before")
    if apart:
        (ACCOUNTS / groups.name / "online").rmdir()
        (ACCOUNTS / groups.name).rmdir()


def check_unmounted(build, groups):
    with Daemon(build, policy(groups)) as daemon:
        daemon.start()
        text = daemon.ctl("capabilities").stdout
        check("resctrl.class" in text and "rdt=" in text, f"capabilities say: {text}")
        check(daemon.stop() == 0, "stop")


def main():
    build = arguments().build
    resctrlrig.enter()
    resctrlrig.prepare()
    groups = Groups("cache")
    workers = {}
    try:
        for name in ("batch", "scav", "online"):
            groups.make(name)
            workers[name] = Worker(groups, name, THREADS)
        check_unmounted(build, groups)
        for name in EXPECTED:
            check_profile(build, groups, name)
        check_life(build, groups, workers["batch"])
        check_foreign_name(build, groups)
        check_few(build, groups)
        check_refused(build, groups)
        check_exclusive(build, groups)
        check_crash(build, groups)
        check_dynamic(build, groups)
        check_remounted(build, groups)
        print(f"ok {len(EXPECTED)} kinds of hosts")
    finally:
        for name, worker in workers.items():
            worker.stop(groups, name)
        groups.clean()


main()
