#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods of a real kube-apiserver become levels of real control groups: what comes, changes and goes,
and everything that a healthy cluster does to a watch."""

import base64
import json
import signal
import subprocess
import threading
import time

import credentials
from kubetest import arguments, check, kube_cluster, skip, wait_until
from node import Node, PodGroups

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
         {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]
BATCH, HIGH = {"berth/qos": "batch"}, {"berth/qos": "high"}
MANY = 1000


def uid_of(item):
    return item["metadata"]["uid"]


def section(kubeconfig):
    return f'enabled: true, kubeconfig: "{kubeconfig}"'


class Rig:
    def __init__(self, build, kube, groups):
        self.build, self.kube, self.groups = build, kube, groups
        kube.service_account("kube-system", "berth")
        kube.may("kube-system", "berth", RULES)
        self.token = kube.token("kube-system", "berth")
        wait_until(lambda: kube.request("GET", "/api/v1/pods", token=self.token)[0] == 200,
                   "RBAC lets berth list pods", 60)
        self.kubeconfig = kube.kubeconfig(token=self.token)

    def node(self, kubeconfig=None, **options):
        return Node(self.build, section(kubeconfig or self.kubeconfig), self.groups, **options)

    def pod(self, name, annotations=None, **options):
        """A pod and its group; its uid."""
        uid = uid_of(self.kube.pod(name, annotations=annotations, **options))
        self.groups.add(uid)
        return uid

    def remove(self, name, uid):
        self.kube.pod_delete(name)
        self.groups.drop(uid)

    def wait_idle(self, uid, idle, what, timeout=30):
        start = time.monotonic()
        wait_until(lambda: self.groups.is_idle(uid) == idle, what, timeout)
        return time.monotonic() - start


def test_pods_that_are_there(rig, daemon, pods):
    daemon.wait_ready(f"{rig.kube.server}: 2 pods, watching")
    rig.wait_idle(pods["work"], True, "the level of a pod that was there")
    check(not rig.groups.is_idle(pods["web"]), "a pod of level high is idle")
    workload = daemon.pod(pods["work"])
    check((workload["namespace"], workload["name"], workload["qos"], workload["via"],
           workload["stale"]) == ("default", "work", "batch", "apiserver", False), f"{workload}")


def test_changes(rig, daemon, pods):
    """Annotations of a live pod, a new pod whichever side knows it first, a container, a deletion."""
    kube, groups = rig.kube, rig.groups
    took = []
    for _ in range(5):
        kube.annotate("work", HIGH)
        took.append(rig.wait_idle(pods["work"], False, "batch to high"))
        kube.annotate("work", BATCH)
        took.append(rig.wait_idle(pods["work"], True, "high to batch"))
    print(f"  a change of level: {1000 * sorted(took)[len(took) // 2]:.0f} ms")
    kube.annotate("work", {"berth/qos": None})
    rig.wait_idle(pods["work"], False, "the annotation was removed")
    kube.annotate("work", {"volcano.sh/qos-level": "BE"})
    rig.wait_idle(pods["work"], True, "an alias")
    kube.annotate("work", {"volcano.sh/qos-level": None, **BATCH})

    new = uid_of(kube.pod("api-first", annotations=BATCH))
    wait_until(lambda: daemon.is_ready("3 pods"), "the count of pods")
    groups.add(new)
    rig.wait_idle(new, True, "the group after the pod")
    rig.remove("api-first", new)
    wait_until(lambda: daemon.pod(new) is None, "a pod that is gone")

    new = uid_of(kube.pod("group-first", node="", annotations=BATCH))
    groups.add(new)
    wait_until(lambda: daemon.pod(new), "a group whose pod no API has named")
    check(daemon.pod(new)["qos"] == "normal", f"a level out of nothing: {daemon.pod(new)}")
    kube.bind("group-first", "node1")
    rig.wait_idle(new, True, "the pod after the group")
    container = "c" * 64
    kube.pod_status("group-first", {"main": "containerd://" + container})
    groups.add(new, container)
    inner = f"{groups.name}/{groups.group(new, container)}"
    wait_until(lambda: daemon.level(inner) == "batch", "a container goes by its pod")
    # The API forgets it while its processes are still there: they keep their level.
    kube.pod_delete("group-first")
    kube.annotate("web", BATCH)
    rig.wait_idle(pods["web"], True, "something after the deletion")
    kube.annotate("web", HIGH)
    check(groups.is_idle(new) and daemon.level(inner) == "batch", "a deleted pod lost its level")
    groups.drop(new, container)
    groups.drop(new)
    wait_until(lambda: daemon.pod(new) is None, "the deleted pod's group")
    daemon.wait_ready("2 pods")

    other = uid_of(kube.pod("elsewhere", node="node2", annotations=BATCH))
    kube.annotate("web", BATCH)
    rig.wait_idle(pods["web"], True, "something after it")
    check(daemon.is_ready("2 pods"), f"a pod of another node counts: {daemon.source()}")
    check(daemon.pod(other) is None, "a pod of another node")
    kube.annotate("web", HIGH)
    rig.wait_idle(pods["web"], False, "and back")
    kube.pod_delete("elsewhere")


def test_events(rig, daemon, pods):
    """What `kubectl describe pod` shows: one for an incident, however often it happens."""
    def about(uid):
        return {(event["reason"], event["type"]): event for event in rig.kube.events("default")
                if event["involvedObject"]["uid"] == uid}

    uid = rig.pod("torn", {"berth/qos": "high", "volcano.sh/qos-level": "BE"})
    conflict = ("BerthAnnotationConflict", "Warning")
    wait_until(lambda: conflict in about(uid), "an Event about a conflict")
    event = about(uid)[conflict]
    check(event["source"] == {"component": "berthd", "host": "node1"}, f"{event}")
    check((event["involvedObject"]["kind"], event["involvedObject"]["name"], event["count"]) ==
          ("Pod", "torn", 1) and "high" in event["message"], f"{event}")
    malformed = ("BerthAnnotationMalformed", "Warning")
    rig.kube.annotate("torn", {"berth/qos": "urgent", "volcano.sh/qos-level": None})
    wait_until(lambda: malformed in about(uid), "an Event about a malformed value")
    check("urgent" in about(uid)[malformed]["message"], f"{about(uid)}")
    check(len(about(uid)) == 2, f"{about(uid)}")
    rig.remove("torn", uid)


def test_events_refused(rig, daemon, pods):
    """Without the right to create them: one line, and everything else as ever."""
    rig.kube.service_account("kube-system", "mute")
    rig.kube.may("kube-system", "mute", RULES[:1])
    config = rig.kube.kubeconfig("mute.kubeconfig", token=rig.kube.token("kube-system", "mute"))
    torn = [rig.pod(f"torn-{number}", {"berth/qos": "urgent"}) for number in range(3)]
    with rig.node(config) as other:
        other.start()
        other.wait_ready("5 pods", 60)
        wait_until(lambda: other.lines("no Events about pods") == 1, "a line about Events")
        check("create on events" in other.log_text(), "what is missing is not said")
        check(other.is_ready("5 pods"), f"{other.source()}")
    for number, uid in enumerate(torn):
        rig.remove(f"torn-{number}", uid)
    daemon.wait_ready("2 pods")


def test_bookmark(rig, daemon, pods):
    """Nothing happens to this node's pods for a minute, and the watch is told so."""
    before = daemon.lines("bookmark")
    wait_until(lambda: daemon.lines("bookmark") > before, "a bookmark", 180)
    check(daemon.is_ready(), f"an idle watch: {daemon.source()}")


