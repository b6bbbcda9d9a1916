"""The public surface: what is exported, and that all of it is documented. A change here changes what is promised."""

import dataclasses
import inspect
import re
from enum import Enum
from types import ModuleType

import vexfs_client
from vexfs_client import AsyncClient, Client

from .server import REPOSITORY

EXPORTS = [
    "AlreadyExistsError",
    "AsyncClient",
    "AsyncCollections",
    "AsyncContent",
    "AsyncFiles",
    "AsyncItems",
    "AsyncPoints",
    "CancelledError",
    "Client",
    "Collection",
    "Collections",
    "Content",
    "ContentReader",
    "ContentWriter",
    "Copied",
    "DataLossError",
    "DeadlineExceededError",
    "Deleted",
    "EmbeddingModel",
    "FailedPreconditionError",
    "File",
    "FileKind",
    "FileName",
    "FileRef",
    "Files",
    "Filter",
    "Finding",
    "InternalError",
    "InvalidArgumentError",
    "Items",
    "Limits",
    "Match",
    "Metadata",
    "Metric",
    "NotFoundError",
    "NotSupportedError",
    "OutOfRangeError",
    "Page",
    "Passage",
    "PermissionDeniedError",
    "Point",
    "PointHit",
    "PointInput",
    "Points",
    "PointsQuery",
    "QueryResult",
    "Reason",
    "Removed",
    "ResourceExhaustedError",
    "SearchHit",
    "SearchMode",
    "SearchQuery",
    "SearchResult",
    "ServerInfo",
    "SettingsError",
    "SkippedFile",
    "StorePosition",
    "TextCounts",
    "UnauthenticatedError",
    "UnavailableError",
    "Upserted",
    "Vector",
    "VectorLike",
    "VectorSpec",
    "VectorStorage",
    "VexfsError",
    "ViewPosition",
    "ViewPositions",
    "ViewState",
    "__version__",
]


def test_exports_are_frozen() -> None:
    assert sorted(vexfs_client.__all__) == sorted(EXPORTS)
    missing = [name for name in EXPORTS if not hasattr(vexfs_client, name)]
    assert not missing
    public = {
        name for name, value in vars(vexfs_client).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public <= set(EXPORTS)


def test_everything_public_is_documented() -> None:
    for name in EXPORTS:
        item = getattr(vexfs_client, name)
        if not inspect.isclass(item):
            continue
        assert item.__doc__, name
        for member, value in vars(item).items():
            if inspect.isfunction(value) and not member.startswith("_"):
                assert value.__doc__, f"{name}.{member}"


def test_every_field_of_a_result_is_documented() -> None:
    package = REPOSITORY / "sdk-python/src/vexfs_client"
    source = "".join((package / module).read_text() for module in ("_types.py", "_queries.py"))
    for name in EXPORTS:
        item = getattr(vexfs_client, name)
        if dataclasses.is_dataclass(item):
            body = re.search(rf"^class {name}\b.*?(?=^@|^class |\Z)", source, re.MULTILINE | re.DOTALL)
            assert body is not None
            for field in dataclasses.fields(item):
                own = field.name in item.__annotations__
                assert not own or re.search(rf'^    {field.name}: .+\n    """', body[0], re.MULTILINE), f"{name}.{field.name}"


def test_both_clients_have_the_same_methods() -> None:
    """The asynchronous one opens no files, and closes with `aclose`."""
    pairs = [
        (Client, AsyncClient),
        (vexfs_client.Files, vexfs_client.AsyncFiles),
        (vexfs_client.Points, vexfs_client.AsyncPoints),
    ]
    for sync, asynchronous in [*pairs, (vexfs_client.Collections, vexfs_client.AsyncCollections)]:
        ours = {name for name in dir(sync) if not name.startswith("_")} - {"open", "close"}
        theirs = {name for name in dir(asynchronous) if not name.startswith("_")} - {"aclose"}
        assert ours == theirs
        for name in ours:
            if inspect.isfunction(getattr(sync, name)):
                one, other = inspect.signature(getattr(sync, name)), inspect.signature(getattr(asynchronous, name))
                assert list(one.parameters) == list(other.parameters), name


def test_no_signature_shows_what_it_is_made_of() -> None:
    """Users see types of this package and of the standard library, numpy's arrays apart."""
    shown = 0
    for name in EXPORTS:
        item = getattr(vexfs_client, name)
        for member in [item, *vars(item).values()] if inspect.isclass(item) else [item]:
            if inspect.isfunction(member) and not member.__name__.startswith("_"):
                shown += 1
                assert not re.search(r"httpcore|httpx|grpc|betterproto", str(inspect.signature(member))), member
    assert shown > 60


def test_the_methods_are_those_that_all_sdks_share() -> None:
    text = (REPOSITORY / "docs/sdk.md").read_text()
    for group, kind in (
        ("files", vexfs_client.Files),
        ("collections", vexfs_client.Collections),
        ("points", vexfs_client.Points),
    ):
        listed = re.search(rf"^- {group}: ([a-z_, \n]+)\.", text, re.MULTILINE)
        assert listed is not None
        names = re.split(r",\s+", listed[1])
        assert len(names) >= 4
        assert [name for name in names if not callable(getattr(kind, name, None))] == []
    for name in ("search", "batch_search", "wait_for_views", "list_skipped_files", "server_info"):
        assert name in text
        assert callable(getattr(Client, name))


def test_enums_know_the_contract() -> None:
    from vexfs_client._generated.vexfs import v1

    pairs: list[tuple[type[Enum], type[Enum]]] = [
        (vexfs_client.FileKind, v1.FileKind),
        (vexfs_client.SearchMode, v1.SearchMode),
        (vexfs_client.Metric, v1.Metric),
        (vexfs_client.VectorStorage, v1.VectorStorage),
        (vexfs_client.ViewState, v1.ViewState),
    ]
    for ours, theirs in pairs:
        assert set(ours.__members__) == set(theirs.__members__)
