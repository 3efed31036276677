#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""conf/kubernetes on a real kube-apiserver: every manifest is accepted, and each of the identities of
docs/kubernetes.md may exactly what that page says."""

import http.client
import json
import ssl

from kubetest import ROOT, arguments, check, kube_cluster, rig, wait_until

MANIFESTS = ROOT / "conf/kubernetes"
NAMESPACE = "berth-system"
ON_NODE = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode1"
DEFAULT = "/api/v1/namespaces/default"
EVENT = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
         "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web"},
         "reason": "BerthAction", "message": "a test", "type": "Normal",
         "source": {"component": "berthd"}}
EVICTION = {"apiVersion": "policy/v1beta1", "kind": "Eviction",
            "metadata": {"name": "web", "namespace": "default"}}

# Method, path, body, allowed
REQUESTS = [
    ("GET", ON_NODE, None, True),
    ("GET", ON_NODE + "&watch=1&timeoutSeconds=1", None, True),
    ("GET", DEFAULT + "/pods/web", None, True),
    ("POST", DEFAULT + "/events?dryRun=All", EVENT, True),
    ("POST", DEFAULT + "/pods/web/eviction?dryRun=All", EVICTION, True),
    ("DELETE", DEFAULT + "/pods/web?dryRun=All", None, False),
    ("PATCH", DEFAULT + "/pods/web?dryRun=All", {}, False),
    ("GET", "/api/v1/events", None, False),
    ("GET", "/api/v1/secrets", None, False),
    ("GET", "/api/v1/configmaps", None, False),
    ("GET", "/api/v1/nodes", None, False),
    ("GET", "/api/v1/nodes/node1/proxy/pods", None, False),
]


def request(kube, context, token, method, path, body):
    connection = http.client.HTTPSConnection("127.0.0.1", kube.port, context=context, timeout=60)
    fields = {"Content-Type": "application/json" if method != "PATCH"
              else "application/merge-patch+json"}
    if token:
        fields["Authorization"] = "Bearer " + token
    try:
        connection.request(method, path, None if body is None else json.dumps(body), fields)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def check_requests(kube, who, requests, identity=None, token=None):
    context = ssl.create_default_context(cafile=kube.ca)
    if identity:
        context.load_cert_chain(*identity)
    for method, path, body, allowed in requests:
        status, answer = request(kube, context, token, method, path, body)
        check(200 <= status < 300 if allowed else status == 403,
              f"{who}: {method} {path}: {status}, allowed should be {allowed}: {answer[:300]}")


def check_daemonset(kube):
    made = kube.call("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/berth")
    wanted = rig.load(MANIFESTS / "daemonset.yaml")[0]["spec"]["template"]["spec"]
    pod = made["spec"]["template"]["spec"]

    def within(a, b, place):
        # A key that the API does not know is dropped without a word.
        if isinstance(a, dict):
            for key, value in a.items():
                check(key in b, f"the API does not keep {place}.{key}")
                within(value, b[key], f"{place}.{key}")
        elif isinstance(a, list):
            check(len(a) == len(b), f"the API does not keep {place}")
            for number, (one, other) in enumerate(zip(a, b)):
                within(one, other, f"{place}[{number}]")
        else:
            check(a == b, f"the API makes {b} of {place}: {a}")
    within(wanted, pod, "spec.template.spec")


def check_patches(kube):
    """The API merges them as kustomize does: nothing of the DaemonSet is lost."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/berth"

    def shape():
        pod = kube.call("GET", path)["spec"]["template"]["spec"]
        container = pod["containers"][0]
        return (pod.get("hostNetwork", False), set(container["securityContext"]["capabilities"]["add"]),
                {mount["mountPath"] for mount in container["volumeMounts"]},
                {volume["name"] for volume in pod["volumes"]})

    _, capabilities, paths, volumes = shape()
    for name in ("patch-network.yaml", "patch-cache.yaml"):
        patch = rig.load(MANIFESTS / name)[0]
        kube.call("PATCH", path, {"spec": patch["spec"]},
                  {"Content-Type": "application/strategic-merge-patch+json"})
    wanted = (True, capabilities | {"NET_ADMIN"}, paths | {"/sys/fs/bpf", "/sys/fs/resctrl"},
              volumes | {"bpf", "resctrl"})
    check(shape() == wanted, f"patched it is {shape()}, not {wanted}")


def main():
    arguments()
    with kube_cluster() as kube:
        for name in rig.load(MANIFESTS / "kustomization.yaml")[0]["resources"]:
            kube.create(rig.load(MANIFESTS / name))
        check_daemonset(kube)
        check_patches(kube)
        kube.pod("web")
        token = kube.token(NAMESPACE, "berth")
        wait_until(lambda: kube.request("GET", ON_NODE, token=token)[0] == 200, "RBAC holds", 30)
        check_requests(kube, "the service account", REQUESTS, token=token)
        own = kube.authority.client("berth-node1", "/O=berth:nodes/CN=berth:node1")
        check_requests(kube, "a certificate of berth:nodes", REQUESTS, identity=own)
        check_requests(kube, "the kubelet", REQUESTS[:5], identity=kube.node_identity)

        kube.create(rig.load(MANIFESTS / "rbac-kubelet.yaml"))
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                  "spec": {"user": f"system:serviceaccount:{NAMESPACE}:berth", "groups": [],
                           "resourceAttributes": {"verb": "get", "resource": "nodes",
                                                  "subresource": "proxy", "name": "node1"}}}

        def kubelet_lets():
            # What a kubelet asks for GET /pods.
            return kube.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                             review)["status"].get("allowed", False)
        wait_until(kubelet_lets, "rbac-kubelet.yaml lets the service account ask a kubelet", 30)
        review["spec"]["resourceAttributes"]["verb"] = "create"
        check(not kubelet_lets(), "rbac-kubelet.yaml grants more than get")


if __name__ == "__main__":
    main()
