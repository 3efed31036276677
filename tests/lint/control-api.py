#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/control-api.md names every request of the control API and every key of its answers, and no
key that there is not.

    control-api.py SOURCE_ROOT [...]
"""
import pathlib
import re
import sys

# Values of keys, and what berthctl and /metrics add.
WORDS = {"berth", "time", "workload", "cpu", "device", "host", "net", "v1", "v2", "null", "berthctl",
         "off", "starting", "ready", "down", "unavailable", "running", "quarantined", "annotation",
         "rule", "pod", "default", "batch", "status", "workloads", "top", "knobs", "history",
         "plugins", "capabilities", "version", "reload", "restore", "check", "import", "explain"}


def main(root):
    root = pathlib.Path(root)
    page = (root / "docs/control-api.md").read_text()
    named = set(re.findall(r"`([a-z][a-z0-9_]*)`", page))
    statuses = {"written", "pending", "failed", "yielded", "paused", "shadowed"}
    keys, routes = set(), set()
    for path in sorted((root / "src/agentd/api/control").glob("*.c")):
        text = path.read_text()
        routes |= set(re.findall(r'\{ "(?:GET|POST)", "(/[^"]+)"', text))
        keys |= set(re.findall(r'json_(?:set_\w+|object_set(?:_new)?)\(\s*\w+,\s*"(\w+)"', text))
        keys |= {f"{key}_text" for key in re.findall(r'json_set_errno\(\s*\w+,\s*"(\w+)"', text)}
        keys |= set(re.findall(r'pressure_add\(\w+, "(\w+)"', text))
    keys |= set(re.findall(r'\[IO_\w+\] = "(\w+)"', (root / "src/common/sample.c").read_text()))
    errors = [f"docs/control-api.md does not name the key '{key}'" for key in sorted(keys - named)]
    errors += [f"docs/control-api.md names '{word}', which is no key of an answer"
               for word in sorted(named - keys - WORDS - statuses)]
    errors += [f"docs/control-api.md does not name {route}" for route in sorted(routes)
               if route != "/" and not re.search(rf"{re.escape(route)}[`\[?]", page)]
    if len(keys) < 100 or len(routes) < 10:
        errors.append(f"{len(keys)} keys, {len(routes)} requests: this test no longer fits the code")
    for error in errors:
        print(error)
    print(f"{len(keys)} keys, {len(routes)} requests: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
