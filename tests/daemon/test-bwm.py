#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Offline traffic by openEuler's bwm: the real daemon over a /proc/qos that does what the module does,
and the kernel's own net_cls. No kernel of openEuler was used: bwmfs.py is the module here."""
import re
import signal

import bwmrig
from berthtest import Daemon, Groups, arguments, check, killed_at_every_step, wait_until
from bwmrig import NET_CLS, policy

OFFLINE = 4294967295
DEFAULTS = ("20mb,1gb", "20mb")
OURS = ("4mb,100mb", "110mb")
STEPS_MAX = 300  # far more than a run has


def class_of(groups, group):
    return int(groups.read(group, "net_cls.classid", "net_cls"))


def classes(groups):
    return {name: class_of(groups, name) for name in
            ("batch", "batch/main", "online", "online/main", "theirs")}


CLEAN = {"batch": 0, "batch/main": 0, "online": 0, "online/main": 0, "theirs": 65537}
MANAGED = {**CLEAN, "batch": OFFLINE, "batch/main": OFFLINE}


def start(daemon, host):
    daemon.start("--root", str(host.root))
    return daemon


def reload(daemon, text):
    daemon.write_policy(text)
    check(daemon.wait_notify("READY=1"), "it runs on")


def plugin_says(daemon, text, what):
    wait_until(lambda: text in daemon.ctl("plugins").stdout, f"{what}: {text!r} in berthctl plugins")


def check_choice(build, groups, host):
    """Not loaded, loaded and never on, on: which of the two ways it is, and why."""
    with Daemon(build, policy(groups)) as daemon:
        start(daemon, host)
        plugin_says(daemon, "BPF: bwm is not loaded", "auto without the module")
        reload(daemon, policy(groups, by="bwm"))
        plugin_says(daemon, "off: bwm is not loaded", "by: bwm without the module")
        check("not paced by bwm" in daemon.log_text(), "the log says so")
        text = daemon.ctl("explain", "--", groups.name + "/batch").stdout
        check("not paced: bwm cannot be used" in text, f"explain says: {text}")
        check(daemon.stop() == 0 and classes(groups) == CLEAN, "nothing was done")
    host.load()
    try:
        with Daemon(build, policy(groups)) as daemon:
            start(daemon, host)
            plugin_says(daemon, "BPF: bwm is loaded, and on at no device", "auto, never on")
            capabilities = " ".join(daemon.ctl("capabilities").stdout.split())
            check("bwm.waterline no bwm is loaded, and on at no device" in capabilities,
                  "so do the capabilities")
            check(host.limits() == ("", "") and classes(groups) == CLEAN, "nothing was done")
            host.switch_on()
            reload(daemon, policy(groups, low="5Mi"))
            plugin_says(daemon, "bwm, openEuler's module", "auto, once it is on")
            wait_until(lambda: host.limits() == ("5mb,100mb", "110mb"), "the limits")
            # Less than bwm takes is not rounded up in silence.
            reload(daemon, policy(groups, water_line="19Mi", high="18Mi"))
            plugin_says(daemon, "BPF: it takes a water line from 20Mi", "auto, out of its range")
            wait_until(lambda: (host.limits(), classes(groups)) == (DEFAULTS, CLEAN), "undone")
            daemon.write_policy(policy(groups, by="bwm", water_line="19Mi", high="18Mi"))
            wait_until(lambda: "bwm takes a water line of 20Mi" in daemon.log_text(),
                       "by: bwm, out of its range, is an error of the policy")
            check(daemon.stop() == 0, "stop")
    finally:
        host.unload()


