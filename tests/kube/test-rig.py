#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rig itself: that its kube-apiserver is a real one, and that the faults it can make are made."""

import signal

import credentials
from kubetest import Watch, arguments, check, kube_cluster, rig, wait_until

PODS = "/api/v1/pods"
ON_NODE = "?fieldSelector=spec.nodeName%3Dnode1"
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]


def test_who_may_what(kube):
    kube.create_namespace("agents")
    kube.service_account("agents", "reader")
    kube.service_account("agents", "nobody")
    kube.may("agents", "reader", RULES)
    token = kube.token("agents", "reader")
    wait_until(lambda: kube.request("GET", PODS, token=token)[0] == 200, "RBAC lets the reader list",
               60)
    check(kube.request("GET", "/api/v1/secrets", token=token)[0] == 403, "the reader reads secrets")
    status, answer = kube.request("GET", PODS, token=kube.token("agents", "nobody"))
    check(status == 403 and answer["reason"] == "Forbidden", f"nobody may list: {status} {answer}")
    status, answer = kube.request("GET", PODS, token=token[:-8] + "AAAAAAAA")
    check(status == 401 and answer["reason"] == "Unauthorized", f"a wrong token: {status} {answer}")
    return token


def test_watch(kube, token):
    start = kube.call("GET", PODS + ON_NODE)["metadata"]["resourceVersion"]
    with Watch(kube.port, f"{PODS}{ON_NODE}&watch=1&resourceVersion={start}", kube.ca, token) as watch:
        check(watch.status == 200 and watch.headers["transfer-encoding"] == "chunked",
              f"{watch.status} {watch.headers}")
        made = kube.pod("one", annotations={"note": "<\n&é"}, requests={"cpu": "100m"})
        kube.pod("elsewhere", node="node2")
        kube.pod("unbound", node="")
        kind, pod = watch.event()
        check(kind == "ADDED" and pod["metadata"]["uid"] == made["metadata"]["uid"], f"{kind} {pod}")
        check(pod["metadata"]["annotations"] == {"note": "<\n&é"}, "the annotation")
        kube.bind("unbound", "node1")
        kind, pod = watch.event()
        check((kind, pod["metadata"]["name"]) == ("ADDED", "unbound"), f"bound later: {kind} {pod}")
        kube.annotate("one", {"note": None, "other": "x"})
        kind, pod = watch.event()
        check(kind == "MODIFIED" and pod["metadata"]["annotations"] == {"other": "x"}, f"{kind} {pod}")
        kube.label("one", {"app": "a"})
        kind, pod = watch.event()
        check(kind == "MODIFIED" and pod["metadata"]["labels"] == {"app": "a"}, f"{kind} {pod}")
        identity = "containerd://" + "a" * 64
        kube.pod_status("one", {"main": identity})
        kind, pod = watch.event()
        check(pod["status"]["phase"] == "Running" and
              pod["status"]["containerStatuses"][0]["containerID"] == identity, f"{kind} {pod}")
        for name in ("one", "unbound", "elsewhere"):
            kube.pod_delete(name)
        kinds = []
        while kinds.count("DELETED") < 2:
            kinds.append(watch.event()[0])
        check(set(kinds) <= {"MODIFIED", "DELETED"}, f"deleting: {kinds}")


def test_gone(kube, token):
    """A continue token from before a compaction, and a watch from before a new watch cache."""
    for name in ("a", "b"):
        kube.pod(name)
    page = kube.call("GET", PODS + "?limit=1")["metadata"]
    check(page.get("continue"), f"a list of one of two has no continue: {page}")
    kube.annotate("a", {"x": "1"})
    kube.compact()
    status, answer = kube.request("GET", f"{PODS}?limit=1&continue={page['continue']}")
    check(status == 410 and answer["reason"] == "Expired", f"a continue of before: {status} {answer}")
    kube.expire_watches()
    old = f"{PODS}{ON_NODE}&watch=1&resourceVersion={page['resourceVersion']}"
    with Watch(kube.port, old, kube.ca, token) as watch:
        kind, gone = watch.event()
        check(watch.status == 200 and kind == "ERROR" and gone["code"] == 410, f"{kind} {gone}")
        check(watch.chunk() == b"", "the stream goes on after the error")
    for name in ("a", "b"):
        kube.pod_delete(name)


def test_restart(kube, token):
    """SIGKILL ends a watch without a last chunk; state is still there afterwards."""
    made = kube.pod("kept")
    with Watch(kube.port, f"{PODS}{ON_NODE}&watch=1", kube.ca, token) as watch:
        check(watch.event()[1]["metadata"]["name"] == "kept", "the pod that is there")
        kube.restart(signal.SIGKILL)
        check(watch.chunk() is None, "a last chunk from a server that was killed")
    check(kube.call("GET", kube.pod_path("kept"))["metadata"]["uid"] == made["metadata"]["uid"],
          "the pod after a restart")
    kube.pod_delete("kept")


def test_frozen(kube, token):
    kube.freeze()
    try:
        kube.connect(timeout=1).request("GET", PODS)
    except TimeoutError:
        pass
    else:
        check(False, "a frozen server answered")
    finally:
        kube.thaw()
    check(kube.request("GET", PODS, token=token)[0] == 200, "no answer after it was thawed")


def test_credentials(kube, token):
    """The kubeconfig is what load() reads, and the node's certificate is the node's."""
    path = kube.kubeconfig(token=token)
    config = rig.load(path)[0]
    check(config["clusters"][0]["cluster"]["server"] == kube.server, config)
    check(config["users"][0]["user"] == {"token": token}, config)
    embedded = rig.load(kube.kubeconfig("node", client=kube.node_identity))[0]["users"][0]["user"]
    check(set(embedded) == {"client-certificate-data", "client-key-data"}, embedded)
    mount = credentials.write_service_account(kube.directory / "mount", "first", kube.ca, "agents")
    credentials.write_service_account(mount, "second", kube.ca, "agents")
    check((kube.directory / "mount/token").read_text() == "second", "the token was not swapped")
    context = rig.ssl.create_default_context(cafile=kube.ca)
    context.load_cert_chain(*kube.node_identity)
    connection = kube.connect(context)
    status, answer = kube.exchange(connection, "GET", PODS + ON_NODE, None, {})
    check(status == 200, f"the node lists its pods: {status} {answer}")
    status, answer = kube.exchange(connection, "GET", "/api/v1/secrets", None, {})
    check(status == 403 and "system:node:node1" in answer["message"], f"{status} {answer}")
    connection.close()


def test_busy(kube):
    kube.service_account("default", "reader")
    kube.may("default", "reader", RULES)
    token = kube.token("default", "reader")
    wait_until(lambda: kube.request("GET", PODS, token=token)[0] == 200, "RBAC lets the reader list",
               60)
    with kube.busy(token):
        status, answer = kube.request("GET", PODS, token=token)
        check(status == 429 and isinstance(answer, str), f"{status} {answer}")
    wait_until(lambda: kube.request("GET", PODS, token=token)[0] == 200, "not busy any more", 60)


def main():
    arguments()
    with kube_cluster() as kube:
        token = test_who_may_what(kube)
        for test in (test_watch, test_gone, test_restart, test_frozen, test_credentials):
            test(kube, token)
            print(f"ok {test.__name__}", flush=True)
    with kube_cluster(max_requests=1) as kube:
        test_busy(kube)
        print("ok test_busy")
    check(not kube.directory.exists(), "the cluster left its directory")


main()
