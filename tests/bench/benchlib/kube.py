# SPDX-License-Identifier: Apache-2.0
"""A node of a real kube-apiserver, without a kubelet: pods in the API and cgroups of the same uids."""

import json
import os
import sys

from . import Unable, procfs
from .daemon import DaemonFailed, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../kube"))
import cluster as rig  # noqa: E402

NAMESPACE, ACCOUNT = "berth-system", "berth"
# What conf/kubernetes/rbac.yaml grants; the benchmark must not need more.
RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]


class Pod:
    """One pod of one or more containers, in the API and in the tree."""

    def __init__(self, number, uid, group):
        self.name, self.uid, self.group = f"pod-{number}", uid, group


class Node:
    """As a context: the cluster is up and the service account may read pods."""

    def __init__(self, tree):
        try:
            self.cluster = rig.Cluster()
        except rig.Unavailable as reason:
            raise Unable(str(reason)) from None
        self.tree = tree
        self.pods = []
        self.kubeconfig = None

    def __enter__(self):
        self.cluster.__enter__()
        for namespace in (NAMESPACE, "default"):
            self.cluster.create_namespace(namespace)
        self.cluster.service_account(NAMESPACE, ACCOUNT)
        self.cluster.may(NAMESPACE, ACCOUNT, RULES)
        token = self.cluster.token(NAMESPACE, ACCOUNT, 7200)
        self.kubeconfig = self.cluster.kubeconfig("berth.kubeconfig", token=token)
        for group in ("kubepods", "kubepods/burstable"):
            self.tree.make(group)
        return self

    def __exit__(self, *error):
        return self.cluster.__exit__(*error)

    def add(self, annotations, containers=2, sleepers=None, limits=None):
        """A running pod; every container has its group, and a process where sleepers are given."""
        number = len(self.pods)
        names = [f"c{i}" for i in range(containers)]
        body = self.cluster.pod(
            f"pod-{number}", annotations=annotations, labels={"app": "bench", "tier": "back"},
            requests={"cpu": "100m", "memory": "64Mi"}, limits=limits, containers=names,
        )  # fmt: skip
        uid = body["metadata"]["uid"]
        group = f"kubepods/burstable/pod{uid}"
        self.tree.make(group)
        ids = {name: f"{number:032x}{i:032x}" for i, name in enumerate(names)}
        for identity in ids.values():
            self.tree.make_leaf(f"{group}/{identity}")
            if sleepers:
                sleepers.add(self.tree, f"{group}/{identity}")
        self.cluster.pod_status(
            f"pod-{number}", {name: f"containerd://{identity}" for name, identity in ids.items()}
        )
        self.pods.append(Pod(number, uid, group))
        return self.pods[-1]

    def policy(self):
        return f"""node: {{name: {self.cluster.node}}}
sources:
  kubernetes: {{enabled: true, kubeconfig: {json.dumps(str(self.kubeconfig))}}}
  machines: {{enabled: false}}
  units: {{enabled: false}}
metrics: {{listen: ""}}
"""

    def settle(self, daemon):
        """Until the daemon knows every pod by name and watches."""
        expected = len(self.pods)

        def synced():
            source = [s for s in daemon.json("/v1/status")["sources"] if s["name"] == "kubernetes"]
            return source and source[0]["state"] == "ready" and source[0]["workloads"] == expected

        wait_until(synced, 30, f"the pods of the API are known ({expected})")


def memory_kib(pid):
    """(resident, peak resident, private and dirty) in KiB."""
    fields = {}
    for name in ("status", "smaps_rollup"):
        with open(f"/proc/{pid}/{name}", encoding="utf-8") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if value.strip().endswith("kB"):
                    fields[key] = int(value.split()[0])
    return fields["VmRSS"], fields["VmHWM"], fields["Private_Dirty"]


__all__ = ["DaemonFailed", "Node", "memory_kib", "procfs"]
