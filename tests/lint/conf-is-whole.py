#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold conf/berth.yaml and man/berth.yaml.5 to the field tables of berthd and its plugins.

    conf-is-whole.py SOURCE_ROOT BERTHD [PLUGIN_DIR]

- conf/berth.yaml is valid as shipped and with every key's comment mark removed; and berthd, asked
  the same way, does refuse a file with a key that does not exist.
- conf/berth.yaml and the man page have every key of `berthd --dump-fields`, at its default (the man
  page with its type, too), and no other.

In conf/berth.yaml a key line is `#key: value` (at any indentation), text is `# text`, and sections
stand without a mark.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

KEY_LINE = re.compile(r"^( *)(#?)([A-Za-z0-9_-]+):(?: +(.*))?$")


class Page:
    """What one file says of each key, and what is wrong with it."""

    def __init__(self, path):
        self.path = path
        self.keys = {}
        self.errors = []

    def error(self, number, text):
        self.errors.append(f"{self.path}:{number}: {text}")

    def add(self, number, key, said):
        if key in self.keys:
            self.error(number, f"{key} is there twice")
        self.keys[key] = (number, said)


def read_conf(path):
    """Keys with their values, and the text with every key's mark removed."""
    page = Page(path)
    sections = []  # (indentation, name)
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text == "#" or text.startswith("# "):
            lines.append(line)
            continue
        found = KEY_LINE.match(line)
        if not found:
            page.error(number, "neither '# text', '#key: value' nor 'section:'")
            continue
        indent, mark, name, value = found.groups()
        while sections and sections[-1][0] >= len(indent):
            sections.pop()
        dotted = ".".join([section for _, section in sections] + [name])
        if mark and value:
            page.add(number, dotted, value)
        elif not mark and not value:
            sections.append((len(indent), name))
        else:
            page.error(number, f"{dotted}: a key has a '#' and a value, a section has neither")
        lines.append(f"{indent}{name}:" + (f" {value}" if value else ""))
    return page, "\n".join(lines) + "\n"


def read_man(path):
    """Keys with "TYPE; default VALUE." as the page has it."""
    page = Page(path)
    lines = path.read_text().splitlines()
    in_keys = False
    for number, line in enumerate(lines, 1):
        if line.startswith(".SH"):
            in_keys = line == ".SH KEYS"
        if not in_keys or line != ".TP":
            continue
        tag, said = lines[number : number + 2]
        if not tag.startswith(".B "):
            page.error(number + 1, "below KEYS every .TP is followed by '.B key'")
            continue
        page.add(number + 1, tag[3:], said.replace("\\-", "-").replace("\\(dq", '"'))
    return page


def read_fields(berthd, options):
    """[(key, type, default)]"""
    done = subprocess.run(
        [berthd, *options, "--dump-fields"], check=True, text=True, stdout=subprocess.PIPE
    )
    return [tuple(line.split("\t")[:3]) for line in done.stdout.splitlines()]


def compare(page, wanted):
    """wanted: what the page must say of each key."""
    for key, said in wanted.items():
        number, is_said = page.keys.get(key, (0, None))
        if is_said is None:
            page.errors.append(f"{page.path}: {key} is missing; it is: {said}")
        elif is_said != said:
            page.error(number, f"{key}: '{is_said}', but the code has '{said}'")
    for key, (number, _) in page.keys.items():
        if key not in wanted:
            page.error(number, f"{key} is no key of the code")


def check(berthd, options, text):
    with tempfile.NamedTemporaryFile("w", prefix="berth-conf-", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(
            [berthd, *options, "--check-config", file.name],
            check=False,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return done.returncode, done.stderr.replace(file.name, "conf/berth.yaml")


def main(source, berthd, plugin_dir=None):
    source = pathlib.Path(source)
    options = ["--plugin-dir", plugin_dir] if plugin_dir else []
    conf, whole = read_conf(source / "conf" / "berth.yaml")
    man = read_man(source / "man" / "berth.yaml.5")
    fields = read_fields(berthd, options)
    if len(fields) < 10:
        conf.errors.append(f"{berthd} --dump-fields has only {len(fields)} keys")
    compare(conf, {key: default for key, _, default in fields})
    compare(man, {key: f"{kind}; default {default}." for key, kind, default in fields})
    errors = conf.errors + man.errors
    for name, text in (("as shipped", conf.path.read_text()), ("uncommented", whole)):
        status, said = check(berthd, options, text)
        if status != 0:
            errors.append(f"conf/berth.yaml {name} is refused ({status}):\n{said}")
    if check(berthd, options, whole + "zebra: 1\n")[0] == 0:
        errors.append(f"{berthd} --check-config accepts a key that does not exist")
    for error in errors:
        print(error, file=sys.stderr)
    if not errors:
        print(f"{len(fields)} keys are in conf/berth.yaml and man/berth.yaml.5")
    return 1 if errors else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
