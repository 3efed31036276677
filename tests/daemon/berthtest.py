# SPDX-License-Identifier: Apache-2.0
"""The real berthd on this host, in a runtime directory and under control groups of its own.

Nothing here waits by sleeping for what can be waited for: READY comes over the notify socket, knob
changes are polled with a deadline because a file of the kernel cannot be waited for otherwise.
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


def check(condition, text):
    if not condition:
        fail(text)


def wait_until(condition, what, timeout=30.0):
    """Poll, for things that cannot be waited for; a deadline, not a delay."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            fail(f"still not so after {timeout} s: {what}")
        time.sleep(0.005)


def free_port():
    """A loopback port from below those that the kernel gives to clients: none of theirs takes it
    before who is to have it binds it."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Groups:
    """Control groups of our own, in every hierarchy that Berth writes."""

    def __init__(self, tag="test"):
        self.name = f"berth.{tag}.{os.getpid()}"
        base = pathlib.Path("/sys/fs/cgroup")
        self.version = 2 if (base / "cgroup.controllers").exists() else 1
        if self.version == 2:
            self.mounts = {"cpu": base, "memory": base}
        else:
            self.mounts = {name: base / name for name in ("cpu", "memory")
                           if (base / name).is_dir()}
        if os.geteuid() != 0:
            skip("not root: control groups cannot be made")
        if "cpu" not in self.mounts or not (self.mounts["cpu"] / "cgroup.procs").exists():
            skip("no cpu controller is mounted on this host")
        self.make("")

    def path(self, controller, group):
        return self.mounts[controller] / self.name / group

    def make(self, group):
        for controller in self.mounts:
            path = self.path(controller, group)
            path.mkdir(exist_ok=True)
            if self.version == 2 and group == "":
                (path / "cgroup.subtree_control").write_text("+cpu +memory")

    def remove(self, group):
        for controller in self.mounts:
            deadline = time.monotonic() + 30
            while self.path(controller, group).exists():
                try:
                    self.path(controller, group).rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)

    def read(self, group, knob, controller="cpu"):
        return (self.path(controller, group) / knob).read_text().strip()

    def quota_and_period(self, group):
        """(microseconds, period): the first is None without a limit."""
        if self.version == 2:
            text, period = self.read(group, "cpu.max").split()
            return (None if text == "max" else int(text), int(period))
        text = int(self.read(group, "cpu.cfs_quota_us"))
        return (None if text < 0 else text, int(self.read(group, "cpu.cfs_period_us")))

    def quota_of_100ms(self, group):
        """In microseconds; None: no limit."""
        usec, period = self.quota_and_period(group)
        return None if usec is None else usec * 100000 // period

    def write(self, group, knob, value, controller="cpu"):
        (self.path(controller, group) / knob).write_text(value)

    def hold(self, group, size):
        """A process in the group that touches so many bytes, and then does nothing."""
        code = f"import signal; x = b'x' * {size}; signal.pause()"
        paths = [self.path(controller, group) / "cgroup.procs" for controller in self.mounts]

        def enter():
            for path in paths:
                path.write_text(str(os.getpid()))

        return subprocess.Popen([sys.executable, "-c", code], preexec_fn=enter)

    @property
    def weight(self):
        return "cpu.weight" if self.version == 2 else "cpu.shares"

    def glob(self, pattern="*"):
        return f"{self.name}/{pattern}"

    def clean(self):
        for controller in self.mounts:
            top = self.path(controller, "")
            for path in sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True):
                path.rmdir()
            if top.exists():
                top.rmdir()


class Daemon:
    """One berthd with a policy of its own; usable as a context."""

    def __init__(self, build, policy, directory=None, plugin_dir=None, env=None):
        self.build = pathlib.Path(build).resolve()
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="berth-test-"))
        self.config = self.directory / "berth.yaml"
        self.dropins = self.directory / "berth.d"
        self.dropins.mkdir(exist_ok=True)
        self.runtime = self.directory / "run"
        self.state = self.directory / "state"
        self.plugin_dir = plugin_dir or self.build / "src/plugins"
        self.env = env or {}
        self.log = self.directory / "log"
        self.process = None
        self.user = None  # runs as another one than the test
        self.pass_fds = ()
        self.write_policy(policy)

    def write_policy(self, policy):
        temporary = self.config.with_suffix(".new")
        temporary.write_text(policy)
        temporary.rename(self.config)

    def command(self, *options):
        # berthd insists on plugins that only their owner can write; a build directory has others.
        return [str(self.build / "src/agentd/berthd"), "--config", str(self.config), "--dropin-dir",
                str(self.dropins), "--runtime-dir", str(self.runtime), "--state-dir",
                str(self.state), "--plugin-dir", str(self.plugin_dir), *options]

    def spawn(self, *options, level="debug"):
        notify = self.directory / "notify"
        if notify.exists():
            notify.unlink()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(notify))
        notify.chmod(0o666)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command("--log-level", level, *options), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, user=self.user, group=self.user,
                pass_fds=self.pass_fds,
                extra_groups=None if self.user is None else [],
                env={**os.environ, "NOTIFY_SOCKET": str(notify), **self.env})

    def wait_notify(self, text, timeout=60.0):
        """Until the daemon says so, or it ends: True or False."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.notify.settimeout(0.2)
            try:
                if text in self.notify.recv(65536).decode():
                    return True
            except (TimeoutError, socket.timeout):
                if self.process.poll() is not None:
                    return False
        fail(f"berthd did not say {text} within {timeout} s; log:\n{self.log_text()[-3000:]}")
        return False

    def start(self, *options, level="debug"):
        self.spawn(*options, level=level)
        if not self.wait_notify("READY=1"):
            fail(f"berthd ended with {self.process.returncode}; log:\n{self.log_text()[-3000:]}")
        return self

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=30):
        """SIGTERM; the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            fail(f"SIGTERM did not end berthd within {timeout} s")
            return -1

    def restore(self, *options):
        return subprocess.run(self.command("--restore", *options), capture_output=True, text=True, check=False)

    def ctl(self, *arguments):
        return subprocess.run([str(self.build / "src/ctl/berthctl"), "--socket",
                               str(self.runtime / "control.sock"), *arguments],
                              capture_output=True, text=True, check=False)

    def request(self, method, path, query=None):
        """(status, JSON or text) of the control API."""
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.runtime / "control.sock"))
        if query:
            path += "?" + urllib.parse.urlencode(query)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        kind = response.getheader("Content-Type", "")
        return response.status, json.loads(body) if kind.startswith("application/json") else body

    def get(self, path, query=None):
        status, body = self.request("GET", path, query)
        check(status == 200, f"GET {path}: {status}: {body}")
        return body

    def metric(self, name):
        """The value of a sample, labels included in the name as they are written."""
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if error and error[0] and not issubclass(error[0], SystemExit):
            print(self.log_text()[-4000:])
        shutil.rmtree(self.directory, ignore_errors=True)


def killed_at_every_step(daemon, run_once, most):
    """Each step at which berthd was killed; run_once(STEP): true when it got through without."""
    step = 0
    while not run_once(step + 1):
        step += 1
        check(daemon.process.returncode == -signal.SIGKILL,
              f"step {step}: it ended with {daemon.process.returncode}:\n"
              f"{daemon.log_text()[-2000:]}")
        check(step < most, "it never gets through")
        del daemon.env["BERTH_FAILPOINT"]
        yield step


def claimed_or_original(daemon, groups, names, knob, originals):
    """The promise after a crash: each knob holds what somebody claims, or what it was before."""
    held = {}
    for item in daemon.get("/v1/knobs")["knobs"]:
        if item["file"] == knob:
            held[item["path"]] = [c["value"] for c in item["claims"] if c["effective"]]
    return all(value == originals[name] or value in map(str, held.get(groups.glob(name), []))
               for name in names for value in [groups.read(name, knob)])


def policy(groups, extra=""):
    return f"""
metrics: {{listen: ""}}
sources:
  cgroups: {{paths: ["{groups.glob()}"]}}
  units: {{enabled: false}}
  kubernetes: {{enabled: false}}
  machines: {{enabled: false}}
rules:
  - {{match: {{cgroup: "*/batch*"}}, qos: batch}}
  - {{match: {{cgroup: "*/online*"}}, qos: high}}
{extra}
"""


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=ROOT / "build")
    return parser.parse_args()
