"""The replayer's model: what a power cut may take and what it may not."""

from pathlib import Path

import pytest

from .disk import SECTOR_BYTES, Disk, Survival, Tree
from .events import Event, Kind, UnsoundLog

FILE, OTHER, FOLDER = 100, 101, 102
_ALL_SEEDS = range(200)


def _event(
    kind: Kind, ino: int = 0, *, path: str = "", other: str = "", offset: int = 0, data: bytes = b"", thread: int = 1
) -> Event:
    return Event(kind, thread, ino, offset, path, other, data)


def _create(path: str, ino: int = FILE) -> Event:
    return _event(Kind.CREATE, ino, path=path)


def _write(data: bytes, ino: int = FILE, offset: int = 0) -> Event:
    return _event(Kind.WRITE, ino, offset=offset, data=data)


def _sync(ino: int) -> list[Event]:
    return [_event(Kind.SYNC_BEGIN, ino), _event(Kind.SYNC_END, ino)]


class _Replay:
    def __init__(self, folder: Path) -> None:
        self.root = folder.stat().st_ino
        self.disk = Disk(folder)

    def __call__(self, *events: Event | list[Event]) -> None:
        for event in events:
            for one in event if isinstance(event, list) else [event]:
                self.disk.apply(one)

    def states(self, survival: Survival) -> list[Tree]:
        return [self.disk.after_cut(survival, seed) for seed in _ALL_SEEDS]

    def every_state(self) -> list[Tree]:
        return [tree for survival in Survival for tree in self.states(survival)]


@pytest.fixture
def replay(tmp_path: Path) -> _Replay:
    return _Replay(tmp_path)


def test_what_was_there_before_is_certain(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "old").write_bytes(b"kept")
    (tmp_path / "db-shm").write_bytes(b"left out")
    for tree in _Replay(tmp_path).every_state():
        assert tree == {"sub": None, "sub/old": b"kept"}


def test_synced_content_under_a_synced_name_survives_every_cut(replay: _Replay) -> None:
    replay(_create("f"), _write(b"abc"), _sync(FILE), _sync(replay.root))
    assert all(tree == {"f": b"abc"} for tree in replay.every_state())


def test_a_name_is_lost_unless_its_folder_was_synced(replay: _Replay) -> None:
    replay(_create("f"), _write(b"abc"), _sync(FILE))
    assert replay.disk.after_cut(Survival.NOTHING) == {}
    assert {} in replay.states(Survival.ANY)
    assert {"f": b"abc"} in replay.states(Survival.ANY)


def test_content_is_lost_unless_the_file_was_synced(replay: _Replay) -> None:
    replay(_create("f"), _write(b"abc"), _sync(replay.root))
    assert replay.disk.after_cut(Survival.NOTHING) == {"f": b""}
    assert replay.disk.after_cut(Survival.EVERYTHING) == {"f": b"abc"}


def test_a_sync_covers_only_what_returned_before_it_began(replay: _Replay) -> None:
    replay(_create("f"), _sync(replay.root), _write(b"aaa"))
    replay(_event(Kind.SYNC_BEGIN, FILE), _write(b"bbb"), _event(Kind.SYNC_END, FILE))
    assert replay.disk.after_cut(Survival.NOTHING) == {"f": b"aaa"}


def test_a_sync_that_has_not_ended_promises_nothing(replay: _Replay) -> None:
    replay(_create("f"), _sync(replay.root), _write(b"aaa"), _event(Kind.SYNC_BEGIN, FILE))
    assert replay.disk.after_cut(Survival.NOTHING) == {"f": b""}


def test_syncs_of_two_threads_do_not_mix(replay: _Replay) -> None:
    replay(_create("f"), _sync(replay.root), _event(Kind.SYNC_BEGIN, FILE, thread=1), _write(b"aaa"))
    replay(_event(Kind.SYNC_BEGIN, FILE, thread=2), _event(Kind.SYNC_END, FILE, thread=1))
    assert replay.disk.after_cut(Survival.NOTHING) == {"f": b""}
    replay(_event(Kind.SYNC_END, FILE, thread=2))
    assert replay.disk.after_cut(Survival.NOTHING) == {"f": b"aaa"}


def test_a_rename_is_whole_or_absent(replay: _Replay) -> None:
    replay(_create("tmp"), _write(b"new"), _sync(FILE), _create("name", OTHER), _sync(replay.root))
    replay(_event(Kind.RENAME, path="tmp", other="name"))
    states = replay.every_state()
    before: Tree = {"tmp": b"new", "name": b""}
    assert all(tree in (before, {"name": b"new"}) for tree in states)
    assert before in states and {"name": b"new"} in states
    replay(_sync(replay.root))
    assert all(tree == {"name": b"new"} for tree in replay.every_state())


