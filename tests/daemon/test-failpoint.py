#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at every step of the actuator, one run a step: start, change levels, stop. After each,
--restore or a restart leaves every knob as it was or claimed."""
import signal

from berthtest import (Daemon, Groups, arguments, check, claimed_or_original, policy,
                       killed_at_every_step, wait_until)

STEPS_MAX = 2000  # far more than a run has; a run that never ends its steps is a bug


def state(groups, names):
    return {name: (groups.read(name, "cpu.idle"), groups.read(name, groups.weight))
            for name in names}


def run_once(daemon, groups, one, two, step):
    """Drive it through a start, a change and a stop. True if it survived all of them."""
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
    groups = Groups("step")
    names = ["batch-1", "online-1"]
    one = policy(groups)
    two = one.replace("qos: batch", "qos: x").replace("qos: high", "qos: batch").replace(
        "qos: x", "qos: normal")
    try:
        for number, name in enumerate(names):
            groups.make(name)
            groups.write(name, groups.weight, str(300 + number))
        before = state(groups, names)
        with Daemon(build, one) as daemon:
            step = 0
            def once(number):
                return run_once(daemon, groups, one, two, number)

            for step in killed_at_every_step(daemon, once, STEPS_MAX):
                if step % 2:
                    result = daemon.restore()
                    check(result.returncode == 0, f"step {step}: --restore: {result.stderr}")
                else:
                    daemon.write_policy(one)
                    daemon.start(level="notice")
                    wait_until(lambda: groups.read("batch-1", "cpu.idle") == "1",
                               f"step {step}: restart")
                    check(claimed_or_original(daemon, groups, names, "cpu.idle",
                                              {name: "0" for name in names}),
                          f"step {step}: neither claimed nor original: {state(groups, names)}")
                    check(daemon.stop() == 0, f"step {step}: stop")
                check(state(groups, names) == before,
                      f"step {step}: {state(groups, names)}, before {before}")
            check(step >= 10, f"only {step} steps: the build has no failpoints "
                  "(meson setup -Dfailpoints=true)")
            check(state(groups, names) == before, "the run without a kill")
        print(f"ok killed at each of {step} steps")
    finally:
        groups.clean()


main()
