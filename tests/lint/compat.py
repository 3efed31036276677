#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/metrics-compat.md: each expression in its middle column names what exists, and the names with
a star are those that compat-cadvisor.rules.yaml records.

    compat.py SOURCE_ROOT BERTHD PLUGIN_DIR
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "prometheus"))

import families  # noqa: E402
import yamlfile  # noqa: E402


def expressions(cell):
    """Those of a cell; `{...}` alone stands for the metric before it with other labels."""
    metric = None
    for code in re.findall(r"`([^`]+)`", cell):
        code = code.replace("\\|", "|")
        if code.startswith("{"):
            yield f"{metric}{code}"
        elif "berth_" in code:
            metric = re.match(r"\w*", code).group()
            yield code


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    known = families.of_berthd(*sys.argv[2:4])
    page = (root / "docs/metrics-compat.md").read_text()
    errors, checked = [], 0
    starred = set()
    for line in page.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 3 or cells[0].startswith("---"):
            continue
        starred |= set(re.findall(r"`(container_\w+)[^`]*` \*", cells[0]))
        for expr in expressions(cells[1]):
            checked += 1
            errors += [f"{expr}: {error}" for error in families.check(expr, known)]
    recorded = {rule["record"]
                for rule in yamlfile.rules(root / "conf/prometheus/compat-cadvisor.rules.yaml")}
    errors += [f"{name}: recorded, but has no star" for name in recorded - starred]
    errors += [f"{name}: has a star, but is not recorded" for name in starred - recorded]
    if checked < 40:
        errors.append(f"only {checked} expressions were found")
    print("\n".join(sorted(errors)))
    print(f"{checked} expressions: {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
