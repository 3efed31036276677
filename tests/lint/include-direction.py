#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold the tree to one direction: which layer may include which (docs/architecture.md)."""
import pathlib
import re
import sys

# A layer may include itself and what is listed. A file that no layer claims is an error.
MAY = {
    "common": [],
    "agentd/limit": [],
    "agentd/settings": ["common", "agentd/limit"],
    "agentd/worker": ["common", "agentd/limit"],
    "agentd/workload": ["common", "agentd/limit", "agentd/settings"],
    "agentd/kube": ["common", "agentd/limit"],
    "agentd/source": ["common", "agentd/limit", "agentd/settings", "agentd/workload",
                      "agentd/kube", "agentd/worker"],
    "agentd/telemetry": ["common", "agentd/limit", "agentd/worker"],
    "agentd/actuator": ["common", "agentd/limit", "agentd/worker"],
    "agentd/metrics": ["common", "agentd/limit"],
    "agentd/plugin": ["common", "agentd/limit", "agentd/settings", "agentd/workload",
                      "agentd/telemetry", "agentd/actuator", "agentd/metrics", "agentd/worker"],
    "agentd/api": ["common", "agentd/limit", "agentd/settings", "agentd/workload",
                   "agentd/source", "agentd/telemetry", "agentd/actuator", "agentd/metrics",
                   "agentd/plugin", "agentd/worker"],
    # berthctl talks to the daemon over its socket; only `check` shares code: the readers of the
    # policy and of the web config (api/web/check.h).
    "ctl": ["common", "agentd/limit", "agentd/settings", "agentd/plugin", "agentd/api"],
}
# The same for directories of one layer; "" is what stands in none of them. One that is not listed
# may include all of its layer. actuator.h is the layer's own face, which all may include.
INSIDE = {
    "agentd/actuator": {
        "resctrl": [""], "process": ["", "resctrl"], "knob": ["", "resctrl"],
        "capability": ["", "knob", "process", "resctrl"], "journal": [""],
        "unit": ["", "knob", "journal"],
        "restore": ["", "knob", "process", "resctrl", "journal", "unit"],
        "slow": ["", "restore"], "action": ["", "slow"],
    },
    "agentd/telemetry": {"bpf": [], "stall": ["", "bpf"], "runqueue": ["", "bpf"], "perf": [""],
                         "collect": ["", "bpf"]},
    "agentd/api": {"web": [], "http": ["web"], "self": ["web"]},
    "common": {"": [], "config": [""], "http": [""]},
}
DAEMON = {"daemon", "daemon-internal", "daemon-page", "daemon-socket", "daemon-sources", "main", "reload", "incident", "instance",
          "config-watch", "failpoint", "listener", "trim", "evictor"}


def layer_of(path):
    """The layer of a path below src/, None for the daemon, which may include everything."""
    parts = path.parts
    if parts[0] == "common":
        return "common"
    if parts[0] == "ctl":
        return "ctl"
    if parts[0] == "plugins":
        return "/".join(parts[:2])
    if len(parts) > 2:
        return "/".join(parts[:2])
    stem = path.stem
    if stem in DAEMON:
        return None
    if stem.startswith("settings"):
        return "agentd/settings"
    return "agentd/" + stem


def room_of(path, layer):
    """The directory of a layer that a path below src/ is in; "" for none."""
    rest = path.parts[len(layer.split("/")):]
    return rest[0] if len(rest) > 1 else ""


def resolve(source, name, root):
    own = [root / "plugins" / source.relative_to(root).parts[1]] if "plugins" in source.parts else []
    for base in (source.parent, *own, root / "common", root / "agentd", root / "ctl"):
        path = base / name
        if path.exists():
            return path.resolve().relative_to(root.resolve())
    return None


def main():
    root = pathlib.Path(sys.argv[1]) / "src"
    errors, count = [], 0
    for source in sorted(root.rglob("*.[ch]")):
        layer = layer_of(source.relative_to(root))
        if layer is None:
            continue
        allowed = MAY.get(layer, ["common"] if layer.startswith("plugins/") else None)
        if allowed is None:
            errors.append(f"{source}: no layer is named '{layer}'; add it to {sys.argv[0]}")
            continue
        for line, text in enumerate(source.read_text().splitlines(), 1):
            found = re.match(r'\s*#include "([^"]+)"', text)
            if not found:
                continue
            target = resolve(source, found.group(1), root)
            if target is None:
                if not found.group(1).endswith(".skel.h"):
                    errors.append(f"{source}:{line}: {found.group(1)} is nowhere below src/")
                continue
            count += 1
            other = layer_of(target)
            if other != layer and other not in allowed:
                errors.append(f"{source}:{line}: {layer} must not include {target}")
            if other == layer:
                room, there = room_of(source.relative_to(root), layer), room_of(target, layer)
                rooms = INSIDE.get(layer, {}).get(room)
                if rooms is not None and there != room and there not in rooms:
                    errors.append(f"{source}:{line}: {layer}/{room} must not include {target}")
    print("\n".join(errors) if errors else f"{count} includes point the right way")
    return 1 if errors or count == 0 else 0


sys.exit(main())
