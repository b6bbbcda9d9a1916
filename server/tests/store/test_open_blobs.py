"""Blobs kept open: opened once, a few at a time, closed when nobody needs them."""

import os

import pytest

from vexfs.core.errors import CorruptContent
from vexfs.store.open_blobs import BLOBS_MAX, OpenBlobs
from vexfs.store.volume import Volume


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def blob(volume: Volume, number: int) -> bytes:
    return volume.blobs.add(b"%d" % number)


def test_a_blob_is_opened_once_and_reads_as_it_was_stored(volume: Volume) -> None:
    opened = OpenBlobs(volume.blobs)
    first = opened.get(1, blob(volume, 7))
    assert opened.get(1, blob(volume, 7)) is first
    assert os.pread(first.fd, 10, 0) == b"7"


def test_the_longest_unused_is_closed_first_and_only_so_many_stay(volume: Volume) -> None:
    opened = OpenBlobs(volume.blobs)
    numbers = [opened.get(1, blob(volume, number)).fd for number in range(BLOBS_MAX)]
    opened.get(1, blob(volume, 0))
    opened.get(1, blob(volume, BLOBS_MAX))
    assert len(opened) == BLOBS_MAX
    assert is_open(numbers[0])
    assert opened.get(1, blob(volume, 0)).fd == numbers[0]
    assert [is_open(fd) for fd in numbers[1:3]] == [False, True]


def test_what_is_being_read_stays_open_until_it_was_read(volume: Volume) -> None:
    opened = OpenBlobs(volume.blobs)
    held = opened.get(1, blob(volume, 1))
    opened.close_of(1)
    assert len(opened) == 0 and os.pread(held.fd, 10, 0) == b"1"
    number = held.fd
    del held
    assert not is_open(number)


def test_the_end_of_a_file_lets_go_of_its_blobs_alone(volume: Volume) -> None:
    opened = OpenBlobs(volume.blobs)
    shared = blob(volume, 1)
    numbers = opened.get(1, shared).fd, opened.get(2, shared).fd
    opened.close_of(1)
    assert [is_open(fd) for fd in numbers] == [False, True]
    opened.close()
    assert not is_open(numbers[1])


def test_a_missing_blob_is_corrupt_content_and_not_remembered(volume: Volume) -> None:
    opened = OpenBlobs(volume.blobs)
    lost = blob(volume, 1)
    volume.blobs.unlink(lost)
    with pytest.raises(CorruptContent):
        opened.get(1, lost)
    assert blob(volume, 1) == lost
    assert os.pread(opened.get(1, lost).fd, 10, 0) == b"1"
