#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A workload whose container reaches its own CPU limit is shown as throttled, and stays so when that
container is gone: the kernel counts throttling in the container's group alone.
"""
import subprocess

from berthtest import Daemon, Groups, arguments, check, skip, wait_until

PERIOD = 100_000  # microseconds, as kernel and kubelet have it


def limit(groups, group, usec):
    if groups.version == 2:
        groups.write(group, "cpu.max", f"{usec} {PERIOD}")
    else:
        groups.write(group, "cpu.cfs_quota_us", str(usec))


def throttled(daemon, groups, group):
    """Seconds as /v1/top has them; None: not known."""
    for item in daemon.get("/v1/top")["workloads"]:
        if item["name"] == f"{groups.name}/{group}":
            usec = item.get("cpu_throttled_usec")
            return None if usec is None else usec / 1e6
    return None


def hog(groups, group):
    return subprocess.Popen(["sh", "-c", f'echo $$ >"{groups.path("cpu", group)}/cgroup.procs"; '
                             "while :; do :; done"])


def main():
    options = arguments()
    groups = Groups("throttled")
    try:
        groups.make("pod")
        if groups.version == 2:
            groups.write("pod", "cgroup.subtree_control", "+cpu +memory")
        groups.make("pod/app")
        limit(groups, "pod/app", 5000)
    except OSError as error:
        groups.clean()
        skip(f"no CPU quota for a group here: {error}")
    policy = (f'sources: {{cgroups: {{paths: ["{groups.name}/*", "{groups.name}/*/*"]}}}}\n'
              'metrics: {listen: ""}\n')
    process = hog(groups, "pod/app")
    try:
        with Daemon(options.build, policy) as daemon:
            daemon.start()
            wait_until(lambda: (throttled(daemon, groups, "pod/app") or 0) > 0.3,
                       "a container that is throttled", 20)
            container = throttled(daemon, groups, "pod/app")
            pod = throttled(daemon, groups, "pod")
            check(pod is not None and pod >= container,
                  f"the pod is throttled for {pod} s, its container for {container} s")
            process.kill()
            process.wait()
            wait_until(lambda: not groups.read("pod/app", "cgroup.procs"), "the hog's end")
            before = throttled(daemon, groups, "pod")
            groups.remove("pod/app")
            wait_until(lambda: throttled(daemon, groups, "pod/app") is None, "a container that is gone")
            after = throttled(daemon, groups, "pod")
            check(after >= before, f"the pod's counter went back from {before} s to {after} s")
            print(f"ok throttled {container:.2f} s, the pod {pod:.2f} s, afterwards {after:.2f} s")
    finally:
        process.kill()
        process.wait()
        groups.clean()


main()
