#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start, write, explain, refuse a second instance, reload, stop and put back, on real cgroups."""
import os
import subprocess

from berthtest import (Daemon, Groups, arguments, check, fail, policy, wait_until)


FILES = 16  # docs/benchmarks.md, `idle`; its three standard streams are among them


def knobs(groups, group):
    """What Berth may change of a group."""
    names = ["cpu.idle", groups.weight]
    return {name: groups.read(group, name) for name in names}


def test_it_rests_on_few_files(daemon, groups):
    """What was needed for the start is given back some ten seconds after."""
    def files():
        directory = f"/proc/{daemon.process.pid}/fd"
        for fd in os.listdir(directory):
            try:
                yield os.readlink(f"{directory}/{fd}")
            except FileNotFoundError:  # closed while it was looked at
                continue

    try:
        wait_until(lambda: len(list(files())) <= FILES, "the files to be closed", 60)
    finally:
        print("  " + ", ".join(sorted(files())))


def test_levels_are_written_and_explained(daemon, groups):
    wait_until(lambda: groups.read("batch-1", "cpu.idle") == "1", "cpu.idle of the batch group")
    check(groups.read("online-1", "cpu.idle") == "0", "cpu.idle of the online group")
    adj = int(open(f"/proc/{daemon.child.pid}/oom_score_adj").read())
    check(adj == 950, f"oom_score_adj of a batch process is {adj}")
    text = daemon.ctl("explain", groups.glob("batch-1")).stdout
    for part in ("batch", "cpu.idle", "colocation", "berth.yaml:"):
        check(part in text, f"explain does not tell '{part}':\n{text}")
    for command in ("status", "workloads", "knobs", "capabilities", "history", "plugins", "version"):
        for options in ([], ["-o", "json"]):
            result = daemon.ctl(*options, command)
            check(result.returncode == 0 and result.stdout,
                  f"berthctl {command} {options}: {result.returncode} {result.stderr}")
            wide = [line for line in result.stdout.splitlines() if len(line) > 80]
            check(options or not wide, f"berthctl {command} is wider than 80 columns: {wide[:1]}")
    check(daemon.ctl("explain", "no-such-thing").returncode == 1, "explain of nothing")
    check(daemon.ctl("frobnicate").returncode == 2, "an unknown command")


def test_new_group_gets_its_knobs_and_a_gone_one_is_forgotten(daemon, groups):
    groups.make("batch-2")
    wait_until(lambda: groups.read("batch-2", "cpu.idle") == "1", "a new group's cpu.idle")
    groups.remove("batch-2")
    wait_until(lambda: len(daemon.get("/v1/workloads")["workloads"]) == 2, "a gone group")
    groups.make("batch-2")
    wait_until(lambda: groups.read("batch-2", "cpu.idle") == "1", "the same path again")
    names = [line.split()[0] for line in daemon.ctl("--wide", "workloads").stdout.splitlines()[1:]]
    check(len(names) == 3 and names == sorted(names), f"workloads is not by name: {names}")
    groups.remove("batch-2")


def test_second_instance_is_refused(daemon, groups):
    lock = os.stat(daemon.runtime / "berthd.pid")
    result = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=20,
                            check=False)
    check(result.returncode == 1, f"the second instance ended with {result.returncode}")
    check(str(daemon.process.pid) in result.stderr, f"it names no pid: {result.stderr}")
    after = os.stat(daemon.runtime / "berthd.pid")
    check((lock.st_ino, lock.st_mtime_ns) == (after.st_ino, after.st_mtime_ns),
          "the first one's pid was replaced")
    check(daemon.process.poll() is None and groups.read("batch-1", "cpu.idle") == "1",
          "the first instance suffered")
    third = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=20, check=False)
    check(third.returncode == 1, "a third instance started")


def test_bad_policy_changes_nothing(daemon, groups):
    daemon.write_policy(policy(groups) + "rulez: []\n")
    daemon.wait_notify("READY=1")
    check(daemon.metric("berth_config_valid") == 0, "berth_config_valid is not 0")
    check("berth.yaml:" in daemon.log_text() and "rules" in daemon.log_text(),
          "no line, column and nearest key in the log")
    check(groups.read("batch-1", "cpu.idle") == "1", "a bad policy changed a knob")
    status = daemon.ctl("--wide", "status")
    check(status.returncode == 1 and "policy not valid" in status.stdout.splitlines()[0] and
          "did you mean 'rules'" in status.stdout, f"status under a bad policy: {status}")


def check_history(daemon, group, what, reason):
    """Whoever reads of a value that was put back wants to know why."""
    entries = [entry for entry in daemon.get("/v1/history")["history"]
               if entry["label"].endswith("/" + group) and entry["what"] == what]
    check(entries and entries[-1]["reason"] == reason, f"{what} of {group}: {entries}")


