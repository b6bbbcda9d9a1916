// All hits of a search and of a query of points, page after page: against a real server, and against a scripted one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Client } from "@vexfs/client";
import { startFaulty } from "./faulty.mjs";
import { startServer } from "./server.mjs";
import { transports } from "./transports.mjs";

const POINTS = 25;
const FILES = 7;
const HITS_MAX = 10_000;
const INDEXING_SECONDS = 120;
let server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

async function collect(list) {
  const items = [];
  for await (const item of list) {
    items.push(item);
  }
  return items;
}

for (const [name, makeClient] of Object.entries(transports)) {
  describe(name, () => {
    let client;
    const at = (path) => `/${name}${path}`;
    before(async () => {
      client = makeClient(server);
      await client.files.makeDirectory(at(""));
    });
    after(() => client.close());

    test("all points come once and in order", async () => {
      const { collection } = await client.collections.create(at("/c"), { vectors: [{ name: "v", dimension: 2 }] });
      // Each is a little further from the direction [1, 0] than the one before.
      const wanted = Array.from({ length: POINTS }, (_, number) => `p${String(number).padStart(2, "0")}`);
      const points = wanted.map((id, number) => ({ id, vectors: { v: [10, number] } }));
      const { revision: minRevision } = await client.points.upsert(collection, points);
      const idsOf = async (options) =>
        (await collect(client.points.queryHits(collection, { vector: [1, 0] }, { minRevision, ...options }))).map(
          ({ point }) => point.id,
        );
      assert.deepEqual(await idsOf({}), wanted);
      assert.deepEqual(await idsOf({ pageSize: 4 }), wanted);
      for (const limit of [0, 1, 4, 6, POINTS, POINTS + 1]) {
        assert.deepEqual(await idsOf({ pageSize: 4, limit }), wanted.slice(0, limit || POINTS));
      }
      const hits = client.points.queryHits(collection, { vector: [1, 0] }, { pageSize: 4, withVectors: true });
      const sizes = [];
      for await (const page of hits.pages()) {
        sizes.push(page.items.length);
      }
      assert.deepEqual(sizes, [4, 4, 4, 4, 4, 4, 1]);
      const whole = await client.points.query(collection, { vector: [1, 0] }, { limit: POINTS, withVectors: true });
      assert.deepEqual(await hits.toArray(), whole.hits, "it can be gone through again");
      const { nextPageToken } = (await hits.pages().next()).value;
      assert.deepEqual(await idsOf({ pageToken: nextPageToken, limit: 3 }), wanted.slice(4, 7));
    });

    test("all files come once and in order", async () => {
      let minRevision;
      for (let number = 0; number < FILES; number++) {
        const text = `The harbour opens at noon. ${"Fog is rare. ".repeat(number)}`;
        ({ revision: minRevision } = await client.files.write(at(`/notes/${number}.md`), text, { makeParents: true }));
      }
      const question = "when does the harbour open?";
      for (const mode of ["dense", "lexical", "hybrid"]) {
        const options = { mode, scope: at("/notes"), minRevision, timeout: INDEXING_SECONDS };
        const pathOf = ({ file }) => file.path;
        const paths = (await collect(client.searchHits(question, { ...options, pageSize: 2 }))).map(pathOf);
        assert.equal(new Set(paths).size, FILES, mode);
        assert.equal(paths.length, FILES);
        // The first page of a hybrid search is how deep it is fused.
        if (mode !== "hybrid") {
          assert.deepEqual(paths, (await client.search(question, { ...options, limit: FILES })).hits.map(pathOf));
        }
        const first = await client.searchHits(question, { ...options, pageSize: 2, limit: 3 }).toArray();
        assert.deepEqual(first.map(pathOf), paths.slice(0, 3));
      }
    });
  });
}

test("what is behind the last page is an error, and a limit ends before it", async () => {
  const client = new Client({ address: server.address, token: server.token, timeout: INDEXING_SECONDS });
  try {
    const { collection } = await client.collections.create("/many-hits", { vectors: [{ name: "v", dimension: 1 }] });
    const ids = Array.from({ length: HITS_MAX + 5 }, (_, number) => String(number).padStart(5, "0"));
    let minRevision;
    for (const some of [ids.slice(0, HITS_MAX), ids.slice(HITS_MAX)]) {
      const points = some.map((id) => ({ id, vectors: { v: [1] } }));
      ({ revision: minRevision } = await client.points.upsert(collection, points));
    }
    const options = { pageSize: 1000, exact: true, minRevision };
    const hits = await client.points.queryHits(collection, { vector: [1] }, { ...options, limit: HITS_MAX }).toArray();
    assert.deepEqual(
      hits.map(({ point }) => point.id),
      ids.slice(0, HITS_MAX),
    );
    let came = 0;
    await assert.rejects(
      async () => {
        for await (const _ of client.points.queryHits(collection, { vector: [1] }, options)) {
          came++;
        }
      },
      { name: "InvalidArgumentError" },
    );
    assert.equal(came, HITS_MAX);
  } finally {
    client.close();
  }
});

/** A server of three pages of a search, the third of which is refused if `failing`; it notes what it is asked. */
async function startPages(asked, failing) {
  const pages = { "": [[1n, 2n], "b"], b: [[3n, 4n], "c"], c: [[5n, 6n], "d"] };
  return startFaulty({
    SearchService: {
      search({ limit, pageToken }) {
        asked.push([limit, pageToken]);
        if (failing && pageToken === "c") {
          throw new ConnectError("no more", Code.FailedPrecondition);
        }
        const [ids, nextPageToken] = pages[pageToken];
        return { revision: 7n, hits: ids.slice(0, limit).map((id) => ({ file: { id, path: "/a" } })), nextPageToken };
      },
    },
  });
}

test("a page is asked for when it is needed, and nothing behind the last hit that is taken", async () => {
  const asked = [];
  const faulty = await startPages(asked, false);
  const client = new Client({ address: faulty.address, token: "t" });
  try {
    const hits = client.searchHits("x", { pageSize: 2 });
    assert.deepEqual(asked, []);
    const ids = [];
    for await (const { file } of hits) {
      ids.push(file.id);
      if (ids.length === 2) break;
    }
    assert.deepEqual([ids, asked], [[1n, 2n], [[2, ""]]]);
    asked.length = 0;
    const limited = await client.searchHits("x", { pageSize: 2, limit: 5 }).toArray();
    assert.deepEqual(
      limited.map(({ file }) => file.id),
      [1n, 2n, 3n, 4n, 5n],
    );
    assert.deepEqual(
      asked,
      [
        [2, ""],
        [2, "b"],
        [1, "c"],
      ],
      "no more than is wanted",
    );
    asked.length = 0;
    await client.searchHits("x")[Symbol.asyncIterator]().next();
    assert.deepEqual(asked, [[100, ""]]);
  } finally {
    client.close();
    await faulty.stop();
  }
});

test("an error in the middle comes after the hits before it", async () => {
  const faulty = await startPages([], true);
  const client = new Client({ address: faulty.address, token: "t" });
  try {
    const ids = [];
    await assert.rejects(
      async () => {
        for await (const { file } of client.searchHits("x", { pageSize: 2 })) {
          ids.push(file.id);
        }
      },
      { name: "FailedPreconditionError" },
    );
    assert.deepEqual(ids, [1n, 2n, 3n, 4n]);
  } finally {
    client.close();
    await faulty.stop();
  }
});
