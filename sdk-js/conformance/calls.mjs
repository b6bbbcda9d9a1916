// Which method of the contract is which method of the SDK.

import * as decode from "./decode.mjs";
import * as encode from "./encode.mjs";
import { Unsupported } from "./errors.mjs";
import { Paging } from "./gen/vexfs/conformance/v1/adapter_pb.js";

const PAST = ["at_revision", "min_revision"];
const CONTENT = ["offset", "if_content_revision", "make_parents", "mode"];
const { bytes, ref, options } = decode;

// Each takes the client, the request, the options of the call, and the call itself; it answers one response message.
const unary = {
  StatFile: async (client, r, o) =>
    encode.withFile(await client.files.stat(ref(r.file, "file"), { ...options(r, PAST), ...o })),
  GetContent: async (client, r, o) => {
    const all = { ...options(r, ["offset", "length", ...PAST]), ...o };
    return { data: encode.base64(await client.files.read(ref(r.file, "file"), all)) };
  },
  PutContent: async (client, r, o) => {
    const all = { ...options(r.options ?? {}, CONTENT), ...options(r, ["request_id"]), ...o };
    return encode.withFile(await client.files.write(ref(r.file, "file"), bytes(r.data ?? ""), all));
  },
  WriteFile: async (client, _, o, call) => {
    const [first = {}, ...rest] = call.requests.map((text) => JSON.parse(text));
    if (first.header === undefined || rest.some((part) => part.data === undefined)) {
      throw new Unsupported("the SDK sends the header first, then data");
    }
    const all = { ...options(first.header.options ?? {}, CONTENT), ...options(first, ["request_id"]), ...o };
    const pieces = (async function* () {
      yield* rest.map((part) => bytes(part.data));
    })();
    return encode.withFile(await client.files.write(ref(first.header.file, "file"), pieces, all));
  },
  MakeDirectory: async (client, r, o) => {
    const all = { ...options(r, ["make_parents", "mode", "request_id"]), ...o };
    return encode.withFile(await client.files.makeDirectory(ref(r.directory, "directory"), all));
  },
  MoveFile: async (client, r, o) => {
    const all = { ...options(r, ["no_replace", "exchange", "request_id"]), ...o };
    return encode.withFile(await client.files.move(ref(r.source, "source"), ref(r.destination, "destination"), all));
  },
  CopyFile: async (client, r, o) => {
    const all = { ...options(r, ["recursive", "no_replace", "request_id"]), ...o };
    return encode.withFile(await client.files.copy(ref(r.source, "source"), ref(r.destination, "destination"), all));
  },
  RemoveFile: async (client, r, o) =>
    client.files.remove(ref(r.file, "file"), { ...options(r, ["recursive", "request_id"]), ...o }),
  CreateSymlink: async (client, r, o) => {
    const target = r.target_bytes === undefined ? (r.target ?? "") : bytes(r.target_bytes);
    return encode.withFile(
      await client.files.symlink(target, ref(r.link, "link"), { ...options(r, ["request_id"]), ...o }),
    );
  },
  ReadSymlink: async (client, r, o) => {
    const { targetBytes, ...same } = await client.files.readSymlink(ref(r.file, "file"), { ...options(r, PAST), ...o });
    return { ...same, ...(targetBytes === undefined ? {} : { targetBytes: encode.base64(targetBytes) }) };
  },
  CreateLink: async (client, r, o) =>
    encode.withFile(
      await client.files.link(ref(r.file, "file"), ref(r.link, "link"), { ...options(r, ["request_id"]), ...o }),
    ),
  SetAttributes: async (client, r, o) => {
    const all = { ...options(r, ["request_id"]), ...o };
    return encode.withFile(await client.files.setAttributes(ref(r.file, "file"), decode.changes(r), all));
  },
  GetXattr: async (client, r, o) => {
    const all = { ...options(r, PAST), ...o };
    const { revision, value } = await client.files.getXattr(ref(r.file, "file"), r.name ?? "", all);
    return { revision, value: encode.base64(value) };
  },
  SetXattr: async (client, r, o) => {
    const all = { ...options(r, ["create_only", "replace_only", "request_id"]), ...o };
    return client.files.setXattr(ref(r.file, "file"), r.name ?? "", bytes(r.value ?? ""), all);
  },
  ListXattrs: async (client, r, o) => client.files.listXattrs(ref(r.file, "file"), { ...options(r, PAST), ...o }),
  RemoveXattr: async (client, r, o) =>
    client.files.removeXattr(ref(r.file, "file"), r.name ?? "", { ...options(r, ["request_id"]), ...o }),
  GetMetadata: async (client, r, o) => client.files.getMetadata(ref(r.file, "file"), { ...options(r, PAST), ...o }),
  SetMetadata: async (client, r, o) => {
    if (r.metadata === undefined) {
      throw new Unsupported("the SDK's method takes metadata always");
    }
    const all = { ...options(r, ["request_id"]), ...o };
    return encode.withFile(await client.files.setMetadata(ref(r.file, "file"), r.metadata, all));
  },
  CreateCollection: async (client, r, o) => {
    if (r.schema === undefined) {
      throw new Unsupported("the SDK's method takes a schema always");
    }
    const all = { ...options(r, ["request_id"]), ...o };
    const made = await client.collections.create(ref(r.collection, "collection"), decode.schema(r.schema), all);
    return { ...made, collection: encode.collection(made.collection) };
  },
  GetCollection: async (client, r, o) => {
    const all = { ...options(r, ["min_revision"]), ...o };
    const found = await client.collections.get(ref(r.collection, "collection"), all);
    return { ...found, collection: encode.collection(found.collection) };
  },
  DeleteCollection: async (client, r, o) =>
    client.collections.delete(ref(r.collection, "collection"), { ...options(r, ["request_id"]), ...o }),
  UpsertPoints: async (client, r, o) => {
    const all = { ...options(r, ["request_id"]), ...o };
    return client.points.upsert(ref(r.collection, "collection"), (r.points ?? []).map(decode.pointInput), all);
  },
  UpsertPointsStream: async (client, _, o, call) => {
    const [first = {}, ...rest] = call.requests.map((text) => JSON.parse(text));
    if (rest.some((part) => Object.keys(part).some((name) => name !== "points"))) {
      throw new Unsupported("the SDK names the collection first, and then gives points");
    }
    const points = (async function* () {
      yield* [first, ...rest].flatMap((part) => part.points ?? []).map(decode.pointInput);
    })();
    const all = { ...options(first, ["request_id"]), ...o };
    return client.points.upsertStream(ref(first.collection, "collection"), points, all);
  },
  GetPoints: async (client, r, o) => {
    const all = { ...options(r, ["with_vectors", "min_revision"]), ...o };
    const found = await client.points.get(ref(r.collection, "collection"), r.ids ?? [], all);
    return { ...found, points: found.points.map(encode.point) };
  },
  DeletePoints: async (client, r, o) =>
    client.points.delete(ref(r.collection, "collection"), r.ids ?? [], { ...options(r, ["request_id"]), ...o }),
  QueryPoints: async (client, r, o) => {
    const { collection, query, ...all } = pointsQuery(r);
    return foundPoints(await client.points.query(collection, query, { ...all, ...options(r, ["min_revision"]), ...o }));
  },
  BatchQueryPoints: async (client, r, o) => {
    const queries = (r.queries ?? []).map(pointsQuery);
    return batch(await client.points.batchQuery(queries, { ...options(r, ["min_revision"]), ...o }), foundPoints);
  },
  Search: async (client, r, o) => {
    const { query, ...all } = searchQuery(r);
    return foundFiles(await client.search(query, { ...all, ...options(r, ["min_revision"]), ...o }));
  },
  BatchSearch: async (client, r, o) => {
    const searches = (r.searches ?? []).map(searchQuery);
    return batch(await client.batchSearch(searches, { ...options(r, ["min_revision"]), ...o }), foundFiles);
  },
  WaitForViews: async (client, r, o) => {
    const found = await client.waitForViews({ ...options(r, ["min_revision"]), ...o });
    return { ...found, views: found.views.map(encode.view) };
  },
  GetServerInfo: async (client, r, o) => {
    const info = await client.serverInfo({ ...options(r, ["min_revision"]), ...o });
    return { ...info, views: info.views.map(encode.view) };
  },
};

