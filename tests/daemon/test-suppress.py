#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Offline groups with real busy loops are held to what a real online load leaves, by quotas that are
gone after a reload, a stop, and SIGKILL with a restart or --restore; limits of their own stay.
"""
import os
import subprocess

from berthtest import Daemon, Groups, arguments, check, policy, skip, wait_until

CPUS = os.cpu_count()
TARGET = 80
SUPPRESS = """
plugins:
  colocation:
    cpu: {{enabled: false}}
    memory: {{enabled: false}}
    suppress: {{enabled: {enabled}, by: quota, target_percent: {target}, pressure_percent: 0}}
"""
FLOOR = 0.05 * CPUS


def settings(groups, target=TARGET, enabled="true"):
    text = policy(groups, SUPPRESS.format(target=target, enabled=enabled))
    return text.replace(f'["{groups.glob()}"]', f'["{groups.glob()}", "{groups.glob("*/*")}"]')


def quota(groups, group):
    """In CPUs; None: no limit."""
    usec, period = groups.quota_and_period(group)
    return None if usec is None else usec / period


def limit(groups, group, usec):
    groups.write(group, *(("cpu.max", f"{usec} 100000") if groups.version == 2 else
                          ("cpu.cfs_quota_us", str(usec))))


def spin(groups, group):
    """A busy loop; the time that it used is in the groups' usage."""
    paths = [groups.path(controller, group) / "cgroup.procs" for controller in groups.mounts]

    def enter():
        for path in paths:
            path.write_text(str(os.getpid()))

    return subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=enter)


def budget(daemon):
    return daemon.metric("berth_colocation_suppress_budget_cores")


def held(groups, names):
    return sum(quota(groups, name) or 1e9 for name in names)


def follows(daemon, groups, hogs):
    offline = ["batch-a", "batch-b"]
    wait_until(lambda: held(groups, offline) < CPUS, "offline groups that are held")
    check(quota(groups, "online") is None, "an online group is held")
    # The one with a limit of its own keeps it, whatever there is to give.
    wait_until(lambda: (quota(groups, "batch-limited") or 9) <= 0.05, "a limit that stays")
    before = held(groups, offline)
    hogs += [spin(groups, "online") for _ in range(CPUS)]
    # The online load takes the whole node: nothing is left but the floor, and that within seconds.
    wait_until(lambda: held(groups, offline) + quota(groups, "batch-limited") <= FLOOR + 0.011,
               "offline groups at the floor beside a full online load", 60)
    explain = daemon.ctl("explain", f"{groups.name}/batch-a").stdout
    check("held at" in explain and "colocation/suppress" in explain, f"explain says: {explain}")
    low = held(groups, offline)
    for hog in hogs[-CPUS:]:
        hog.kill()
        hog.wait()

    def given_back():
        # Others may keep the machine busy: then there is nothing to give, which is no failure.
        online = daemon.metric("berth_colocation_suppress_online_cores")
        return held(groups, offline) > low + 0.1 * CPUS or online > (TARGET - 20) / 100 * CPUS

    wait_until(given_back, "given back", 30)
    print(f"ok {before:.2f} CPUs, {low:.2f} beside a full online load, {held(groups, offline):.2f} "
          "after it")


def capped_container(groups):
    """v1 refuses a quota below that of a group inside, so that the container goes first."""
    inner, outer = quota(groups, "batch-pod/app"), quota(groups, "batch-pod")
    # Both may change between the two readings.
    if inner != quota(groups, "batch-pod/app"):
        return False
    return outer is not None and (inner is None or inner <= max(outer, 0.0101) + 1e-6)


def originals(groups):
    names = ("batch-a", "batch-b", "batch-limited", "batch-pod", "batch-pod/app", "online")
    return {name: groups.quota_and_period(name) for name in names}


def check_periods(groups):
    """One that had no quota gets one of a long period; one that had keeps its own."""
    for group, period in (("batch-a", 1000000), ("batch-pod", 1000000), ("batch-limited", 100000),
                          ("batch-pod/app", 100000), ("online", 100000)):
        found = groups.quota_and_period(group)[1]
        check(found == period, f"the period of {group} is {found}, not {period}")


def main():
    options = arguments()
    groups = Groups("suppress")
    hogs = []
    try:
        for name in ("online", "batch-a", "batch-b", "batch-limited", "batch-pod"):
            groups.make(name)
        if groups.version == 2:
            groups.write("batch-pod", "cgroup.subtree_control", "+cpu +memory")
        groups.make("batch-pod/app")
        limit(groups, "batch-limited", 5000)
        limit(groups, "batch-pod/app", 150000)
    except OSError as error:
        groups.clean()
        skip(f"no CPU quota for a group here: {error}")
    before = originals(groups)
    try:
        hogs += [spin(groups, name) for name in ("batch-a", "batch-b", "batch-pod/app")]
        with Daemon(options.build, settings(groups)) as daemon:
            daemon.start()
            follows(daemon, groups, hogs)
            wait_until(lambda: capped_container(groups), "a pod that is held as its container is")
            check_periods(groups)
            # Switched off by a reload.
            daemon.write_policy(settings(groups, enabled="false"))
            wait_until(lambda: originals(groups) == before, "quotas as they were, switched off")
            check(budget(daemon) is None or budget(daemon) == float("inf"), "a budget while off")
            daemon.write_policy(settings(groups))
            wait_until(lambda: held(groups, ["batch-a", "batch-b"]) < CPUS, "held again")
            # The last online one goes: nothing is to be protected.
            groups.remove("online")
            wait_until(lambda: quota(groups, "batch-a") is None, "free without online work")
            groups.make("online")
            wait_until(lambda: quota(groups, "batch-a") is not None, "held again with online work")
            check(daemon.stop() == 0, "stop failed")
            check(originals(groups) == before, f"after stop: {originals(groups)}")
            # Killed, and restored from the journal.
            daemon.start()
            wait_until(lambda: None not in (quota(groups, "batch-pod"), quota(groups, "batch-a")),
                       "held after a start")
            daemon.kill()
            check(quota(groups, "batch-a") is not None, "a kill lifted the quota")
            done = daemon.restore()
            check(done.returncode == 0, f"--restore: {done.stdout}{done.stderr}")
            check(originals(groups) == before, f"after --restore: {originals(groups)}")
            # Killed, and started again: claimed again, its originals not lost.
            daemon.start()
            wait_until(lambda: quota(groups, "batch-a") is not None, "held")
            daemon.kill()
            daemon.start()
            wait_until(lambda: budget(daemon) not in (None, float("inf")), "a budget")
            check(daemon.stop() == 0, "stop failed")
            check(originals(groups) == before, f"after kill, start, stop: {originals(groups)}")
            problems = [line for line in daemon.log_text().splitlines() if "cannot write" in line
                        or "cannot restore" in line]
            check(not problems, "\n".join(problems[:5]))
            print("ok quotas are as they were after reload, stop, SIGKILL with --restore and restart")
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
        groups.clean()


main()
