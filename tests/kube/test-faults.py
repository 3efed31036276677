#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that misbehaves, or one that is no apiserver: berthd says in one line what is wrong, keeps
everything else going within its memory, and is well again when the server is."""

import pathlib
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import credentials
import faults
import pki
import wire
from faultserver import FaultServer, Feed, close, cut, head, reply, reset, stall
from kubetest import arguments, check, free_port, skip, wait_until
from node import Node, PodGroups

MIB = 1 << 20
MEMORY = 48 * MIB
WEB = wire.pod("web", 5, annotations={"berth/qos": "batch"})
NEW = wire.pod("new", 6, annotations={"berth/qos": "batch"})
GOOD = wire.pod_list([WEB], 5)
ADDED = wire.event("ADDED", NEW)
TOKEN = "secret-of-the-agent"
POLL_SECONDS = 10  # REFLECTOR_POLL_USEC


class Rig:
    def __init__(self, build, directory, groups):
        self.build, self.directory, self.groups = build, pathlib.Path(directory), groups
        self.authority = pki.Authority(directory)
        self.identity = self.authority.server()
        self.number = 0
        self.lock = threading.Lock()

    def server(self, identity=None, **options):
        return FaultServer(identity or self.identity, **options)

    def kubeconfig(self, server, **options):
        with self.lock:
            self.number += 1
            path = self.directory / f"kubeconfig-{self.number}"
        options.setdefault("ca", self.authority.certificate)
        return credentials.write_kubeconfig(path, server, token=TOKEN, **options)

    def node(self, server, **options):
        return self.node_of(self.kubeconfig(server.server, **options))

    def node_of(self, config):
        return Node(self.build, f'enabled: true, kubeconfig: "{config}"', self.groups)


def good(server, watch=(head(), stall())):
    server.clear()
    server.on(wire.WATCH, *watch)
    server.on(wire.LIST, reply(200, GOOD))


def check_rest(daemon, what):
    """What has nothing to do with the API goes on."""
    check(daemon.source("cgroups")["state"] == "ready", f"{what}: {daemon.source('cgroups')}")
    check(daemon.process.poll() is None, f"{what}: berthd ended")
    check(daemon.get("/livez") is not None, what)


def check_memory(daemon, what):
    if not daemon.is_sanitized():
        most = daemon.status_bytes("VmHWM")
        check(most < MEMORY, f"{what}: {most // MIB} MiB")


def case_list(rig, what, steps, said, timeout=60):
    """A list that is of no use: down, with what is wrong, and well when the server is."""
    with rig.server() as server:
        server.on(wire.LIST, *steps)
        with rig.node(server) as daemon:
            daemon.start()
            daemon.wait_down(said, timeout)
            check_rest(daemon, what)
            good(server)
            daemon.wait_ready("1 pods, watching", 60)
            check(daemon.lines("source kubernetes is down") == 1, f"{what}: more than one line")
            check_memory(daemon, what)


def case_watch(rig, what, steps, said=None):
    """A watch that goes wrong once, with something that matters behind it. said: None if that is
    nothing to speak of."""
    with rig.server() as server:
        good(server, faults.watch_of(ADDED))
        server.once(wire.WATCH, *steps)
        with rig.node(server) as daemon:
            daemon.start()
            daemon.wait_ready("2 pods, watching", 60)
            check_rest(daemon, what)
            count = daemon.lines("source kubernetes is down")
            check(count == (0 if said is None else 1), f"{what}: {count} lines")
            if said:
                check(said in daemon.log_text(), f"{what}: no '{said}' in the log")
            check_memory(daemon, what)


def case_untrusted(rig):
    """Nobody who is not signed for gets the token."""
    other = pki.Authority(rig.directory, "other")
    with rig.server() as server:
        good(server)
        with rig.node(server, ca=other.certificate) as daemon:
            daemon.start()
            daemon.wait_down("is not trusted")
            check_rest(daemon, "untrusted")
            check(server.count() == 0, "a request went to a server that is not trusted")
            credentials.write_kubeconfig(rig.directory / "later", server.server, token=TOKEN,
                                         ca=rig.authority.certificate)
            daemon.change(f'enabled: true, kubeconfig: "{rig.directory}/later"')
            daemon.wait_ready("1 pods, watching")


def case_other_name(rig):
    identity = rig.authority.server("elsewhere", "DNS:elsewhere.example")
    with rig.server(identity) as server:
        good(server)
        with rig.node(server) as daemon:
            daemon.start()
            daemon.wait_down("is for another name")
            check(server.count() == 0, "a request went to a server of another name")
        with rig.node(server, tls_server_name="elsewhere.example") as daemon:
            daemon.start()
            daemon.wait_ready("1 pods, watching")


def case_expired_certificate(rig):
    identity = rig.authority.issue("old", "/CN=old", "serverAuth", "IP:127.0.0.1", days=-1)
    with rig.server(identity) as server:
        good(server)
        with rig.node(server) as daemon:
            daemon.start()
            daemon.wait_down("has expired")


def case_redirect(rig):
    """The token must not go where the policy did not name."""
    with rig.server() as other, rig.server() as server:
        good(other)
        server.on("/", *faults.redirect(other.server + "/api/v1/pods"))
        with rig.node(server) as daemon:
            daemon.start()
            daemon.wait_down("307")
            check(other.connections == 0, "a redirect was followed")


def case_refused(rig):
    """Nobody there, and then somebody."""
    port = free_port()
    with rig.node_of(rig.kubeconfig(f"https://127.0.0.1:{port}")) as daemon:
        daemon.start()
        daemon.wait_down("connection refused")
        check_rest(daemon, "refused")
        with rig.server(port=port) as server:
            good(server)
            daemon.wait_ready("1 pods, watching", 60)
            check(daemon.lines("source kubernetes is down") == 1, "refused: more than one line")


def case_unknown_host(rig):
    with rig.node_of(rig.kubeconfig("https://no-such-host.invalid:6443")) as daemon:
        daemon.start()
        daemon.wait_down("no-such-host.invalid")
        check_rest(daemon, "unknown host")


def case_not_tls(rig):
    with FaultServer() as server:
        config = rig.kubeconfig(server.server.replace("http:", "https:"))
        with rig.node_of(config) as daemon:
            daemon.start()
            daemon.wait_down("TLS")


def case_silent(rig, what, said, timeout=120, **options):
    """A server that takes connections, and no more."""
    with rig.server(**options) as server:
        server.on("/", *faults.silence())
        with rig.node(server) as daemon:
            daemon.start()
            check_rest(daemon, what)
            daemon.wait_down(said, timeout)
            check_rest(daemon, what)


def case_slow_loris(rig):
    """A byte each 100 ms is an answer that begins: nothing else waits for its end."""
    with rig.server() as server:
        server.on(wire.LIST, *faults.slow_loris(GOOD))
        with rig.node(server) as daemon:
            daemon.start()
            wait_until(lambda: server.requests and server.requests[0].sent > 50, "some bytes", 60)
            rig.groups.make("own-batch-loris")
            wait_until(lambda: rig.groups.read("own-batch-loris", "cpu.idle") == "1",
                       "another source's workload beside a slow list", 30)
            check_rest(daemon, "slow loris")
            check(daemon.source()["state"] == "starting", f"{daemon.source()}")
            rig.groups.remove("own-batch-loris")


def case_bad_kubeconfig(rig):
    """Wrong files have a line that names them."""
    for name, text, said in (("missing", None, "No such file"),
                             ("insecure", "cluster: {insecure-skip-tls-verify: true, server: "
                              '"https://127.0.0.1:1"}', "insecure-skip-tls-verify"),
                             ("syntax", "clusters: [", "bad-syntax")):
        path = rig.directory / f"bad-{name}"
        if text is not None and name == "insecure":
            credentials.write_kubeconfig(path, "https://127.0.0.1:1", insecure=True, token="x")
        elif text is not None:
            path.write_text(text)
        with rig.node_of(path) as daemon:
            daemon.start()
            daemon.wait_down(said)
            check(str(path) in daemon.source()["detail"], f"{name}: {daemon.source()['detail']}")
            check_rest(daemon, name)


def case_kubelet(rig):
    """The node's own /pods: polled, and asked at once when the tree changes."""
    with rig.server() as server:
        server.on("/pods", reply(200, wire.pod_list([WEB], "")))
        token = rig.directory / "kubelet.token"
        token.write_text(TOKEN)
        section = (f'enabled: true, via: kubelet, server: "{server.server}", token_file: "{token}", '
                   f'ca_file: "{rig.authority.certificate}"')
        with Node(rig.build, section, rig.groups) as daemon:
            daemon.start()
            daemon.wait_ready(f"kubelet {server.server}: 1 pods")
            check(server.requests[0].headers["authorization"] == f"Bearer {TOKEN}", "the token")
            server.clear()
            polled = wire.pod("polled", annotations={"berth/qos": "batch"})
            server.on("/pods", reply(200, wire.pod_list([WEB, polled], "")))
            begin, before = time.monotonic(), server.count("/pods")
            # A poll has just been: who asks sooner than the next one can be asks for the group. Other
            # cases move hundreds of megabytes through sanitized daemons meanwhile, and may hold both up.
            for left in reversed(range(5)):
                polls = len(server.wait_for("/pods", server.count("/pods") + 1))
                rig.groups.add(wire.uid("polled"))
                last, following = server.wait_for("/pods", polls + 1)[polls - 1:polls + 1]
                if following.time - last.time < POLL_SECONDS - 1:
                    break
                check(left > 0, "the kubelet is not asked at once")
                rig.groups.drop(wire.uid("polled"))
            wait_until(lambda: rig.groups.is_idle(wire.uid("polled")), "a new group's pod", 60)
            polls = (time.monotonic() - begin) / (POLL_SECONDS - 1) + 6
            check(server.count("/pods") - before <= polls, "the kubelet was asked again and again")
            rig.groups.drop(wire.uid("polled"))


