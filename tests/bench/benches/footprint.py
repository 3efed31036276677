# SPDX-License-Identifier: Apache-2.0
"""What berthd costs when nothing changes; and what it keeps while it is scraped.

For the latter the groups are files of a made-up host, so that there are all series that files of
cgroup v2 give, whatever the kernel here is.
"""

import os
import time

from benchlib import cgroups, fixture, procfs, report
from benchlib.daemon import Daemon, policy, wait_until
from benches import _page
from benches._idle import Sleepers

BAR = (
    "100 pods of 2 containers: RSS < 8 MiB, < 0.02 % of a core at rest; 1,000 containers: "
    "RSS < 16 MiB, < 0.1 %; at most 1 wake-up a second; scraped: RSS < 14 MiB with 100 pods, < 24 MiB "
    "with 1,000"
)
SECONDS = 60
# name, pods, containers of each, KiB resident, percent of a core
SCRAPED = (("scraped_100", 100, 14 * 1024), ("scraped_1000", 1000, 24 * 1024))
CASES = (("100_pods", 100, 2, 8 * 1024, 0.02), ("1000_containers", 500, 2, 16 * 1024, 0.1))


def populate(tree, sleepers, pods, containers):
    """Half of the pods are batch. Returns how many workloads that makes."""
    for pod in range(pods):
        name = f"{'batch' if pod % 2 else 'online'}-{pod}"
        tree.make(name)
        for container in range(containers):
            tree.make_leaf(f"{name}/c{container}")
            sleepers.add(tree, f"{name}/c{container}")
    return pods * (1 + containers)


def settle(daemon, workloads):
    """Until all are known, their knobs written, and two looks apart by a second are the same."""
    wait_until(lambda: daemon.groups() == workloads, 20, f"{workloads} workloads")
    before = None
    for _ in range(30):
        now = daemon.json("/v1/status")["actuator"]["writes"]
        if now == before and now > 0:
            return
        before = now
        time.sleep(1)


def measure(options, case, seconds):
    name, pods, containers, rss_limit, cpu_limit = case
    with cgroups.Tree(f"berth.bench.{os.getpid()}") as tree, Sleepers() as sleepers:
        workloads = populate(tree, sleepers, pods, containers)
        text = policy(
            [f"{tree.name}/*", f"{tree.name}/*/*"],
            [(f"{tree.name}/batch-*", "batch"), (f"{tree.name}/online-*", "high")],
            only=False,
        )
        with Daemon(options.build, text) as daemon:
            settle(daemon, workloads)
            cpu, wakeups = procfs.cpu_seconds(daemon.pid), procfs.wakeups(daemon.pid)
            begin = time.monotonic()
            time.sleep(seconds)
            wall = time.monotonic() - begin
            cpu = (procfs.cpu_seconds(daemon.pid) - cpu) / wall * 100
            wakeups = procfs.wakeups_since(wakeups, daemon.pid) / wall
            rss, private = procfs.memory_kib(daemon.pid)
    print(f"{name}: {rss} KiB RSS, {private} KiB private, {cpu:.4f} % of a core, "
          f"{wakeups:.2f} wake-ups/s", flush=True)  # fmt: skip
    return {
        "rss_kib": rss,
        "private_kib": private,
        "cpu_percent": round(cpu, 4),
        "wakeups_per_second": round(wakeups, 2),
        "workloads": workloads,
        "pass": rss < rss_limit and cpu < cpu_limit and wakeups <= 1.0,
    }


def measure_scraped(options, case):
    """The exporter on, by two scrapers, one of them in another form and uncompressed."""
    name, pods, rss_limit = case
    port = _page.free_port()
    with fixture.Host(pods) as host:
        text = policy(["pod-*"], [], listen=f"127.0.0.1:{port}")
        with Daemon(options.build, text, root=host.root) as daemon:
            wait_until(lambda: daemon.groups() == pods, 20, f"{pods} groups")
            packed, plain = _page.Scraper(port), _page.Scraper(port, "identity")
            plain.headers["Accept"] = "application/openmetrics-text;version=1.0.0"
            peak = 0
            for _ in range(5):
                for scraper in (packed, plain):
                    body = scraper.scrape()[1]
                    peak = max(peak, procfs.memory_kib(daemon.pid)[0])
                # A pass of its own for each round.
                time.sleep(1.1)
            rss, private = procfs.memory_kib(daemon.pid)
            series = _page.samples(body)
    print(f"{name}: {series} samples, {rss} KiB RSS, {private} KiB private, at most {peak} KiB",
          flush=True)  # fmt: skip
    return {"rss_kib": rss, "private_kib": private, "peak_kib": peak, "samples": series,
            "pass": peak < rss_limit}  # fmt: skip


def run(options):
    seconds = 10 if options.quick else SECONDS
    values = {case[0]: measure(options, case, seconds) for case in CASES}
    values |= {case[0]: measure_scraped(options, case) for case in SCRAPED}
    small, large = (values[case[0]] for case in CASES)
    few, many = (values[case[0]] for case in SCRAPED)
    figure = (
        f"100 pods: {small['rss_kib'] / 1024:.1f} MiB, {small['cpu_percent']:.3f} % of a core, "
        f"{small['wakeups_per_second']:.2f} wake-ups/s; 1,000 containers: "
        f"{large['rss_kib'] / 1024:.1f} MiB, {large['cpu_percent']:.3f} %, "
        f"{large['wakeups_per_second']:.2f} wake-ups/s; scraped: {few['peak_kib'] / 1024:.1f} MiB of "
        f"100 pods ({few['samples']} samples), {many['peak_kib'] / 1024:.1f} MiB of 1,000 "
        f"({many['samples']})"
    )
    passed = all(case["pass"] for case in values.values())
    return report.result("footprint", passed, figure, BAR, values)
