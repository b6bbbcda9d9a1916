"""What is checked in is what the generators make of the contract, and it works."""

import filecmp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vexfs.contract.descriptors import methods

REPOSITORY = Path(__file__).parents[3]
CONTRACT = REPOSITORY / "server" / "src" / "vexfs" / "contract"
HAND_WRITTEN = {Path("__init__.py"), Path("descriptors.py"), Path("v1/__init__.py")}
BUF = REPOSITORY / "node_modules" / ".bin" / "buf"


def run(*command: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run with the interpreter of this test first on PATH, as `make` does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, check=False)


def files_below(folder: Path) -> set[Path]:
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if "__pycache__" not in path.parts} - HAND_WRITTEN


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    done = run(BUF, "generate", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    fresh = tmp_path / CONTRACT.relative_to(REPOSITORY)
    names = files_below(fresh)
    assert len(names) > 20
    assert files_below(CONTRACT) == names, "a generated file is missing, or one is left over"
    _, different, faulty = filecmp.cmpfiles(CONTRACT, fresh, sorted(map(str, names)), shallow=False)
    assert (different, faulty) == ([], []), "run `make generate-contract`"


def test_the_contract_is_well_formed_and_formatted() -> None:
    for command in ((BUF, "lint", "proto"), (BUF, "format", "--diff", "--exit-code", "proto")):
        done = run(*command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("comment", ["// Names one file", "// An absolute path in UTF-8"])
def test_a_missing_comment_is_found(tmp_path: Path, comment: str) -> None:
    copy_contract(tmp_path)
    common = tmp_path / "proto/vexfs/v1/common.proto"
    lines = common.read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if comment in line)
    last = next(index for index in range(first, len(lines)) if not lines[index].lstrip().startswith("//"))
    common.write_text("".join(lines[:first] + lines[last:]))
    done = run(BUF, "lint", "proto", cwd=tmp_path)
    assert done.returncode == 100
    assert "comment" in done.stdout


def test_a_breaking_change_is_found(tmp_path: Path) -> None:
    """In a repository of its own: nothing to compare with, then the same, then a field whose type changed."""
    copy_contract(tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy2(REPOSITORY / "tools/contract-breaking", tmp_path / "tools")
    (tmp_path / "node_modules").symlink_to(REPOSITORY / "node_modules")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@vexfs.invalid", "-c", "core.hooksPath=/dev/null")
    for command in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "Empty")):
        assert run(*git, *command, cwd=tmp_path).returncode == 0
    first = run("tools/contract-breaking", "main", cwd=tmp_path)
    assert (first.returncode, "no contract yet" in first.stdout) == (0, True)
    for command in (("add", "buf.yaml", "proto", "third_party"), ("commit", "-q", "-m", "Contract")):
        assert run(*git, *command, cwd=tmp_path).returncode == 0
    same = run("tools/contract-breaking", "main", cwd=tmp_path)
    assert (same.returncode, "nothing against main" in same.stdout) == (0, True), same.stderr
    common = tmp_path / "proto/vexfs/v1/common.proto"
    common.write_text(common.read_text().replace("int64 size_bytes = 10", "string size_bytes = 10"))
    broken = run("tools/contract-breaking", "main", cwd=tmp_path)
    assert broken.returncode == 100
    assert "size_bytes" in broken.stdout


def copy_contract(folder: Path) -> None:
    shutil.copy2(REPOSITORY / "buf.yaml", folder)
    for name in ("proto", "third_party"):
        shutil.copytree(REPOSITORY / name, folder / name)


def test_openapi_has_an_operation_for_every_route() -> None:
    operations = {(verb.upper(), path): body for path, verb, body in openapi_operations()}
    routes = {(each.verb, each.template): method for method in methods() for each in method.bindings}
    assert set(operations) == set(routes)
    assert len(operations) >= 33
    for route, method in routes.items():
        service = method.service.rpartition(".")[2]
        assert operations[route]["operationId"] == f"{service}_{method.name}"
        assert operations[route]["description"].strip()
        assert "Error" in json.dumps(operations[route]["responses"]["default"])


def test_openapi_names_every_field_of_a_query() -> None:
    operations = {body["operationId"]: body for _, _, body in openapi_operations()}
    for method in methods():
        if method.bindings[0].body:
            continue
        operation = operations[f"{method.service.rpartition('.')[2]}_{method.name}"]
        names = {parameter["name"].partition(".")[0] for parameter in operation.get("parameters", [])}
        assert names == {field.json_name for field in method.descriptor.input_type.fields}


def test_openapi_streams_are_objects_a_line() -> None:
    operations = {body["operationId"]: body for _, _, body in openapi_operations()}
    assert list(operations["FilesService_ReadFile"]["responses"]["200"]["content"]) == ["application/x-ndjson"]
    assert list(operations["FilesService_WriteFile"]["requestBody"]["content"]) == ["application/x-ndjson"]
    assert list(operations["FilesService_StatFile"]["responses"]["200"]["content"]) == ["application/json"]


def test_openapi_refers_to_nothing_that_is_missing() -> None:
    document = openapi()
    references = [value for key, value in leaves(document) if key == "$ref"]
    assert len(references) > 50
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference


def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CONTRACT / "openapi.json").read_text())
    assert document["openapi"].startswith("3.")
    return document


def openapi_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in openapi()["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    else:
        yield key, value
