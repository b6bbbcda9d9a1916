"""A reranker: a cross-encoder from a folder with an ONNX graph, which reads question and passage together and scores them.

Loaded by the API when VEXFS_RERANKER names a folder; off otherwise. `scores` may be called from several threads at once. The
folder is laid out as one of an embedding model: graph, tokenizer.json, config.json. Never downloads, never writes.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vexfs.core.errors import InvalidRequest, ViewUnavailable
from vexfs.views.embedding.folder_settings import TOKENIZER, find_graph, read_max_tokens
from vexfs.views.embedding.graph_inputs import GraphInputs
from vexfs.views.embedding.session import open_session
from vexfs.views.embedding.weights import ModelUnusable

ENV_RERANKER = "VEXFS_RERANKER"
ENV_HITS = "VEXFS_RERANKER_HITS"
HITS_DEFAULT = 20
HITS_MAX = 200
LIMIT_S = 2.0
"""Longer, nobody waits for a better order."""
_EXPORT = "text classification, with one score for a pair of texts"


def chosen_folder() -> Path | None:
    """What VEXFS_RERANKER names; None when searches are not reranked."""
    given = os.environ.get(ENV_RERANKER, "").strip()
    return Path(given).expanduser().absolute() if given else None


def hit_count() -> int:
    """How many hits are scored, as VEXFS_RERANKER_HITS says. Raises InvalidRequest when that is no number."""
    given = os.environ.get(ENV_HITS, "").strip() or str(HITS_DEFAULT)
    count = int(given) if given.isdecimal() else 0
    if not 1 <= count <= HITS_MAX:
        raise InvalidRequest(f"{ENV_HITS} is {given!r}; give a number from 1 to {HITS_MAX}")
    return count


class CrossEncoder:
    """A loaded reranker."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = GraphInputs(session, _EXPORT)
        self._output = session.get_outputs()[0].name
        try:
            self._score("a question", "a passage")
        except ModelUnusable:
            raise
        except Exception as error:  # whatever the graph's operators raise
            raise ModelUnusable(f"the reranker cannot score a text: {error}; are graph and tokenizer one model's?") from error

    @staticmethod
    def load(folder: Path) -> "CrossEncoder":
        """Reads the model and scores one pair. Raises ModelUnusable, saying what to do."""
        from tokenizers import Tokenizer

        graph = find_graph(folder)
        try:
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            session = open_session(graph, len(os.sched_getaffinity(0)))
        except Exception as error:  # neither library has a common base for what it raises
            raise ModelUnusable(f"the reranker in {folder} cannot be loaded: {error}; export it to ONNX again") from error
        tokenizer.enable_truncation(read_max_tokens(folder))
        tokenizer.no_padding()
        return CrossEncoder(session, tokenizer)

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers the question, from 0 to 1. Raises ViewUnavailable after LIMIT_S."""
        end = time.monotonic() + LIMIT_S
        scores: list[float] = []
        for passage in passages:
            if time.monotonic() > end:
                raise ViewUnavailable(
                    f"reranking took longer than {LIMIT_S:g} s: {len(scores)} of {len(passages)} passages were scored;"
                    f" a smaller {ENV_HITS} or a smaller model helps"
                )
            scores.append(self._score(question, passage))
        return scores

    def _score(self, question: str, passage: str) -> float:
        encoding = self._tokenizer.encode(question, passage)
        logits = np.asarray(self._session.run([self._output], self._inputs.of(encoding))[0], np.float64)
        if logits.size != 1 or not np.isfinite(logits).all():
            raise ModelUnusable(
                f"the reranker answers {logits.size} numbers to a pair, not a finite one: export it for {_EXPORT}"
            )
        return float(1 / (1 + np.exp(-np.clip(logits.item(), -60, 60))))
