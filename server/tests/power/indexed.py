"""The program whose power is cut while words are indexed: `python -m tests.power.indexed FOLDER SEED NOTES` under the recorder.

Notes come, change and go in a volume, and the real indexer follows them, round by round, in the one thread there is: with
commits of a few notes and of many, merges, an index that is found damaged at a start, one that is removed under the indexer,
and derived data that is lost as a whole. Whenever the indexer has told that everything can be found, the volume's revision is
marked: all that is acknowledged then. Also what the cuts' check needs to run the same indexer on what it finds.
"""

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.views.indexer_process import Tree
from vexfs.store.volume import Volume
from vexfs.views import derived, indexer
from vexfs.views.indexer import Indexer
from vexfs.views.indexing import following, words
from vexfs.views.indexing.writer import DerivedWriter

from .recorder import mark

_ROUNDS_MAX = 2000
_COLORS = ("red", "green", "blue", "white")


def hurry(change: Callable[[Any, str, Any], None] = setattr) -> None:
    """Has the indexer wait for nothing and do little at once: a note is indexed as soon as it is there, a loss is looked for in
    every round, and an index that is filled again is committed many times on the way."""
    for owner, name in (
        (following, "SETTLE_NS"),
        (following, "QUIET_NS"),
        (indexer, "LOSS_CHECK_S"),
        (words, "FRESH_COMMIT_S"),
        (words, "BULK_COMMIT_S"),
        (words, "COMMIT_SHARE"),
    ):
        change(owner, name, 0)
    change(indexer, "IDLE_WAIT_S", 0.001)
    change(indexer, "SLICE_S", 0.0005)


@contextmanager
def indexing(folder: Path) -> Iterator[Indexer]:
    """The indexer at work on the volume in `folder`, for `catch_up`; without embedding, and without upkeep of the volume."""
    with Volume.open(folder, "indexer", create=True) as volume:
        working = Indexer(volume, 1)
        try:
            yield working
        finally:
            working._parts.close()


def catch_up(working: Indexer, revision: int) -> None:
    """Lets the indexer work until it tells that everything up to the revision can be found by its words, and no longer.

    Raises AssertionError when it does not come to that.
    """
    for _ in range(_ROUNDS_MAX):
        working._round()
        if (working._parts.writer.position(derived.VIEW_LEXICAL) or 0) >= revision and not working._parts.words.behind:
            return
    raise AssertionError(f"the words of revision {revision} are not there after {_ROUNDS_MAX} rounds")


def text_of(place: int, version: int) -> str:
    """Its words: one of all notes, one of this note, one of this version of it, and two that others share."""
    color = _COLORS[(place + version) % len(_COLORS)]
    return f"text number{place} version{place}v{version} {color} {_COLORS[version % len(_COLORS)]}"


class Notes:
    """Writes notes, as another process does beside the indexer; the first one that is made has the place `first`."""

    def __init__(self, volume: Volume, seed: int, first: int = 0) -> None:
        self._volume = volume
        self._tree = Tree(volume)
        self._rng = random.Random(seed)
        self._versions: dict[int, int] = {}
        self._next = first

    def write(self, count: int) -> int:
        """Makes, changes and removes so many; returns the revision they are in."""
        for _ in range(count):
            chosen = self._rng.choice(sorted(self._versions)) if self._versions and self._rng.random() < 0.6 else None
            if chosen is not None and self._rng.random() < 0.25:
                self._tree.remove(f"note{chosen}")
                del self._versions[chosen]
                continue
            if chosen is None:
                chosen, self._next = self._next, self._next + 1
            self._versions[chosen] = self._versions.get(chosen, -1) + 1
            self._tree.put(f"note{chosen}", text_of(chosen, self._versions[chosen]))
        return self._volume.head()


def _follow(folder: Path, notes: Notes, batches: list[int], spoil: Callable[[Path], None] | None = None) -> None:
    """Starts the indexer and has it follow some batches of notes; after the first, something may spoil what it has made."""
    with indexing(folder) as working:
        for number, count in enumerate(batches):
            revision = notes.write(count)
            catch_up(working, revision)
            mark(b"%d" % revision)
            if spoil is not None and number == 0:
                spoil(derived.derived_folder(folder))


def _damage(made: Path) -> None:
    (made / derived.LEXICAL_FOLDER / "meta.json").write_bytes(b"{}")


def _remove_words(made: Path) -> None:
    shutil.rmtree(made / derived.LEXICAL_FOLDER)


def _remove_database(made: Path) -> None:
    for path in made.glob(derived.DATABASE_NAME + "*"):
        path.unlink()


def _make_foreign(made: Path) -> None:
    """As an older version left it: all of it is thrown away."""
    writer = DerivedWriter(made)
    writer.set_meta("format", derived.FORMAT - 1)
    writer.close()


def main() -> None:
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    hurry()
    with Volume.open(folder, "api", create=True) as volume:
        notes = Notes(volume, seed)
        _follow(folder, notes, [3, 1] + [2] * (count // 2))
        _follow(folder, notes, [count, 1, 2])
        _damage(derived.derived_folder(folder))
        _follow(folder, notes, [2, 1, 1], spoil=_remove_words)
        _make_foreign(derived.derived_folder(folder))
        _follow(folder, notes, [1, 2, 1], spoil=_remove_database)


if __name__ == "__main__":
    main()
