"""The model that was chosen in place of the one whose vectors are served: what it has embedded, and when it takes over.

Called by the indexer's embedding thread. `derived.db` names both: `model` is served, `next_model` is being filled. Readers see
vectors of the first only, until `take_over` makes the second the first, in the transaction that finds nothing missing. So no
search compares vectors of two models, and a crash at any point leaves either the one or the other. Which texts are left is not
kept anywhere: those without a vector are, so whatever was stored is never embedded again.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vexfs.views import derived
from vexfs.views.indexing.writer import BULK_LANE, DerivedWriter, PendingText

_ROWS_AT_ONCE = 10_000
"""Of the texts looked through at once: some milliseconds."""


class Left(NamedTuple):
    """Some texts that the model has not embedded."""

    texts: list[PendingText]
    after_rowid: int
    """Where to go on."""
    complete: bool
    """Whether that is the end of all texts."""


def is_needed(writer: DerivedWriter, model: str) -> bool:
    """Whether another model than this one has vectors that are served."""
    serving = writer.meta("model")
    served = "SELECT 1 FROM embedding JOIN passage USING(text_key) WHERE model = ? LIMIT 1"
    return bool(serving) and serving != model and bool(writer.rows(served, (serving,)))


def begin(writer: DerivedWriter, model: str, source: str) -> None:
    """The model shall take over; `source` says how it is loaded. Does nothing when that was begun before."""
    with writer.transaction():
        writer.set_meta("next_model", model)
        writer.set_meta("next_source", source)


def abandon(writer: DerivedWriter) -> None:
    """None shall take over any more. Its vectors stay a while, in case it is chosen again."""
    if writer.meta("next_model"):
        writer.rows("DELETE FROM meta WHERE key IN ('next_model', 'next_source')")


def left(writer: DerivedWriter, model: str, after_rowid: int, limit: int) -> Left:
    """The next texts, in the order in which they came, that some file has and the model has not embedded."""
    last = writer.rows("SELECT coalesce(max(rowid), 0) FROM text")[0][0]
    end = min(last, after_rowid + _ROWS_AT_ONCE)
    sql = (
        "SELECT rowid, text_key, text FROM text WHERE rowid > ? AND rowid <= ?"
        " AND NOT EXISTS (SELECT 1 FROM embedding WHERE model = ? AND embedding.text_key = text.text_key)"
        " AND EXISTS (SELECT 1 FROM passage WHERE passage.text_key = text.text_key) ORDER BY rowid LIMIT ?"
    )
    rows = writer.rows(sql, (after_rowid, end, model, limit))
    reached = rows[-1][0] if len(rows) == limit else end
    return Left([PendingText(row[1], BULK_LANE, row[2]) for row in rows], reached, reached >= last)


def store(writer: DerivedWriter, model: str, vectors: Sequence[tuple[bytes, bytes]]) -> None:
    """Stores (text_key, vector) pairs of texts that are still there; no reader is told, none looks at them yet."""
    sql = "INSERT OR REPLACE INTO embedding SELECT ?, text_key, ? FROM text WHERE text_key = ?"
    with writer.transaction() as connection:
        connection.executemany(sql, [(model, vector, text_key) for text_key, vector in vectors])


def take_over(writer: DerivedWriter, model: str) -> bool:
    """Makes the model the one that is served, unless a passage lacks its vector; tells the readers. Whether it did."""
    missing = (
        "SELECT 1 FROM passage WHERE NOT EXISTS"
        " (SELECT 1 FROM embedding WHERE model = ? AND embedding.text_key = passage.text_key) LIMIT 1"
    )
    with writer.transaction() as connection:
        if writer.rows(missing, (model,)):
            return False
        writer.set_meta("model", model)
        writer.set_meta("model_source", writer.meta("next_source") or "")
        abandon(writer)
        connection.execute("DELETE FROM pending_text")
        writer.announce(0, derived.WHAT_VECTORS)
        return True
