"""What a file system may leave of recorded changes when the power fails.

Disk replays the log of a DiskShim. Of each file it knows the bytes now and
those that were synced, of each directory the same about its names. A Loss
says what of the rest had reached the disk. What was not synced when an fsync
failed stays what it is: no later fsync makes it durable.
"""

import random
import shutil
import struct
from dataclasses import dataclass, field

RECORD = struct.Struct("<8sQQqIIIxxxx")


@dataclass
class Record:
    call: str
    count: int
    file: int
    offset: int
    path: str
    other: str
    data: bytes


def read_log(path):
    log, at = path.read_bytes(), 0
    while at < len(log):
        call, count, file, offset, *sizes = RECORD.unpack_from(log, at)
        at += RECORD.size
        parts = []
        for size in sizes:
            parts.append(log[at:at + size])
            at += size
        yield Record(call.rstrip(b"\0").decode(), count, file, offset,
                     parts[0].decode(), parts[1].decode(), parts[2])


@dataclass(eq=False)
class File:
    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list = field(default_factory=list)     # since the last fsync

    def apply(self, change):
        write(self.now, change)
        self.pending.append(change)

    def sync(self):
        durable = bytearray(self.durable)
        for change in self.pending:
            write(durable, change)
        self.durable, self.pending = bytes(durable), []


def write(data, change):
    """A change is (offset, bytes), or (size, None): it is cut there."""
    offset, new = change
    end = offset if new is None else offset + len(new)
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    if new is None:
        del data[offset:]
    else:
        data[offset:end] = new


@dataclass(eq=False)
class Directory:
    now: dict = field(default_factory=dict)
    durable: dict = field(default_factory=dict)
    pending: list = field(default_factory=list)     # (name, node or None)

    def set(self, name, node):
        name_set(self.now, name, node)
        self.pending.append((name, node))

    def sync(self):
        for name, node in self.pending:
            name_set(self.durable, name, node)
        self.pending = []


def name_set(names, name, node):
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Disk:
    def __init__(self):
        self.root = Directory()
        self._nodes = {}                    # by inode number

    def _find(self, path):
        """The directory and the name in it."""
        *above, name = path.strip("/").split("/")
        at = self.root
        for part in above:
            at = at.now[part]
        return at, name

    def apply(self, record):
        getattr(self, "_" + record.call)(record)

    def _create(self, record):
        self._new(record, File())

    def _mkdir(self, record):
        if record.path:                     # the root itself is there
            self._new(record, Directory())

    def _new(self, record, node):
        self._nodes[record.file] = node
        where, name = self._find(record.path)
        where.set(name, node)

    def _write(self, record):
        self._nodes[record.file].apply((record.offset, record.data))

    def _cut(self, record):
        self._nodes[record.file].apply((record.offset, None))

    def _nothing(self, record):
        pass

    def _node(self, record):
        return self._nodes[record.file] if record.path else self.root

    def _sync(self, record):
        self._node(record).sync()

    def _lose(self, record):
        self._node(record).pending = []

    def _link(self, record):
        where, name = self._find(record.path)
        where.set(name, self._nodes[record.file])

    def _unlink(self, record):
        where, name = self._find(record.path)
        where.set(name, None)

    def _rename(self, record):
        where, name = self._find(record.path)
        node = where.now[name]
        where.set(name, None)
        where, name = self._find(record.other)
        where.set(name, node)

    def build(self, directory, loss):
        """A directory as `loss` leaves it; what was there goes."""
        shutil.rmtree(directory, ignore_errors=True)
        build(self.root, directory, loss)


def build(node, path, loss):
    path.mkdir()
    for name, each in loss.names(node).items():
        if isinstance(each, Directory):
            build(each, path / name, loss)
        elif not name.endswith("-shm"):     # it is mapped, and made anew
            (path / name).write_bytes(loss.bytes(each))


# --------------------------------------------------------------- what is lost

class Nothing:
    """The process alone has died."""

    def names(self, directory):
        return directory.now

    def bytes(self, file):
        return file.now


class Everything:
    """Only what was synced is there: bytes and names."""

    def names(self, directory):
        return directory.durable

    def bytes(self, file):
        return file.durable


class Bytes(Nothing):
    """Names and sizes have reached the disk, bytes have not: zeros."""

    def bytes(self, file):
        size = len(file.now)
        return file.durable[:size] + bytes(max(size - len(file.durable), 0))


class Sizes(Nothing):
    """Names have reached the disk, bytes and sizes have not."""

    def bytes(self, file):
        return file.durable


class Names(Nothing):
    """Bytes have reached the disk, names have not."""

    def names(self, directory):
        return directory.durable


class Chance:
    """Any of it, in any order, and of a write any sectors."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def names(self, directory):
        names = dict(directory.durable)
        for name, node in directory.pending:
            if self._random.random() < 0.5:
                name_set(names, name, node)
        return names

    def bytes(self, file):
        data = bytearray(file.durable)
        for offset, new in file.pending:
            if new is None:
                if self._random.random() < 0.5:
                    write(data, (offset, None))
                continue
            for at in range(0, len(new), 512):
                if self._random.random() < 0.5:
                    write(data, (offset + at, new[at:at + 512]))
        return data
