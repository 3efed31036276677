#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an administrator, a full disk or a hostile client can do to a real berthd: it says what is
wrong, keeps the rest going, and ends with the status that the manual promises."""
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading

from berthtest import ROOT, Daemon, arguments, check, fail, wait_until

POLICY = 'metrics: {listen: ""}\nsources: {units: {enabled: false}}\n'
DRY = POLICY + "dry_run: true\n"
NO_CGROUPS = ("--root", str(ROOT / "tests/fixture/none"))
NOBODY = 65534


def raw(daemon, data=b"", half_close=False):
    """A client of the control socket that says what it likes."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(60)
    client.connect(str(daemon.runtime / "control.sock"))
    client.sendall(data)
    if half_close:
        client.shutdown(socket.SHUT_WR)
    return client


def drain(client):
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def read_all(connection):
    connection.settimeout(None)
    while connection.recv(65536):
        pass


def is_dry(daemon):
    return daemon.get("/v1/status")["dry_run"]


def is_dry_after_reload(daemon, what, expected=True):
    """What is done in two steps is one reload, or two, if berthd looks between them."""
    check(daemon.wait_notify("READY=1"), f"{what}: berthd ended")
    while is_dry(daemon) != expected:
        check(daemon.wait_notify("READY=1"), f"{what}: berthd ended")


# The policy's files


