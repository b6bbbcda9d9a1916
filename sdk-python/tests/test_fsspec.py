"""VexFS through fsspec's own API: by URL, by file system, and by what fsspec builds on them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from vexfs_client.fsspec import VexfsFileSystem

from .server import Server


@pytest.fixture
def fs(server: Server, transport: str) -> Iterator[VexfsFileSystem]:
    reach = server.reach(transport)
    made = fsspec.filesystem("vexfs", **reach, token=server.token, timeout=120, skip_instance_cache=True)
    assert isinstance(made, VexfsFileSystem)
    yield made
    made.client.close()


def test_the_protocol_is_registered() -> None:
    assert fsspec.get_filesystem_class("vexfs") is VexfsFileSystem


def test_paths_and_urls() -> None:
    strip = VexfsFileSystem._strip_protocol
    assert (
        strip("vexfs://docs/a.md") == strip("vexfs:///docs/a.md") == strip("/docs/a.md/") == strip("docs/a.md") == "/docs/a.md"
    )
    assert strip("vexfs://") == "/"
    assert strip(["vexfs://a", "b"]) == ["/a", "/b"]
    assert VexfsFileSystem._parent("vexfs://docs/a.md") == "/docs"
    assert VexfsFileSystem._parent("/docs") == "/"


def test_open_by_url(server: Server, folder: str) -> None:
    options = {"address": server.address, "token": server.token}
    with fsspec.open(f"vexfs:/{folder}/a/b.txt", "wb", **options) as file:
        file.write(b"hello\nworld\n")
    with fsspec.open(f"vexfs:/{folder}/a/b.txt", "rt", **options) as file:
        assert file.readlines() == ["hello\n", "world\n"]
    with fsspec.open(f"vexfs:/{folder}/a/c.txt.gz", "wt", compression="infer", **options) as file:
        file.write("packed")
    with fsspec.open(f"vexfs:/{folder}/a/c.txt.gz", "rt", compression="infer", **options) as file:
        assert file.read() == "packed"


def test_ls_info_and_what_builds_on_them(fs: VexfsFileSystem, folder: str) -> None:
    fs.pipe({f"{folder}/a.txt": b"a", f"{folder}/d/b.txt": b"bb", f"{folder}/d/e/c.md": b"ccc"})
    assert fs.ls(folder, detail=False) == [f"{folder}/a.txt", f"{folder}/d"]
    by_name = {entry["name"]: entry for entry in fs.ls(folder)}
    assert by_name[f"{folder}/a.txt"]["type"] == "file"
    assert by_name[f"{folder}/a.txt"]["size"] == 1
    assert by_name[f"{folder}/d"]["type"] == "directory"
    assert fs.ls(f"{folder}/a.txt", detail=False) == [f"{folder}/a.txt"]
    info = fs.info(f"{folder}/d/b.txt")
    assert (info["name"], info["size"], info["type"]) == (f"{folder}/d/b.txt", 2, "file")
    assert (fs.exists(f"{folder}/d"), fs.exists(f"{folder}/none")) == (True, False)
    assert (fs.isdir(f"{folder}/d"), fs.isfile(f"{folder}/d"), fs.size(f"{folder}/d/b.txt")) == (True, False, 2)
    assert fs.find(folder) == [f"{folder}/a.txt", f"{folder}/d/b.txt", f"{folder}/d/e/c.md"]
    assert fs.glob(f"{folder}/**/*.txt") == [f"{folder}/a.txt", f"{folder}/d/b.txt"]
    assert fs.glob(f"{folder}/*.txt") == [f"{folder}/a.txt"]
    assert [(root, sorted(dirs), sorted(files)) for root, dirs, files in fs.walk(folder)] == [
        (folder, ["d"], ["a.txt"]),
        (f"{folder}/d", ["e"], ["b.txt"]),
        (f"{folder}/d/e", [], ["c.md"]),
    ]
    assert fs.du(folder) == 6
    assert abs(fs.modified(f"{folder}/a.txt") - datetime.now(UTC)) < timedelta(hours=1)
    assert fs.created(f"{folder}/a.txt") <= fs.modified(f"{folder}/a.txt")


def test_cat(fs: VexfsFileSystem, folder: str) -> None:
    fs.pipe({f"{folder}/a": b"0123456789", f"{folder}/b": b"b"})
    assert fs.cat(f"{folder}/a") == b"0123456789"
    assert fs.cat([f"{folder}/a", f"{folder}/b"]) == {f"{folder}/a": b"0123456789", f"{folder}/b": b"b"}
    assert fs.cat_file(f"{folder}/a", 2, 5) == b"234"
    assert fs.cat_file(f"{folder}/a", -3) == b"789"
    assert fs.cat_file(f"{folder}/a", 5, 2) == b""
    assert fs.head(f"{folder}/a", 3) == b"012"
    assert fs.tail(f"{folder}/a", 3) == b"789"
    assert fs.cat_ranges([f"{folder}/a"] * 2, [0, 8], [2, 10]) == [b"01", b"89"]


def test_put_and_get(fs: VexfsFileSystem, folder: str, tmp_path: Path) -> None:
    (tmp_path / "up" / "inner").mkdir(parents=True)
    (tmp_path / "up" / "a").write_bytes(b"a" * 6_000_000)
    (tmp_path / "up" / "inner" / "b").write_bytes(b"b")
    fs.put(str(tmp_path / "up"), f"{folder}/up", recursive=True)
    assert fs.find(folder) == [f"{folder}/up/a", f"{folder}/up/inner/b"]
    fs.get(f"{folder}/up", str(tmp_path / "down"), recursive=True)
    assert (tmp_path / "down" / "a").read_bytes() == b"a" * 6_000_000
    assert (tmp_path / "down" / "inner" / "b").read_bytes() == b"b"


def test_mv_cp_and_rm(fs: VexfsFileSystem, folder: str) -> None:
    fs.pipe({f"{folder}/d/a": b"a", f"{folder}/d/e/b": b"b"})
    fs.mv(f"{folder}/d/a", f"{folder}/moved")
    assert fs.cat(f"{folder}/moved") == b"a"
    assert not fs.exists(f"{folder}/d/a")
    fs.mv(f"{folder}/d", f"{folder}/f", recursive=True)
    assert fs.find(folder) == [f"{folder}/f/e/b", f"{folder}/moved"]
    fs.cp(f"{folder}/moved", f"{folder}/copied")
    fs.cp(f"{folder}/f", f"{folder}/g", recursive=True)
    assert fs.cat(f"{folder}/g/e/b") == b"b"
    fs.rm(f"{folder}/copied")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(f"{folder}/g")
    fs.rm(f"{folder}/g", recursive=True)
    assert fs.find(folder) == [f"{folder}/f/e/b", f"{folder}/moved"]


def test_directories(fs: VexfsFileSystem, folder: str) -> None:
    fs.mkdir(f"{folder}/a/b")
    assert fs.isdir(f"{folder}/a/b")
    with pytest.raises(FileExistsError):
        fs.mkdir(f"{folder}/a/b")
    fs.makedirs(f"{folder}/a/b", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{folder}/a/b")
    fs.rmdir(f"{folder}/a/b")
    assert not fs.exists(f"{folder}/a/b")


def test_errors_are_those_of_the_operating_system(fs: VexfsFileSystem, server: Server, folder: str) -> None:
    fs.pipe(f"{folder}/f", b"")
    for call in (fs.info, fs.ls, fs.cat_file, fs.rm_file, fs.open):
        with pytest.raises(FileNotFoundError):
            call(f"{folder}/none")
    with pytest.raises(IsADirectoryError):
        fs.open(folder)
    with pytest.raises(NotADirectoryError):
        fs.rmdir(f"{folder}/f")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{folder}/f", b"", mode="create")
    with pytest.raises(NotImplementedError):
        fs.open(f"{folder}/f", "ab")
    stranger = fsspec.filesystem("vexfs", address=server.address, token="wrong", skip_instance_cache=True)
    with pytest.raises(PermissionError):
        stranger.info("/")
    stranger.client.close()


def test_symbolic_links_are_followed(fs: VexfsFileSystem, folder: str) -> None:
    fs.pipe(f"{folder}/f", b"abc")
    fs.client.files.symlink(f"{folder}/s", "f")
    info = fs.info(f"{folder}/s")
    assert (info["name"], info["type"], info["size"]) == (f"{folder}/s", "file", 3)
    assert fs.cat(f"{folder}/s") == b"abc"
    assert {entry["name"]: entry["islink"] for entry in fs.ls(folder)} == {f"{folder}/f": False, f"{folder}/s": True}
