"""Listing a directory while it changes: offsets hold, each name that stays comes once, what has gone never comes."""

# ruff: noqa: PTH108, PTH118, PTH208 - these tests call the system calls by their own names
import ctypes
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.types import ROOT_INO, Ino
from vexfs.mount import listing
from vexfs.mount.listing import Listing
from vexfs.store.reader import Reader
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .conftest import MakeMount, Mounted, eventually

_libc = ctypes.CDLL(None, use_errno=True)
_libc.opendir.restype = ctypes.c_void_p
_libc.readdir.restype = ctypes.c_void_p
_libc.telldir.restype = ctypes.c_long
for _name, _arguments in (("readdir", 1), ("telldir", 1), ("seekdir", 2), ("rewinddir", 1), ("closedir", 1)):
    getattr(_libc, _name).argtypes = [ctypes.c_void_p, ctypes.c_long][:_arguments]
_NAME_IN_DIRENT = 19


class Stream:
    """opendir and its kin."""

    def __init__(self, path: Path) -> None:
        self._stream = _libc.opendir(os.fsencode(path))
        assert self._stream

    def read(self) -> bytes | None:
        entry = _libc.readdir(self._stream)
        return ctypes.string_at(entry + _NAME_IN_DIRENT) if entry else None

    def rest(self) -> list[bytes]:
        return list(iter(self.read, None))

    def tell(self) -> int:
        return int(_libc.telldir(self._stream))

    def seek(self, place: int) -> None:
        _libc.seekdir(self._stream, place)

    def rewind(self) -> None:
        _libc.rewinddir(self._stream)

    def close(self) -> None:
        _libc.closedir(self._stream)


@pytest.fixture
def many(root: Path) -> Path:
    """A directory of 2,000 files."""
    path = root / "many"
    path.mkdir()
    for index in range(2000):
        (path / f"{index:04}").touch()
    return path


@pytest.fixture
def stream(many: Path) -> Iterator[Stream]:
    opened = Stream(many)
    yield opened
    opened.close()


def names(first: int, end: int, step: int = 1) -> list[bytes]:
    return [b"%04d" % index for index in range(first, end, step)]


def test_a_place_leads_back_to_the_same_entry_after_others_were_removed(many: Path, stream: Stream) -> None:
    places: list[tuple[bytes, int]] = []
    while (name := stream.read()) is not None:
        places.append((name, stream.tell()))
    assert [name for name, _ in places if not name.startswith(b".")] == names(0, 2000)
    for name in names(0, 1500, 3) + [name for name, _ in places[1400:1402]]:
        (many / os.fsdecode(name)).unlink(missing_ok=True)
    left = [name for name in names(0, 2000) if (many / os.fsdecode(name)).exists()]
    for index in (2, 3, 100, 511, 700, 1400, 1401, 1402, 1999):
        name, place = places[index]
        stream.seek(place)
        assert stream.rest() == [other for other in left if other > name]
    stream.rewind()
    assert stream.rest()[2:] == left


def test_places_hold_although_entries_come_in_between(many: Path, stream: Stream) -> None:
    places = {stream.read(): stream.tell() for _ in range(1000)}
    for index in range(0, 2000, 2):
        (many / f"{index:04}-new").touch()
    stream.seek(places[b"0100"])
    seen = stream.rest()
    assert [name for name in seen if not name.endswith(b"-new")] == names(101, 2000)
    stream.seek(places[b"0500"])
    assert stream.read() == b"0501"


def test_an_entry_that_was_removed_is_neither_listed_nor_alive_again(many: Path, stream: Stream) -> None:
    first = stream.read()
    assert first is not None
    for index in range(2000):
        if index % 2:
            (many / f"{index:04}").unlink()
    seen = stream.rest()  # the first thousand or so were in the C library's buffer already
    assert [name for name in seen if name > b"1200"] == names(1202, 2000, 2)
    assert not any((many / os.fsdecode(name)).exists() for name in names(1, 2000, 2))


def test_a_listing_brings_no_old_attributes(many: Path, stream: Stream) -> None:
    """What was written between two parts of a listing is not hidden by the second."""
    stream.read()
    for index in range(0, 2000, 7):
        (many / f"{index:04}").write_bytes(b"12345")
    stream.rest()
    assert {(many / f"{index:04}").stat().st_size for index in range(0, 2000, 7)} == {5}


