"""The indexer process on a real volume: what others write becomes findable, and stays right through stops and losses."""

import shutil
import signal
import socket
import time
from pathlib import Path

import numpy as np
from indexer_process import RunningIndexer, Tree, eventually

from vexfs.core import collections, files
from vexfs.core.types import ROOT_INO, CollectionSchema, Ino
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.embedding.model import Embedder
from vexfs.views.indexing.writer import DerivedWriter

LONG = "\n\n".join(
    f"Paragraph {index} is about subject{index}. " + "It has some more words in it. " * 20 for index in range(30)
)


def test_a_file_is_found_by_its_words_and_gets_its_embedding(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    tree.put("before.md", "# Rotation\n\nReplace the credentials every month.\n")
    indexer.start()
    ino = tree.put("after.py", "def parse_arguments():\n    return 'zebra'\n")
    indexer.wait(volume)
    assert indexer.found("zebra") == [ino]
    assert len(indexer.found("credentials")) == 1
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    model = indexer.derived.model()
    [stored] = indexer.derived.vectors(ino, model)
    embedder = Embedder.load()
    assert embedder.name == model
    text = indexer.derived.texts(ino)[0][1]
    np.testing.assert_array_equal(np.frombuffer(stored.vector, "<f4"), embedder.embed([text])[0])
    assert indexer.derived.pending() == (0, 0)


def test_a_fresh_file_is_findable_quickly(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    eventually(indexer.derived.model, what="the model is loaded")
    started = time.monotonic()
    ino = tree.put("note.txt", "quickly findable")
    eventually(lambda: indexer.found("quickly") == [ino])
    assert time.monotonic() - started < 20


def test_changes_moves_and_removals_are_followed(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    kept, gone = tree.put("kept.txt", "alpha"), tree.put("gone.txt", "alpha")
    indexer.wait(volume)
    assert indexer.found("alpha") == [kept, gone]
    tree.put("kept.txt", "beta")
    tree.remove("gone.txt")
    indexer.wait(volume)
    assert indexer.found("alpha") == []
    assert indexer.found("beta") == [kept]
    assert indexer.derived.file_state(gone) is None
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    changes = len(indexer.derived.changes(indexer.derived.incarnation(), 0).changes)
    sub = tree.directory("sub")
    tree.move("kept.txt", "other.txt", new_parent=sub)
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    assert indexer.found("beta") == [kept]
    assert len(indexer.derived.changes(indexer.derived.incarnation(), 0).changes) == changes, "a rename indexes nothing again"


def test_a_fresh_file_overtakes_a_bulk_import(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    eventually(indexer.derived.model, what="the model is loaded")
    for index in range(80):
        tree.put(f"bulk{index}.txt", LONG.replace("subject", f"bulk{index}subject"))
    with Volume.open(volume.folder, "api") as person:  # another origin, as the mount is beside an import
        ino = Tree(person).put("note.md", "The zebra crosses the road")
        eventually(lambda: indexer.found("zebra") == [ino], 10)
        eventually(lambda: indexer.derived.pending_of(ino, indexer.derived.model()) == 0, 10)
    assert sum(indexer.derived.pending()) > 50, "the import had to be under way for this to say anything"


def test_after_a_kill_nothing_that_was_stored_is_embedded_again(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    def stored() -> dict[bytes, int]:
        return dict(indexer.derived._rows("SELECT text_key, rowid FROM embedding"))

    indexer.start()
    for index in range(30):
        tree.put(f"file{index}.txt", LONG.replace("subject", f"thing{index % 10} subject"))
    seen: dict[bytes, int] = {}
    for _ in range(2):
        before = len(seen)
        eventually(lambda before=before: len(stored()) > before + 20 and indexer.derived.pending().passages > 20)
        indexer.stop(signal.SIGKILL)
        now = stored()
        assert seen.items() <= now.items(), "an embedding that is made again gets another row"
        seen = now
        indexer.start()
    indexer.wait(volume, derived.VIEW_EMBEDDING, timeout_s=120)
    assert seen.items() <= stored().items()
    assert indexer.derived.pending() == (0, 0)
    texts = {key for ino in range(2, 40) for key in [passage.text_key for passage in indexer.derived.passages(ino)]}
    assert stored().keys() == texts, "and no text was forgotten, or embedded for a file that is none"


def test_a_copy_embeds_nothing_again(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    tree.put("one.txt", LONG)
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    indexer.stop()
    copy = tree.put("two.txt", LONG)
    indexer.start(VEXFS_MODEL_DIR="/nonexistent", VEXFS_OFFLINE="1")  # whoever had to embed now could not
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    assert len(indexer.derived.vectors(copy, indexer.derived.model())) == len(indexer.derived.passages(copy)) > 5


def test_ignored_and_skipped_files_have_a_reason(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    tree.put(".gitignore", "*.log\n/build/\n")
    git, build = tree.directory(".git"), tree.directory("build")
    hidden = tree.put("config", "alpha", git)
    built = tree.put("out.txt", "alpha", build)
    logged = tree.put("x.log", "alpha")
    swap = tree.put(".note.txt.swp", "alpha")
    binary = tree.put("image.bin", b"\x00\x01\x02 alpha")
    seen = tree.put("seen.txt", "alpha")
    indexer.start()
    indexer.wait(volume)
    assert indexer.found("alpha") == [seen]
    reasons = {state.ino: state.reason for state in indexer.derived.skipped()}
    assert reasons[hidden] == reasons[swap] == "ignored by the default rules"
    assert reasons[built] == reasons[logged] == "ignored by .gitignore"
    assert "binary" in reasons[binary]


def test_a_changed_rule_file_and_a_moved_directory_are_judged_again(
    indexer: RunningIndexer, tree: Tree, volume: Volume
) -> None:
    indexer.start()
    sub = tree.directory("sub")
    one, two = tree.put("one.log", "alpha", sub), tree.put("two.txt", "alpha", sub)
    indexer.wait(volume)
    assert indexer.found("alpha") == [one, two]
    tree.put(".vexfsignore", "*.log\n")
    indexer.wait(volume)
    assert indexer.found("alpha") == [two]
    tree.put(".vexfsignore", "nothing\n")
    indexer.wait(volume)
    assert indexer.found("alpha") == [one, two]
    tree.move("sub", "node_modules")
    indexer.wait(volume)
    assert indexer.found("alpha") == []
    tree.move("node_modules", "sub")
    indexer.wait(volume)
    assert indexer.found("alpha") == [one, two]


def test_a_collection_without_text_is_left_out(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    sub = tree.directory("sub")
    ino = tree.put("one.txt", "alpha", sub)
    indexer.wait(volume)
    assert indexer.found("alpha") == [ino]
    tree.run(lambda txn: collections.create(txn, sub, CollectionSchema((), embed_text=False)))
    indexer.wait(volume)
    assert indexer.found("alpha") == []
    tree.run(lambda txn: collections.delete(txn, sub))
    indexer.wait(volume)
    assert indexer.found("alpha") == [ino]


def test_a_second_name_keeps_a_file_and_its_last_removal_ends_it(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    ino = tree.put("one.txt", "alpha")
    tree.run(lambda txn: files.link(txn, ino, Ino(ROOT_INO), b"two.txt"))
    tree.remove("one.txt")
    indexer.wait(volume)
    assert indexer.found("alpha") == [ino]
    tree.run(lambda txn: files.remove(txn, Ino(ROOT_INO), b"two.txt", keep_open=True))
    indexer.wait(volume)
    assert indexer.found("alpha") == []


def test_work_goes_on_where_a_stop_or_a_kill_ended_it(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    inos = [tree.put(f"file{index}.txt", f"{LONG} number{index}") for index in range(12)]
    eventually(lambda: indexer.derived.pending().passages > 0)
    assert indexer.stop() < 3.0
    left = indexer.derived.pending()
    tree.put("late.txt", "alpha")
    indexer.start()
    eventually(lambda: indexer.derived.positions().get(derived.VIEW_LEXICAL, 0) > 0)
    indexer.stop(signal.SIGKILL)
    indexer.start()
    indexer.wait(volume)
    indexer.wait(volume, derived.VIEW_EMBEDDING, timeout_s=120)
    assert left.files + left.passages > 0
    assert len(indexer.found("alpha")) == 1
    assert set(inos) <= set(indexer.found("subject7 paragraph"))
    for index, ino in enumerate(inos):
        assert indexer.found(f"number{index}") == [ino]
        assert len(indexer.derived.vectors(ino, indexer.derived.model())) == len(indexer.derived.passages(ino))


def test_a_position_that_a_crash_kept_from_being_told_is_told_when_nothing_else_happens(tree: Tree, volume: Volume) -> None:
    from vexfs.views.indexer import Indexer

    tree.put("one.txt", "alpha")
    with Volume.open(volume.folder, "indexer") as opened:
        for _ in range(2):
            started = Indexer(opened, 1)
            writer = started._parts.writer

            def is_told(started: Indexer = started, writer: DerivedWriter = writer) -> bool:
                started._round()
                return writer.position(derived.VIEW_LEXICAL) == volume.head()

            eventually(is_told, 10)
            writer.set_position(derived.VIEW_LEXICAL, 0)
            started._parts.close()


def test_a_removed_derived_folder_is_built_again(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    ino = tree.put("one.txt", "alpha")
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    before = indexer.derived.incarnation()
    _remove(indexer.folder)
    eventually(lambda: indexer.derived.incarnation() != before, what="a new database")
    indexer.wait(volume)
    assert indexer.found("alpha") == [ino]
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    assert len(indexer.derived.vectors(ino, indexer.derived.model())) == 1
    late = tree.put("two.txt", "beta")
    indexer.wait(volume)
    assert indexer.found("beta") == [late]


def test_a_removed_word_index_is_built_again_from_the_passages(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    ino = tree.put("one.txt", "alpha")
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    incarnation = indexer.derived.incarnation()
    _remove(indexer.folder / derived.LEXICAL_FOLDER)
    eventually(lambda: indexer.found("alpha") == [ino])
    assert indexer.derived.incarnation() == incarnation
    indexer.stop()
    _remove(indexer.folder / derived.LEXICAL_FOLDER)
    indexer.start()
    eventually(lambda: indexer.found("alpha") == [ino])


def test_a_database_ahead_of_the_volume_is_not_believed(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    """After a power cut the volume can lack revisions that the derived data has seen, and give them again to other changes."""
    ino = tree.put("one.txt", "alpha")
    indexer.start()
    indexer.wait(volume)
    indexer.stop()
    writer = DerivedWriter(indexer.folder)
    state = writer.file_state(ino)
    assert state is not None
    writer.remove(ino)
    writer.store_skip(state._replace(state=derived.STATE_SKIPPED, reason="from a lost future"), _no_pending(ino))
    writer.set_meta("log_mark", "of:another:history")
    writer.close()
    indexer.start()
    eventually(lambda: indexer.found("alpha") == [ino])


def test_what_was_seen_ahead_of_the_log_and_lost_with_the_volume_is_not_believed(
    data: Path, indexer: RunningIndexer, tree: Tree, volume: Volume, tmp_path: Path
) -> None:
    """A file is read as it is, which may be newer than what was read of the log; the revision may be given again after that."""
    from vexfs.views.indexer import Indexer

    ino = tree.put("one.txt", "alpha")
    with Volume.open(volume.folder, "indexer") as opened:
        stopped = Indexer(opened, 1)
        parts = stopped._parts
        _copy_database(volume.folder, tmp_path)
        tree.put("one.txt", "lost")
        eventually(lambda: stopped._work_on_files(parts) and parts.writer.texts(ino) == [(0, "lost")])
        seen = parts.writer.file_state(ino)
        assert seen is not None and seen.content_revision > parts.following.position
        parts.words.commit()
        parts.close()
    volume.close()
    _copy_database(tmp_path, volume.folder)
    with Volume.open(volume.folder, "api") as again:
        Tree(again).put("one.txt", "omega")
        with again.snapshot() as view:
            assert files.stat(view, ino).content_revision == seen.content_revision
        indexer.start()
        eventually(lambda: indexer.found("omega") == [ino])
        assert indexer.found("lost") == []


def _remove(folder: Path) -> None:
    """At once, as an indexer sees it that is at work there: it would make new files while they are removed one by one."""
    gone = folder.with_name("gone")
    folder.rename(gone)
    shutil.rmtree(gone)


def _copy_database(source: Path, target: Path) -> None:
    """As a power cut leaves it: what is committed after the copy is gone once the copy is brought back."""
    for path in target.glob("vexfs.db*"):
        path.unlink()
    for path in source.glob("vexfs.db*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, target)


def _no_pending(ino: int):
    from vexfs.core.types import Revision
    from vexfs.views.indexing.writer import BULK_LANE, PendingFile

    return PendingFile(Ino(ino), BULK_LANE, Revision(1), Revision(1), 0)


def test_without_a_model_words_are_found_and_texts_stay_pending(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start(VEXFS_MODEL_DIR="/nonexistent", VEXFS_OFFLINE="1")
    ino = tree.put("one.txt", "alpha")
    indexer.wait(volume)
    assert indexer.found("alpha") == [ino]
    assert indexer.derived.pending().passages == 1
    assert indexer.derived.pending_of(ino, indexer.derived.model()) == 1
    assert indexer.derived.positions()[derived.VIEW_EMBEDDING] < volume.head()
    assert indexer.stop() < 3.0
    indexer.start()
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    assert indexer.derived.pending() == (0, 0)


def test_while_the_weights_are_fetched_words_are_found_and_a_stop_ends_the_fetching(
    indexer: RunningIndexer, tree: Tree, volume: Volume, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as registry:  # takes connections and answers nothing
        environment = {
            "VEXFS_CACHE_DIR": str(tmp_path / "cache"),
            "PIP_INDEX_URL": f"http://127.0.0.1:{registry.getsockname()[1]}/simple",
            "PIP_CONFIG_FILE": "/dev/null",
        }
        indexer.start(VEXFS_MODEL_DIR="", VEXFS_OFFLINE="", **environment)
        ino = tree.put("one.txt", "alpha")
        indexer.wait(volume)
        assert indexer.found("alpha") == [ino]
        registry.settimeout(60)
        connection, _ = registry.accept()
        with connection:
            assert indexer.stop() < 3.0
            connection.settimeout(10)
            while connection.recv(4096):  # until who fetched is gone
                pass


def test_a_file_that_cannot_be_read_does_not_keep_the_others_back(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    broken = tree.put("broken.txt", "alpha " * 50_000)
    with volume.snapshot() as view:
        (blob,) = [bytes(row[0]) for row in view.execute("SELECT hash FROM blob").fetchall()]
    kept = volume.blobs.path(blob).read_bytes()
    volume.blobs.path(blob).unlink()
    indexer.start()
    whole = tree.put("whole.txt", "beta")
    eventually(lambda: indexer.found("beta") == [whole])
    state = indexer.derived.file_state(broken)
    assert state is None or state.state != derived.STATE_READY
    volume.blobs.path(blob).write_bytes(kept)
    tree.put("broken.txt", "gamma")
    eventually(lambda: indexer.found("gamma") == [broken])
    assert indexer.stop() < 3.0


def test_a_second_indexer_is_refused(indexer: RunningIndexer) -> None:
    import subprocess
    import sys

    indexer.start()
    second = [sys.executable, "-m", "vexfs.views.indexer", "--data", str(indexer.data.path)]
    done = subprocess.run(second, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "another indexer" in done.stderr
