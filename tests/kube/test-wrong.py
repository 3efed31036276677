#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What somebody reads who set up Kubernetes wrongly: one line in the log and a row of `berthctl status`
that say what is wrong, the rest of berthd at work, and well as soon as it is mended."""

import base64
import os
import pathlib

import credentials
import pki
from kubetest import arguments, check, free_port, kube_cluster, skip, wait_until
from node import Node, PodGroups

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]


class Rig:
    def __init__(self, build, kube, groups):
        self.build, self.kube, self.groups = build, kube, groups
        kube.service_account("kube-system", "berth")
        kube.service_account("kube-system", "nobody")
        kube.may("kube-system", "berth", RULES)
        self.token = kube.token("kube-system", "berth")
        wait_until(lambda: kube.request("GET", "/api/v1/pods", token=self.token)[0] == 200,
                   "RBAC lets berth list pods", 60)
        self.good = kube.kubeconfig(token=self.token)
        self.text = pathlib.Path(self.good).read_text(encoding="utf-8")

    def write(self, name, text):
        path = self.kube.directory / name
        credentials.replace(path, text)
        return str(path)

    def edited(self, name, old, new):
        """The good kubeconfig with that one thing changed."""
        check(old in self.text, f"no '{old}' in the kubeconfig")
        return self.write(name, self.text.replace(old, new))


def pem(path):
    return base64.b64encode(pathlib.Path(path).read_bytes()).decode()


def kubeconfigs(rig):
    """(name, path, what is said)"""
    kube, token = rig.kube, f"    token: {rig.token}"
    mine = kube.authority.client("mine", "/O=berth:nodes/CN=berth:mine")
    not_mine = kube.authority.client("not-mine", "/O=berth:nodes/CN=berth:not-mine")
    os.mkdir(kube.directory / "other")
    other = pki.Authority(kube.directory / "other", "other")
    junk = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").decode()

    def user(certificate, key):
        return f"    client-certificate-data: {certificate}\n    client-key-data: {key}"

    closed = free_port()
    yield "no file", str(kube.directory / "none"), "No such file or directory"
    yield "a directory", str(kube.directory), "Is a directory"
    yield "empty", rig.write("empty", ""), "kubectl config use-context NAME"
    yield "no YAML", rig.write("yaml", rig.text + "  x: [\n"), "yaml:20:1: "
    yield "no context", rig.edited("context", "current-context: agent@rig",
                                   "current-context: x"), "there is no context named 'x'"
    yield "http", rig.edited("http", kube.server, "http://10.0.0.1"), "use https://"
    yield "no scheme", rig.edited("bare", kube.server, "10.0.0.1"), "expected https://HOST:PORT"
    yield "exec", rig.edited("exec", token, "    exec: {command: aws}"), "runs no programs"
    yield "insecure", kube.kubeconfig("insecure", token=rig.token, insecure=True), \
        "insecure-skip-tls-verify: Berth always verifies the server"
    yield "no certificate", rig.edited("hello", token, user("aGVsbG8=", "aGVsbG8=")), \
        "client-certificate-data: holds no PEM certificate"
    yield "a broken certificate", rig.edited("junk", token, user(junk, pem(mine.key))), \
        "the client certificate for " + kube.server + " cannot be used: it is broken"
    yield "no pair", rig.edited("pair", token, user(pem(mine.certificate), pem(not_mine.key))), \
        "not that of the client certificate"
    yield "no credentials", kube.kubeconfig("anonymous"), "nothing says who we are: kubeconfig "
    yield "a wrong token", kube.kubeconfig("wrong", token=rig.token[:-8] + "AAAAAAAA"), \
        "401 Unauthorized: the token or certificate of kubeconfig "
    yield "a stranger", kube.kubeconfig("stranger", client=other.client("s", "/CN=s")), \
        "401 Unauthorized"
    yield "no rights", kube.kubeconfig("rights", token=kube.token("kube-system", "nobody")), \
        "kubectl apply -k conf/kubernetes"
    yield "another authority", kube.kubeconfig("ca", token=rig.token, ca=other.certificate), \
        "another cluster's?"
    yield "no authority", kube.kubeconfig("no-ca", token=rig.token, ca=None), "set ca_file"
    yield "another name", kube.kubeconfig("name", token=rig.token, tls_server_name="x.example"), \
        "is for another name"
    yield "a closed port", kube.kubeconfig("closed", token=rig.token,
                                           server=f"https://127.0.0.1:{closed}"), \
        f"apiserver: cannot connect to https://127.0.0.1:{closed}: connection refused"
    yield "no such name", kube.kubeconfig("dns", token=rig.token, server="https://x.invalid:6443"), \
        "its name does not resolve"
    yield "no TLS", kube.kubeconfig("tls", token=rig.token,
                                    server=f"https://127.0.0.1:{kube.etcd_port}"), \
        "is it an https:// server?"
    yield "not Kubernetes", kube.kubeconfig("not-kube", token=rig.token,
                                            server=f"http://127.0.0.1:{kube.etcd_port}"), \
        "is this the apiserver's address?"


def sections(rig):
    """(name, the section of the policy, what is said)"""
    server = f'enabled: true, server: "{rig.kube.server}", ca_file: "{rig.kube.ca}"'
    yield "nothing", "enabled: true", "nothing says where Kubernetes is"
    yield "no server", f'token_file: "{rig.kube.directory}/x"', "nothing says where Kubernetes is"
    yield "no token", server, "the policy gives neither a token nor a client certificate"
    yield "no token file", f'{server}, token_file: "/none"', "cannot read the token file '/none'"
    yield "an empty token file", f'{server}, token_file: "{rig.write("empty-token", "")}"', "is empty"
    yield "a text", f'{server}, token_file: "{rig.write("text", "hello there")}"', "is no token"
    yield "the kubelet", f'via: kubelet, kubeconfig: "{rig.good}"', "https://node.invalid:10250"


def flat(text):
    return " ".join(text.split())


def check_wrong(daemon, name, section, said):
    before = daemon.lines("source kubernetes is ")
    daemon.change(section)
    daemon.wait_down(said)
    # What was wrong before is another cause, unless it is the same one. A server without TLS may
    # answer or reset the connection, whichever comes first: two causes, a line each, not more.
    most = 2 if name == "no TLS" else 1
    check(daemon.lines("source kubernetes is ") - before <= most, f"{name}: more than {most} lines")
    check(said in daemon.log_text(), f"{name}: '{said}' is not in the log")
    screen = daemon.ctl("status").stdout
    check(said.split(": ", maxsplit=1)[0] in flat(screen), f"{name}: status is\n{screen}")
    check(all(len(line) <= 80 for line in screen.splitlines()), f"{name}: wide\n{screen}")
    check(daemon.source("kubepods")["state"] == "ready", f"{name}: {daemon.source('kubepods')}")


def test_wrong(rig):
    with Node(rig.build, "enabled: false", rig.groups, node="node.invalid",
              env={"COLUMNS": "80"}) as daemon:
        daemon.start()
        for name, path, said in kubeconfigs(rig):
            check_wrong(daemon, name, f'enabled: true, kubeconfig: "{path}"', said)
        for name, section, said in sections(rig):
            check_wrong(daemon, name, section, said)
        daemon.change(f'kubeconfig: "{rig.good}"')
        daemon.wait_ready("watching node 'node.invalid': if that is wrong, set node.name")
        daemon.change("enabled: false")
        check(daemon.source()["state"] == "off", f"{daemon.source()}")


def test_mended_in_place(rig):
    """A kubeconfig that is put right is read without a reload, and what is wrong next is told."""
    path = rig.write("mended", "clusters: [\n")
    with Node(rig.build, f'kubeconfig: "{path}"', rig.groups) as daemon:
        daemon.start()
        daemon.wait_down("mended:")
        rig.write("mended", rig.text.replace(rig.token, rig.token[:-8] + "AAAAAAAA"))
        daemon.wait_down("401 Unauthorized")
        check(daemon.lines("source kubernetes is still down") == 1, "the second cause")
        rig.write("mended", rig.text)
        daemon.wait_ready("watching")
        check(daemon.lines("source kubernetes is down") == 1, "down was told more than once")


def test_wrong_annotations(rig):
    """Two pods of one name: whose it is stands there, once, whatever else is annotated."""
    rig.kube.create_namespace("other")
    uids = {space: rig.kube.pod("torn", space, annotations={
        "berth/qos": value, "volcano.sh/qos-level": "BE"})["metadata"]["uid"]
        for space, value in (("default", "turbo"), ("other", "high"))}
    for uid in uids.values():
        rig.groups.add(uid)
    with Node(rig.build, f'kubeconfig: "{rig.good}"', rig.groups) as daemon:
        daemon.start()
        daemon.wait_ready("2 pods")
        rig.kube.annotate("torn", {"note": "1"})
        rig.kube.annotate("torn", {"berth/qos": "critical"}, namespace="other")
        wait_until(lambda: daemon.pod(uids["other"])["qos"] == "critical", "the last change")
        check(daemon.lines("pod 'default/torn' (") == 1, "the malformed value is not told once")
        check(daemon.lines("pod 'other/torn' (") == 1, "the conflict is not told once")
        screen = daemon.ctl("workloads").stdout
        check("(malformed: see explain)" in flat(screen) and "(conflict: see explain)" in flat(screen),
              screen)
        check(" is not critical, " in flat(daemon.ctl("explain", uids["default"]).stdout), "explain")
        answer = daemon.ctl("explain", "torn")
        check(answer.returncode == 1 and "the uid" in answer.stderr, f"{answer}")
    for space, uid in uids.items():
        rig.kube.pod_delete("torn", space)
        rig.groups.drop(uid)


def main():
    build = arguments().build
    os.environ["COLUMNS"] = "80"
    with kube_cluster() as kube:
        groups = PodGroups("test.wrong")
        try:
            if not groups.need_idle():
                skip("this kernel has no cpu.idle, by which these tests see levels")
            rig = Rig(build, kube, groups)
            for test in (test_wrong, test_mended_in_place, test_wrong_annotations):
                test(rig)
                print(f"ok {test.__name__}", flush=True)
        finally:
            groups.clean()


main()
