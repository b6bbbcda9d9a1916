"""Programs that know nothing of `.search`, on a mount of a real server: they do what they always do, and search nothing."""

# ruff: noqa: PTH208 - these tests call the system calls by their own names
import errno
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import needs_mount
from .running import Server

pytestmark = needs_mount


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


@pytest.fixture(scope="module")
def root(server: Server) -> Path:
    """The mount, with a note that can be found."""
    assert server.mount is not None
    server.vexfs("put", "-", "/guests/harbour.md", "--parents", stdin=b"The harbour master rings the bell at noon.\n")
    server.vexfs("wait", "--timeout", "60")
    return server.mount


@pytest.fixture
def searches_nothing(server: Server) -> Iterator[None]:
    """The test that asks for this fails if anything searched meanwhile."""
    before = searches(server)
    yield
    assert searches(server) == before


@pytest.fixture
def saved(root: Path) -> Iterator[Path]:
    """A saved query."""
    query = root / ".search" / ".saved" / "ringing bells"
    query.mkdir()
    try:
        yield query
    finally:
        query.rmdir()


def searches(server: Server) -> float:
    """How many searches the API has answered: each looks whether it has the answer already."""
    headers = {"Authorization": f"Bearer {server.token()}"}
    request = urllib.request.Request(server.record["rest"] + "/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        lines = response.read().decode().splitlines()
    looked = re.compile(r'vexfs_search_cache_(hits|misses)_total\{cache="results"\} (\S+)')
    return sum(float(found[2]) for found in map(looked.fullmatch, lines) if found)


def run(*command: str, cwd: Path, check: bool = True, **variables: str) -> str:
    outcome = subprocess.run(command, cwd=cwd, capture_output=True, timeout=60, check=False, env={**os.environ, **variables})
    assert not check or outcome.returncode == 0, outcome.stderr
    return os.fsdecode(outcome.stdout)  # names are bytes, and other tests leave such that are no UTF-8


def test_the_counter_of_searches_counts(server: Server, root: Path) -> None:
    """What the other tests rest on."""
    before = searches(server)
    os.listdir(root / ".search" / "who rings the bell")
    assert searches(server) == before + 1


def test_find_over_the_whole_mount_does_not_see_the_directory(root: Path, searches_nothing: None, saved: Path) -> None:
    assert not [line for line in run("find", ".", cwd=root).splitlines() if ".search" in line]


def test_find_in_the_directory_lists_saved_queries_and_asks_each_once(server: Server, root: Path, saved: Path) -> None:
    before = searches(server)
    found = run("find", ".search", cwd=root).splitlines()
    assert ".search/ringing bells" in found
    assert ".search/.saved/ringing bells/.meta/limit" in found
    assert [line for line in found if line.endswith("_harbour.md")]
    assert searches(server) == before + 1
    assert run("df", "--output=target", ".search", cwd=root).splitlines()[1] == str(root)
    links = run("find", "-L", ".search/ringing bells/", "-type", "f", "-name", "0*", cwd=root).splitlines()
    assert any(line.endswith("_harbour.md") for line in links)


def test_grep_and_cp_read_the_answers_through_their_links(root: Path, saved: Path, tmp_path: Path) -> None:
    assert "harbour master" in run("grep", "-rhs", "harbour master", ".search/ringing bells/", cwd=root, check=False) + run(
        "grep", "-Rhs", "harbour master", ".search/ringing bells/", cwd=root, check=False
    )
    run("cp", "-rL", ".search/ringing bells/", str(tmp_path / "copy"), cwd=root)
    copies = [path for path in (tmp_path / "copy").iterdir() if path.name.endswith("_harbour.md")]
    assert [path.read_text() for path in copies] == ["The harbour master rings the bell at noon.\n"]


def test_a_shell_completes_names_without_searching(root: Path, searches_nothing: None, saved: Path) -> None:
    assert run("bash", "-c", "compgen -f .search/ri", cwd=root) == ".search/ringing bells\n"
    assert run("bash", "-c", "compgen -f .search/nothing-begins-so", cwd=root, check=False) == ""
    assert run("bash", "-c", "compgen -d .search/.saved/", cwd=root) == ".search/.saved/ringing bells\n"
    assert "limit" in run("bash", "-c", "compgen -f '.search/.saved/ringing bells/.meta/'", cwd=root)
    assert run("bash", "-c", "echo *", cwd=root / ".search") == "ringing bells\n"


@needs("git")
def test_git_works_beside_it_and_looks_for_no_repository_in_it(root: Path, searches_nothing: None, saved: Path) -> None:
    run("git", "init", "-q", ".", cwd=root / "guests")
    try:
        assert run("git", "status", "--porcelain", cwd=root / "guests").splitlines() == ["?? harbour.md"]
        run("git", "rev-parse", "--git-dir", cwd=root / ".search", check=False, GIT_CEILING_DIRECTORIES=str(root.parent))
    finally:
        shutil.rmtree(root / "guests" / ".git")


def test_git_in_a_repository_at_the_root_does_not_see_it(root: Path, searches_nothing: None, saved: Path) -> None:
    run("git", "init", "-q", ".", cwd=root)
    try:
        assert not [line for line in run("git", "status", "--porcelain", cwd=root).splitlines() if ".search" in line]
        run("git", "add", "-A", cwd=root)
        assert ".search" not in run("git", "ls-files", cwd=root)
    finally:
        shutil.rmtree(root / ".git")


def test_tail_follows_a_file_of_the_mount_and_ends_with_the_status(root: Path, searches_nothing: None) -> None:
    log = root / "guests" / "log"
    log.write_text("first\n")
    for follow in ("-f", "-F"):
        with subprocess.Popen(["tail", follow, "-n", "1", str(log)], stdout=subprocess.PIPE, text=True) as tail:
            assert tail.stdout is not None
            last = log.read_text().splitlines()[-1]
            assert tail.stdout.readline() == last + "\n"
            with log.open("a") as file:
                file.write(f"after {follow}\n")
            assert tail.stdout.readline() == f"after {follow}\n"
            tail.terminate()
    log.unlink()
    with subprocess.Popen(["tail", "-f", str(root / ".search" / ".status")], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline() != ""
        time.sleep(1.5)  # it looks every second
        tail.terminate()
        rest = tail.stdout.read()
    assert rest.count("pending") <= 1, "the whole status was shown again"


@needs("rsync")
def test_rsync_with_delete_neither_copies_nor_deletes_it(
    root: Path, searches_nothing: None, saved: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("one")
    (root / "synced").mkdir()
    run("rsync", "-aX", "--delete", f"{tmp_path}/", f"{root}/synced/", cwd=tmp_path)
    assert os.listdir(root / "synced") == ["a.md"]
    out = tmp_path.parent / f"{tmp_path.name}-out"
    run("rsync", "-aX", "--delete", f"{root}/", f"{out}/", cwd=tmp_path)
    assert ".search" not in os.listdir(out)
    assert (out / "synced" / "a.md").read_text() == "one"
    (out / "synced" / "a.md").unlink()
    run("rsync", "-aX", "--delete", f"{out}/", f"{root}/", cwd=tmp_path)
    assert os.listdir(root / "synced") == []
    assert saved.is_dir()
    (root / "synced").rmdir()


@needs("vim")
def test_vim_edits_a_file_and_a_setting_although_it_cannot_make_its_swap_file_there(
    root: Path, searches_nothing: None, saved: Path
) -> None:
    edit = ["vim", "-e", "-s", "-u", "NONE", "-c", "set swapfile directory=. backup backupdir=.", "-c"]
    note = root / "guests" / "edited.md"
    note.write_text("old\n")
    run(*edit, "%s/old/new/ | wq", str(note), cwd=note.parent)
    assert note.read_text() == "new\n"
    for left in note.parent.glob("*edited.md*"):
        left.unlink()
    limit = saved / ".meta" / "limit"
    assert limit.stat() == limit.stat()
    run("vim", "-e", "-s", "-u", "NONE", "-c", "%s/20/30/ | wq", str(limit), cwd=limit.parent)
    assert limit.read_text() == "30\n"
    assert os.listdir(limit.parent) == ["query", "limit", "path", "filter", "mode", "live"]


def test_names_that_programs_make_for_themselves_are_refused_at_once(root: Path, searches_nothing: None, saved: Path) -> None:
    for folder in (root / ".search", root / ".search" / ".saved", root / ".search" / "a question", saved, saved / ".meta"):
        for name in (".#lock", ".note.swp", ".git", ".nfs0001", ".DS_Store", "._note"):
            assert not (folder / name).exists()
            with pytest.raises(OSError):
                (folder / name).touch()
    for folder in (root / ".search" / "a question", saved):  # vim tries whether it can make 4913
        for name in ("4913", "note.md", "note.md~", "#note.md#"):
            with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
                (folder / name).touch()


def test_opening_a_directory_without_reading_it_searches_nothing(root: Path, searches_nothing: None, saved: Path) -> None:
    for folder in (root / ".search" / "HEAD", saved):
        fd = os.open(folder, os.O_RDONLY)
        os.fstat(fd)
        os.close(fd)
        run("test", "-d", ".", cwd=folder)
