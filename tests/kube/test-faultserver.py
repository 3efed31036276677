#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fault server does each fault as it says: seen by Python's own HTTP client and by raw sockets."""

import gzip
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import tempfile
import threading
import time

import faults
import pki
import wire
from faultserver import (FaultServer, Feed, chunk, close, cut, head, last_chunk, notify, pause, reply,
                         reset, wait)
from kubetest import Watch, arguments, check, skip, wait_until

PODS = "/api/v1/pods"
WATCH = PODS + "?watch=1&fieldSelector=spec.nodeName%3Dnode1"
ADDED = wire.event("ADDED", wire.pod("a", annotations={"note": "<é&>"}))
LIST = wire.pod_list([wire.pod("a")], 7)


class Rig:
    def __init__(self, directory):
        self.authority = pki.Authority(directory)
        self.other = pki.Authority(directory, "other")
        self.identity = self.authority.server()

    def server(self, **options):
        return FaultServer(self.identity, **options)

    def get(self, server, path=PODS, method="GET", body=None, timeout=60):
        """(response, body) over a connection of its own."""
        if server.identity:
            context = ssl.create_default_context(cafile=self.authority.certificate)
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=timeout,
                                                     context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def watch(self, server):
        return Watch(server.port, WATCH, self.authority.certificate, timeout=60)

    def error(self, server, *arguments, **options):
        """The name of the error that a client gets."""
        try:
            self.get(server, *arguments, **options)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        return "none"


def test_answers(rig):
    statuses = ((faults.gone(), 410, "Expired"), (faults.unauthorized(), 401, "Unauthorized"),
                (faults.forbidden(), 403, "Forbidden"), (faults.failed(500), 500, "InternalError"),
                (faults.failed(503, {"Retry-After": 2}), 503, "ServiceUnavailable"))
    with rig.server() as server:
        for steps, code, reason in statuses:
            server.once(wire.LIST, *steps)
            response, body = rig.get(server)
            check(response.status == code and json.loads(body)["reason"] == reason, f"{code}: {body}")
        check(response.getheader("Retry-After") == "2", "no Retry-After")
        server.once(wire.LIST, *faults.too_many(3))
        response, body = rig.get(server)
        check((response.status, response.getheader("Retry-After")) == (429, "3"), "429")
        check(response.getheader("Content-Type").startswith("text/plain"), "429 in JSON")
        server.once(wire.LIST, *faults.redirect("http://127.0.0.1:1/"))
        check(rig.get(server)[0].getheader("Location") == "http://127.0.0.1:1/", "redirect")
        server.once(wire.LIST, *faults.gzipped(LIST))
        response, body = rig.get(server)
        check(response.getheader("Content-Encoding") == "gzip" and
              gzip.decompress(body).decode() == LIST, "gzip")
        server.once(wire.LIST, *faults.invalid_json())
        try:
            json.loads(rig.get(server)[1])
            check(False, "invalid JSON is valid")
        except json.JSONDecodeError:
            pass
        server.on(wire.LIST, *faults.endless_list([wire.pod("a")]))
        tokens = [json.loads(rig.get(server)[1])["metadata"]["continue"] for _ in range(3)]
        check(len(set(tokens)) == 3, f"tokens {tokens}")
        check(not server.unexpected, server.unexpected)
        check(rig.get(server, "/else")[0].status == 404 and server.unexpected, "an unexpected one")


def test_events(rig):
    path = "/api/v1/namespaces/default/events"
    with rig.server() as server:
        server.once(wire.EVENTS, *faults.refuse_event(), method="POST")
        server.on(wire.EVENTS, *faults.accept_event(), method="POST")
        item = json.dumps({"kind": "Event", "reason": "Tested"})
        check(rig.get(server, path, "POST", item)[0].status == 403, "refused")
        response, body = rig.get(server, path, "POST", iter([item[:9].encode(), item[9:].encode()]))
        check(response.status == 201 and json.loads(body)["reason"] == "Tested", "accepted")
        first, second = server.wait_for(wire.EVENTS, 2, "POST")
        check(first.body == second.body == item.encode(), f"{first.body} {second.body}")
        check(second.headers["transfer-encoding"] == "chunked" and second.time > first.time, "record")


