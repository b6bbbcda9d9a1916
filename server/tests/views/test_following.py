"""From the log to the queue: lanes, rest, and which log is believed."""

import time
from collections.abc import Iterator

import pytest
from indexer_process import Tree

from vexfs.core.status import Progress
from vexfs.core.types import Ino
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.dense.view import DenseView
from vexfs.views.derived import DerivedReader
from vexfs.views.indexing import following as following_module
from vexfs.views.indexing.following import BURST, Following
from vexfs.views.indexing.ignoring import Ignoring
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter


@pytest.fixture
def writer(volume: Volume) -> Iterator[DerivedWriter]:
    writer = DerivedWriter(derived.derived_folder(volume.folder))
    yield writer
    writer.close()


@pytest.fixture
def reader_volume(volume: Volume) -> Iterator[Volume]:
    """The indexer's own opening: what `volume` writes is another process's work."""
    with Volume.open(volume.folder, "indexer") as opened:
        yield opened


@pytest.fixture
def following(reader_volume: Volume, writer: DerivedWriter) -> Following:
    following = Following(reader_volume, writer, Ignoring())
    following.start()
    for pending in writer.due_files(time.time_ns() + 10**12, 1000):
        writer.finish(pending)
    return following


def test_a_few_files_are_fresh_and_many_are_bulk(following: Following, writer: DerivedWriter, tree: Tree) -> None:
    inos = [tree.put(f"f{index}", "x") for index in range(BURST * 2)]
    while following.read():
        pass
    lanes = [writer.pending_file(ino).lane for ino in inos]
    assert lanes[: BURST // 2] == [FRESH_LANE] * (BURST // 2)
    assert lanes[-1] == BULK_LANE
    due = writer.due_files(time.time_ns() + 10**12, 10)
    assert {pending.lane for pending in due} == {FRESH_LANE}
    assert due[0].last_revision > due[-1].last_revision, "the newest comes first"


def test_another_writer_is_fresh_beside_a_bulk_one(
    following: Following, writer: DerivedWriter, tree: Tree, volume: Volume
) -> None:
    for index in range(BURST * 2):
        tree.put(f"f{index}", "x")
    with Volume.open(volume.folder, "api") as other:
        ino = Tree(other).put("note", "x")
    while following.read():
        pass
    assert writer.pending_file(ino).lane == FRESH_LANE


def test_a_file_just_indexed_rests_until_it_is_quiet(following: Following, writer: DerivedWriter, tree: Tree) -> None:
    ino = tree.put("f", "x")
    following.read()
    first = writer.pending_file(ino)
    assert first.due_ns <= time.time_ns() + following_module.SETTLE_NS
    writer.finish(first)
    following.indexed(ino, seconds=0.001)
    tree.put("f", "y")
    following.read()
    again = writer.pending_file(ino)
    assert again.due_ns > time.time_ns() + 0.5e9
    following.indexed(ino, seconds=1.0)
    tree.put("f", "z")
    following.read()
    assert writer.pending_file(ino).due_ns > time.time_ns() + 10e9, "one that is costly to read rests longer"


def test_own_transactions_are_no_changes(reader_volume: Volume, following: Following, writer: DerivedWriter) -> None:
    Tree(reader_volume).put("f", "x")
    following.read()
    assert writer.next_due_ns() is None
    assert writer.position(derived.VIEW_LOG) == reader_volume.head()


def test_the_position_survives_and_is_believed(
    reader_volume: Volume, following: Following, writer: DerivedWriter, tree: Tree
) -> None:
    tree.put("f", "x")
    following.read()
    tree.put("g", "x")
    again = Following(reader_volume, writer, Ignoring())
    again.start()
    assert again.position == following.position
    assert again.read() > 0
    assert writer.pending_file(1) is None, "no full look"


@pytest.mark.parametrize("damage", ["mark", "ahead"])
def test_another_history_means_looking_at_everything(
    reader_volume: Volume, following: Following, writer: DerivedWriter, tree: Tree, damage: str
) -> None:
    ino = tree.put("f", "x")
    following.read()
    writer.store_skip(derived.FileState(Ino(77), 1, derived.STATE_SKIPPED, "r", "", 1), writer.pending_file(ino))
    if damage == "mark":
        writer.set_meta("log_mark", "another")
    else:
        writer.set_position(derived.VIEW_LOG, reader_volume.head() + 5)
    again = Following(reader_volume, writer, Ignoring())
    again.start()
    assert writer.pending_file(1) is not None
    assert writer.pending_file(77) is not None, "files that are gone are looked at too"
    assert writer.file_state(77).content_revision == -1
    assert again.position == reader_volume.head()


@pytest.mark.parametrize("mark", ["log_mark", "seen_mark"])
def test_positions_in_another_history_are_not_told(
    volume: Volume, reader_volume: Volume, following: Following, writer: DerivedWriter, tree: Tree, mark: str
) -> None:
    tree.put("f", "x")
    following.read()
    following.note_seen()
    writer.set_position(derived.VIEW_LEXICAL, volume.head())
    reader, dense = DerivedReader(writer.folder), DenseView(volume)
    try:
        dense.step()
        assert Progress(volume, dense, reader).text_revision(dense=False) == volume.head()
        writer.set_meta(mark, "another")
        opened = Progress(volume, dense, reader)
        assert opened.text_revision(dense=False) == 0
        assert "the index of the text is being built" in opened.of_text(dense=False, lexical=True).reasons[0]
        Following(reader_volume, writer, Ignoring()).start()
        assert opened.text_revision(dense=False) == 0, "not before the files were looked at again"
        writer.set_position(derived.VIEW_LEXICAL, volume.head())
        assert opened.text_revision(dense=False) == volume.head(), "from then on it is believed"
    finally:
        dense.stop()
        reader.close()
