#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The plugin that docs/plugins.md prints is the one that is built and tested."""
import difflib
import pathlib
import re
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    code = (root / "tests/plugin/modules/example.c").read_text()
    page = (root / "docs/plugins.md").read_text()
    blocks = re.findall(r"^```c\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    if code in blocks:
        print(f"docs/plugins.md holds example.c: {len(code.splitlines())} lines")
        return 0
    nearest = max(blocks, key=len, default="")
    sys.stdout.writelines(difflib.unified_diff(code.splitlines(True), nearest.splitlines(True),
                                               "tests/plugin/modules/example.c",
                                               "docs/plugins.md"))
    return 1


sys.exit(main())
