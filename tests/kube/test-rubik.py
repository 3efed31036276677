#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What rubik gets wrong, with every service that this build has switched on: pods that are offline by
label, annotations that are taken away, pods that come during the start, a stop while an eviction is
under way, a kernel that has not everything. docs/from-rubik.md has the list."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

import credentials
import pki
import wire
from faultserver import FaultServer, Feed, reply, stall
from kubetest import arguments, check, skip, wait_until
from node import Node, PodGroups

EVICTION = r"/api/v1/namespaces/[^/]+/pods/[^/]+/eviction"
OFFLINE = {"volcano.sh/preemptable": "true"}
STOP_WITHIN = 20
# What a service does not start without; and a network device that this host does not have.
NEEDS = {"network": 'devices: ["berthtest*"], water_line: 100Mi, low: 10Mi, high: 50Mi'}


def every_service(build):
    """The policy that switches on each `enabled` of colocation that berthd knows."""
    build = pathlib.Path(build).resolve()
    dump = subprocess.run([build / "src/agentd/berthd", "--plugin-dir", build / "src/plugins",
                           "--dump-fields"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^plugins\.colocation\.([\w.]+)\.enabled\t", dump, re.MULTILINE)
    check({"cpu", "memory", "io", "evict"} <= set(names), f"services: {names}")
    return names


def policy(names, **more):
    """more: a service's other keys, as text of a flow mapping."""
    sections = []
    for name in names:
        first, *inner = name.split(".")
        said = ", ".join(["enabled: true"] + [part for part in (NEEDS.get(name), more.get(name))
                                              if part])
        for word in reversed(inner):
            said = f"{word}: {{{said}}}"
        sections.append(f"    {first}: {{{said}}}\n")
    return "plugins:\n  colocation:\n" + "".join(sections)


def disk():
    """A whole disk of this machine as MAJOR:MINOR."""
    for path in sorted(pathlib.Path("/sys/block").iterdir()):
        if int((path / "size").read_text()) > 0:
            return (path / "dev").read_text().strip()
    return "8:0"


def every_annotation():
    limit = {"device_read_bps": [{"device": disk(), "value": "104857600"}]}
    return {**OFFLINE, "volcano.sh/quota-turbo": "true", "volcano.sh/quota-burst-time": "10000",
            "volcano.sh/cache-limit": "low", "volcano.sh/cpi": "offline",
            "volcano.sh/blkio-limit": json.dumps(limit)}


LIMIT_MSEC = 50  # of each 100: half a CPU, for services that lend or keep quota


def limited(name, version, **fields):
    """A pod whose container has a CPU limit."""
    item = wire.pod(name, version, **fields)
    item["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": f"{LIMIT_MSEC * 10}m", "memory": "64Mi"},
        "requests": {"cpu": "100m", "memory": "32Mi"}}
    return item


def quota_set(groups, group):
    """What a kubelet writes for that limit."""
    if groups.version == 2:
        groups.write(group, "cpu.max", f"{LIMIT_MSEC * 1000} 100000")
    else:
        groups.write(group, "cpu.cfs_quota_us", str(LIMIT_MSEC * 1000))


class CgroupfsGroups(PodGroups):
    """As kubelet's cgroupfs driver makes them, in every hierarchy that a service writes to."""

    def __init__(self, tag="test"):
        super().__init__(tag)
        self.clean()
        base = pathlib.Path("/sys/fs/cgroup")
        if self.version == 1:
            self.mounts = {**self.mounts, **{name: base / name for name in ("blkio", "cpuset")
                                             if (base / name).is_dir()}}
        self.layout()

    def make(self, group):
        super().make(group)
        if "cpuset" not in self.mounts or self.version != 1:
            return
        path = self.path("cpuset", group)
        for name in ("cpuset.mems", "cpuset.cpus"):  # a new one has none, and takes no task then
            if not (path / name).read_text().strip():
                (path / name).write_text((path.parent / name).read_text())

    def layout(self):
        for group in ("", "kubepods"):
            self.make(group)


class SystemdGroups(CgroupfsGroups):
    """As its systemd driver makes them, for a pod that is BestEffort. rubik takes the name of the unit
    for the container's id there, and never finds what it is to change."""

    def layout(self):
        self.stem = f"berthtest{os.getpid()}"
        self.name = f"{self.stem}.slice"
        for group in ("", f"{self.stem}-kubepods.slice", self.group("").rsplit("/", 1)[0]):
            self.make(group)

    def group(self, uid, container=None):
        top = f"{self.stem}-kubepods"
        pod = uid.replace("-", "_")
        return (f"{top}.slice/{top}-besteffort.slice/{top}-besteffort-pod{pod}.slice" +
                (f"/cri-containerd-{container}.scope" if container else ""))


class Rig:
    """A scripted server whose list and watch the tests speak through, and groups for its pods."""

    def __init__(self, build, directory, groups):
        self.build, self.groups = build, groups
        self.directory = pathlib.Path(directory)
        self.authority = pki.Authority(directory)
        self.identity = self.authority.server()
        self.services = every_service(build)
        self.number, self.version = 0, 100

    def server(self):
        self.feed = Feed()
        server = FaultServer(self.identity)
        server.on(wire.WATCH, self.feed.step)
        server.on(wire.EVENTS, reply(201, "{}"), method="POST")
        return server

    def node(self, server, extra):
        self.number += 1
        path = self.directory / f"kubeconfig-{self.number}"
        config = credentials.write_kubeconfig(path, server.server, token="token",
                                              ca=self.authority.certificate)
        return Node(self.build, f'enabled: true, kubeconfig: "{config}"', self.groups, extra=extra)

    def tell(self, kind, name, **fields):
        self.feed.wait_watchers(1)
        self.version += 1
        self.feed.send(wire.event(kind, limited(name, self.version, **fields)))


def held(daemon, group):
    """{file: (value, owners)} of all that is claimed for the groups at and below a path."""
    return {(item["path"].split(group, 1)[1], item["file"]):
            (item["written"], tuple(sorted(claim["owner"] for claim in item["claims"])))
            for item in daemon.get("/v1/knobs")["knobs"] if group in item["path"]}


MOVING = re.compile(r"quota|cpu\.max|memory\.high|cpuset")


def steady(knobs):
    """Without the values that follow what the node and the workload do from one second to the next."""
    return {key: (None if MOVING.search(key[1]) else value, owners)
            for key, (value, owners) in knobs.items()}


def stands_still(read):
    """What is read once services that go by the second have looked as well: the same twice, two seconds
    apart."""
    last = [read()]

    def is_same():
        time.sleep(2)
        last.append(read())
        return last[-1] == last[-2]

    wait_until(is_same, "what is held to stand still", 60)
    return last[-1]


def values(rig, group):
    """Every knob below the group that can be read and is no counter, as it stands."""
    found = {}
    for controller in rig.groups.mounts:
        top = rig.groups.path(controller, group)
        for path in sorted(top.rglob("*")):
            if path.is_file() and path.stat().st_mode & 0o200 and not counter(path.name):
                try:
                    found[str(path.relative_to(top)), controller] = path.read_text()
                except OSError:
                    continue
    return found


def counter(name):
    return any(word in name for word in ("usage", "stat", "failcnt", "procs", "tasks", "pressure",
                                         "event", "force_empty", "reclaim", "peak", "current"))


def case_label_and_annotation_are_alike(rig):
    """rubik evicts and shares memory by the annotation alone: a pod by label is only half offline."""
    names = {"by-annotation": {"annotations": OFFLINE}, "by-label": {"labels": OFFLINE}}
    for name in names:
        rig.groups.add(wire.uid(name))
    with rig.server() as server:
        server.on(wire.LIST, reply(200, wire.pod_list(
            [wire.pod(name, 5, **how) for name, how in names.items()], 5)))
        with rig.node(server, policy(rig.services)) as daemon:
            daemon.start()
            for name in names:
                wait_until(lambda name=name: rig.groups.is_idle(wire.uid(name)), f"{name} is idle")
            groups = [rig.groups.group(wire.uid(name)) for name in names]
            wait_until(lambda: held(daemon, groups[0]) and
                       steady(held(daemon, groups[0])) == steady(held(daemon, groups[1])),
                       f"the same knobs: {[held(daemon, group) for group in groups]}")

            def said(name):
                """What each service has decided about it, without the numbers of the moment."""
                answer = daemon.get("/v1/explain", {"workload": wire.uid(name)})
                return [(item["plugin"], item["key"], re.sub(r"[\d.]+", "N", item["value"]))
                        for item in answer["descriptions"]]

            wait_until(lambda: said("by-label") and said("by-label") == said("by-annotation"),
                       f"the same words: {[said(name) for name in names]}")
            check(daemon.stop() == 0, "it did not end well")
    for name in names:
        rig.groups.drop(wire.uid(name))


def case_what_annotations_did_goes_with_them(rig):
    """rubik leaves limits, bursts, memory.high and levels when their annotation goes. Offline to online
    is a change like another here, which rubik refuses."""
    uid = wire.uid("annotated")
    container = "d" * 64
    rig.groups.add(uid)
    rig.groups.add(uid, container)
    group = rig.groups.group(uid)
    for path in (group, rig.groups.group(uid, container)):
        quota_set(rig.groups, path)
    before = values(rig, group)
    check(len(before) > 5, f"nothing to compare: {before}")
    with rig.server() as server:
        server.on(wire.LIST, reply(200, wire.pod_list([limited("annotated", 5)], 5)))
        with rig.node(server, policy(rig.services)) as daemon:
            daemon.start()
            daemon.wait_ready("1 pods")
            wait_until(lambda: daemon.pod(uid), "the pod")
            online = stands_still(lambda: held(daemon, group))
            files = set()
            for _ in range(3):
                rig.tell("MODIFIED", "annotated", annotations=every_annotation(),
                         containers={"main": "containerd://" + container})
                wait_until(lambda: rig.groups.is_idle(uid), "offline")
                wait_until(lambda: held(daemon, group) != online, "knobs of an offline pod")
                check(values(rig, group) != before, "an offline pod has nothing of its own")
                files |= {name for _, name in held(daemon, group)}
                rig.tell("MODIFIED", "annotated", containers={"main": "containerd://" + container})
                wait_until(lambda: not rig.groups.is_idle(uid), "online again")
                wait_until(lambda: held(daemon, group) == online, "what the annotations held")
                wait_until(lambda: values(rig, group) == before, "the originals")

            # A container that is started anew has a new group, and what the old one had.
            rig.tell("MODIFIED", "annotated", annotations=every_annotation(),
                     containers={"main": "containerd://" + container})
            wait_until(lambda: rig.groups.is_idle(uid), "offline once more")
            wait_until(lambda: files <= {name for _, name in held(daemon, group)}, f"again {files}")
            all_held = stands_still(lambda: steady(held(daemon, group)))
            print(f"  held for it: {', '.join(sorted({name for _, name in all_held}))}")
            first = {key[1]: value for key, value in all_held.items() if key[0]}
            rig.groups.drop(uid, container)
            again = "e" * 64
            rig.groups.add(uid, again)
            quota_set(rig.groups, rig.groups.group(uid, again))
            rig.tell("MODIFIED", "annotated", annotations=every_annotation(),
                     containers={"main": "containerd://" + again})
            wait_until(lambda: first == {key[1]: value for key, value in
                                         steady(held(daemon, group)).items() if again in key[0]},
                       f"the container that was started anew has {first}")
            check(daemon.stop() == 0, "it did not end well")
    rig.groups.drop(uid, again)
    rig.groups.drop(uid)


def case_what_did_not_change_is_not_written(rig):
    """Each pod is new to rubik every 30 s: limits of disks are lifted, and set again."""
    uid = wire.uid("unchanged")
    container = "f" * 64
    rig.groups.add(uid)
    rig.groups.add(uid, container)
    group = rig.groups.group(uid)
    for path in (group, rig.groups.group(uid, container)):
        quota_set(rig.groups, path)
    fields = {"annotations": every_annotation(),
              "containers": {"main": "containerd://" + container}}
    with rig.server() as server:
        server.on(wire.LIST, reply(200, wire.pod_list(
            [limited("unchanged", 5, **fields)], 5)))
        with rig.node(server, policy(rig.services)) as daemon:
            def writes():
                return {(item["path"], item["file"]): item["writes"]
                        for item in daemon.get("/v1/knobs")["knobs"]
                        if group in item["path"] and not MOVING.search(item["file"])}

            daemon.start()
            wait_until(lambda: rig.groups.is_idle(uid), "the pod is offline")
            wait_until(lambda: any("blkio" in name or "io.max" in name for _, name in writes()),
                       "its disk has a limit")
            wait_until(lambda: all(item["status"] != "pending" for item in
                                   daemon.get("/v1/knobs")["knobs"]), "all that is to be written")
            before = stands_still(writes)
            for _ in range(20):
                rig.tell("MODIFIED", "unchanged", **fields)
            # The last word of the same watch: what was before it has been heard.
            rig.groups.add(wire.uid("behind"))
            rig.tell("ADDED", "behind", annotations=OFFLINE)
            wait_until(lambda: rig.groups.is_idle(wire.uid("behind")), "a pod that comes after it")
            check(writes() == before, f"written again: {before}, then {writes()}")
            check(daemon.stop() == 0, "it did not end well")
    rig.groups.drop(uid, container)
    rig.groups.drop(uid)
    rig.groups.drop(wire.uid("behind"))


def case_pod_that_comes_during_the_start(rig):
    """rubik subscribes after its first look: who comes in between is never set."""
    names = [f"early-{i}" for i in range(20)]
    listed, may_answer = threading.Event(), threading.Event()
    with rig.server() as server:
        def answer(exchange):
            listed.set()
            may_answer.wait(20)
            reply(200, wire.pod_list([], 5))(exchange)

        server.on(wire.LIST, answer)
        with rig.node(server, policy(rig.services)) as daemon:
            daemon.spawn()
            for name in names[:10]:  # groups while it starts, wherever it is
                rig.groups.add(wire.uid(name))
            check(listed.wait(20), f"it never asked; log:\n{daemon.log_text()[-2000:]}")
            for name in names[10:]:  # and while the list is on its way
                rig.groups.add(wire.uid(name))
            may_answer.set()
            # All of them were bound after the list was made.
            for name in names:
                rig.tell("ADDED", name, annotations=OFFLINE)
            for name in names:
                wait_until(lambda name=name: rig.groups.is_idle(wire.uid(name)), f"{name} is idle")
            check(daemon.stop() == 0, "it did not end well")
    for name in names:
        rig.groups.drop(wire.uid(name))


def case_pod_that_went_while_nobody_looked(rig):
    """client-go hands rubik a DeletedFinalStateUnknown, which it cannot read: the pod stays for ever."""
    uid = wire.uid("gone-unseen")
    rig.groups.add(uid)
    with rig.server() as server:
        server.once(wire.LIST, reply(200, wire.pod_list(
            [wire.pod("gone-unseen", 5, annotations=OFFLINE)], 5)))
        server.on(wire.LIST, reply(200, wire.pod_list([], 50)))
        with rig.node(server, policy(rig.services)) as daemon:
            daemon.start()
            wait_until(lambda: rig.groups.is_idle(uid), "the pod that is listed")
            rig.feed.wait_watchers(1)
            rig.feed.send(wire.dump({"type": "ERROR", "object": {
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired",
                "message": "too old resource version", "code": 410}}) + "\n")
            rig.groups.drop(uid)
            wait_until(lambda: daemon.pod(uid) is None, "the pod that the second list has not")
            daemon.wait_ready("0 pods")
            check(not held(daemon, rig.groups.group(uid)), "knobs of a pod that is gone")
            check(daemon.stop() == 0, "it did not end well")


def case_qos_class_that_nobody_knows(rig):
    """rubik takes the path of the root group for it, and writes there."""
    uid = wire.uid("weird")
    item = wire.pod("weird", 5, annotations=every_annotation())
    item["status"]["qosClass"] = "Weird"
    rig.groups.add(wire.uid("beside"))
    before = values(rig, "")
    with rig.server() as server:
        server.on(wire.LIST, reply(200, wire.pod_list(
            [item, wire.pod("beside", 5, annotations=OFFLINE)], 5)))
        with rig.node(server, policy(rig.services)) as daemon:
            daemon.start()
            wait_until(lambda: rig.groups.is_idle(wire.uid("beside")), "another pod")
            paths = {item["path"] for item in daemon.get("/v1/knobs")["knobs"]
                     if item["target"] == "workload"}
            beside = rig.groups.group(wire.uid("beside"))
            check(paths and all(path.endswith(beside) or beside + "/" in path for path in paths),
                  f"something else is written: {paths}")
            # When its group does come it is found by its uid, wherever it is.
            rig.groups.add(uid)
            wait_until(lambda: rig.groups.is_idle(uid), "the group of the pod")
            check(daemon.stop() == 0, "it did not end well")
    rig.groups.drop(uid)
    check(values(rig, "") == before, "something is left behind")
    rig.groups.drop(wire.uid("beside"))


def case_stop_while_an_eviction_is_under_way(rig):
    """rubik starts a cAdvisor twice with eviction, and SIGTERM waits for it for ever."""
    uid = wire.uid("victim")
    rig.groups.add(uid)
    before = values(rig, rig.groups.group(uid))
    always = ("period: 100ms, window: 1, samples: 1, min_run_time: 0, memory: {available_percent: "
              "100, hard: 0}")
    with rig.server() as server:
        server.on(wire.LIST, reply(200, wire.pod_list(
            [wire.pod("victim", 5, labels=OFFLINE)], 5)))  # by label: rubik never evicts it
        server.on(EVICTION, stall(), method="POST")
        with rig.node(server, policy(rig.services, evict=always)) as daemon:
            process = rig.groups.hold(rig.groups.group(uid), 256 << 20)
            try:
                daemon.start()
                wait_until(lambda: rig.groups.is_idle(uid), "the pod is offline")
                server.wait_for(EVICTION, 1, method="POST")
                start = time.monotonic()
                status = daemon.stop(STOP_WITHIN)
                print(f"  SIGTERM in the middle of an eviction: {time.monotonic() - start:.2f} s")
                check(status == 0, f"it ended with {status}; {daemon.log_text()[-2000:]}")
            finally:
                process.kill()
                process.wait()
        check(values(rig, rig.groups.group(uid)) == before, "the originals are not back")
    rig.groups.drop(uid)


def case_what_this_kernel_lacks_stops_nothing(rig):
    """One feature that the kernel does not have ends rubik with status 3."""
    uid = wire.uid("lacking")
    rig.groups.add(uid)
    with rig.server() as server:
        server.on(wire.LIST, reply(200, wire.pod_list(
            [wire.pod("lacking", 5, annotations=every_annotation())], 5)))
        with rig.node(server, policy(rig.services)) as daemon:
            daemon.start()
            wait_until(lambda: rig.groups.is_idle(uid), "CPU priority, whatever else is missing")
            plugin = [item for item in daemon.get("/v1/plugins")["plugins"]
                      if item["name"] == "colocation"][0]
            check(plugin["state"] == "running", f"colocation: {plugin}")
            found = daemon.get("/v1/capabilities")
            off = [item["name"] for item in found["features"] + found["knobs"]
                   if not item["available"]]
            check(off, "this kernel has everything: nothing was tried")
            print(f"  {len(rig.services)} services on, {len(off)} capabilities missing")
            check(daemon.stop() == 0, "it did not end well")
    rig.groups.drop(uid)


CASES = (case_label_and_annotation_are_alike, case_what_annotations_did_goes_with_them,
         case_what_did_not_change_is_not_written,
         case_pod_that_comes_during_the_start, case_pod_that_went_while_nobody_looked,
         case_qos_class_that_nobody_knows, case_stop_while_an_eviction_is_under_way,
         case_what_this_kernel_lacks_stops_nothing)


def run(build, groups, directory, cases):
    try:
        rig = Rig(build, directory, groups)
        for case in cases:
            case(rig)
            print(f"ok {case.__name__}, {type(groups).__name__}", flush=True)
    finally:
        groups.clean()


def main():
    build = arguments().build
    if not shutil.which("openssl"):
        skip("no openssl here, which makes the certificates")
    print(f"services: {', '.join(every_service(build))}")
    with tempfile.TemporaryDirectory(prefix="berth-rubik-") as directory:
        groups = CgroupfsGroups("test.rubik")
        if not groups.need_idle():
            groups.clean()
            skip("this kernel has no cpu.idle, by which these tests see levels")
        run(build, groups, directory, CASES)
        run(build, SystemdGroups("test.rubik"), directory,
            (case_label_and_annotation_are_alike, case_what_annotations_did_goes_with_them))


main()
