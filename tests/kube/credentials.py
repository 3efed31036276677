# SPDX-License-Identifier: Apache-2.0
"""How a client of the API is told where it is and who it is: kubeconfig files, and the directory that
kubelet mounts into a pod."""

import base64
import os
import pathlib


def data(path):
    return base64.b64encode(pathlib.Path(path).read_bytes()).decode()


def write_kubeconfig(path, server, ca=None, embed=True, token=None, token_file=None, client=None,
                     insecure=False, tls_server_name=None, namespace=None):
    """As kubectl writes one. ca: path of a PEM file; client: a pki.Identity. embed: certificates and
    keys as *-data in base64, else as paths."""
    cluster, user = [], []
    if ca:
        cluster.append(f"certificate-authority-data: {data(ca)}" if embed else
                       f"certificate-authority: {ca}")
    if insecure:
        cluster.append("insecure-skip-tls-verify: true")
    cluster.append(f"server: {server}")
    if tls_server_name:
        cluster.append(f"tls-server-name: {tls_server_name}")
    if client:
        for key, file in (("client-certificate", client.certificate), ("client-key", client.key)):
            user.append(f"{key}-data: {data(file)}" if embed else f"{key}: {file}")
    if token:
        user.append(f"token: {token}")
    if token_file:
        user.append(f"tokenFile: {token_file}")
    lines = ["apiVersion: v1", "clusters:", "- cluster:", *("    " + line for line in cluster),
             "  name: rig", "contexts:", "- context:", "    cluster: rig",
             *([f"    namespace: {namespace}"] if namespace else []), "    user: agent",
             "  name: agent@rig", "current-context: agent@rig", "kind: Config", "preferences: {}",
             "users:", "- name: agent", "  user:" if user else "  user: {}",
             *("    " + line for line in user)]
    replace(path, "\n".join(lines) + "\n")
    return str(path)


def replace(path, text):
    """A reader sees the old text or the new one, never a half."""
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(temporary, path)


def write_service_account(directory, token, ca, namespace="default"):
    """The mount of a service account, /var/run/secrets/kubernetes.io/serviceaccount in a pod: links
    into ..data, which is itself a link that is swapped when anything changes. Call it again to swap."""
    top = pathlib.Path(directory)
    top.mkdir(parents=True, exist_ok=True)
    number = len(list(top.glob("..[0-9]*")))
    version = top / f"..{number}"
    version.mkdir(mode=0o755)
    (version / "token").write_text(token)
    (version / "ca.crt").write_bytes(pathlib.Path(ca).read_bytes())
    (version / "namespace").write_text(namespace)
    temporary = top / "..data_tmp"
    temporary.symlink_to(version.name)
    temporary.rename(top / "..data")
    for name in ("token", "ca.crt", "namespace"):
        if not (top / name).is_symlink():
            (top / name).symlink_to(f"..data/{name}")
    return str(top)