def test_a_tree_is_removed_while_others_write_into_it(root: Path) -> None:
    tree = root / "tree"
    for outer in range(20):
        for inner in range(10):
            (tree / f"{outer}" / f"{inner}").mkdir(parents=True)
            (tree / f"{outer}" / f"{inner}" / "file").touch()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            (root / f"other{number % 50}").write_text("x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        subprocess.run(["rm", "-r", tree], check=True)
    finally:
        stop.set()
        writer.join()
    assert not tree.exists()


def test_the_parent_is_told_by_its_number(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b").rename(root / "b")
    with os.scandir(root / "b"):
        found = subprocess.run(["ls", "-fi", root / "b"], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(found[1::2], found[::2], strict=True)) == {
        ".": str((root / "b").stat().st_ino),
        "..": str(root.stat().st_ino),
    }


def test_names_of_any_bytes(root: Path) -> None:
    every = bytes(byte for byte in range(1, 256) if byte != ord("/"))
    wanted = [every[index : index + 1] * length for index in range(len(every)) for length in (1, 255)]
    wanted = [name for name in wanted if name not in (b".", b"..")]
    for name in wanted:
        os.close(os.open(os.path.join(os.fsencode(root), name), os.O_CREAT | os.O_WRONLY))
    assert sorted(os.listdir(os.fsencode(root))) == sorted(wanted)
    for name in wanted:
        os.unlink(os.path.join(os.fsencode(root), name))


# -- directories of any size ---------------------------------------------------------------------------


def fill(volume: Volume, parent: Ino, count: int) -> None:
    """Many empty files at once, as an import makes them."""

    def operation(txn: Transaction) -> None:
        for index in range(count):
            files.create(txn, parent, b"file-%07d" % index, mode=0o644, uid=0, gid=0)

    volume.queue.submit("fill", operation, durable=False).result(120)


def resident_bytes(mount: Mounted) -> int:
    assert mount.process is not None
    status = Path(f"/proc/{mount.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


COUNT = 60_000


def test_a_huge_directory_is_listed_in_little_memory_and_removed(make_mount: MakeMount) -> None:
    mount = make_mount()
    (mount.path / "huge").mkdir()
    ino = Ino((mount.path / "huge").stat().st_ino)
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        eventually(lambda: volume.head() > 0)
        fill(volume, ino, COUNT)
    eventually((mount.path / "huge" / f"file-{COUNT - 1:07}").exists)
    time.sleep(0.5)  # the mount is done with the one record that tells of all of them
    before = resident_bytes(mount)
    with os.scandir(mount.path / "huge") as entries:
        assert sum(1 for _ in entries) == COUNT
    assert resident_bytes(mount) - before < 20 << 20
    shutil.rmtree(mount.path / "huge")
    assert os.listdir(mount.path) == []
    assert mount.errors() == []


def test_places_further_back_than_the_memory_hold_while_nothing_changes_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "REMEMBERED_MAX_BYTES", 20_000)
    monkeypatch.setattr(listing, "BLOCK_NAMES", 64)
    with Volume.open(folder / "volume", "api", create=True) as volume:
        fill(volume, ROOT_INO, 5000)
        with volume.snapshot() as view:
            opened = Listing(ROOT_INO)
            shown = read_on(opened, view, 0)
            assert len(shown) == 5000
            assert opened._remembered_bytes <= 20_000
            for number in (1, 63, 64, 65, 1000, 4999, 5000):
                assert read_on(opened, view, number) == shown[number:]


def test_a_place_that_was_never_given_is_no_fault(folder: Path) -> None:
    with Volume.open(folder / "volume", "api", create=True) as volume, volume.snapshot() as view:
        assert read_on(Listing(ROOT_INO), view, 1 << 40) == []


def read_on(opened: Listing, view: Reader, number: int) -> list[bytes]:
    """The names from that number on, read a few at a time."""
    names: list[bytes] = []
    while part := opened.read(view, number, 300, lambda entry, _: entry.name, view):
        names += part
        number += len(part)
    return names
