"""Which files are left out of the index, by the rules git has."""

import pytest
from indexer_process import Tree

from vexfs.core.types import ROOT_INO, Ino
from vexfs.store.volume import Volume
from vexfs.views.indexing.ignoring import Ignoring


class Judge:
    def __init__(self, volume: Volume, tree: Tree) -> None:
        self.volume, self.tree, self.ignoring = volume, tree, Ignoring()

    def put(self, path: str, data: str = "x") -> Ino:
        """Writes the file and the directories on the way."""
        *directories, name = path.split("/")
        parent = Ino(ROOT_INO)
        for directory in directories:
            with self.volume.snapshot() as view:
                from vexfs.core import files

                found = [entry.node.ino for entry in files.list_directory(view, parent) if entry.name == directory.encode()]
            parent = found[0] if found else self.tree.directory(directory, parent)
        return self.tree.put(name, data, parent)

    def reason(self, path: str) -> str:
        ino = self.put(path)
        self.ignoring.forget()
        with self.volume.snapshot() as view:
            verdict = self.ignoring.verdict(view, ino)
        assert verdict is not None
        return verdict.reason


@pytest.fixture
def judge(volume: Volume, tree: Tree) -> Judge:
    return Judge(volume, tree)


@pytest.mark.parametrize(
    "path",
    [".git/config", "a/.git/objects/x", "a/node_modules/b/c.js", ".venv/lib/x.py", "a/.note.swp", "b~", "__pycache__/x.py"],
)
def test_by_default(judge: Judge, path: str) -> None:
    assert judge.reason(path) == "ignored by the default rules"


@pytest.mark.parametrize("path", ["a.txt", "git/config", "modules/x", ".hidden", "a/.github/x.yml", "swp"])
def test_ordinary_files_are_not_ignored(judge: Judge, path: str) -> None:
    assert judge.reason(path) == ""


def test_a_virtual_environment_is_told_by_its_mark(judge: Judge) -> None:
    judge.put("myenv/pyvenv.cfg", "home = /usr")
    assert judge.reason("myenv/lib/x.py") == "ignored: a virtual environment"
    assert judge.reason("other/lib/x.py") == ""


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("*.log", "a/b/x.log", True),
        ("/x.log", "a/x.log", False),
        ("/x.log", "x.log", True),
        ("*.log\n!keep.log", "keep.log", False),
        ("build/", "a/build/x.txt", True),
        ("build/", "a/build", False),
        ("a/**/z", "a/b/c/z", True),
        ("doc/*.txt", "doc/sub/x.txt", False),
        ("# comment\n\n\\#odd", "#odd", True),
        ("build\n!build/keep.txt", "build/keep.txt", True),
        ("[\n*.o", "x.o", True),
    ],
)
def test_rules_mean_what_they_mean_to_git(judge: Judge, rules: str, path: str, ignored: bool) -> None:
    judge.put(".gitignore", rules)
    assert judge.reason(path) == ("ignored by .gitignore" if ignored else "")


def test_deeper_rules_count_first_and_only_below(judge: Judge) -> None:
    judge.put(".gitignore", "*.log")
    judge.put("a/.gitignore", "!*.log\n/only.txt")
    assert judge.reason("a/x.log") == ""
    assert judge.reason("a/b/x.log") == ""
    assert judge.reason("b/x.log") != ""
    assert judge.reason("a/only.txt") != ""
    assert judge.reason("b/only.txt") == ""


def test_vexfsignore_counts_before_gitignore_and_the_defaults(judge: Judge) -> None:
    judge.put(".gitignore", "*.log")
    judge.put(".vexfsignore", "!*.log\n!*.swp\nsecret.txt")
    assert judge.reason("x.log") == ""
    assert judge.reason("x.swp") == ""
    assert judge.reason("a/secret.txt") == "ignored by .vexfsignore"


def test_a_file_without_a_name_has_no_verdict(judge: Judge) -> None:
    ino = judge.put("x.txt")
    judge.tree.remove("x.txt")
    with judge.volume.snapshot() as view:
        assert judge.ignoring.verdict(view, ino) is None


def test_a_deep_tree_is_no_problem(judge: Judge) -> None:
    assert judge.reason("/".join(["d"] * 300) + "/x.txt") == ""
