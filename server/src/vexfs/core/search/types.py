"""The nouns of a search: what is asked, and what is answered. Immutable values; the surfaces translate them."""

from typing import NamedTuple

from vexfs.core.filters import Filter
from vexfs.core.search.cursors import Cursor
from vexfs.core.types import Ino, Node

LIMIT_MAX = 1000
LIMIT_DEFAULT = 10
TEXT_MAX_BYTES = 8192
WEIGHT_MIN, WEIGHT_MAX = 0.001, 1000.0

HYBRID = "hybrid"
DENSE = "dense"
LEXICAL = "lexical"
MODES = (HYBRID, DENSE, LEXICAL)


class TextSearch(NamedTuple):
    """Find the files whose text answers a question."""

    text: str
    """`"in quotes"` is a phrase that a passage found by words must hold, `begin*` the beginning of a word."""
    mode: str = HYBRID
    limit: int = LIMIT_DEFAULT
    scope: Ino | None = None
    """Only this file, or files below this directory; None is everywhere."""
    filter: Filter | None = None
    vector: bytes | None = None
    """Compare the passages with this vector of the embedding model, instead of `text`, which is then empty."""
    exact: bool = False
    """Compare every passage by meaning, whatever generation there is."""
    like: Ino | None = None
    """Compare the passages with those of this file, which is not answered, instead of `text`, which is then empty."""
    weights: tuple[float, float] = (1.0, 1.0)
    """Hybrid: how much the dense and the lexical ranking count."""
    after: Cursor | None = None
    """The end of the page before; None for the first page."""


class VectorSearch(NamedTuple):
    """Find the files whose named vector is nearest to this one."""

    collection: Ino
    vector: bytes
    """Little-endian float32."""
    vector_name: str = ""
    """Empty: the collection's first."""
    limit: int = LIMIT_DEFAULT
    scope: Ino | None = None
    filter: Filter | None = None
    exclude: tuple[Ino, ...] = ()
    """Files that are not answered: those whose vectors this was made of."""
    with_metadata: bool = False
    """Whether the hits carry the metadata of their files."""
    exact: bool = False
    """Compare every vector, whatever generation there is."""
    after: Cursor | None = None
    """The end of the page before; None for the first page."""


class PassageText(NamedTuple):
    """A passage of a file. Bytes are positions in the content; lines count from 1, both ends included."""

    text: str
    start_byte: int
    end_byte: int
    start_line: int
    end_line: int


class Match(NamedTuple):
    """How one ranking found a file: its place there (from 1), and its score there (cosine, or BM25)."""

    mode: str
    rank: int
    score: float
    terms: tuple[str, ...] = ()
    """Lexical: the words of the question as they stand in the passage, each once: other forms, parts of names, phrases."""


class Hit(NamedTuple):
    node: Node
    path: bytes
    score: float
    """Higher is better; comparable within one answer. Hybrid: 1 means first in both rankings."""
    passage: PassageText | None
    matches: tuple[Match, ...]
    metadata: bytes | None = None
    """JSON object, UTF-8; None unless it was asked for."""


class SearchAnswer(NamedTuple):
    """Hits, best first (equal scores by file id), and how far the answer can be trusted."""

    hits: tuple[Hit, ...]
    revision: int
    """Everything up to this revision has been looked through."""
    generation: str
    strategy: str
    """"exact" or "scann" (by vectors), "lexical", or "hybrid" with the way of its dense half: "hybrid+scann".

    "+rerank" at its end: the reranker ordered the hits, and their scores are its own.
    """
    exact: bool
    partial: bool
    partial_reasons: tuple[str, ...]
    pending: int
    """Files, passages or vectors that the views know of and do not have yet."""
    next: Cursor | None = None
    """Where the next page begins; None after the last."""
