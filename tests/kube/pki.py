# SPDX-License-Identifier: Apache-2.0
"""Certificates for the rig, made by the openssl command: an authority and what it signs. EC P-256."""

import os
import subprocess
from typing import NamedTuple


class Identity(NamedTuple):
    """Paths of a certificate and of its key, PEM."""

    certificate: str
    key: str


def openssl(*arguments):
    result = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {result.stderr.strip()}")


class Authority:
    """A certificate authority in a directory: NAME.crt, NAME.key, and beside them all it issues."""

    def __init__(self, directory, name="ca"):
        self.directory = str(directory)
        self.certificate = os.path.join(self.directory, name + ".crt")
        self.key = os.path.join(self.directory, name + ".key")
        self.make_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-subj", f"/CN=berth-test-{name}", "-days",
                "2", "-out", self.certificate, "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def make_key(path):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        os.chmod(path, 0o600)

    def issue(self, name, subject, usage, san="", days=2):
        """usage: serverAuth or clientAuth; san: "DNS:localhost,IP:127.0.0.1". days below 1: it has
        expired already."""
        place = os.path.join(self.directory, name)
        identity = Identity(place + ".crt", place + ".key")
        self.make_key(identity.key)
        with open(place + ".ext", "w", encoding="utf-8") as file:
            file.write(f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n")
            if san:
                file.write(f"subjectAltName={san}\n")
        openssl("req", "-new", "-key", identity.key, "-subj", subject, "-out", place + ".csr")
        openssl("x509", "-req", "-in", place + ".csr", "-CA", self.certificate, "-CAkey", self.key,
                "-CAcreateserial", "-days", str(days), "-extfile", place + ".ext", "-out",
                identity.certificate)
        os.unlink(place + ".csr")
        os.unlink(place + ".ext")
        return identity

    def server(self, name="server", san="DNS:localhost,IP:127.0.0.1"):
        return self.issue(name, f"/CN={name}", "serverAuth", san)

    def client(self, name, subject):
        return self.issue(name, subject, "clientAuth")
