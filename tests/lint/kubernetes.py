#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold conf/kubernetes, the Containerfile and docs/kubernetes.md together, and to the daemon.

    kubernetes.py SOURCE_ROOT BERTHD [PLUGIN_DIR]

What the API itself makes of the manifests is tests/kube/test-manifests.py's.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

PATCHES = {"patch-network.yaml", "patch-cache.yaml"}
OPT_IN = {"rbac-kubelet.yaml", *PATCHES}
MAY = {("", "pods"): {"get", "list", "watch"}, ("", "events"): {"create"},
       ("", "pods/eviction"): {"create"}}
MAY_KUBELET = {("", "nodes/proxy"): {"get"}}
CAPABILITIES = {"DAC_OVERRIDE", "KILL", "SYS_PTRACE", "BPF", "PERFMON", "SYSLOG"}
# Node's path: read-only
HOST_PATHS = {"/sys/fs/cgroup": False, "/run/berth": False, "/var/lib/berth": False,
              "/run/dbus": True}
# Which package of the image has what the programs are linked to; None: the base image has it.
LIBRARIES = {"libc.so.6": None, "libm.so.6": None, "libgcc_s.so.1": None,
             "libsystemd.so.0": "libsystemd0", "libyaml-0.so.2": "libyaml-0-2",
             "libgnutls.so.30": "libgnutls30", "libcrypt.so.1": "libcrypt1",
              "libisal.so.2": "libisal2", "libbpf.so.1": "libbpf1",
              "libmicrohttpd.so.12": "libmicrohttpd12", "libjansson.so.4": "libjansson4",
              "libcurl.so.4": "libcurl4"}
# Loaded at run time by src/common/http/load.c.
LOADED = {"libcurl4"}


class Report:
    def __init__(self):
        self.errors = []

    def expect(self, condition, text):
        if not condition:
            self.errors.append(text)


def load(path):
    """The documents of a YAML file. python3-yaml is the system's; this Python may be another one."""
    program = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
    reasons = []
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", program], input=path.read_text(), check=False,
                              capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout)
        reasons.append(done.stderr.strip().splitlines()[-1])
    sys.exit(f"{path}: {'; '.join(reasons)} (scripts/deps test installs python3-yaml)")


def check_rbac(report, name, objects, wanted):
    roles = [item for item in objects if item["kind"] == "ClusterRole"]
    bindings = [item for item in objects if item["kind"] == "ClusterRoleBinding"]
    report.expect(len(roles) == len(bindings) == 1 and len(objects) == 2,
                  f"{name}: not one ClusterRole and its binding")
    may = {}
    for rule in roles[0]["rules"]:
        report.expect(set(rule) == {"apiGroups", "resources", "verbs"}, f"{name}: rule {rule}")
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                may.setdefault((group, resource), set()).update(rule["verbs"])
    report.expect(may == wanted, f"{name}: grants {may}, not {wanted}")
    report.expect(bindings[0]["roleRef"]["name"] == roles[0]["metadata"]["name"],
                  f"{name}: binds another role")
    return [subject for subject in bindings[0]["subjects"] if subject["kind"] == "ServiceAccount"]


def check_security(report, pod, container):
    report.expect("privileged" not in json.dumps(pod), "daemonset.yaml: privileged")
    report.expect(pod.get("hostPID") is True, "daemonset.yaml: no hostPID")
    for key in ("hostNetwork", "hostIPC", "shareProcessNamespace"):
        report.expect(not pod.get(key), f"daemonset.yaml: {key}")
    context = container["securityContext"]
    report.expect(context.get("allowPrivilegeEscalation") is False and
                  context.get("readOnlyRootFilesystem") is True,
                  "daemonset.yaml: allowPrivilegeEscalation or a root that can be written")
    report.expect(context["capabilities"].get("drop") == ["ALL"] and
                  set(context["capabilities"].get("add", [])) == CAPABILITIES,
                  f"daemonset.yaml: capabilities {context['capabilities']}")
    report.expect(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
                  "daemonset.yaml: seccompProfile")


def check_mounts(report, pod, container, policy):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    report.expect(volumes.keys() == mounts.keys(), "daemonset.yaml: volumes without mounts")
    found = {}
    for name, volume in volumes.items():
        mount = mounts[name]
        # A subPath is never brought up to date.
        report.expect("subPath" not in mount, f"daemonset.yaml: subPath of {name}")
        if "hostPath" in volume:
            found[volume["hostPath"]["path"]] = mount.get("readOnly", False)
            report.expect(mount["mountPath"] == volume["hostPath"]["path"],
                          f"daemonset.yaml: {name} is elsewhere than on the node")
    report.expect(found == HOST_PATHS, f"daemonset.yaml: host paths {found}")
    config = [volume for volume in volumes.values() if "configMap" in volume]
    report.expect(len(config) == 1 and config[0]["configMap"]["name"] == policy and
                  mounts[config[0]["name"]]["mountPath"] == "/etc/berth/berth.d",
                  "daemonset.yaml: the ConfigMap is not at /etc/berth/berth.d")


