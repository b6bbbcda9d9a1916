"""What `vexfs import` takes from a local directory, and what it leaves out and why."""

import os
from pathlib import Path

from vexfs.cli.local_tree import Entry, LocalTree, Skipped


def look(root: Path, excluded: tuple[str, ...] = (), included: tuple[str, ...] = ()) -> tuple[list[str], dict[str, str]]:
    """What is stored (relative paths), and what is passed over with the reason."""
    stored: list[str] = []
    skipped: dict[str, str] = {}
    for found in LocalTree(root, excluded=excluded, included=included).walk():
        if isinstance(found, Entry):
            stored.append(found.relative + ("/" if found.is_directory else ""))
        else:
            assert isinstance(found, Skipped)
            skipped[str(found.path.relative_to(root))] = found.reason
    return stored, skipped


def fill(root: Path, *files: str) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_directories_come_before_what_is_in_them_in_byte_order(tmp_path: Path) -> None:
    fill(tmp_path, "b/c.md", "b/a.md", "a.md", "B.md")
    assert look(tmp_path) == (["B.md", "a.md", "b/", "b/a.md", "b/c.md"], {})


def test_what_tools_keep_for_themselves_is_left_out_with_its_reason(tmp_path: Path) -> None:
    fill(
        tmp_path,
        ".git/config",
        "node_modules/x/y.js",
        "m/__pycache__/m.pyc",
        "m/m.pyc",
        "m/a.md",
        "env/pyvenv.cfg",
        "env/lib/x.py",
    )
    fill(tmp_path, "m/.a.md.swp", "m/a.md~")
    stored, skipped = look(tmp_path)
    assert stored == ["m/", "m/a.md"]
    assert skipped == {
        ".git": "version control",
        "node_modules": "installed packages",
        "m/__pycache__": "compiled code",
        "m/m.pyc": "compiled code",
        "env": "virtual environment",
        "m/.a.md.swp": "swap file",
        "m/a.md~": "backup of an editor",
    }


def test_ignore_files_count_for_their_directory_and_the_nearest_decides(tmp_path: Path) -> None:
    fill(tmp_path, "a.log", "b.md", "logs/a.log", "logs/keep.log", "drafts/x.md", "sub/drafts/y.md", "sub/z.md")
    (tmp_path / ".gitignore").write_text("*.log\n/drafts/\n")
    (tmp_path / "logs" / ".gitignore").write_text("!keep.log\n")
    (tmp_path / "sub" / ".vexfsignore").write_text("z.md\n")
    stored, skipped = look(tmp_path)
    assert stored == [
        ".gitignore", "b.md", "logs/", "logs/.gitignore", "logs/keep.log",
        "sub/", "sub/.vexfsignore", "sub/drafts/", "sub/drafts/y.md",
    ]  # fmt: skip
    assert skipped == {
        "a.log": ".gitignore",
        "logs/a.log": ".gitignore",
        "drafts": ".gitignore",
        "sub/z.md": ".vexfsignore of sub",
    }


def test_the_callers_patterns_can_keep_one_kind_of_file_only(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "a.txt", "p/b.py", "p/test/c.py")
    stored, skipped = look(tmp_path, excluded=("test/",), included=("*.py",))
    assert stored == ["a.py", "p/", "p/b.py"]
    assert skipped == {"a.txt": "not included", "p/test": "excluded"}


def test_links_are_stored_as_links_and_special_files_are_not(tmp_path: Path) -> None:
    fill(tmp_path, "a.md")
    (tmp_path / "link").symlink_to("a.md")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe")
    stored, skipped = look(tmp_path)
    assert stored == ["a.md", "link", "loop"]
    assert skipped == {"pipe": "neither file, directory nor symbolic link"}


def test_names_that_are_no_utf8_are_walked(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("x")
    assert look(tmp_path)[0] == [os.fsdecode(b"caf\xe9.md")]
