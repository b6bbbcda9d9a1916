"""A peer from foreign sources is built from exactly what the benchmark was written for, or is not available with a reason."""

import subprocess
from pathlib import Path

import pytest
from bench.peers import agentfs, passthrough_hp
from bench.runner import build


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VEXFS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_no_peer_is_fetched_without_leave(empty_cache: Path) -> None:
    for peer in (agentfs, passthrough_hp):
        with pytest.raises(build.NotAvailable, match=r"python -m bench\.peers"):
            peer.binary(install=False)
    assert not empty_cache.exists()


def test_a_repository_that_cannot_be_cloned_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_tools()
    monkeypatch.setenv(agentfs.REPOSITORY_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(build.NotAvailable, match="git failed"):
        agentfs.binary()


def test_another_commit_under_the_same_tag_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_tools()
    repository = tmp_path / "repository"
    repository.mkdir()
    author = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    for command in (["init", "--quiet"], [*author, "commit", "--quiet", "--allow-empty", "-m", "x"], ["tag", agentfs.VERSION]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    monkeypatch.setenv(agentfs.REPOSITORY_VARIABLE, str(repository))
    with pytest.raises(build.NotAvailable, match=f"not {agentfs.COMMIT}"):
        agentfs.binary()


def test_a_program_that_takes_too_long_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(build.NotAvailable, match="sleep took longer than 0 s"):
        build.run(["sleep", "20"], tmp_path, timeout_s=0.1)


def build_tools() -> None:
    try:
        build.tool("git", ""), build.tool("cargo", "")
    except build.NotAvailable as error:
        pytest.skip(str(error))