def case_live(rig):
    """Level changes over a watch that is cut in every way in between. Pods of other cases are on this
    host as well: this one's has a name that only its berthd knows."""
    feed = Feed()
    with rig.server() as server:
        server.on(wire.WATCH, feed.step)
        server.on(wire.LIST, reply(200, wire.pod_list([], 10)))
        rig.groups.add(wire.uid("live"))
        with rig.node(server) as daemon:
            daemon.start()
            version = 10
            for how in (None, close, cut, reset):
                for level, idle in (("high", False), ("batch", True)):
                    feed.wait_watchers(1)
                    version += 1
                    feed.send(wire.event("MODIFIED", wire.pod(
                        "live", version, annotations={"berth/qos": level})))
                    wait_until(lambda: rig.groups.is_idle(wire.uid("live")) == idle,
                               f"{level} at {version}", 60)
                if how:
                    count = server.count(wire.WATCH)
                    feed.do(how())
                    again = server.wait_for(wire.WATCH, count + 1)[-1]
                    check(f"resourceVersion={version}&" in again.path, f"{again} after {version}")
            check(server.count(wire.LIST) == 1, "a list where a watch could be resumed")
            check(daemon.lines("source kubernetes is down") == 0, "a regular end was a failure")
        rig.groups.drop(wire.uid("live"))


