"""The inputs of a transformer's graph: which it wants, and what is given for a text that the tokenizer has read.

Used by the models that come as ONNX, embedding or reranking. Holds no state but the names and types it found.
"""

from typing import Any

import numpy as np

from vexfs.views.embedding.weights import ModelUnusable

_ID = "input_ids"
_KNOWN = frozenset({_ID, "attention_mask", "token_type_ids", "position_ids"})
_TYPES: dict[str, type[np.integer[Any]]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class GraphInputs:
    """Of one session. Raises ModelUnusable when it wants anything else; `export` says what to export the model for."""

    def __init__(self, session: Any, export: str) -> None:
        inputs = {given.name: given.type for given in session.get_inputs()}
        unknown = sorted(name for name, kind in inputs.items() if name not in _KNOWN or kind not in _TYPES)
        if _ID not in inputs or unknown:
            raise ModelUnusable(
                f"the graph wants the inputs {', '.join(sorted(inputs))}; VexFS gives integer {', '.join(sorted(_KNOWN))}:"
                f" export the model for {export}"
            )
        self._types = {name: _TYPES[kind] for name, kind in inputs.items()}

    def of(self, encoding: Any) -> dict[str, Any]:
        """Arrays of one row each, for one text (or pair) as the tokenizer has encoded it."""
        length = len(encoding.ids)
        values = {
            _ID: encoding.ids,
            "attention_mask": [1] * length,
            "token_type_ids": encoding.type_ids,
            "position_ids": range(length),
        }
        return {name: np.array([values[name]], kind) for name, kind in self._types.items()}
