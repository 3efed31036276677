# SPDX-License-Identifier: Apache-2.0
"""A private berthd: own policy, runtime directory and port, nothing shared with one of the host."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import Unable, procfs

READY_SECONDS = 30


class DaemonFailed(Exception):
    """berthd did not do what a benchmark stands on."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """One run of berthd. Use as a context manager: it is always ended and its log kept until
    then."""

    def __init__(self, build, policy, log_level="info", root=None):
        self.build, self.policy, self.log_level = build, policy, log_level
        self.root = root  # a host that is made up, in a directory; None: this one
        self.directory = tempfile.mkdtemp(prefix="berth-bench-")
        self.runtime = os.path.join(self.directory, "run")
        # A level down: the daemon watches the directory above the policy's as well, and /tmp is
        # busy.
        self.etc = os.path.join(self.directory, "etc")
        self.config = os.path.join(self.etc, "berth.yaml")
        self.process = None
        self.ready_seconds = None
        self.lines = []
        self._reader = None
        os.mkdir(self.runtime, 0o700)
        os.mkdir(self.etc)

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Returns when berthd has said READY=1."""
        with open(self.config, "w", encoding="utf-8") as stream:
            stream.write(self.policy)
        notify = os.path.join(self.directory, "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(notify)
            begin = time.monotonic()
            self._spawn(notify)
            self._wait_ready(listener, begin)
        self.ready_seconds = time.monotonic() - begin
        return self

    def _spawn(self, notify):
        environment = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
        environment["NOTIFY_SOCKET"] = notify
        self.process = subprocess.Popen(
            [
                os.path.join(self.build, "src/agentd/berthd"),
                "--config", self.config,
                "--dropin-dir", os.path.join(self.etc, "berth.d"),
                "--runtime-dir", self.runtime,
                "--state-dir", os.path.join(self.directory, "state"),
                "--plugin-dir", os.path.join(self.build, "src/plugins"),
                "--log-level", self.log_level,
                *(["--root", self.root] if self.root else []),
            ],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=lambda: procfs.die_with_parent(signal.SIGTERM),
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read_log, args=(self.process,), daemon=True)
        self._reader.start()

    def _read_log(self, process):
        for line in process.stderr:
            self.lines.append(line.rstrip("\n"))

    def _wait_ready(self, listener, begin):
        listener.settimeout(0.2)
        while time.monotonic() - begin < READY_SECONDS:
            with contextlib.suppress(TimeoutError):
                if "READY=1" in listener.recv(4096).decode().split("\n"):
                    return
            if self.process.poll() is not None:
                raise DaemonFailed(
                    f"berthd ended with {self.process.returncode}:\n" + self.log_tail()
                )
        raise DaemonFailed(f"berthd was not ready in {READY_SECONDS} s:\n" + self.log_tail())

    def stop(self):
        """SIGTERM and wait: every knob is restored then."""
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        self.process.stderr.close()
        self.process = None

    def log_tail(self):
        return "\n".join("    " + line for line in self.lines[-20:])

    def problems(self):
        """Lines of the log at warning or above (sd-daemon(3) prefixes)."""
        return [line for line in self.lines if re.match(r"<[0-4]>", line)]

    def get(self, path):
        connection = UnixConnection(os.path.join(self.runtime, "control.sock"))
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status != 200:
                raise DaemonFailed(f"GET {path}: {answer.status} {body.strip()}")
            return body

    def json(self, path):
        return json.loads(self.get(path))

    def metrics(self):
        """{series with labels: value}, as Prometheus would read it."""
        values = {}
        for line in self.get("/metrics").split("\n"):
            match = re.match(r"([a-zA-Z_:][^ {]*(?:\{.*\})?) +(\S+)$", line)
            if match and not line.startswith("#"):
                values[match[1]] = float(match[2])
        return values

    def total(self, family):
        """The sum of a family's series."""
        return sum(
            value for name, value in self.metrics().items() if name.split("{")[0] == family
        )

    def groups(self):
        """Workloads of sources.cgroups: pods and machines of others on this host are none of ours. Not
        asked of /metrics, whose text stays in memory for who scrapes."""
        return sum(source["workloads"] for source in self.json("/v1/status")["sources"]
                   if source["name"] == "cgroups")  # fmt: skip

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


def check_build(build):
    """The tools are built, or built now."""
    if not os.path.exists(os.path.join(build, "build.ninja")):
        root = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
        _quiet(["meson", "setup", build, root])
    _quiet(["ninja", "-C", build])


def _quiet(command):
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode:
        raise Unable(f"{' '.join(command)} failed:\n{result.stdout[-4000:]}")


def wait_until(condition, seconds, what):
    """Look again until it holds; DaemonFailed when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise DaemonFailed(f"{what}: not within {seconds} s")
        time.sleep(0.005)


def policy(paths, rules, listen="", only=True):
    """The text of a policy for plain cgroups; rules: (glob of the cgroup, level). only: pods and
    machines of others on this host are not looked for."""
    lines = ["sources:", f"  cgroups: {{paths: {json.dumps(paths)}}}"]
    if only:
        lines += ["  kubernetes: {enabled: false}", "  machines: {enabled: false}"]
    lines += ["  units: {enabled: false}", f"metrics: {{listen: {json.dumps(listen)}}}", "rules:"]
    for glob, level in rules:
        lines.append(f"  - {{match: {{cgroup: {json.dumps(glob)}}}, qos: {level}}}")
    return "\n".join(lines) + "\n"
