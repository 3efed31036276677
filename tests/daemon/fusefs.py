# SPDX-License-Identifier: Apache-2.0
"""As much of FUSE's kernel protocol (linux/fuse.h, 7.31) as a file system of small files needs, over
/dev/fuse and mount(2) alone: no library.

A file system has list(path) -> names or None, mode(path) -> st_mode or None, read(path) -> bytes,
write(path, bytes), mkdir(path, mode), rmdir(path); what it refuses it raises as an OSError. Files
have no size and are read as a whole, as those of kernfs are.
"""
import ctypes
import errno
import os
import signal
import stat
import struct
import threading

LOOKUP, FORGET, GETATTR, SETATTR = 1, 2, 3, 4
MKDIR, UNLINK, RMDIR, OPEN, READ, WRITE, STATFS, RELEASE = 9, 10, 11, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 20, 25, 26, 27, 28, 29
ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 34, 36, 38, 42
DIRECT_IO = 1
HEADER = struct.Struct("<IIQQIIII")
libc = ctypes.CDLL(None, use_errno=True)


def mount(point):
    """The fd to serve."""
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    if libc.mount(b"resctrl", str(point).encode(), b"fuse", 6, options.encode()) < 0:
        os.close(fd)
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(point))
    return fd


def unmount(point):
    libc.umount2(str(point).encode(), 2)  # MNT_DETACH


def unmount_at_sigterm(point):
    """By a thread that waits for it. A handler of Python's would run at the next instruction of the
    main thread, which never comes if the signal is there just before it goes to sleep in read(2)."""
    def wait():
        signal.sigwait({signal.SIGTERM})
        unmount(point)

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=wait, daemon=True).start()


class Server:
    def __init__(self, filesystem, fd):
        self.filesystem = filesystem
        self.fd = fd
        self.paths = {1: ""}
        self.nodes = {"": 1}
        self.handles = {}
        self.handle = 0

    def node(self, path):
        # A directory that is made again is another one: its number must be, too.
        if path not in self.nodes:
            number = len(self.paths) + 1
            self.nodes[path] = number
            self.paths[number] = path
        return self.nodes[path]

    def forget_below(self, path):
        for known in [p for p in self.nodes if p == path or p.startswith(path + "/")]:
            del self.nodes[known]

    def attributes(self, path):
        mode = self.filesystem.mode(path)
        if mode is None:
            raise OSError(errno.ENOENT, "")
        return struct.pack("<QQQQQQIIIIIIIIII", self.node(path), 0, 0, 0, 0, 0, 0, 0, 0, mode,
                           2 if stat.S_ISDIR(mode) else 1, 0, 0, 0, 4096, 0)

    def entry(self, path):
        return struct.pack("<QQQQII", self.node(path), 0, 0, 0, 0, 0) + self.attributes(path)

    @staticmethod
    def below(parent, name):
        return f"{parent}/{name}" if parent else name

    def open(self, content):
        self.handle += 1
        self.handles[self.handle] = content
        return struct.pack("<QII", self.handle, DIRECT_IO, 0)

    def directory(self, path):
        data = b""
        for offset, name in enumerate(self.filesystem.list(path) or [], 1):
            raw = name.encode()
            kind = stat.S_IFMT(self.filesystem.mode(self.below(path, name)) or 0) >> 12
            one = struct.pack("<QQII", 2, offset, len(raw), kind) + raw
            data += one + b"\0" * (-len(one) % 8)
        return data

    def read(self, opcode, path, body):
        handle, offset, size = struct.unpack_from("<QQI", body)
        if self.handles[handle] is None or (offset == 0 and opcode == READ):
            self.handles[handle] = self.filesystem.read(path)
        content = self.handles[handle]
        if opcode == READ:
            return content[offset:offset + size]
        # The offset of an entry is its number: what fits, whole entries only.
        position, number, answer = 0, 0, b""
        while position < len(content):
            length = struct.unpack_from("<I", content, position + 16)[0]
            whole = 24 + length + (-(24 + length) % 8)
            number += 1
            if number > offset:
                if len(answer) + whole > size:
                    break
                answer += content[position:position + whole]
            position += whole
        return answer

    def answer(self, opcode, node, body):
        path = self.paths[node] if node in self.paths else ""
        if opcode != INIT and node != 1 and self.nodes.get(path) != node:
            raise OSError(errno.ENOENT, "")  # of a directory that is no more
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 16, 12, 65536, 1, 16, 0, 0)
        if opcode == LOOKUP:
            return self.entry(self.below(path, body[:-1].decode()))
        if opcode in (GETATTR, SETATTR):
            return struct.pack("<QII", 0, 0, 0) + self.attributes(path)
        if opcode == OPEN:
            return self.open(None)
        if opcode == OPENDIR:
            return self.open(self.directory(path))
        if opcode in (READ, READDIR):
            return self.read(opcode, path, body)
        if opcode == WRITE:
            size = struct.unpack_from("<QQI", body)[2]
            self.filesystem.write(path, body[40:40 + size])
            return struct.pack("<II", size, 0)
        if opcode in (RELEASE, RELEASEDIR):
            self.handles.pop(struct.unpack_from("<Q", body)[0], None)
            return b""
        if opcode == MKDIR:
            mode = struct.unpack_from("<I", body)[0]
            name = self.below(path, body[8:-1].decode())
            self.filesystem.mkdir(name, mode)
            return self.entry(name)
        if opcode == RMDIR:
            name = self.below(path, body[:-1].decode())
            self.filesystem.rmdir(name)
            self.forget_below(name)
            return b""
        if opcode == STATFS:
            return struct.pack("<QQQQQIII28x", 0, 0, 0, 0, 0, 4096, 255, 4096)
        if opcode in (FLUSH, FSYNC, ACCESS, DESTROY):
            return b""
        raise OSError(errno.EPERM if opcode == UNLINK else errno.ENOSYS, "")

    def serve(self):
        """Until it is unmounted."""
        while True:
            try:
                request = os.read(self.fd, 1 << 18)
            except InterruptedError:
                continue
            except OSError as error:
                if error.errno in (errno.ENODEV, errno.EBADF):
                    return
                if error.errno == errno.ENOENT:  # interrupted before it was read
                    continue
                raise
            _, opcode, unique, node, *_ = HEADER.unpack_from(request)
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            number, answer = 0, b""
            try:
                answer = self.answer(opcode, node, request[HEADER.size:])
            except OSError as error:
                number = -error.errno
            try:
                os.write(self.fd, struct.pack("<IiQ", 16 + len(answer), number, unique) + answer)
            except OSError as error:
                if error.errno != errno.ENOENT:  # the caller was killed meanwhile
                    raise