def test_editors_are_noticed(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        daemon.config.write_text(DRY)
        is_dry_after_reload(daemon, "written in place")
        # vim: the old one is moved away, a new one of the same name is written.
        daemon.config.rename(daemon.directory / "berth.yaml~")
        daemon.config.write_text(POLICY)
        is_dry_after_reload(daemon, "moved away and written", False)
        other = daemon.directory / "other.yaml"
        other.write_text(DRY)
        daemon.config.unlink()
        daemon.config.symlink_to(other)
        is_dry_after_reload(daemon, "a symlink in its place")
        daemon.config.unlink()
        while daemon.metric("berth_config_valid") != 0:
            check(daemon.wait_notify("READY=1"), "deleted: berthd ended")
        check(is_dry(daemon), "a deleted policy that was named: the old one must stay")
        daemon.write_policy(POLICY)
        is_dry_after_reload(daemon, "back again", False)
        (daemon.dropins / "10.yaml").symlink_to(other)
        is_dry_after_reload(daemon, "a symlink as a drop-in")


def test_configmap_swap_is_noticed(build):
    with Daemon(build, POLICY) as daemon:
        for number, text in enumerate((POLICY, DRY)):
            dated = daemon.dropins / f"..2026_0{number}"
            dated.mkdir()
            (dated / "10.yaml").write_text(text)
        (daemon.dropins / "..data").symlink_to("..2026_00")
        (daemon.dropins / "10.yaml").symlink_to("..data/10.yaml")
        daemon.start(*NO_CGROUPS)
        (daemon.dropins / "..data_tmp").symlink_to("..2026_01")
        (daemon.dropins / "..data_tmp").rename(daemon.dropins / "..data")
        is_dry_after_reload(daemon, "..data swapped")


def test_directories_that_come_later_are_watched(build):
    with Daemon(build, POLICY) as daemon:
        etc = daemon.directory / "etc"
        daemon.config, daemon.dropins = etc / "berth.yaml", etc / "berth.d"
        etc.mkdir()
        daemon.write_policy(POLICY)
        daemon.start(*NO_CGROUPS)
        (daemon.directory / "dropins").mkdir()
        (daemon.directory / "dropins/10.yaml").write_text(DRY)
        (daemon.directory / "dropins").rename(daemon.dropins)
        is_dry_after_reload(daemon, "berth.d came later")
        (daemon.dropins / "10.yaml").write_text(POLICY + "dry_run: false\n")
        is_dry_after_reload(daemon, "a change in a berth.d that came later", False)


def test_replaced_directories_are_watched(build):
    with Daemon(build, POLICY) as daemon:
        etc, new = daemon.directory / "etc", daemon.directory / "new"
        for directory, text in ((etc, POLICY), (new, DRY)):
            (directory / "berth.d").mkdir(parents=True)
            (directory / "berth.yaml").write_text(text)
        daemon.config, daemon.dropins = etc / "berth.yaml", etc / "berth.d"
        daemon.start(*NO_CGROUPS)
        etc.rename(daemon.directory / "old")
        new.rename(etc)
        is_dry_after_reload(daemon, "/etc/berth was replaced")
        daemon.write_policy(POLICY)
        is_dry_after_reload(daemon, "a change in the replacement", False)
        (daemon.dropins / "10.yaml").write_text(DRY)
        is_dry_after_reload(daemon, "a drop-in in the replacement")


def test_reloads_in_a_storm_end_in_the_last_policy(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        # sd_notify() waits while nobody reads, as systemd always does.
        threading.Thread(target=read_all, args=(daemon.notify,), daemon=True).start()
        for number in range(50):
            daemon.write_policy(DRY if number % 2 == 0 else POLICY + "rulez: []\n")
            daemon.process.send_signal(signal.SIGHUP)
        daemon.write_policy(DRY)
        check(daemon.request("POST", "/v1/reload")[0] == 200, "the last policy is not taken")
        check(is_dry(daemon), "not the last policy")
        # In the middle of a reload, or right after one.
        daemon.process.send_signal(signal.SIGHUP)
        check(daemon.stop() == 0, "SIGTERM with a reload under way")


# Start and stop


def test_start_failures_have_their_status(build):
    with Daemon(build, POLICY) as daemon:
        file = daemon.directory / "file"
        file.write_text("")
        cases = [
            ("--runtime-dir", file, 1), ("--runtime-dir", file / "run", 1),
            ("--runtime-dir", daemon.directory / "no/such", 1),
            ("--config", daemon.directory / "no-such.yaml", 78),
            ("--config", daemon.directory, 78), ("--dropin-dir", file, 78),
            ("--root", daemon.directory / "no-such", 1), ("--log-level", "loud", 2),
        ]
        for option, value, status in cases:
            result = subprocess.run(daemon.command(*NO_CGROUPS, option, str(value)), text=True,
                                    capture_output=True, check=False, timeout=30)
            check(result.returncode == status and str(value) in result.stderr,
                  f"{option} {value}: {result.returncode}, not {status}: {result.stderr}")
        check(not (daemon.runtime / "control.sock").exists(), "a failed start left its socket")


def test_missing_plugin_dir_is_survived(build):
    with Daemon(build, POLICY, plugin_dir="/no/such/plugins") as daemon:
        daemon.start(*NO_CGROUPS)
        check("/no/such/plugins" in daemon.log_text(), "the missing directory is not logged")
        check(daemon.get("/v1/status")["plugins"] == [], "plugins out of nowhere")
        check(daemon.stop() == 0, "stop")


def test_no_cgroups_is_survived(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        check("no cgroup file system" in daemon.log_text(), "it is not said what is off")
        check(daemon.ctl("status").returncode in (0, 1), "status")
        check(daemon.stop() == 0 and not (daemon.runtime / "control.sock").exists(), "stop")


def test_signals_during_the_start_are_kept(build):
    with Daemon(build, POLICY) as daemon:
        daemon.spawn(*NO_CGROUPS)
        # The lock is taken after the signals are blocked.
        wait_until(lambda: (daemon.runtime / "berthd.pid").exists() or
                   daemon.process.poll() is not None, "the start")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.process.send_signal(signal.SIGTERM)
        check(daemon.process.wait(30) == 0, f"it ended with {daemon.process.returncode}")
        check(not (daemon.runtime / "control.sock").exists(), "the socket is left")


def test_policy_written_during_the_start_is_taken(build):
    with Daemon(build, POLICY) as daemon:
        daemon.spawn(*NO_CGROUPS)
        wait_until(lambda: (daemon.runtime / "berthd.pid").exists(), "the lock")
        daemon.write_policy(DRY)
        check(daemon.wait_notify("READY=1"), "berthd ended")
        wait_until(lambda: is_dry(daemon), "the policy that was written during the start")


def test_restore_beside_a_running_daemon_is_refused(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        result = daemon.restore()
        check(result.returncode == 1 and str(daemon.process.pid) in result.stderr,
              f"--restore: {result.returncode} {result.stderr}")
        check(daemon.get("/v1/status"), "the daemon suffered")


def test_socket_of_another_is_left_alone(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        path = daemon.runtime / "control.sock"
        check(stat.S_IMODE(path.stat().st_mode) == 0o660, "the socket's mode")
        path.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.bind(str(path))
            check(daemon.stop() == 0, "stop")
            check(path.exists(), "the socket of somebody else was removed")


def test_full_disk_is_survived(build):
    if os.geteuid() != 0:
        return
    with Daemon(build, POLICY) as daemon:
        daemon.runtime.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "berth-test", daemon.runtime],
                       check=True)
        try:
            with open(daemon.runtime / "filler", "wb", buffering=0) as filler:
                try:
                    while filler.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            daemon.start(*NO_CGROUPS)
            check(daemon.get("/v1/status"), "no status on a full disk")
            check(daemon.stop() == 0, "stop on a full disk")
        finally:
            subprocess.run(["umount", daemon.runtime], check=True)


def test_unprivileged_user_runs_what_it_may(build):
    if os.geteuid() != 0:
        return
    with tempfile.TemporaryDirectory(prefix="berth-test-") as directory:
        # The build directory may be closed to others.
        binaries = pathlib.Path(directory, "build")
        for name in ("src/agentd/berthd", "src/ctl/berthctl"):
            (binaries / name).parent.mkdir(parents=True)
            shutil.copy(pathlib.Path(build) / name, binaries / name)
        (binaries / "src/plugins").mkdir()
        with Daemon(binaries, POLICY) as daemon:
            for path in (pathlib.Path(directory), daemon.directory, daemon.dropins, daemon.config):
                os.chown(path, NOBODY, NOBODY)
            daemon.user = NOBODY
            daemon.start()
            check("not root" in daemon.log_text(), "it is not said what is off")
            check(daemon.request("POST", "/v1/reload")[0] == 200, "root may not reload")
            for command in ("status", "reload", "plan", "restore"):
                result = subprocess.run(
                    [str(binaries / "src/ctl/berthctl"), "--socket",
                     str(daemon.runtime / "control.sock"), command], user=NOBODY, group=NOBODY,
                    extra_groups=[], capture_output=True, text=True, check=False)
                check(result.returncode == 0, f"its own user: {command}: {result}")
            check(daemon.stop() == 0, "stop")


def test_few_files_are_enough_or_the_end(build):
    """From too few to enough: each start works or ends with a message, and none hangs."""
    with Daemon(build, POLICY) as daemon:
        statuses = []
        for files in range(4, 40, 3):
            result = subprocess.Popen(
                daemon.command(*NO_CGROUPS), stderr=subprocess.PIPE, text=True,
                preexec_fn=lambda n=files: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
            result.send_signal(0)
            try:
                text = ""
                for line in result.stderr:
                    text += line
                    if " runs: " in line:
                        result.send_signal(signal.SIGTERM)
                statuses.append(result.wait(30))
            finally:
                result.kill()
                result.wait()
                result.stderr.close()
            check(statuses[-1] in (0, 1, 78) and text, f"{files} files: {statuses[-1]}: {text}")
            check(statuses[-1] == 0 or "<3>" in text, f"{files} files: no error said: {text}")
        check(statuses[-1] == 0, "39 files are not enough")


def cpu_ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


# Clients


def test_hostile_clients_get_what_they_deserve(build):
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        cases = [
            ("garbage", b"\0\xff\x1b[2J\r\n\r\n", b""),
            ("no headers at all", b"", b""),
            ("half a request", b"GET /hea", b""),
            ("a header over the limit", get + b"X: " + b"y" * (64 << 10) + b"\r\n\r\n", b"HTTP/1.1 4"),
            ("an address over the limit", b"GET /" + b"a" * (64 << 10) + b" HTTP/1.1\r\n\r\n",
             b"HTTP/1.1 4"),
            ("two requests in one piece", 2 * (get + b"\r\n"), b"HTTP/1.1 200"),
            ("a body that never comes", b"POST /v1/plan HTTP/1.1\r\nHost: x\r\n"
             b"Content-Length: 1000\r\n\r\n", b""),
            ("a body over the limit", b"POST /v1/plan HTTP/1.1\r\nHost: x\r\n"
             b"Content-Length: 99999999\r\n\r\n", b"HTTP/1.1 413"),
            ("a length that is no number", b"POST /v1/plan HTTP/1.1\r\nHost: x\r\n"
             b"Content-Length: -1\r\n\r\n", b"HTTP/1.1 400"),
            ("a name of hostile bytes", b"GET /v1/explain?workload=a%ff%1b%22%5c HTTP/1.1\r\n"
             b"Host: x\r\nConnection: close\r\n\r\n", b"HTTP/1.1 404"),
        ]
        for what, data, expected in cases:
            with raw(daemon, half_close=False) as client:
                try:
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                answer = drain(client)
                check(answer.startswith(expected), f"{what}: {answer[:200]}")
                check(what != "two requests in one piece" or answer.count(b"HTTP/1.1 200") == 2,
                      f"{what}: {answer}")
                if what.startswith("a name"):
                    json.loads(answer.split(b"\r\n\r\n", 1)[1])
        # Gone before the answer is there.
        for _ in range(50):
            raw(daemon, get + b"\r\n").close()
        check(daemon.get("/healthz"), "after clients that went away")


def test_clients_over_the_limit_wait_and_are_served(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        idle = [raw(daemon, b"GET /") for _ in range(64)]
        answers = []
        late = threading.Thread(target=lambda: answers.append(daemon.get("/healthz")))
        late.start()
        idle.pop().close()
        late.join(60)
        check(len(answers) == 1, "a freed place is given to nobody")
        for client in idle:
            client.close()


def starve(daemon, client):
    """No file is left for it; False if it had one all the same: it closed one meanwhile."""
    pid = daemon.process.pid
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    free = next(fd for fd in range(4096) if fd not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, 4096))
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    client.settimeout(1.0)
    try:
        return not client.recv(1, socket.MSG_PEEK)
    except (TimeoutError, socket.timeout):
        return True


def test_no_files_left_is_no_busy_loop(build):
    with Daemon(build, POLICY) as daemon:
        daemon.start(*NO_CGROUPS)
        pid = daemon.process.pid
        for _ in range(20):
            before = cpu_ticks(pid)
            path = str(daemon.runtime / "control.sock")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                # Accepted by the kernel; berthd needs a file to take it.
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, 4096))
                client.connect(path)
                starved = starve(daemon, client)
                spent = (cpu_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, 4096))
                client.settimeout(60)
                answer = drain(client)
                check(answer.startswith(b"HTTP/1.1 200"), f"files are there again: {answer[:200]}")
                if starved:
                    check(spent < 0.5, f"{spent} s of CPU in a second without files")
                    return
        fail("it always had a file")


# Garbage answers


def test_berthctl_survives_garbage(build):
    answers = [
        b"", b"\0" * 100, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n[1,2]", b"HTTP/1.1 200 OK\r\n\r\n{\"plugins\": 7, \"sources\": {}}",
        b"HTTP/1.1 200 OK\r\n\r\n{\"workloads\": [1, null, {}], \"knobs\": [[]], \"changes\": \"x\"}",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100000, b"HTTP/1.1 500 no\r\n\r\n\xff\xfe",
        b"HTTP/1.1 422 no\r\n\r\n{\"error\": \"\\u001b[2J\", \"errors\": [{\"message\": \"\\u001b[2J\"}]}",
    ]
    commands = [["status"], ["workloads"], ["knobs"], ["explain", "x"], ["capabilities"],
                ["history"], ["plugins"], ["plan"], ["top", "--iterations", "1"], ["reload"],
                ["restore"], ["restore", "--resume"], ["version"]]
    with tempfile.TemporaryDirectory(prefix="berth-test-") as directory:
        path = f"{directory}/control.sock"
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(path)
        server.listen(8)
        current = []

        def serve():
            while True:
                client, _ = server.accept()
                with client:
                    if not current:
                        return
                    client.recv(65536)
                    try:
                        client.sendall(current[0])
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            for answer in answers:
                current[:] = [answer]
                for command in commands:
                    result = subprocess.run(
                        [str(pathlib.Path(build, "src/ctl/berthctl")), "--socket", path, *command],
                        capture_output=True, check=False, timeout=30)
                    check(result.returncode in (0, 1, 2), f"{command} of {answer[:60]}: {result}")
                    check(b"\x1b" not in result.stdout + result.stderr,
                          f"{command} lets an escape through to the terminal: {result}")
        finally:
            current.clear()
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(path)
            thread.join()
            server.close()


def main():
    build = arguments().build
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test(build)
            print(f"ok {name}", flush=True)


main()
