#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/knobs.md lists the knob table just as `berthd --dump-knobs` has it."""
import pathlib
import subprocess
import sys

COLUMNS = ["name", "controller", "v1 file", "v2 file", "type", "range", "merge", "drift", "flags",
           "locks", "help", "source"]
# The page has the table in two halves, each of which begins with the name.
HALVES = [COLUMNS[:10], ["name", "help", "source"]]


def cells(line):
    return [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]


def page_halves(text):
    """The rows of each half by name; a row that comes twice is an error."""
    halves, errors, current = [{}, {}], [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            current = None
            continue
        row = cells(line)
        if row in HALVES:
            current = HALVES.index(row)
        elif current is not None and set(line) - set("|- "):
            if row[0] in halves[current]:
                errors.append(f"{row[0]}: twice in one table of docs/knobs.md")
            halves[current][row[0]] = row
    return halves, errors


def main():
    root, berthd = pathlib.Path(sys.argv[1]), sys.argv[2]
    dump = subprocess.run([berthd, "--dump-knobs"], capture_output=True, text=True,
                          check=True).stdout
    halves, errors = page_halves((root / "docs/knobs.md").read_text())
    names = set()
    for line in dump.splitlines():
        row = line.split("\t")
        if len(row) != len(COLUMNS):
            errors.append(f"--dump-knobs: {len(row)} columns, not {len(COLUMNS)}: {line}")
            continue
        names.add(row[0])
        if not row[10].endswith("."):
            errors.append(f"{row[0]}: its help is not a sentence")
        for half, want in zip(halves, (row[:10], [row[0]] + row[10:])):
            have = half.get(row[0])
            if have is None:
                errors.append(f"{row[0]}: missing in a table of docs/knobs.md")
            elif have != want:
                errors.append(f"{row[0]}: docs/knobs.md says {have}, berthd {want}")
    for half in halves:
        errors += [f"{name}: in docs/knobs.md, but berthd has no such knob"
                   for name in half.keys() - names]
    if not names:
        errors.append("berthd --dump-knobs printed nothing")
    print("\n".join(sorted(errors)))
    print(f"{len(names)} knobs: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
