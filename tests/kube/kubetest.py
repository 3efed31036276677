# SPDX-License-Identifier: Apache-2.0
"""What a tests/kube/test-*.py starts with: `from kubetest import …` makes berthtest (the real berthd,
tests/daemon) importable as well, and turns a rig that cannot be had into a skip."""

import json
import pathlib
import ssl
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))

# pylint: disable=wrong-import-position,unused-import
import berthtest  # noqa: E402
import cluster as rig  # noqa: E402
from berthtest import (ROOT, arguments, check, fail, free_port, skip,  # noqa: E402, F401
                       wait_until)


def kube_cluster(**options):
    """A Cluster to be entered, or the end of this test with 77."""
    try:
        return rig.Cluster(**options)
    except rig.Unavailable as reason:
        skip(str(reason))
        return None


class Watch:
    """A watch as it is on the wire: HTTP/1.1 chunks, one by one."""

    def __init__(self, port, path, ca, token=None, timeout=20):
        context = ssl.create_default_context(cafile=ca)
        plain = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        fields = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: berth-test\r\n"
        if token:
            fields += f"Authorization: Bearer {token}\r\n"
        self.socket.sendall((fields + "\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while line := self.file.readline().strip().decode():
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def chunk(self):
        """The next one; b"" is the last chunk, None an end without it."""
        size = self.file.readline().strip()
        if not size:
            return None
        data = self.file.read(int(size, 16))
        self.file.readline()
        return data

    def event(self):
        """(type, object) of the next line, which must be exactly one chunk."""
        data = self.chunk()
        check(data and data.endswith(b"\n") and data.count(b"\n") == 1,
              f"a chunk is not one line: {data!r}")
        event = json.loads(data)
        return event["type"], event["object"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()