// Each takes the client, the request and all options, and answers the SDK's list, the response's field for the items,
// and their form.
const lists = {
  ListFiles: (client, r, o) => [
    client.files.list(ref(r.directory, "directory"), { ...options(r, PAST), ...o }),
    "files",
    encode.file,
  ],
  ListCollections: (client, r, o) => [
    client.collections.list({ ...options(r, ["min_revision"]), ...o }),
    "collections",
    encode.collection,
  ],
  ListPoints: (client, r, o) => [
    client.points.list(ref(r.collection, "collection"), { ...options(r, ["with_vectors", "min_revision"]), ...o }),
    "points",
    encode.point,
  ],
  ListSkippedFiles: (client, r, o) => {
    const scope = r.scope === undefined ? {} : { scope: ref(r.scope, "scope") };
    return [client.listSkippedFiles({ ...scope, ...options(r, ["min_revision"]), ...o }), "files", encode.withFile];
  },
};

// The same for all hits of a search or a query.
const hits = {
  QueryPoints: (client, r, o) => {
    const { collection, query, ...all } = pointsQuery(r);
    return [
      client.points.queryHits(collection, query, { ...all, ...options(r, ["min_revision"]), ...o }),
      "hits",
      pointHit,
    ];
  },
  Search: (client, r, o) => {
    const { query, ...all } = searchQuery(r);
    return [client.searchHits(query, { ...all, ...options(r, ["min_revision"]), ...o }), "hits", encode.searchHit];
  },
};

