#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pressure by cause on this host, whatever its kernel offers: a reader at its memory limit shows
cgroup_memory_reclaim and nothing else; pods have what their containers have; reload keeps totals."""
import os
import subprocess
import tempfile
import time

from berthtest import Daemon, Groups, arguments, check, skip, wait_until

OWN = "cause_cgroup_memory_reclaim_some_usec"
# A reader with AddressSanitizer in it needs 10 MiB for itself.
LIMIT, FILE, READ = 32 << 20, 96 << 20, 256  # bytes, bytes, MiB


def policy(groups, telemetry):
    return f"""
sources:
  cgroups: {{paths: ["{groups.name}/*", "{groups.name}/*/*"]}}
  kubernetes: {{enabled: false}}
  machines: {{enabled: false}}
  units: {{enabled: false}}
metrics: {{listen: ""}}
telemetry: {{{telemetry}}}
"""


def samples(daemon, groups, *names):
    """All of one pass, which /v1/top takes when the last one is old."""
    found = {item["name"]: item for item in daemon.get("/v1/top")["workloads"]}
    return [found.get(f"{groups.name}/{name}", {}) for name in names]


def sample(daemon, groups, group):
    return samples(daemon, groups, group)[0]


def settled(daemon, groups, *names):
    """Of a pass after which nothing more is told of what they waited for: the kernel's own number of
    v2 comes up to 2 s late."""
    last = samples(daemon, groups, *names)

    def stands_still():
        before = last[:]
        time.sleep(2.5)
        last[:] = samples(daemon, groups, *names)
        return [item.get(OWN) for item in before] == [item.get(OWN) for item in last]

    wait_until(stands_still, f"{OWN} of {names} to stand still", 60)
    return last


def loaded(daemon):
    """Passes, until one has taken up what is loaded for them meanwhile; what the status says then."""
    def state():
        daemon.get("/v1/top")
        return daemon.get("/v1/status")["telemetry"]

    wait_until(lambda: not state()["loading"], "the programs to be loaded", 60)
    return state()


def parts(item, kind):
    return sum(value for name, value in item.items()
               if name.startswith("cause_") and name.endswith(f"_{kind}_usec") and "_cpu_" not in name)


def set_limit(groups, group, number):
    name = "memory.max" if groups.version == 2 else "memory.limit_in_bytes"
    groups.write(group, name, str(number), "memory")


def run_in(groups, group, command):
    enter = "".join(f"echo $$ >{groups.path(controller, group)}/cgroup.procs && "
                    for controller in groups.mounts)
    subprocess.run(["sh", "-c", enter + 'exec "$@"', "sh", *map(str, command)], check=True,
                   stdout=subprocess.DEVNULL, timeout=120)


def test_a_reader_at_its_limit(daemon, groups, read):
    before = sample(daemon, groups, "pod/reader")
    check(before.get(OWN) == 0, f"before it read anything: {before}")
    read(READ)
    told = {}

    def is_told():
        told.update(sample(daemon, groups, "pod/reader"))
        return told[OWN] > 0

    wait_until(is_told, "its cause to be told")
    check(told["averages"][OWN][0] > 0, f"no average: {told['averages']}")
    after, quiet = settled(daemon, groups, "pod/reader", "quiet")
    others = parts(after, "some") - after[OWN]
    check(others * 4 < after[OWN], f"others than its own cause: {after}")
    if groups.version == 1:
        check(parts(after, "some") == after["pressure_memory_some_usec"], f"the sum: {after}")
        check("cause_swap_full_usec" not in after, f"full is known on v1: {after}")
    check(parts(quiet, "some") == 0, f"one that does nothing: {quiet}")


def test_the_pod_has_what_its_containers_have(daemon, groups, read):
    before = sample(daemon, groups, "pod")[OWN]
    read(READ)
    wait_until(lambda: sample(daemon, groups, "pod")[OWN] > before, "the pod's cause to be told")
    pod, reader = settled(daemon, groups, "pod", "pod/reader")
    if groups.version == 1:
        check(pod[OWN] >= reader[OWN] * 9 // 10, f"pod {pod[OWN]}, its container {reader[OWN]}")
    check(parts(pod, "some") > 0, f"the pod: {pod}")


def reload(daemon, groups, telemetry):
    daemon.write_policy(policy(groups, telemetry))
    daemon.wait_notify("READY=1")


def test_totals_go_on_over_a_reload(daemon, groups, read):
    before = settled(daemon, groups, "pod/reader")[0][OWN]
    reload(daemon, groups, "pressure: off")
    wait_until(lambda: OWN not in sample(daemon, groups, "pod/reader"), "no cause when it is off")
    check(daemon.get("/v1/status")["telemetry"]["pressure"] == "off", "it is not off")
    reload(daemon, groups, "pressure: auto")
    # Nobody waits for what is loaded when it is off again.
    daemon.get("/v1/top")
    reload(daemon, groups, "pressure: off")
    reload(daemon, groups, "pressure: auto")
    wait_until(lambda: OWN in sample(daemon, groups, "pod/reader"), "a cause when it is on", 60)
    check(sample(daemon, groups, "pod/reader")[OWN] == before, "the total after off and on")
    read(READ)
    wait_until(lambda: sample(daemon, groups, "pod/reader")[OWN] > before, "the total to go on")


def test_run_queue_latency_is_off_until_asked_for(daemon, groups, read):
    check("runqueue_latency" not in sample(daemon, groups, "pod/reader"), "it is measured already")

    def waits(*names):
        """Of one pass: a number, or one for each name."""
        found = [item.get("runqueue_latency") for item in samples(daemon, groups, *names)]
        counts = [sum(latency["count"]) if latency else None for latency in found]
        return counts if len(names) > 1 else counts[0]

    reload(daemon, groups, "runqueue_latency: true")
    state = loaded(daemon)
    check(state["runqueue"] == "on", f"the run queue: {state}")
    wait_until(lambda: waits("pod/reader") == 0, "the histogram to begin")
    read(READ)
    wait_until(lambda: waits("pod/reader"), "somebody to have waited for a CPU")
    pod, reader = waits("pod", "pod/reader")
    check(pod >= reader, f"the pod has {pod}, less than its container, which has {reader}")
    reload(daemon, groups, "")
    wait_until(lambda: waits("pod/reader") is None, "the histogram to end")


def open_files(daemon):
    """What each fd is. Workers close what has ended while this looks: one that is gone is no fd."""
    directory = f"/proc/{daemon.process.pid}/fd"
    for fd in os.listdir(directory):
        try:
            yield os.readlink(f"{directory}/{fd}")
        except FileNotFoundError:
            continue


def test_what_a_link_holds_has_no_file(daemon):
    def settled():
        files = list(open_files(daemon))
        programs, links = (sum("bpf" in file and file.endswith(what) for file in files)
                           for what in ("prog", "link"))  # fmt: skip
        # The one that reads all groups is run without a link.
        return programs <= 1 <= links

    wait_until(settled, "links, and no program but one, to be open")


def main():
    options = arguments()
    hog = os.path.join(options.build, "tests/bench/load/berth-stall")
    if not os.path.exists(hog):
        skip(f"{hog} is not built")
    groups = Groups("stall")
    if "memory" not in groups.mounts:
        skip("no memory controller is mounted on this host")
    with tempfile.NamedTemporaryFile(prefix="berth-stall-", dir="/var/tmp") as file:
        file.write(b"x" * FILE)
        file.flush()
        os.fsync(file.fileno())
        try:
            for group in ("pod", "pod/reader", "quiet"):
                groups.make(group)
                if groups.version == 2 and group == "pod":
                    groups.write(group, "cgroup.subtree_control", "+cpu +memory")
            set_limit(groups, "pod/reader", LIMIT)

            def read(amount):
                # From the disk and not from what somebody else has in memory.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                run_in(groups, "pod/reader", [hog, "read", file.name, amount])

            with Daemon(options.build, policy(groups, "")) as daemon:
                daemon.start()
                state = daemon.get("/v1/status")["telemetry"]
                check(state["pressure"] == "unused", f"before anybody asks: {state}")
                state = loaded(daemon)
                print(f"by {state['pressure']}; {state['pressure_detail']}")
                if state["pressure"] in ("off", "counters"):
                    skip(f"this kernel shows no reclaim: {state['pressure_detail']}")
                for test in (test_a_reader_at_its_limit, test_the_pod_has_what_its_containers_have,
                             test_totals_go_on_over_a_reload,
                             test_run_queue_latency_is_off_until_asked_for):
                    test(daemon, groups, read)
                    print(f"ok {test.__name__}")
                test_what_a_link_holds_has_no_file(daemon)
                # While programs are being loaded again.
                for telemetry in ("pressure: off", "pressure: auto"):
                    reload(daemon, groups, telemetry)
                daemon.get("/v1/top")
                check(daemon.stop() == 0, "SIGTERM did not end it well")
        finally:
            groups.clean()


if __name__ == "__main__":
    main()
