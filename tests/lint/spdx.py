#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every file that git tracks has an SPDX line, but for data that cannot carry one."""
import pathlib
import subprocess
import sys

DATA = ("tests/fixture/", "tests/fuzz/corpus/")
BARE = {".gitignore", ".clang-format", ".clang-tidy", "LICENSE", "LICENSES/GPL-2.0-only.txt"}
SUFFIXES = {".md", ".json", ".png"}


def main():
    root = pathlib.Path(sys.argv[1])
    names = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True,
                           capture_output=True, text=True).stdout.split("\0")[:-1]
    missing = []
    for name in names:
        if name.startswith(DATA) or name in BARE or pathlib.Path(name).suffix in SUFFIXES:
            continue
        with open(root / name, errors="replace") as file:
            if "SPDX-License-Identifier" not in file.read(400):
                missing.append(name)
    print("\n".join(f"{name}: no SPDX line" for name in missing) or f"{len(names)} files")
    return 1 if missing else 0


sys.exit(main())
