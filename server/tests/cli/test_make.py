"""What `make` promises: clean spares data, the interpreter is chosen with care, requirements are locked."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with everything that is made, as far as `make clean` is concerned."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copytree(ROOT / "make", root / "make")
    shutil.copy(ROOT / "Makefile", root)
    for name in (".venv/bin", "build/x", "server/src/__pycache__", "bench/__pycache__", "data/volumes/main", "mnt", ".cache/x"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("x")
    return root


def clean(root: Path, **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VEXFS_DATA"} | variables
    subprocess.run(["make", "--silent", "clean"], cwd=root, env=environment, check=True, capture_output=True, timeout=60)


def test_clean_removes_what_is_made_again_and_never_data(checkout: Path) -> None:
    clean(checkout)
    assert sorted(path.name for path in checkout.iterdir()) == ["Makefile", "bench", "data", "make", "mnt", "scripts", "server"]
    assert (checkout / "data/volumes/main/file").read_text() == "x"
    assert not (checkout / "server/src/__pycache__").exists()


def test_clean_spares_a_data_folder_in_an_odd_place(checkout: Path) -> None:
    clean(checkout, VEXFS_DATA="build/x/data")
    assert (checkout / "build/x/file").exists()
    assert not (checkout / ".venv").exists()


def test_an_interpreter_that_does_not_suit_is_refused(tmp_path: Path) -> None:
    script = str(ROOT / "scripts/make-venv")
    named = subprocess.run(
        [script, str(tmp_path / "venv"), "/bin/false"], capture_output=True, text=True, check=False, timeout=60
    )
    assert named.returncode == 1
    assert "PYTHON=/bin/false is not a CPython 3.11, 3.12 or 3.13" in named.stderr
    nowhere = {"PATH": str(tmp_path)}
    command = ["/bin/bash", script, str(tmp_path / "venv")]
    outcome = subprocess.run(command, capture_output=True, text=True, env=nowhere, check=False, timeout=60)
    assert outcome.returncode == 1
    assert "3.11, 3.12 or 3.13" in outcome.stderr
    assert "apt-get install" in outcome.stderr


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_requirement_is_pinned_with_hashes_and_without_addresses(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    assert "://" not in text
    packages = re.findall(r"^([A-Za-z0-9._-]+)(.*)\n((?: .*\n)*)", text, re.MULTILINE)
    assert len(packages) > 40
    for package, pin, rest in packages:
        assert pin.startswith("=="), package
        assert "--hash=sha256:" in rest, package


def test_the_locked_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for file, wishes in (("runtime", project["dependencies"]), ("dev", project["optional-dependencies"]["dev"])):
        locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / f"requirements/{file}.txt").read_text("utf-8"), re.MULTILINE))
        for wish in wishes:
            assert re.split(r"[><=]", wish)[0].lower().replace("_", "-") in locked, f"{wish}: run make requirements"


def test_continuous_integration_runs_what_a_person_runs() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").splitlines()[-1] == "exec make test"


def test_what_the_tests_need_and_the_machine_lacks_is_named_before_anything_is_built(tmp_path: Path) -> None:
    for name in ("bash", "env"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    outcome = subprocess.run(
        [ROOT / "scripts/check-tools"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert outcome.returncode == 1
    for tool in ("npm", "go", "cargo", "cc", "chromium", "openssl"):
        assert re.search(rf"^missing: {tool} \(.+\): .+", outcome.stderr, re.MULTILINE), outcome.stderr


def test_help_names_every_target_for_people() -> None:
    outcome = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    listed = {line.split()[0] for line in outcome.stdout.splitlines()}
    assert {"setup", "run", "test", "lint", "generate", "clean"} <= listed
