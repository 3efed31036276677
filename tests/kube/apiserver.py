# SPDX-License-Identifier: Apache-2.0
"""A kube-apiserver, built once from Debian's own kubernetes source package with Debian's Go, and cached.

Nothing is installed and /etc/apt is only read: the source index is fetched into a directory of the
build's own, from where the machine's apt gets its packages. By hand: tests/kube/run --build-only.
"""

import fcntl
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

SOURCE = "kubernetes"
VERSION = "1.20.2"  # what Debian 12 has
RECIPE = "1"  # of this file: a change of how it is built makes it anew
TIME_LIMIT = 25 * 60
NEED_MIB = 4096
PACKAGE = "k8s.io/kubernetes"
VENDORED = PACKAGE + "/vendor/k8s.io"
REFLECT = "github.com/modern-go/reflect2"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unavailable(Exception):
    """The reason why this machine cannot have it."""


def path():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "berth", f"kube-apiserver-{VERSION}-{RECIPE}")


def say(text):
    print(f"kube-apiserver: {text}", flush=True)


class Commands:
    """Commands of one build: what they print goes to a log, and together they have a time limit, or
    None."""

    def __init__(self, log, limit):
        self.log = log
        self.deadline = limit and time.monotonic() + limit

    def run(self, what, command, **options):
        say(what)
        with open(self.log, "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **options)
            try:
                status = process.wait(self.deadline and max(0.1, self.deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Unavailable(f"{what} went over the time for the whole build; "
                                  "tests/kube/run --build-only has no limit") from None
            finally:
                if process.poll() is None:  # the compilers that go started as well
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if status:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                last = [line.strip() for line in log if line.strip()][-3:]
            raise Unavailable(f"{what}: {command[0]} ended with {status}: {' | '.join(last)}")


def output(command, **options):
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from None
    return result.stdout if result.returncode == 0 else ""


def require():
    """Refuse at once what would fail after minutes."""
    for command in ("apt-get", "dpkg-source", "go"):
        if not shutil.which(command):
            raise Unavailable(f"no {command} here; scripts/deps kube installs what a build needs")
    if not os.path.isdir(os.path.join("/usr/share/gocode/src", REFLECT)):
        raise Unavailable("no golang-github-modern-go-reflect2-dev; scripts/deps kube installs it")


def source_lines(options):
    """deb-src lines for each archive of Debian that this machine's apt uses."""
    wanted = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    lines = set()
    for line in output(["apt-get", "indextargets", *options, "--format", wanted,
                        "Created-By: Packages"]).splitlines():
        origin, uri, release, component = line.split("|")
        if origin == "Debian":
            signed = f" [signed-by={KEYRING}]" if os.path.exists(KEYRING) else ""
            lines.add(f"deb-src{signed} {uri} {release} {component}")
    return sorted(lines)


def fetch_source(scratch, commands):
    """Debian's source package, unpacked; the path of the tree."""
    state = os.path.join(scratch, "apt")
    for name in ("lists/partial", "cache/archives/partial", "sources.list.d"):
        os.makedirs(os.path.join(state, name))
    # The sandbox user could not enter this directory.
    private = ["-o", f"Dir::State::Lists={state}/lists", "-o", f"Dir::Cache={state}/cache",
               "-o", "APT::Sandbox::User=root"]
    lines = source_lines([])
    if not lines:  # apt has no lists here (a container image), and names no targets without
        commands.run("asking apt which archives it uses", ["apt-get", "update", *private])
        lines = source_lines(private)
    if not lines:
        raise Unavailable("apt has no archive of Debian here to take the source package from")
    with open(os.path.join(state, "sources.list"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    private += ["-o", f"Dir::Etc::SourceList={state}/sources.list",
                "-o", f"Dir::Etc::SourceParts={state}/sources.list.d"]
    commands.run("fetching Debian's index of sources", ["apt-get", "update", *private])
    known = re.findall(r"^Version: (.*)$", output(["apt-cache", *private, "showsrc", SOURCE]),
                       re.MULTILINE)
    wanted = rf"(?<![\d.]){re.escape(VERSION)}-"
    versions = [version for version in known if re.search(wanted, version)]
    if not versions:
        raise Unavailable(f"no source of {SOURCE} {VERSION} in apt's archives "
                          f"(Debian 12 has it; here: {', '.join(known) or 'none'})")
    commands.run(f"fetching the source of {SOURCE} {versions[-1]}",
                 ["apt-get", "source", *private, "--download-only", "--only-source",
                  f"{SOURCE}={versions[-1]}"], cwd=scratch)
    tree = os.path.join(scratch, "source")
    # apt has checked the hashes against its signed index; the maintainer's key need not be here.
    commands.run("unpacking it", ["dpkg-source", "--no-check", "-x",
                                  *glob.glob(os.path.join(scratch, "*.dsc")), tree])
    return tree


def mend_vendored(tree):
    """reflect2 1.0.1 of the tree breaks with Go >= 1.18: the server would die of the first pod that
    is created. Debian's own package of it has 1.0.2."""
    place = os.path.join(tree, "vendor", REFLECT)
    shutil.rmtree(place)
    shutil.copytree(os.path.join("/usr/share/gocode/src", REFLECT), place,
                    ignore=shutil.ignore_patterns("go.mod", "*_test.go", "unsafe_link_gccgo.go"))


def generate_openapi(scratch, tree, env, commands):
    """The one generated file that the source package lacks."""
    if os.path.exists(os.path.join(tree, "pkg/generated/openapi/zz_generated.openapi.go")):
        return
    generator = os.path.join(scratch, "openapi-gen")
    commands.run("building its generator of API descriptions",
                 ["nice", "-n", "5", "go", "build", "-o", generator,
                  "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"], cwd=tree, env=env)
    inputs = set()
    for top in ("staging/src", "pkg", "cmd", "plugin"):
        for directory, _, names in os.walk(os.path.join(tree, top)):
            for name in names:
                if not name.endswith(".go") or name.endswith("_test.go") or "zz_generated" in name \
                        or "openapi-gen" in directory or "/generators" in directory:
                    continue
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    if "+k8s:openapi-gen=" in file.read():
                        relative = os.path.relpath(directory, tree)
                        inputs.add(PACKAGE + "/" + relative.replace("staging/src", "vendor", 1))
                        break
    commands.run(f"describing {len(inputs)} packages of its API",
                 ["nice", "-n", "5", generator, "-O", "zz_generated.openapi", "--go-header-file",
                  "hack/boilerplate/boilerplate.generatego.txt", "-i", ",".join(sorted(inputs)),
                  "-p", PACKAGE + "/pkg/generated/openapi",
                  "-r", os.path.join(scratch, "violations")], cwd=tree, env=env)


def build(scratch, limit):
    """The path of the binary, inside scratch."""
    commands = Commands(os.path.join(scratch, "log"), limit)
    tree = fetch_source(scratch, commands)
    mend_vendored(tree)
    place = os.path.join(scratch, "gopath/src", PACKAGE)
    os.makedirs(os.path.dirname(place))
    os.rename(tree, place)
    env = {**os.environ, "GO111MODULE": "off", "GOPATH": os.path.join(scratch, "gopath"),
           "GOCACHE": os.path.join(scratch, "gocache"), "GOFLAGS": "", "CGO_ENABLED": "0",
           "GOTMPDIR": scratch, "GOROOT": output(["go", "env", "GOROOT"]).strip()}
    generate_openapi(scratch, place, env, commands)
    values = {"gitVersion": "v" + VERSION, "gitMajor": VERSION.split(".", maxsplit=1)[0],
              "gitMinor": VERSION.split(".")[1], "gitTreeState": "archive"}
    flags = ["-s", "-w"]
    for package in ("component-base/version", "client-go/pkg/version"):
        flags += [f"-X {VENDORED}/{package}.{key}={value}" for key, value in values.items()]
    binary = os.path.join(scratch, "kube-apiserver")
    start = time.monotonic()
    commands.run("building it (5 to 10 minutes of two CPUs)",
                 ["nice", "-n", "5", "go", "build", "-trimpath", "-ldflags", " ".join(flags), "-o",
                  binary, "./cmd/kube-apiserver"], cwd=place, env=env)
    say(f"built in {time.monotonic() - start:.0f} s")
    return binary


def cached():
    """The path of the one that was built before."""
    if not os.path.exists(path()):
        raise Unavailable("kube-apiserver is not built yet; tests/kube/run --build-only does it")
    return path()


def fetch(limit=TIME_LIMIT):
    """The path of kube-apiserver; built when it is missing. One at a time."""
    target = path()
    directory = os.path.dirname(target)
    os.makedirs(directory, exist_ok=True)
    with open(target + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(target):
            return target
        require()
        for left in glob.glob(os.path.join(directory, ".kube-build-*")):  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
        free = shutil.disk_usage(directory).free >> 20
        if free < NEED_MIB:
            raise Unavailable(f"{free} MiB free under {directory}; a build needs {NEED_MIB}")
        with tempfile.TemporaryDirectory(prefix=".kube-build-", dir=directory) as scratch:
            os.rename(build(scratch, limit), target)
    return target