def check_life(build, groups, host):
    """Levels, reloads, others' classes, a module that refuses; all of it undone."""
    host.load()
    try:
        host.switch_on()
        host.tell("30mb,200mb", "40mb")
        with Daemon(build, policy(groups)) as daemon:
            start(daemon, host)
            wait_until(lambda: (host.limits(), classes(groups)) == (OURS, MANAGED), "managed")
            text = daemon.ctl("explain", "--", groups.name + "/batch/main").stdout
            check("offline to bwm" in text and "net_cls.classid" in text, f"explain: {text}")
            text = daemon.ctl("explain", "--", groups.name + "/theirs").stdout
            check("somebody's class" in text, f"explain says: {text}")
            reload(daemon, policy(groups, low="6Mi", water_line="200Mi"))
            wait_until(lambda: host.limits() == ("6mb,100mb", "200mb"), "other limits")
            groups.make("batch2")
            wait_until(lambda: class_of(groups, "batch2") == OFFLINE, "one that comes")
            groups.remove("batch2")
            # Somebody insists: it is told, and theirs is left.
            (host.qos / "net_qos_waterline").write_text("50mb\n")
            wait_until(lambda: "somebody else wrote" in daemon.log_text(), "a foreign write")
            check(host.limits()[1] == "50mb", "and it stands")
            (host.qos / "net_qos_waterline").write_text("200mb\n")
            # Nobody but "theirs" is offline then.
            reload(daemon, policy(groups, batch="normal"))
            wait_until(lambda: classes(groups) == CLEAN, "online again")
            reload(daemon, policy(groups))
            wait_until(lambda: (host.limits(), classes(groups)) == (OURS, MANAGED), "offline")
            for what, text in (("off", policy(groups, enabled="false")),
                               ("bpf", policy(groups, by="bpf"))):
                reload(daemon, text)
                wait_until(lambda: (host.limits(), classes(groups)) ==
                           (("30mb,200mb", "40mb"), CLEAN), what)
                reload(daemon, policy(groups, by="bwm"))
                wait_until(lambda: (host.limits(), classes(groups)) == (OURS, MANAGED), "on")
            host.refuse(True)
            reload(daemon, policy(groups, by="bwm", low="7Mi"))
            wait_until(lambda: "failed EIO" in daemon.ctl("knobs").stdout, "a refusal shows")
            check(host.limits() == OURS, "what was there stays")
            host.refuse(False)
            wait_until(lambda: host.limits() == ("7mb,100mb", "110mb"), "tried again", 30)
            check(daemon.stop() == 0, "stop")
            check((host.limits(), classes(groups)) == (("30mb,200mb", "40mb"), CLEAN),
                  f"stop: all is as before: {host.limits()} {classes(groups)}")
            wrong = [text for _, text in host.ran() if not re.fullmatch("[0-9kmgb,]+", text)]
            check(not wrong, f"what a shell was given: {wrong}")
    finally:
        host.unload()


def run_once(daemon, host, one, two, step):
    daemon.env["BERTH_FAILPOINT"] = str(step)
    daemon.write_policy(one)
    daemon.spawn("--root", str(host.root), level="notice")
    if daemon.wait_notify("READY=1"):
        daemon.write_policy(two)
        if daemon.wait_notify("READY=1"):
            daemon.process.send_signal(signal.SIGTERM)
    return daemon.process.wait(30) == 0


def check_kill(build, groups, host):
    """SIGKILL at every step of the actuator; then --restore, or a restart and a stop."""
    host.load()
    try:
        host.switch_on()
        host.tell("30mb,200mb", "40mb")
        one, two = policy(groups), policy(groups, low="5Mi")
        before = (host.limits(), classes(groups))
        step = 0
        with Daemon(build, one) as daemon:
            def once(number):
                return run_once(daemon, host, one, two, number)

            for step in killed_at_every_step(daemon, once, STEPS_MAX):
                if step % 2:
                    result = daemon.restore("--root", str(host.root))
                    check(result.returncode == 0, f"step {step}: --restore: {result.stderr}")
                else:
                    daemon.write_policy(one)
                    start(daemon, host)
                    wait_until(lambda: (host.limits(), classes(groups)) == (OURS, MANAGED),
                               f"step {step}: restart")
                    check(daemon.stop() == 0, f"step {step}: stop")
                state = (host.limits(), classes(groups))
                check(state == before, f"step {step}: {state}, before {before}")
            check((host.limits(), classes(groups)) == before, "the run without a kill")
            if step:
                check(step >= 8, f"only {step} steps")
                print(f"ok killed at each of {step} steps")
            else:
                print("no failpoints in this build: not killed")
    finally:
        host.unload()


def main():
    build = arguments().build
    bwmrig.enter()
    bwmrig.prepare()
    groups = Groups("bwm")
    groups.mounts["net_cls"] = NET_CLS
    host = bwmrig.Host()
    try:
        for group in ("", "batch", "batch/main", "online", "online/main", "theirs"):
            groups.make(group)
        groups.write("theirs", "net_cls.classid", "65537", "net_cls")
        check_choice(build, groups, host)
        check_life(build, groups, host)
        check_kill(build, groups, host)
        print("ok bwm")
    finally:
        groups.clean()
        host.clean()


main()
