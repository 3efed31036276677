# SPDX-License-Identifier: Apache-2.0
"""A real etcd and a real kube-apiserver on loopback, for a test to own.

    with cluster.Cluster() as kube:
        kube.create_namespace("shop")
        kube.service_account("kube-system", "berth")
        kube.create(cluster.load(ROOT / "conf/kubernetes/rbac.yaml"))
        token = kube.token("kube-system", "berth")
        kubeconfig = kube.kubeconfig(token=token)
        kube.pod("web-0", node="node1", annotations={"berth.io/qos": "high"})
        kube.annotate("web-0", {"berth.io/qos": None})
        kube.pod_status("web-0", {"main": "containerd://" + "a" * 64})
        kube.pod_delete("web-0")

What is real: both servers, TLS, RBAC, the Node authorizer, admission, the watch cache, compaction.
What is not there: controllers (nothing makes a `default` service account in a namespace;
create_namespace() does), a scheduler (pods are born with spec.nodeName), kubelet (status is patched by
hand, and a pod that is deleted with a grace above 0 stays until somebody deletes it with 0). No Node
objects are needed, nor made. Starting takes 4 s of an idle machine and 400 MB.

Faults: restart() and stop_apiserver()/start_apiserver() (SIGTERM closes the listening socket at once
but keeps open watches for a minute; SIGKILL ends them without a last chunk), freeze()/thaw() and
freeze_etcd()/thaw_etcd() (SIGSTOP), compact() (a `continue` token or a resourceVersionMatch=Exact list
from before is a 410; a watch as well only if it is older than the watch cache, which begins anew at
each start: expire_watches() does both), busy() (429 for everyone but the administrator; needs
max_requests=1).

Everything it started is killed by its pid at the end, by the kernel if the test itself is killed (to the
kernel that is the thread that started it: start and restart servers from the main thread).
Needs etcd (Debian: etcd-server), openssl, and what apiserver.py builds (tests/kube/run --build-only);
raises Unavailable. kubetest.py is what a test begins with.
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import apiserver
import credentials
import pki

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
from berthtest import free_port  # noqa: E402

Unavailable = apiserver.Unavailable


class ClusterError(Exception):
    """The rig itself does not work, or was asked for what the API refuses."""


def load(path):
    """The objects of a YAML file of several documents; lists are taken apart."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    try:
        import yaml  # pylint: disable=import-outside-toplevel
        documents = list(yaml.safe_load_all(text))
    except ImportError:  # python3-yaml is the system's, this Python may be another one
        program = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
        documents = json.loads(subprocess.run(["/usr/bin/python3", "-c", program], input=text,
                                              capture_output=True, text=True, check=True).stdout)
    objects = []
    for document in documents:
        if document and document.get("kind") == "List":
            objects += document["items"]
        elif document:
            objects.append(document)
    return objects