def test_good_policy_is_applied_when_its_file_changes(daemon, groups):
    swapped = policy(groups).replace("qos: batch", "qos: x").replace("qos: high", "qos: batch")
    daemon.write_policy(swapped.replace("qos: x", "qos: high"))
    daemon.wait_notify("READY=1")
    check(daemon.metric("berth_config_valid") == 1, "berth_config_valid is not 1")
    check(groups.read("online-1", "cpu.idle") == "1", "the new level is not written")
    check(groups.read("batch-1", "cpu.idle") == "0", "the old level is not undone")
    weight = groups.read("batch-1", groups.weight)
    check(weight == daemon.before["batch-1"][groups.weight], f"the weight came back as {weight}")
    plan = daemon.ctl("plan")
    check(plan.returncode == 0 and "change nothing" in plan.stdout, f"plan: {plan}")
    other = daemon.directory / "other.yaml"
    other.write_text(policy(groups))
    plan = daemon.ctl("plan", str(other))
    check(plan.returncode == 0 and "cpu.idle" in plan.stdout, f"plan FILE: {plan}")
    check(groups.read("online-1", "cpu.idle") == "1", "a plan changed something")
    (daemon.dropins / "10.yaml").write_text("dry_run: true\n")
    daemon.wait_notify("READY=1")
    check(groups.read("online-1", "cpu.idle") == "0", "a dry run leaves what was written")
    check_history(daemon, "batch-1", "restore cpu.idle", "nobody claims it any more")
    check_history(daemon, "online-1", "restore cpu.idle", "the policy is a dry run")
    plan = daemon.ctl("plan")
    check("write nothing: dry_run is true" in plan.stdout and "cpu.idle" in plan.stdout,
          f"plan does not tell what a dry run keeps back: {plan}")
    (daemon.dropins / "10.yaml").unlink()
    daemon.wait_notify("READY=1")
    check(groups.read("online-1", "cpu.idle") == "1", "the end of a dry run writes nothing")
    daemon.write_policy(policy(groups))
    daemon.wait_notify("READY=1")
    check(groups.read("batch-1", "cpu.idle") == "1", "the first policy did not come back")


def test_restore_and_resume(daemon, groups):
    result = daemon.ctl("restore")
    check(result.returncode == 0, f"restore: {result.stderr}")
    check(knobs(groups, "batch-1") == daemon.before["batch-1"], "restore left something")
    check_history(daemon, "batch-1", "restore cpu.idle", "everything is put back")
    groups.make("batch-3")
    check(groups.read("batch-3", "cpu.idle") == "0", "a paused berthd writes")
    check(daemon.ctl("restore", "--resume").returncode == 0, "resume")
    wait_until(lambda: groups.read("batch-1", "cpu.idle") == "1", "resume writes again")
    wait_until(lambda: groups.read("batch-3", "cpu.idle") == "1", "resume writes the new one")
    groups.remove("batch-3")


def main():
    build = arguments().build
    groups = Groups()
    try:
        for name in ("online-1", "batch-1"):
            groups.make(name)
        groups.write("batch-1", groups.weight, "333")
        with Daemon(build, policy(groups)) as daemon:
            daemon.child = subprocess.Popen(["sleep", "600"])
            try:
                groups.write("batch-1", "cgroup.procs", str(daemon.child.pid))
                for controller in groups.mounts:
                    groups.write("batch-1", "cgroup.procs", str(daemon.child.pid), controller)
                before_adj = open(f"/proc/{daemon.child.pid}/oom_score_adj").read()
                daemon.before = {name: knobs(groups, name) for name in ("online-1", "batch-1")}
                daemon.start()
                wait_until(lambda: open(f"/proc/{daemon.child.pid}/oom_score_adj").read() ==
                           "950\n", "oom_score_adj of a batch process")
                for test in (test_it_rests_on_few_files, test_levels_are_written_and_explained,
                             test_new_group_gets_its_knobs_and_a_gone_one_is_forgotten,
                             test_second_instance_is_refused, test_bad_policy_changes_nothing,
                             test_good_policy_is_applied_when_its_file_changes,
                             test_restore_and_resume):
                    test(daemon, groups)
                    print(f"ok {test.__name__}", flush=True)
                status = daemon.stop()
                check(status == 0, f"berthd ended with {status}; log:\n{daemon.log_text()[-3000:]}")
                for name, values in daemon.before.items():
                    check(knobs(groups, name) == values,
                          f"{name}: {knobs(groups, name)}, before {values}")
                after_adj = open(f"/proc/{daemon.child.pid}/oom_score_adj").read()
                check(after_adj == before_adj, f"oom_score_adj {after_adj}, before {before_adj}")
                print("ok stop puts everything back")
            finally:
                daemon.child.kill()
                daemon.child.wait()
    except OSError as error:
        fail(error)
    finally:
        groups.clean()


main()
