# SPDX-License-Identifier: Apache-2.0
"""Debian's packaged kernels, downloaded and unpacked into the cache, never installed."""

import fcntl
import glob
import os
import re
import shutil
import subprocess
import tempfile

# What a series' signed image packages are called; the newest one is taken.
SERIES = {
    "6.1": r"linux-image-6\.1\.0-\d+-{flavour}amd64",
    "6.12": r"linux-image-6\.12\.\d+\+deb12-{flavour}amd64",
}


class Unavailable(Exception):
    """This machine has no way to such a kernel; the text says why."""


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "berth", "kernels")


def numbers(name):
    return [int(digits) for digits in re.findall(r"\d+", name)]


def available_packages(pattern):
    """Names known to apt that match, oldest first."""
    try:
        text = subprocess.run(
            ["apt-cache", "pkgnames", "linux-image-6."], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    names = [name for name in text.split() if re.fullmatch(pattern, name)]
    return sorted(names, key=numbers)


def newest_package(pattern):
    names = available_packages(pattern)
    if not names and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=False)
        names = available_packages(pattern)
    if not names:
        raise Unavailable("apt knows no such kernel here (no apt lists, or not Debian 12)")
    return names[-1]


def download(package, directory):
    """Fetch and unpack into directory/tree; its vmlinuz moves to directory/vmlinuz."""
    result = subprocess.run(
        ["apt-get", "download", "-q", package], cwd=directory, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    archives = glob.glob(os.path.join(directory, "*.deb"))
    if result.returncode or not archives:
        raise Unavailable(f"apt-get download {package} failed: {result.stderr.strip()}")
    subprocess.run(["dpkg-deb", "-x", archives[0], directory], check=True)
    os.unlink(archives[0])
    image = glob.glob(os.path.join(directory, "boot", "vmlinuz-*"))
    os.rename(image[0], os.path.join(directory, "vmlinuz"))


def fetch(series, flavour):
    """The path of the newest cached kernel of the series; fetched when there is none.

    A kernel in the cache is used as it is, without asking apt: boots must not need the network.
    """
    prefix = "cloud-" if flavour == "cloud" else ""
    pattern = SERIES[series].format(flavour=prefix)
    cache = cache_directory()
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = [name for name in os.listdir(cache) if re.fullmatch(pattern, name)]
        for name in sorted(cached, key=numbers, reverse=True):
            image = os.path.join(cache, name, "vmlinuz")
            if os.path.exists(image):
                return image
        package = newest_package(pattern)
        # Unpacked beside and renamed when whole: a run that is killed leaves no half kernel.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as directory:
            tree = os.path.join(directory, package)
            os.mkdir(tree)
            download(package, tree)
            os.rename(tree, os.path.join(cache, package))
        return os.path.join(cache, package, "vmlinuz")
