#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of the TCP listener that mean harm, or do it: somebody who scrapes is served all the same,
and the loop, whose pulse is /livez on the control socket, goes on."""
import concurrent.futures
import http.client
import multiprocessing
import os
import select
import socket
import ssl
import statistics
import threading
import time

from berthtest import arguments, check, wait_until
from webtest import USUAL, Certificates, WebDaemon, basic, raw, tls, users

LIMIT = 64            # LIMIT_HTTP_CONNECTIONS
REQUEST_SECONDS = 30  # LIMIT_HTTP_REQUEST_SEC
ATTACKER = "127.0.0.2"


def beat(daemon, pipe):
    """In a process of its own: the threads of this one wait for each other."""
    seconds = []
    daemon.get("/livez")
    pipe.send("it beats")
    while not pipe.poll(0.01):
        start = time.monotonic()
        daemon.get("/livez")
        seconds.append(time.monotonic() - start)
    pipe.send(seconds)


class Pulse:
    """While it is open: how long /livez takes on the control socket."""

    def __init__(self, daemon):
        # What the machine's other work makes of it, before there is any of ours.
        alone = sorted(daemon.livez_seconds() for _ in range(20))
        self.bar = 0.1 + 5 * alone[18]
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=beat, args=(daemon, other))

    def __enter__(self):
        self.process.start()
        # On a busy machine a process may be late for what lasts for a second only.
        check(self.pipe.poll(30) and self.pipe.recv() == "it beats", "/livez is not answered")
        return self

    def __exit__(self, *error):
        self.pipe.send("stop")
        self.seconds = sorted(self.pipe.recv()) if self.pipe.poll(30) else []
        self.process.join()
        if error[0] is None:
            check(len(self.seconds) > 2, f"only {len(self.seconds)} answers of /livez")

    def late(self):
        """What nine of ten are faster than; the machine has other work, too."""
        return self.seconds[len(self.seconds) * 9 // 10]

    def report(self):
        return (f"/livez {1000 * statistics.median(self.seconds):.1f} ms, 90 % "
                f"{1000 * self.late():.0f} ms of {len(self.seconds)}")

    def check(self, what):
        check(self.late() < self.bar, f"{what}: {self.report()}, over {1000 * self.bar:.0f} ms")


def is_closed(sock):
    try:
        sock.setblocking(False)
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def close_all(socks):
    for sock in socks:
        sock.close()


def test_holders(daemon, what, opening, context=None, auth=None):
    """More clients than there is room for, who hold their connections and begin anew when they lose
    them: a scraper with a connection of its own keeps it, a new one gets in."""
    def scrape():
        start = time.monotonic()
        check(daemon.fetch("/metrics", context, auth)[0] == 200, f"{what}: a new scraper")
        return time.monotonic() - start

    sock = daemon.connect()
    if context:
        sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
    keeper = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    keeper.sock = sock
    holders = []

    def hold(source):
        sock = daemon.connect(source)
        sock.sendall(opening)
        holders.append(sock)

    with Pulse(daemon) as pulse:
        alone = scrape()
        for _ in range(LIMIT + 36):
            hold(ATTACKER)
        seconds = []
        for turn in range(20):
            seconds.append(scrape())
            keeper.request("GET", "/livez", headers=basic(auth))
            check(keeper.getresponse().read(), f"{what}: the scraper's own connection")
            for _ in range(10):
                hold(ATTACKER)
        # Also when they come from the scraper's own address.
        for turn in range(10):
            for _ in range(LIMIT // 4):
                hold("127.0.0.1")
            seconds.append(scrape())
    pulse.check(what)
    check(statistics.median(seconds) < 1 and max(seconds) < 5, f"{what}: scrapes {seconds}")
    lost = sum(is_closed(sock) for sock in holders)
    check(lost >= len(holders) - LIMIT, f"{what}: only {lost} of {len(holders)} had to go")
    keeper.close()
    close_all(holders)
    print(f"ok {what}: {len(holders)} holders, a scrape {1000 * statistics.median(seconds):.0f} ms "
          f"(alone {1000 * alone:.0f} ms), {pulse.report()}", flush=True)


def test_trickle(daemon):
    """A header a byte at a time, and answers that are read so or never: begun here, ended by the
    limit of a request. What is returned waits for that."""
    endless = daemon.connect(timeout=REQUEST_SECONDS + 20)
    endless.sendall(b"GET /livez HTTP/1.1\r\nX: ")
    never = daemon.connect(timeout=REQUEST_SECONDS + 20)
    never.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    never.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
    slow = daemon.connect(timeout=REQUEST_SECONDS + 20)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
    start, ended = time.monotonic(), {}

    def feed():
        """A byte each 0.2 s, until the server has had enough. What the kernel holds for the readers
        hides their end; the sockets of the daemon tell it."""
        while "header" not in ended and time.monotonic() < start + REQUEST_SECONDS + 15:
            try:
                endless.sendall(b"x")
            except OSError:
                ended["header"] = time.monotonic() - start
            try:
                slow.recv(1)
            except OSError:
                pass
            time.sleep(0.2)

    thread = threading.Thread(target=feed)
    thread.start()

    def finish():
        thread.join()
        check(REQUEST_SECONDS - 5 < ended.get("header", 0) < REQUEST_SECONDS + 10,
              f"the limit of a request is {REQUEST_SECONDS} s, it was ended after {ended}")
        wait_until(lambda: daemon.open_sockets() <= daemon.sockets, "the readers are gone",
                   timeout=REQUEST_SECONDS)
        close_all([endless, never, slow])
        print(f"ok trickles: ended after {ended['header']:.0f} s", flush=True)

    return finish


LINE = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
REQUESTS = [  # what, bytes, what the answer may begin with ("" is a closed connection)
    ("a huge header", LINE + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n", (b"HTTP/1.1 431", b"")),
    ("many headers", LINE + b"X: y\r\n" * 100000 + b"\r\n", (b"HTTP/1.1 431", b"")),
    ("a huge request line", b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n",
     (b"HTTP/1.1 414", b"")),
    ("a line without an end", b"G" * (1 << 20), (b"HTTP/1.1 4", b"")),
    # libmicrohttpd ends the path there; who may read does not depend on the path.
    ("NUL in the path", b"GET /nowhere\0/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
     (b"HTTP/1.1 4", b"")),
    ("NUL in a header", LINE + b"X: a\0b\r\n\r\n", (b"HTTP/1.1 200", b"HTTP/1.1 4", b"")),
    ("NUL for a name", LINE + b"\0: b\r\n\r\n", (b"HTTP/1.1 200", b"HTTP/1.1 4", b"")),
    ("a chunked body", LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     (b"HTTP/1.1 200",)),
    ("a wrong chunk", LINE + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
     (b"HTTP/1.1 4", b"")),
    ("two lengths", LINE + b"Content-Length: 1\r\nContent-Length: 5\r\n\r\nhello",
     (b"HTTP/1.1 200", b"HTTP/1.1 4", b"")),
    ("a length of -1", LINE + b"Content-Length: -1\r\n\r\n", (b"HTTP/1.1 4", b"")),
    ("a length without end", LINE + b"Content-Length: 99999999999999999999\r\n\r\n",
     (b"HTTP/1.1 4", b"")),
    ("a method nobody knows", b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", (b"HTTP/1.1 405",)),
    ("POST", b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
     (b"HTTP/1.1 405",)),
    ("the control API", b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", (b"HTTP/1.1 404",)),
    ("HTTP/0.9", b"GET /livez\r\n\r\n", (b"HTTP/1.", b"{", b"")),
    ("HTTP/3.0", b"GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", (b"HTTP/1.1 505", b"HTTP/1.1 4", b"")),
    ("bytes", bytes(range(256)) * 64, (b"HTTP/1.1 4", b"")),
]


def test_requests(daemon, auth=None):
    for what, data, expected in REQUESTS:
        answer = raw(daemon, data, timeout=20, silence=0.5)
        check(any(answer.startswith(e) if e else answer == b"" for e in expected),
              f"{what}: {answer[:200]}")
        check(daemon.is_served(auth=auth), f"after {what} nobody is served")
    # An endless chunked body: cut off, and not kept.
    with daemon.connect() as sock:
        sent = 0
        try:
            sock.sendall(LINE + b"Transfer-Encoding: chunked\r\n\r\n")
            while sent < 64 << 20:
                sock.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                sent += 0x4000
        except OSError:
            pass
        check(sent < 16 << 20, f"{sent >> 20} MiB of a body were taken")
    print(f"ok {len(REQUESTS) + 1} odd requests", flush=True)


def test_pipelines(daemon):
    def flood():
        """For two seconds, whether the server is behind or not: it is read from meanwhile, or both
        would wait for each other."""
        requests = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 500
        with daemon.connect(ATTACKER) as sock:
            sock.setblocking(False)
            until, left = time.monotonic() + 2, requests
            try:
                while time.monotonic() < until:
                    readable, writable, _ = select.select([sock], [sock], [], 0.2)
                    if readable and not sock.recv(1 << 20):
                        return
                    if writable:
                        left = left[sock.send(left):] or requests
            except OSError:
                pass

    with Pulse(daemon) as pulse, concurrent.futures.ThreadPoolExecutor(4) as pool:
        floods = [pool.submit(flood) for _ in range(4)]
        seconds = []
        while not all(f.done() for f in floods):
            start = time.monotonic()
            check(daemon.fetch("/livez")[0] == 200, "a flood of pipelines: a scraper")
            seconds.append(time.monotonic() - start)
    pulse.check("a flood of pipelines")
    check(statistics.median(seconds) < 1, f"a scraper waits {seconds}")
    print(f"ok pipelines, a scraper {1000 * statistics.median(seconds):.0f} ms, {pulse.report()}",
          flush=True)


def test_not_tls(daemon, context):
    """What is no handshake, at the port that expects one."""
    def handshake(cut):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            ssl.create_default_context().wrap_bio(incoming, outgoing,
                                                  server_hostname="x").do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()[:cut]

    for what, data in (("plain HTTP", LINE + b"\r\n"), ("garbage", os.urandom(20000)),
                       ("zeros", bytes(20000)), ("nothing", b""),
                       ("a record of 64 KiB", b"\x16\x03\x01\xff\xff" + bytes(70000)),
                       ("SSLv2", b"\x80\x2e\x01\x00\x02" + bytes(44)),
                       ("half a hello", handshake(100)),
                       ("a hello and garbage", handshake(10000) + os.urandom(5000)),
                       ("an alert", b"\x15\x03\x01\x00\x02\x02\x28")):
        answer = raw(daemon, data, timeout=1)
        check(b"HTTP/1" not in answer and b"berth" not in answer, f"{what}: {answer[:100]}")
        check(daemon.is_served(context=context, auth="scraper:secret"), f"after {what}")
    print("ok nine things that are no handshake", flush=True)
    return handshake(100)


def test_guesses(daemon, context):
    """Wrong passwords, as fast as they can be sent by 24 clients for three seconds."""
    counts, lock, stop = {}, threading.Lock(), threading.Event()

    def guess(worker):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                status, headers, _ = daemon.fetch("/metrics", context,
                                                  f"scraper:guess{worker}.{number}")
                check(status != 503 or "Retry-After" in headers, f"503 without: {headers}")
            except (OSError, http.client.HTTPException):
                status = "closed"
            with lock:
                counts[status] = counts.get(status, 0) + 1

    check(daemon.fetch("/metrics", context, "scraper:secret")[0] == 200, "before the guesses")
    with Pulse(daemon) as pulse, concurrent.futures.ThreadPoolExecutor(48) as pool:
        guesses = [pool.submit(guess, worker) for worker in range(48)]
        seconds, until = [], time.monotonic() + 3

        def go_on():
            """For three seconds; on a slow machine until there is something to be told of."""
            with lock:
                enough = counts.get(401, 0) > 5 and counts.get(503, 0) > 0
            return time.monotonic() < until + (0 if enough else 60)

        while go_on():
            start = time.monotonic()
            check(daemon.fetch("/metrics", context, "scraper:secret")[0] == 200,
                  "a scraper whose password is known")
            seconds.append(time.monotonic() - start)
        stop.set()
        for future in guesses:
            future.result()
    pulse.check("guesses")
    check(200 not in counts and counts.get(401, 0) > 5, f"guesses: {counts}")
    check(counts.get(503, 0) > 0, f"the queue has no end: {counts}")
    check("guess" not in daemon.log_text(), "the log has a guess")
    print(f"ok guesses: {counts}, a scraper {1000 * statistics.median(seconds):.0f} ms "
          f"({len(seconds)} scrapes), {pulse.report()}", flush=True)


def main():
    build = arguments().build
    os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    with WebDaemon(build, None, "") as daemon:
        daemon.start(level="info")
        check(daemon.is_served(path="/metrics"), "before it all")
        daemon.sockets = daemon.open_sockets()
        finish = test_trickle(daemon)
        test_requests(daemon)
        test_pipelines(daemon)
        finish()
        test_holders(daemon, "slow headers", b"GET /livez HTTP/1.1\r\nX: ")
        test_holders(daemon, "silent clients", b"")
        wait_until(lambda: daemon.open_sockets() <= daemon.sockets, "all connections are gone")
        check(daemon.process.poll() is None, "berthd ended")
    with Certificates() as certs, WebDaemon(build, certs, tls() + users(USUAL)) as daemon:
        daemon.start(level="info")
        context = certs.context()
        half = test_not_tls(daemon, context)
        test_holders(daemon, "half-open handshakes", half, context, "scraper:secret")
        test_guesses(daemon, context)
        check(daemon.stop() == 0, "the exit status")


main()
