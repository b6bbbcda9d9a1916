"""`vexfs import`: what arrives, what is left alone the second time, what is listed as passed over."""

import os
import shutil
from pathlib import Path

import pytest

from .running import Server, lines


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory as people have them."""
    root = tmp_path / "project"
    for name, content in {
        "README.md": b"# A project\n",
        "src/a.py": b"print('a')\n",
        "src/deep/er/b.py": b"print('b')\n",
        "src/__pycache__/a.pyc": b"\0",
        "build/out.txt": b"out",
        ".gitignore": b"build/\n",
        "empty": b"",
        "large.bin": os.urandom(2 * 2**20 + 3),
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "link").symlink_to("README.md")
    (root / "src/a.py").chmod(0o755)
    os.utime(root / "README.md", ns=(1, 1_600_000_000_123_456_789))
    return root


@pytest.mark.parametrize("surface", ["local", "rest"])
def test_everything_arrives_with_its_attributes_and_the_rest_is_listed(server: Server, project: Path, surface: str) -> None:
    into = f"/imported-{surface}"
    variables = {"VEXFS_URL": server.record["rest"]} if surface == "rest" else {}
    *listed, summary = lines(server.vexfs("import", str(project), "--into", into, "--json", **variables))
    assert summary["stored"] == 7
    assert summary["failed"] == 0
    assert {Path(record["local"]).name: record["reason"] for record in listed} == {
        "__pycache__": "compiled code",
        "build": ".gitignore",
    }
    server.vexfs("get", f"{into}/large.bin", str(project.parent / "large"))
    assert (project.parent / "large").read_bytes() == (project / "large.bin").read_bytes()
    assert server.vexfs("cat", f"{into}/link", f"{into}/src/deep/er/b.py") == "# A project\nprint('b')\n"
    facts = {record["file"]: record for record in lines(server.vexfs("ls", into, f"{into}/src", "--json"))}
    assert facts[f"{into}/README.md"]["mtime"] == "2020-09-13T12:26:40.123456789Z"
    assert facts[f"{into}/src/a.py"]["mode"] == "0755"
    assert facts[f"{into}/link"]["kind"] == "symlink"


def test_a_second_import_stores_what_is_new_or_changed_and_nothing_else(server: Server, project: Path) -> None:
    server.vexfs("import", str(project), "--into", "/again")
    before = lines(server.vexfs("status", "--json"))[0]["revision"]
    summary = lines(server.vexfs("import", str(project), "--into", "/again", "--json"))[-1]
    assert (summary["stored"], summary["unchanged"]) == (1, 6)  # a link has no time of its own to compare
    assert lines(server.vexfs("status", "--json"))[0]["revision"] - before <= 1
    (project / "src/a.py").write_text("print('changed')\n")
    (project / "src/new.py").write_text("print('new')\n")
    summary = lines(server.vexfs("import", str(project), "--into", "/again", "--json"))[-1]
    assert (summary["stored"], summary["unchanged"]) == (3, 5)
    assert server.vexfs("cat", "/again/src/a.py", "/again/src/new.py") == "print('changed')\nprint('new')\n"


def test_a_file_that_cannot_be_stored_is_named_and_the_rest_arrives(server: Server, project: Path) -> None:
    server.vexfs("mkdir", "-p", "/blocked/README.md")
    output = server.vexfs("import", str(project), "--into", "/blocked", "--json", check=False)
    *listed, summary = lines(output)
    assert summary["failed"] == 1
    assert summary["stored"] == 6
    failed = [record for record in listed if record["outcome"] == "failed"]
    assert failed[0]["local"] == str(project / "README.md")
    assert "directory" in failed[0]["reason"]


def test_one_kind_of_file_can_be_kept(server: Server, project: Path) -> None:
    server.vexfs("import", str(project), "--into", "/kept", "--include", "*.py", "--exclude", "deep/")
    assert server.vexfs("ls", "/kept").split() == ["src/"]
    assert server.vexfs("ls", "/kept/src").split() == ["a.py"]


def test_the_source_is_not_touched(server: Server, project: Path) -> None:
    def look() -> list[tuple[str, int]]:
        return sorted((str(path), path.lstat().st_mtime_ns) for path in project.rglob("*"))

    before = look()
    server.vexfs("import", str(project), "--into", "/untouched")
    assert look() == before
    shutil.rmtree(project)
    assert server.vexfs("cat", "/untouched/README.md") == "# A project\n"
