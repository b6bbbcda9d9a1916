"""The program whose power is cut while a view is made: `python -m tests.power.building FOLDER WHAT` under the recorder.

WHAT is `points` or `text`, to build a generation, `replaced`, to build another one of points and delete the first, `words`, to
commit the word index, or `edited`, to do that as notes come and go. The rows are committed and never synced by their writer, as
those of any process are for a moment; then a generation is built of them, and marked. Few rows: such a generation has no
searcher, whose files the recorder cannot see. Of a commit of the word index is marked that it may be there from now on, with
the number of the change that it reaches to. `edited` begins when it is told to on its standard input, and tells on its standard
output the places of the notes that are committed.
"""

import sys
from pathlib import Path

import numpy as np

from vexfs.core import collections, files, points
from vexfs.core.types import ROOT_INO, Collection, CollectionSchema, Ino, Revision, VectorSpec
from vexfs.store.blobs import sync_folder
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction
from vexfs.views.dense import builder, generation
from vexfs.views.dense.index import IndexSpec
from vexfs.views.dense.sources import TEXT_COLLECTION, TEXT_VECTOR
from vexfs.views.derived import STATE_READY, FileState, derived_folder
from vexfs.views.indexing.words import Words
from vexfs.views.indexing.writer import BULK_LANE, DerivedWriter, PassageText, PendingFile
from vexfs.views.lexical import Marker

from .recorder import mark

DIMENSION, ROWS = 8, 20


def _make_collection(txn: Transaction) -> Collection:
    directory = files.make_directory(txn, ROOT_INO, b"c", mode=0o40755, uid=0, gid=0)
    schema = CollectionSchema((VectorSpec("v", DIMENSION, "cosine"),), embed_text=False)
    return collections.create(txn, directory.ino, schema)


def _vectors(seed: int = 1) -> list[bytes]:
    return [row.tobytes() for row in np.random.default_rng(seed).standard_normal((ROWS, DIMENSION)).astype("<f4")]


def _build_of_points(volume: Volume) -> None:
    collection = volume.queue.submit("collection", _make_collection).result().value
    assert collection is not None
    items = [points.PointInput(f"p{place}", {"v": vector}) for place, vector in enumerate(_vectors())]
    volume.queue.submit("points", lambda txn: points.upsert(txn, collection, items), durable=False).result()
    _build(volume, IndexSpec(collection.ino, "v", DIMENSION, "cosine"))


def _replace(volume: Volume) -> None:
    _build_of_points(volume)
    first = generation.manifests(builder.generations_folder(volume.folder))[0]
    with volume.snapshot() as view:
        collection = collections.get(view, Ino(first.collection))
    items = [points.PointInput(f"p{place + 10}", {"v": vector}) for place, vector in enumerate(_vectors(seed=2))]
    volume.queue.submit("points", lambda txn: points.upsert(txn, collection, items), durable=False).result()
    _build(volume, first.spec)
    generation.delete(builder.generations_folder(volume.folder) / first.id)
    mark(b"deleted")


def _build_of_text(volume: Volume) -> None:
    writer = DerivedWriter(derived_folder(volume.folder))
    writer.use_model("m")
    for place, vector in enumerate(_vectors()):
        writer.store_embeddings("m", [(_store(writer, place), vector)])
    _build(volume, IndexSpec(TEXT_COLLECTION, TEXT_VECTOR, DIMENSION, "cosine"))
    writer.close()


def _commit_words(volume: Volume) -> None:
    writer = DerivedWriter(derived_folder(volume.folder))
    sync_folder(volume.folder)  # the folder of both lost would prove nothing
    words = Words(writer)
    commit = words.lexical.commit

    def marking(marker: Marker) -> None:
        mark(str(marker.seq).encode())
        commit(marker)

    words.lexical.commit = marking  # type: ignore[method-assign]
    for place in range(ROWS):
        _store(writer, place, f"text {place}")
        words.lexical.replace(place + 2, [(0, f"text {place}")])
        words.commit()
    words.close()
    writer.close()


def text_of(place: int) -> str:
    return f"text number{place}"


def is_removed(place: int, last: int) -> bool:
    """Whether `edited` has removed the note of that place when it is done with the note of the place `last`."""
    return place % 3 == 1 and place < last


def ino_of(place: int) -> Ino:
    return Ino(place + 2)


def _edit_words(volume: Volume) -> None:
    writer = DerivedWriter(derived_folder(volume.folder))
    words = Words(writer)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for place in range(ROWS):
        _store(writer, place, text_of(place))
        words.lexical.replace(ino_of(place), [(0, text_of(place))])
        if is_removed(place - 1, place):
            writer.remove(ino_of(place - 1))
            words.lexical.replace(ino_of(place - 1), [])
        words.commit()
        sys.stdout.write(f"{place}\n")
        sys.stdout.flush()
    words.close()
    writer.close()


def _store(writer: DerivedWriter, place: int, text: str = "text") -> bytes:
    """A file of one passage; returns the key of its text."""
    ino, key = ino_of(place), place.to_bytes(16, "big")
    state = FileState(ino, Revision(1), STATE_READY, "", "text", 1)
    waiting = PendingFile(ino, BULK_LANE, Revision(1), Revision(1), 0)
    writer.store_passages(state, [PassageText(0, 1, 1, 1, key, text)], "m", waiting)
    return key


def _build(volume: Volume, spec: IndexSpec) -> None:
    assert builder.build(volume, spec) is not None
    mark(b"built")


def main() -> None:
    programs = {
        "points": _build_of_points,
        "replaced": _replace,
        "text": _build_of_text,
        "words": _commit_words,
        "edited": _edit_words,
    }
    make = programs[sys.argv[2]]
    with Volume.open(Path(sys.argv[1]), "api", create=True) as volume:
        make(volume)


if __name__ == "__main__":
    main()
