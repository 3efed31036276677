#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""/metrics as scrapers see it: every form the same values, groups that come and go under it, thousands
of them, many readers and slow ones, promtool, and a real Prometheus that queries what it scraped."""
import collections
import contextlib
import gzip
import http.client
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from berthtest import Daemon, Groups, arguments, check, free_port, policy, wait_until

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? +([0-9.eE+-]+|NaN|[+-]Inf)$')


def fetch(port, method="GET", path="/metrics", **headers):
    """(status, headers, body as it came)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def parse(text):
    """{name{labels}: value}; every line of a page must be one that the format knows."""
    check(text.endswith("\n"), "the page does not end in a newline")
    found = {}
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")) or line == "# EOF":
            continue
        match = SAMPLE.match(line)
        check(match, f"not a sample: {line!r}")
        key = f"{match[1]}{{{match[2] or ''}}}"
        check(key not in found, f"there twice: {key}")
        found[key] = float(match[3])
    return found


FAMILIES = set()  # of the exporter: the daemon has some of workloads, too


def read_families(build):
    dump = subprocess.run([f"{build}/src/agentd/berthd", "--plugin-dir", f"{build}/src/plugins",
                           "--dump-metrics"], capture_output=True, text=True, check=True).stdout
    for line in dump.splitlines():
        name, *_, plugin = line.split("\t")
        if plugin == "exporter":
            FAMILIES.update((name, name + "_bucket", name + "_count", name + "_sum"))
    check(len(FAMILIES) > 40, f"--dump-metrics has {len(FAMILIES)} names of the exporter")


def workloads(samples):
    """Those of the exporter."""
    return {key: value for key, value in samples.items() if key.split("{")[0] in FAMILIES}


def scrape(port, **headers):
    status, answer, body = fetch(port, **headers)
    check(status == 200, f"/metrics: {status}: {body[:200]}")
    if answer["Content-Encoding"] == "gzip":
        body = gzip.decompress(body)
    return parse(body.decode())


def of_group(samples, group):
    return {key: value for key, value in workloads(samples).items() if f'/{group}"' in key}


def test_every_form_has_the_same_values(daemon, groups, port):
    forms = {
        "text": {},
        "gzip": {"Accept_Encoding": "gzip"},
        "OpenMetrics": {"Accept": OPENMETRICS},
        "OpenMetrics gzip": {"Accept": OPENMETRICS, "Accept_Encoding": "gzip"},
    }
    found = {}

    def stood_still():
        """From the first form to the last one, whose page is the first one's again: a pass a second
        is taken, and causes of pressure come when their BPF is loaded."""
        for name, headers in forms.items():
            found[name] = workloads(scrape(port, **headers))
        return workloads(scrape(port)) == found["text"]

    wait_until(stood_still, "values that stand still for four pages", 60)
    check(len(found["text"]) >= 12, f"only {len(found['text'])} series of 3 idle groups")
    for name, samples in found.items():
        check(samples == found["text"], f"{name} differs from text: "
              f"{set(samples.items()) ^ set(found['text'].items())}")
    _, headers, body = fetch(port, Accept=OPENMETRICS)
    check(headers["Content-Type"].startswith("application/openmetrics-text"), "its content type")
    check(body.endswith(b"\n# EOF\n") and body.count(b"# EOF") == 1, "OpenMetrics ends in one EOF")
    check(groups.name.encode() in body, "the groups are in it")
    check(daemon.process.poll() is None, "the daemon lives")


