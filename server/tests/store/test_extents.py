"""Which extents and chunks show, in the present and at every revision before, whatever came over what."""

from typing import NamedTuple

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vexfs.core.types import BLOCK_BYTES
from vexfs.store import content, extents, schema
from vexfs.store.extents import EXTENT_MAX_BLOCKS, Extent

BLOCKS = 12
INO = 7
BLOBS = 3

Shown = tuple[bytes | int | None, int]
"""The blob and its block that show, or the number of a chunk; (None, 0) for a hole."""
HOLE: Shown = (None, 0)


class Step(NamedTuple):
    """What is put, in a new revision or in that of the step before."""

    kind: str
    first_block: int
    block_count: int
    blob: int
    new_revision: bool


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(["data", "data", "hole", "chunk", "no chunk", "clear"]),
        st.integers(0, BLOCKS - 1),
        st.integers(1, BLOCKS),
        st.integers(0, BLOBS - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@pytest.fixture(scope="module")
def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    schema.migrate(connection, uid=0, gid=0)
    return connection


def put(database: apsw.Connection, step: Step, born: int, now: dict[int, Shown], number: int) -> None:
    """Take one step in the database and in the model."""
    end_block = min(step.first_block + step.block_count, BLOCKS)
    blocks = range(step.first_block, end_block)
    blob = bytes([step.blob]) * 32
    if step.kind == "clear":
        content.clear(database, INO, step.first_block, end_block, born=born)  # type: ignore[arg-type]
        now.update(dict.fromkeys(blocks, HOLE))
    elif step.kind in ("data", "hole"):
        extent = Extent(step.first_block, born, len(blocks), blob if step.kind == "data" else None, 5 * BLOCK_BYTES)
        content.put_extents(database, INO, [extent if extent.blob else extent._replace(blob_offset=0)])
        now.update({block: (blob, 5 + block - blocks[0]) if extent.blob else HOLE for block in blocks})
    else:
        data = b"%d" % number if step.kind == "chunk" else None
        content.put_chunk(database, INO, step.first_block, data, born=born)
        now[step.first_block] = (number, 0) if data else HOLE


def shown(database: apsw.Connection, at_revision: int) -> dict[int, Shown]:
    """What the rows of the database show."""
    found: dict[int, Shown] = dict.fromkeys(range(BLOCKS), HOLE)
    for piece in content._pieces(content._shown(database, INO, 0, BLOCKS, at_revision)):
        for index in range(piece.block_count):
            if piece.blob is None:
                data = database.execute("SELECT data FROM chunk WHERE id=?", (piece.chunk_id,)).fetchall()[0][0]
                found[piece.first_block] = HOLE if data is None else (int(data), 0)
            else:
                found[piece.first_block + index] = (piece.blob, piece.blob_offset // BLOCK_BYTES + index)
    return found


@settings(max_examples=300, deadline=None)
@given(steps)
def test_every_revision_shows_what_was_put_last(database: apsw.Connection, steps: list[Step]) -> None:
    database.execute("DELETE FROM extent; DELETE FROM chunk")
    now: dict[int, Shown] = dict.fromkeys(range(BLOCKS), HOLE)
    past: dict[int, dict[int, Shown]] = {}
    born = 1
    for number, step in enumerate(steps):
        born += step.new_revision
        put(database, step, born, now, number)
        past[born] = dict(now)
        assert shown(database, extents.FOREVER) == now
        with_data = {block for block, what in now.items() if what != HOLE}
        runs = content.data_runs(database, INO, 0, BLOCKS)
        assert {block for first, end in runs for block in range(first, end)} == with_data
    for revision, then in past.items():
        assert shown(database, revision) == then
    assert list(extents.wrongly_hidden(database)) == []
    present = extents.covering(database, INO, 0, BLOCKS)
    assert len(present) <= BLOCKS


def test_an_extent_dies_when_several_have_come_over_all_of_it(database: apsw.Connection) -> None:
    database.execute("DELETE FROM extent; DELETE FROM chunk")
    for born, (first_block, count) in enumerate(((2, 5), (0, 4), (3, 7))):
        content.put_extents(database, INO, [Extent(first_block, born, count, b"b" * 32, 0)])
    assert [extent.born for extent in extents.covering(database, INO, 0, BLOCKS)] == [1, 2]
    assert [extent.born for extent in extents.covering(database, INO, 0, BLOCKS, 1)] == [0, 1]


def test_a_row_said_to_have_died_that_shows_is_told_and_taken_back(database: apsw.Connection) -> None:
    database.execute("DELETE FROM extent; DELETE FROM chunk")
    for born in (1, 2, 3):
        content.put_extents(database, INO, [Extent(0, born, born, b"b" * 32, 0)])
    database.execute("UPDATE extent SET died=2 WHERE born=3 OR born=2")
    (told,) = extents.wrongly_hidden(database)
    assert (told[0], told[1].born) == (INO, 2)
    extents.show_again(database, *told)
    assert database.execute("SELECT born, died FROM extent ORDER BY born").fetchall() == [(1, 2), (2, None), (3, 2)]


def test_a_short_hole_over_a_long_one_of_the_same_revision_leaves_it_long(database: apsw.Connection) -> None:
    database.execute("DELETE FROM extent; DELETE FROM chunk")
    for extent in (Extent(0, 1, 3, b"b" * 32, 0), Extent(0, 2, 2, None, 0), Extent(0, 2, 1, None, 0)):
        content.put_extents(database, INO, [extent])
    assert content.data_runs(database, INO, 0, BLOCKS) == [(2, 3)]


def test_holes_are_cut_where_an_extent_may_be_no_longer() -> None:
    made = list(extents.holes([(0, 5), (3, EXTENT_MAX_BLOCKS + 7)], 9))
    assert [(hole.first_block, hole.end_block) for hole in made] == [
        (0, 5), (5, EXTENT_MAX_BLOCKS + 5), (EXTENT_MAX_BLOCKS + 5, EXTENT_MAX_BLOCKS + 7),
    ]  # fmt: skip
    assert {(hole.born, hole.blob) for hole in made} == {(9, None)}
