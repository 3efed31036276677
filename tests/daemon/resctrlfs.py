# SPDX-License-Identifier: Apache-2.0
"""A resctrl that refuses what the kernel's refuses (fs/resctrl, Documentation/filesystems/resctrl.rst),
for hosts whose CPU has none. `resctrlfs.py DIR PROFILE` mounts it and serves it until it is ended.

Threads are the host's real ones: each is in a group, and one that was not seen before is in that of
the process that made it. Beside the kernel's files there is one, .mock, to which JSON is written
that sets counters ("mon") and reads back what was refused.
"""
import errno
import json
import os
import pathlib
import signal
import stat
import sys

import fusefs

ROOT = pathlib.Path("/proc")


def cache(name, domains, mask, least=1, shared=0, closids=16, rmids=256):
    return {"name": name, "domains": domains, "mask": mask, "least": least, "shared": shared,
            "closids": closids, "rmids": rmids}


def bandwidth(domains, most=100, least=10, step=10, linear=1, closids=8):
    return {"name": "MB", "domains": domains, "most": most, "lowest": least, "step": step,
            "linear": linear, "closids": closids}


PROFILES = {
    # Skylake: 11 ways, the upper two are the devices' too.
    "intel-11": [cache("L3", [0, 1], 0x7ff, shared=0x600), bandwidth([0, 1])],
    # Broadwell: at least two bits, no bandwidth.
    "intel-20": [cache("L3", [0, 1], 0xfffff, least=2, shared=0xc0000)],
    "intel-16-cdp": [cache("L3CODE", [0, 1], 0xffff, shared=0xc000, closids=8),
                     cache("L3DATA", [0, 1], 0xffff, shared=0xc000, closids=8),
                     bandwidth([0, 1])],
    # A group beside the default one, and no more.
    "intel-few": [cache("L3", [0], 0x7ff, closids=3)],
    # Groups enough, but monitoring ids for two only, the default one's among them.
    "intel-rmids": [cache("L3", [0], 0x7ff, rmids=2)],
    "intel-l2": [cache("L3", [0], 0xfff), cache("L2", list(range(0, 16, 2)), 0xff),
                 bandwidth([0])],
    # Two sockets of sub-NUMA clusters: an L3 each, numbered through.
    "intel-snc": [cache("L3", [0, 1, 2, 3], 0x7fff), bandwidth([0, 1, 2, 3], closids=15)],
    "intel-mbps": [cache("L3", [0, 1], 0x7ff), bandwidth([0, 1], most=4294967295)],
    # A core complex each; the second socket's begin at 8.
    "amd-ccx": [cache("L3", [0, 1, 2, 3, 8, 9, 10, 11], 0xffff),
                bandwidth([0, 1, 2, 3, 8, 9, 10, 11], most=2048, least=0, step=1, linear=0,
                          closids=16)],
    # Ids are those of the firmware's cache table.
    "arm-mpam": [cache("L3", [1, 257], 0xffffffff, closids=32),
                 bandwidth([1, 257], least=1, step=1, closids=32)],
}
FILES = ("cpus", "cpus_list", "mode", "schemata", "size", "tasks")


class Thread:
    """Who is there, from /proc: (tid, start) names one. Not the kernel's own, which are many."""
    kernel = {"2"}

    @staticmethod
    def stat(path):
        text = (path / "stat").read_text()
        fields = text[text.rindex(")") + 2:].split()
        return int(fields[1]), int(fields[19])  # parent, start

    @classmethod
    def all(cls):
        for process in ROOT.iterdir():
            if not process.name.isdigit() or process.name in cls.kernel:
                continue
            try:
                parent, _ = cls.stat(process)
                if parent == 2:
                    cls.kernel.add(process.name)
                    continue
                for task in (process / "task").iterdir():
                    _, start = cls.stat(task)
                    leader = task.name == process.name
                    yield int(task.name), start, parent if leader else int(process.name)
            except OSError:
                continue  # it has ended


