#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `berthctl import` writes is a policy that `berthctl check` takes, for each example.

A service that this build does not have (no key of its section in `berthd --dump-fields`) cannot be
checked: it is named. Of all others each key must be one, and its value must hold.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from berthtest import ROOT, arguments, check

FIXTURES = ROOT / "tests/fixture/import"
EXAMPLES = ["rubik-everything.json", "rubik-defaults.json", "rubik-least.json",
            "rubik-most.json", "rubik-daemonset.yaml", "koordinator.yaml", "volcano.yaml"]
SECTION = "plugins.colocation."


def run(command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **more)


def services_of(build):
    """Sections below plugins.colocation that this build knows."""
    dump = run([build / "src/agentd/berthd", "--plugin-dir", build / "src/plugins",
                "--dump-fields"])
    check(dump.returncode == 0, f"--dump-fields: {dump.stderr}")
    keys = [line.split("\t")[0] for line in dump.stdout.splitlines()]
    return {key[len(SECTION):].split(".")[0] for key in keys if key.startswith(SECTION)}


def faults(ctl, build, policy, services):
    """What check says of the policy, without what this build cannot know; and those services."""
    done = run([ctl, "-o", "json", "check", "--plugin-dir", build / "src/plugins", policy])
    check(done.stdout.startswith("{"), f"check: {done.stdout}{done.stderr}")
    errors, missing = [], set()
    for error in json.loads(done.stdout)["errors"]:
        name = error["key"].split(SECTION)[-1]
        if error["text"].startswith("unknown key") and "." not in name and name not in services:
            missing.add(name)
        else:
            errors.append(error["message"])
    return errors, missing


def behind_title(policy):
    """Without the words that name the file, which break lines elsewhere."""
    return policy.replace("\n# ", " ").split("berthctl plan FILE.", 1)[1]


def leftovers_are_found():
    """What docs/from-rubik.md says to run shows what rubik leaves, and nothing else."""
    page = (ROOT / "docs/from-rubik.md").read_text()
    script = re.search(r"<!-- leftovers -->\n *```sh\n(.*?)```", page, re.DOTALL).group(1)
    pod = "kubepods/besteffort/podX"
    left = {f"cpu/{pod}/cpu.qos_level": "-1", f"memory/{pod}/c/memory.qos_level": "-1",
            f"memory/{pod}/memory.high": "8589934592",
            f"blkio/{pod}/c/blkio.throttle.read_bps_device": "8:0 1048576",
            f"net_cls/{pod}/net_cls.classid": "4294967295",
            f"cpu/{pod}/c/cpu.cfs_burst_us": "10000"}
    clean = {"cpu/kubepods/podY/cpu.qos_level": "0", "memory/kubepods/podY/memory.qos_level": "0",
             "memory/kubepods/podY/memory.high": "9223372036854771712",
             "blkio/kubepods/podY/blkio.throttle.read_bps_device": "",
             "net_cls/kubepods/podY/net_cls.classid": "0",
             "cpu/kubepods/podY/cpu.cfs_burst_us": "0", "cpu/kubepods/podY/cpu.shares": "10"}
    with tempfile.TemporaryDirectory(prefix="berth-left-") as place:
        for path, value in {**left, **clean}.items():
            file = pathlib.Path(place) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(value + "\n" if value else "")
        done = run(["sh", "-c", script.replace("/sys/fs/cgroup", place)])
        shown = {line.split(":", 1)[0] for line in done.stdout.splitlines()
                 if not line.startswith("/sys/fs/resctrl")}
        check(shown == set(left), f"shown: {shown}; {done.stderr}")
    print("ok leftovers")


def main():
    leftovers_are_found()
    build = pathlib.Path(arguments().build).resolve()
    ctl = build / "src/ctl/berthctl"
    services = services_of(build)
    check({"cpu", "memory", "io", "evict"} <= services, f"services: {services}")
    absent = set()
    with tempfile.TemporaryDirectory(prefix="berth-import-") as place:
        for name in EXAMPLES:
            agent = re.split(r"[-.]", name)[0]
            policy = pathlib.Path(place) / (name + ".yaml")
            done = run([ctl, "import", agent, "--to", policy, FIXTURES / name])
            check(done.returncode == 0, f"{name}: {done.returncode} {done.stderr}")
            check(done.stdout == "" and "remark: " in done.stderr, f"{name}: {done}")
            errors, missing = faults(ctl, build, policy, services)
            check(not errors, f"{name}: check refuses it:\n" + "\n".join(errors))
            absent |= missing
            printed = run([ctl, "import", agent, FIXTURES / name])
            check(printed.stdout == policy.read_text(), f"{name}: --to writes something else")
            as_json = json.loads(run([ctl, "import", agent, "-o", "json", FIXTURES / name]).stdout)
            check(as_json["policy"] == printed.stdout, f"{name}: -o json has another policy")
            check({note["kind"] for note in as_json["notes"]} == {"remark"}, f"{name}: notes")
            check(len(as_json["notes"]) == printed.stderr.count("remark: "), f"{name}: notes")
            piped = run([ctl, "import", agent, "-"], input=(FIXTURES / name).read_text())
            check(behind_title(piped.stdout) == behind_title(printed.stdout),
                  f"{name}: standard input gives something else")
            print(f"ok {name}")

        # It can fail: a key that no service has.
        wrong = pathlib.Path(place) / "wrong.yaml"
        wrong.write_text("plugins: {colocation: {evict: {cpu: {used: 3}}}}\n")
        check(faults(ctl, build, wrong, services)[0], "a wrong key went through")

        again = run([ctl, "import", "rubik", "--to", wrong, FIXTURES / EXAMPLES[0]])
        check(again.returncode == 1 and "is there already" in again.stderr, f"--to twice: {again}")
        check("used: 3" in wrong.read_text(), "--to wrote over a file")
        print("ok --to a file that is there")

        large = pathlib.Path(place) / "large.json"
        large.write_text('{"agent": {}}' + " " * (10 << 20))
        done = run([ctl, "import", "rubik", large])
        check(done.returncode == 1 and "larger than 10 MiB" in done.stderr, f"10 MiB: {done}")
        large.write_text('{"agent": {}}' + " " * ((10 << 20) - 13))
        done = run([ctl, "import", "rubik", large])
        check(done.returncode == 0, f"10 MiB to the byte: {done.returncode} {done.stderr}")
        print("ok the limit of 10 MiB")

    for words, status, said in (
            (["rubik", "/nonexistent"], 1, "No such file"),
            (["rubik", "/"], 1, "Is a directory"),
            (["rubic", FIXTURES / EXAMPLES[0]], 2, "there are koordinator, rubik and volcano"),
            (["rubik"], 2, "needs AGENT FILE"),
            (["koordinator", FIXTURES / "rubik-daemonset.yaml"], 1, "resource-threshold-config"),
            (["-o", "json", "--to", "/tmp/x", "rubik", FIXTURES / EXAMPLES[0]], 2, "one of them")):
        done = run([ctl, "import", *words])
        check(done.returncode == status and said in done.stderr, f"{words}: {done}")
        check(done.stdout == "", f"{words} printed something")
    refused = run([ctl, "import", "-o", "json", "rubik", "-"], input='{"agent": {"logSize": 1}}')
    note = json.loads(refused.stdout)["notes"][0]
    check(refused.returncode == 1 and note["kind"] == "error" and note["line"] == 1 and
          note["key"] == "agent.logSize", f"-o json of an error: {refused}")
    print("ok what is refused")
    if absent:
        print(f"not in this build, so not checked: {', '.join(sorted(absent))}")


sys.exit(main())
