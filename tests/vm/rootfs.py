# SPDX-License-Identifier: Apache-2.0
"""A small Debian with systemd as an initramfs, made once by debootstrap and cached: for scenarios that
need the real service manager (`# needs: systemd`). Berth and the scenario come in a second archive
behind it; the kernel unpacks both."""

import fcntl
import os
import shutil
import subprocess
import tempfile

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What berthd, berthctl and a service manager need; no documentation, no locales.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "libyaml-0-2", "libmicrohttpd12", "libjansson4",
            "libcurl4", "busybox-static")
DROP = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/zoneinfo", "var/cache/apt",
        "var/lib/apt", "usr/share/perl", "usr/lib/udev/hwdb.d", "usr/lib/udev/hwdb.bin")
# Of no use in a guest without devices, network or logins, and slow to start under emulation.
MASK = ("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-logind.service",
        "systemd-timesyncd.service", "systemd-resolved.service", "getty.target",
        "console-getty.service", "serial-getty@ttyS0.service", "apt-daily.timer",
        "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer")
VERSION = "1"  # of this recipe: a change of it makes the archive anew


class Unavailable(Exception):
    """The reason why this machine cannot have it."""


def path():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "berth", f"systemd-{SUITE}-{VERSION}.cpio.gz")


def make(target):
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        raise Unavailable("a Debian with systemd needs debootstrap and root: scripts/deps vm")
    with tempfile.TemporaryDirectory(prefix="berth-rootfs-", dir=os.path.dirname(target)) as scratch:
        root = os.path.join(scratch, "root")
        result = subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES), SUITE, root,
             MIRROR], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode:
            raise Unavailable("debootstrap: " + (result.stdout.strip().splitlines() or ["failed"])[-1])
        for name in DROP:
            place = os.path.join(root, name)
            shutil.rmtree(place, ignore_errors=True)
            if os.path.isfile(place):
                os.unlink(place)
        units = os.path.join(root, "etc/systemd/system")
        for name in MASK:
            place = os.path.join(units, name)
            if os.path.lexists(place):
                os.unlink(place)
            os.symlink("/dev/null", place)
        os.symlink("/sbin/init", os.path.join(root, "init"))
        subprocess.run(
            "find . -xdev -print | busybox cpio -o -H newc 2>/dev/null | gzip -1 >../archive",
            shell=True, cwd=root, check=True)
        os.rename(os.path.join(scratch, "archive"), target)


def fetch():
    """The archive's path; made when it is missing. One at a time."""
    target = path()
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(target):
            make(target)
    return target
