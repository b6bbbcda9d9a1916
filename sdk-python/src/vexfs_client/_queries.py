"""What a query of points and a search ask for: one at a time through the arguments of a method, or several in a batch. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from vexfs_client._filters import Filter, to_message
from vexfs_client._generated.vexfs import v1
from vexfs_client._types import SearchMode, VectorLike
from vexfs_client._values import FileName, check_32_bits, to_mode, to_ref, to_vector

HITS_AT_ONCE = 100
"""How many hits a page has when all are asked for: few enough to come fast, many enough to seldom wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsQuery:
    """One query of `client.points.batch_query`, or that of `query_hits`. Give `vector`, `point_id`, or examples."""

    collection: FileName
    """The collection's directory."""
    vector: VectorLike | None = None
    """What the points shall be near to."""
    point_id: str | None = None
    """The id of a point whose vector it is; that point is left out of the answer."""
    positive: Iterable[str | VectorLike] = ()
    """Examples of what points shall be like, ids of points or vectors, up to 100."""
    negative: Iterable[str | VectorLike] = ()
    """Examples of what points shall not be like, likewise."""
    vector_name: str = ""
    """The named vector to compare; empty: the collection's first."""
    filter: Filter | None = None
    """Which points may be answered."""
    limit: int = 0
    """How many hits at most; 0: 10; up to 1,000. Of an iterator over all hits: in all; 0: no limit."""
    with_vectors: bool = False
    """Answer the vectors of the hits too."""
    exact: bool = False
    """Compare with every vector that may be answered, so that none is missed, however long that takes."""
    page_token: str = ""
    """`next_page_token` of an answer to the same question, to have the hits that follow; `limit` may be another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """One search of `client.batch_search`, or that of `client.search_hits`. Give `text`, `vector` or `like`."""

    text: str | None = None
    """A question or a few words."""
    vector: VectorLike | None = None
    """A vector of the model that embeds the files, or of `vector_name`."""
    like: FileName | None = None
    """A file: what is near to the mean of its passages is answered, without the file itself."""
    scope: FileName | None = None
    """Only files in this directory or below it; None: everywhere."""
    filter: Filter | None = None
    """Only files that pass this."""
    mode: SearchMode | str | None = None
    """How to look: `hybrid` (the default), `dense` or `lexical`."""
    limit: int = 0
    """How many hits at most; 0: 10; up to 1,000. Of an iterator over all hits: in all; 0: no limit."""
    vector_name: str = ""
    """For a vector: the named vector of the collection that `scope` names to compare with."""
    exact: bool = False
    """By meaning, compare with every passage that may be answered, so that none is missed, however long that takes."""
    dense_weight: float = 0.0
    """Hybrid: how much the ranking by meaning counts; 0: 1."""
    lexical_weight: float = 0.0
    """Hybrid: how much the ranking by words counts; 0: 1."""
    page_token: str = ""
    """`next_page_token` of an answer to the same question, to have the hits that follow; `limit` may be another."""


def query_message(query: PointsQuery, min_revision: int = 0) -> v1.QueryPointsRequest:
    """A query as a message. Raises ValueError for what is no vector, no name of a file, or no 32-bit number."""
    check_32_bits(limit=query.limit)
    return v1.QueryPointsRequest(
        collection=to_ref(query.collection),
        vector=None if query.vector is None else to_vector(query.vector),
        point_id=query.point_id,
        examples=_examples(query.positive, query.negative),
        vector_name=query.vector_name,
        filter=to_message(query.filter),
        limit=query.limit,
        with_vectors=query.with_vectors,
        exact=query.exact,
        page_token=query.page_token,
        min_revision=min_revision,
    )


def search_message(query: SearchQuery, min_revision: int = 0) -> v1.SearchRequest:
    """A search as a message. Raises ValueError as `query_message`, and for an unknown mode."""
    check_32_bits(limit=query.limit)
    return v1.SearchRequest(
        text=query.text,
        vector=None if query.vector is None else to_vector(query.vector),
        like=None if query.like is None else to_ref(query.like),
        scope=None if query.scope is None else to_ref(query.scope),
        filter=to_message(query.filter),
        mode=to_mode(query.mode),
        limit=query.limit,
        vector_name=query.vector_name,
        exact=query.exact,
        dense_weight=query.dense_weight,
        lexical_weight=query.lexical_weight,
        page_token=query.page_token,
        min_revision=min_revision,
    )


def _examples(positive: Iterable[str | VectorLike], negative: Iterable[str | VectorLike]) -> v1.Examples | None:
    made = v1.Examples(positive=[*map(_example, positive)], negative=[*map(_example, negative)])
    return made if made.positive or made.negative else None


def _example(example: str | VectorLike) -> v1.Example:
    return v1.Example(point_id=example) if isinstance(example, str) else v1.Example(vector=to_vector(example))
