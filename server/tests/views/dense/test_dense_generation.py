"""Generations on disk: what they find, and that damage of any file is noticed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dense.vectors import DIMENSION, text_vectors
from vexfs.core.errors import DataLoss
from vexfs.views.dense import engine, generation, metrics, ranking
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.rows import Rows, key_of

COUNT = 6000
SPEC = IndexSpec(2, "v", DIMENSION, metrics.COSINE)


def all_rows(count: int = COUNT) -> Rows:
    keys = np.array([key_of(ino, 0) for ino in range(1, count + 1)], np.int64)
    return Rows(keys, metrics.prepare_rows(text_vectors(count), metrics.COSINE))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generation of 6,000 vectors; tests copy it before they touch it."""
    root = tmp_path_factory.mktemp("generations")
    manifest = generation.write(root, SPEC, all_rows(), source="s", position=7)
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
    manifest = generation.write(tmp_path, spec, rows, source="s", position=1)
    opened = generation.open_generation(tmp_path / manifest.id)
    index = DenseIndex(spec)
    index.load(opened.rows, 1, opened.searcher, manifest.id)
    hits = 0
    for row in rows.matrix[::100]:
        query = metrics.prepare_query(row.tobytes(), DIMENSION, metric)
        near, exact = ranking.nearest(index.state, query, 10), ranking.nearest(index.state, query, 10, exhaustive=True)
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
    assert hits >= 0.98 * 600


def test_a_tree_is_calibrated_to_its_recall_or_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TREE_FROM_ROWS", 2000)
    centres = np.random.default_rng(5).standard_normal((40, 32))
    noise = np.random.default_rng(6).standard_normal((4000, 32))
    clustered = metrics.prepare_rows((np.repeat(centres, 100, axis=0) + 0.3 * noise).astype(np.float32), metrics.COSINE)
    _, settings = engine.build(clustered, metrics.COSINE)
    assert settings.kind == "tree" and settings.measured_recall >= 0.99 and settings.leaves_to_search <= settings.leaves // 2
    scattered = metrics.prepare_rows(np.random.default_rng(8).standard_normal((4000, 384)).astype(np.float32), metrics.COSINE)
    _, settings = engine.build(scattered, metrics.COSINE)
    assert settings.kind == "hash"
