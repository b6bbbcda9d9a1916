// What the package offers is what stands here: a name more or less is a decision.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as node from "@vexfs/client";
import * as browser from "@vexfs/client/browser";

const offered = { ...node };
const values = [
  "AlreadyExistsError",
  "BaseClient",
  "CancelledError",
  "Client",
  "Collections",
  "ContentStream",
  "DataLossError",
  "DeadlineExceededError",
  "FailedPreconditionError",
  "FileAttributes",
  "Files",
  "InternalError",
  "InvalidArgumentError",
  "List",
  "NotFoundError",
  "PermissionDeniedError",
  "Points",
  "ResourceExhaustedError",
  "SettingsError",
  "UnauthenticatedError",
  "UnavailableError",
  "VexfsError",
  "version",
];
const methods = {
  Client: ["batchSearch", "close", "listSkippedFiles", "search", "searchHits", "serverInfo", "waitForViews"],
  Files: [
    ...["copy", "getMetadata", "getXattr", "link", "list", "listXattrs", "makeDirectory", "move", "read"],
    ...["readStream", "readSymlink", "readText", "remove", "removeXattr", "setAttributes", "setMetadata"],
    ...["setXattr", "stat", "symlink", "write"],
  ],
  Collections: ["create", "delete", "get", "list"],
  Points: ["batchQuery", "delete", "get", "list", "query", "queryHits", "upsert", "upsertStream"],
  List: ["pages", "toArray"],
  ContentStream: ["bytes", "opened", "toReadableStream"],
};

function methodsOf(type) {
  const names = new Set();
  for (let each = type.prototype; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) {
      names.add(name);
    }
  }
  names.delete("constructor");
  return [...names].sort();
}

test("both entry points offer the same names", () => {
  assert.deepEqual(Object.keys(offered).sort(), values);
  assert.deepEqual(Object.keys(browser).sort(), values);
});

test("each class has its methods", () => {
  for (const [name, expected] of Object.entries(methods)) {
    assert.deepEqual(methodsOf(offered[name]), expected, name);
  }
  assert.deepEqual(methodsOf(browser.Client), methods.Client);
});

test("the types are those that stood here before", () => {
  const declared = readFileSync(new URL("../dist/common.d.ts", import.meta.url), "utf8");
  const names = [...declared.matchAll(/export (?:type )?\{([^}]*)\}/g)]
    .flatMap(([, list]) => list.split(","))
    .map((name) => name.replace("type ", "").trim())
    .filter((name) => name !== "" && !values.includes(name));
  assert.deepEqual(
    names.sort(),
    [
      ...[
        "AttributeChanges",
        "AttributeCondition",
        "BatchedPointsQuery",
        "BatchedSearch",
        "CallOptions",
        "Collection",
        "CollectionResult",
        "CollectionSchema",
      ],
      ...["CommonSettings", "Content", "CopyOptions", "Done", "ErrorCode", "FileInfo", "FileKind", "FileRef"],
      ...["FileRefObject", "FileResult", "Filter", "Found", "JsonObject", "JsonValue", "Limits", "ListFilesOptions"],
      ...["ListOptions", "ListPointsOptions", "ListSkippedFilesOptions", "MakeDirectoryOptions", "Match"],
      ...["MetadataCondition", "Metric", "MoveOptions", "NumberRange", "OpenedContent", "Page", "Passage"],
      ...["PastOptions", "Point", "PointExample", "PointHit", "PointInput", "PointInputs", "PointsQuery"],
      ...["PointsQueryOptions", "QueryPointsOptions", "SearchQueryOptions"],
      ...["HitsOptions", "QueryHitsOptions", "SearchHitsOptions"],
      ...["ReadContentOptions", "ReadOptions", "ReadPointsOptions", "RemoveOptions", "Scalar", "SearchHit"],
      ...["SearchMode", "SearchOptions", "SearchQuery", "ServerInfo", "SetXattrOptions", "SkippedFile"],
      ...["StorePosition", "SymlinkTarget", "TextCounts", "Time", "TimeRange", "VectorInput", "VectorSpec"],
      ...["VectorStorage"],
      ...["VexfsErrorFields", "ViewPosition", "ViewState", "ViewsResult", "WaitOptions", "WriteContentOptions"],
      ...["WriteOptions", "StoredSchema", "FileMetadata", "XattrNames", "XattrValue", "CopyResult", "RemoveResult"],
      ...["MetadataKey", "MetadataTest", "DeletePointsResult", "PointsResult", "UpsertResult", "EmbeddingModel"],
    ].sort(),
  );
});

test("the version is that of package.json", () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(node.version, version);
});
