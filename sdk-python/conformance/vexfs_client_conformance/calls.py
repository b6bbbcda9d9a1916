"""One handler a method of the contract: from the request to the SDK's call, from its result to the response."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vexfs_client import PointsQuery, SearchQuery

from .requests import Unsupported, examples, file_name, filter_of, mode, point, time, vector, vector_specs
from .responses import plain, with_revision

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: the requests, the time-out in seconds if the call has its own, and how a list or stream is taken."""

    requests: list[Json]
    timeout: float | None
    one_page: bool
    take: int | None
    hits_page_size: int | None

    @property
    def request(self) -> Json:
        return self.requests[0]


Parsers = Mapping[str, Callable[[Any], Any]]
Handler = Callable[[Any, Asked], Awaitable[list[Json]]]
_PARSERS: Parsers = {
    **dict.fromkeys(("file", "directory", "source", "destination", "link", "collection", "scope", "like"), file_name),
    **dict.fromkeys(("at_revision", "min_revision", "offset", "length", "page_size", "limit", "mode", "uid", "gid"), int),
    **dict.fromkeys(("size_bytes", "if_content_revision"), int),
    **dict.fromkeys(("atime", "mtime"), time),
    "vector": vector,
    "filter": filter_of,
    "positive": examples,
    "negative": examples,
    "value": base64.b64decode,
}


def arguments(asked: Asked, *names: str, required: Iterable[str] = (), **parsers: Callable[[Any], Any]) -> Json:
    """The fields of the request as keyword arguments; those that are not there are not passed. Raises Unsupported."""
    return _arguments(asked.request, names, required, asked.timeout, parsers)


def _arguments(request: Json, names: Iterable[str], required: Iterable[str], timeout: float | None, parsers: Parsers) -> Json:
    known = {*names, *required}
    strange = request.keys() - known - {"page_token"}
    if strange:
        raise Unsupported(f"the SDK's method takes no {', '.join(sorted(strange))}")
    missing = [name for name in required if name not in request]
    if missing:
        raise Unsupported(f"the SDK's method needs {', '.join(missing)}")
    given = {name: parsers.get(name, _PARSERS.get(name, _same))(request[name]) for name in known if name in request}
    return given if timeout is None else {**given, "timeout": timeout}


def _same(value: Any) -> Any:
    return value


def _write_options(request: Json) -> Json:
    """The options beside the other fields, as the SDK has them."""
    flat = {name: value for name, value in request.items() if name != "options"}
    return {**flat, **request.get("options", {})}


async def _items(items: Any, asked: Asked, name: str) -> list[Json]:
    """All items of a list, the first few, or one page."""
    if asked.one_page:
        page = await items.page(asked.request.get("page_token", ""))
        return [{"revision": page.revision, name: plain(page.items), "next_page_token": page.next_page_token}]
    return [{name: [plain(item) async for item in _first(aiter(items), asked.take)]}]


async def _first(stream: AsyncIterator[Any], count: int | None) -> AsyncIterator[Any]:
    """What the stream gives, at most `count`; then it is left."""
    taken = 0
    try:
        while count is None or taken < count:
            try:
                yield await anext(stream)
            except StopAsyncIteration:
                return
            taken += 1
    finally:
        await stream.aclose()  # type: ignore[attr-defined]  # both clients' streams are generators


# ---- Files. ----------------------------------------------------------------------------------------------------------------

_READ = ("at_revision", "min_revision")


async def stat_file(client: Any, asked: Asked) -> list[Json]:
    return [with_revision("file", await client.files.stat(**arguments(asked, *_READ, required=["file"])))]


async def list_files(client: Any, asked: Asked) -> list[Json]:
    items = client.files.list(**arguments(asked, "page_size", *_READ, required=["directory"]))
    return await _items(items, asked, "files")


