# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that does what a script says, byte by byte: for what a real kube-apiserver, or
what stands between it and Berth, does only on a bad day.

    with faultserver.FaultServer(identity=authority.server()) as server:
        server.on(LIST, reply(200, wire.pod_list([pod], 10)))
        server.on(WATCH, head(200), chunk(line), cut())
        …
        request = server.wait_for(WATCH)[0]

A rule is a path (a regular expression, matched from the start of the request's target) and steps; the
first rule that fits a request and has uses left (times=) answers it, and those of once() come before
all others. Without a rule: 404, and it is in server.unexpected. A step is a function of the Exchange; each function below makes one. After the last
step the connection is kept, as HTTP/1.1 says, unless a step ended it. Ready-made scripts: faults.py.

Every request is recorded as soon as it is whole: time, connection, method, path, headers (names in lower
case), body, and afterwards how many bytes were sent in answer and whether the client hung up first.
Handshakes that failed (the client did not trust the certificate) are in server.handshake_errors.
"""

import contextlib
import gzip
import json
import queue
import re
import socket
import ssl
import struct
import threading
import time

MAX_LINE = 1 << 16
POLL = 0.02  # how often a waiting step looks whether the client is still there
REASONS = {200: "OK", 201: "Created", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 410: "Gone",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
           504: "Gateway Timeout"}


class Ended(Exception):
    """The connection is over: by the script, by the client, or because the server stops."""


class Request:
    """One that was received."""

    def __init__(self, connection, method, path, headers, body):
        self.time = time.monotonic()
        self.connection = connection
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.sent = 0
        self.client_gone = False  # it hung up while the answer was being sent
        self.done = False

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.method} {self.path}"


class Rule:
    def __init__(self, pattern, steps, method, times):
        self.pattern, self.steps, self.method = re.compile(pattern), steps, method
        self.left = times  # None: for ever

    def fits(self, request):
        return self.left != 0 and self.method in (None, request.method) and \
            self.pattern.match(request.path)


class Exchange:
    """What a step has to do with: the connection and the request that it answers."""

    def __init__(self, server, connection, request):
        self.server, self.socket, self.request = server, connection, request
        self.keep = request.headers.get("connection", "").lower() != "close"

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.request.client_gone = True
            raise Ended from None
        self.request.sent += len(data)

    def sleep(self, seconds=None):
        """So long; for ever without. Ends early when the server stops or the client hangs up."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            self.look_for_end()
            left = POLL if deadline is None else min(POLL, deadline - time.monotonic())
            if left <= 0:
                return
            self.server.stopping.wait(left)

    def look_for_end(self):
        """A client that waits for an answer sends nothing; what can be read is its end."""
        if self.server.stopping.is_set():
            raise Ended
        self.socket.setblocking(False)
        try:
            gone = not self.socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            gone = False
        except OSError:
            gone = True
        finally:
            self.socket.setblocking(True)
        if gone:
            self.request.client_gone = True
            raise Ended


# --- steps ---


def encode(body):
    """str, bytes, or anything that is to be JSON."""
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()


def head_bytes(status, headers):
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n{fields}\r\n".encode()


def reply(status, body, headers=None, kind="application/json", length=None):
    """A whole answer. length: what Content-Length claims instead of the truth; the connection is then
    of no more use, and is closed."""
    def step(exchange):
        data = encode(body)
        fields = {"Content-Type": kind, **(headers or {}),
                  "Content-Length": len(data) if length is None else length}
        exchange.send(head_bytes(status, fields) + data)
        if length is not None:
            exchange.keep = False
    return step


def gzip_reply(status, body, headers=None):
    return reply(status, gzip.compress(encode(body)), {"Content-Encoding": "gzip", **(headers or {})})


def head(status=200, headers=None, kind="application/json"):
    """The head of an answer that comes in chunks."""
    fields = {"Content-Type": kind, "Transfer-Encoding": "chunked", **(headers or {})}
    return lambda exchange: exchange.send(head_bytes(status, fields))


def raw(data):
    return lambda exchange: exchange.send(encode(data))


def chunk(*lines):
    """Each of them one chunk, as kube-apiserver sends events."""
    def step(exchange):
        for line in lines:
            data = encode(line)
            exchange.send(b"%x\r\n%s\r\n" % (len(data), data))
    return step


def pieces(data, size=1, interval=0.0):
    """As it is, size bytes at a time (a TLS record each), interval seconds apart."""
    def step(exchange):
        whole = encode(data)
        for start in range(0, len(whole), size):
            exchange.send(whole[start:start + size])
            if interval:
                exchange.sleep(interval)
    return step


def stream(make):
    """One chunk a piece of what the generator that make() returns yields; it is never whole."""
    def step(exchange):
        for data in make():
            exchange.send(b"%x\r\n%s\r\n" % (len(data), data))
    return step


def last_chunk():
    return raw(b"0\r\n\r\n")


def wait(event, timeout=60.0):
    """Until the test sets the threading.Event, the client hangs up, or this long."""
    def step(exchange):
        deadline = time.monotonic() + timeout
        while not event.wait(POLL) and time.monotonic() < deadline:
            exchange.look_for_end()
    return step


def notify(event):
    return lambda exchange: event.set()


def pause(seconds):
    return lambda exchange: exchange.sleep(seconds)


def stall():
    """Say nothing more, but keep the connection, until the client has had enough."""
    return lambda exchange: exchange.sleep()


def close():
    """The end of the connection, said properly (close_notify, FIN)."""
    def step(exchange):
        if isinstance(exchange.socket, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                exchange.socket.settimeout(1)
                exchange.socket.unwrap().close()
        raise Ended
    return step


def cut():
    """A FIN and nothing else: over TLS this is truncation."""
    def step(exchange):
        raise Ended
    return step


def reset():
    """A RST."""
    def step(exchange):
        exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Ended
    return step


def compute(function):
    """function(request) makes the step: an answer that depends on the request."""
    return lambda exchange: function(exchange.request)(exchange)


class Feed:
    """A live watch: what the test sends, each connected watcher gets as one chunk.

        feed = Feed();  server.on(WATCH, feed.step)
        feed.wait_watchers(1);  feed.send(wire.event("ADDED", pod));  feed.end()
    """

    def __init__(self):
        self.condition = threading.Condition()
        self.watchers = []

    def step(self, exchange):
        mine = queue.Queue()
        exchange.send(head_bytes(200, {"Content-Type": "application/json",
                                        "Transfer-Encoding": "chunked"}))
        with self.condition:
            self.watchers.append(mine)
            self.condition.notify_all()
        try:
            while True:
                try:
                    steps = mine.get(timeout=POLL)
                except queue.Empty:
                    exchange.look_for_end()
                    continue
                for step in steps or (last_chunk(),):
                    step(exchange)
                if steps is None:
                    return
        finally:
            with self.condition:
                self.watchers.remove(mine)
                self.condition.notify_all()

    def wait_watchers(self, count, timeout=60.0):
        """Until so many are connected."""
        with self.condition:
            if not self.condition.wait_for(lambda: len(self.watchers) == count, timeout):
                raise AssertionError(f"{len(self.watchers)} watchers, not {count}")

    def put(self, steps):
        with self.condition:
            for watcher in self.watchers:
                watcher.put(steps)

    def send(self, *lines):
        self.put((chunk(*lines),))

    def do(self, *steps):
        """Steps of any kind, in each watcher's connection."""
        self.put(steps)

    def end(self):
        """A last chunk; the connection is kept."""
        self.put(None)


# --- the server ---


class FaultServer:
    """Listens from the start; usable as a context.

    identity: a pki.Identity, or None for plain HTTP. handshake: False accepts connections and then
    says nothing, not even TLS. accept: False leaves them in the kernel's backlog.
    """

    def __init__(self, identity=None, handshake=True, accept=True, port=0):
        self.identity, self.handshake = identity, handshake
        self.first, self.rules = [], []
        self.requests, self.unexpected = [], []
        self.handshake_errors = []
        self.connections = 0
        self.open = {}
        self.stopping = threading.Event()
        self.condition = threading.Condition()
        self.threads = []
        self.context = None
        if identity:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*identity)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.server = f"{'https' if identity else 'http'}://127.0.0.1:{self.port}"
        if accept:
            self.start_thread(self.accept)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.condition:
            connections = list(self.open.values())
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self.threads):
            thread.join(10)

    def start_thread(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    # --- what a test says and asks ---

    def on(self, pattern, *steps, method="GET", times=None):
        with self.condition:
            self.rules.append(Rule(pattern, steps, method, times))
        return self

    def once(self, pattern, *steps, method="GET"):
        """For the next such request only, before what on() said; several of them in turn."""
        with self.condition:
            self.first.append(Rule(pattern, steps, method, 1))
        return self

    def clear(self):
        """Forget all rules; requests that are being answered go on."""
        with self.condition:
            self.first, self.rules = [], []

    def count(self, pattern="", method=None):
        return len(self.matching(pattern, method))

    def matching(self, pattern="", method=None):
        with self.condition:
            return [request for request in self.requests if re.match(pattern, request.path) and
                    method in (None, request.method)]

    def wait_for(self, pattern="", count=1, method=None, timeout=60.0):
        """Until so many such requests have come; all of them, oldest first."""
        return self.wait_until(lambda: self.count(pattern, method) >= count and
                               self.matching(pattern, method),
                               f"{count} requests {pattern}", timeout)

    def wait_until(self, condition, what, timeout=60.0):
        """Until it is so; looked at whenever a request comes, its answer is over, or TLS fails."""
        with self.condition:
            if not self.condition.wait_for(condition, timeout):
                raise AssertionError(f"not within {timeout} s: {what}; requests: {self.requests}; "
                                     f"handshakes that failed: {self.handshake_errors}")
            return condition()

    def changed(self):
        with self.condition:
            self.condition.notify_all()

    # --- one thread accepts, and one serves each connection ---

    def accept(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.condition:
                self.connections += 1
                number = self.connections
                self.open[number] = connection
                self.condition.notify_all()
            self.start_thread(self.serve, connection, number)

    def serve(self, connection, number):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if not self.handshake:
                self.stopping.wait()
                return
            if self.context:
                connection = self.secure(connection, number)
            with connection.makefile("rb") as file:
                while self.serve_request(connection, file, number):
                    pass
        except (Ended, OSError):
            pass
        finally:
            with self.condition:
                self.open.pop(number, None)
            connection.close()
            self.changed()

    def secure(self, connection, number):
        secured = self.context.wrap_socket(connection, server_side=True,
                                           do_handshake_on_connect=False)
        with self.condition:
            self.open[number] = secured
        try:
            secured.do_handshake()
        except OSError as error:
            with self.condition:
                self.handshake_errors.append(str(error))
            secured.close()
            raise Ended from None
        return secured

    def serve_request(self, connection, file, number):
        """True when another one may follow."""
        request = self.receive(connection, file, number)
        if request is None:
            return False
        with self.condition:
            rules = [*self.first, *self.rules]
            rule = next((rule for rule in rules if rule.fits(request)), None)
            if rule is None:
                self.unexpected.append(request)
            elif rule.left is not None:
                rule.left -= 1
            self.requests.append(request)
            self.condition.notify_all()
        exchange = Exchange(self, connection, request)
        try:
            for step in rule.steps if rule else (reply(404, {"kind": "Status", "code": 404}),):
                step(exchange)
        finally:
            request.done = True
            self.changed()
        return exchange.keep

    @staticmethod
    def receive(connection, file, number):
        """The next request of the connection; None at its end."""
        line = file.readline(MAX_LINE).decode("latin-1")
        if not line.endswith("\r\n"):
            return None
        method, path, _ = line.split(" ", 2)
        headers = {}
        while line := file.readline(MAX_LINE).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" not in headers.get("transfer-encoding", ""):
            body = file.read(int(headers.get("content-length", 0)))
            return Request(number, method, path, headers, body)
        body = b""
        while size := int(file.readline(MAX_LINE), 16):
            body += file.read(size)
            file.readline(MAX_LINE)
        file.readline(MAX_LINE)
        return Request(number, method, path, headers, body)
