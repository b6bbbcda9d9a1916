"""`.search` on a real mount of a real server: saved queries and their settings, filters, likeness, and what an answer tells."""

# ruff: noqa: PTH115, PTH208 - these tests call the system calls by their own names
import errno
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import needs_mount
from .running import Server, wait_until

pytestmark = needs_mount

NOTES = {
    "cats.md": "# Feeding\n\nThe cat gets her dinner at six o'clock. Wet food only, the vet said.\n",
    "dogs.md": "# Feeding\n\nThe dog is fed twice a day, in the morning and before his evening walk.\n",
    "deploy.md": "# Release\n\nTag the commit, wait for green tests, then roll out to one region at a time.\n",
    "rollback.txt": "Rolling back a release: deploy the tag before it, region by region, and tell everybody.\n",
    "bread.md": "# Sourdough\n\nMix flour, water and starter, fold it every half hour, bake it very hot with steam.\n",
}


@pytest.fixture(scope="module")
def root(server: Server) -> Path:
    """The mount, with a few notes in /here that can be found."""
    assert server.mount is not None
    for name, text in NOTES.items():
        server.vexfs("put", "-", f"/here/{name}", "--parents", stdin=text.encode())
    server.vexfs("put", "-", "/elsewhere/cats.md", "--parents", stdin=NOTES["cats.md"].encode())
    server.vexfs("wait", "--timeout", "60")
    return server.mount


@pytest.fixture
def saved(root: Path) -> Iterator[Path]:
    """`.search/.saved`, empty again after the test."""
    folder = root / ".search" / ".saved"
    try:
        yield folder
    finally:
        for name in os.listdir(folder):
            (folder / name).rmdir()


def hits(directory: Path) -> list[str]:
    """The paths of the answers, best first."""
    return [json.loads(line)["path"] for line in (directory / ".results.jsonl").read_text().splitlines()]


def set_metadata(server: Server, path: str, metadata: dict[str, Any]) -> None:
    """As a program does it over REST."""
    headers = {"Authorization": f"Bearer {server.token()}", "Content-Type": "application/json"}
    body = json.dumps({"file": {"path": path}, "metadata": metadata}).encode()
    url = server.record["rest"] + "/v1/files:setMetadata"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PUT"), timeout=30):
        pass


def refused(number: int, path: Path, text: str) -> None:
    with pytest.raises(OSError, check=lambda error: error.errno == number):
        path.write_text(text)


def shell(command: str, cwd: Path) -> str:
    return subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, check=True, timeout=30).stdout


def test_a_saved_query_asks_its_name_and_is_listed(root: Path, saved: Path) -> None:
    (saved / "what does my pet eat").mkdir()
    assert os.listdir(saved) == ["what does my pet eat"]
    assert sorted(os.listdir(root / ".search")) == [".saved", ".status", "what does my pet eat"]
    shortcut = root / ".search" / "what does my pet eat"
    assert os.readlink(shortcut) == ".saved/what does my pet eat"
    assert hits(shortcut)[0].endswith("/cats.md")
    first = min(name for name in os.listdir(shortcut) if not name.startswith("."))
    assert (shortcut / first).read_text() == NOTES["cats.md"]
    assert (saved / "what does my pet eat" / first).read_text() == NOTES["cats.md"]


def test_settings_are_read_and_written_as_files_and_change_what_is_found(root: Path, saved: Path) -> None:
    query = saved / "dinner"
    query.mkdir()
    meta = query / ".meta"
    shown = {name: (meta / name).read_text() for name in os.listdir(meta)}
    assert shown == {"query": "dinner\n", "limit": "20\n", "path": "/\n", "filter": "\n", "mode": "hybrid\n", "live": "no\n"}
    shell("echo 'food for the cat' > query; echo 1 > limit; echo /here > path; echo lexical > mode", meta)
    assert [(meta / name).read_text() for name in ("query", "limit", "path", "mode")] == [
        "food for the cat\n", "1\n", "/here\n", "lexical\n",
    ]  # fmt: skip
    assert hits(query) == ["/here/cats.md"]
    shell("echo > path; echo 5 > limit", meta)
    assert (meta / "path").read_text() == "/\n"
    assert sorted(hits(query))[:2] == ["/elsewhere/cats.md", "/here/cats.md"]
    explained = (query / ".explain").read_text()
    assert '"mode": "SEARCH_MODE_LEXICAL"' in explained
    assert "lexical #1" in explained


