#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/metrics.md are what `berthd --dump-metrics` says, plugins included.

    metrics-doc.py SOURCE_ROOT BERTHD [PLUGIN_DIR] [--write]

--write puts them there; without it a difference is an error.
"""
import pathlib
import re
import subprocess
import sys

HEAD = "| name | type | labels | meaning |\n|---|---|---|---|\n"


def families(berthd, plugin_dir):
    """[(name, type, labels, help, plugin)]"""
    options = ["--plugin-dir", plugin_dir] if plugin_dir else []
    dump = subprocess.run([berthd, *options, "--dump-metrics"], capture_output=True, text=True,
                          check=True).stdout
    return [tuple(line.split("\t")) for line in dump.splitlines()]


def label(text):
    """`mode`: user, system"""
    name, _, values = text.partition("=")
    return f"`{name}`" + (f": {', '.join(values.split('|'))}" if values else "")


def table(rows):
    separator = {True: "; ", False: ", "}
    lines = []
    for name, kind, labels, text, _ in rows:
        said = separator["=" in labels].join(label(one) for one in labels.split(",") if one)
        lines.append(f"| `{name}` | {kind} | {said} | {text} |\n")
    return HEAD + "".join(lines)


def put(page, name, text):
    """The page with the text between the marks of that name; None without the marks."""
    begin, end = f"<!-- >>> {name} -->\n", f"<!-- <<< {name} -->\n"
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    return before + begin + text + end + after if found and found_end else None


def faults(rows):
    seen = set()
    for name, kind, _, text, _ in rows:
        if (kind == "counter") != name.endswith("_total"):
            yield f"{name}: a counter's name ends in _total, another's does not"
        if not text.endswith("."):
            yield f"{name}: its help is not a sentence"
        if not re.fullmatch(r"berth_[a-z0-9_]+", name):
            yield f"{name}: not a name of ours"
        if name in seen:
            yield f"{name}: there twice"
        seen.add(name)


def main(arguments):
    write = "--write" in arguments
    root, berthd, *plugin_dir = [a for a in arguments if a != "--write"]
    rows = families(berthd, plugin_dir[0] if plugin_dir else None)
    path = pathlib.Path(root) / "docs/metrics.md"
    page = text = path.read_text()
    errors = list(faults(rows))
    parts = {"daemon": [row for row in rows if not row[4]],
             "plugins": [row for row in rows if row[4]]}
    for name, part in parts.items():
        if not part:
            errors.append(f"berthd --dump-metrics has no families of: {name}")
        text = put(text, name, table(part))
        if text is None:
            errors.append(f"{path}: no marks '<!-- >>> {name} -->' and '<!-- <<< {name} -->'")
            break
    if text and text != page:
        if write and not errors:
            path.write_text(text)
        else:
            old = page.splitlines()
            errors += [f"{path}: not what berthd says: {line}"
                       for line in text.splitlines() if line not in old]
            errors += [f"{path}: berthd does not say: {line}"
                       for line in old if line not in text.splitlines()]
            errors.append("run it with --write")
    print("\n".join(errors))
    print(f"{len(rows)} families: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