async def read_file(client: Any, asked: Asked) -> list[Json]:
    stream = client.files.read_stream(**arguments(asked, "offset", "length", *_READ, required=["file"]))
    return [{"data": plain(piece)} async for piece in _first(stream, asked.take)] or [{"data": ""}]


async def get_content(client: Any, asked: Asked) -> list[Json]:
    return [{"data": plain(await client.files.read(**arguments(asked, "offset", "length", *_READ, required=["file"])))}]


_WRITE = ("offset", "if_content_revision", "make_parents", "mode", "request_id")


async def write_file(client: Any, asked: Asked) -> list[Json]:
    if not asked.requests or "header" not in asked.request or any(part.keys() != {"data"} for part in asked.requests[1:]):
        raise Unsupported("a stream of content is a file and pieces of bytes, in this order")
    request = _write_options(asked.request["header"])
    if "request_id" in asked.request:
        request["request_id"] = asked.request["request_id"]
    given = _arguments(request, _WRITE, ["file"], asked.timeout, {})
    pieces = iter([base64.b64decode(part["data"]) for part in asked.requests[1:]])
    return [with_revision("file", await client.files.write(content=pieces, **given))]


async def put_content(client: Any, asked: Asked) -> list[Json]:
    request = _write_options(asked.request)
    data = base64.b64decode(request.pop("data", ""))
    given = _arguments(request, _WRITE, ["file"], asked.timeout, {})
    return [with_revision("file", await client.files.write(content=data, **given))]


async def make_directory(client: Any, asked: Asked) -> list[Json]:
    given = arguments(asked, "make_parents", "mode", "request_id", required=["directory"])
    return [with_revision("file", await client.files.make_directory(**given))]


async def move_file(client: Any, asked: Asked) -> list[Json]:
    given = arguments(asked, "no_replace", "exchange", "request_id", required=["source", "destination"])
    return [with_revision("file", await client.files.move(**given))]


async def copy_file(client: Any, asked: Asked) -> list[Json]:
    given = arguments(asked, "recursive", "no_replace", "request_id", required=["source", "destination"])
    return [plain(await client.files.copy(**given))]


async def remove_file(client: Any, asked: Asked) -> list[Json]:
    return [plain(await client.files.remove(**arguments(asked, "recursive", "request_id", required=["file"])))]


async def create_symlink(client: Any, asked: Asked) -> list[Json]:
    given = arguments(asked, "target", "target_bytes", "request_id", required=["link"], target_bytes=base64.b64decode)
    targets = [given.pop(name) for name in ("target", "target_bytes") if name in given]
    if len(targets) != 1:
        raise Unsupported(f"a symbolic link has one target, not {len(targets)}")
    return [with_revision("file", await client.files.symlink(target=targets[0], **given))]


async def read_symlink(client: Any, asked: Asked) -> list[Json]:
    target = await client.files.read_symlink(**arguments(asked, *_READ, required=["file"]))
    return [{"target_bytes": plain(target)} if isinstance(target, bytes) else {"target": target}]


async def create_link(client: Any, asked: Asked) -> list[Json]:
    return [with_revision("file", await client.files.link(**arguments(asked, "request_id", required=["file", "link"])))]


async def set_attributes(client: Any, asked: Asked) -> list[Json]:
    names = ("mode", "uid", "gid", "atime", "mtime", "size_bytes", "request_id")
    return [with_revision("file", await client.files.set_attributes(**arguments(asked, *names, required=["file"])))]


async def get_xattr(client: Any, asked: Asked) -> list[Json]:
    return [{"value": plain(await client.files.get_xattr(**arguments(asked, *_READ, required=["file", "name"])))}]


async def set_xattr(client: Any, asked: Asked) -> list[Json]:
    asked.request.setdefault("value", "")
    given = arguments(asked, "create_only", "replace_only", "request_id", required=["file", "name", "value"])
    return [{"revision": await client.files.set_xattr(**given)}]