def test_lengths(rig):
    with rig.server() as server:
        server.once(wire.LIST, *faults.length_too_long(LIST))
        check(rig.error(server) == "IncompleteRead", "too long")
        server.once(wire.LIST, *faults.length_too_short(LIST))
        check(len(rig.get(server)[1]) == len(LIST.encode()) // 2, "too short")


def test_ends(rig):
    """How a connection ends differs: a FIN alone, a proper end of TLS, a RST."""
    context = ssl.create_default_context(cafile=rig.authority.certificate)
    # Python sets it where its OpenSSL has it, and then a FIN alone looks like a proper end.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    for how, wanted in ((cut, ssl.SSLError), (close, None)):
        with rig.server() as server:
            server.on(wire.LIST, how())
            plain = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            with context.wrap_socket(plain, server_hostname="127.0.0.1",
                                     suppress_ragged_eofs=False) as client:
                client.sendall(f"GET {PODS} HTTP/1.1\r\n\r\n".encode())
                try:
                    end = client.recv(1)
                    check(wanted is None and end == b"", f"{how.__name__}: {end}")
                except OSError as error:
                    check(wanted and isinstance(error, wanted), f"{how.__name__}: {error!r}")
    with FaultServer() as server:  # over TLS, Python calls this an end of file as well
        server.on(wire.LIST, reset())
        check(rig.error(server) == "ConnectionResetError", "reset")


def test_watches(rig):
    with rig.server() as server:
        server.once(wire.WATCH, *faults.watch_cut(ADDED, rest=ADDED))
        with rig.watch(server) as watch:
            check(watch.event() == ("ADDED", json.loads(ADDED)["object"]), "the event before")
            size = int(watch.file.readline(), 16)
            check(len(watch.file.read()) == size // 2 == len(ADDED.encode()) // 2, "half a line")
        server.once(wire.WATCH, *faults.watch_gone())
        with rig.watch(server) as watch:
            check(watch.event()[1]["code"] == 410 and watch.chunk() == b"", "410 as an event")
        server.once(wire.WATCH, *faults.watch_split(ADDED, ADDED, size=3))
        with rig.watch(server) as watch:
            check(watch.event() == watch.event(), "pieces")
        server.once(wire.WATCH, *faults.watch_joined(ADDED, wire.bookmark(9)))
        with rig.watch(server) as watch:
            check(watch.chunk().count(b"\n") == 2, "joined")
        server.once(wire.WATCH, *faults.watch_cut_between_chunks(ADDED, rest=ADDED))
        with rig.watch(server) as watch:
            check(watch.event()[0] == "ADDED" and not watch.chunk().endswith(b"\n") and
                  watch.chunk() == b"", "a half as a chunk")
        server.once(wire.WATCH, *faults.watch_silent())
        with rig.watch(server) as watch:
            check(watch.status == 200, "silent")
            watch.socket.settimeout(0.3)
            try:
                check(watch.chunk() == "", "a silent watch spoke")
            except TimeoutError:
                pass
        request = server.matching(wire.WATCH)[-1]
        server.wait_until(lambda: request.done, "the client's end is seen")
        check(request.client_gone, "who hung up")


def test_huge(rig):
    """200 MB go through without being held, and a client that gives up is noticed."""
    with rig.server() as server:
        server.on(wire.WATCH, *faults.watch_huge_line())
        with rig.watch(server) as watch:
            total = 0
            while not (piece := watch.chunk()).endswith(b"\n"):
                total += len(piece)
            check(total >= 200 << 20, f"{total} bytes")
        with rig.watch(server) as watch:
            watch.chunk()
        server.wait_until(lambda: len(server.requests) == 2 and server.requests[1].done, "given up")
        gave_up = server.requests[1]
        check(gave_up.client_gone and gave_up.sent < 100 << 20, f"{gave_up.sent} bytes were sent")


def test_time(rig):
    """Slow, frozen, and in step with the test."""
    with rig.server() as server:
        server.once(wire.LIST, *faults.slow_loris("[]", 0.005))
        start = time.monotonic()
        check(rig.get(server)[1] == b"[]" and time.monotonic() - start > 0.3, "slow loris")
        server.once(wire.LIST, *faults.silence())
        check(rig.error(server, timeout=0.2) == "TimeoutError", "silence")
        reached, go = threading.Event(), threading.Event()
        server.once(wire.WATCH, head(), chunk("a"), notify(reached), wait(go), pause(0.01), chunk("b"),
                    last_chunk())
        with rig.watch(server) as watch:
            check(watch.chunk() == b"a" and reached.wait(60), "the first")
            go.set()
            check(watch.chunk() == b"b" and watch.chunk() == b"", "the second")
    for options in ({"handshake": False}, {"accept": False}):
        with rig.server(**options) as server:
            check(rig.error(server, timeout=0.2) == "TimeoutError", f"{options}")


def test_feed(rig):
    feed = Feed()
    with rig.server() as server:
        server.on(wire.WATCH, feed.step)
        with rig.watch(server) as one, rig.watch(server) as two:
            feed.wait_watchers(2)
            feed.send(ADDED)
            check(one.event() == two.event(), "one feed, two watchers")
            feed.end()
            check(one.chunk() == two.chunk() == b"", "its end")
        with rig.watch(server):
            feed.wait_watchers(1)
        feed.wait_watchers(0)
        with rig.watch(server) as watch:
            feed.wait_watchers(1)
            feed.do(cut())
            check(watch.chunk() is None, "cut by the feed")


def test_trust(rig):
    """Certificates that a client must refuse, and the token that is renewed."""
    stranger = rig.other.server("stranger")
    misnamed = rig.authority.server("misnamed", "DNS:elsewhere")
    for identity in (stranger, misnamed):
        with FaultServer(identity) as server:
            check(rig.error(server) == "SSLCertVerificationError", identity.certificate)
            server.wait_until(lambda: server.handshake_errors, "a handshake that failed")
            check(not server.requests, "a request over a connection that is not trusted")
    with FaultServer() as server:
        server.on(wire.LIST, *faults.unauthorized(), times=1)
        server.on(wire.LIST, reply(200, LIST))
        check([rig.get(server)[0].status for _ in range(3)] == [401, 200, 200], "401 then 200")
        check(server.connections == 3, f"{server.connections} connections")


def main():
    arguments()
    if not shutil.which("openssl"):
        skip("no openssl here; scripts/deps kube installs it")
    threads = threading.active_count()
    with tempfile.TemporaryDirectory(prefix="berth-kube-") as directory:
        rig = Rig(pathlib.Path(directory))
        for test in (test_answers, test_events, test_lengths, test_ends, test_watches, test_huge,
                     test_time, test_feed, test_trust):
            test(rig)
            print(f"ok {test.__name__}", flush=True)
    wait_until(lambda: threading.active_count() == threads, "no thread is left", 60)


main()
