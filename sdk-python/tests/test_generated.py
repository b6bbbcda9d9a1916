"""What is checked in is what the generators make, and the tables written by hand say what the contract says."""

import filecmp
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vexfs_client import Reason, _methods, _rest
from vexfs_client._generated.vexfs import v1
from vexfs_client._generated_rest import ROUTES
from vexfs_client._reasons import RETRYABLE

from .server import REPOSITORY

SDK = REPOSITORY / "sdk-python"
GENERATED = (
    SDK / "src/vexfs_client/_generated",
    SDK / "src/vexfs_client/_generated_rest",
    SDK / "conformance/vexfs_client_conformance/_generated",
)


def run(*command: str | Path, cwd: Path = REPOSITORY) -> str:
    """Run with the interpreter of this test first on PATH, as `make` does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "PATH": path}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_below(folder: Path) -> dict[Path, Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder): path for path in found}


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    run(SDK / "scripts/generate", tmp_path)
    for folder in GENERATED:
        ours, made = files_below(folder), files_below(tmp_path / folder.relative_to(REPOSITORY))
        assert ours, folder
        assert ours.keys() == made.keys()
        assert [name for name in ours if not filecmp.cmp(ours[name], made[name], shallow=False)] == []


def test_the_synchronous_half_is_made_from_the_asynchronous_one(tmp_path: Path) -> None:
    run(SDK / "scripts/make-sync", tmp_path)
    made = files_below(tmp_path)
    assert len(made) >= 6
    for name, path in made.items():
        assert path.read_text() == (SDK / "src/vexfs_client/_sync" / name).read_text(), name


@pytest.fixture(scope="module")
def contract() -> list[dict[str, Any]]:
    """The contract's files as descriptors in JSON."""
    text = run("node_modules/.bin/buf", "build", "proto", "--path", "proto/vexfs/v1", "--output", "-#format=json")
    files: list[dict[str, Any]] = json.loads(text)["file"]
    return [file for file in files if file["name"].startswith("vexfs/v1/")]


def test_every_method_of_the_contract_is_in_the_table(contract: list[dict[str, Any]]) -> None:
    ours = {method.path: method for method in vars(_methods).values() if isinstance(method, _methods.Method)}
    for file in contract:
        for service in file.get("service", []):
            for described in service["method"]:
                method = ours.pop(f"/vexfs.v1.{service['name']}/{described['name']}")
                assert method.response is getattr(v1, described["outputType"].rpartition(".")[2])
                writes = described["options"]["[vexfs.v1.method]"]["permission"] == "PERMISSION_WRITE"
                assert method.writes is writes, method.path
    assert not ours, "methods that the contract does not have"


def test_every_reason_of_the_contract_is_known(contract: list[dict[str, Any]]) -> None:
    enum = next(enum for file in contract for enum in file.get("enumType", []) if enum["name"] == "ErrorReason")
    contracts = {value["name"].removeprefix("ERROR_REASON_"): value.get("options", {}) for value in enum["value"]}
    del contracts["UNSPECIFIED"]
    assert set(Reason) == set(contracts)
    retryable = {name for name, options in contracts.items() if options["[vexfs.v1.error]"].get("retryable")}
    assert retryable == RETRYABLE


def test_generated_code_is_of_this_package_only() -> None:
    """Nothing but the messages: no stubs, no transport of the generator's own."""
    text = (GENERATED[0] / "vexfs/v1/__init__.py").read_text()
    assert not re.search(r"grpclib|class \w+Stub", text)


def test_every_method_with_a_route_is_reached_over_rest(contract: list[dict[str, Any]]) -> None:
    """Verb, path and body are those of the contract, and whatever a request can hold has its place in it."""
    ours = {method.path: method for method in vars(_methods).values() if isinstance(method, _methods.Method)}
    messages = {message["name"]: message for file in contract for message in file.get("messageType", [])}
    count = 0
    for file in contract:
        for service in file.get("service", []):
            for described in service["method"]:
                rule = described["options"].get("[google.api.http]")
                if rule is None:
                    continue
                count += 1
                route = _rest.route(ours[f"/vexfs.v1.{service['name']}/{described['name']}"])
                (verb,) = rule.keys() - {"body"}
                assert (route.verb, route.path) == (verb.upper(), rule[verb])
                assert "{" not in route.path, "a parameter in the path"
                assert bool(route.body) == (rule.get("body") == "*")
                assert (route.body == "application/x-ndjson") == described.get("clientStreaming", False)
                if not route.body:
                    assert set(route.query) == _leaves(described["inputType"], messages), route.path
    assert count == len(ours) == len(ROUTES)


def _leaves(kind: str, messages: dict[str, dict[str, Any]], prefix: str = "") -> set[str]:
    """The fields of a request that have a value of their own, named from the outside in."""
    found = set()
    for field in messages[kind.rpartition(".")[2]].get("field", []):
        name = prefix + field["jsonName"]
        found |= _leaves(field["typeName"], messages, f"{name}.") if field["type"] == "TYPE_MESSAGE" else {name}
    return found