async def list_xattrs(client: Any, asked: Asked) -> list[Json]:
    return [{"names": await client.files.list_xattrs(**arguments(asked, *_READ, required=["file"]))}]


async def remove_xattr(client: Any, asked: Asked) -> list[Json]:
    return [{"revision": await client.files.remove_xattr(**arguments(asked, "request_id", required=["file", "name"]))}]


async def get_metadata(client: Any, asked: Asked) -> list[Json]:
    return [{"metadata": await client.files.get_metadata(**arguments(asked, *_READ, required=["file"]))}]


async def set_metadata(client: Any, asked: Asked) -> list[Json]:
    given = arguments(asked, "request_id", required=["file", "metadata"])
    return [with_revision("file", await client.files.set_metadata(**given))]


# ---- Collections and points. -----------------------------------------------------------------------------------------------


async def create_collection(client: Any, asked: Asked) -> list[Json]:
    schema = asked.request.pop("schema", {})
    given = arguments(asked, "request_id", required=["collection"])
    if "vectors" in schema:
        given["vectors"] = vector_specs(schema["vectors"])
    if "embed_text" in schema:
        given["embed_text"] = schema["embed_text"]
    return [with_revision("collection", await client.collections.create(**given))]


async def get_collection(client: Any, asked: Asked) -> list[Json]:
    given = arguments(asked, "min_revision", required=["collection"])
    return [with_revision("collection", await client.collections.get(**given))]


async def list_collections(client: Any, asked: Asked) -> list[Json]:
    return await _items(client.collections.list(**arguments(asked, "page_size", "min_revision")), asked, "collections")


async def delete_collection(client: Any, asked: Asked) -> list[Json]:
    return [{"revision": await client.collections.delete(**arguments(asked, "request_id", required=["collection"]))}]


async def upsert_points(client: Any, asked: Asked) -> list[Json]:
    asked.request.setdefault("points", [])
    given = arguments(asked, "request_id", required=["collection", "points"], points=lambda all: [point(one) for one in all])
    return [plain(await client.points.upsert(**given))]


async def upsert_points_stream(client: Any, asked: Asked) -> list[Json]:
    if not asked.requests or any(part.keys() - {"points"} for part in asked.requests[1:]):
        raise Unsupported("a stream of points is a collection and points, in this order")
    request = {**asked.request, "points": [one for part in asked.requests for one in part.get("points", [])]}
    parse = {"points": lambda all: iter([point(one) for one in all])}
    given = _arguments(request, ("request_id",), ["collection", "points"], asked.timeout, parse)
    return [plain(await client.points.upsert_stream(**given))]


async def get_points(client: Any, asked: Asked) -> list[Json]:
    asked.request.setdefault("ids", [])
    given = arguments(asked, "with_vectors", "min_revision", required=["collection", "ids"])
    return [{"points": plain(await client.points.get(**given))}]


async def delete_points(client: Any, asked: Asked) -> list[Json]:
    asked.request.setdefault("ids", [])
    return [plain(await client.points.delete(**arguments(asked, "request_id", required=["collection", "ids"])))]


async def list_points(client: Any, asked: Asked) -> list[Json]:
    items = client.points.list(**arguments(asked, "page_size", "with_vectors", "min_revision", required=["collection"]))
    return await _items(items, asked, "points")


_NEAR = ("vector", "point_id", "positive", "negative", "vector_name", "filter")
_QUERY = (*_NEAR, "limit", "with_vectors", "exact", "page_token")


async def query_points(client: Any, asked: Asked) -> list[Json]:
    if asked.hits_page_size is not None:
        return await _hits(client.points.query_hits, asked, asked.hits_page_size, _points_query)
    asked.request.update(asked.request.pop("examples", {}))
    return [plain(await client.points.query(**arguments(asked, *_QUERY, "min_revision", required=["collection"])))]


async def batch_query_points(client: Any, asked: Asked) -> list[Json]:
    return await _batch(client.points.batch_query, asked, "queries", _points_query)


