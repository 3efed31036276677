# SPDX-License-Identifier: Apache-2.0
"""Ready-made scripts for a faultserver: each returns steps, to be given to server.on(PATH, *steps)."""

import itertools

import wire
from faultserver import (chunk, compute, cut, gzip_reply, head, last_chunk, pieces, raw, reply, reset,
                         stall, stream)

MIB = 1 << 20


# --- a watch that goes wrong ---


def watch_of(*lines):
    """A good one: these events, then silence."""
    return head(), chunk(*lines), stall()


def watch_that_ends(*lines):
    """These events, then the last chunk, as after timeoutSeconds."""
    return head(), chunk(*lines), last_chunk()


def watch_cut(*lines, rest, how=cut):
    """These events, then the first half of another one, inside its chunk; how: cut, close or reset."""
    data = rest.encode()
    return (head(), chunk(*lines), raw(b"%x\r\n" % len(data)), raw(data[:len(data) // 2]), how())


def watch_cut_between_chunks(*lines, rest):
    """The half of a line is a whole chunk, and then the stream ends as if all were well."""
    return head(), chunk(*lines), chunk(rest[:len(rest) // 2]), last_chunk()


def watch_split(*lines, size=1):
    """Good events, but the bytes of the stream come a few at a time, each a TLS record."""
    data = b"".join(b"%x\r\n%s\r\n" % (len(line.encode()), line.encode()) for line in lines)
    return head(), pieces(data, size), stall()


def watch_joined(*lines):
    """All events in one chunk."""
    return head(), chunk("".join(lines)), stall()


def watch_huge_line(size=200 * MIB, newline=True):
    """One event whose annotation has so many bytes; never in memory as a whole."""
    def make():
        yield b'{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"huge",' \
              b'"namespace":"default","uid":"huge","annotations":{"a":"'
        block = b"a" * MIB
        for _ in range(size // MIB):
            yield block
        yield b'"}}}}' + (b"\n" if newline else b"")
    return head(), stream(make), stall()


def watch_invalid(*lines, garbage='{"type":"ADDED","object":{"metadata":\n'):
    return head(), chunk(*lines), chunk(garbage), stall()


def watch_gone(version=1):
    """How kube-apiserver says 410 on a watch: a 200, one ERROR, the end."""
    return watch_that_ends(wire.gone_event(version))


def watch_silent():
    """A head and then nothing: what a resourceVersion of the future gets."""
    return head(), stall()


# --- any answer ---


def silence():
    """Frozen: the request is read and nothing comes back."""
    return (stall(),)


def slow_loris(body, interval=0.1, size=1):
    """A good answer, a byte every interval seconds, the head as well."""
    data = body.encode()
    top = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return (pieces(top.encode() + data, size, interval),)


def invalid_json():
    return (reply(200, '{"kind":"PodList","items":[{"metadata":{"name":'),)


def not_json():
    return (reply(200, "<html><body>Sign in</body></html>", kind="text/html"),)


def length_too_long(body):
    """Content-Length promises more than comes before the connection ends."""
    return (reply(200, body, length=len(body.encode()) + 100),)


def length_too_short(body):
    """The body goes on behind what Content-Length says."""
    return (reply(200, body, length=len(body.encode()) // 2),)


def huge_body(size=200 * MIB):
    """A list that does not end soon, in chunks."""
    def make():
        yield b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":['
        item = wire.dump(wire.pod("p")).encode()
        block = b",".join([item] * (MIB // len(item)))
        yield item
        for _ in range(size // MIB):
            yield b"," + block
        yield b"]}"
    return head(), stream(make), last_chunk()


def gzipped(body):
    return (gzip_reply(200, body),)


def connection_reset():
    return (reset(),)


def gone():
    """410 as a status: a list with an expired `continue`."""
    return (reply(410, wire.status(410, "Expired", "The provided continue parameter is too old")),)


def unauthorized():
    """401; with times=1 before a rule that answers well, the token that was renewed."""
    return (reply(401, wire.status(401, "Unauthorized")),)


def forbidden(user="system:serviceaccount:default:default"):
    text = f'pods is forbidden: User "{user}" cannot list resource "pods" in API group "" at the ' \
           "cluster scope"
    return (reply(403, wire.status(403, "Forbidden", text)),)


def too_many(retry_after=1):
    """As kube-apiserver does it: not JSON."""
    return (reply(429, "Too many requests, please try again later.\n",
                  {"Retry-After": retry_after, "X-Content-Type-Options": "nosniff"},
                  "text/plain; charset=utf-8"),)


def failed(code=500, headers=None):
    """500, 503 or 504 with a Status."""
    reason = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}[code]
    return (reply(code, wire.status(code, reason), headers),)


def redirect(location, code=307):
    return (reply(code, "", {"Location": location}, "text/plain"),)


def endless_list(pods=()):
    """A page, and always another one behind it, each with a token of its own."""
    numbers = itertools.count(1)
    return (compute(lambda request: reply(200, wire.pod_list(list(pods), 1,
                                                            more=f"page-{next(numbers)}"))),)


def same_page_forever(pods=()):
    """The continue token is the same again and again."""
    return (reply(200, wire.pod_list(list(pods), 1, more="again")),)


# --- events ---


def accept_event():
    """What was posted, given back with 201 as kube-apiserver does."""
    return (compute(lambda request: reply(201, request.json())),)


def refuse_event():
    return (reply(403, wire.status(403, "Forbidden", 'events is forbidden: User "x" cannot create '
                                   'resource "events" in API group ""')),)
