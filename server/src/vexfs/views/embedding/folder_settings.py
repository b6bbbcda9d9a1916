"""What a folder with an ONNX model says of it: which graph, how its tokens become one vector, what stands before a text.

Read by `vexfs.views.embedding.onnx_model` when a process loads such a model. Understands the files that sentence-transformers
and the model hubs keep beside a model, and one of VexFS's own for what these leave out:

    model.onnx or onnx/model.onnx        the graph; tensors it keeps outside lie beside it
    tokenizer.json                       the tokenizer
    config.json                          the longest text the model can read (max_position_embeddings)
    modules.json, 1_Pooling/config.json  mean of the tokens, the first or the last one; mean when they say nothing
    sentence_bert_config.json            the longest text it was made for (max_seq_length)
    config_sentence_transformers.json    prompts: "query" before a question, "passage" or "document" before a passage
    vexfs-model.json                     any of pooling, max_tokens, query_prefix, passage_prefix; counts before the others

Reads small files only; never writes, never runs anything.
"""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from vexfs.views.embedding.weights import ModelUnusable

Pooling = Literal["mean", "cls", "last"]
GRAPHS = ("model.onnx", "onnx/model.onnx")
TOKENIZER = "tokenizer.json"
OWN_FILE = "vexfs-model.json"
MAX_TOKENS_DEFAULT = 512
"""Of a model that does not say how much it reads."""
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})
"""Their first two positions stand for no token."""


class FolderSettings(NamedTuple):
    """How a model is asked."""

    pooling: Pooling
    max_tokens: int
    query_prefix: str
    passage_prefix: str
    kind: str
    """What the model is a kind of, such as "bert"; "model" when nothing says."""


class _Own(msgspec.Struct, forbid_unknown_fields=True):
    pooling: Pooling | None = None
    max_tokens: int | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None


def find_graph(folder: Path) -> Path:
    """The graph, in a folder that holds one and a tokenizer. Raises ModelUnusable naming what is missing."""
    if not folder.is_dir():
        raise ModelUnusable(f"the model folder {folder} is not there; name a folder that holds {GRAPHS[0]} and {TOKENIZER}")
    found = [folder / name for name in GRAPHS if (folder / name).is_file()]
    missing = ([] if found else [" or ".join(GRAPHS)]) + ([] if (folder / TOKENIZER).is_file() else [TOKENIZER])
    if missing:
        raise ModelUnusable(f"the model folder {folder} does not hold {', nor '.join(missing)}; export the model to ONNX there")
    return found[0]


def read_settings(folder: Path) -> FolderSettings:
    """What the files say together. Raises ModelUnusable when one is damaged, or asks for what VexFS cannot do."""
    own = _own(folder)
    prompts = _object(folder, "config_sentence_transformers.json").get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    passage = prompts.get("passage", prompts.get("document", ""))
    return FolderSettings(
        own.pooling or _pooling(folder),
        read_max_tokens(folder) if own.max_tokens is None else own.max_tokens,
        str(prompts.get("query", "")) if own.query_prefix is None else own.query_prefix,
        str(passage) if own.passage_prefix is None else own.passage_prefix,
        str(_object(folder, "config.json").get("model_type") or "model"),
    )


def _own(folder: Path) -> _Own:
    path = folder / OWN_FILE
    if not path.exists():
        return _Own()
    try:
        own = msgspec.json.decode(path.read_bytes(), type=_Own)
    except (OSError, msgspec.MsgspecError) as error:
        names = ", ".join(_Own.__struct_fields__)
        raise ModelUnusable(f"{path} cannot be used: {error}. It may say {names}; pooling is one of {_choices()}") from None
    if own.max_tokens is not None and own.max_tokens < 1:
        raise ModelUnusable(f"{path} says max_tokens {own.max_tokens}; give 1 or more")
    return own


def _pooling(folder: Path) -> Pooling:
    """The one way that the Pooling module says; mean when there is no such module."""
    place = folder / "1_Pooling"
    for module in _modules(folder):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            place = folder / str(module.get("path", "1_Pooling"))
        elif kind not in ("Transformer", "Normalize"):
            raise ModelUnusable(
                f"the model in {folder} has a step {kind!r} after its transformer, which VexFS does not do by itself;"
                " export the whole model into one graph with an output sentence_embedding, and remove modules.json"
            )
    chosen = sorted(
        name for name, on in _object(place, "config.json").items() if name.startswith("pooling_mode_") and on is True
    )
    if not chosen:
        return "mean"
    if len(chosen) > 1 or chosen[0] not in _POOLINGS:
        raise ModelUnusable(
            f"{place / 'config.json'} asks for {' and '.join(chosen)}; VexFS does one of {_choices()}: say which in {OWN_FILE}"
        )
    return _POOLINGS[chosen[0]]  # type: ignore[return-value]  # its values are the literal's


def _modules(folder: Path) -> list[dict[str, Any]]:
    found = _json(folder / "modules.json")
    return [module for module in found if isinstance(module, dict)] if isinstance(found, list) else []


def read_max_tokens(folder: Path) -> int:
    """How many tokens the model was made for, or can read, whichever is less. Raises ModelUnusable."""
    made_for = _object(folder, "sentence_bert_config.json").get("max_seq_length")
    config = _object(folder, "config.json")
    positions = config.get("max_position_embeddings")
    reads = positions - 2 * (config.get("model_type") in _OFFSET_POSITIONS) if isinstance(positions, int) else None
    known = [number for number in (made_for, reads) if isinstance(number, int) and number > 0]
    return min(known, default=MAX_TOKENS_DEFAULT)


def _object(folder: Path, name: str) -> dict[str, Any]:
    found = _json(folder / name)
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> Any:
    """None when there is no such file."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelUnusable(
            f"{path} cannot be read: {error}; put the file that came with the model there, or remove it"
        ) from None


def _choices() -> str:
    return ", ".join(get_args(Pooling))