def _points_query(request: Json) -> PointsQuery:
    request.update(request.pop("examples", {}))
    return PointsQuery(**_arguments(request, _QUERY, ["collection"], None, {}))


async def _hits(call: Callable[..., Any], asked: Asked, page_size: int, make: Callable[[Json], Any]) -> list[Json]:
    """All hits of a query or a search, or the first few."""
    rest = {name: asked.request.pop(name) for name in ("min_revision",) if name in asked.request}
    given = _arguments(rest, ("min_revision",), [], asked.timeout, {})
    return await _items(call(make(asked.request), page_size=page_size, **given), asked, "hits")


async def _batch(call: Callable[..., Awaitable[list[Any]]], asked: Asked, name: str, make: Callable[[Json], Any]) -> list[Json]:
    asked.request.setdefault(name, [])
    given = arguments(asked, "min_revision", required=[name], **{name: lambda all: [make(one) for one in all]})
    answers = await call(**given)
    return [{"revision": min(one.revision for one in answers), "answers": [plain(one) for one in answers]}]


# ---- Search and the server. ------------------------------------------------------------------------------------------------


_WANTED = ("text", "vector", "like", "scope", "filter", "mode", "vector_name")
_SAID = (*_WANTED, "limit", "exact", "dense_weight", "lexical_weight", "page_token")


async def search(client: Any, asked: Asked) -> list[Json]:
    if asked.hits_page_size is not None:
        return await _hits(client.search_hits, asked, asked.hits_page_size, _search_query)
    return [plain(await client.search(**arguments(asked, *_SAID, "min_revision", mode=mode)))]


async def batch_search(client: Any, asked: Asked) -> list[Json]:
    return await _batch(client.batch_search, asked, "searches", _search_query)


def _search_query(request: Json) -> SearchQuery:
    return SearchQuery(**_arguments(request, _SAID, [], None, {"mode": mode}))


async def wait_for_views(client: Any, asked: Asked) -> list[Json]:
    return [plain(await client.wait_for_views(**arguments(asked, "min_revision")))]


async def list_skipped_files(client: Any, asked: Asked) -> list[Json]:
    return await _items(client.list_skipped_files(**arguments(asked, "scope", "page_size", "min_revision")), asked, "files")


async def get_server_info(client: Any, asked: Asked) -> list[Json]:
    return [plain(await client.server_info(**arguments(asked, "min_revision")))]


HANDLERS: Mapping[str, Handler] = {
    "StatFile": stat_file,
    "ListFiles": list_files,
    "ReadFile": read_file,
    "GetContent": get_content,
    "WriteFile": write_file,
    "PutContent": put_content,
    "MakeDirectory": make_directory,
    "MoveFile": move_file,
    "CopyFile": copy_file,
    "RemoveFile": remove_file,
    "CreateSymlink": create_symlink,
    "ReadSymlink": read_symlink,
    "CreateLink": create_link,
    "SetAttributes": set_attributes,
    "GetXattr": get_xattr,
    "SetXattr": set_xattr,
    "ListXattrs": list_xattrs,
    "RemoveXattr": remove_xattr,
    "GetMetadata": get_metadata,
    "SetMetadata": set_metadata,
    "CreateCollection": create_collection,
    "GetCollection": get_collection,
    "ListCollections": list_collections,
    "DeleteCollection": delete_collection,
    "UpsertPoints": upsert_points,
    "UpsertPointsStream": upsert_points_stream,
    "GetPoints": get_points,
    "DeletePoints": delete_points,
    "ListPoints": list_points,
    "QueryPoints": query_points,
    "BatchQueryPoints": batch_query_points,
    "Search": search,
    "BatchSearch": batch_search,
    "WaitForViews": wait_for_views,
    "ListSkippedFiles": list_skipped_files,
    "GetServerInfo": get_server_info,
}
"""The handler of each method, by its name behind the slash."""