def test_a_rename_into_another_folder_is_certain_with_the_new_folder(replay: _Replay) -> None:
    replay(
        _event(Kind.MKDIR, FOLDER, path="sub"), _create("f"), _sync(replay.root), _event(Kind.RENAME, path="f", other="sub/f")
    )
    replay(_sync(replay.root))
    assert replay.disk.after_cut(Survival.NOTHING) == {"sub": None, "f": b""}
    replay(_sync(FOLDER))
    assert replay.disk.after_cut(Survival.NOTHING) == {"sub": None, "sub/f": b""}


def test_a_name_that_was_certainly_moved_away_does_not_come_back(replay: _Replay) -> None:
    replay(_event(Kind.MKDIR, FOLDER, path="sub"), _sync(replay.root), _create("sub/tmp"))
    replay(_event(Kind.RENAME, path="sub/tmp", other="f"), _sync(replay.root))
    assert all(tree == {"sub": None, "f": b""} for tree in replay.every_state())


def test_what_lies_in_a_lost_folder_is_lost(replay: _Replay) -> None:
    replay(_event(Kind.MKDIR, FOLDER, path="sub"), _create("sub/f"), _write(b"abc"), _sync(FILE), _sync(FOLDER))
    assert replay.disk.after_cut(Survival.NOTHING) == {}
    replay(_sync(replay.root))
    assert replay.disk.after_cut(Survival.NOTHING) == {"sub": None, "sub/f": b"abc"}


def test_an_unsynced_unlink_may_be_undone(replay: _Replay) -> None:
    replay(_create("f"), _sync(replay.root), _event(Kind.UNLINK, path="f"))
    states = replay.states(Survival.ANY)
    assert {} in states and {"f": b""} in states


def test_unsynced_writes_are_lost_and_kept_in_any_order(replay: _Replay) -> None:
    replay(_create("f"), _sync(replay.root), _write(b"1111"), _write(b"22", offset=2), _event(Kind.TRUNCATE, FILE, offset=3))
    found = {tree["f"] for tree in replay.states(Survival.ANY)}
    assert found == {b"", b"1111", b"\0\x0022", b"1122", b"111", b"112", b"\0\0\0", b"\0\x002"}


def test_a_disk_that_keeps_order_loses_only_the_newest(replay: _Replay) -> None:
    replay(_create("f"), _sync(replay.root), _write(b"1"), _create("g", OTHER), _write(b"2", offset=1))
    states = replay.states(Survival.PREFIX)
    want: list[Tree] = [{"f": b""}, {"f": b"1"}, {"f": b"1", "g": b""}, {"f": b"12", "g": b""}]
    assert all(tree in want for tree in states) and all(tree in states for tree in want)


def test_a_write_tears_at_sectors_of_the_file(replay: _Replay) -> None:
    replay(_create("f"), _write(b"." * 3 * SECTOR_BYTES), _sync(FILE), _sync(replay.root))
    replay(_write(b"x" * (SECTOR_BYTES + 200), offset=SECTOR_BYTES - 100))
    found = {tree["f"] for tree in replay.states(Survival.TORN)}
    assert len(found) == 8  # three sectors are touched: each is old or new
    for content in found:
        assert content is not None and len(content) == 3 * SECTOR_BYTES
        parts = [
            content[SECTOR_BYTES - 100 : SECTOR_BYTES],
            content[SECTOR_BYTES : 2 * SECTOR_BYTES],
            content[2 * SECTOR_BYTES :][:100],
        ]
        assert all(len(set(part)) == 1 for part in parts)
        assert content.count(b"x") == sum(len(part) for part in parts if part[:1] == b"x")


def test_a_reused_inode_number_is_a_new_file(replay: _Replay) -> None:
    replay(_create("old"), _write(b"old"), _event(Kind.UNLINK, path="old"), _create("new"), _sync(FILE), _sync(replay.root))
    assert replay.disk.after_cut(Survival.EVERYTHING) == {"new": b""}


def test_the_same_seed_gives_the_same_state(replay: _Replay) -> None:
    for number in range(20):
        replay(_create(f"f{number}", FILE + number), _write(b"x" * 2000, FILE + number))
    for survival in Survival:
        assert replay.disk.after_cut(survival, 7) == replay.disk.after_cut(survival, 7)
    assert replay.disk.after_cut(Survival.ANY, 7) != replay.disk.after_cut(Survival.ANY, 8)


def test_a_write_to_a_file_nobody_made_is_refused(replay: _Replay) -> None:
    with pytest.raises(UnsoundLog):
        replay(_write(b"x"))
