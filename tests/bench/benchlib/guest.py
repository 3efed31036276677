# SPDX-License-Identifier: Apache-2.0
"""Benchmarks that are a scenario of tests/vm: lines "WORD {json}" are figures, the rest is shown."""

import json
import os
import re
import subprocess

from . import Unable
from .daemon import DaemonFailed

RUNNER = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../vm/run"))


def run(options, word, scenario, *arguments, rig=()):
    """The figures of one boot, in order."""
    command = [RUNNER, "--build", options.build, "--cgroup", "v2", "--timeout", "1500", *rig]
    command += ["--no-build"] if options.no_build else []
    command += [scenario, *(str(argument) for argument in arguments)]
    figures = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            match = re.match(rf"(?:{word}) (\{{.*\}})\s*$", line)
            if match:
                figures.append(json.loads(match[1]))
            print(line, end="", flush=True)
    if process.returncode == 77:
        raise Unable("the VM cannot run here")
    if process.returncode or not figures:
        raise DaemonFailed(f"the scenario in the VM ended with {process.returncode}")
    return figures
