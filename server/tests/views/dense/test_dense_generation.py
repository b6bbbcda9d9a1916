"""Generations on disk: what they find, and that damage of any file is noticed."""

import json
import shutil
from pathlib import Path

import blake3
import numpy as np
import pytest

from dense.vectors import DIMENSION, text_vectors
from dense.volumes import wait_until
from vexfs.core.errors import DataLoss
from vexfs.views.dense import calibration, engine, generation, metrics, ranking, rowfiles
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.rows import Rows, key_of

COUNT = 6000
SPEC = IndexSpec(2, "v", DIMENSION, metrics.COSINE)


def all_rows(count: int = COUNT) -> Rows:
    keys = np.array([key_of(ino, 0) for ino in range(1, count + 1)], np.int64)
    return Rows(keys, metrics.prepare_rows(text_vectors(count), metrics.COSINE))


def pages(rows: Rows, size: int = 500) -> list[Rows]:
    return [Rows(rows.keys[at : at + size], rows.matrix[at : at + size]) for at in range(0, len(rows), size)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generation of 6,000 vectors; tests copy it before they touch it."""
    root = tmp_path_factory.mktemp("generations")
    manifest = generation.write(root, SPEC, pages(all_rows()), source="s", position=7)
    assert manifest is not None
    return root / manifest.id


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / built.name))


def test_a_generation_says_what_it_is_and_finds_what_an_exact_search_finds(folder: Path) -> None:
    opened = generation.open_generation(folder)
    assert (opened.manifest.spec, opened.manifest.position, opened.manifest.source) == (SPEC, 7, "s")
    index = DenseIndex(SPEC)
    index.load(opened.rows, 7, opened.searcher, opened.manifest.id)
    hits = 0
    for row in opened.rows.matrix[::60]:
        query = metrics.prepare_query((row + 0.02 * opened.rows.matrix[0]).tobytes(), DIMENSION, metrics.COSINE)
        near, exact = ranking.nearest(index.state, query, 10), ranking.nearest(index.state, query, 10, exhaustive=True)
        assert not near.exact and exact.exact
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
    assert hits >= 0.98 * 1000


@pytest.mark.parametrize(
    "name", ["manifest.json", "keys.npy", "vectors.npy", "scann/hashed_dataset.npy", "scann/scann_config.pb"]
)
@pytest.mark.parametrize("damage", ["removed", "cut short", "one bit"])
def test_damage_of_any_file_is_noticed_at_opening(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(DataLoss):
        generation.open_generation(folder)


def test_a_manifest_is_bound_to_its_folder(folder: Path) -> None:
    with pytest.raises(DataLoss):
        generation.open_generation(folder.rename(folder.with_name("2-other-1")))


def test_an_opened_generation_notices_that_a_file_was_touched_or_removed(folder: Path) -> None:
    opened = generation.open_generation(folder)
    assert opened.intact()
    path = folder / "vectors.npy"
    content = path.read_bytes()
    path.write_bytes(content)
    assert not opened.intact()
    opened = generation.open_generation(folder)
    shutil.rmtree(folder)
    assert not opened.intact()


def test_sweeping_removes_what_is_unfinished_or_damaged_and_nothing_else(folder: Path) -> None:
    root = folder.parent
    (root / ".building-2-x" / "scann").mkdir(parents=True)
    (root / "2-ffffffff-1").mkdir()
    generation.sweep(root)
    assert [path.name for path in root.iterdir()] == [folder.name]


def test_a_searcher_stores_nothing_but_codes(folder: Path) -> None:
    stored = sum(path.stat().st_size for path in (folder / "scann").iterdir())
    assert stored < 0.2 * (folder / "vectors.npy").stat().st_size


@pytest.mark.parametrize("metric", [metrics.DOT, metrics.EUCLIDEAN])
def test_other_metrics_reach_the_same_recall(tmp_path: Path, metric: str) -> None:
    lengths = 0.5 + np.random.default_rng(3).random((COUNT, 1), np.float32)
    rows = Rows(all_rows().keys, np.ascontiguousarray(text_vectors(COUNT) * lengths))
    spec = SPEC._replace(metric=metric)
    manifest = generation.write(tmp_path, spec, [rows], source="s", position=1)
    assert manifest is not None
    opened = generation.open_generation(tmp_path / manifest.id)
    index = DenseIndex(spec)
    index.load(opened.rows, 1, opened.searcher, manifest.id)
    hits = 0
    for row in rows.matrix[::100]:
        query = metrics.prepare_query(row.tobytes(), DIMENSION, metric)
        near, exact = ranking.nearest(index.state, query, 10), ranking.nearest(index.state, query, 10, exhaustive=True)
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
    assert hits >= 0.98 * 600


def test_rows_that_were_read_to_train_over_them_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resident_kib() -> int:
        mapped = Path("/proc/self/smaps").read_text().split(str(tmp_path / rowfiles.VECTORS))[1]
        return int(mapped.split("Rss:")[1].split()[0])

    monkeypatch.setattr(rowfiles, "GIVE_BACK_S", 0.05)
    rows = all_rows()
    assert rowfiles.write(tmp_path, pages(rows)) == COUNT
    with rowfiles.mapped(tmp_path) as matrix:
        sums = matrix.sum(axis=1)
        wait_until(lambda: resident_kib() == 0, 10, "the pages are given back")
        assert np.array_equal(matrix, rows.matrix) and np.array_equal(matrix.sum(axis=1), sums), "they are read again"


def held_out_recall(matrix: np.ndarray, queries: np.ndarray, settings: engine.Settings, searcher: object, wanted: int) -> float:
    """Of the true `wanted` nearest of queries that were never stored, found by an index with this searcher."""
    spec = SPEC._replace(dimension=matrix.shape[1])
    index = DenseIndex(spec)
    keys = np.array([key_of(ino, 0) for ino in range(1, len(matrix) + 1)], np.int64)
    index.load(Rows(keys, matrix), 1, engine.ScannSearcher(searcher, settings, matrix.shape[1]), "g")
    hits = 0
    for row in queries:
        query = metrics.prepare_query(row.tobytes(), matrix.shape[1], metrics.COSINE)
        near = ranking.nearest(index.state, query, wanted)
        exact = ranking.nearest(index.state, query, wanted, exhaustive=True)
        assert len(set(near.keys.tolist())) == wanted, "a row that lies in two leaves is found once"
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
    return hits / (wanted * len(queries))


def test_the_measured_recall_holds_for_queries_that_were_never_stored() -> None:
    every = metrics.prepare_rows(text_vectors(COUNT), metrics.COSINE)
    held_out = np.zeros(COUNT, np.bool_)
    held_out[::30] = True
    matrix = np.ascontiguousarray(every[~held_out])
    searcher, settings = engine.build(matrix, metrics.COSINE)
    assert settings.kind == engine.HASH
    for wanted, measured in ((10, settings.measured_recall), (100, settings.measured_far_recall)):
        assert measured >= calibration.RECALL_TARGET
        assert held_out_recall(matrix, every[held_out], settings, searcher, wanted) >= measured - 0.015


def test_what_no_searcher_can_find_is_compared_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "DEPTH_MAX", 120)
    scattered = np.random.default_rng(8).standard_normal((3000, DIMENSION)).astype(np.float32)
    rows = Rows(all_rows(3000).keys, metrics.prepare_rows(scattered, metrics.COSINE))
    manifest = generation.write(tmp_path, SPEC, [rows], source="s", position=1)
    assert manifest is not None
    assert (manifest.kind, manifest.measured_recall) == (engine.EXACT, 1.0)
    opened = generation.open_generation(tmp_path / manifest.id)
    index = DenseIndex(SPEC)
    assert index.adopt(opened.rows, 1, opened.searcher, manifest.id)
    query = metrics.prepare_query(scattered[5].tobytes(), DIMENSION, metrics.COSINE)
    found = ranking.nearest(index.state, query, 10)
    assert found.exact and found.keys[0] == rows.keys[5]


def test_a_generation_of_an_earlier_format_is_not_opened_and_is_swept_away(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_bytes())
    for name in ("dimensions_per_block", "near", "far", "measured_far_recall"):
        del document[name]
    document |= {"format": 1, "leaves_to_search": 0, "digest": ""}
    document["digest"] = blake3.blake3(json.dumps(document, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(DataLoss):
        generation.open_generation(folder)
    assert generation.manifests(folder.parent) == []
    generation.sweep(folder.parent)
    assert not folder.exists()


def test_a_tree_is_calibrated_to_its_recall_or_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TREE_FROM_ROWS", 2000)
    centres = np.random.default_rng(5).standard_normal((40, 32))
    noise = np.random.default_rng(6).standard_normal((4000, 32))
    clustered = metrics.prepare_rows((np.repeat(centres, 100, axis=0) + 0.3 * noise).astype(np.float32), metrics.COSINE)
    searcher, settings = engine.build(clustered, metrics.COSINE)
    assert settings.kind == engine.TREE and settings.near.leaves <= settings.far.leaves <= settings.leaves // 4
    assert settings.measured_recall >= calibration.RECALL_TARGET and settings.measured_far_recall >= calibration.RECALL_TARGET
    asked = (np.repeat(centres, 2, axis=0) + 0.3 * np.random.default_rng(9).standard_normal((80, 32))).astype(np.float32)
    assert held_out_recall(clustered, asked, settings, searcher, 10) >= settings.measured_recall - 0.02
    scattered = metrics.prepare_rows(np.random.default_rng(8).standard_normal((4000, 384)).astype(np.float32), metrics.COSINE)
    _, settings = engine.build(scattered, metrics.COSINE)
    assert settings.kind in (engine.HASH, engine.EXACT)
