"""The commands about files against a real server, over each way to reach it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vexfs.cli import exits

from .running import Server, lines, vexfs, vexfs_outcome

WAYS = ("local", "grpc", "rest")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, server: Server) -> dict[str, str]:
    """The variables with which a command finds the server."""
    found = {
        "local": {},
        "grpc": {"VEXFS_ADDRESS": server.record["grpc"], "VEXFS_TOKEN": server.token()},
        "rest": {"VEXFS_URL": server.record["rest"], "VEXFS_TOKEN": server.token()},
    }
    variables: dict[str, str] = found[request.param]
    return variables


@pytest.fixture
def here(request: pytest.FixtureRequest, server: Server) -> str:
    """A directory of its own for a test."""
    path = "/" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    server.vexfs("mkdir", path)
    return path


def test_content_comes_back_as_it_went_in(server: Server, way: dict[str, str], here: str, tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("small.md", "grüße\n".encode()), ("large.bin", os.urandom(3 * 2**20 + 17))):
        local = tmp_path / name
        local.write_bytes(content)
        server.vexfs("put", str(local), f"{here}/", **way)
        server.vexfs("get", f"{here}/{name}", str(tmp_path / "back"), "--force", **way)
        assert (tmp_path / "back").read_bytes() == content
        assert vexfs_outcome("cat", f"{here}/{name}", data=server.data, **way).stdout == content


def test_standard_input_can_be_stored_and_parents_made(server: Server, way: dict[str, str], here: str) -> None:
    server.vexfs("put", "-", f"{here}/a/b/c.md", "--parents", stdin=b"deep", **way)
    assert server.vexfs("cat", f"{here}/a/b/c.md", **way) == "deep"
    outcome = vexfs_outcome("put", "-", f"{here}/x/y.md", data=server.data, stdin=b"", **way)
    assert outcome.returncode == exits.NOT_FOUND


def test_a_local_file_is_not_overwritten_unasked(server: Server, here: str, tmp_path: Path) -> None:
    server.vexfs("put", "-", f"{here}/a.md", stdin=b"new")
    (tmp_path / "a.md").write_text("old")
    outcome = vexfs_outcome("get", f"{here}/a.md", str(tmp_path), data=server.data)
    assert outcome.returncode == exits.CONFLICT
    assert (tmp_path / "a.md").read_text() == "old"


def test_listing_is_in_byte_order_and_each_line_is_an_object(server: Server, way: dict[str, str], here: str) -> None:
    for name in ("b.md", "a.md", "B.md"):
        server.vexfs("put", "-", f"{here}/{name}", stdin=name.encode())
    server.vexfs("mkdir", f"{here}/d")
    assert server.vexfs("ls", here, **way).split() == ["B.md", "a.md", "b.md", "d/"]
    records = lines(server.vexfs("ls", here, "--json", **way))
    assert [record["file"] for record in records] == [f"{here}/{name}" for name in ("B.md", "a.md", "b.md", "d")]
    assert [record["kind"] for record in records] == ["regular", "regular", "regular", "directory"]
    assert records[0]["size_bytes"] == 4


def test_moving_copying_linking_and_removing(server: Server, way: dict[str, str], here: str) -> None:
    server.vexfs("put", "-", f"{here}/a.md", stdin=b"a")
    server.vexfs("mkdir", f"{here}/d", **way)
    server.vexfs("mv", f"{here}/a.md", f"{here}/d", **way)
    server.vexfs("cp", f"{here}/d/a.md", f"{here}/b.md", **way)
    server.vexfs("ln", f"{here}/b.md", f"{here}/hard.md", **way)
    server.vexfs("ln", "-s", "b.md", f"{here}/soft.md", **way)
    server.vexfs("cp", "-r", f"{here}/d", f"{here}/e", **way)
    assert server.vexfs("cat", f"{here}/soft.md", f"{here}/hard.md", f"{here}/e/a.md", **way) == "aaa"
    record = lines(server.vexfs("stat", "--json", f"{here}/hard.md", **way))[0]
    assert record["nlink"] == 2
    assert lines(server.vexfs("stat", "--json", f"{here}/soft.md", **way))[0]["target"] == "b.md"
    outcome = vexfs_outcome("rm", f"{here}/d", data=server.data, **way)
    assert outcome.returncode == exits.CONFLICT
    server.vexfs("rm", "-r", f"{here}/d", f"{here}/e", **way)
    assert server.vexfs("ls", here, **way).split() == ["b.md", "hard.md", "soft.md"]


def test_a_name_that_is_no_utf8_works_everywhere(server: Server, way: dict[str, str], here: str) -> None:
    name = f"{here}/caf" + os.fsdecode(b"\xe9")
    server.vexfs("put", "-", name, stdin=b"small", **way)
    server.vexfs("put", "-", name + "-large", stdin=b"large" * 300_000, **way)
    assert vexfs_outcome("cat", name, data=server.data, **way).stdout == b"small"
    assert len(vexfs_outcome("cat", name + "-large", data=server.data, **way).stdout) == 1_500_000
    assert server.vexfs("ls", here, **way).split() == ["caf\\xe9", "caf\\xe9-large"]
    server.vexfs("rm", name, **way)


def test_errors_have_a_status_and_a_reason(server: Server, way: dict[str, str], here: str) -> None:
    outcome = vexfs_outcome("cat", f"{here}/absent.md", "--json", data=server.data, **way)
    assert outcome.returncode == exits.NOT_FOUND
    error = lines(outcome.stderr.decode())[0]["error"]
    assert error["reason"] == "FILE_NOT_FOUND"
    assert f"{here}/absent.md" in error["message"]
    assert vexfs_outcome("rm", "--force", f"{here}/absent.md", data=server.data, **way).returncode == exits.OK
    assert vexfs_outcome("mkdir", here, data=server.data, **way).returncode == exits.CONFLICT
    assert vexfs_outcome("ls", f"{here}/../x", data=server.data, **way).returncode == exits.USAGE
    assert vexfs_outcome("mkdir", f"{here}/{'x' * 256}", data=server.data, **way).returncode == exits.USAGE


def test_a_wrong_token_is_refused(server: Server) -> None:
    for where in ({"VEXFS_ADDRESS": server.record["grpc"]}, {"VEXFS_URL": server.record["rest"]}):
        outcome = vexfs_outcome("ls", VEXFS_TOKEN="wrong-token-of-some-length", **where)
        assert outcome.returncode == exits.REFUSED


def test_the_local_token_goes_to_this_machine_only(server: Server, tmp_path: Path) -> None:
    assert vexfs("ls", "--url", server.record["rest"], data=server.data) is not None
    outcome = vexfs_outcome("ls", "--url", server.record["rest"], data=tmp_path)
    assert outcome.returncode == exits.REFUSED


def test_the_reader_of_a_pipe_may_leave(server: Server, here: str) -> None:
    server.vexfs("put", "-", f"{here}/a.txt", stdin=b"line\n" * 200_000)
    command = f"{sys.executable} -m vexfs.cli.main cat {here}/a.txt | head -n 1"

    outcome = subprocess.run(
        ["sh", "-c", command], capture_output=True, env={**os.environ, "VEXFS_DATA": str(server.data)}, check=True
    )
    assert outcome.stdout == b"line\n"
    assert outcome.stderr == b""


def test_status_tells_version_positions_and_counts(server: Server, way: dict[str, str]) -> None:
    record = lines(server.vexfs("status", "--json", **way))[0]
    assert record["version"]
    assert record["revision"] >= record["oldest_revision"]
    assert {view["view"] for view in record["views"]} >= {"dense", "lexical"}