def check_patches(report, root, files, daemonset):
    """Each adds what it says and nothing else, and kustomization.yaml has its line, commented out."""
    wanted = {"patch-network.yaml": ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
                                     ["NET_ADMIN"], {"/sys/fs/bpf": True}),
              "patch-cache.yaml": ({}, [], {"/sys/fs/resctrl": False})}
    text = (root / "conf/kubernetes/kustomization.yaml").read_text()
    added = daemonset["spec"]["template"]["spec"]["containers"][0]["securityContext"][
        "capabilities"]["add"]
    report.expect("patches" not in files["kustomization.yaml"][0], "kustomization.yaml: a patch is on")
    for name, (keys, capabilities, paths) in wanted.items():
        patch = files[name][0]
        pod = patch["spec"]["template"]["spec"]
        container = pod["containers"][0]
        report.expect(f"#patches:\n" in text and f"#  - path: {name} #" in text,
                      f"kustomization.yaml: no line for {name}")
        report.expect(all(patch[key] == daemonset[key] for key in ("apiVersion", "kind")) and
                      all(value == daemonset["metadata"][key]
                          for key, value in patch["metadata"].items()), f"{name}: of what?")
        report.expect({key: value for key, value in pod.items()
                       if key not in ("containers", "volumes")} == keys, f"{name}: {pod}")
        context = container.get("securityContext", {})
        report.expect(context == ({"capabilities": {"add": [*added, *capabilities]}}
                                  if capabilities else {}), f"{name}: {context}")
        report.expect(set(container) <= {"name", "securityContext", "volumeMounts"} and
                      container["name"] == "berthd", f"{name}: {container}")
        found = {}
        for volume, mount in zip(pod["volumes"], container["volumeMounts"]):
            report.expect(volume["name"] == mount["name"] and
                          volume["hostPath"]["path"] == mount["mountPath"], f"{name}: {mount}")
            found[mount["mountPath"]] = mount.get("readOnly", False)
        report.expect(found == paths, f"{name}: host paths {found}")


