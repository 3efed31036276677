# SPDX-License-Identifier: Apache-2.0
"""YAML files. python3-yaml is the system's; the Python that runs may be another one."""
import json
import subprocess
import sys

PROGRAM = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"


def load(path):
    """The one document of a file."""
    reasons = []
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", PROGRAM], input=path.read_text(), check=False,
                              capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout)[0]
        reasons.append((done.stderr.strip().splitlines() or ["no output"])[-1])
    sys.exit(f"{path}: {'; '.join(reasons)} (scripts/deps test installs python3-yaml)")


def rules(path):
    """The rules of a rule file, in one list."""
    return [rule for group in load(path)["groups"] for rule in group["rules"]]