def test_api_restarts(rig, daemon, pods):
    """While it is away everything holds, and afterwards the watch goes on, or begins anew with 410."""
    for what, restart in (("SIGKILL", lambda: rig.kube.restart(signal.SIGKILL)),
                          ("compaction and a new watch cache", rig.kube.expire_watches)):
        restart()
        check(rig.groups.is_idle(pods["work"]), f"{what}: a level was lost")
        check(daemon.pod(pods["work"])["qos"] == "batch", f"{what}: {daemon.pod(pods['work'])}")
        rig.kube.annotate("web", BATCH)
        took = rig.wait_idle(pods["web"], True, f"a change after {what}", timeout=60)
        print(f"  {what}: a change is seen {took:.1f} s after the server is back")
        rig.kube.annotate("web", HIGH)
        rig.wait_idle(pods["web"], False, f"the next change after {what}")
        daemon.wait_ready("2 pods, watching")
    check("too old resource version" in daemon.log_text(), "no 410 was met")


def test_api_ends_in_order(rig, daemon, pods):
    """SIGTERM refuses new connections at once, and ends open watches after a minute."""
    rig.kube.restart(signal.SIGTERM)
    rig.kube.annotate("web", BATCH)
    rig.wait_idle(pods["web"], True, "a change after SIGTERM", timeout=60)
    rig.kube.annotate("web", HIGH)
    rig.wait_idle(pods["web"], False, "and back")