def check_ports(report, root, berthd, options, template):
    said = subprocess.run([berthd, *options, "--dump-fields"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    fields = {key: default for key, _, default, *_ in
              (line.split("\t") for line in said.splitlines())}
    port = int(fields["metrics.listen"].strip('"').rpartition(":")[2])
    container = template["spec"]["containers"][0]
    ports = {entry["name"]: entry["containerPort"] for entry in container["ports"]}
    report.expect(ports == {"metrics": port}, f"daemonset.yaml: ports {ports}, not {port}")
    report.expect(template["metadata"]["annotations"]["prometheus.io/port"] == str(port),
                  "daemonset.yaml: prometheus.io/port")
    routes = (root / "src/agentd/api/control/control.c").read_text()
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        get = container[probe]["httpGet"]
        report.expect(get == {"path": path, "port": "metrics"}, f"daemonset.yaml: {probe} {get}")
        report.expect(f'"{path}"' in routes, f"berthd has no {path}")


def check_policy(report, root, berthd, options, data):
    for extra in ("", "zebra: 1\n"):
        with tempfile.TemporaryDirectory(prefix="berth-policy-") as name:
            directory = pathlib.Path(name)
            for key, text in data.items():
                report.expect(key.endswith(".yaml"), f"configmap.yaml: {key} would not be read")
                # As the kubelet mounts it.
                (directory / "..data").mkdir(exist_ok=True)
                (directory / "..data" / key).write_text(text + extra)
                (directory / key).symlink_to(f"..data/{key}")
            done = subprocess.run(
                [berthd, *options, "--config", root / "conf/berth.yaml", "--dropin-dir", directory,
                 "--check-config"], check=False, capture_output=True, text=True)
        if extra:
            report.expect(done.returncode != 0, "a ConfigMap with an unknown key is accepted")
        else:
            report.expect(done.returncode == 0, f"configmap.yaml is refused: {done.stderr}")


def needed(program):
    text = subprocess.run(["readelf", "-d", program], check=True, capture_output=True,
                          text=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", text))


def check_image(report, root, berthd, plugins, version, pod):
    text = (root / "Containerfile").read_text()
    base = re.search(r"^ARG BASE=(\S+)$", text, re.M).group(1)
    report.expect(re.search(r":bookworm-\d{8}-slim$|@sha256:[0-9a-f]{64}$", base),
                  f"Containerfile: {base} floats")
    report.expect(set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${BASE}"},
                  "Containerfile: another base image")
    instructions = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for word in ("curl ", "wget", "git clone", "pip", "ADD "):
        report.expect(word not in instructions, f"Containerfile: {word}")
    report.expect(f"-t berth:{version} " in text, f"Containerfile: not berth:{version}")
    report.expect(pod["containers"][0]["image"] == f"berth:{version}",
                  f"daemonset.yaml: the image is not berth:{version}")
    packages = set(re.findall(r"^ {8}(lib\S+) \\$", text, re.M))
    wanted = set(LOADED)
    programs = [berthd, berthd.parent.parent / "ctl/berthctl", *plugins.glob("*.so")]
    for program in programs:
        for library in needed(program):
            if library.startswith("ld-linux"):
                continue
            report.expect(library in LIBRARIES, f"{program} needs {library}: of which package?")
            wanted.add(LIBRARIES.get(library))
    report.expect(packages == wanted - {None},
                  f"Containerfile: installs {sorted(packages)}, needed are {wanted - {None}}")


def check_doc(report, root, files):
    text = (root / "docs/kubernetes.md").read_text()
    for word in sorted(CAPABILITIES | HOST_PATHS.keys() | files):
        report.expect(f"`{word}`" in text, f"docs/kubernetes.md says nothing of `{word}`")
    for link in re.findall(r"\]\(([^)#]+)", text):
        report.expect(link.startswith("https://") or (root / "docs" / link).exists(),
                      f"docs/kubernetes.md: {link} is not there")


def main(source, berthd, plugin_dir=None):
    root, berthd = pathlib.Path(source).resolve(), pathlib.Path(berthd).resolve()
    plugins = pathlib.Path(plugin_dir) if plugin_dir else berthd.parent.parent / "plugins"
    options = ["--plugin-dir", plugins]
    version = re.search(r"version: '([^']+)'", (root / "meson.build").read_text()).group(1)
    files = {path.name: load(path) for path in (root / "conf/kubernetes").glob("*.yaml")}
    report = Report()

    kustomization = files["kustomization.yaml"][0]
    report.expect(set(kustomization["resources"]) | OPT_IN | {"kustomization.yaml"} == set(files),
                  "kustomization.yaml: not every file, or one that is not there")
    report.expect([(image["name"], image["newTag"]) for image in kustomization["images"]] ==
                  [("berth", version)], f"kustomization.yaml: the image is not berth:{version}")
    namespace = files["namespace.yaml"][0]["metadata"]["name"]
    account = files["serviceaccount.yaml"][0]["metadata"]
    policy = files["configmap.yaml"][0]
    daemonset = files["daemonset.yaml"][0]
    for name, thing in (("serviceaccount", account), ("configmap", policy["metadata"]),
                        ("daemonset", daemonset["metadata"])):
        report.expect(thing["namespace"] == namespace, f"{name}.yaml: not in {namespace}")
    report.expect(kustomization["namespace"] == namespace, "kustomization.yaml: namespace")
    for name, wanted in (("rbac.yaml", MAY), ("rbac-kubelet.yaml", MAY_KUBELET)):
        subjects = check_rbac(report, name, files[name], wanted)
        report.expect([(one["name"], one["namespace"]) for one in subjects] ==
                      [(account["name"], namespace)], f"{name}: {subjects}")

    template = daemonset["spec"]["template"]
    pod = template["spec"]
    report.expect(template["metadata"]["labels"].items() >=
                  daemonset["spec"]["selector"]["matchLabels"].items(), "daemonset.yaml: selector")
    report.expect(pod["serviceAccountName"] == account["name"] and
                  pod["automountServiceAccountToken"] is True, "daemonset.yaml: service account")
    report.expect(pod["priorityClassName"] == "system-node-critical" and
                  pod["tolerations"] == [{"operator": "Exists"}],
                  "daemonset.yaml: not on every node")
    report.expect({"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
                  in pod["containers"][0]["env"], "daemonset.yaml: no NODE_NAME")
    check_security(report, pod, pod["containers"][0])
    check_patches(report, root, files, daemonset)
    check_mounts(report, pod, pod["containers"][0], policy["metadata"]["name"])
    check_ports(report, root, berthd, options, template)
    check_policy(report, root, berthd, options, policy["data"])
    check_image(report, root, berthd, plugins, version, pod)
    check_doc(report, root, set(files))
    print("\n".join(report.errors))
    print(f"{len(files)} manifests: {len(report.errors)} errors")
    return 1 if report.errors else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
