# SPDX-License-Identifier: Apache-2.0
"""What kube-apiserver 1.20 puts on the wire, to be sent by a faultserver: objects, lists, events."""

import json
import uuid

LIST = r"/api/v1/pods(?!.*[?&]watch=(?:1|true))"
WATCH = r"/api/v1/pods\?(?:.*&)?watch=(?:1|true)"
EVENTS = r"/(?:api|apis/events\.k8s\.io)/v1/namespaces/[^/]+/events"


def dump(value):
    """As Go's encoder: compact, UTF-8 as it is, and what HTML would mind escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def uid(name):
    """The same for the same name in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def pod(name, version=1, namespace="default", node="node1", annotations=None, labels=None,
        containers=None, phase="Running", identity=None, **metadata):
    """containers: {name: "containerd://ID" or None}; version: the resourceVersion."""
    containers = {"main": None} if containers is None else containers
    statuses = [{"name": key, "containerID": value, "ready": True, "restartCount": 0, "image": "none:1",
                 "imageID": "", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
                for key, value in containers.items() if value]
    return {"metadata": {"name": name, "namespace": namespace, "uid": identity or uid(name),
                         "resourceVersion": str(version),
                         "creationTimestamp": "2026-01-01T00:00:00Z",
                         "annotations": annotations or {}, "labels": labels or {}, **metadata},
            "spec": {"nodeName": node,
                     "containers": [{"name": key, "image": "none:1", "resources": {}}
                                    for key in containers]},
            "status": {"phase": phase, "qosClass": "BestEffort", "containerStatuses": statuses}}


def pod_list(pods, version, more=None):
    """more: the continue token of a page that is not the last."""
    metadata = {"resourceVersion": str(version)}
    if more:
        metadata["continue"] = more
    return dump({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": pods})


def event(kind, item):
    """One line of a watch."""
    return dump({"type": kind, "object": {"kind": "Pod", "apiVersion": "v1", **item}}) + "\n"


def bookmark(version):
    return dump({"type": "BOOKMARK", "object": {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
        "spec": {"containers": None}, "status": {}}}) + "\n"


def status(code, reason, message="", **metadata):
    return {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": message or reason, "reason": reason, "code": code}


def error_event(code, reason, message=""):
    return dump({"type": "ERROR", "object": status(code, reason, message)}) + "\n"


def gone_event(version=1):
    return error_event(410, "Expired", f"too old resource version: {version} ({version + 1})")
