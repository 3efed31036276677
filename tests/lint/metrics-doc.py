#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/metrics.md lists the daemon's own families just as `berthd --dump-metrics` has them."""
import pathlib
import re
import subprocess
import sys


def main():
    root, berthd = pathlib.Path(sys.argv[1]), sys.argv[2]
    dump = subprocess.run([berthd, "--dump-metrics"], capture_output=True, text=True,
                          check=True).stdout
    code = {}
    for line in dump.splitlines():
        name, kind, labels, text = line.split("\t")
        code[name] = (kind, labels.replace(",", ", "), text)
    page = {}
    for name, kind, labels, text in re.findall(
            r"^\| `(berth_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$",
            (root / "docs/metrics.md").read_text(), re.MULTILINE):
        page[name] = (kind, labels.strip().replace("`", ""), text.strip())

    errors = [f"{name}: not in docs/metrics.md" for name in code.keys() - page.keys()]
    errors += [f"{name}: in docs/metrics.md, but berthd has no such family"
               for name in page.keys() - code.keys()]
    errors += [f"{name}: docs/metrics.md says {page[name]}, berthd {code[name]}"
               for name in code.keys() & page.keys() if page[name] != code[name]]
    for name, (kind, _, text) in code.items():
        if (kind == "counter") != name.endswith("_total"):
            errors.append(f"{name}: a counter's name ends in _total, another's does not")
        if not text.endswith("."):
            errors.append(f"{name}: its help is not a sentence")
    if not code:
        errors.append("berthd --dump-metrics printed nothing")
    print("\n".join(sorted(errors)))
    print(f"{len(code)} families: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
