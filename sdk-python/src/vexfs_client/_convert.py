"""Generated messages to the types of `_types.py`. Pure; called by the groups of both clients."""

import dataclasses
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol, TypeVar

from vexfs_client import _types as t
from vexfs_client._generated.vexfs import v1
from vexfs_client._values import from_struct, from_vector


class _WithFile(Protocol):
    """A response with a file."""

    revision: int
    file: v1.File | None


E = TypeVar("E", t.FileKind, t.SearchMode, t.Metric, t.VectorStorage, t.ViewState)

_KINDS = {int(value): t.FileKind[value.name] for value in v1.FileKind if value.name is not None}


def _enum(kind: type[E], value: IntEnum) -> E:
    """The member of the same name; UNSPECIFIED for one that only a newer release knows."""
    return kind.__members__.get(getattr(value, "name", None) or "UNSPECIFIED", kind["UNSPECIFIED"])


def file(message: v1.File | None, at_revision: int) -> t.File:
    """A File, as it is at that revision; every response that promises one has it."""
    m = message or v1.File()
    return t.File(
        m.id,
        m.path,
        m.path_bytes,
        _KINDS.get(m.kind, t.FileKind.UNSPECIFIED),
        m.mode,
        m.nlink,
        m.uid,
        m.gid,
        m.rdev,
        m.size_bytes,
        m.atime,
        m.mtime,
        m.ctime,
        m.btime,
        m.revision,
        m.content_revision,
        at_revision,
    )


def file_of(response: "_WithFile") -> t.File:
    """The file of a response, as it is at the response's revision."""
    return file(response.file, response.revision)


def collection(message: v1.Collection | None, at_revision: int) -> t.Collection:
    """A Collection."""
    m = message or v1.Collection()
    schema = m.schema or v1.CollectionSchema()
    vectors = [
        t.VectorSpec(spec.name, spec.dimension, _enum(t.Metric, spec.metric), _enum(t.VectorStorage, spec.storage))
        for spec in schema.vectors
    ]
    return t.Collection(m.id, m.path, m.path_bytes, vectors, schema.embed_text, m.revision, m.point_count, at_revision)


def point(message: v1.Point | None, at_revision: int) -> t.Point:
    """A Point."""
    m = message or v1.Point()
    vectors = {name: from_vector(vector) for name, vector in m.vectors.items()}
    return t.Point(m.id, m.file_id, from_struct(m.metadata), vectors, m.revision, at_revision)


def query_result(m: v1.QueryPointsResponse) -> t.QueryResult:
    """The answer of a query."""
    return t.QueryResult(**_finding(m), hits=[t.PointHit(point(hit.point, m.revision), hit.score) for hit in m.hits])


def search_result(m: v1.SearchResponse) -> t.SearchResult:
    """The answer of a search."""
    return t.SearchResult(**_finding(m), hits=[_search_hit(hit, m.revision) for hit in m.hits])


def _finding(m: v1.QueryPointsResponse | v1.SearchResponse) -> dict[str, Any]:
    names = ("revision", "generation", "exact", "strategy", "partial", "partial_reasons", "pending", "next_page_token")
    return {name: getattr(m, name) for name in names}


def _search_hit(m: v1.SearchHit, at_revision: int) -> t.SearchHit:
    matches = [t.Match(_enum(t.SearchMode, match.mode), match.rank, match.score, match.terms) for match in m.matches]
    p = m.passage
    passage = None if p is None else t.Passage(p.text, p.start_byte, p.end_byte, p.start_line, p.end_line)
    return t.SearchHit(file(m.file, at_revision), m.score, passage, matches)


def skipped_file(m: v1.SkippedFile, at_revision: int) -> t.SkippedFile:
    """A SkippedFile."""
    return t.SkippedFile(file(m.file, at_revision), m.reason)


def view_position(m: v1.ViewPosition) -> t.ViewPosition:
    """A ViewPosition."""
    return t.ViewPosition(m.view, m.revision, m.pending, _enum(t.ViewState, m.state), m.generation, m.put_off)


def server_info(m: v1.GetServerInfoResponse) -> t.ServerInfo:
    """A ServerInfo."""
    limits, store = m.limits or v1.Limits(), m.store or v1.StorePosition()
    text, embedding = m.text or v1.TextCounts(), m.embedding or v1.EmbeddingModel()
    return t.ServerInfo(
        revision=m.revision,
        version=m.version,
        capabilities=m.capabilities,
        limits=t.Limits(**_fields(limits, t.Limits)),
        store=t.StorePosition(**_fields(store, t.StorePosition)),
        views=[view_position(view) for view in m.views],
        text=t.TextCounts(**_fields(text, t.TextCounts)),
        embedding=t.EmbeddingModel(**_fields(embedding, t.EmbeddingModel)),
    )


def _fields(message: object, kind: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in (field.name for field in dataclasses.fields(kind))}


def times(value: datetime | None, name: str) -> datetime | None:
    """A time to send; refuses one without a time zone, which could mean any of twenty-four."""
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{name} has no time zone: give one, such as datetime.UTC")
    return value
