"""What a workload of the mount benchmark does with a failure, and that its clients and checks see what they say they see."""

import json
import subprocess
from pathlib import Path

import pytest
from bench.runner import build
from bench.runner.mounted import Sample, fsops
from bench.runner.record import Record
from bench.runner.systems import AGENTFS, PLAIN, VEXFS, Running
from bench.workloads import packages, rows, trees
from bench.workloads.workload import Workload, attempt

from vexfs.views.embedding.extract import Skipped, extract

BLOCK = 4096


@pytest.fixture(scope="session")
def bigfile() -> str:
    try:
        return str(build.bigfile())
    except build.NotAvailable as error:
        pytest.skip(str(error))


def failing(running: Running, sample: Sample) -> None:
    del sample
    subprocess.run(["ls", str(running.directory / "absent")], check=True, capture_output=True)


def test_what_fails_on_a_peer_is_noted_once_with_the_reason(tmp_path: Path) -> None:
    record = Record()
    for number in range(2):
        assert not attempt(Workload("ls", failing), Running(tmp_path), Sample(record, AGENTFS, "free", number), record)
    (note,) = record.notes
    assert note.startswith(f"not measured: ls on {AGENTFS}: ls ended with status 2")
    assert str(tmp_path) not in note


def test_what_fails_on_vexfs_ends_the_run(tmp_path: Path) -> None:
    record = Record()
    with pytest.raises(RuntimeError, match="ls on vexfs: ls ended with status 2"):
        attempt(Workload("ls", failing), Running(tmp_path), Sample(record, VEXFS, "free", 0), record)


def test_no_two_blocks_of_a_large_file_have_the_same_bytes(bigfile: str, tmp_path: Path) -> None:
    file = tmp_path / "large"
    subprocess.run([bigfile, "write", str(file), "2", "1"], check=True, capture_output=True)
    subprocess.run([bigfile, "random_write", str(file), "2", "100"], check=True, capture_output=True)
    content = file.read_bytes()
    blocks = {content[start : start + BLOCK] for start in range(0, len(content), BLOCK)}
    assert len(blocks) == len(content) // BLOCK == 512


@pytest.mark.parametrize("phase", ["read", "random_read"])
def test_a_read_of_wrong_bytes_fails(phase: str, bigfile: str, tmp_path: Path) -> None:
    file = tmp_path / "large"
    subprocess.run([bigfile, "write", str(file), "1", "1"], check=True, capture_output=True)
    done = subprocess.run([bigfile, phase, str(file), "1", "300"], check=True, capture_output=True)
    assert json.loads(done.stdout)["operations"] == (1 if phase == "read" else 300)
    file.write_bytes(bytes(1 << 20))
    done = subprocess.run([bigfile, phase, str(file), "1", "300"], check=False, capture_output=True)
    assert done.returncode == 1
    assert b"content of" in done.stderr


def test_a_listing_counts_its_entries(tmp_path: Path) -> None:
    fsops("create", tmp_path, 70, "free", threads=4)
    for phase in ("list", "list_stat"):
        entries, seconds = fsops(phase, tmp_path, 3, "free")
        assert entries == 3 * 70
        assert seconds > 0


def test_a_tree_keeps_its_size_when_chosen_files_are_renamed_unlinked_and_made_again_with_other_bytes(tmp_path: Path) -> None:
    fsops("tree_create", tmp_path, 2500, "free")
    before = contents_of(tmp_path / "tree")
    assert len(before) == len(set(before.values())) == 2500
    for phase in ("tree_rename", "tree_unlink", "tree_create"):
        assert fsops(phase, tmp_path, 300, "free", chosen=(2500, 7))[0] == 300
    after = contents_of(tmp_path / "tree")
    assert after.keys() == before.keys()
    assert len(set(after.values())) == 2500
    made_again = [file for file in after if after[file] != before[file]]
    assert len(made_again) == 300
    assert {file.parent.name for file in made_again} == {"d00000", "d00001", "d00002"}, "not the first ones, but any"
    for phase in ("tree_stat", "tree_read"):
        assert fsops(phase, tmp_path, 2500, "free", chosen=(2500, 1))[0] == 2500
    assert fsops("tree_list", tmp_path, 2, "free")[0] == 2000


