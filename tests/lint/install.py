#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything is installed where it belongs, and a policy that was edited is kept."""
import json
import pathlib
import subprocess
import sys
import tempfile

# Below the build's directories, by option.
EXPECTED = {
    "bindir": ["berthctl"],
    "sbindir": ["berthd"],
    "libdir": ["berth/colocation.so", "berth/exporter.so"],
    "includedir": ["berth/berth-plugin.h"],
    "mandir": ["man1/berthctl.1", "man5/berth.yaml.5", "man8/berthd.8"],
    "datadir": ["bash-completion/completions/berthctl",
                "doc/berth/web-config.example.yaml",
                *(f"doc/berth/kubernetes/{name}.yaml" for name in (
                    "configmap", "daemonset", "kustomization", "namespace", "patch-cache",
                    "patch-network", "rbac-kubelet", "rbac",
                    "serviceaccount")),
                "berth/grafana/berth.json",
                *(f"berth/prometheus/{name}" for name in (
                    "berth.alerts.yaml", "berth.rules.yaml", "compat-cadvisor.rules.yaml",
                    "podmonitor.yaml", "prometheus.yml", "prometheus-kubernetes.yml",
                    "prometheus-tls.yml"))],
    "sysconfdir": ["berth/berth.yaml", "berth/berth.d/README"],
}
# Where systemd looks below /usr and /usr/local alike, whatever libdir is.
SYSTEMD = ["systemd/system/berthd.service", "systemd/system/berthd.socket", "systemd/system/berth-restore.service",
           "sysusers.d/berth.conf", "tmpfiles.d/berth.conf"]


def install(build, directory):
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir",
                    directory], check=True, stdout=subprocess.DEVNULL)


def expected_files(options):
    prefix = pathlib.Path(options["prefix"])
    files = {prefix / "lib" / name for name in SYSTEMD}
    for option, names in EXPECTED.items():
        files |= {prefix / options[option] / name for name in names}
    return files


def main():
    berthd = pathlib.Path(sys.argv[2]).resolve()
    build = berthd.parents[2]
    answer = subprocess.run(["meson", "introspect", "--buildoptions", build], capture_output=True,
                            text=True, check=True).stdout
    options = {option["name"]: option["value"] for option in json.loads(answer)}
    errors = []
    with tempfile.TemporaryDirectory(prefix="berth-install-") as name:
        root = pathlib.Path(name)
        install(build, root)
        found = {pathlib.Path("/") / path.relative_to(root): path
                 for path in root.rglob("*") if not path.is_dir()}
        expected = expected_files(options)
        errors += [f"{path} is not installed" for path in expected - found.keys()]
        errors += [f"{path} is installed, but nobody expects it" for path in found.keys() - expected]
        for path, real in found.items():
            runs = path.parent.name in ("bin", "sbin") or path.suffix == ".so"
            mode = 0o755 if runs else 0o644
            if real.stat().st_mode & 0o777 != mode:
                errors.append(f"{path}: mode {real.stat().st_mode & 0o777:o}, not {mode:o}")
            if path.suffix == ".service":
                program = next(line.split("=", 1)[1].split()[0]
                               for line in real.read_text().splitlines()
                               if line.startswith("ExecStart="))
                if pathlib.Path(program) not in found:
                    errors.append(f"{path} starts {program}, which is not installed")
        policy = found.get(pathlib.Path(options["prefix"]) / options["sysconfdir"] /
                           "berth/berth.yaml")
        if policy:
            policy.write_text("dry_run: true\n")
            install(build, root)
            if policy.read_text() != "dry_run: true\n":
                errors.append("a second installation overwrites the administrator's policy")
    print("\n".join(sorted(errors)))
    print(f"{len(found)} files: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