def cases(rig):
    """(name, function, arguments): the slow ones first."""
    listed, watched = [], []
    for what, steps, said, *more in (
            ("invalid JSON", faults.invalid_json(), "in the middle"),
            ("not JSON", faults.not_json(), "text/html"),
            ("a Content-Length that is too long", faults.length_too_long(GOOD), "in the middle"),
            ("a Content-Length that is too short", faults.length_too_short(GOOD), "in the middle"),
            ("200 MB of pods in vain", faults.huge_body()[:2] + (cut(),), "in the middle", 120),
            ("pages without an end", faults.endless_list([WEB]), "without an end", 60),
            ("a reset", faults.connection_reset(), "127.0.0.1"),
            ("a 500", faults.failed(500), "500"),
            ("a 503", faults.failed(503), "503"),
            ("a 429", faults.too_many(), "429"),
            ("a 401", faults.unauthorized(), "401 Unauthorized"),
            ("a 403", faults.forbidden(), "get, list and watch on pods"),
            ("410 for ever", faults.gone(), "expired again")):
        listed.append((f"list: {what}", case_list, (rig, what, steps, said, *more)))
    for what, steps, *said in (
            ("cut in a line", faults.watch_cut(rest=ADDED)),
            ("closed in a line", faults.watch_cut(rest=ADDED, how=close)),
            ("reset in a line", faults.watch_cut(rest=ADDED, how=reset)),
            ("ended in a line", faults.watch_cut_between_chunks(rest=ADDED)),
            ("a byte at a time", faults.watch_split(ADDED)),
            ("all in one chunk", faults.watch_joined(ADDED, wire.bookmark(9))),
            ("ended", faults.watch_that_ends()),
            ("gone", faults.watch_gone()),
            ("a line of 200 MB", faults.watch_huge_line(), "too large"),
            ("200 MB without a line", faults.watch_huge_line(newline=False), "too large"),
            ("half a line", faults.watch_invalid(), "broken"),
            ("not JSON", faults.watch_invalid(garbage='{"type":"ADDED","object":{]}\n'), "broken")):
        watched.append((f"watch: {what}", case_watch, (rig, what, steps, *said)))
    silent = [("silent after the request", case_silent, (rig, "silent", "does not answer")),
              ("silent at TLS", lambda: case_silent(rig, "no TLS", "127.0.0.1", handshake=False),
               ()),
              ("silent in the backlog",
               lambda: case_silent(rig, "backlog", "127.0.0.1", accept=False), ())]
    single = [(case.__name__.replace("_", " "), case, (rig,)) for case in
              (case_untrusted, case_other_name, case_expired_certificate, case_redirect,
               case_refused, case_unknown_host, case_not_tls, case_slow_loris,
               case_bad_kubeconfig, case_kubelet, case_live)]
    return silent + listed + watched + single


def main():
    build = arguments().build
    if not shutil.which("openssl"):
        skip("no openssl here, which makes the certificates")
    groups = PodGroups("test.faults")
    try:
        if not groups.need_idle():
            skip("this kernel has no cpu.idle, by which these tests see levels")
        with tempfile.TemporaryDirectory(prefix="berth-faults-") as directory:
            rig = Rig(build, directory, groups)
            # They wait more than they work.
            with ThreadPoolExecutor(4) as pool:
                running = [(name, pool.submit(function, *given))
                           for name, function, given in cases(rig)]
                failed = []
                for name, future in running:
                    try:
                        future.result()
                        print(f"ok {name}", flush=True)
                    except BaseException as error:  # pylint: disable=broad-except
                        print(f"FAILED {name}: {type(error).__name__} {error}", flush=True)
                        failed.append(name)
                check(not failed, f"{len(failed)} of {len(running)}: {', '.join(failed)}")
    finally:
        groups.clean()


main()
