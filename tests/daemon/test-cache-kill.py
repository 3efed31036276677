#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at every step of the actuator while classes of cache are made, written, changed and removed
and threads are moved: after --restore, or a restart and a stop, resctrl is as it was."""
import signal

import resctrlrig
from berthtest import (Daemon, Groups, arguments, check, killed_at_every_step, skip,
                       wait_until)
from resctrlrig import POINT, Mock, Worker, cache_policy, tids

STEPS_MAX = 500  # far more than a run has; a run that never ends its steps is a bug


def run_once(daemon, one, two, step):
    """A start, another class, a stop. True if it survived all of them."""
    daemon.env["BERTH_FAILPOINT"] = str(step)
    daemon.write_policy(one)
    daemon.spawn(level="notice")
    if daemon.wait_notify("READY=1"):
        daemon.write_policy(two)
        if daemon.wait_notify("READY=1"):
            daemon.process.send_signal(signal.SIGTERM)
    return daemon.process.wait(30) == 0


def main():
    build = arguments().build
    resctrlrig.enter()
    resctrlrig.prepare()
    groups = Groups("cachekill")
    worker = None
    one = cache_policy(groups, batch="high")
    two = cache_policy(groups, batch="middle", more=", l3_percent: {middle: 40}")
    try:
        groups.make("batch")
        worker = Worker(groups, "batch", 2)
        with Mock("intel-11") as mock, Daemon(build, one) as daemon:
            theirs = POINT / "theirs"
            theirs.mkdir()
            kept = max(tids(groups, "batch"))
            (theirs / "tasks").write_text(f"{kept}\n")

            def state():
                return (mock.groups(), mock.schemata(), mock.schemata("theirs"),
                        mock.tasks("theirs"), tids(groups, "batch") - {kept} <= mock.tasks(""))

            before = state()
            step = 0
            def once(number):
                return run_once(daemon, one, two, number)

            for step in killed_at_every_step(daemon, once, STEPS_MAX):
                if step % 2:
                    result = daemon.restore()
                    check(result.returncode == 0, f"step {step}: --restore: {result.stderr}")
                else:
                    daemon.write_policy(one)
                    daemon.start(level="notice")
                    wait_until(lambda: tids(groups, "batch") - {kept} <= mock.tasks("berth_high"),
                               f"step {step}: restart")
                    check(daemon.stop() == 0, f"step {step}: stop")
                check(state() == before, f"step {step}: {state()}, before {before}")
            if step == 0:
                skip("the build has no failpoints (meson setup -Dfailpoints=true)")
            check(step >= 20, f"only {step} steps")
            check(state() == before, "the run without a kill")
            theirs.rmdir()
        print(f"ok killed at each of {step} steps")
    finally:
        if worker:
            worker.stop(groups, "batch")
        groups.clean()


main()
