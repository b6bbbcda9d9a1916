"""The dirty buffer behaves like an array of bytes with a mask."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.mount import dirty
from vexfs.mount.dirty import DirtyBuffer


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    """Small enough a limit that appended pieces occur within the span."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dirty, "PIECE_MIN_BYTES", 8)
        yield


SPAN = 64


def model_runs(content: bytearray, mask: bytearray) -> list[tuple[int, bytes]]:
    runs: list[tuple[int, bytes]] = []
    position = 0
    while position < SPAN:
        if not mask[position]:
            position += 1
            continue
        end = position
        while end < SPAN and mask[end]:
            end += 1
        runs.append((position, bytes(content[position:end])))
        position = end
    return runs


writes = st.tuples(st.just("write"), st.integers(0, SPAN - 1), st.binary(min_size=0, max_size=24))
truncations = st.tuples(st.just("truncate"), st.integers(0, SPAN), st.just(b""))


@given(st.lists(st.one_of(writes, writes, writes, truncations), max_size=30), st.integers(0, SPAN), st.integers(0, SPAN))
def test_any_sequence_of_writes_and_truncations_equals_the_model(
    steps: list[tuple[str, int, bytes]], offset: int, length: int
) -> None:
    buffer = DirtyBuffer()
    content, mask = bytearray(SPAN), bytearray(SPAN)
    for kind, at, data in steps:
        if kind == "write":
            fitting = data[: SPAN - at]
            buffer.write(at, fitting)
            content[at : at + len(fitting)] = fitting
            mask[at : at + len(fitting)] = b"\1" * len(fitting)
        else:
            buffer.truncate(at)
            mask[at:] = bytes(SPAN - at)
    expected = model_runs(content, mask)
    assert buffer.spans() == [(start, start + len(run)) for start, run in expected]
    assert buffer.touches(offset, offset + length + 1) == any(mask[offset : offset + length + 1])
    assert buffer.runs() == expected
    assert buffer.byte_count == sum(mask)
    assert buffer.run_count == len(expected)
    assert buffer.end == (expected[-1][0] + len(expected[-1][1]) if expected else 0)
    assert buffer.longest_run() == max((len(run) for _, run in expected), default=0)
    base = bytes((index * 7 + 1) % 256 for index in range(SPAN))
    target = bytearray(base[offset : offset + length])
    buffer.overlay(offset, target)
    shown = bytes(content[i] if mask[i] else base[i] for i in range(SPAN))
    assert bytes(target) == shown[offset : offset + length]


def test_sequential_writes_stay_one_run() -> None:
    buffer = DirtyBuffer()
    for index in range(1000):
        buffer.write(index * 10, b"0123456789")
    assert buffer.run_count == 1
    assert buffer.runs() == [(0, b"0123456789" * 1000)]


def test_an_overwrite_inside_a_run_keeps_its_length() -> None:
    buffer = DirtyBuffer()
    buffer.write(5, b"aaaaaaaa")
    buffer.write(7, b"bb")
    assert buffer.runs() == [(5, b"aabbaaaa")]
    assert buffer.byte_count == 8
