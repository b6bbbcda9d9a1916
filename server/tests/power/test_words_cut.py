"""The word index after a power cut: it promises nothing that it does not find, opens or begins anew, and catches up.

`make test` cuts at a sample of points; `make proofs-long` (VEXFS_PROOFS=long) at every write point.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from vexfs.core import content, files
from vexfs.core.errors import ViewUnavailable
from vexfs.core.status import Progress
from vexfs.core.types import ROOT_INO
from vexfs.store import history
from vexfs.store.check import check_volume
from vexfs.store.reader import Snapshot
from vexfs.store.volume import Volume
from vexfs.views.dense.view import DenseView
from vexfs.views.derived import LEXICAL_FOLDER, DerivedReader, derived_folder
from vexfs.views.lexical import LexicalReader, Marker

from . import recorder
from .cuts import Report, check_cuts, every_write_point, sample
from .disk import Disk, Survival, read_tree
from .events import Event, Kind, read_events
from .indexed import Notes, catch_up, hurry, indexing
from .promises import VOLUME
from .test_power_cut import LONG, PACKAGE

_SERVER = Path(__file__).parents[2]
_LEFTOVERS = frozenset(("no-stray-blob",))
_ALL = 10_000

Found = dict[str, list[tuple[int, int]]]
"""What each question finds: (ino, ordinal), in order."""


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch.setattr)


def record(scratch: Path, *, seed: int, notes: int, package: Path = PACKAGE) -> tuple[Disk, list[Event]]:
    """Runs `indexed.py` on an empty folder `scratch/root`; the disk before it, and its events."""
    root = scratch / "root"
    root.mkdir(parents=True)
    disk = Disk(root)
    environment = recorder.environment(root, scratch / "events")
    environment["PYTHONPATH"] = os.pathsep.join((str(package.parent), str(_SERVER)))
    command = [sys.executable, "-m", "tests.power.indexed", str(root / VOLUME), str(seed), str(notes)]
    subprocess.run(command, check=True, env=environment, timeout=300)
    return disk, read_events(scratch / "events")


class _Note(NamedTuple):
    name: bytes
    revision: int
    text: str


def _notes(view: Snapshot) -> dict[int, _Note]:
    """The notes that have a content, by ino."""
    nodes = [(entry.name, entry.node) for entry in files.list_directory(view, ROOT_INO)]
    return {
        int(node.ino): _Note(name, node.content_revision, content.read(view, node.ino, 0, node.size_bytes).decode())
        for name, node in nodes
        if node.size_bytes
    }


class Checks:
    """Verifies states of one run, and counts what was found in them."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def verify(self, folder: Path, marks: list[bytes]) -> int:
        """See `cuts.Check`."""
        volume, acknowledged = folder / VOLUME, int(marks[-1]) if marks else 0
        promises = self._verify_answers(volume, acknowledged)
        with Volume.open(volume, "api", create=True) as api:
            with indexing(volume) as working:
                catch_up(working, api.head())
                _same_as_anew(volume, api)
                Notes(api, seed=acknowledged, first=_ALL).write(3)  # it goes on from there
                catch_up(working, api.head())
            _same_as_anew(volume, api)
        findings = [finding for finding in check_volume(volume) if finding.invariant not in _LEFTOVERS]
        assert not findings, f"check finds {findings}"
        return promises

    def _verify_answers(self, folder: Path, acknowledged: int) -> int:
        """What is answered before the indexer has started again: all that the position says is found, and nothing else.

        Returns how many notes the position speaks for.
        """
        derived = DerivedReader(derived_folder(folder))
        words = LexicalReader(derived_folder(folder) / LEXICAL_FOLDER)
        with Volume.open(folder, "api", create=True) as volume:
            assert volume.head() >= acknowledged, f"{acknowledged} was acknowledged, {volume.head()} is the newest there"
            position = Progress(volume, DenseView(volume), derived).text_revision(dense=False)
            try:
                marker = words.marker()
                _not_ahead(marker, derived)
            except ViewUnavailable:
                self.seen["no index"] += 1
                return 0  # a search says so
            finally:
                derived.close()
            self.seen["an index"] += 1
            self.seen["a position"] += position > 0
            self.seen["an older state"] += 0 < position < acknowledged
            return _verify_position(volume, words, position)


def _not_ahead(marker: Marker | None, derived: DerivedReader) -> None:
    """Else the next changes of derived.db would take numbers that the index has seen."""
    if marker is not None and marker.incarnation == derived.incarnation():
        assert marker.seq <= derived.head(), "the word index is ahead of derived.db"