def test_a_filter_is_the_contracts_in_json(root: Path, saved: Path) -> None:
    query = saved / "release to a region"
    query.mkdir()
    (query / ".meta" / "path").write_text("/here")
    found = hits(query)
    assert {"/here/deploy.md", "/here/rollback.txt"} <= set(found)
    (query / ".meta" / "filter").write_text('{"attribute": {"name": "*.txt"}}\n')
    assert hits(query) == ["/here/rollback.txt"]
    (query / ".meta" / "filter").write_text("")  # the write of nothing is none
    (query / ".meta" / "filter").write_text("\n")
    assert hits(query) == found


@pytest.mark.parametrize(
    ("setting", "text", "why"),
    [
        ("limit", "0", "1 to 1000"),
        ("limit", "many", "whole number"),
        ("mode", "psychic", "hybrid, dense, lexical"),
        ("path", "here", "starts with"),
        ("path", "/nowhere", "there is no /nowhere"),
        ("path", "/here/cats.md", "not a directory"),
        ("live", "sometimes", "yes or no"),
        ("filter", "size > 5", "JSON"),
        ("filter", "[]", "JSON object"),
        ("filter", '{"colour": "red"}', "colour"),
        ("query", "x" * 9000, "8192"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_and_status_says_why(
    root: Path, saved: Path, setting: str, text: str, why: str
) -> None:
    query = saved / "refusing"
    query.mkdir()
    before = (query / ".meta" / setting).read_text()
    refused(errno.EINVAL, query / ".meta" / setting, text)
    status = json.loads((query / ".status").read_text())
    assert status["state"] == "setting refused"
    assert why in status["error"]
    assert (query / ".meta" / setting).read_text() == before
    (query / ".meta" / "limit").write_text("3")
    assert json.loads((query / ".status").read_text())["state"] == "not asked yet"


def test_a_setting_is_durable_after_fsync_and_not_appended_to(root: Path, saved: Path) -> None:
    (saved / "q").mkdir()
    limit = saved / "q" / ".meta" / "limit"
    with limit.open("w") as file:
        file.write("7")
        file.flush()
        os.fsync(file.fileno())
    assert limit.read_text() == "7\n"
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EINVAL), limit.open("a") as file:
        file.write("8")
    assert limit.read_text() == "7\n"


def test_saved_queries_are_moved_and_removed_with_mv_and_rmdir(root: Path, saved: Path) -> None:
    shell("mkdir 'fold the dough'; echo 2 > 'fold the dough/.meta/limit'; mv 'fold the dough' bread", saved)
    assert os.listdir(saved) == ["bread"]
    assert (saved / "bread" / ".meta" / "query").read_text() == "bread\n"
    assert (saved / "bread" / ".meta" / "limit").read_text() == "2\n"
    assert sorted(os.listdir(root / ".search")) == [".saved", ".status", "bread"]
    shell("mkdir other; ! mv -nT bread other/nowhere", saved)
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (saved / "bread").rename(root / ".search" / "somewhere")
    shell("rmdir bread other", saved)
    assert os.listdir(saved) == []
    assert (root / ".search" / "bread").is_dir()  # a question like any other again
    assert not (root / ".search" / "bread").is_symlink()
    assert not (saved / "bread").exists()


def test_names_that_can_be_no_saved_query_are_refused(root: Path, saved: Path) -> None:
    for name, number in ((".hidden", errno.EINVAL), ("  ", errno.EINVAL), (os.fsdecode(b"caf\xe9"), errno.EINVAL)):
        with pytest.raises(OSError, check=lambda error, number=number: error.errno == number):
            (saved / name).mkdir()
    (saved / "twice").mkdir()
    with pytest.raises(FileExistsError):
        (saved / "twice").mkdir()
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (saved / "twice" / "inside").mkdir()
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (saved / "file").touch()


def test_saved_queries_are_on_every_mount_and_in_the_api(server: Server, root: Path, saved: Path, tmp_path: Path) -> None:
    (saved / "everywhere").mkdir()
    (saved / "everywhere" / ".meta" / "limit").write_text("4")
    there = tmp_path / "there"
    there.mkdir()
    server.vexfs("mount", str(there))
    try:
        limit = there / ".search" / "everywhere" / ".meta" / "limit"
        wait_until(limit.exists, what="the other mount's seeing it")
        assert limit.read_text() == "4\n"
        limit.write_text("5")
        wait_until(lambda: (saved / "everywhere" / ".meta" / "limit").read_text() == "5\n", what="seeing what the other wrote")
        (there / ".search" / ".saved" / "everywhere").rename(there / ".search" / ".saved" / "gone over")
        wait_until(lambda: os.listdir(saved) == ["gone over"], what="seeing the new name")
        shown = json.loads(server.vexfs("stat", "--json", "/.search/gone over"))
        assert shown["metadata"] == {"limit": 5}
    finally:
        server.vexfs("umount", str(there))


def test_a_saved_query_that_somebody_spoilt_fails_says_why_and_can_be_mended(server: Server, root: Path, saved: Path) -> None:
    query = saved / "cat food"
    query.mkdir()
    set_metadata(server, "/.search/cat food", {"limit": "lots"})

    def fails() -> bool:
        try:
            os.listdir(query)
        except OSError as error:
            return error.errno == errno.EIO
        return False

    wait_until(fails, what="the failure")
    assert "limit takes a whole number" in json.loads((query / ".status").read_text())["error"]
    (query / ".meta" / "limit").write_text("2")
    assert len(hits(query)) == 2
    set_metadata(server, "/.search/cat food", {"limit": 1})
    wait_until(lambda: (query / ".meta" / "limit").read_text() == "1\n", what="the new limit")
    assert len(hits(query)) == 1


def test_a_name_in_json_is_a_search_request(root: Path) -> None:
    asked = {"text": "release to a region", "filter": {"attribute": {"name": "*.txt"}}, "scope": {"path": "/here"}}
    name = json.dumps(asked).replace("/", "\\u002f")
    assert hits(root / ".search" / name) == ["/here/rollback.txt"]
    wrong = root / ".search" / '{"txt": "cats"}'
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EINVAL):
        os.listdir(wrong)
    assert "txt" in json.loads((wrong / ".status").read_text())["error"]


def test_like_a_file_finds_what_is_near_to_it_but_not_itself(root: Path) -> None:
    near = hits(root / ".search" / "like:here%2Fdogs.md")
    assert near[0].endswith("/cats.md"), "other tests of the server keep the same note elsewhere"
    assert "/here/dogs.md" not in near
    assert hits(root / ".search" / "like:%2Fhere%2Fdogs.md") == near
    assert not (root / ".search" / "like:here%2Fabsent.md").exists()
    assert not (root / ".search" / "like:here%2F..%2Fdogs.md").exists()
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        os.listdir(root / ".search" / "like:here")
    assert "no vectors" in json.loads((root / ".search" / "like:here" / ".status").read_text())["error"]


def test_explain_says_how_the_question_was_answered(root: Path) -> None:
    query = root / ".search" / "tag the commit"
    lines = (query / ".explain").read_text().splitlines()
    told = dict(line.split(maxsplit=1) for line in lines[:7])
    assert json.loads(told["asked"]) == {"text": "tag the commit", "limit": 20}
    assert told["answered"].startswith("hybrid, revision ")
    assert int(told["pending"]) >= 0
    first = next(line for line in lines if line.lstrip().startswith("1 "))
    assert "/deploy.md" in first, "other tests of the server keep the same note elsewhere"
    assert "dense #1" in first
    assert "lexical #1" in first


def test_attributes_tell_what_is_known_of_a_file_but_are_not_its_own(server: Server, root: Path) -> None:
    note = root / "here" / "cats.md"
    assert os.getxattr(note, "user.vexfs.state") == b"ready"
    assert os.getxattr(note, "user.vexfs.passages") == b"1"
    assert os.getxattr(note, "user.vexfs.dimension") == b"384"
    shown = json.loads(server.vexfs("stat", "--json", "/here/cats.md"))
    assert 0 < int(os.getxattr(note, "user.vexfs.revision")) <= shown["revision"]
    assert os.listxattr(note) == []
    for path, name in ((note, "user.vexfs.vectors"), (root / "here", "user.vexfs.state"), (note, "user.vexfs.other")):
        with pytest.raises(OSError, check=lambda error: error.errno == errno.ENODATA):
            os.getxattr(path, name)
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EOPNOTSUPP):
        os.setxattr(note, "user.vexfs.state", b"mine")
    (root / "here" / "image.bin").write_bytes(bytes(range(256)) * 40)
    state = root / "here" / "image.bin"
    wait_until(lambda: os.getxattr(state, "user.vexfs.state") != b"pending", 20.0, "looking at the file")
    assert os.getxattr(state, "user.vexfs.state").startswith(b"skipped: ")
    assert os.getxattr(state, "user.vexfs.passages") == b"0"


def test_attributes_tell_the_vectors_of_a_point(server: Server, root: Path) -> None:
    server.post("/v1/collections", {"collection": {"path": "/points"}, "schema": {"vectors": [{"name": "a", "dimension": 3}]}})
    point = {"id": "p", "vectors": {"a": {"values": "AACAPwAAAAAAAAAA"}}}
    server.post("/v1/points:upsert", {"collection": {"path": "/points"}, "points": [point]})
    wait_until((root / "points" / "p").exists, what="seeing the point")
    assert os.getxattr(root / "points" / "p", "user.vexfs.vectors") == b"a 3"
