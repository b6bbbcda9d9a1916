"""Arrays that grow at their end: what was put stays, and little is copied."""

import numpy as np

from vexfs.core.search.growing import Growing


def test_what_was_put_is_there_in_its_order() -> None:
    growing: Growing[np.int32] = Growing(np.int32)
    for count in (0, 1, 5, 0, 1000, 3):
        growing.append(np.arange(len(growing), len(growing) + count, dtype=np.int32))
    assert growing.values.tolist() == list(range(1009))
    assert growing.values.dtype == np.int32


def test_what_is_written_into_the_values_stays() -> None:
    growing: Growing[np.float64] = Growing(np.float64)
    growing.append(np.zeros(3))
    growing.values[1] = np.nan
    growing.append(np.ones(100))
    assert np.isnan(growing.values[1]) and growing.values[0] == 0.0 and growing.values[102] == 1.0


def test_values_that_come_one_by_one_are_hardly_ever_copied() -> None:
    growing: Growing[np.bool_] = Growing(np.bool_)
    rooms = set()
    for _ in range(10_000):
        growing.append(np.ones(1, dtype=np.bool_))
        rooms.add(growing.values.ctypes.data)
    assert len(rooms) < 60
