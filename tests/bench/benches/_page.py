# SPDX-License-Identifier: Apache-2.0
"""A page of metrics and who serves it: berth-page, node_exporter, and the scraper."""

import gzip
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time

from benchlib import Unable, procfs


class Scraper:
    """One kept connection, as Prometheus has it. Bodies are not unpacked: that is not its time."""

    def __init__(self, port, encoding="gzip"):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Accept-Encoding": encoding, "Connection": "keep-alive"}

    def scrape(self):
        """(seconds, body as it came)"""
        begin = time.perf_counter()
        self.connection.request("GET", "/metrics", headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - begin
        if answer.status != 200:
            raise Unable(f"/metrics: {answer.status}")
        return took, body


def samples(body):
    """How many samples the body has, packed or not."""
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    return sum(1 for line in text.splitlines() if line and not line.startswith(b"#"))


class Process:
    """A server of /metrics, ended with the context."""

    def __init__(self, arguments, port=None):
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE if port is None else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            preexec_fn=lambda: procfs.die_with_parent(signal.SIGKILL),
        )  # fmt: skip
        self.port = port or int(self.process.stdout.readline())
        self.pid = self.process.pid

    def cpu(self):
        return procfs.cpu_seconds(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def page(build, workloads):
    program = os.path.join(build, "tests/bench/load/berth-page")
    if not os.path.exists(program):
        raise Unable(f"{program} is not built")
    return Process([program, str(workloads)])


def node_exporter():
    program = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if not program:
        raise Unable("no prometheus-node-exporter here: scripts/deps test")
    port = free_port()
    server = Process([program, f"--web.listen-address=127.0.0.1:{port}"], port)
    deadline = time.monotonic() + 10
    while True:
        try:
            Scraper(port).scrape()
            return server
        except OSError:
            if time.monotonic() > deadline:
                server.__exit__()
                raise Unable("prometheus-node-exporter does not answer") from None
            time.sleep(0.05)
