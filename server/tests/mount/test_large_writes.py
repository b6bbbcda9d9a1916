"""Large writes through the mount: any size at any place, several files at once, read back while they are on their way."""

import os
import random
from pathlib import Path

import pytest

from .conftest import Mounted
from .test_large_reads import forget_pages, read_direct

MIB = 1 << 20


def pwrite_all(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


@pytest.mark.parametrize("size", [65_537, 131_072, 300_000, 700_000, 900_001, MIB, 2_500_000])
@pytest.mark.parametrize("start", [0, 5, 100_000])
def test_pieces_of_any_size_from_any_place_on(mount: Mounted, size: int, start: int) -> None:
    path = mount.path / "f"
    expected = os.urandom(start + 20 * MIB // size * size)
    with path.open("wb", buffering=0) as file:
        pwrite_all(file.fileno(), expected[:start], 0)
        for offset in range(start, len(expected), size):
            pwrite_all(file.fileno(), expected[offset : offset + size], offset)
        os.fsync(file.fileno())
    forget_pages(path)
    assert path.read_bytes() == expected
    assert mount.errors() == []


def test_files_written_in_turns_do_not_get_each_others_bytes(root: Path) -> None:
    """Memory of what has reached the volume is used again for what comes next."""
    expected = {name: b"".join(name.encode() * MIB for _ in range(30)) for name in "abc"}
    files = {name: (root / name).open("wb", buffering=0) for name in expected}
    for _ in range(30):
        for name, file in files.items():
            assert file.write(name.encode() * MIB) == MIB
    for file in files.values():
        os.fsync(file.fileno())
        file.close()
    for name, content in expected.items():
        forget_pages(root / name)
        assert (root / name).read_bytes() == content


def test_a_large_write_into_another_and_reads_of_what_is_on_its_way(root: Path) -> None:
    chance = random.Random(5)
    expected = bytearray()
    with (root / "f").open("w+b", buffering=0) as file:
        for _ in range(120):
            data = chance.randbytes(chance.choice([70_000, 400_000, MIB]))
            offset = chance.choice([len(expected), len(expected), len(expected), chance.randrange(len(expected) + 1)])
            pwrite_all(file.fileno(), data, offset)
            expected[offset : offset + len(data)] = data
            place = chance.randrange(len(expected))
            assert read_direct(root / "f", place, 100_000) == expected[place : place + 100_000]
    forget_pages(root / "f")
    assert (root / "f").read_bytes() == expected


def test_a_long_request_that_is_no_write_is_whole(root: Path) -> None:
    (root / "f").touch()
    value = os.urandom(65_536)
    os.setxattr(root / "f", "user.long", value)
    assert os.getxattr(root / "f", "user.long") == value
