# SPDX-License-Identifier: Apache-2.0
"""A /proc/qos that does what openEuler's bwm.ko does (oncn-bwm, module version 1.1), for kernels
without it. `bwmfs.py DIR MAP` mounts it and serves it until it is ended.

The module takes a line, cuts its last character whatever that is, and has root's shell run bwmcli
with the rest. To enable and disable it says yes whatever bwmcli said. A bandwidth or water line that
bwmcli did not take gives write(2) bwmcli's status for a count of bytes, which no program takes for
success; a file system in user space may not, and says EIO. What bwmcli took reads back as it was
written, and before that as an empty line. bwmcli knows of no value before a device was switched on,
which is when MAP appears, for good.

Beside the module's files there is .mock: JSON of what was run; "refuse" written to it makes bwmcli
fail, "take" ends that.
"""
import errno
import json
import os
import pathlib
import re
import signal
import stat
import sys

import fusefs

BUFFER = 128
UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
MEBI = 1 << 20
HIGHEST = 9999 << 30
ASK = "please write <nspid> to net_qos_{0} to {0} qos"


class Bwm:
    def __init__(self, map_path):
        self.map = pathlib.Path(map_path)
        self.values = {"net_qos_bandwidth": "", "net_qos_waterline": ""}
        self.status = ""
        self.enabled = set()  # inode numbers of namespaces
        self.ran = []
        self.refuses = False

    # ---- bwmcli ----

    @staticmethod
    def amount(text):
        match = re.fullmatch(r"(0|[1-9][0-9]*)([a-z]+)", text)
        if len(text) > 16 or not match or match[2] not in UNITS:
            return None
        return int(match[1]) * UNITS[match[2]]

    def takes(self, file, text):
        amounts = [self.amount(part) for part in text.split(",")]
        if self.refuses or not self.map.exists() or None in amounts or len(text) > 31:
            return False
        if file == "net_qos_waterline":
            return len(amounts) == 1 and 20 * MEBI <= amounts[0] <= HIGHEST
        return len(amounts) == 2 and MEBI <= amounts[0] <= amounts[1] <= HIGHEST

    @staticmethod
    def namespace(pid):
        try:
            return os.stat(f"/proc/{pid}/ns/net").st_ino if pid.isdigit() else None
        except OSError:
            return None

    # ---- the module ----

    def write(self, path, data):
        if path == ".mock":
            self.refuses = data.decode().strip() == "refuse"
            return
        if path not in self.files():
            raise OSError(errno.ENOENT, "")
        if not 0 < len(data) < BUFFER:
            return
        text = data[:-1].decode(errors="replace")
        self.ran.append([path, text])
        if path in self.values:
            if not self.takes(path, text):
                raise OSError(errno.EIO, "")
            self.values[path] = text
        elif path in ("net_qos_enable", "net_qos_disable"):
            namespace = self.namespace(text)
            if namespace is None:
                return
            if path == "net_qos_enable":
                self.enabled.add(namespace)
                self.map.touch()
            else:
                self.enabled.discard(namespace)
        elif path == "net_qos_devs":
            namespace = self.namespace(text)
            state = "enabled" if namespace in self.enabled else "disabled"
            if namespace is not None:
                self.status = f"{'lo':<16}: {state}"
        elif path == "net_qos_devstatus":
            self.status = text

    def files(self):
        return {"net_qos_enable": ASK.format("enable"), "net_qos_disable": ASK.format("disable"),
                "net_qos_devs": "please write <nspid> to net_qos_devs and read dev status from "
                                "net_qos_devstatus",
                "net_qos_devstatus": self.status, "net_qos_stats": "",
                "net_qos_version": "version:1.1", "net_qos_debug": "0", **self.values}

    def read(self, path):
        if path == ".mock":
            return json.dumps({"ran": self.ran}).encode()
        files = self.files()
        if path not in files:
            raise OSError(errno.ENOENT, "")
        return (files[path] + "\n").encode()

    # ---- files ----

    def list(self, path):
        return list(self.files()) if path == "" else None

    def mode(self, path):
        if path == "":
            return stat.S_IFDIR | 0o555
        return stat.S_IFREG | 0o644 if path == ".mock" or path in self.files() else None

    def mkdir(self, _path, _mode):
        raise OSError(errno.EPERM, "")

    def rmdir(self, _path):
        raise OSError(errno.EPERM, "")


def main():
    point, map_path = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fd = fusefs.mount(point)
    fusefs.unmount_at_sigterm(point)
    print("mounted", flush=True)
    fusefs.Server(Bwm(map_path), fd).serve()
    fusefs.unmount(point)


if __name__ == "__main__":
    main()
