#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/from-rubik.md names every key that `berthctl import rubik` reads, and no other; Berth's keys in
it exist, as far as this build has the service; each test that it names is there.

    from-rubik.py SOURCE_ROOT BERTHD [PLUGIN_DIR]
"""
import pathlib
import re
import subprocess
import sys

# Where the rows of a table in src/ctl/import/rubik*.c belong. `resource` and the like are read by
# code, and have a row so that they are known.
SECTIONS = {"agent_fields": "agent", "preemption_fields": "preemption",
            "quota_turbo_fields": "quotaTurbo", "dyn_memory_fields": "dynMemory",
            "dyn_cache_fields": "dynCache", "node_fields": "ioCost",
            "device_fields": "ioCost.config", "psi_fields": "psi", "cpu_fields": "cpuevict",
            "memory_fields": "memoryevict"}
PREFIX = "plugins.colocation."


def part(text, name):
    """What stands between the marks of that name."""
    found = re.search(rf"<!-- >>> {name} -->\n(.*?)<!-- <<< {name} -->", text, re.DOTALL)
    return found.group(1) if found else ""


def keys_of_code(root):
    """Every key of every table."""
    keys = set()
    for path in sorted((root / "src/ctl/import").glob("rubik*.c")):
        for name, rows in re.findall(r"struct import_field (\w+)\[\] = \{\n(.*?)\n\};",
                                     path.read_text(), re.DOTALL):
            if name not in SECTIONS:
                sys.exit(f"{path}: the table {name} is not in {sys.argv[0]}")
            for macro, key in re.findall(r"^\t(?:(\w+)\(|\{ )\"([\w.]+)\"", rows, re.MULTILINE):
                keys.add(f"{SECTIONS[name]}.{'param.' if macro == 'MODEL' else ''}{key}")
    return keys


def fields_of(berthd, plugin_dir):
    options = ["--plugin-dir", plugin_dir] if plugin_dir else []
    dump = subprocess.run([berthd, *options, "--dump-fields"], capture_output=True, text=True,
                          check=True).stdout
    return {line.split("\t")[0] for line in dump.splitlines()}


def berth_faults(rows, fields):
    """Keys of the third column that the build does not have, though it has their service."""
    services = services_of(fields)
    for row in rows:
        for key in re.findall(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+)(?:: \w+)?`", row.split(" | ")[2]):
            service = key.split(".")[0]
            if service in services and PREFIX + key not in fields:
                yield f"`{key}` is no key of Berth"
            if service not in services and "sources" not in service and key not in fields:
                print(f"not in this build: {key}")


def services_of(fields):
    return {key[len(PREFIX):].split(".")[0] for key in fields if key.startswith(PREFIX)}


def test_faults(root, rows, services):
    """A case of one service begins with its name; without the service it is only told."""
    for row in rows:
        service = re.match(r"\| `(\w+)`: ", row)
        if service and service.group(1) not in services:
            print(f"not in this build: the cases of {service.group(1)}")
            continue
        for path, names in re.findall(r"`(tests/[^`]+)`(?:: ((?:`\w+`(?:, )?)+))?", row):
            file = root / path
            if not file.exists():
                yield f"{path} is not there"
                continue
            text = file.read_text()
            for name in re.findall(r"`(\w+)`", names):
                if not re.search(rf"(?:def |void ){name}\(", text):
                    yield f"{path} has no {name}"


def main():
    root, berthd, *plugin_dir = sys.argv[1:]
    root = pathlib.Path(root)
    text = (root / "docs/from-rubik.md").read_text()
    keys = part(text, "rubik keys").splitlines()[2:]
    cases = part(text, "cases").splitlines()[2:]
    told = [key for row in keys for key in re.findall(r"`(\w+(?:\.\w+)+)`", row.split(" | ")[0])]
    code = keys_of_code(root)
    errors = [f"{key} is read, and docs/from-rubik.md does not tell" for key in code - set(told)]
    errors += [f"{key} is told, and no table has it" for key in set(told) - code]
    errors += [f"{key} is told twice" for key in set(told) if told.count(key) > 1]
    fields = fields_of(berthd, plugin_dir[0] if plugin_dir else None)
    errors += berth_faults(keys, fields)
    errors += test_faults(root, cases, services_of(fields))
    if len(code) < 30 or len(cases) < 10:
        errors.append("this test no longer fits what it reads")
    for error in sorted(errors):
        print(error)
    print(f"{len(code)} keys, {len(cases)} cases: {len(errors)} errors")
    return 1 if errors else 0


sys.exit(main())