def test_encoding_is_negotiated(port):
    for accept, status, encoding in (
            ("gzip", 200, "gzip"), ("deflate, gzip;q=1.0, *;q=0.5", 200, "gzip"),
            ("gzip;q=0", 200, None), ("identity", 200, None), ("br", 200, None),
            ("identity;q=0, gzip", 200, "gzip"), ("identity;q=0, gzip;q=0", 406, None),
            ("*;q=0", 406, None)):
        got, headers, body = fetch(port, Accept_Encoding=accept)
        check(got == status, f"Accept-Encoding: {accept}: {got}")
        check(headers["Content-Encoding"] == encoding, f"{accept}: {headers['Content-Encoding']}")
        check("Accept-Encoding" in headers["Vary"], f"{accept}: no Vary")
        check(status != 200 or len(body) == int(headers["Content-Length"]), f"{accept}: length")
    for accept in ("gzip", "identity"):
        got, headers, body = fetch(port, "HEAD", Accept_Encoding=accept)
        check(got == 200 and body == b"" and int(headers["Content-Length"]) > 1000,
              f"HEAD, {accept}: {got}, {headers['Content-Length']}")


def test_values_are_the_kernels(groups, port):
    """Of a group that holds memory and does nothing else."""
    name = "memory.current" if groups.version == 2 else "memory.usage_in_bytes"
    held = groups.hold("online-1", 24 << 20)
    try:
        wait_until(lambda: int(groups.read("online-1", name, "memory")) > 24 << 20, "held memory")

        def agrees():
            before = int(groups.read("online-1", name, "memory"))
            shown = [value for key, value in of_group(scrape(port), "online-1").items()
                     if key.startswith("berth_workload_memory_bytes{")]
            return shown == [before] == [int(groups.read("online-1", name, "memory"))]

        # A scrape within a second of another one shows the pass of that one.
        wait_until(agrees, "memory_bytes is that of the file")
    finally:
        held.kill()
        held.wait()


def test_groups_come_and_go_under_scrapes(groups, port):
    """No page is ever half of one, and none has a series of a group that went before it."""
    stop = threading.Event()
    wrong, pages = [], []

    def scraper(encoding):
        while not stop.is_set():
            try:
                pages.append(len(scrape(port, Accept_Encoding=encoding)))
            except (SystemExit, OSError, ValueError) as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=scraper, args=(encoding,))
               for encoding in ("gzip", "identity", "gzip")]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 6
        while (time.monotonic() < deadline or len(pages) <= 10) and not wrong:
            for number in range(8):
                groups.make(f"pod-{number}")
            wait_until(lambda: of_group(scrape(port), "pod-7"), "a new group has series")
            for number in range(8):
                groups.remove(f"pod-{number}")
            wait_until(lambda: not any(of_group(scrape(port), f"pod-{number}")
                                       for number in range(8)), "a gone group has none")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    check(not wrong, f"a scrape failed: {wrong[:1]}")
    check(len(pages) > 10, f"only {len(pages)} scrapes")


def shows(port, group):
    """Is it on the page? Not parsed: berthd gives a request 30 s, and this page has 100,000 lines."""
    status, _, body = fetch(port, Accept_Encoding="gzip")
    check(status == 200, f"compressed it is served on: {status}")
    return f'/{group}"'.encode() in gzip.decompress(body)


def test_slow_readers_hurt_nobody(groups, port):
    """Some take a large page and do not read it: others get theirs, of now, or are told to wait."""
    slow, refused = [], None
    while refused is None and len(slow) < 12:
        # A pass of its own for each: that is what makes versions.
        groups.make(f"extra-{len(slow)}")
        wait_until(lambda: shows(port, f"extra-{len(slow)}"), "a group made under slow readers", 20)
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = connection.recv(1024)
        if answer.startswith(b"HTTP/1.1 503 "):
            refused = answer
        slow.append(connection)
    check(refused, f"{len(slow)} slow readers, and no 503")
    check(b"\r\nRetry-After: 1\r\n" in refused, f"when to come again: {refused}")
    check(shows(port, f"extra-{len(slow) - 1}"), "compressed it is served on")
    for connection in slow:
        connection.close()
    wait_until(lambda: fetch(port)[0] == 200, "identity again")
    for number in range(len(slow)):
        groups.remove(f"extra-{number}")


