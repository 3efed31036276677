# SPDX-License-Identifier: Apache-2.0
"""Certificates, clients and a berthd with a web config, for test-web.py and test-hostile.py."""
import base64
import http.client
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from berthtest import ROOT, Daemon, check, free_port, skip

# bcrypt of "secret" at costs that take about 5 and 60 ms.
CHEAP = "$2y$06$3ImeUILBKaDtsosqFP53dOGY980qeeC1pGqcxdR913M7vV8wOs3w2"
USUAL = "$2y$10$dKOXG32WdPfwJjMcGdrvrOECTGmUvNtCclwKvrVUsg7XFJw32hIaK"


class Certificates:
    """A directory with authorities and what they signed, made by openssl now."""

    def __init__(self):
        if not shutil.which("openssl"):
            skip("no openssl")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="berth-certs-"))
        # ca, other-ca; address (server), expired (server), client, stranger (by other-ca)
        subprocess.run(["sh", ROOT / "tests/fixture/http/make-certs.sh", self.directory],
                       check=True)
        client = "extendedKeyUsage=clientAuth"
        self.sign("again", "subjectAltName=IP:127.0.0.1", 2)
        self.sign("old-client", client, -1)
        self.sign("server-only", "extendedKeyUsage=serverAuth", 2)
        self.sign("named", client + "\nsubjectAltName=DNS:scraper.example,IP:10.1.2.3", 2)
        self.sign("nul", client + "\nsubjectAltName=DNS:scraper.example.evil", 2)

    def sign(self, name, extension, days):
        (self.directory / f"{name}.ext").write_text(extension + "\n")
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                        f"{name}.key", "-out", f"{name}.csr"], cwd=self.directory, check=True,
                       capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey",
                        "ca.key", "-days", str(days), "-extfile", f"{name}.ext", "-out",
                        f"{name}.crt", "-set_serial", str(abs(hash(name)) % 10**9 + 100)],
                       cwd=self.directory, check=True, capture_output=True)

    def path(self, name):
        return str(self.directory / name)

    def text(self, name):
        return (self.directory / name).read_text()

    def context(self, client=None, trust=True):
        context = ssl.create_default_context(cafile=self.path("ca.crt"))
        if not trust:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if client:
            context.load_cert_chain(self.path(client + ".crt"), self.path(client + ".key"))
        return context

    def __enter__(self):
        return self

    def __exit__(self, *error):
        shutil.rmtree(self.directory, ignore_errors=True)


class WebDaemon(Daemon):
    """berthd with a web config beside its policy; `pair` names files of certs to copy there."""

    def __init__(self, build, certs, web, pair="address"):
        super().__init__(build, "")
        self.port = free_port()
        self.certs = certs
        self.web = self.directory / "web.yaml"
        self.write_web(web)
        for name in ("server.crt", "server.key", "ca.crt"):
            (self.directory / name).touch()
        if certs:
            self.install(pair)
            self.replace("ca.crt", certs.text("ca.crt"))
        self.write_policy(self.policy())

    def policy(self, extra=""):
        return (f"metrics: {{listen: '127.0.0.1:{self.port}', web_config_file: '{self.web}'}}\n"
                "sources: {kubernetes: {enabled: false}, machines: {enabled: false},\n"
                "          units: {enabled: false}}\n" + extra)

    def replace(self, name, text):
        """As whoever rotates certificates should: a new file, renamed over."""
        fresh = self.directory / (name + ".new")
        fresh.write_text(text)
        fresh.rename(self.directory / name)

    def install(self, pair):
        self.replace("server.key", self.certs.text(pair + ".key"))
        self.replace("server.crt", self.certs.text(pair + ".crt"))

    def write_web(self, text):
        self.replace("web.yaml", text)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        self.wait_notify("READY=1")

    def connect(self, source="127.0.0.1", timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout, (source, 0))

    def fetch(self, path="/livez", context=None, auth=None, headers=None, timeout=30):
        """(status, headers, body); an exception of the connection is the caller's."""
        if context:
            client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                                 context=context)
        else:
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            client.request("GET", path, headers={**(headers or {}), **basic(auth)})
            response = client.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            client.close()

    def is_served(self, **options):
        try:
            return self.fetch(**options)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def livez_seconds(self):
        """How long the control socket takes to answer: the loop's own pulse."""
        start = time.monotonic()
        self.get("/livez")
        return time.monotonic() - start

    def open_sockets(self):
        count = 0
        for path in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                count += os.readlink(path).startswith("socket:")
            except FileNotFoundError:
                pass
        return count


def basic(auth):
    if auth is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(auth.encode()).decode()}


def tls(extra=""):
    return "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n" + extra


def users(hashed=CHEAP):
    return f"basic_auth_users:\n  scraper: '{hashed}'\n"


def raw(daemon, data, timeout=10, source="127.0.0.1", silence=None):
    """Send bytes, read until the server closes or is silent: what came. silence: seconds of it that
    end an answer which has begun."""
    with daemon.connect(source, timeout) as sock:
        answer = b""
        try:
            sock.sendall(data)
            while True:
                piece = sock.recv(65536)
                if not piece:
                    break
                answer += piece
                sock.settimeout(silence or timeout)
        except (OSError, TimeoutError):
            pass
        return answer


def said(daemon, text):
    return daemon.log_text().count(text)


def check_refused(daemon, what, **options):
    try:
        status, _, _ = daemon.fetch(**options)
    except (OSError, http.client.HTTPException):
        return
    check(False, f"{what}: answered with {status}")
