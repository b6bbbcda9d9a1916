"""The routes of REST, by service and method. Made by openapi-python-client from the server's openapi.json."""

from typing import NamedTuple


class Route(NamedTuple):
    """Where a method is: verb and path, the names of the parameters in its query, the kind of its body (empty: none)."""

    verb: str
    path: str
    query: tuple[str, ...]
    body: str


ROUTES = {
    "CollectionsServiceCreateCollection": Route("POST", "/v1/collections", (), "application/json"),
    "CollectionsServiceDeleteCollection": Route(
        "DELETE",
        "/v1/collections",
        ("collection.path", "collection.id", "collection.pathBytes", "collection.follow", "requestId"),
        "",
    ),
    "CollectionsServiceGetCollection": Route(
        "GET",
        "/v1/collections:get",
        ("collection.path", "collection.id", "collection.pathBytes", "collection.follow", "minRevision"),
        "",
    ),
    "CollectionsServiceListCollections": Route("GET", "/v1/collections", ("pageSize", "pageToken", "minRevision"), ""),
    "FilesServiceCopyFile": Route("POST", "/v1/files:copy", (), "application/json"),
    "FilesServiceCreateLink": Route("POST", "/v1/files:createLink", (), "application/json"),
    "FilesServiceCreateSymlink": Route("POST", "/v1/files:createSymlink", (), "application/json"),
    "FilesServiceGetContent": Route(
        "GET",
        "/v1/files:getContent",
        ("file.path", "file.id", "file.pathBytes", "file.follow", "offset", "length", "atRevision", "minRevision"),
        "",
    ),
    "FilesServiceGetMetadata": Route(
        "GET",
        "/v1/files:getMetadata",
        ("file.path", "file.id", "file.pathBytes", "file.follow", "atRevision", "minRevision"),
        "",
    ),
    "FilesServiceGetXattr": Route(
        "GET",
        "/v1/files:getXattr",
        ("file.path", "file.id", "file.pathBytes", "file.follow", "name", "atRevision", "minRevision"),
        "",
    ),
    "FilesServiceListFiles": Route(
        "GET",
        "/v1/files",
        (
            "directory.path",
            "directory.id",
            "directory.pathBytes",
            "directory.follow",
            "pageSize",
            "pageToken",
            "atRevision",
            "minRevision",
        ),
        "",
    ),
    "FilesServiceListXattrs": Route(
        "GET",
        "/v1/files:listXattrs",
        ("file.path", "file.id", "file.pathBytes", "file.follow", "atRevision", "minRevision"),
        "",
    ),
    "FilesServiceMakeDirectory": Route("POST", "/v1/files:makeDirectory", (), "application/json"),
    "FilesServiceMoveFile": Route("POST", "/v1/files:move", (), "application/json"),
    "FilesServicePutContent": Route("POST", "/v1/files:putContent", (), "application/json"),
    "FilesServiceReadFile": Route(
        "GET",
        "/v1/files:read",
        ("file.path", "file.id", "file.pathBytes", "file.follow", "offset", "length", "atRevision", "minRevision"),
        "",
    ),
    "FilesServiceReadSymlink": Route(
        "GET",
        "/v1/files:readSymlink",
        ("file.path", "file.id", "file.pathBytes", "file.follow", "atRevision", "minRevision"),
        "",
    ),
    "FilesServiceRemoveFile": Route(
        "DELETE", "/v1/files", ("file.path", "file.id", "file.pathBytes", "file.follow", "recursive", "requestId"), ""
    ),
    "FilesServiceRemoveXattr": Route("POST", "/v1/files:removeXattr", (), "application/json"),
    "FilesServiceSetAttributes": Route("PATCH", "/v1/files:setAttributes", (), "application/json"),
    "FilesServiceSetMetadata": Route("PUT", "/v1/files:setMetadata", (), "application/json"),
    "FilesServiceSetXattr": Route("POST", "/v1/files:setXattr", (), "application/json"),
    "FilesServiceStatFile": Route(
        "GET", "/v1/files:stat", ("file.path", "file.id", "file.pathBytes", "file.follow", "atRevision", "minRevision"), ""
    ),
    "FilesServiceWriteFile": Route("POST", "/v1/files:write", (), "application/x-ndjson"),
    "PointsServiceBatchQueryPoints": Route("POST", "/v1/points:batchQuery", (), "application/json"),
    "PointsServiceDeletePoints": Route("POST", "/v1/points:delete", (), "application/json"),
    "PointsServiceGetPoints": Route("POST", "/v1/points:get", (), "application/json"),
    "PointsServiceListPoints": Route(
        "GET",
        "/v1/points",
        (
            "collection.path",
            "collection.id",
            "collection.pathBytes",
            "collection.follow",
            "pageSize",
            "pageToken",
            "withVectors",
            "minRevision",
        ),
        "",
    ),
    "PointsServiceQueryPoints": Route("POST", "/v1/points:query", (), "application/json"),
    "PointsServiceUpsertPoints": Route("POST", "/v1/points:upsert", (), "application/json"),
    "PointsServiceUpsertPointsStream": Route("POST", "/v1/points:upsertStream", (), "application/x-ndjson"),
    "SearchServiceBatchSearch": Route("POST", "/v1/search:batch", (), "application/json"),
    "SearchServiceListSkippedFiles": Route(
        "GET",
        "/v1/views:skipped",
        ("scope.path", "scope.id", "scope.pathBytes", "scope.follow", "pageSize", "pageToken", "minRevision"),
        "",
    ),
    "SearchServiceSearch": Route("POST", "/v1/search", (), "application/json"),
    "SearchServiceWaitForViews": Route("GET", "/v1/views:wait", ("minRevision",), ""),
    "ServerServiceGetServerInfo": Route("GET", "/v1/server", ("minRevision",), ""),
}