def _verify_position(volume: Volume, words: LexicalReader, position: int) -> int:
    with volume.snapshot() as view:
        now, floor = _notes(view), history.floor(view)
    if position == 0 or position < floor:
        return 0
    with volume.snapshot(position) as view:
        then = _notes(view)
    certain = {ino: note for ino, note in now.items() if then.get(ino) == note}
    for ino, note in certain.items():
        unique = note.text.split()[2]
        found = [int(hit.ino) for hit in words.search(unique, _ALL)]
        assert found == [ino], f"revision {position} is told, {unique} of ino {ino} is found in {found}"
    others = {int(hit.ino) for hit in words.search("text", _ALL)} - set(certain)
    for revision in range(position, volume.head() + 1 if others else 0):  # the index may have what came, or went, after that
        with volume.snapshot(revision) as view:
            others -= set(_notes(view))
    assert not others, f"revision {position} is told, and {others} are found, which were gone by then"
    return len(certain)


def _questions(notes: dict[int, _Note]) -> set[str]:
    """Words, phrases and prefixes of the notes there are, and of some that there were."""
    questions = {"text", "red", "green", "blue", "white red", '"blue red"', "version*", "number1*", "gre*"}
    for place in range(8):
        questions |= {f"number{place}", f"version{place}v0", f"version{place}v1", f'"text number{place}"'}
    for note in notes.values():
        words = note.text.split()
        questions |= {*words, f'"{" ".join(words[1:4])}"', f"{words[2][:-1]}*"}
    return questions


def _answers(folder: Path, questions: set[str]) -> Found:
    """As sets: the scores count removed passages until their segments are merged, and are the same in no two indexes."""
    reader = LexicalReader(derived_folder(folder) / LEXICAL_FOLDER)
    return {text: sorted((int(hit.ino), hit.ordinal) for hit in reader.search(text, _ALL)) for text in sorted(questions)}


def _same_as_anew(folder: Path, volume: Volume) -> None:
    """The index answers as one that is made of the volume now; and finds what the notes say."""
    with volume.snapshot() as view:
        notes = _notes(view)
    questions = _questions(notes)
    found = _answers(folder, questions)
    kept, made = folder / "kept", derived_folder(folder)
    made.rename(kept)
    try:
        with indexing(folder) as working:
            catch_up(working, volume.head())
        anew = _answers(folder, questions)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        kept.rename(made)
    assert found == anew, {text: (found[text], anew[text]) for text in questions if found[text] != anew[text]}
    assert found["text"] == sorted((ino, 0) for ino in notes)
    for ino, note in notes.items():
        assert found[note.text.split()[2]] == [(ino, 0)]


def _cut(scratch: Path, *, seed: int, notes: int, samples: int | None) -> tuple[Report, Counter[str]]:
    disk, events = record(scratch, seed=seed, notes=notes)
    checks = Checks()
    cuts = every_write_point(events) if samples is None else sample(events, samples, seed)
    return check_cuts(disk, events, cuts, checks.verify, scratch / "after"), checks.seen


def test_the_indexing_is_recorded_whole(scratch: Path) -> None:
    """With the names that tantivy gives by system calls of its own, and the steps that the cuts are to fall into."""
    disk, events = record(scratch, seed=1, notes=16)
    for event in events:
        disk.apply(event)
    assert disk.after_cut(Survival.EVERYTHING) == read_tree(scratch / "root")
    commits = [event for event in events if event.kind == Kind.RENAME and event.other.endswith("lexical/meta.json")]
    removed = [event.path for event in events if event.kind == Kind.UNLINK and f"/{LEXICAL_FOLDER}/" in event.path]
    made = [event for event in events if event.kind == Kind.MKDIR and event.path.endswith(LEXICAL_FOLDER)]
    assert len(commits) > 15, "few commits"
    assert sum(path.endswith(".idx") for path in removed) > 8, "no segments were merged"
    assert any(path.endswith("meta.json") for path in removed), "no index was thrown away"
    assert len(made) >= 3, "no index was made again"


def test_a_power_cut_leaves_words_that_are_told_and_an_index_that_catches_up(scratch: Path) -> None:
    report, seen = _cut(scratch, seed=2, notes=16, samples=2000 if LONG else 100)
    assert report.promises > report.states
    assert seen["no index"] and seen["an older state"], seen
    assert seen["a position"] > report.states // 3, seen


@pytest.mark.skipif(not LONG, reason="tens of thousands of states: a part of `make proofs-long`")
@pytest.mark.timeout(0)
def test_a_power_cut_at_every_write_point_leaves_an_index_that_catches_up(scratch: Path) -> None:
    report, seen = _cut(scratch, seed=3, notes=10, samples=None)
    assert report.promises > report.states
    assert seen["no index"] and seen["an older state"], seen
