// Collections, points, search and the server's own words, over every transport, against a real server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "@vexfs/client";
import { startFaulty } from "./faulty.mjs";
import { startServer } from "./server.mjs";
import { transports } from "./transports.mjs";

const INDEXING_SECONDS = 120;
let server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

for (const [name, makeClient] of Object.entries(transports)) {
  describe(name, () => {
    let client;
    const at = (path) => `/${name}${path}`;
    before(async () => {
      client = makeClient(server);
      await client.files.makeDirectory(at(""));
    });
    after(() => client.close());

    test("collections are made, read, listed and deleted", async () => {
      const schema = {
        vectors: [
          { name: "a", dimension: 3, metric: "euclidean" },
          { name: "b", dimension: 2, storage: "bfloat16" },
        ],
      };
      const { collection, revision } = await client.collections.create(at("/c"), schema);
      assert.deepEqual(collection.schema, {
        vectors: [
          { name: "a", dimension: 3, metric: "euclidean", storage: "float32" },
          { name: "b", dimension: 2, metric: "cosine", storage: "bfloat16" },
        ],
        embedText: false,
      });
      assert.equal(collection.path, at("/c"));
      assert.equal(collection.revision, revision);
      await assert.rejects(client.collections.create(at("/c"), schema), { reason: "COLLECTION_EXISTS" });
      await assert.rejects(client.collections.create(at("/d"), {}), { name: "InvalidArgumentError" });
      assert.equal((await client.collections.get(collection)).collection.id, collection.id);
      const paths = [];
      for await (const each of client.collections.list({ pageSize: 1 })) {
        paths.push(each.path);
      }
      assert.ok(paths.length >= 2 && paths.includes("/") && paths.includes(at("/c")));
      await client.collections.delete(at("/c"));
      await assert.rejects(client.collections.get(at("/c")), { reason: "COLLECTION_NOT_FOUND", name: "NotFoundError" });
    });

    test("points of any number are put as they come", async () => {
      const { collection } = await client.collections.create(at("/streamed"), {
        vectors: [{ name: "v", dimension: 2 }],
      });
      function* numbered(count) {
        for (let n = 0; n < count; n += 1) {
          yield { id: String(n).padStart(5, "0"), vectors: { v: [1, n] } };
        }
      }
      const ids = async () => (await client.points.list(collection).toArray()).map((point) => point.id);
      assert.equal((await client.points.upsertStream(collection, numbered(600))).upserted, 600);
      assert.equal((await ids()).length, 600);
      assert.equal((await client.points.upsertStream(collection, [])).upserted, 0);
      const large = Array.from({ length: 20 }, (_, n) => ({ id: `l${n}`, content: new Uint8Array(1_000_000) }));
      await assert.rejects(client.points.upsert(collection, large), { reason: "TOO_LARGE" });
      assert.equal((await client.points.upsertStream(collection, ReadableStream.from(large))).upserted, 20);
      const again = { requestId: `${name}-streamed` };
      const first = await client.points.upsertStream(collection, numbered(300), again);
      await client.points.delete(collection, ["00000"]);
      assert.deepEqual(await client.points.upsertStream(collection, numbered(300), again), first);
      assert.equal((await client.points.get(collection, ["00000"])).points.length, 0);
    });

    test("a stream of points that is refused says how many are put", { timeout: 60_000 }, async () => {
      const { collection } = await client.collections.create(at("/refused"), {
        vectors: [{ name: "v", dimension: 2 }],
      });
      let left = false;
      async function* points() {
        try {
          for (let n = 0; n < 100_000; n += 1) {
            yield { id: `${n}`, vectors: { v: n === 600 ? [1] : [1, n] } };
          }
        } finally {
          left = true;
        }
      }
      await assert.rejects(client.points.upsertStream(collection, points()), (error) => {
        assert.equal(error.reason, "DIMENSION_MISMATCH");
        assert.equal(error.metadata.upserted, "500");
        return true;
      });
      assert.ok(left);
      assert.equal((await client.points.list(collection).toArray()).length, 500);
      async function* breaking() {
        yield* Array.from({ length: 300 }, (_, n) => ({ id: `b${n}` }));
        throw new RangeError("no more");
      }
      await assert.rejects(client.points.upsertStream(collection, breaking()), RangeError);
      const notANumber = [{ id: "x", vectors: { v: [Number.NaN, 0] } }];
      await assert.rejects(client.points.upsertStream(collection, notANumber), { reason: "INVALID_VECTOR" });
      await assert.rejects(client.points.upsertStream(at("/none"), [{ id: "x" }]), { reason: "FILE_NOT_FOUND" });
    });

    test("a signal and a time-out end a stream of points", { timeout: 60_000 }, async () => {
      const { collection } = await client.collections.create(at("/ended"), { vectors: [{ name: "v", dimension: 2 }] });
      const controller = new AbortController();
      let left = 0;
      async function* endless(abortAt) {
        try {
          for (let n = 0; ; n += 1) {
            if (n === abortAt) {
              controller.abort();
            }
            yield { id: String(n % 1000) };
            if (n % 250 === 0) {
              await new Promise((resolve) => setTimeout(resolve, 2));
            }
          }
        } finally {
          left += 1;
        }
      }
      const ended = client.points.upsertStream(collection, endless(1000), { signal: controller.signal });
      await assert.rejects(ended, { name: "CancelledError" });
      const late = client.points.upsertStream(collection, endless(-1), { timeout: 0.3 });
      await assert.rejects(late, { name: "DeadlineExceededError" });
      while (left < 2) {
        await new Promise((resolve) => setTimeout(resolve, 10)); // the transport lets go of it a moment later
      }
    });

    test("points are put, read, listed, queried and deleted", async () => {
      const { collection } = await client.collections.create(at("/points"), { vectors: [{ name: "v", dimension: 3 }] });
      const axis = Float32Array.of(1, 0, 0);
      const { upserted, revision } = await client.points.upsert(collection, [
        { id: "x", vectors: { v: axis }, metadata: { kind: "axis", n: 1 }, content: "along x" },
        { id: "y", vectors: { v: [0, 1, 0] }, metadata: { kind: "axis", n: 2 } },
        { id: "xy", vectors: { v: [1, 0.25, 0] }, metadata: { kind: "other" }, content: new Uint8Array([1]) },
        { id: "bare" },
      ]);
      assert.equal(upserted, 4);
      assert.equal(await client.files.readText(at("/points/x")), "along x");
      const { points } = await client.points.get(collection, ["y", "none", "x"], { withVectors: true });
      assert.deepEqual(
        points.map((point) => [point.id, point.metadata, point.vectors.v]),
        [
          ["y", { kind: "axis", n: 2 }, Float32Array.of(0, 1, 0)],
          ["x", { kind: "axis", n: 1 }, axis],
        ],
      );
      assert.equal(points[0].revision, revision);
      const ids = (await client.points.list(collection, { pageSize: 2 }).toArray()).map((point) => point.id);
      assert.deepEqual(ids, ["bare", "x", "xy", "y"]);

      const near = await client.points.query(collection, { vector: axis }, { limit: 2, minRevision: revision });
      assert.deepEqual(
        near.hits.map(({ point }) => point.id),
        ["x", "xy"],
      );
      assert.equal(near.exact, true);
      assert.ok(Math.abs(near.hits[0].score - 1) < 1e-5);
      const rest = await client.points.query(collection, { vector: axis }, { pageToken: near.nextPageToken });
      assert.deepEqual([rest.hits.map(({ point }) => point.id), rest.nextPageToken], [["y"], ""]);
      const filter = { all: [{ metadata: { key: "kind", oneOf: ["axis", "none"] } }] };
      const others = await client.points.query(
        collection,
        { pointId: "x" },
        { filter, withVectors: true, exact: true },
      );
      assert.deepEqual(
        others.hits.map(({ point }) => [point.id, [...point.vectors.v]]),
        [["y", [0, 1, 0]]],
      );
      const like = await client.points.query(collection, { positive: ["x", [0, 1, 0]], negative: [[0, 0, 1]] });
      assert.deepEqual(
        like.hits.map(({ point }) => point.id),
        ["xy", "y"],
      );
      const queries = [
        { collection, query: { vector: axis }, limit: 2 },
        { collection, query: { pointId: "x" }, filter, withVectors: true, exact: true },
      ];
      const batch = await client.points.batchQuery(queries, { minRevision: revision });
      assert.deepEqual(
        batch.map(({ hits }) => hits),
        [near.hits, others.hits],
      );
      assert.ok(batch[0].revision >= revision && batch[0].revision === batch[1].revision);
      const wrong = { collection, query: { pointId: "none" } };
      await assert.rejects(client.points.batchQuery([...queries, wrong]), (error) => {
        return error.reason === "POINT_NOT_FOUND" && error.metadata.index === "2";
      });
      await assert.rejects(client.points.query(collection, { vector: [1] }), { reason: "DIMENSION_MISMATCH" });
      await assert.rejects(client.points.query(collection, { pointId: "none" }), { reason: "POINT_NOT_FOUND" });
      await assert.rejects(client.points.upsert(collection, [{ id: "x", vectors: { v: [Number.NaN, 0, 0] } }]), {
        reason: "INVALID_VECTOR",
      });
      assert.equal((await client.points.delete(collection, ["x", "none"])).deleted, 1);
    });

    test("every kind of filter means what it says", async () => {
      await client.collections.create(at("/filters"), { vectors: [{ name: "v", dimension: 1 }] });
      const vectors = { v: [1] };
      await client.points.upsert(at("/filters"), [
        { id: "a.md", vectors, metadata: { n: 1, tag: "red", deep: { er: true } }, content: "12345" },
        { id: "b.txt", vectors, metadata: { n: 2, tag: "green" }, content: "1" },
        { id: "c.txt", vectors, metadata: { n: 3 } },
      ]);
      const now = new Date(Date.now() + 60_000);
      const cases = [
        [{ metadata: { key: "deep.er", equals: true } }, ["a.md"]],
        [{ metadata: { key: "tag", prefix: "gr" } }, ["b.txt"]],
        [{ metadata: { key: "tag", exists: false } }, ["c.txt"]],
        [{ metadata: { key: "n", range: { gt: 1, lte: 3 } } }, ["b.txt", "c.txt"]],
        [{ negated: { metadata: { key: "n", oneOf: [1, 3] } } }, ["b.txt"]],
        [{ any: [{ metadata: { key: "n", equals: 3 } }, { attribute: { name: "*.md" } }] }, ["a.md", "c.txt"]],
        [
          { all: [{ attribute: { sizeBytes: { gte: 1 } } }, { attribute: { uid: process.getuid() } }] },
          ["a.md", "b.txt"],
        ],
        [{ attribute: { mtime: { from: now } } }, []],
        [{ attribute: { btime: { until: now } } }, ["a.md", "b.txt", "c.txt"]],
        [{ attribute: { gid: 4_000_000 } }, []],
      ];
      for (const [filter, expected] of cases) {
        const { hits } = await client.points.query(at("/filters"), { vector: [1] }, { filter });
        assert.deepEqual(hits.map(({ point }) => point.id).sort(), expected, JSON.stringify(filter));
      }
      await assert.rejects(client.points.query(at("/filters"), { vector: [1] }, { filter: {} }), {
        name: "InvalidArgumentError",
      });
    });

    test("what was written is found by meaning and by words", async () => {
      await client.files.write(at("/text/parser.md"), "# Options\n\nHow command line arguments are parsed.\n", {
        makeParents: true,
      });
      const { revision } = await client.files.write(at("/text/soup.md"), "# Soup\n\nBoil the carrots for an hour.\n");
      const waiting = { minRevision: revision, timeout: INDEXING_SECONDS };
      const { views } = await client.waitForViews(waiting);
      assert.deepEqual(views.map(({ view }) => view).sort(), ["dense", "lexical", "text"]);
      for (const { view, state, revision: reached } of views) {
        assert.ok(["ready", "behind"].includes(state) && reached >= revision, `${view} is ${state} at ${reached}`);
      }
      for (const mode of [undefined, "hybrid", "dense", "lexical"]) {
        const found = await client.search("boil carrots", { scope: at("/text"), mode, limit: 1, ...waiting });
        assert.equal(found.hits.length, 1);
        const [hit] = found.hits;
        assert.equal(hit.file.path, at("/text/soup.md"));
        assert.match(hit.passage.text, /carrots/);
        assert.ok(hit.passage.startLine >= 1 && hit.passage.endByte <= hit.file.sizeBytes);
        assert.equal(hit.matches[0].rank, 1);
        assert.ok(hit.matches.every((match) => ["dense", "lexical"].includes(match.mode)));
        assert.equal(found.partial, false);
      }
      const like = await client.search({ like: at("/text/soup.md") }, { scope: at("/text") });
      assert.deepEqual(
        like.hits.map(({ file }) => file.path),
        [at("/text/parser.md")],
      );
      const weights = { denseWeight: 0.5, lexicalWeight: 2 };
      const weighed = await client.search("boil carrots", { scope: at("/text"), ...weights });
      assert.equal(weighed.hits[0].file.path, at("/text/soup.md"));
      await assert.rejects(client.search("boil", { mode: "dense", ...weights }), { reason: "INVALID_ARGUMENT" });
      const filter = { attribute: { name: "parser*" } };
      const filtered = await client.search("boil carrots", { scope: at("/text"), filter, mode: "dense" });
      assert.deepEqual(
        filtered.hits.map(({ file }) => file.path),
        [at("/text/parser.md")],
      );
    });

    test("a vector is searched for in a collection", async () => {
      await client.collections.create(at("/vectors"), { vectors: [{ name: "v", dimension: 2 }] });
      const { revision } = await client.points.upsert(at("/vectors"), [{ id: "p", vectors: { v: [1, 1] } }]);
      const options = { scope: at("/vectors"), vectorName: "v", minRevision: revision };
      const { hits } = await client.search(Float32Array.of(1, 1), options);
      assert.equal(hits[0].file.path, at("/vectors/p"));
      assert.equal(hits[0].passage, undefined);
    });

    test("files that are not indexed are listed with the reason", async () => {
      const { revision } = await client.files.write(at("/binary"), new Uint8Array(2000).fill(0));
      const options = { scope: at(""), minRevision: revision, timeout: INDEXING_SECONDS, pageSize: 1 };
      await client.waitForViews({ minRevision: revision, timeout: INDEXING_SECONDS });
      const skipped = await client.listSkippedFiles(options).toArray();
      const found = skipped.find(({ file }) => file.path === at("/binary"));
      assert.match(found.reason, /\w/);
    });

    test("waiting ends at the time-out", async () => {
      await assert.rejects(client.waitForViews({ minRevision: 1n << 50n, timeout: 2 }), (error) => {
        assert.equal(error.code, "DEADLINE_EXCEEDED");
        // A busy machine may be late to say for what: then nobody says it, or the server that the time is over.
        assert.ok(["", "DEADLINE_EXCEEDED", "REVISION_NOT_REACHED"].includes(error.reason), error.reason);
        return error.name === "DeadlineExceededError";
      });
    });

    test("the server tells what it is", async () => {
      const info = await client.serverInfo();
      assert.match(info.version, /^\d+\.\d+\.\d+/);
      assert.ok(info.capabilities.includes("search.dense"));
      assert.equal(info.limits.nameSizeBytes, 255);
      assert.ok(info.store.revision >= 0n && info.store.readOnly === false && info.store.fileCount > 0);
      assert.ok(info.embedding.dimension > 0);
      assert.equal(info.views.length, 3);
      assert.equal(typeof info.text.ready, "number");
    });
  });
}

test("a build that was put off is told", async () => {
  const views = [{ view: "dense", revision: 7n, putOff: "20 MiB are available" }];
  const faulty = await startFaulty({
    SearchService: { waitForViews: () => ({ revision: 7n, views }) },
    ServerService: { getServerInfo: () => ({ revision: 7n, views }) },
  });
  const client = new Client({ address: faulty.address, token: "t" });
  try {
    for (const told of [await client.serverInfo(), await client.waitForViews()]) {
      assert.deepEqual(
        told.views.map(({ putOff }) => putOff),
        ["20 MiB are available"],
      );
    }
  } finally {
    client.close();
    await faulty.stop();
  }
});