class Cluster:
    """One etcd and one kube-apiserver; usable as a context.

    node: for which a kubelet's certificate is made (self.node_identity). max_requests: the server's
    limit of requests in flight. flags: more of kube-apiserver's; a later one wins.
    """

    def __init__(self, node="node1", max_requests=None, flags=()):
        self.binary = apiserver.cached()
        if not shutil.which("etcd"):
            raise Unavailable("no etcd here; scripts/deps kube installs it")
        if not shutil.which("openssl"):
            raise Unavailable("no openssl here; scripts/deps kube installs it")
        self.node = node
        self.max_requests = max_requests
        self.flags = list(flags)
        self.processes = {}
        self.connection = None
        self.lock = threading.Lock()
        self.resources = {}
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="berth-kube-"))

    # --- life ---

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error):
        if error[0] and not issubclass(error[0], SystemExit):
            print(f"kube-apiserver's log ends with:\n{self.log_text('apiserver')[-3000:]}")
        self.stop()

    def start(self):
        self.authority = pki.Authority(self.directory)
        self.ca = self.authority.certificate
        self.serving = self.authority.server("apiserver")
        self.admin = self.authority.client("admin", "/O=system:masters/CN=admin")
        self.node_identity = self.authority.client(
            "node", f"/O=system:nodes/CN=system:node:{self.node}")
        self.signing_key = str(self.directory / "sa.key")
        self.authority.make_key(self.signing_key)
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.admin_tls = ssl.create_default_context(cafile=self.ca)
        self.admin_tls.load_cert_chain(*self.admin)
        self.start_etcd()
        self.port = free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.start_apiserver()
        self.create_namespace("default")

    def stop(self):
        self.disconnect()
        for name in list(self.processes):
            self.kill(name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def spawn(self, name, command):
        # A test that is killed takes its servers with it.
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                    stderr=log, cwd=self.directory)

    def log_text(self, name):
        log = self.directory / f"{name}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def send(self, name, number):
        self.processes[name].send_signal(number)

    def stop_threads(self, name):
        """SIGSTOP, until every thread has taken it: the last one may still answer before."""
        self.send(name, signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.processes[name].pid}/task")

        def stopped():
            states = [(task / "stat").read_text().rpartition(")")[2].split()[0]
                      for task in tasks.iterdir()]
            return all(state in "TtZX" for state in states)

        self.wait_for(name, stopped, 10)

    def kill(self, name, number=signal.SIGKILL, timeout=90):
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ClusterError(f"signal {number} did not end {name} within {timeout} s") from None

    def wait_for(self, name, probe, timeout=90):
        deadline = time.monotonic() + timeout
        while True:
            if self.processes[name].poll() is not None:
                raise ClusterError(f"{name} ended with {self.processes[name].returncode}:\n"
                                   f"{self.log_text(name)[-2000:]}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if probe():
                    return
            if time.monotonic() > deadline:
                raise ClusterError(f"{name} was not ready within {timeout} s:\n"
                                   f"{self.log_text(name)[-2000:]}")
            time.sleep(0.05)

    # --- etcd ---

    def start_etcd(self):
        self.etcd_port, peer = free_port(), free_port()
        own, other = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{peer}"
        self.spawn("etcd", ["etcd", "--name", "rig", "--data-dir", str(self.directory / "etcd"),
                            "--listen-client-urls", own, "--advertise-client-urls", own,
                            "--listen-peer-urls", other, "--initial-advertise-peer-urls", other,
                            "--initial-cluster", f"rig={other}", "--unsafe-no-fsync"])
        self.wait_for("etcd", self.etcd_healthy)

    def etcd_request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def etcd_healthy(self):
        return self.etcd_request("GET", "/health")[1].get("health") == "true"

    def etcd_revision(self):
        key = base64.b64encode(b"/none").decode()
        return int(self.etcd_request("POST", "/v3/kv/range", {"key": key})[1]["header"]["revision"])

    def compact(self):
        """Forget every older revision; the revision that is left as the oldest."""
        revision = self.etcd_revision()
        status, body = self.etcd_request("POST", "/v3/kv/compaction",
                                         {"revision": str(revision), "physical": True})
        if status != 200:
            raise ClusterError(f"compaction: {status}: {body}")
        return revision

    def freeze_etcd(self):
        self.stop_threads("etcd")

    def thaw_etcd(self):
        self.send("etcd", signal.SIGCONT)

    # --- kube-apiserver ---

    def start_apiserver(self, timeout=90):
        """On the same port each time; returns when it is ready."""
        # An advertised loopback address would be complained about for ever; nothing dials this one.
        command = [self.binary, "--advertise-address=10.0.2.2", "--bind-address=127.0.0.1",
                   f"--secure-port={self.port}", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
                   "--etcd-compaction-interval=0", "--authorization-mode=Node,RBAC",
                   "--enable-admission-plugins=NodeRestriction", f"--client-ca-file={self.ca}",
                   f"--tls-cert-file={self.serving.certificate}",
                   f"--tls-private-key-file={self.serving.key}",
                   "--service-cluster-ip-range=10.96.0.0/16",
                   "--service-account-issuer=https://kubernetes.default.svc",
                   f"--service-account-key-file={self.signing_key}",
                   f"--service-account-signing-key-file={self.signing_key}",
                   f"--cert-dir={self.directory}", "--profiling=false"]
        if self.max_requests is not None:
            command += ["--enable-priority-and-fairness=false",
                        f"--max-requests-inflight={self.max_requests}"]
        self.spawn("apiserver", command + self.flags)
        self.wait_for("apiserver", self.ready, timeout)

    def ready(self):
        return self.request("GET", "/readyz")[0] == 200

    def stop_apiserver(self, number=signal.SIGKILL, timeout=90):
        self.disconnect()
        self.kill("apiserver", number, timeout)

    def restart(self, number=signal.SIGKILL):
        self.stop_apiserver(number)
        self.start_apiserver()

    def expire_watches(self):
        """Start anew with a watch cache that begins after everything that a client may have seen."""
        self.stop_apiserver()
        key = base64.b64encode(b"/berth-test").decode()
        self.etcd_request("POST", "/v3/kv/put", {"key": key, "value": key})
        self.compact()
        self.start_apiserver()

    def freeze(self):
        """Connections are still accepted, by the kernel, and nothing answers."""
        self.disconnect()
        self.stop_threads("apiserver")

    def thaw(self):
        self.send("apiserver", signal.SIGCONT)

    @contextlib.contextmanager
    def busy(self, token):
        """429 for every request that is not the administrator's; token: of one who may list pods."""
        if self.max_requests != 1:
            raise ClusterError("busy() needs Cluster(max_requests=1)")
        # A list from etcd itself (no resourceVersion) holds the one slot until etcd answers.
        self.freeze_etcd()
        holder = threading.Thread(target=self.hold, args=(token,), daemon=True)
        holder.start()
        try:
            deadline = time.monotonic() + 20
            while self.request("GET", "/api/v1/pods?resourceVersion=0", token=token)[0] != 429:
                if time.monotonic() > deadline:
                    raise ClusterError("kube-apiserver did not become busy")
                time.sleep(0.02)
            yield
        finally:
            self.thaw_etcd()
            holder.join(60)

    def hold(self, token):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.request("GET", "/api/v1/pods", token=token)

    # --- requests ---

    def connect(self, context=None, timeout=60):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=context or self.tls)

    def disconnect(self):
        with self.lock:
            if self.connection is not None:
                self.connection.close()
                self.connection = None

    def request(self, method, path, body=None, headers=None, token=None):
        """(status, object or text). As the administrator over one connection that is kept, or with a
        token over one of its own."""
        fields = {"Accept": "application/json", "User-Agent": "berth-test", **(headers or {})}
        if token is not None:
            fields["Authorization"] = "Bearer " + token
        if body is not None:
            fields.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        if token is not None:
            connection = self.connect()
            try:
                return self.exchange(connection, method, path, body, fields)
            finally:
                connection.close()
        with self.lock:
            if self.connection is None:
                self.connection = self.connect(self.admin_tls)
            try:
                return self.exchange(self.connection, method, path, body, fields)
            except BaseException:
                self.connection.close()
                self.connection = None
                raise

    @staticmethod
    def exchange(connection, method, path, body, fields):
        connection.request(method, path, body, fields)
        response = connection.getresponse()
        text = response.read().decode()
        kind = response.getheader("Content-Type", "")
        return response.status, json.loads(text) if kind.startswith("application/json") else text

    def call(self, method, path, body=None, headers=None):
        """What the API answers to the administrator; an error if it refuses."""
        status, answer = self.request(method, path, body, headers)
        if not 200 <= status < 300:
            text = answer.get("message") if isinstance(answer, dict) else answer
            raise ClusterError(f"{method} {path}: {status}: {text}")
        return answer

    def merge(self, path, patch):
        return self.call("PATCH", path, patch, {"Content-Type": "application/merge-patch+json"})

    # --- objects ---

    def collection(self, item, namespace="default"):
        """Where objects of this kind are, by asking the server."""
        version, kind = item["apiVersion"], item["kind"]
        if (version, kind) not in self.resources:
            group = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for resource in self.call("GET", group)["resources"]:
                if "/" not in resource["name"]:
                    self.resources[version, resource["kind"]] = (group, resource["name"],
                                                                 resource["namespaced"])
        if (version, kind) not in self.resources:
            raise ClusterError(f"the API has no {kind} of {version}")
        group, name, namespaced = self.resources[version, kind]
        if not namespaced:
            return f"{group}/{name}"
        namespace = item.get("metadata", {}).get("namespace", namespace)
        return f"{group}/namespaces/{namespace}/{name}"

    def create(self, objects, namespace="default", dry_run=False):
        """POST each of a list; what the server made of them."""
        query = "?dryRun=All" if dry_run else ""
        return [self.call("POST", self.collection(item, namespace) + query, item)
                for item in objects]

    def apply(self, objects, namespace="default"):
        """Create each of a list; one that is there already is patched to be like it."""
        made = []
        for item in objects:
            place = self.collection(item, namespace)
            status, answer = self.request("POST", place, item)
            if status == 409:
                answer = self.merge(f"{place}/{item['metadata']['name']}", item)
            elif not 200 <= status < 300:
                raise ClusterError(f"POST {place}: {status}: {answer}")
            made.append(answer)
        return made

    def create_namespace(self, name):
        """With the service account that a pod in it needs, which a controller would make."""
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
        self.service_account(name, "default")

    def service_account(self, namespace, name):
        return self.apply([{"apiVersion": "v1", "kind": "ServiceAccount",
                            "metadata": {"name": name, "namespace": namespace},
                            "automountServiceAccountToken": False}])[0]

    def token(self, namespace, name, seconds=600):
        """A token of a service account by TokenRequest; 600 s is the least that the API grants."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        answer = self.call("POST", path, {"apiVersion": "authentication.k8s.io/v1",
                                          "kind": "TokenRequest",
                                          "spec": {"expirationSeconds": seconds}})
        return answer["status"]["token"]

    def may(self, namespace, name, rules):
        """A ClusterRole with these rules, bound to the service account."""
        group = "rbac.authorization.k8s.io"
        role = f"{namespace}-{name}"
        return self.apply([
            {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": role},
             "rules": rules},
            {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": role},
             "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
             "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}]}])

    def kubeconfig(self, name="kubeconfig", **options):
        """Writes one into the directory of the cluster; see credentials.write_kubeconfig."""
        options.setdefault("ca", self.ca)
        return credentials.write_kubeconfig(self.directory / name,
                                            options.pop("server", self.server), **options)

    # --- pods ---

    def pod(self, name, namespace="default", node=None, annotations=None, labels=None, requests=None,
            limits=None, containers=("main",), init_containers=(), **spec):
        """Create one that is bound to a node from birth; requests and limits are each container's.
        node "" leaves it unbound. Returns the object (uid: ["metadata"]["uid"])."""
        def container(entry):
            base = {"name": entry} if isinstance(entry, str) else dict(entry)
            resources = {key: value for key, value in (("requests", requests), ("limits", limits))
                         if value}
            return {"image": "registry.invalid/none:1", "resources": resources, **base}

        node = self.node if node is None else node
        body = {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "annotations": annotations or {}, "labels": labels or {}},
                "spec": {"containers": [container(entry) for entry in containers],
                         "initContainers": [container(entry) for entry in init_containers],
                         "automountServiceAccountToken": False, **spec}}
        if node:
            body["spec"]["nodeName"] = node
        return self.create([body], namespace)[0]

    def pod_path(self, name, namespace="default"):
        return f"/api/v1/namespaces/{namespace}/pods/{name}"

    def bind(self, name, node, namespace="default"):
        """What the scheduler does."""
        self.call("POST", self.pod_path(name, namespace) + "/binding",
                  {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                   "target": {"apiVersion": "v1", "kind": "Node", "name": node}})

    def annotate(self, name, annotations, namespace="default"):
        """A value of None removes it."""
        return self.merge(self.pod_path(name, namespace), {"metadata": {"annotations": annotations}})

    def label(self, name, labels, namespace="default"):
        return self.merge(self.pod_path(name, namespace), {"metadata": {"labels": labels}})

    def pod_status(self, name, containers, phase="Running", namespace="default", init_containers=()):
        """containers: {name: "containerd://ID", or None while it waits}, as kubelet reports them."""
        def entry(key, identity):
            state = {"running": {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}
            return {"name": key, "image": "registry.invalid/none:1", "imageID": "",
                    "containerID": identity or "", "ready": bool(identity), "restartCount": 0,
                    "started": bool(identity), "lastState": {},
                    "state": state if identity else {"waiting": {"reason": "ContainerCreating"}}}

        status = {"phase": phase,
                  "containerStatuses": [entry(*item) for item in containers.items()]}
        if init_containers:
            status["initContainerStatuses"] = [entry(*item) for item in init_containers.items()]
        return self.merge(self.pod_path(name, namespace) + "/status", {"status": status})

    def pod_delete(self, name, namespace="default", grace=0):
        return self.call("DELETE", self.pod_path(name, namespace),
                         {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace})

    def events(self, namespace=None):
        """Those of one namespace, or all."""
        place = f"/api/v1/namespaces/{namespace}/events" if namespace else "/api/v1/events"
        return self.call("GET", place)["items"]