def test_group_that_leaves_a_hierarchy_keeps_the_others(groups, port):
    """v1, as systemd does it: the group lives on where it still is."""
    if groups.version == 2:
        return
    cpu, memory = "berth_workload_cpu_periods_total{", "berth_workload_memory_bytes{"
    groups.make("leaver")
    wait_until(lambda: of_group(scrape(port), "leaver"), "series of the new group")
    (groups.path("memory", "leaver")).rmdir()
    wait_until(lambda: not any(key.startswith(memory) for key in of_group(scrape(port), "leaver")),
               "its memory is not told any more")
    check(any(key.startswith(cpu) for key in of_group(scrape(port), "leaver")), "its CPU is")
    groups.path("cpu", "leaver").rmdir()
    wait_until(lambda: not of_group(scrape(port), "leaver"), "it went")


def test_promtool_finds_nothing(port):
    if not shutil.which("promtool"):
        print("no promtool here")
        return
    for headers in ({}, {"Accept_Encoding": "identity"}):
        result = subprocess.run(["promtool", "check", "metrics"], input=fetch(port, **headers)[2],
                                capture_output=True, check=False)
        check(result.returncode == 0, f"promtool: {result.returncode}: {result.stderr.decode()}")


def test_reload_switches_families_and_workloads(daemon, groups, port):
    kept = "berth_workload_memory_bytes"
    daemon.write_policy(daemon.text + "plugins: {exporter: {cpu: false}}\n")
    wait_until(lambda: not any("_cpu_" in key for key in workloads(scrape(port))), "cpu: false")
    check(any(key.startswith(kept) for key in scrape(port)), f"{kept} stays")
    daemon.write_policy(daemon.text + "plugins: {exporter: {enabled: false}}\n")
    wait_until(lambda: not workloads(scrape(port)), "enabled: false")
    daemon.write_policy(daemon.text)
    wait_until(lambda: any("_cpu_" in key for key in workloads(scrape(port))), "defaults again")
    check(of_group(scrape(port), "online-1"), f"{groups.name}: series are back")


