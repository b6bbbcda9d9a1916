"""The running view: it follows a real volume, has generations built by the real builder, and repairs what is lost."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dense.vectors import DIMENSION, text_vectors
from dense.volumes import (
    VECTOR,
    catch_up,
    delete_points,
    make_collection,
    new_volume,
    put_points,
    running_view,
    wait_until,
    write,
)
from vexfs.core import collections, files, points
from vexfs.core.types import ROOT_INO, CollectionSchema, Ino, Revision, VectorSpec
from vexfs.store.volume import Volume
from vexfs.views.dense import builder, generation, launcher, memory, metrics, ranking, upkeep
from vexfs.views.dense.index import IndexSpec, IndexState
from vexfs.views.dense.rows import files_of
from vexfs.views.dense.view import DenseView
from vexfs.views.derived import STATE_READY, FileState, derived_folder
from vexfs.views.indexing.writer import DerivedWriter, PassageText, PendingFile

BUILD_S = 240


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    with new_volume(tmp_path) as opened:
        yield opened


def nearest_files(state: IndexState | None, vector: np.ndarray, count: int = 10) -> list[int]:
    assert state is not None
    query = metrics.prepare_query(vector.astype(np.float32).tobytes(), state.spec.dimension, state.spec.metric)
    return files_of(ranking.nearest(state, query, count).keys).tolist()


def generation_of(view: DenseView, collection: int) -> str:
    state = view.index_state(collection, VECTOR)
    return "" if state is None else state.generation


def test_points_are_found_replaced_and_deleted(volume: Volume) -> None:
    vectors = text_vectors(2000)
    with running_view(volume) as view:
        collection = make_collection(volume, b"c", DIMENSION)
        inos = put_points(volume, collection, vectors[:300])
        catch_up(view, volume)
        assert nearest_files(view.index_state(collection.ino, VECTOR), vectors[7], 1) == [inos[7]]
        put_points(volume, collection, vectors[1000:1001], first=7)
        delete_points(volume, collection, range(10, 20))
        catch_up(view, volume)
        state = view.index_state(collection.ino, VECTOR)
        assert nearest_files(state, vectors[1000], 1) == [inos[7]]
        assert inos[7] not in nearest_files(state, vectors[7], 1)
        assert not set(nearest_files(state, vectors[12], 290)) & set(inos[10:20])
        assert state is not None and state.live_count == 290


def looks_a_second(view: DenseView) -> float:
    """How often the view's thread waited, and so looked, in a second of this machine's time."""
    assert view._thread is not None
    status = Path(f"/proc/self/task/{view._thread.native_id}/status")

    def waits() -> int:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.MULTILINE)[1])

    before, started = waits(), time.monotonic()
    time.sleep(2)
    return (waits() - before) / (time.monotonic() - started)


def test_an_idle_view_hardly_looks_and_hears_at_once_of_what_comes(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    derived_data = DerivedWriter(derived_folder(volume.folder))
    derived_data.use_model("model")
    with running_view(volume) as view:
        catch_up(view, volume)
        assert looks_a_second(view) < 15

        monkeypatch.setattr("vexfs.views.dense.view.POLL_S", 60.0)
        time.sleep(0.6)  # the wait that is under way still lasts as long as before
        for ino in range(10, 15):
            done = PendingFile(Ino(ino), 0, Revision(1), Revision(1), 0)
            key = ino.to_bytes(16, "big")
            state = FileState(Ino(ino), Revision(1), STATE_READY, "", "text", 1)
            derived_data.store_passages(state, [PassageText(0, 1, 1, 1, key, "text")], "model", done)
            derived_data.store_embeddings("model", [(key, text_vectors(2000)[ino].tobytes())])
            wait_until(lambda: view.text_position == (derived_data.incarnation, derived_data.head()), 5, "a ring is heard")
        write(volume, lambda txn: files.create(txn, ROOT_INO, b"file", mode=0o644, uid=0, gid=0))
        wait_until(lambda: view.revision == volume.head(), 5, "the volume's log is followed without a collection")
        collection = make_collection(volume, b"c", DIMENSION)
        put_points(volume, collection, text_vectors(2000)[:3])
        wait_until(lambda: view.revision == volume.head(), 5, "and with one")
    derived_data.close()


def test_a_file_removed_by_its_name_leaves_the_index(volume: Volume) -> None:
    with running_view(volume) as view:
        collection = make_collection(volume, b"c", DIMENSION)
        inos = put_points(volume, collection, text_vectors(2000)[:5])
        write(volume, lambda txn: files.remove(txn, collection.ino, b"p00003"))
        catch_up(view, volume)
        assert set(nearest_files(view.index_state(collection.ino, VECTOR), text_vectors(2000)[3])) == set(inos) - {inos[3]}


def test_a_collection_made_again_with_another_dimension_has_a_new_index(volume: Volume) -> None:
    with running_view(volume) as view:
        collection = make_collection(volume, b"c", 8)
        put_points(volume, collection, np.eye(8, dtype=np.float32))
        catch_up(view, volume)
        write(volume, lambda txn: points.delete(txn, collection, [f"p{number:05}" for number in range(8)]))
        write(volume, lambda txn: collections.delete(txn, collection.ino))
        schema = CollectionSchema((VectorSpec(VECTOR, 3, "euclidean"),), embed_text=False)
        again = write(volume, lambda txn: collections.create(txn, collection.ino, schema))
        inos = put_points(volume, again, np.eye(3, dtype=np.float32))
        catch_up(view, volume)
        state = view.index_state(collection.ino, VECTOR)
        assert state is not None and state.spec == IndexSpec(collection.ino, VECTOR, 3, "euclidean")
        assert nearest_files(state, np.array([0, 1, 0]), 3)[0] == inos[1]


def test_twenty_thousand_vectors_get_a_generation_which_is_noticed_when_lost_and_made_again(volume: Volume) -> None:
    vectors = text_vectors(20_200)
    collection = make_collection(volume, b"c", DIMENSION)
    inos = put_points(volume, collection, vectors[:20_000])
    root = builder.generations_folder(volume.folder)
    with running_view(volume) as view:
        catch_up(view, volume)
        wait_until(lambda: generation_of(view, collection.ino) != "", BUILD_S, "the first generation")
        first = generation_of(view, collection.ino)
        recall_is_high(view.index_state(collection.ino, VECTOR), vectors[20_000:])

        delete_points(volume, collection, range(100))
        more = put_points(volume, collection, vectors[20_000:20_100], first=30_000)
        catch_up(view, volume)
        state = view.index_state(collection.ino, VECTOR)
        assert state is not None and state.generation == first and state.live_count == 20_000
        assert nearest_files(state, vectors[20_050], 1) == [more[50]]
        assert not set(nearest_files(state, vectors[50], 1000)) & set(inos[:100])

        shutil.rmtree(root)
        wait_until(lambda: generation_of(view, collection.ino) != first, 5, "the loss is noticed")
        state = view.index_state(collection.ino, VECTOR)
        assert state is not None and nearest_files(state, vectors[20_050], 1) == [more[50]]
        wait_until(lambda: generation_of(view, collection.ino) not in ("", first), BUILD_S, "another generation")
        second = generation_of(view, collection.ino)
        assert [path.name for path in root.iterdir() if not path.name.startswith(".")] == [second]
        assert view.lost_generations == 1

    with running_view(volume) as view:
        catch_up(view, volume)
        assert generation_of(view, collection.ino) == second, "a restart opens what is there"
        state = view.index_state(collection.ino, VECTOR)
        assert state is not None and state.live_count == 20_000
        assert not set(nearest_files(state, vectors[50], 1000)) & set(inos[:100])

    (root / second / "vectors.npy").write_bytes(b"damaged")
    with running_view(volume) as view:
        catch_up(view, volume)
        assert nearest_files(view.index_state(collection.ino, VECTOR), vectors[20_050], 1) == [more[50]]
        assert generation_of(view, collection.ino) != second
        assert view.lost_generations == 1
        wait_until(lambda: view.builder_pid != 0, 5, "a build is under way")


def recall_is_high(state: IndexState | None, queries: np.ndarray) -> None:
    assert state is not None and state.searcher is not None
    hits = 0
    for vector in queries:
        query = metrics.prepare_query(vector.tobytes(), DIMENSION, metrics.COSINE)
        near, exact = ranking.nearest(state, query, 10), ranking.nearest(state, query, 10, exhaustive=True)
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
    assert hits / (10 * len(queries)) >= 0.98


def test_a_killed_builder_leaves_nothing_that_is_served_and_the_next_one_succeeds(volume: Volume) -> None:
    collection = make_collection(volume, b"c", DIMENSION)
    put_points(volume, collection, text_vectors(20_200)[:8000])
    root = builder.generations_folder(volume.folder)
    with running_view(volume) as view:
        catch_up(view, volume)
        wait_until(lambda: any(root.glob(".building*")), 30, "a build is under way")
        assert Path(f"/proc/{view.builder_pid}/oom_score_adj").read_text() == "1000\n", "the first to end when memory runs out"
        os.kill(view.builder_pid, signal.SIGKILL)
        assert generation.manifests(root) == []
        wait_until(lambda: generation_of(view, collection.ino) != "", BUILD_S, "the next builder succeeds")
        assert list(root.glob(".building*")) == []


def test_stopping_the_view_ends_its_builder(volume: Volume) -> None:
    collection = make_collection(volume, b"c", DIMENSION)
    put_points(volume, collection, text_vectors(20_200)[:8000])
    with running_view(volume) as view:
        catch_up(view, volume)
        wait_until(lambda: view.builder_pid != 0, 5, "a build is under way")
        pid = view.builder_pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_builder_that_takes_too_long_is_ended_and_its_index_waits(volume: Volume) -> None:
    collection = make_collection(volume, b"c", DIMENSION)
    put_points(volume, collection, text_vectors(20_200)[:8000])
    spec = IndexSpec(collection.ino, VECTOR, DIMENSION, metrics.COSINE)
    now = 100.0
    starter = launcher.Launcher(volume.folder, clock=lambda: now)
    ended: list[launcher.Finished] = []
    try:
        assert starter.start(spec, 8000) and starter.poll() is None
        now += launcher.BUILD_MAX_S

        def polled() -> bool:
            ended.extend(found for found in [starter.poll()] if found)
            return bool(ended)

        wait_until(polled, 10, "the builder is ended")
        assert ended == [(spec, -signal.SIGKILL)] and starter.pid == 0
        assert not starter.start(spec, 8000), "it waits before it is built again"
        now += launcher.RETRY_FIRST_S
        assert starter.start(spec, 8000) and starter.poll() is None, "and has its time anew"
    finally:
        starter.stop()


def test_an_index_that_grows_is_coded_and_gets_its_next_generation_once_it_rests(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = text_vectors(20_200)
    collection = make_collection(volume, b"c", DIMENSION)
    put_points(volume, collection, vectors[:8000])
    with running_view(volume) as view:
        wait_until(lambda: generation_of(view, collection.ino) != "", BUILD_S, "the first generation")
        first = generation_of(view, collection.ino)
        monkeypatch.setattr(upkeep, "PACE_S", 100.0)  # so long it counts as growing
        put_points(volume, collection, vectors[8000:12_000], first=8000)
        catch_up(view, volume)
        wait_until(lambda: coded_rows(view, collection.ino) >= 2_500, BUILD_S, "its tail is coded")
        state = view.index_state(collection.ino, VECTOR)
        recall_is_high(state, vectors[20_000:])
        assert state is not None and state.generation == first and view.builder_pid == 0, "it grows"
        assert view.indexes()[0].building, "a build is wanted"

        monkeypatch.setattr(upkeep, "PACE_S", 0.5)
        wait_until(lambda: generation_of(view, collection.ino) not in ("", first), BUILD_S, "the next generation")
        state = view.index_state(collection.ino, VECTOR)
        assert state is not None and len(state.base.keys) == 12_000 and not state.coded
        assert not view.indexes()[0].building


def coded_rows(view: DenseView, collection: int) -> int:
    state = view.index_state(collection, VECTOR)
    return 0 if state is None else state.coded_rows


def test_a_build_that_does_not_fit_into_memory_is_put_off_and_searches_go_on(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = text_vectors(20_200)
    collection = make_collection(volume, b"c", DIMENSION)
    inos = put_points(volume, collection, vectors[:3000])
    put_off = f"{launcher.expected_bytes(3000, DIMENSION) // 2**20} MiB of memory, and 20 MiB are available"
    with monkeypatch.context() as little, running_view(volume) as view:
        little.setattr(memory, "available_bytes", lambda: 20 * 2**20)
        catch_up(view, volume)
        wait_until(lambda: view.indexes()[0].put_off != "", 5, "the build is put off")
        (facts,) = view.indexes()
        assert put_off in facts.put_off and put_off in caplog.text
        assert facts.building and facts.generation == "" and view.builder_pid == 0
        assert nearest_files(view.index_state(collection.ino, VECTOR), vectors[50], 1) == [inos[50]]
        little.undo()
        wait_until(lambda: generation_of(view, collection.ino) != "", BUILD_S, "there is memory now")
        assert view.indexes()[0].put_off == ""


def test_two_builders_do_not_work_at_once(volume: Volume) -> None:
    collection = make_collection(volume, b"c", DIMENSION)
    put_points(volume, collection, text_vectors(20_200)[:10])
    lock = builder.take_lock(builder.generations_folder(volume.folder))
    assert lock is not None
    command = [sys.executable, "-m", "vexfs.views.dense.builder", "--volume", str(volume.folder)]
    command += [f"--collection={collection.ino}", "--vector=v", "--dimension=384", "--metric=cosine"]
    try:
        assert subprocess.run(command, check=False).returncode == builder.EXIT_BUSY
    finally:
        os.close(lock)
    assert subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


def build(volume: Volume, collection: int, *further: str) -> int:
    """Run the builder on a collection as its launcher does; its exit status."""
    command = [sys.executable, "-m", "vexfs.views.dense.builder", "--volume", str(volume.folder)]
    command += [f"--collection={collection}", "--vector=v", "--dimension=384", "--metric=cosine", *further]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL, timeout=BUILD_S).returncode


def test_a_builder_says_by_its_status_why_it_built_nothing(volume: Volume) -> None:
    root = builder.generations_folder(volume.folder)
    empty = make_collection(volume, b"empty", DIMENSION)
    assert build(volume, empty.ino) == builder.EXIT_NOTHING
    assert build(volume, 0) == builder.EXIT_UNAVAILABLE, "there is no text yet"
    put_points(volume, empty, text_vectors(20_200)[:10])
    assert build(volume, empty.ino, "--parent", "1") == builder.EXIT_UNAVAILABLE, "who started it has gone"
    assert generation.manifests(root) == []
    assert build(volume, empty.ino, "--parent", str(os.getpid())) == 0
    assert len(generation.manifests(root)) == 1


def test_generations_of_a_collection_that_is_gone_are_deleted(volume: Volume) -> None:
    root = builder.generations_folder(volume.folder)
    collection = make_collection(volume, b"gone", DIMENSION)
    put_points(volume, collection, text_vectors(20_200)[:10])
    assert build(volume, collection.ino) == 0
    delete_points(volume, collection, range(10))
    write(volume, lambda txn: collections.delete(txn, collection.ino))
    assert len(generation.manifests(root)) == 1
    with running_view(volume) as view:
        catch_up(view, volume)
        wait_until(lambda: not generation.manifests(root), 30, "the stranger is deleted")


def test_what_a_crash_left_of_a_replaced_generation_and_of_a_builder_is_deleted_at_the_start(volume: Volume) -> None:
    root = builder.generations_folder(volume.folder)
    collection = make_collection(volume, b"c", DIMENSION)
    inos = put_points(volume, collection, text_vectors(20_200)[:1_500])
    assert build(volume, collection.ino) == 0 and build(volume, collection.ino) == 0
    newest, _ = generation.manifests(root)
    (root / ".building-half" / "scann").mkdir(parents=True)
    with running_view(volume) as view:
        catch_up(view, volume)
        wait_until(lambda: not list(root.glob(".building*")), 30, "the half built one is deleted")
        wait_until(lambda: len(generation.manifests(root)) == 1, 30, "the replaced one is deleted")
        assert generation_of(view, collection.ino) == newest.id == generation.manifests(root)[0].id
        assert nearest_files(view.index_state(collection.ino, VECTOR), text_vectors(20_200)[7], 1) == [inos[7]]


def test_a_wait_ends_at_its_deadline(volume: Volume) -> None:
    with running_view(volume) as view:
        catch_up(view, volume)
        started = time.monotonic()
        assert not view.wait(lambda: view.revision > volume.head(), started + 0.2)
        assert 0.15 < time.monotonic() - started < 20
