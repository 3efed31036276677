#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random instants while groups come, go and change level: after a restart and after
--restore, every knob is claimed or the original."""
import os
import random
import time

from berthtest import (Daemon, Groups, arguments, check, claimed_or_original, policy,
                       wait_until)

KILLS = int(os.environ.get("BERTH_KILLS", "60"))


def originals(groups, names):
    return {name: (groups.read(name, "cpu.idle"), groups.read(name, groups.weight))
            for name in names}


def main():
    build = arguments().build
    seed = int(os.environ.get("BERTH_SEED", str(time.time_ns())))
    random.seed(seed)
    print(f"BERTH_SEED={seed}")
    groups = Groups("kill")
    names = [f"{kind}-{n}" for kind in ("batch", "online") for n in range(6)]
    one = policy(groups)
    two = one.replace("qos: batch", "qos: x").replace("qos: high", "qos: batch").replace(
        "qos: x", "qos: normal")
    try:
        for number, name in enumerate(names):
            groups.make(name)
            groups.write(name, groups.weight, str(200 + number))
        before = originals(groups, names)
        with Daemon(build, one) as daemon:
            for number in range(KILLS):
                daemon.write_policy(random.choice((one, two)))
                daemon.spawn(level="notice")
                # The instant is what is random, so here a delay is the point.
                if random.random() < 0.5:
                    time.sleep(random.random() * 0.05)
                else:
                    daemon.wait_notify("READY=1")
                    daemon.write_policy(random.choice((one, two)))
                    time.sleep(random.random() * 0.3)
                daemon.kill()
                if number % 3:
                    continue
                result = daemon.restore()
                check(result.returncode == 0, f"--restore: {result.stderr}")
                after = originals(groups, names)
                check(after == before, f"kill {number}: {after}, before {before}")
            daemon.write_policy(one)
            daemon.start(level="notice")
            idle = {name: values[0] for name, values in before.items()}
            wait_until(lambda: all(groups.read(n, "cpu.idle") == "1" for n in names
                                   if "batch" in n), "after a restart batch groups are claimed")
            # What the run before wrote and nobody claims now is held by its lease of 60 s.
            check(claimed_or_original(daemon, groups, names, "cpu.idle", idle),
                  f"neither claimed nor original: {originals(groups, names)}")
            check(daemon.stop() == 0, "the last stop")
            check(originals(groups, names) == before, "the last stop put everything back")
        print(f"ok {KILLS} kills")
    finally:
        groups.clean()


main()
