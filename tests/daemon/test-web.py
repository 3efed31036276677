#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a web config protects /metrics with: TLS, client certificates, users; its files changing
under the daemon, and its mistakes."""
import base64
import concurrent.futures
import http.client
import os
import socket
import ssl
import statistics
import subprocess
import threading
import time
import warnings

from berthtest import arguments, check, wait_until
from webtest import (CHEAP, USUAL, Certificates, WebDaemon, check_refused, said, tls, users)


def test_tls(build, certs):
    web = tls() + "http_server_config:\n  headers: {X-Frame-Options: deny}\n"
    with WebDaemon(build, certs, web).start() as daemon:
        status, headers, body = daemon.fetch("/metrics", context=certs.context())
        check(status == 200 and "berth_build_info" in body, f"GET /metrics: {status}")
        check(headers.get("X-Frame-Options") == "deny", f"the header is missing: {headers}")
        check_refused(daemon, "plain HTTP to the TLS port")
        old = certs.context()
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        check_refused(daemon, "TLS 1.1", context=old)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            new = certs.context()
            new.minimum_version = new.maximum_version = version
            check(daemon.is_served(context=new), f"{version.name} is not served")
        # The control socket is as it was.
        check(daemon.get("/livez") == {"alive": True}, "the control socket")
        listener = daemon.get("/v1/status")["metrics"]
        check(listener["tls"] and listener["open"] and listener["valid"], f"status: {listener}")
        check("certificate_expires" in listener, f"no expiry: {listener}")
        check(daemon.metric("berth_web_certificate_expiry_seconds") > time.time(), "the metric")
    print("ok TLS")


def test_parameters(build, certs):
    """Suites, versions and curves reach the handshake."""
    suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    web = tls(f"  cipher_suites: [{suite}]\n  max_version: TLS12\n  curve_preferences: [CurveP384]\n")
    with WebDaemon(build, certs, web).start() as daemon:
        with certs.context().wrap_socket(daemon.connect(), server_hostname="127.0.0.1") as sock:
            check(sock.version() == "TLSv1.2", f"max_version: {sock.version()}")
            check(sock.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384", f"{sock.cipher()}")
        other = certs.context()
        other.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        check_refused(daemon, "another cipher", context=other)
        curve = certs.context()
        curve.set_ecdh_curve("prime256v1")
        check_refused(daemon, "another curve", context=curve)
    print("ok cipher suites, versions and curves")


# client_auth_type: which of these clients may come in?
CLIENTS = (None, "client", "stranger", "old-client", "server-only")
MODES = {
    "NoClientCert": (1, 1, 1, 1, 1),
    "RequestClientCert": (1, 1, 1, 1, 1),
    "RequireAnyClientCert": (0, 1, 1, 1, 1),
    "VerifyClientCertIfGiven": (1, 1, 0, 0, 0),
    "RequireAndVerifyClientCert": (0, 1, 0, 0, 0),
}


def test_clients(build, certs):
    for mode, expected in MODES.items():
        ca = "" if mode == "NoClientCert" else "  client_ca_file: ca.crt\n"
        with WebDaemon(build, certs, tls(f"  client_auth_type: {mode}\n{ca}")).start() as daemon:
            for client, served in zip(CLIENTS, expected):
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    context = certs.context(client)
                    context.minimum_version = context.maximum_version = version
                    check(daemon.is_served(context=context) == bool(served),
                          f"{mode}: a client with {client} certificate in {version.name}: "
                          f"expected {'served' if served else 'refused'}")
        print(f"ok {mode}")
    for allowed, served in (("scraper.example", 1), ("10.1.2.3", 1), ("example", 0),
                            ("scraper.example.", 0)):
        web = tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
                  f"  client_allowed_sans: [other.example, '{allowed}']\n")
        with WebDaemon(build, certs, web).start() as daemon:
            for client, fits in (("named", served), ("client", 0), ("nul", 0), ("stranger", 0)):
                check(daemon.is_served(context=certs.context(client)) == bool(fits),
                      f"client_allowed_sans {allowed}: {client}")
    print("ok client_allowed_sans")


def serial_of(daemon, certs):
    with certs.context(trust=False).wrap_socket(daemon.connect()) as sock:
        return ssl.DER_cert_to_PEM_cert(sock.getpeercert(True)).strip()


def test_rotation(build, certs):
    with WebDaemon(build, certs, tls()).start() as daemon:
        stop, failures, done = threading.Event(), [], [0]

        def scrape():
            while not stop.is_set():
                try:
                    if daemon.fetch("/metrics", context=certs.context())[0] == 200:
                        done[0] += 1
                except (OSError, http.client.HTTPException) as error:
                    failures.append(error)

        threads = [threading.Thread(target=scrape) for _ in range(2)]
        for thread in threads:
            thread.start()
        for turn in range(10):
            # Between the two files the pair is not one: the old one stays in force.
            name = ("again", "address")[turn % 2]
            daemon.install(name)
            wait_until(lambda n=name: serial_of(daemon, certs) == certs.text(n + ".crt").strip(),
                       f"the certificate '{name}' is used")
            seen = done[0]
            wait_until(lambda n=seen: done[0] > n or failures, "a scrape after the rotation")
        stop.set()
        for thread in threads:
            thread.join()
        check(not failures and done[0] >= 10, f"{done[0]} scrapes, failed: {failures[:3]}")

        before, text = serial_of(daemon, certs), "cannot be used"
        told = said(daemon, text)
        # A connection of before goes on with what it began with.
        held = certs.context().wrap_socket(daemon.connect(), server_hostname="127.0.0.1")
        for broken in ("", "garbage\n", certs.text("again.crt")[:200], certs.text("again.crt")):
            daemon.replace("server.crt", broken)
            for _ in range(5):
                check(serial_of(daemon, certs) == before, "a broken pair is used")
        told = said(daemon, text) - told
        check(1 <= told <= 4, f"{told} lines for 4 broken pairs")
        problem = daemon.get("/v1/status")["metrics"].get("certificate_problem", "")
        check("server.key" in problem, f"status does not tell: '{problem}'")
        check("is not the key" in daemon.ctl("status").stdout.replace("\n", " "), "berthctl status")
        daemon.install("again")
        wait_until(lambda: serial_of(daemon, certs) == certs.text("again.crt").strip(), "mended")
        check("certificate_problem" not in daemon.get("/v1/status")["metrics"], "still a problem")
        held.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        check(held.recv(100).startswith(b"HTTP/1.1 200"), "the held connection")
        held.close()
        (daemon.directory / "server.key").unlink()
        check(serial_of(daemon, certs) == certs.text("again.crt").strip(), "the key is gone")
        check("PRIVATE KEY" not in daemon.log_text(), "the log has a key")
    print(f"ok rotation: {done[0]} scrapes meanwhile, none failed")


def test_expiry(build, certs):
    with WebDaemon(build, certs, tls(), pair="expired").start() as daemon:
        for _ in range(3):
            check(daemon.is_served(context=certs.context(trust=False)), "it is not served")
        check(said(daemon, "has expired") == 1, "the log tells of the expiry not just once")
        listener = daemon.get("/v1/status")["metrics"]
        check("expired" in listener["certificate_problem"], f"{listener}")
        check(daemon.metric("berth_web_certificate_expiry_seconds") < time.time(), "the metric")
        check_refused(daemon, "an expired certificate", context=certs.context())
        daemon.install("address")
        wait_until(lambda: daemon.is_served(context=certs.context()), "the new one is served")
    print("ok expiry")


WRONG = [None, "scraper:", "scraper:Secret", "scraper:secret ", "scraper:secret\0", ":secret",
         "stranger:secret", "scraper", "", "scraper:" + "x" * 600, "scraper:" + "x" * 5000,
         "Scraper:secret", "scraper:secret:more"]
MALFORMED = ["", "Basic", "Basic ", "Basic =", "Basic !!!!", "basic", "Bearer c2NyYXBlcjpzZWNyZXQ=",
             "Basic c2NyYXBlcjpzZWNyZXQ", "Basic c2NyYXBl cjpzZWNyZXQ=", "Basic" + " " * 3000,
             "BasicX c2NyYXBlcjpzZWNyZXQ="]


def test_users(build, certs):
    with WebDaemon(build, certs, tls() + users()).start() as daemon:
        context = certs.context()
        for _ in range(2):  # the second time from the cache
            status, _, body = daemon.fetch("/metrics", context, "scraper:secret")
            check(status == 200 and "berth_build_info" in body, f"the right password: {status}")
            for auth in WRONG:
                status, headers, body = daemon.fetch("/metrics", context, auth)
                check(status == 401 and "berth" not in body, f"{auth!r:.60}: {status}")
                check("Basic" in headers["WWW-Authenticate"], f"{auth!r:.60}: {headers}")
        for header in MALFORMED:
            status, _, _ = daemon.fetch("/metrics", context, None, {"Authorization": header})
            check(status == 401, f"{header!r:.60}: {status}")
        for path in ("/livez", "/", "/nowhere"):
            check(daemon.fetch(path, context)[0] == 401, f"{path} without a password")
        check(daemon.fetch("/nowhere", context, "scraper:secret")[0] == 404, "an unknown page")
        # A scraper with several connections at its start: one hash, all served.
        daemon.write_web(tls() + users(USUAL))
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            got = list(pool.map(lambda _: daemon.fetch("/livez", certs.context(),
                                                       "scraper:secret")[0], range(12)))
        check(got == [200] * 12, f"twelve at once: {got}")
        # An answer with a body under way, and one that goes away while it waits.
        for _ in range(5):
            sock = certs.context().wrap_socket(daemon.connect(), server_hostname="127.0.0.1")
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                         b"Authorization: Basic c2NyYXBlcjp3cm9uZw==\r\n\r\n")
            sock.close()
        check(daemon.fetch("/livez", context, "scraper:secret")[0] == 200, "after all of it")
        for word in ("secret", "Secret", "c2NyYXBl"):
            check(word not in daemon.log_text(), f"the log has '{word}'")
        # Another web config, and the end, while passwords are being hashed.
        for last in (False, True):
            waiting = []
            for turn in range(6):
                sock = certs.context().wrap_socket(daemon.connect(), server_hostname="127.0.0.1")
                code = base64.b64encode(f"scraper:{last}{turn}".encode()).decode()
                sock.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {code}"
                             "\r\n\r\n".encode())
                waiting.append(sock)
            if last:
                check(daemon.stop() == 0, "the exit status while passwords are hashed")
            else:
                daemon.write_web(tls() + users(USUAL).replace("scraper", "other"))
                daemon.reload()
                check(daemon.fetch("/livez", context, "other:secret")[0] == 200, "the new user")
            for sock in waiting:
                sock.close()
    print(f"ok users: {len(WRONG)} wrong ones, {len(MALFORMED)} malformed")


def test_stranger_takes_as_long(build):
    """Of the CPU's time: how long the answer takes besides is not berthd's doing, but that of whoever
    has the CPU meanwhile."""
    with WebDaemon(build, None, users(USUAL)).start() as daemon:
        clock = ~daemon.process.pid << 3 | 2  # as clock_getcpuclockid(3) has it

        def seconds(name, turn):
            start = time.clock_gettime(clock)
            check(daemon.fetch("/livez", None, f"{name}:wrong{turn}")[0] == 401, name)
            return time.clock_gettime(clock) - start

        known, unknown = [], []
        for turn in range(15):
            known.append(seconds("scraper", turn))
            unknown.append(seconds("nobody", turn))
        ratio = statistics.median(unknown) / statistics.median(known)
        check(0.6 < ratio < 1.6, f"an unknown user takes {ratio:.2f} times as long as a known one")
    print(f"ok an unknown user takes {ratio:.2f} times as long as a known one")


BAD = [
    ("tls_server_config: {cert_file: server.crt}", "web.yaml:1:20: tls_server_config.key_file"),
    ("tls_server_config: {cert_fil: x}", "did you mean"),
    ("tls_server_config: {cert_file: server.crt, key_file: none.key}", "none.key"),
    ("tls_server_config: {cert_file: ca.crt, key_file: server.key}", "is not the key"),
    (tls("  client_auth_type: RequireAndVerifyClientCert\n"), "web.yaml:4:21: "),
    ("basic_auth_users: {scraper: secret}", "web.yaml:1:29: basic_auth_users.scraper: expected"),
    ("rate_limit: {burst: 1}", "web.yaml:1:"),
    ("basic_auth_users: [", "web.yaml:"),
]


def test_mended(daemon, certs):
    """What was refused is taken once it is right, whichever file that was; without a reload."""
    def comes(user, what):
        wait_until(lambda: daemon.is_served(context=certs.context(), auth=user + ":secret"), what)

    def ages():
        # A file that was written just now is read again anyway.
        written = max(path.stat().st_ctime for path in daemon.directory.iterdir())
        wait_until(lambda: time.time() > written + 4, "the files are not young any more")

    daemon.write_web(tls().replace("server.", "late-server.") +
                     users(CHEAP).replace("scraper", "late"))
    wait_until(lambda: daemon.metric("berth_web_config_valid") == 0 or
               not daemon.is_served(context=certs.context(), auth="other:secret"),
               "a web config with no certificate yet is refused")
    ages()
    comes("other", "the one before stays while the certificate is late")
    for name in ("server.crt", "server.key"):
        daemon.replace("late-" + name, (daemon.directory / name).read_text())
    comes("late", "the certificate has come")
    # Another file, which the one in force has never heard of.
    policy = daemon.policy().replace(f"'{daemon.web}'", f"'{daemon.directory}/other.yaml'")
    daemon.write_policy(policy)
    daemon.wait_notify("READY=1")
    check(daemon.metric("berth_web_config_valid") == 0, "a web config that is not there")
    ages()
    comes("late", "the one before stays while the other file is missing")
    daemon.replace("other.yaml", tls() + users(CHEAP).replace("scraper", "other"))
    comes("other", "the other file has come")
    check(daemon.metric("berth_web_config_valid") == 1, "berth_web_config_valid after mending")


def test_mistakes(build, certs):
    with WebDaemon(build, certs, BAD[0][0]) as daemon:
        for text, place in BAD:
            daemon.write_web(text)
            result = subprocess.run([daemon.build / "src/ctl/berthctl", "check", "--plugin-dir",
                                     daemon.plugin_dir, daemon.config], capture_output=True,
                                    text=True, check=False)
            check(result.returncode == 1 and place in result.stdout + result.stderr,
                  f"berthctl check: '{place}' is not in: {result.stdout}{result.stderr}")
            check("secret" not in result.stdout + result.stderr, "check shows a password")
            result = subprocess.run(daemon.command("--check-config"), capture_output=True,
                                    text=True, check=False)
            check(result.returncode == 1 and place in result.stderr, "--check-config")
        # At start: the rest runs, the listener is not there.
        daemon.write_web(BAD[0][0])
        daemon.start()
        check(BAD[0][1] in daemon.log_text(), "the log has no place")
        check(said(daemon, "/metrics is not served on TCP") == 1, "the log is not loud")
        check_refused(daemon, "without its protection")
        check(daemon.metric("berth_web_config_valid") == 0, "berth_web_config_valid is not 0")
        status = daemon.ctl("status")
        check(status.returncode == 1 and "not served" in status.stdout and
              "key_file" in status.stdout, f"berthctl status: {status.stdout}")
        daemon.write_web(tls() + users())
        daemon.reload()
        wait_until(lambda: daemon.is_served(context=certs.context(), auth="scraper:secret"),
                   "a mended file opens it")
        check(daemon.metric("berth_web_config_valid") == 1, "berth_web_config_valid is not 1")
        check(daemon.ctl("status").returncode == 0, "berthctl status after mending")
        # At reload: the one before stays, and no client finds it open.
        for text, place in BAD:
            daemon.write_web(text)
            daemon.reload()
            check(daemon.metric("berth_web_config_valid") == 0, f"not refused: {text}")
            check(daemon.is_served(context=certs.context(), auth="scraper:secret"), text)
            check_refused(daemon, text)
            check(daemon.fetch("/livez", certs.context())[0] == 401, text)
            check(place in str(daemon.get("/v1/status")["metrics"]["errors"]), f"status: {place}")
        check("the one before stays in force" in daemon.log_text(), "the log does not tell")
        # A changed password counts without a reload, from the next connection or so.
        daemon.write_web(tls() + users(CHEAP).replace("scraper", "other"))
        wait_until(lambda: daemon.is_served(context=certs.context(), auth="other:secret"),
                   "the new user may come in")
        check(daemon.fetch("/livez", certs.context(), "scraper:secret")[0] == 401, "the old user")
        test_mended(daemon, certs)
        # No protection, then one that is wrong: closed rather than open.
        daemon.write_policy(daemon.policy().replace(f"'{daemon.web}'", "''"))
        daemon.wait_notify("READY=1")
        wait_until(daemon.is_served, "without a web config it is open")
        daemon.write_web(BAD[0][0])
        daemon.write_policy(daemon.policy())
        daemon.wait_notify("READY=1")
        wait_until(lambda: not daemon.is_served(), "closed")
        check(daemon.get("/livez") == {"alive": True}, "the daemon's other work")
    print(f"ok {len(BAD)} mistakes at check, start and reload")


def activated(build, web, family=socket.AF_INET, kind=socket.SOCK_STREAM, listens=True,
              name="metrics"):
    """A daemon that is handed one socket as systemd does it."""
    daemon = WebDaemon(build, None, web)
    sock = socket.socket(family, kind)
    sock.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(daemon.directory / "sock"))
    if listens and kind == socket.SOCK_STREAM:
        sock.listen(8)
    command = daemon.command
    daemon.command = lambda *options: [
        "sh", "-c", f'fd=$1; shift; [ "$fd" = 3 ] || exec 3<&"$fd"; '
        f'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} exec "$@"', "sh", str(sock.fileno()),
        *command(*options)]
    daemon.pass_fds = (sock.fileno(),)
    return daemon, sock


def test_activation(build):
    daemon, sock = activated(build, users())
    with daemon.start():
        policy_port, daemon.port = daemon.port, sock.getsockname()[1]
        check(daemon.fetch("/livez", None, "scraper:secret")[0] == 200, "the passed socket")
        check(daemon.fetch("/livez")[0] == 401, "the passed socket has the protection, too")
        check(daemon.get("/v1/status")["metrics"]["listen"] == "berthd.socket", "status")
        with socket.socket() as other:
            check(other.connect_ex(("127.0.0.1", policy_port)) != 0, "metrics.listen is bound")
        daemon.write_web(users(CHEAP).replace("scraper", "other"))
        daemon.reload()
        wait_until(lambda: daemon.is_served(auth="other:secret"), "a reload keeps the socket")
    sock.close()
    for what, options, text in (
            ("a datagram socket", {"kind": socket.SOCK_DGRAM}, "no stream socket"),
            ("a unix socket", {"family": socket.AF_UNIX}, "no TCP socket"),
            ("one that does not listen", {"listens": False}, "does not listen"),
            ("another name", {"name": "other"}, "FileDescriptorName=metrics")):
        daemon, sock = activated(build, users(), **options)
        with daemon.start():
            check(text in daemon.log_text(), f"{what}: '{text}' is not in the log")
            check(daemon.get("/livez") == {"alive": True}, f"{what}: the rest does not run")
        sock.close()
    print("ok sockets of systemd")


def test_port_in_use(build):
    for by_reload in (True, False):
        daemon = WebDaemon(build, None, users(CHEAP))
        with socket.socket() as holder, daemon:
            holder.bind(("127.0.0.1", daemon.port))
            holder.listen()
            daemon.start()
            status = daemon.ctl("status", "--wide")
            check(status.returncode == 1 and "not served: Address already in use" in status.stdout,
                  f"berthctl status: {status.returncode}: {status.stdout}")
            check(daemon.ctl("status", "-o", "json").returncode == 1, "berthctl status -o json")
            holder.close()
            if by_reload:
                check(daemon.ctl("reload").returncode == 0, "reload")
                check(daemon.is_served(auth="scraper:secret"), "a reload does not try again")
            else:
                wait_until(lambda d=daemon: d.is_served(auth="scraper:secret"), "a try by itself")
                wait_until(lambda d=daemon: "is served on" in d.log_text(), "that it is told")
                check(daemon.log_text().count("cannot listen") == 1, "a failure is told again")
            check(daemon.ctl("status").returncode == 0, "berthctl status after it was opened")
    print("ok a port in use")


def main():
    build = arguments().build
    os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    with Certificates() as certs:
        test_tls(build, certs)
        test_parameters(build, certs)
        test_clients(build, certs)
        test_rotation(build, certs)
        test_expiry(build, certs)
        test_users(build, certs)
        test_mistakes(build, certs)
    test_stranger_takes_as_long(build)
    test_activation(build)
    test_port_in_use(build)


main()
