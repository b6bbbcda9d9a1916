"""The proof for the word index has teeth: without any one of the steps that keep it from lying, a power cut makes it lie.

What tantivy itself syncs cannot be left out here. `make test` tries each with a small budget; `make proofs-long`
(VEXFS_PROOFS=long) with a large one.
"""

import random
from pathlib import Path

import pytest

from vexfs.views.derived import LEXICAL_FOLDER
from vexfs.views.indexing.words import Words

from . import mutants
from .cuts import BrokenPromise, Cut, check_cuts
from .disk import Disk, Survival
from .events import Event, Kind
from .indexed import hurry
from .test_power_cut import LONG, PACKAGE
from .test_words_cut import Checks, record

_STATES = 600 if LONG else 90
_SURVIVALS = (Survival.NOTHING, Survival.FILES, Survival.ANY, Survival.TORN)

_WORDS, _INDEX = "views/indexing/words.py", "views/lexical/index.py"
_MUTANTS = {
    "the words are committed before what they were made of": mutants.replace(_WORDS, "self._writer.sync()", "pass"),
    "words are told that may be lost": mutants.replace(_INDEX, "sync_folder(self.folder)  #", "pass  #"),
    "words are told before they are committed": mutants.replace(
        _WORDS, "self.lexical.commit(marker)", "self._dirty_since = None; self.tell_position(); self.lexical.commit(marker)"
    ),
    "an index that was made again may be the old one": mutants.replace(_INDEX, "sync_folder(self.folder.parent)  #", "pass  #"),
    "an index says that it has what it is still filled with": mutants.replace(
        _WORDS, "return UNFINISHED if", "return Marker(self._writer.incarnation, self._writer.head()) if"
    ),
}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch.setattr)


def _likely_cuts(events: list[Event], count: int = _STATES) -> list[Cut]:
    """After what was left out, where that was marked, else after a commit of words; and whenever words were told."""
    rng = random.Random(1)
    marked = [at for at, event in enumerate(events, start=1) if event.data == mutants.MARK]
    committed = [
        at
        for at, event in enumerate(events, start=1)
        if event.kind == Kind.RENAME and event.other.endswith(f"{LEXICAL_FOLDER}/meta.json")
    ]
    starts = marked or committed
    points = [min(rng.choice(starts) + rng.choice((1, 2, 5, 20, 50, 100, 200, 400, 800)), len(events)) for _ in range(count)]
    cuts = [Cut(at, rng.choice(_SURVIVALS), rng.randrange(2**32)) for at in points]
    told = [at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK and event.data != mutants.MARK]
    return sorted(cuts + [Cut(at, Survival.NOTHING, at) for at in told])


def _check(scratch: Path, disk: Disk, events: list[Event]) -> None:
    checks = Checks()

    def check(folder: Path, marks: list[bytes]) -> int:
        return checks.verify(folder, [mark for mark in marks if mark != mutants.MARK])

    check_cuts(disk, events, _likely_cuts(events), check, scratch / "after")


@pytest.mark.parametrize("mutant", _MUTANTS.values(), ids=_MUTANTS.keys())
def test_a_left_out_step_is_caught(scratch: Path, mutant: mutants.Mutant) -> None:
    mutant.plant(scratch / "mutant")
    disk, events = record(scratch / "run", seed=3, notes=10, package=scratch / "mutant" / PACKAGE.name)
    with pytest.raises(BrokenPromise):
        _check(scratch, disk, events)


def test_an_index_that_does_not_catch_up_is_caught(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, events = record(scratch, seed=3, notes=10)
    monkeypatch.setattr(Words, "_catch_up", lambda _words: None)
    with pytest.raises(BrokenPromise):
        _check(scratch, disk, events)