class Resctrl:
    def __init__(self, profile):
        self.resources = profile
        self.groups = {}
        self.status = "ok"
        self.mon = {}
        self.refused = []
        self.threads = {}  # (tid, start): group
        self.make("", 0o755)
        self.look()

    # ---- threads ----

    def look(self):
        """Every thread that is there has a group; who is new has its maker's."""
        found = {}
        by_tid = {tid: group for (tid, _), group in self.threads.items()}
        for tid, start, maker in sorted(Thread.all(), key=lambda thread: thread[1]):
            group = self.threads.get((tid, start))
            if group is None:
                group = by_tid.get(maker, "")
            found[tid, start] = group
            by_tid[tid] = group
        self.threads = found

    def move(self, group, tid):
        self.look()
        for key in self.threads:
            if key[0] == tid:
                self.threads[key] = group
                return
        self.refuse(errno.ESRCH, f"No task {tid}")

    # ---- groups ----

    def refuse(self, number, why):
        self.status = why
        self.refused.append(why)
        raise OSError(number, why)

    def closids(self):
        return min(resource["closids"] for resource in self.resources)

    def make(self, name, mode):
        self.groups[name] = {"mode": mode, "share": "shareable", "values": {
            resource["name"]: {domain: resource.get("mask", resource.get("most"))
                               for domain in resource["domains"]}
            for resource in self.resources}}
        for resource in self.resources:
            for domain in resource["domains"] if "mask" in resource else []:
                taken = self.taken(resource, domain, name)
                self.groups[name]["values"][resource["name"]][domain] &= ~taken

    def taken(self, resource, domain, besides):
        bits = 0
        for name, group in self.groups.items():
            if name != besides and group["share"] == "exclusive":
                bits |= group["values"][resource["name"]][domain]
        return bits

    def mkdir(self, path, mode):
        self.status = "ok"
        if "/" in path:
            raise OSError(errno.EPERM, "")
        if "\n" in path:
            raise OSError(errno.EINVAL, "")
        if len(self.groups) >= self.closids():
            self.refuse(errno.ENOSPC, "Out of CLOSIDs")
        if len(self.groups) >= self.resources[0]["rmids"]:
            self.refuse(errno.ENOSPC, "Out of RMIDs")
        self.make(path, mode & 0o7777)

    def rmdir(self, path):
        if path not in self.groups or path == "":
            raise OSError(errno.EPERM, "")
        self.look()
        for key, group in self.threads.items():
            if group == path:
                self.threads[key] = ""
        del self.groups[path]

    # ---- schemata ----

    def check_mask(self, resource, domain, group, text):
        try:
            mask = int(text, 16)
        except ValueError:
            self.refuse(errno.EINVAL, f"Non-hex character in the mask {text}")
        if mask == 0 or mask > resource["mask"]:
            self.refuse(errno.EINVAL, "Mask out of range")
        run = mask >> ((mask & -mask).bit_length() - 1)
        if run & (run + 1):
            self.refuse(errno.EINVAL, f"The mask {mask:x} has non-consecutive 1-bits")
        if run.bit_length() < resource["least"]:
            self.refuse(errno.EINVAL, f"Need at least {resource['least']} bits in the mask")
        if mask & self.taken(resource, domain, group):
            self.refuse(errno.EINVAL, "Overlaps with exclusive group")
        return mask

    def check_bandwidth(self, resource, text):
        if not text.isdigit():
            self.refuse(errno.EINVAL, f"Non-decimal digit in MB value {text}")
        value = int(text)
        if resource["most"] == 100 and not resource["linear"]:
            self.refuse(errno.EINVAL, "No support for non-linear MB domains")
        if resource["most"] != 4294967295 and not (
                resource["lowest"] <= value <= resource["most"]):
            self.refuse(errno.EINVAL, f"MB value {value} out of range "
                        f"[{resource['lowest']},{resource['most']}]")
        step = resource["step"]
        return (value + step - 1) // step * step & 0xffffffff

    def write_schemata(self, name, text):
        self.status = "ok"
        if not text.endswith("\n"):
            raise OSError(errno.EINVAL, "")
        staged = []
        for line in text[:-1].split("\n"):
            resource_name, colon, values = line.partition(":")
            if not colon:
                self.refuse(errno.EINVAL, "Missing ':'")
            resource = next((r for r in self.resources if r["name"] == resource_name.strip()), None)
            if resource is None:
                self.refuse(errno.EINVAL,
                            f"Unknown or unsupported resource name '{resource_name.strip()}'")
            seen = set()
            for pair in filter(None, values.split(";")):
                domain, equals, value = pair.partition("=")
                if not equals or not domain.strip().isdigit():
                    self.refuse(errno.EINVAL, "Missing '=' or non-numeric domain")
                domain = int(domain)
                if domain not in resource["domains"]:
                    raise OSError(errno.EINVAL, "")
                if domain in seen:
                    self.refuse(errno.EINVAL, f"Duplicate domain {domain}")
                seen.add(domain)
                staged.append((resource["name"], domain,
                               self.check_mask(resource, domain, name, value.strip())
                               if "mask" in resource
                               else self.check_bandwidth(resource, value.strip())))
        for resource_name, domain, value in staged:
            self.groups[name]["values"][resource_name][domain] = value

    def schemata(self, name):
        width = max(len(resource["name"]) for resource in self.resources) + 2
        lines = []
        for resource in self.resources:
            values = self.groups[name]["values"][resource["name"]]
            digits = len(f"{resource['mask']:x}") if "mask" in resource else len(
                str(resource["most"]))
            lines.append(f"{resource['name']:>{width}}:" + ";".join(
                f"{d}={v:0{digits}x}" if "mask" in resource else f"{d}={v:>{digits}}"
                for d, v in values.items()))
        return "\n".join(lines) + "\n"

    # ---- files ----

    def usage(self, resource):
        def letters(domain):
            text = ""
            for bit in range(resource["mask"].bit_length() - 1, -1, -1):
                one = 1 << bit
                if self.taken(resource, domain, None) & one:
                    text += "E"
                else:
                    text += "X" if resource["shared"] & one else "S"
            return text
        return ";".join(f"{d}={letters(d)}" for d in resource["domains"]) + "\n"

    def info(self):
        files = {"last_cmd_status": self.status + "\n"}
        for r in self.resources:
            files[r["name"]] = {"num_closids": f"{r['closids']}\n"}
            if "mask" in r:
                files[r["name"]].update({
                    "cbm_mask": f"{r['mask']:x}\n", "min_cbm_bits": f"{r['least']}\n",
                    "shareable_bits": f"{r['shared']:x}\n", "bit_usage": self.usage(r)})
            else:
                files[r["name"]].update({
                    "min_bandwidth": f"{r['lowest']}\n", "bandwidth_gran": f"{r['step']}\n",
                    "delay_linear": f"{r['linear']}\n"})
        return files

    def mon_data(self, name):
        counters = self.mon.get(name, {})
        return {f"mon_L3_{domain:02}": {
            counter: f"{counters.get(counter, {}).get(str(domain), 'Unavailable')}\n"
            for counter in ("llc_occupancy", "mbm_total_bytes", "mbm_local_bytes")}
            for domain in self.resources[0]["domains"]}

    def tree(self, path):
        """A dict of a directory, a text of a file, None."""
        parts = path.split("/") if path else []
        name = parts.pop(0) if parts and parts[0] in self.groups and parts[0] else ""
        here = {file: None for file in FILES}
        here.update({"mon_data": self.mon_data(name), "mon_groups": {}})
        if name == "":
            here.update({group: {} for group in self.groups if group})
            here["info"] = self.info()
            if parts == [".mock"]:
                return json.dumps({"refused": self.refused, "groups": list(self.groups)})
        for index, part in enumerate(parts):
            if not isinstance(here, dict) or part not in here:
                return None
            here = here[part]
            if here is None and index == len(parts) - 1:
                return self.file(name, part)
        return here

    def file(self, name, file):
        if file == "schemata":
            return self.schemata(name)
        if file == "mode":
            return self.groups[name]["share"] + "\n"
        if file == "tasks":
            self.look()
            return "".join(f"{tid}\n" for (tid, _), group in self.threads.items() if group == name)
        return "\n"

    def list(self, path):
        tree = self.tree(path)
        return list(tree) if isinstance(tree, dict) else None

    def mode(self, path):
        parts = path.split("/")
        if path in self.groups:
            return stat.S_IFDIR | self.groups[path]["mode"]
        # Without a look at every thread for the attributes of a file.
        if parts[-1] in FILES and (len(parts) == 1 or parts[:-1] == [parts[0]] and
                                   parts[0] in self.groups):
            return stat.S_IFREG | 0o644
        tree = self.tree(path)
        if tree is None:
            return None
        return stat.S_IFDIR | 0o555 if isinstance(tree, dict) else stat.S_IFREG | (
            0o600 if path == ".mock" else 0o444)

    def read(self, path):
        text = self.tree(path)
        if not isinstance(text, str):
            raise OSError(errno.ENOENT, "")
        return text.encode()

    def write(self, path, data):
        text = data.decode()
        name, _, file = path.rpartition("/")
        if path == ".mock":
            self.mon.update(json.loads(text).get("mon", {}))
        elif name not in self.groups:
            raise OSError(errno.ENOENT, "")
        elif file == "schemata":
            self.write_schemata(name, text)
        elif file == "mode":
            self.groups[name]["share"] = text.strip()
        elif file == "tasks":
            self.status = "ok"
            if not text.strip().isdigit():
                raise OSError(errno.EINVAL, "")
            self.move(name, int(text))
        else:
            raise OSError(errno.EINVAL, "")


def main():
    point, profile = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fd = fusefs.mount(point)
    fusefs.unmount_at_sigterm(point)
    print("mounted", flush=True)
    fusefs.Server(Resctrl(PROFILES[profile]), fd).serve()
    fusefs.unmount(point)


if __name__ == "__main__":
    main()