def test_etcd_is_away(rig, daemon, pods):
    """The watch cache answers without it."""
    rig.kube.freeze_etcd()
    try:
        with rig.node() as other:
            other.start()
            other.wait_ready("2 pods")
    finally:
        rig.kube.thaw_etcd()


def test_frozen(rig, daemon, pods):
    """Connections are accepted and nothing answers: a new berthd says so, and goes on when it can."""
    rig.kube.freeze()
    try:
        with rig.node() as other:
            other.start()
            check(other.source("cgroups")["state"] == "ready", "the source cgroups waits")
            other.wait_down("127.0.0.1", 90)
            check(other.get("/livez") is not None, "/livez")
            print(f"  {other.source()['detail']}")
            rig.kube.thaw()
            other.wait_ready("2 pods", 60)
    finally:
        rig.kube.thaw()
    rig.kube.annotate("web", BATCH)
    rig.wait_idle(pods["web"], True, "a change after the frost")
    rig.kube.annotate("web", HIGH)


def base64_url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def expired(token, key):
    """The same token, but of yesterday, and signed like it."""
    head, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    for name in ("exp", "iat", "nbf"):
        claims[name] -= 86400
    signed = f"{head}.{base64_url(json.dumps(claims).encode())}"
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed.encode(),
                         capture_output=True, check=True).stdout
    # ES256 has the two numbers side by side, openssl each as an ASN.1 INTEGER.
    numbers, at = b"", 2
    for _ in range(2):
        size = der[at + 1]
        numbers += der[at + 2:at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + size
    return f"{signed}.{base64_url(numbers)}"


def test_tokens(rig, daemon, pods):
    """A wrong one, one that has expired, and then one that rotates in."""
    for what, token in (("wrong", "nonsense"), ("expired", expired(rig.token, rig.kube.signing_key))):
        path = rig.kube.directory / f"{what}.token"
        path.write_text(token)
        config = rig.kube.kubeconfig(f"{what}.kubeconfig", token_file=str(path))
        with rig.node(config) as other:
            other.start()
            other.wait_down("401 Unauthorized")
            check("token" in other.source()["detail"], f"{other.source()}")
            check(other.lines("source kubernetes is down") == 1, "one failure is not one line")
            credentials.replace(path, rig.token + "\n")
            other.wait_ready("2 pods", 60)
        print(f"  ok {what}")
    top = rig.kube.directory / "mount"
    mount = credentials.write_service_account(top, "old", rig.kube.ca)
    config = rig.kube.kubeconfig("mount.kubeconfig", token_file=f"{mount}/token")
    with rig.node(config) as other:
        other.start()
        other.wait_down("401 Unauthorized")
        credentials.write_service_account(top, rig.token, rig.kube.ca)
        other.wait_ready("2 pods", 60)


def test_rbac(rig, daemon, pods):
    """What is missing is said, with who we are; what is granted later is used."""
    kube = rig.kube
    kube.service_account("kube-system", "poor")
    config = kube.kubeconfig("poor.kubeconfig", token=kube.token("kube-system", "poor"))
    with rig.node(config) as other:
        other.start()
        other.wait_down("403 Forbidden")
        for part in ("system:serviceaccount:kube-system:poor", "get, list and watch on pods",
                     "kubectl apply -k conf/kubernetes"):
            check(part in other.source()["detail"], f"no '{part}' in: {other.source()['detail']}")
        check(other.source("cgroups")["state"] == "ready", "the source cgroups suffers")
        kube.may("kube-system", "poor", RULES)
        other.wait_ready("2 pods", 60)


def test_wrong_node(rig, daemon, pods):
    with rig.node(node="nod1") as other:
        other.start()
        other.wait_ready("0 pods, watching node 'nod1': if that is wrong, set node.name")
    with rig.node(node="NODE1") as other:
        other.start()
        other.wait_ready("2 pods, watching")


def test_client_certificate(rig, daemon, pods):
    """As a kubelet has one; it may see every pod, which the field selector keeps to this node's."""
    config = rig.kube.kubeconfig("certificate.kubeconfig", client=rig.kube.node_identity)
    with rig.node(config) as other:
        other.start()
        other.wait_ready("2 pods, watching")


def make_many(kube):
    def make(first):
        for number in range(first, MANY, 8):
            connection = kube.connect(kube.admin_tls)
            body = {"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": f"many-{number}", "annotations": BATCH},
                    "spec": {"nodeName": "big", "automountServiceAccountToken": False,
                             "containers": [{"name": "main", "image": "none:1"}]}}
            status, answer = kube.exchange(connection, "POST", "/api/v1/namespaces/default/pods",
                                           json.dumps(body), {"Content-Type": "application/json"})
            connection.close()
            check(status == 201, f"{status} {answer}")

    threads = [threading.Thread(target=make, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many(rig, daemon, pods):
    """A thousand pods at once: from the watch cache, and, after 410, page by page from etcd."""
    make_many(rig.kube)
    with rig.node(node="big") as other:
        start = time.monotonic()
        other.start(level="info")
        other.wait_ready(f"{MANY} pods, watching", 60)
        print(f"  {MANY} pods: ready {time.monotonic() - start:.2f} s after the start, "
              f"{other.status_bytes('VmHWM') >> 20} MiB at most")
        if not other.is_sanitized():
            check(other.status_bytes("VmHWM") < 48 << 20, "a list costs too much memory")
        rig.kube.expire_watches()
        rig.kube.pod("one-more", node="big")
        other.wait_ready(f"{MANY + 1} pods, watching", 60)
    daemon.wait_ready("2 pods, watching", 60)


def test_busy(build, groups):
    with kube_cluster(max_requests=1) as kube:
        rig = Rig(build, kube, groups)
        kube.pod("alone")
        with rig.node() as daemon:
            with kube.busy(rig.token):
                daemon.start()
                daemon.wait_down("429 Too Many Requests")
                check(daemon.lines("source kubernetes is down") == 1, "more than one line")
            daemon.wait_ready("1 pods", 90)


def main():
    build = arguments().build
    groups = PodGroups("test.watch")
    try:
        if not groups.need_idle():
            skip("this kernel has no cpu.idle, by which these tests see levels")
        with kube_cluster() as kube:
            rig = Rig(build, kube, groups)
            pods = {"work": rig.pod("work", BATCH), "web": rig.pod("web", HIGH)}
            with rig.node() as daemon:
                daemon.start()
                for test in (test_pods_that_are_there, test_changes, test_events,
                             test_events_refused, test_bookmark, test_api_restarts,
                             test_api_ends_in_order, test_etcd_is_away, test_frozen, test_tokens,
                             test_rbac, test_wrong_node, test_client_certificate, test_many):
                    test(rig, daemon, pods)
                    print(f"ok {test.__name__}", flush=True)
                check(daemon.stop() == 0, "berthd did not end well")
            check(not groups.is_idle(pods["work"]), "a knob was not put back at the end")
        test_busy(build, groups)
        print("ok test_busy")
    finally:
        groups.clean()


main()
