#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: a message with file:line:column and what was expected, and exit status 78."""
import subprocess

from berthtest import Daemon, arguments, check

CASES = [
    ("unknown key", "dry_runn: true\n", "berth.yaml:1:1: dry_runn", "dry_run"),
    ("wrong type", "dry_run: maybe\n", "berth.yaml:1:10: dry_run", "true"),
    ("range", "actions: {per_minute: 100000}\n", "berth.yaml:1:23: actions.per_minute", "10000"),
    ("duplicate key", "dry_run: true\ndry_run: false\n", "berth.yaml:2:1: dry_run", "duplicate"),
    ("alias", "node: &a {name: x}\nrules: *a\n", "berth.yaml:1:", "anchor"),
    ("syntax", "rules: [\n", "berth.yaml:2:", ""),
    ("plugin's key", "plugins: {colocation: {cpu: {weigh: 1}}}\n",
     "berth.yaml:1:30: plugins.colocation.cpu.weigh", ""),
    ("plugin's name", "plugins: {colocatoin: {}}\n", "berth.yaml:1:11: plugins.colocatoin",
     "colocation"),
    ("the daemon's key and a plugin's", "dry_runn: true\nplugins: {colocation: {cpu: {weigh: 1}}}\n",
     "berth.yaml:2:30: plugins.colocation.cpu.weigh", ""),
    ("two plugins", "plugins: {exporter: {x: 1}, colocation: {cpu: {weigh: 1}}}\n",
     "berth.yaml:1:48: plugins.colocation.cpu.weigh", "plugins.exporter.x"),
]


def main():
    build = arguments().build
    with Daemon(build, "") as daemon:
        for what, text, place, expected in CASES:
            daemon.write_policy(text)
            result = subprocess.run(daemon.command("--check-config"), capture_output=True, text=True,
                                    check=False)
            check(result.returncode == 1, f"{what}: --check-config gave {result.returncode}")
            check(place in result.stderr and expected in result.stderr,
                  f"{what}: expected '{place}' and '{expected}' in:\n{result.stderr}")
            result = subprocess.run([str(daemon.build / "src/ctl/berthctl"), "check",
                                     "--plugin-dir", str(daemon.plugin_dir), str(daemon.config)],
                                    capture_output=True, text=True, check=False)
            check(result.returncode == 1 and place in result.stdout + result.stderr,
                  f"{what}: berthctl check: {result.returncode} {result.stdout}{result.stderr}")
            daemon.spawn()
            check(daemon.process.wait(20) == 78, f"{what}: berthd gave {daemon.process.returncode}")
            print(f"ok {what}")
        daemon.write_policy("x: " + "y" * (1 << 20) + "\n")
        result = subprocess.run(daemon.command("--check-config"), capture_output=True, text=True,
                                check=False)
        check(result.returncode == 1 and "berth.yaml" in result.stderr, "a file over the limit")
        print("ok a file over the limit")


main()
