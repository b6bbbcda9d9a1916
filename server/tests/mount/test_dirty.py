"""The dirty buffer behaves like an array of bytes with a mask."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.mount import dirty
from vexfs.mount.dirty import DirtyBuffer
from vexfs.mount.slabs import IDLE_AT_REST, IDLE_MAX, SLAB_BYTES, Slabs


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
large_writes = st.tuples(st.sampled_from(["copy", "keep"]), st.integers(0, SPAN - 1), st.binary(min_size=1, max_size=24))
truncations = st.tuples(st.just("truncate"), st.integers(0, SPAN), st.just(b""))


def write(buffer: DirtyBuffer, slabs: Slabs, kind: str, at: int, data: bytes) -> None:
    """At a run's end, or behind all, into a slab, if that is asked for; else anywhere."""
    if kind == "write" or buffer.growing_run(at) is None:
        buffer.write(at, data)
    elif kind == "copy":
        buffer.copy_behind(at, memoryview(data), slabs)
    else:
        slab = slabs.take()
        slab[: len(data)] = data
        buffer.keep_behind(at, slab, len(data))


@given(
    st.lists(st.one_of(writes, writes, large_writes, large_writes, truncations), max_size=30),
    st.integers(0, SPAN),
    st.integers(0, SPAN),
)
def test_any_sequence_of_writes_and_truncations_equals_the_model(
    steps: list[tuple[str, int, bytes]], offset: int, length: int
) -> None:
    buffer, slabs = DirtyBuffer(), Slabs()
    content, mask = bytearray(SPAN), bytearray(SPAN)
    for kind, at, data in steps:
        if kind != "truncate":
            fitting = data[: SPAN - at]
            write(buffer, slabs, kind, at, fitting)
            content[at : at + len(fitting)] = fitting
            mask[at : at + len(fitting)] = b"\1" * len(fitting)
        else:
            buffer.truncate(at)
            mask[at:] = bytes(SPAN - at)
    expected = model_runs(content, mask)
    assert buffer.spans() == [(start, start + len(run)) for start, run in expected]
    assert buffer.touches(offset, offset + length + 1) == any(mask[offset : offset + length + 1])
    assert [(start, b"".join(pieces)) for start, pieces in buffer.pieces()] == expected
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


def test_what_is_appended_in_large_writes_lies_in_as_few_slabs_as_hold_it() -> None:
    buffer, slabs = DirtyBuffer(), Slabs()
    data = memoryview(bytes(range(250)) * 1000)
    for index in range(8):
        buffer.copy_behind(index * len(data), data, slabs)
    used = buffer.take_slabs()
    assert len(used) == -(-8 * len(data) // SLAB_BYTES)
    assert b"".join(used)[: 8 * len(data)] == bytes(data) * 8


def test_slabs_whose_bytes_were_joined_are_not_given_back() -> None:
    """A worker may be reading them still."""
    buffer, slabs = DirtyBuffer(), Slabs()
    buffer.copy_behind(0, memoryview(b"one"), slabs)
    in_a_worker = buffer.pieces()
    buffer.overlay(0, bytearray(3))
    assert buffer.take_slabs() == []
    slabs.take()[:3] = b"two"
    assert in_a_worker == [(0, [b"one"])] and buffer.runs() == [(0, b"one")]


def test_slabs_are_used_again_and_only_so_many_are_kept() -> None:
    slabs = Slabs()
    first = slabs.take()
    slabs.give_back([first])
    assert slabs.take() is first and len(first) == SLAB_BYTES
    slabs.give_back([slabs.take() for _ in range(IDLE_MAX + 5)])
    assert len(slabs) == IDLE_MAX
    slabs.rest()
    assert len(slabs) == IDLE_AT_REST
