#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command and option of `berthctl --help` is in its man page and its completion."""
import pathlib
import re
import subprocess
import sys


def help_of(berthctl, *words):
    return subprocess.run([berthctl, *words, "--help"], capture_output=True, text=True,
                          check=True).stdout


def section(text, title):
    """The indented lines under a title that begins a line."""
    found = re.search(rf"^{re.escape(title)}:\n((?:  .*\n)+)", text, re.MULTILINE)
    return found.group(1) if found else ""


def options_of(text, title):
    """(-n, --lines) of each row; the letter may be ''."""
    return re.findall(r"^  (?:(-\w), |    )(--[a-z-]+)", section(text, title), re.MULTILINE)


def man_plain(path):
    """The page without its markup, minus signs as they are typed."""
    text = path.read_text().replace("\\-", "-").replace("\\~", " ")
    return re.sub(r"\\f.", "", text)


def main():
    root, berthd = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    berthctl = berthd.parent.parent / "ctl" / "berthctl"
    completion = (root / "src/ctl/berthctl.bash").read_text()
    man = man_plain(root / "man/berthctl.1")
    errors = []

    page = help_of(berthctl)
    commands = re.findall(r"^  ([a-z-]+) ", section(page, "Commands"), re.MULTILINE)
    wanted = {"": options_of(page, "Options")}
    for command in commands:
        wanted[command] = options_of(help_of(berthctl, command), "Options of this command")
    if len(commands) < 10 or not wanted[""] or not any(wanted[c] for c in commands):
        errors.append("cannot read `berthctl --help`: this test no longer fits it")
    if commands != sorted(commands):
        errors.append("the commands of `berthctl --help` are not sorted")

    offered = re.search(r'local commands="([^"]*)"', completion)
    offered = offered.group(1).split() if offered else []
    if sorted(offered) != sorted(commands):
        errors.append(f"completion offers {offered}, berthctl has {commands}")
    described = re.search(r"^\.SH COMMANDS\n(.*?)^\.SH", man, re.MULTILINE | re.DOTALL)
    entries = re.findall(r"^\.TP\n\.B\w* ([a-z][a-z-]*)", described.group(1) if described else "",
                         re.MULTILINE)
    if entries != commands:
        errors.append(f"man page describes {entries}, berthctl has {commands}")

    for command, options in wanted.items():
        for option in (word for pair in options for word in pair if word):
            what = f"option {option}" + (f" of '{command}'" if command else "")
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", man):
                errors.append(f"{what} is not in man/berthctl.1")
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", completion):
                errors.append(f"{what} is not in src/ctl/berthctl.bash")

    for error in errors:
        print(error)
    print(f"{len(commands)} commands, {sum(len(o) for o in wanted.values())} options: "
          f"{len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
