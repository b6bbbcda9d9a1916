"""A program at work on a mount, which notes what it was promised.

Run as `python -m tests.power.mount_client MOUNT SEED THREADS STEPS` under the recorder. Each thread has a directory of its own
and does one step after the other there; the steps follow from the seed, so that whoever verifies knows them, too. It marks, in
the event log, the step it begins, and after an fsync the step that is durable with everything before it. Ends quietly when the
mount is gone.
"""

import errno
import os
import random
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vexfs.store.blobs import sync_folder

from .recorder import mark

NAMES = tuple(f"file {number}" for number in range(6))
_GONE = frozenset((errno.ENOTCONN, errno.ECONNABORTED, errno.ENODEV, errno.EIO))
_SYNCED = 0.4
"""The share of steps that end with an fsync."""
_LARGE_BYTES = 700_000
"""Goes into a blob."""

_MARK = struct.Struct("<iq?")

State = dict[str, bytes]
"""A thread's directory: content by name."""


class Mark(NamedTuple):
    """`synced`: the step is durable, with all steps of its thread before it; else it begins now. Step -1 is the start."""

    thread: int
    step: int
    synced: bool

    def encode(self) -> bytes:
        return _MARK.pack(*self)

    @classmethod
    def decode(cls, data: bytes) -> "Mark":
        return cls(*_MARK.unpack(data))


class Step(NamedTuple):
    """`kind` is the name of a function of this module. `places` are (offset, bytes) of one write each."""

    kind: str
    name: str
    other: str
    places: tuple[tuple[int, bytes], ...]
    size_bytes: int
    synced: bool


def steps(seed: int, thread: int) -> Iterator[Step]:
    """What a thread does, without end."""
    rng = random.Random(seed * 100 + thread)
    state: State = {}
    while True:
        step = _choose(rng, state)
        yield step
        state = after(state, step)[-1]


def _choose(rng: random.Random, state: State) -> Step:
    kind = rng.choice(("write", "write", "change", "change", "change", "rename", "truncate", "unlink"))
    name, other = rng.choice(sorted(state) or NAMES), rng.choice(NAMES)
    if kind == "write" or name not in state:
        size = rng.choice((1, 100, 5000, 70_000, 200_000, _LARGE_BYTES))
        return Step("write", other, "", ((0, rng.randbytes(size)),), 0, rng.random() < _SYNCED)
    length = len(state[name])
    places = tuple((rng.randrange(length + 1), rng.randbytes(rng.randrange(1, 3000))) for _ in range(rng.randrange(1, 4)))
    return Step(kind, name, other, places, rng.randrange(length + 100), rng.random() < _SYNCED)


def after(state: State, step: Step) -> list[State]:
    """What the directory may be while the step is done, in order; the last is how it is afterwards."""
    rest = {name: data for name, data in state.items() if name != step.name}
    if step.kind == "unlink":
        return [rest]
    if step.kind == "rename":
        return [rest | {step.other: state[step.name]}]
    if step.kind == "truncate":
        return [rest | {step.name: state[step.name][: step.size_bytes].ljust(step.size_bytes, b"\0")}]
    states = [rest | {step.name: b"" if step.kind == "write" else state[step.name]}]
    for offset, data in step.places:
        before = states[-1][step.name]
        states.append(rest | {step.name: before[:offset].ljust(offset, b"\0") + data + before[offset + len(data) :]})
    return states


def do(directory: Path, step: Step) -> None:
    """Do the step by real calls; when it returns, a synced one is durable."""
    path = directory / step.name
    if step.kind in ("write", "change"):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if step.kind == "write" else os.O_WRONLY
        fd = os.open(path, flags, 0o644)
        try:
            for offset, data in step.places:
                assert os.pwrite(fd, data, offset) == len(data)
            if step.synced:
                os.fsync(fd)
        finally:
            os.close(fd)
        return
    if step.kind == "unlink":
        path.unlink()
    elif step.kind == "rename":
        path.rename(directory / step.other)
    else:
        os.truncate(path, step.size_bytes)
    if step.synced:
        sync_folder(directory)


def _work(mount: Path, seed: int, thread: int, count: int) -> None:
    directory = mount / f"t{thread}"
    directory.mkdir()
    sync_folder(mount)
    _note(Mark(thread, -1, synced=True))
    for number, step in zip(range(count), steps(seed, thread), strict=False):
        _note(Mark(thread, number, synced=False))
        do(directory, step)
        if step.synced:
            _note(Mark(thread, number, synced=True))


def _note(told: Mark) -> None:
    mark(told.encode())


def _guarded(mount: Path, seed: int, thread: int, count: int) -> None:
    try:
        _work(mount, seed, thread, count)
    except OSError as error:
        if error.errno not in _GONE:
            raise


def main() -> None:
    mount, seed, threads, count = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    workers = [threading.Thread(target=_guarded, args=(mount, seed, thread, count)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