@contextlib.contextmanager
def prometheus(port):
    """A Prometheus of our own that scrapes the daemon each second; its port."""
    directory = tempfile.mkdtemp(prefix="berth-prometheus-")
    own = free_port()
    with open(f"{directory}/prometheus.yml", "w", encoding="utf-8") as config:
        config.write("global: {scrape_interval: 1s}\nscrape_configs:\n"
                     "  - job_name: berth\n    static_configs:\n"
                     f"      - targets: ['127.0.0.1:{port}']\n")
    with open(f"{directory}/log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--web.listen-address=127.0.0.1:{own}",
             f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield own
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def query(port, expression):
    """[(labels, value)]; [] while it does not answer yet."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            data = json.load(answer)
    except (OSError, ValueError):
        return []
    return [(item["metric"], float(item["value"][1])) for item in data["data"]["result"]]


def test_prometheus_sees_what_is_there(groups, port):
    if not shutil.which("prometheus"):
        print("no prometheus here")
        return
    with prometheus(port) as own:
        wait_until(lambda: [v for _, v in query(own, "up")] == [1.0], "the target is up", 60)

        def last_error():
            with urllib.request.urlopen(f"http://127.0.0.1:{own}/api/v1/targets",
                                        timeout=60) as answer:
                return json.load(answer)["data"]["activeTargets"][0]["lastError"]

        # A scrape that takes longer than a second is given up, and the next one counts.
        wait_until(lambda: last_error() == "", "Prometheus says nothing against it", 60)
        # It asks for OpenMetrics first: zeros in front of numbers are numbers to it.
        expected = {key for key in workloads(scrape(port)) if "memory_bytes{" in key}
        wait_until(lambda: len(query(own, "berth_workload_memory_bytes")) == len(expected),
                   "all groups have a series there", 60)
        shown = {}

        def agrees():
            """It is a scrape behind, and what ended a moment ago may still give memory back."""
            shown.clear()
            shown.update((labels["name"], value)
                         for labels, value in query(own, "berth_workload_memory_bytes"))
            return shown == {re.search(r'name="([^"]*)"', key)[1]: value
                             for key, value in workloads(scrape(port)).items()
                             if key.startswith("berth_workload_memory_bytes{")}

        wait_until(agrees, "Prometheus has what the page has", 60)
        gone = groups.glob("online-1")
        groups.remove("online-1")
        expression = f'berth_workload_memory_bytes{{name="{gone}"}}'
        check(gone in shown, f"{gone} was there")
        wait_until(lambda: not query(own, expression), "a gone group is stale there, not after 5 min",
                   60)
        groups.make("online-1")
        wait_until(lambda: query(own, expression), "and is there again", 60)
        wait_until(lambda: [v for _, v in query(own, "up")] == [1.0], "still up", 60)
        errors = []

        def dropped():
            errors[:] = query(own, "berth_metrics_dropped_total")
            return errors

        wait_until(dropped, "what was dropped is counted", 60)
        check([value for _, value in errors] == [0.0], f"dropped: {errors}")


def by_workload(series):
    return collections.Counter(re.search(r'name="([^"]*)"', key)[1] for key in series)


def test_five_thousand_groups_and_a_cap(args, groups):
    port = free_port()
    # Long names: the page is larger than what the kernel takes of it for a reader that sleeps.
    for number in range(5000):
        groups.make(f"many-{number}-{'x' * 60}")
    text = policy(groups).replace('listen: ""', f'listen: "127.0.0.1:{port}"')
    with Daemon(args.build, text) as daemon:
        daemon.start(level="info")
        daemon.text = text
        count = 5000 + 3
        series = workloads(scrape(port, Accept_Encoding="gzip"))
        sizes = by_workload(series)
        check(len(sizes) == count, f"{len(sizes)} of {count} groups have series")
        check(len(set(sizes.values())) == 1, f"groups that are the same have {set(sizes.values())}")
        results = []

        def reader():
            results.append(by_workload(workloads(scrape(port, Accept_Encoding="gzip"))))

        threads = [threading.Thread(target=reader) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Each page is whole, though a later one may have more series a group: causes of pressure
        # come when their BPF is loaded.
        shapes = [(len(sizes), set(sizes.values())) for sizes in results]
        check(len(shapes) == 6 and all(seen == count and len(each) == 1 for seen, each in shapes),
              f"parallel scrapes: {shapes}")
        test_slow_readers_hurt_nobody(groups, port)
        daemon.write_policy(text.replace('metrics: {', 'metrics: {max_series: 2000, '))
        wait_until(lambda: len(workloads(scrape(port))) <= 2000, "the cap", 30)
        capped = scrape(port)
        check(len(capped) <= 2000, f"{len(capped)} series in all")
        sizes = set(by_workload(workloads(capped)).values())
        check(len(sizes) == 1, f"a workload is half there: {sizes} series")
        wait_until(lambda: (daemon.metric("berth_metrics_dropped_total") or 0) > 0, "it is counted")


def main():
    args = arguments()
    port = free_port()
    read_families(args.build)
    groups = Groups()
    try:
        for name in ("batch-1", "online-1", "online-2"):
            groups.make(name)
        text = policy(groups).replace('listen: ""', f'listen: "127.0.0.1:{port}"')
        with Daemon(args.build, text) as daemon:
            daemon.text = text
            daemon.start()
            test_every_form_has_the_same_values(daemon, groups, port)
            test_encoding_is_negotiated(port)
            test_values_are_the_kernels(groups, port)
            test_group_that_leaves_a_hierarchy_keeps_the_others(groups, port)
            test_promtool_finds_nothing(port)
            test_groups_come_and_go_under_scrapes(groups, port)
            test_reload_switches_families_and_workloads(daemon, groups, port)
            test_prometheus_sees_what_is_there(groups, port)
            check(daemon.stop() == 0, "SIGTERM")
        test_five_thousand_groups_and_a_cap(args, groups)
    finally:
        groups.clean()
    print("ok")


if __name__ == "__main__":
    main()
