#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents tell a reader to type exists.

    snippets.py SOURCE_ROOT BERTHD [PLUGIN_DIR]

In docs/, README.md, the comments of conf/ and the man pages:

- each policy is one that `berthctl check` takes. A policy is a ```yaml block, and any other block
  that begins with a section of the policy. A ```yaml block that is something else says so behind
  the word: "web-config" (held to the same command), "wrong" (the next block is what berthctl prints
  of it, to the letter), and others that are not looked into. That a file which is named is not
  there is no fault of a snippet.
- each `berthctl COMMAND`, its options and those of `berthd` are in their --help.
- each key of the policy in a code span exists, and its value, where one stands there, is valid.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

KINDS = {"", "web-config", "wrong", "annotation", "example-plugin", "prometheus"}


class Lint:
    def __init__(self, berthd, plugins, directory):
        self.berthctl = berthd.parent.parent / "ctl" / "berthctl"
        self.plugins, self.directory = plugins, directory
        self.errors, self.counts = [], {}
        self.commands = self.help_commands(str(self.berthctl))
        self.takes = set()  # options whose value may be the next word
        self.options = {"berthd": self.help_options(str(berthd))}
        for command in ["", *self.commands]:
            self.options[command] = self.help_options(str(self.berthctl), *command.split())
        dumped = subprocess.run([berthd, "--plugin-dir", plugins, "--dump-fields"], check=True,
                                capture_output=True, text=True).stdout
        self.keys = {line.split("\t")[0] for line in dumped.splitlines() if "\t" in line}
        self.keys |= {"overrides"}
        self.sections = {key.split(".")[0] for key in self.keys}

    def help_commands(self, program):
        page = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
        return re.findall(r"^  ([a-z-]+) ", page.split("Commands:\n")[1].split("\n\n")[0],
                          re.MULTILINE)

    def help_options(self, *command):
        page = subprocess.run([*command, "--help"], check=True, capture_output=True, text=True).stdout
        for pair in re.findall(r"^ +(?:(-\w), )?(--[a-z-]+)(?:=| [A-Z])", page, re.MULTILINE):
            self.takes |= set(pair)
        return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z])(?![\w-])", page))

    def error(self, place, text):
        self.errors.append(f"{place}: {text}")

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def check(self, text, name="policy.yaml"):
        """(status, what it says)"""
        (self.directory / name).write_text(text)
        done = subprocess.run([self.berthctl, "check", "--plugin-dir", self.plugins, name],
                              check=False, cwd=self.directory, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def policy(self, place, text):
        self.count("policies")
        status, said = self.check(text)
        for line in said.splitlines() if status else []:
            if "No such file or directory" not in line:
                self.error(place, f"`berthctl check` refuses it: {line}")

    def web_config(self, place, text):
        (self.directory / "web-config.yaml").write_text(text)
        self.policy(place, f"metrics: {{web_config_file: {self.directory}/web-config.yaml}}\n")

    def wrong(self, place, text, printed):
        name = printed.split(":")[0]
        status, said = self.check(text, name if re.fullmatch(r"[\w.-]+", name) else "policy.yaml")
        if status != 1 or said.strip() != printed.strip():
            self.error(place, f"`berthctl check` prints this ({status}):\n{said.rstrip()}")

    def block(self, place, kind, text, printed):
        if kind == "wrong":
            self.wrong(place, text, printed)
        elif kind == "web-config":
            self.web_config(place, text)
        elif not kind:
            self.policy(place, text)
        elif kind not in KINDS:
            self.error(place, f"'{kind}' is no kind of snippet: {', '.join(sorted(KINDS - {''}))}")

    def is_policy(self, text):
        first = next((line for line in text.splitlines() if line and line[0] != "#"), "")
        return first.split(":")[0] in self.sections and ":" in first

    def command(self, place, text):
        """One shell command that begins with berthctl or berthd."""
        words = re.split(r"[|;&>#]", text)[0].split()
        program, options = words[0], [word.split("=")[0] for word in words if word[0] == "-"]
        name = "berthd" if program == "berthd" else ""
        if program == "berthctl":
            name = next((word for before, word in zip(words, words[1:])
                         if before not in self.takes and re.fullmatch(r"[a-z][a-z-]*", word)), "")
            if name and name not in self.commands:
                self.error(place, f"'{text}': berthctl has no command '{name}'")
                return
        self.count("commands")
        for option in options:
            if option != "-" and option not in self.options[name]:
                self.error(place, f"'{text}': no such option: {option}")

    def span(self, place, text):
        """What stands between backticks."""
        if re.match(r"berth(ctl|d) ", text):
            self.command(place, text)
            return
        found = re.fullmatch(r"([a-z_]+(?:\.[a-z0-9_]+)*)(?:: (\S.*))?", text)
        if not found or "." not in found[1] and not found[2]:
            return
        key, value = found.groups()
        if key.split(".")[0] not in self.sections:
            key = f"plugins.colocation.{key}"
            if key not in self.keys:
                return  # another program's
        elif not any(known == key or known.startswith(key + ".") for known in self.keys):
            self.error(place, f"`{text}`: the policy has no such key")
            return
        self.count("keys")
        if value and key in self.keys:
            words = key.split(".")
            status, said = self.check("{" + ": {".join(words) + f": {value}" + "}" * len(words))
            if status != 0 and re.search(r"expected|unknown|not allowed", said):
                self.error(place, f"`{text}`: {said.strip()}")


def blocks_of(lines):
    """(number, info or None, text) of each block, fenced (info) or indented (None) as in Markdown."""
    number = 0
    while number < len(lines):
        line, first = lines[number], number + 1
        fence = re.match(r"```(.*)", line)
        indented = line.startswith("    ") and (number == 0 or not lines[number - 1].strip())
        if fence:
            end = next((i for i in range(first, len(lines)) if lines[i].startswith("```")),
                       len(lines))
            yield first, fence[1].strip(), "\n".join(lines[first:end]) + "\n"
            number = end
        elif indented:
            end = next((i for i in range(first, len(lines))
                        if lines[i].strip() and not lines[i].startswith("    ")), len(lines))
            yield first, None, "\n".join(part[4:] for part in lines[number:end]).rstrip() + "\n"
            number = end - 1
        number += 1


def lint_blocks(lint, name, lines):
    blocks = list(blocks_of(lines))
    for i, (number, info, text) in enumerate(blocks):
        place = f"{name}:{number}"
        language, _, kind = (info or "").partition(" ")
        if language == "yaml":
            lint.block(place, kind, text, blocks[i + 1][2] if i + 1 < len(blocks) else "")
        elif not language and lint.is_policy(text):
            lint.policy(place, text)
        elif language in ("", "sh"):
            for offset, line in enumerate(text.splitlines()):
                for found in re.finditer(r"(?:^|\| |-- )(berth(?:ctl|d)(?: .*)?)", line.strip()):
                    lint.command(f"{name}:{number + offset + (info is not None)}", found[1])


def lint_spans(lint, name, text):
    for number, line in enumerate(text.splitlines(), 1):
        for span in re.findall(r"`([^`]+)`", line):
            lint.span(f"{name}:{number}", span)


def lint_markdown(lint, root, path):
    name, text = path.relative_to(root), path.read_text()
    lint_blocks(lint, name, text.splitlines())
    lint_spans(lint, name, re.sub(r"^```.*?^```", lambda found: "\n" * found[0].count("\n"), text,
                                  flags=re.MULTILINE | re.DOTALL))


def lint_conf(lint, root, path):
    """Comments are Markdown."""
    name, text = path.relative_to(root), path.read_text()
    comments = [re.sub(r"^#(?: |$)", "", line.strip()) if line.strip().startswith("#") else ""
                for line in text.splitlines()]
    lint_blocks(lint, name, comments)
    lint_spans(lint, name, text)


def lint_man(lint, root, path):
    name, text = path.relative_to(root), path.read_text().replace("\\-", "-").replace("\\(aq", "'")
    lines = text.splitlines()
    for found in re.finditer(r"^\.(?:nf|EX)\n(.*?)^\.(?:fi|EE)", text, re.MULTILINE | re.DOTALL):
        number = text[:found.start(1)].count("\n") + 1
        if lint.is_policy(found[1]):
            lint.policy(f"{name}:{number}", found[1])
        for line in found[1].splitlines():
            if line.startswith(("berthctl ", "berthd ")):
                lint.command(f"{name}:{number}", line)
    for number, line in enumerate(lines, 1):
        found = re.match(r'\.(?:B|BR) "?(berth(?:ctl|d) [a-z-][^".]*)', line)
        if found:
            lint.command(f"{name}:{number}", found[1])


def lint_all(lint, root):
    for path in sorted([*(root / "docs").glob("*.md"), root / "README.md"]):
        lint_markdown(lint, root, path)
    for path in sorted((root / "conf").rglob("*.y*ml")):
        lint_conf(lint, root, path)
    for path in sorted((root / "man").glob("*.[1-8]")):
        lint_man(lint, root, path)
    if lint.counts.get("policies", 0) < 15 or lint.counts.get("commands", 0) < 50 or \
            lint.counts.get("keys", 0) < 30:
        lint.errors.append(f"{lint.counts}: this test no longer finds what it is for")
    for error in lint.errors:
        print(error)
    print(f"{lint.counts}: {len(lint.errors)} errors")
    return 1 if lint.errors else 0


def main(root, berthd, plugins=None):
    root, berthd = pathlib.Path(root).resolve(), pathlib.Path(berthd).resolve()
    plugins = pathlib.Path(plugins or berthd.parent.parent / "plugins").resolve()
    with tempfile.TemporaryDirectory(prefix="berth-snippets-") as directory:
        return lint_all(Lint(berthd, plugins, pathlib.Path(directory)), root)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