def test_a_tree_has_no_text_to_be_indexed(tmp_path: Path) -> None:
    fsops("tree_create", tmp_path, 1000, "free")
    for file, content in contents_of(tmp_path / "tree").items():
        assert 100 <= len(content) <= 200
        assert isinstance(extract(file.name.encode(), content), Skipped)


@pytest.mark.parametrize("phase", ["tree_stat", "tree_read"])
def test_a_wrong_file_of_a_tree_fails(phase: str, tmp_path: Path) -> None:
    fsops("tree_create", tmp_path, 10, "free")
    file = tmp_path / "tree" / "d00000" / "f003"
    file.write_bytes(file.read_bytes()[:-1] + (b"" if phase == "tree_stat" else b"!"))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        fsops(phase, tmp_path, 10, "free")
    assert b"f003" in failed.value.stderr


def contents_of(tree: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in tree.rglob("*") if file.is_file()}


def test_durable_files_are_whole(tmp_path: Path) -> None:
    fsops("create_fsync", tmp_path, 20, "free", threads=4)
    contents = [file.read_bytes() for file in (tmp_path / "fsync").iterdir()]
    assert len(set(contents)) == 20
    assert {len(content) for content in contents} == {BLOCK}


def test_the_database_load_keeps_every_row(tmp_path: Path) -> None:
    one_row_s, bulk_s = rows.load(tmp_path / "rows.db", 5, 100)
    assert one_row_s > 0
    assert bulk_s > 0
    with pytest.raises(RuntimeError, match="already exists"):
        rows.load(tmp_path / "rows.db", 5, 100)


def test_grep_finds_on_the_system_what_it_finds_on_the_disk(tmp_path: Path) -> None:
    prepared, directory = tmp_path / "prepared", tmp_path / "directory"
    prepared.mkdir()
    directory.mkdir()
    workload, record = trees.sources(prepared, 8), Record()
    assert attempt(workload, Running(directory), Sample(record, PLAIN, "free", 0), record)
    assert {key.workload for key in record.samples} == {trees.TAR, trees.GREP, trees.REMOVE}
    assert list(directory.iterdir()) == []


def test_a_tree_of_packages_is_the_same_each_time_and_no_two_files_are(tmp_path: Path) -> None:
    tree = packages.make_tree(200)
    assert tree == packages.make_tree(200)
    assert tree != packages.make_tree(200, seed=packages.SEED + 1)
    expected = {path: content for package in tree for path, content in package.files.items()}
    assert len(set(expected.values())) == len(expected)
    assert any(path.count(packages.ROOT) == 2 for path in expected), "some lie below another package"
    packages.unpack(tmp_path, tree)
    links = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_symlink()}
    assert links == {package.link[0] for package in tree if package.link}
    assert links
    found = {str(file.relative_to(tmp_path)): content for file, content in contents_of(tmp_path).items()}
    assert {path: content for path, content in found.items() if path not in links} == expected


def test_a_tree_of_packages_that_lost_a_manifest_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workload, record = packages.workload(30), Record()
    assert attempt(workload, Running(tmp_path), Sample(record, PLAIN, "free", 0), record)
    assert {key.workload for key in record.samples} == {packages.UNPACK, packages.WALK, packages.REMOVE}
    assert list(tmp_path.iterdir()) == []
    unpack = packages.unpack

    def losing_one(directory: Path, tree: list[packages.Package]) -> float:
        seconds = unpack(directory, tree)
        next(directory.rglob(packages.MANIFEST)).unlink()
        return seconds

    monkeypatch.setattr(packages, "unpack", losing_one)
    assert not attempt(workload, Running(tmp_path), Sample(record, PLAIN, "free", 1), record)
    assert "29 manifests" in record.notes[0]
