"""What commands print for people and for programs, and the less usual ways to call them."""

import json
import os
import stat
from pathlib import Path

import pytest

from vexfs.cli import exits

from .running import Server, lines, vexfs_outcome


@pytest.fixture
def here(request: pytest.FixtureRequest, server: Server) -> str:
    """A directory of its own for a test."""
    path = f"/output-{request.node.name}"
    server.vexfs("mkdir", path)
    return path


def test_content_as_json_is_text_or_base64(server: Server, here: str) -> None:
    server.vexfs("put", "-", f"{here}/text.md", stdin="grüße".encode())
    server.vexfs("put", "-", f"{here}/binary", stdin=b"\xff\x00")
    text, binary = lines(server.vexfs("cat", "--json", f"{here}/text.md", f"{here}/binary"))
    assert text == {"file": f"{here}/text.md", "content": "grüße"}
    assert binary == {"file": f"{here}/binary", "content_base64": "/wA="}


def test_a_file_can_be_fetched_to_standard_output_or_under_its_own_name(server: Server, here: str, tmp_path: Path) -> None:
    server.vexfs("put", "-", f"{here}/a.md", stdin=b"content")
    assert server.vexfs("get", f"{here}/a.md", "-") == "content"
    record = lines(server.vexfs("get", f"{here}/a.md", str(tmp_path), "--json"))[0]
    assert record == {"file": f"{here}/a.md", "local": str(tmp_path / "a.md"), "size_bytes": 7}
    assert (tmp_path / "a.md").read_bytes() == b"content"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.md").stat().st_mode) == 0o666 & ~mask


def test_replacing_a_local_file_keeps_its_permissions(server: Server, here: str, tmp_path: Path) -> None:
    server.vexfs("put", "-", f"{here}/a.md", stdin=b"new")
    local = tmp_path / "a.md"
    local.write_text("old")
    local.chmod(0o640)
    server.vexfs("get", f"{here}/a.md", str(local), "--force")
    assert (local.read_text(), stat.S_IMODE(local.stat().st_mode)) == ("new", 0o640)


@pytest.mark.parametrize("surface", ["local", "rest"])
def test_a_fetch_that_fails_leaves_nothing_behind(server: Server, here: str, tmp_path: Path, surface: str) -> None:
    where = {"VEXFS_URL": server.record["rest"]} if surface == "rest" else {}
    outcome = vexfs_outcome("get", f"{here}/absent.md", str(tmp_path / "absent.md"), data=server.data, **where)
    assert outcome.returncode == exits.NOT_FOUND
    assert list(tmp_path.iterdir()) == []


def test_storing_keeps_the_name_where_none_is_given(server: Server, here: str, tmp_path: Path) -> None:
    local = tmp_path / f"{here[1:]}.md"
    local.write_text("x")
    server.vexfs("put", str(local))
    server.vexfs("put", str(local), here)
    server.vexfs("put", str(local), f"{here}/new.md")
    assert server.vexfs("ls", here).split() == ["new.md", local.name]
    record = lines(server.vexfs("put", str(local), f"{here}/new.md", "--json"))[0]
    assert (record["file"], record["size_bytes"]) == (f"{here}/new.md", 1)
    server.vexfs("rm", f"/{local.name}")


def test_what_cannot_be_stored_is_refused_before_anything_is_sent(server: Server, here: str, tmp_path: Path) -> None:
    outcome = vexfs_outcome("put", str(tmp_path), here, data=server.data)
    assert outcome.returncode != exits.OK
    assert f"vexfs import {tmp_path}" in outcome.stderr.decode()
    assert vexfs_outcome("put", "-", data=server.data, stdin=b"x").returncode == exits.USAGE
    outcome = vexfs_outcome("put", str(tmp_path / "absent"), f"{here}/x", "--json", data=server.data)
    assert outcome.returncode == exits.ERROR
    error = json.loads(outcome.stderr)["error"]
    assert (error["reason"], str(tmp_path / "absent") in error["message"]) == ("LOCAL_ERROR", True)
    assert server.vexfs("ls", here) == ""


