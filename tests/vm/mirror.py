# SPDX-License-Identifier: Apache-2.0
"""Where this machine gets Debian from, by its own apt configuration."""

import subprocess

FIELDS = "$(ORIGIN)|$(RELEASE)|$(CODENAME)|$(REPO_URI)"
# What debootstrap can fetch from. Not apt's own mirror+file:, tor+http: or cdrom:.
METHODS = ("http://", "https://", "file:/")


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def choose(listing, suite):
    """The mirror of suite in lines of FIELDS; "" when there is none."""
    rows = [line.split("|") for line in listing.splitlines()]
    rows = [row for row in rows if len(row) == 4 and suite in row[1:3]
            and row[3].startswith(METHODS)]  # fmt: skip
    # The origin is known when the lists were fetched; others than Debian use its suite names, too.
    for origin in ("Debian", ""):
        for row in rows:
            if row[0] == origin:
                return row[3].rstrip("/")
    return ""


def find(suite):
    """The mirror as apt is told, in sources.list or *.sources; "" for the fetcher's own default."""
    listing = output(
        "apt-get", "indextargets", "--format", FIELDS, "Identifier: Packages", "Component: main"
    )
    return choose(listing, suite)


def proxy():
    """Environment variables for the proxies that apt goes through."""
    found = {}
    for scheme in ("http", "https"):
        value = output("apt-config", "shell", "value", f"Acquire::{scheme}::Proxy").strip()
        value = value.removeprefix("value=").strip("'")
        if value and value != "DIRECT":
            found[scheme + "_proxy"] = value
    return found
