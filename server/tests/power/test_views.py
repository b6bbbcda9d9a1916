"""A power cut never leaves a generation, or the word index, ahead of what it was made of; a kill, nothing that cannot serve."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vexfs.store.volume import Volume
from vexfs.views.dense import builder, generation, metrics, ranking, upkeep
from vexfs.views.dense.sources import VolumeSource, load_rows, make_source
from vexfs.views.dense.view import DenseView
from vexfs.views.derived import DerivedReader, derived_folder
from vexfs.views.indexing.words import Words
from vexfs.views.indexing.writer import DerivedWriter
from vexfs.views.lexical import LexicalReader

from . import recorder
from .building import ROWS
from .cuts import Cut, check_cuts, every_write_point
from .disk import Disk, Survival
from .events import Event, Kind, read_events
from .promises import VOLUME
from .test_power_cut import PACKAGE

_SERVER = Path(__file__).parents[2]


def _record(scratch: Path, what: str) -> tuple[Disk, list[Event]]:
    """The disk before, and what `building.py` did to it."""
    root = scratch / "root"
    root.mkdir()
    disk = Disk(root)
    assert _start(scratch, what).wait(timeout=120) == 0
    return disk, read_events(scratch / "events")


def _start(scratch: Path, what: str) -> "subprocess.Popen[bytes]":
    root = scratch / "root"
    environment = recorder.environment(root, scratch / "events")
    environment["PYTHONPATH"] = os.pathsep.join((str(PACKAGE.parent), str(_SERVER)))
    return subprocess.Popen([sys.executable, "-m", "tests.power.building", str(root / VOLUME), what], env=environment)


def _marks(scratch: Path) -> list[bytes]:
    events = read_events(scratch / "events") if (scratch / "events").exists() else []
    return [event.data for event in events if event.kind == Kind.MARK]


def _verify_generation(folder: Path, marks: list[bytes]) -> int:
    found = generation.manifests(builder.generations_folder(folder / VOLUME))
    assert found or not marks, "a generation that was built is gone"
    if not found:
        return 0
    reader = DerivedReader(derived_folder(folder / VOLUME))
    with Volume.open(folder / VOLUME, "reader") as volume:
        source = make_source(volume, reader, found[0].collection)
        assert source.identity() == found[0].source, "the generation is of another source"
        assert source.position() >= found[0].position, "the generation is ahead of its source"
    reader.close()
    return 1


@pytest.mark.parametrize("source", ["points", "text"])
def test_a_power_cut_leaves_no_generation_ahead_of_its_source(scratch: Path, source: str) -> None:
    disk, events = _record(scratch, source)
    first = next(at for at, event in enumerate(events, start=1) if event.path.endswith("manifest.json"))
    last = next(at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK)
    survivals = (Survival.NOTHING, Survival.EVERYTHING, Survival.FILES, Survival.ANY)
    cuts = [Cut(at, survival, at) for at in range(first, last + 1) for survival in survivals]
    assert check_cuts(disk, events, cuts, _verify_generation, scratch / "after").promises > 1


def _verify_view(folder: Path, marks: list[bytes]) -> int:
    """The view opens with what is there, finds what the volume has, and leaves nothing that nobody needs."""
    root = builder.generations_folder(folder / VOLUME)
    found = generation.manifests(root)
    assert found or not marks, "a generation that was built is gone"
    with Volume.open(folder / VOLUME, "api") as volume:
        view = DenseView(volume)
        while view.step():
            pass
        (index,) = view.indexes()
        state = view.index_state(index.spec.collection, index.spec.vector)
        rows = load_rows(VolumeSource(volume), index.spec)
        assert state is not None and state.live_count == len(rows)
        for key, row in zip(rows.keys, rows.matrix, strict=True):
            query = metrics.prepare_query(row.tobytes(), index.spec.dimension, index.spec.metric)
            assert ranking.nearest(state, query, 1).keys.tolist() == [key]
        assert index.generation == (found[0].id if found else "")
        view.stop()
    assert [path.name for path in root.glob("*") if path.name != builder.LOCK_NAME] == [index.generation] * bool(found)
    return len(marks)


def test_a_kill_while_a_generation_is_replaced_leaves_one_that_serves(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "APPROXIMATE_FROM_ROWS", 2 * ROWS)  # so few rows keep their generation, and ask for none
    disk, events = _record(scratch, "replaced")
    first = next(at for at, event in enumerate(events, start=1) if "/generations/.building" in event.path)
    last = max(at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK)
    # A kill takes nothing from the page cache: everything that was done survives.
    cuts = [cut for cut in every_write_point(events) if first <= cut.at <= last and cut.survival is Survival.EVERYTHING]
    assert check_cuts(disk, events, cuts, _verify_view, scratch / "after").promises > 1


def _verify_words(folder: Path, marks: list[bytes]) -> int:
    if not marks:
        return 0
    reader = DerivedReader(derived_folder(folder / VOLUME))
    assert reader.head() >= int(marks[-1]), "the word index is ahead of derived.db"
    reader.close()
    return len(marks)


def test_a_power_cut_leaves_no_word_index_ahead_of_its_source(scratch: Path) -> None:
    disk, events = _record(scratch, "words")
    marks = [at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK]
    cuts = [Cut(at, survival, at) for at in marks for survival in (Survival.NOTHING, Survival.ANY)]
    assert check_cuts(disk, events, cuts, _verify_words, scratch / "after").promises > 1


@pytest.mark.parametrize("commits", [2, 8, 9, 16])
def test_a_kill_while_words_are_committed_and_merged_leaves_an_index_that_catches_up(scratch: Path, commits: int) -> None:
    """The segments of eight commits are merged, beside what follows."""
    (scratch / "root").mkdir()
    process = _start(scratch, "words")
    try:
        while len(_marks(scratch)) < commits and process.poll() is None:
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()
    marks = _marks(scratch)
    assert len(marks) >= commits
    writer = DerivedWriter(derived_folder(scratch / "root" / VOLUME))
    words = Words(writer)
    marker = words.lexical.marker
    assert marker is not None and marker.incarnation == writer.incarnation
    assert int(marks[-2]) <= marker.seq <= writer.head(), "a commit is gone, or is ahead"
    while words.behind:
        words.fill(1.0)
    words.commit()
    hits = LexicalReader(words.lexical.folder).search("text", 2 * ROWS)
    assert sorted(hit.ino for hit in hits) == writer.known_files(0)
    words.close()
    writer.close()
