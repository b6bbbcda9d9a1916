"""A file that was written a thousand times costs no more than one that was written thirty times: counted in SQLite's steps."""

import random
from collections.abc import Callable

import pytest

from vexfs.core import content, copying, files, ranges
from vexfs.core.types import BLOCK_BYTES, Ino
from vexfs.store.writer import Transaction

from .helpers import Bench, data_of, write

BLOCKS = 24
SIZE_BYTES = BLOCKS * BLOCK_BYTES


def work(bench: Bench, ino: Ino, rounds: int, seed: int) -> None:
    """Change the file in every way, and leave it as long as it was."""
    random_ = random.Random(seed)
    for number in range(rounds):
        offset = random_.randrange(SIZE_BYTES // 2)
        length = random_.choice((10, 5_000, BLOCK_BYTES, 500_000))
        write(bench, ino, offset, data_of(length))
        bench.do(lambda txn, at=offset, size=length: ranges.zero(txn, ino, at // 2, size))  # type: ignore[misc]
        if number % 4 == 0:
            bench.do(lambda txn, at=offset: content.truncate(txn, ino, at))  # type: ignore[misc]
            bench.do(lambda txn: content.truncate(txn, ino, SIZE_BYTES))
        if number % 3 == 0:
            bench.do(lambda txn, at=offset: copying.copy_range(txn, ino, at // 3, ino, SIZE_BYTES // 2 + at, 300_000))  # type: ignore[misc]


def steps_of(bench: Bench, function: Callable[[], object]) -> int:
    """How many steps of SQLite's machine that took."""
    connection = bench.volume.writer._connection
    taken = 0

    def step() -> bool:
        nonlocal taken
        taken += 1
        return False

    connection.set_progress_handler(step, 1)
    try:
        function()
    finally:
        connection.set_progress_handler(None)
    return taken


OPERATIONS: dict[str, Callable[[Transaction, Ino], object]] = {
    "reading it": lambda txn, ino: content.read(txn, ino, 0, SIZE_BYTES),
    "reading a block": lambda txn, ino: content.read(txn, ino, 5 * BLOCK_BYTES, 100),
    "looking for data": lambda txn, ino: ranges.next_data(txn, files.stat(txn, ino), 0),
    "looking for a hole": lambda txn, ino: ranges.next_hole(txn, files.stat(txn, ino), 0),
    "writing a little": lambda txn, ino: content.write(txn, ino, content.prepare(txn.blobs, [(70_000, b"a little")])),
    "writing much": lambda txn, ino: content.write(txn, ino, content.prepare(txn.blobs, [(70_000, data_of(600_000))])),
    "making a hole": lambda txn, ino: ranges.zero(txn, ino, 0, SIZE_BYTES),
    "copying": lambda txn, ino: copying.copy_range(txn, ino, 0, ino, SIZE_BYTES // 2, SIZE_BYTES // 2),
    "cutting it": lambda txn, ino: content.truncate(txn, ino, 1_000),
}


def test_what_a_file_went_through_costs_nothing(bench: Bench) -> None:
    counted: list[dict[str, int]] = []
    node = bench.file(b"file", data_of(SIZE_BYTES))
    for rounds in (30, 1_000):
        work(bench, node.ino, rounds, seed=rounds)
        counted.append({})
        for name, operation in OPERATIONS.items():
            write(bench, node.ino, 0, data_of(SIZE_BYTES))
            work(bench, node.ino, 3, seed=1)
            counted[-1][name] = steps_of(bench, lambda operation=operation: bench.do(lambda txn: operation(txn, node.ino)))  # type: ignore[misc]
    for name, steps in counted[1].items():
        assert steps <= 1.5 * counted[0][name] + 200, (name, steps, counted[0][name])


@pytest.mark.parametrize("length", [100, 5 * BLOCK_BYTES, SIZE_BYTES], ids=["a block", "rows", "a blob"])
def test_a_file_that_is_written_anew_each_time_is_read_as_fast_as_a_new_one(bench: Bench, length: int) -> None:
    node = bench.file(b"%d" % length, data_of(length))
    reading = [steps_of(bench, lambda: bench.read(node.ino))]
    for _ in range(300):
        bench.do(lambda txn: content.truncate(txn, node.ino, 0))
        write(bench, node.ino, 0, data_of(length))
    reading.append(steps_of(bench, lambda: bench.read(node.ino)))
    assert bench.read(node.ino) == data_of(length)
    assert reading[1] <= 2 * reading[0] + 200, reading
