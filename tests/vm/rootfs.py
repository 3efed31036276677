# SPDX-License-Identifier: Apache-2.0
"""Small Debians with systemd as disk images, made once by debootstrap and cached, for scenarios that
need the real service manager (`# needs: systemd`) or real virtual machines (`# needs: libvirt`). The
disk is never written to: Berth and the scenario come with the initramfs (stage1)."""

import fcntl
import glob
import os
import shutil
import subprocess
import tempfile

import mirror

SUITE = "bookworm"
VERSION = "6"  # of these recipes: a change makes the images anew

# What berthd, berthctl and a service manager need.
BASE = ("systemd", "systemd-sysv", "dbus", "libyaml-0-2", "libmicrohttpd12", "libjansson4", "libbpf1",
        "libisal2", "libcurl4", "busybox-static")
# Domains are emulated, inside the emulated guest. polkitd, which libvirt depends on, wants a logind,
# and debootstrap does not choose among those who provide one.
LIBVIRT = ("systemd-container", "libpam-systemd", "libvirt-daemon-system", "libvirt-clients",
           "qemu-system-x86")
PACKAGES = {"systemd": BASE, "libvirt": BASE + LIBVIRT}

# Documentation, locales, package lists; what only an installation, a screen or another machine
# needs of QEMU, perl, glibc and libvirt.
DROP = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/zoneinfo", "usr/share/info",
        "usr/share/perl", "usr/share/iso-codes", "usr/share/xml", "var/cache/apt", "var/lib/apt",
        "usr/lib/udev/hwdb.d", "usr/lib/udev/hwdb.bin", "usr/lib/x86_64-linux-gnu/gconv",
        "usr/lib/x86_64-linux-gnu/gstreamer-1.0", "usr/lib/ipxe", "usr/libexec/qemu-system-i386",
        "usr/bin/qemu-system-i386", "usr/bin/qemu-system-x86_64-microvm",
        "usr/bin/qemu-storage-daemon", "usr/share/qemu/[!bklmpv]*", "usr/share/qemu/bamboo.dtb",
        "usr/share/qemu/palcode-clipper", "usr/share/qemu/vof.bin", "usr/share/qemu/keymaps",
        # A dozen processes at each daemon-reload, for disks and consoles that are not there. Kept is
        # systemd-debug-generator, which knows systemd.wants= of the kernel's command line.
        "usr/lib/systemd/system-generators/systemd-[!d]*")
# Of no use in a guest without devices, network or logins, and slow to start under emulation.
MASK = ("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket",
        "systemd-udevd-kernel.socket", "systemd-logind.service", "systemd-timesyncd.service",
        "systemd-resolved.service", "getty.target", "console-getty.service",
        "serial-getty@ttyS0.service", "apt-daily.timer", "apt-daily-upgrade.timer",
        "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer",
        "logrotate.timer", "cron.service", "polkit.service", "libvirt-guests.service")
FILES = {
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost guest\n",
}
# There is no udev to give libvirt's user its devices.
FILES_LIBVIRT = {
    "etc/libvirt/qemu.conf": 'security_driver = "none"\nuser = "root"\ngroup = "root"\n',
}


class Unavailable(Exception):
    """The reason why this machine cannot have it."""


def path(flavour):
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "berth", f"{flavour}-{SUITE}-{VERSION}.ext4")


def remove(place):
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)


def install(root, packages):
    """A Debian below root, without what packages only recommend."""
    found = mirror.find(SUITE)
    command = ["debootstrap", "--variant=minbase", "--include=" + ",".join(packages), SUITE, root]
    result = subprocess.run(
        command + [found] * bool(found), env={**os.environ, **mirror.proxy()},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        raise Unavailable("debootstrap: " + (result.stdout.strip().splitlines() or ["failed"])[-1])


def trim(root, files):
    """Down to what the guest needs, and set up for it."""
    for pattern in DROP:
        for place in glob.glob(os.path.join(root, pattern)):
            remove(place)
    for name in MASK:
        place = os.path.join(root, "etc/systemd/system", name)
        remove(place)
        os.symlink("/dev/null", place)
    for name, text in files.items():
        with open(os.path.join(root, name), "w", encoding="utf-8") as stream:
            stream.write(text)


def image(root, target):
    """An ext4 image of the tree: neither a mount nor a loop device is needed for that."""
    used = int(subprocess.run(["du", "-sm", root], capture_output=True, text=True, check=True)
               .stdout.split()[0])  # fmt: skip
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, target,
                    f"{used + used // 4 + 256}M"], stdout=subprocess.DEVNULL, check=True)  # fmt: skip


def make(flavour, target):
    for tool in ("debootstrap", "mke2fs"):
        if not shutil.which(tool):
            raise Unavailable(f"a Debian with {flavour} needs {tool}: scripts/deps vm")
    if os.geteuid() != 0:
        raise Unavailable(f"a Debian with {flavour} is made once, by root")
    with tempfile.TemporaryDirectory(prefix="berth-rootfs-", dir=os.path.dirname(target)) as scratch:
        root = os.path.join(scratch, "root")
        install(root, PACKAGES[flavour])
        trim(root, FILES | (FILES_LIBVIRT if flavour == "libvirt" else {}))
        image(root, os.path.join(scratch, "image"))
        os.rename(os.path.join(scratch, "image"), target)


def fetch(flavour):
    """The image's path; made when it is missing. One at a time."""
    target = path(flavour)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(target):
            make(flavour, target)
    return target