def test_a_long_listing_shows_permissions_sizes_and_times(server: Server, here: str) -> None:
    server.vexfs("put", "-", f"{here}/a.md", stdin=b"x" * 2048)
    server.vexfs("mkdir", f"{here}/d")
    file, directory = server.vexfs("ls", "-l", here).splitlines()
    assert file.startswith("-rw-") and file.endswith("a.md") and "2.0 KiB" in file
    assert directory.startswith("drwx") and directory.endswith("d/")
    assert server.vexfs("ls", f"{here}/a.md").split() == ["a.md"]


def test_a_directory_of_many_pages_is_listed_whole(server: Server, here: str, tmp_path: Path) -> None:
    names = [f"{number:04d}" for number in range(1001)]
    for name in names:
        (tmp_path / name).touch()
    server.vexfs("import", str(tmp_path), "--into", here)
    assert server.vexfs("ls", here).split() == names


def test_what_is_known_of_a_file_stands_line_by_line(server: Server, here: str) -> None:
    server.vexfs("put", "-", f"{here}/a.md", stdin=b"abc")
    shown = dict(line.split(None, 1) for line in server.vexfs("stat", f"{here}/a.md").splitlines())
    assert shown["file"] == f"{here}/a.md"
    assert (shown["kind"], shown["size_bytes"], shown["mode"], shown["xattrs"]) == ("regular", "3", "0644", "[]")


def test_changes_are_told_to_programs(server: Server, here: str) -> None:
    assert lines(server.vexfs("mkdir", "--json", f"{here}/a"))[0]["kind"] == "directory"
    assert lines(server.vexfs("ln", "-s", "a", f"{here}/l", "--json"))[0]["kind"] == "symlink"
    assert lines(server.vexfs("mv", "--json", f"{here}/l", f"{here}/a"))[0]["file"] == f"{here}/a/l"
    assert lines(server.vexfs("mv", "--json", f"{here}/a/l", f"{here}/m"))[0]["file"] == f"{here}/m"
    removed = lines(server.vexfs("rm", "--json", "-r", f"{here}/a", f"{here}/m"))
    assert [(record["file"], record["removed"]) for record in removed] == [(f"{here}/a", 1), (f"{here}/m", 1)]
    assert removed[0]["revision"] < removed[1]["revision"]


def test_nothing_is_replaced_when_that_is_not_wanted(server: Server, here: str) -> None:
    server.vexfs("put", "-", f"{here}/a", stdin=b"a")
    server.vexfs("put", "-", f"{here}/b", stdin=b"b")
    for command in ("mv", "cp"):
        outcome = vexfs_outcome(command, "--no-replace", f"{here}/a", f"{here}/b", data=server.data)
        assert outcome.returncode == exits.CONFLICT
    assert server.vexfs("cat", f"{here}/a", f"{here}/b") == "ab"


def test_a_file_below_a_file_is_an_error_of_its_own(server: Server, here: str) -> None:
    server.vexfs("put", "-", f"{here}/a", stdin=b"a")
    for arguments in (("put", "-", f"{here}/a/b"), ("mv", f"{here}/a", f"{here}/a/b"), ("rm", "-f", f"{here}/a/b")):
        outcome = vexfs_outcome(*arguments, "--json", data=server.data, stdin=b"")
        assert outcome.returncode == exits.CONFLICT, outcome.stderr
        assert json.loads(outcome.stderr)["error"]["reason"] == "NOT_A_DIRECTORY"
    assert server.vexfs("cat", f"{here}/a") == "a"


def test_waiting_tells_programs_what_each_view_has(server: Server, here: str) -> None:
    record = lines(server.vexfs("wait", "--json", "--timeout", "60"))[0]
    assert set(record["views"]) >= {"dense", "lexical"}
    assert all(revision >= record["revision"] for revision in record["views"].values())


def test_status_counts_for_people(server: Server, here: str) -> None:
    server.vexfs("wait", "--timeout", "60")
    shown = server.vexfs("status").splitlines()
    assert shown[0].startswith("VexFS ")
    assert [line.split()[0] for line in shown[1:5]] == ["files", "holds", "text", "model"]
    assert "revision" in shown[1] and "passages" in shown[3] and "all-MiniLM-L6-v2" in shown[4]
    views = {line.split()[0]: line for line in shown[5:]}
    assert all("ready" in views[view] and "0 pending" in views[view] for view in ("dense", "lexical"))