/** Makes the call through the SDK; answers the response messages. */
export async function callMethod(client, call) {
  const name = call.method.slice(call.method.lastIndexOf("/") + 1);
  const request = JSON.parse(call.requests[0] ?? "{}");
  const cancelling = call.cancelAfterMs === undefined ? undefined : new AbortController();
  const own = {
    ...(call.timeoutMs === undefined ? {} : { timeout: call.timeoutMs / 1000 }),
    ...(cancelling === undefined ? {} : { signal: cancelling.signal }),
  };
  const timer = cancelling && setTimeout(() => cancelling.abort(), call.cancelAfterMs);
  try {
    if (name === "ReadFile") {
      return await readFile(client, request, own, call.take);
    }
    if (name in lists) {
      const onePage = call.paging === Paging.ONE_PAGE;
      const paging = options(request, onePage ? ["page_size", "page_token"] : ["page_size"]);
      return [await walk(lists[name](client, request, { ...paging, ...own }), onePage, call.take)];
    }
    if (call.hitsPageSize !== undefined && name in hits) {
      return [await walk(hits[name](client, request, { pageSize: call.hitsPageSize, ...own }), false, call.take)];
    }
    if (!(name in unary)) {
      throw new Unsupported(`the SDK has no method for ${call.method}`);
    }
    return [await unary[name](client, request, own, call)];
  } finally {
    clearTimeout(timer);
  }
}

async function readFile(client, request, own, take) {
  const all = { ...options(request, ["offset", "length", ...PAST]), ...own };
  const content = client.files.readStream(ref(request.file, "file"), all);
  const messages = [];
  const { revision, file } = await content.opened();
  let offset = BigInt(request.offset ?? 0);
  for await (const data of content) {
    messages.push({ revision, data: encode.base64(data), offset });
    offset += BigInt(data.byteLength);
    if (messages.length === take) {
      break;
    }
  }
  const [first = { revision, offset }, ...rest] = messages;
  return [{ ...first, file: encode.file(file) }, ...rest];
}

async function walk([items, field, form], onePage, take) {
  if (take !== undefined) {
    return { [field]: (await taken(items, take)).map(form) };
  }
  const response = { [field]: [] };
  for await (const page of items.pages()) {
    response.revision = page.revision;
    response[field].push(...page.items.map(form));
    if (onePage) {
      return { ...response, nextPageToken: page.nextPageToken };
    }
  }
  return response;
}

async function taken(items, count) {
  const found = [];
  if (count > 0) {
    for await (const item of items) {
      found.push(item);
      if (found.length === count) {
        break;
      }
    }
  }
  return found;
}

const pointHit = ({ point, score }) => ({ point: encode.point(point), score });
const foundPoints = (found) => ({ ...found, hits: found.hits.map(pointHit) });
const foundFiles = (found) => ({ ...found, hits: found.hits.map(encode.searchHit) });

/** A batch's response: its revision is the oldest of its answers. */
function batch(answers, form) {
  const [revision] = answers.map((answer) => answer.revision).sort((one, other) => Number(one - other));
  return { revision, answers: answers.map(form) };
}

function pointsQuery(request) {
  return {
    collection: ref(request.collection, "collection"),
    query: decode.pointsQuery(request),
    ...options(request, ["vector_name", "limit", "with_vectors", "exact", "page_token"]),
    ...filtered(request),
  };
}

function searchQuery(request) {
  return {
    query: decode.searchQuery(request),
    ...options(request, ["limit", "vector_name", "exact", "dense_weight", "lexical_weight", "page_token"]),
    ...(request.scope === undefined ? {} : { scope: ref(request.scope, "scope") }),
    ...(request.mode === undefined ? {} : { mode: decode.enumName(request.mode, "SEARCH_MODE_") }),
    ...filtered(request),
  };
}

function filtered(request) {
  return request.filter === undefined ? {} : { filter: decode.filter(request.filter) };
}
