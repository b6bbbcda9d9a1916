"""What a MiB of a large file costs that is read or written from one end to the other: requests, and system calls of the mount
process, counted with the spin off.
"""

import os
from pathlib import Path

import pytest

from vexfs.mount import lifecycle
from vexfs.mount.writeback import LAYER_BYTES

from .conftest import MakeMount
from .test_budget import Meter, make_meter

MIB = 1 << 20
SIZE_MIB = 32
LARGE = os.urandom(SIZE_MIB * MIB)


def written(meter: Meter) -> Path:
    """A large file, durable, of which the kernel has cached nothing for the mount, but all its blobs."""
    path = meter.mount.path / "large"
    path.write_bytes(LARGE)
    forget_pages(path)
    for blob in (meter.mount.data / "volumes" / "main" / "blobs").rglob("*"):
        if blob.is_file():
            blob.read_bytes()
    return path


def forget_pages(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def read_in_pieces(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        assert all(file.read(MIB) == LARGE[at * MIB : (at + 1) * MIB] for at in range(SIZE_MIB))


@pytest.mark.parametrize("readahead_kib", [128, 1024])
def test_a_request_of_a_sequential_read_is_one_read_of_a_blob_that_stays_open(
    make_mount: MakeMount, folder: Path, readahead_kib: int
) -> None:
    """128 KiB is what the kernel asks for where not root mounts."""
    meter = make_meter(make_mount, folder)
    readahead = lifecycle.readahead_file(meter.mount.path)
    if readahead.read_text().strip() != str(readahead_kib):
        if not os.access(readahead, os.W_OK):
            pytest.skip("only root may say how far the kernel reads ahead, where /sys can be written")
        readahead.write_text(str(readahead_kib))
    path = written(meter)
    cost = meter.measure_once(lambda: read_in_pieces(path), SIZE_MIB)
    requests = MIB / 1024 / readahead_kib
    assert cost.requests["READ"] == pytest.approx(requests, rel=0.15), cost
    others = sum(cost.requests.values()) - cost.requests["READ"]
    assert others * SIZE_MIB <= 4, (others, cost)
    assert cost.calls == pytest.approx(2 * cost.requests["READ"], rel=0.3), cost
    # A blob lies in the page cache, and a request that crosses from one to the next reads both.
    assert cost.disk["preadv"] <= cost.requests["READ"] * 1.2, cost
    blobs = sum(1 for file in (meter.mount.data / "volumes" / "main" / "blobs").rglob("*") if file.is_file())
    assert cost.disk["open"] * SIZE_MIB <= blobs, cost
    assert cost.disk.keys() <= {"open", "close", "preadv"}, cost


def write_in_pieces(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for at in range(SIZE_MIB):
            assert file.write(LARGE[at * MIB : (at + 1) * MIB]) == MIB
        os.fsync(file.fileno())


def test_a_request_of_a_sequential_write_is_kept_as_it_came_and_written_to_a_blob(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder, "--no-wait-findable")
    path = meter.mount.path / "large"
    cost = meter.measure_once(lambda: write_in_pieces(path), SIZE_MIB)
    assert cost.requests["WRITE"] == 1, cost
    assert sum(cost.requests.values()) * SIZE_MIB <= SIZE_MIB + 6, cost
    assert cost.calls == pytest.approx(2 * sum(cost.requests.values()), abs=0.2), cost
    layers = -(-SIZE_MIB // (LAYER_BYTES // MIB)) + 1  # what waits for a second goes by itself, however little it is
    written = cost.disk.get("write", 0) + cost.disk.get("writev", 0)
    assert written * SIZE_MIB <= layers if directly(meter) else written <= 2.2, cost
    assert cost.disk["fsync"] * SIZE_MIB <= 2 * layers, cost
    assert cost.disk["open"] * SIZE_MIB <= 2 * layers, cost
    assert cost.disk.keys() <= {"open", "close", "write", "writev", "fsync"}, cost


def directly(meter: Meter) -> bool:
    """Whether the disk takes bytes past the page cache: a layer at once, else what one slab or one request's head holds."""
    try:
        os.close(os.open(meter.mount.data / "run", os.O_TMPFILE | os.O_RDWR | os.O_DIRECT))
    except OSError:
        return False
    return True
