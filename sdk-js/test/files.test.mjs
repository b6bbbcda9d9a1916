// Files, over every transport, against a real server.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import {
  AlreadyExistsError,
  FailedPreconditionError,
  InvalidArgumentError,
  NotFoundError,
  UnauthenticatedError,
  VexfsError,
} from "@vexfs/client";
import { startServer } from "./server.mjs";
import { transports } from "./transports.mjs";

const MIB = 1024 * 1024;
let server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

for (const [name, makeClient] of Object.entries(transports)) {
  describe(name, () => {
    let client;
    let files;
    const at = (path) => `/${name}${path}`;
    before(async () => {
      client = makeClient(server);
      files = client.files;
      await files.makeDirectory(at(""));
    });
    after(() => client.close());

    test("stat tells what was written", async () => {
      const before = Date.now();
      const { file, revision } = await files.write(at("/dir/a.md"), "grüße", { makeParents: true, mode: 0o600 });
      assert.equal(file.path, at("/dir/a.md"));
      assert.equal(file.kind, "regular");
      assert.equal(file.mode, 0o600);
      assert.equal(file.sizeBytes, 7);
      assert.equal(file.revision, revision);
      assert.equal(file.contentRevision, revision);
      assert.ok(file.mtime instanceof Date && Math.abs(file.mtime.getTime() - before) < 60_000);
      assert.equal(file.mtimeNs / 1_000_000n, BigInt(file.mtime.getTime()));
      const found = await files.stat(at("/dir/a.md"), { minRevision: revision });
      assert.deepEqual(found.file, file);
      assert.equal(typeof found.revision, "bigint");
      assert.equal((await files.stat("/")).file.kind, "directory");
    });

    test("a file is named by path, id, bytes, or what stat told", async () => {
      const { file } = await files.write(at("/named"), "x");
      for (const ref of [file.id, { id: file.id }, { path: file.path }, new TextEncoder().encode(file.path), file]) {
        assert.equal((await files.stat(ref)).file.id, file.id);
      }
      const bytes = new Uint8Array([...new TextEncoder().encode(at("/")), 0xff]);
      const made = await files.write(bytes, "not UTF-8");
      assert.equal(made.file.path, "");
      assert.deepEqual(new Uint8Array(made.file.pathBytes), bytes);
      assert.equal(await files.readText(bytes), "not UTF-8");
    });

    test("content of every kind and size comes back", async () => {
      const large = Uint8Array.from({ length: 3 * MIB + 5 }, (_, n) => (n * 31) % 251);
      async function* pieces() {
        yield "ab";
        yield new Uint8Array([0x63]);
      }
      async function* many() {
        for (let start = 0; start < large.length; start += 100_001) {
          yield large.subarray(start, start + 100_001);
        }
      }
      const contents = {
        empty: ["", ""],
        text: ["abc", "abc"],
        bytes: [new Uint8Array([0x61, 0x62, 0x63]), "abc"],
        "a part of a buffer": [Buffer.from("xxabcxx").subarray(2, 5), "abc"],
        "array buffer": [new Uint8Array([0x61, 0x62, 0x63]).buffer, "abc"],
        blob: [new Blob(["a", "bc"]), "abc"],
        "web stream": [new Blob(["abc"]).stream(), "abc"],
        "node stream": [Readable.from([Buffer.from("ab"), "c"]), "abc"],
        iterable: [pieces(), "abc"],
        "an iterable without a piece": [(async function* () {})(), ""],
        "large bytes": [large, large],
        "large blob": [new Blob([large]), large],
        "large web stream": [new Blob([large]).stream(), large],
        "large iterable": [many(), large],
        "exactly as much as one request holds": [large.subarray(0, MIB), large.subarray(0, MIB)],
      };
      for (const [kind, [content, expected]] of Object.entries(contents)) {
        const { file } = await files.write(at("/content"), content);
        const bytes = await files.read(file);
        const wanted = typeof expected === "string" ? new TextEncoder().encode(expected) : expected;
        assert.equal(Buffer.compare(bytes, wanted), 0, kind);
        assert.equal(file.sizeBytes, wanted.length, kind);
      }
    });

    test("parts are read and written", async () => {
      await files.write(at("/parts"), "0123456789");
      assert.equal(await files.readText(at("/parts"), { offset: 2, length: 3 }), "234");
      assert.equal(await files.readText(at("/parts"), { offset: 8 }), "89");
      await files.write(at("/parts"), "xx", { offset: 4 });
      assert.equal(await files.readText(at("/parts")), "0123xx6789");
    });

    test("a stream tells what is being read, and can be left or piped", async () => {
      const { file } = await files.write(at("/stream"), new Uint8Array(5 * MIB).fill(7));
      const content = files.readStream(file);
      assert.equal((await content.opened()).file.sizeBytes, 5 * MIB);
      let size = 0;
      for await (const piece of content) {
        size += piece.length;
        if (size > MIB) {
          break;
        }
      }
      assert.ok(size < 5 * MIB);
      const response = new Response(files.readStream(file).toReadableStream());
      assert.equal((await response.arrayBuffer()).byteLength, 5 * MIB);
      const reader = files.readStream(file).toReadableStream().getReader();
      assert.equal((await reader.read()).done, false);
      await reader.cancel();
      await assert.rejects(files.readStream(at("/none")).opened(), NotFoundError);
    });

    test("the past can be read", async () => {
      const { revision } = await files.write(at("/past"), "old");
      await files.write(at("/past"), "new");
      assert.equal(await files.readText(at("/past"), { atRevision: revision }), "old");
      await assert.rejects(files.stat(at("/past"), { atRevision: 1n << 40n }), { reason: "REVISION_NOT_AVAILABLE" });
    });

    test("a condition on the content's revision holds", async () => {
      const { file } = await files.write(at("/condition"), "1", { ifContentRevision: 0n });
      await assert.rejects(files.write(at("/condition"), "2", { ifContentRevision: 0n }), AlreadyExistsError);
      await files.write(at("/condition"), "2", { ifContentRevision: file.contentRevision });
      const large = new Uint8Array(2 * MIB);
      await assert.rejects(files.write(at("/condition"), large, { ifContentRevision: file.contentRevision }), {
        reason: "CONTENT_CHANGED",
        name: "FailedPreconditionError",
      });
    });

    test("a list pages by itself", async () => {
      await files.makeDirectory(at("/list"));
      const names = Array.from({ length: 7 }, (_, n) => at(`/list/${n}`));
      for (const path of names) {
        await files.write(path, "");
      }
      const listed = [];
      for await (const file of files.list(at("/list"), { pageSize: 3 })) {
        listed.push(file.path);
      }
      assert.deepEqual(listed, names);
      const sizes = [];
      for await (const page of files.list(at("/list"), { pageSize: 3 }).pages()) {
        sizes.push(page.items.length);
        assert.ok(page.revision > 0n);
      }
      assert.deepEqual(sizes, [3, 3, 1]);
      const first = (await files.list(at("/list"), { pageSize: 5 }).pages().next()).value;
      const rest = await files.list(at("/list"), { pageToken: first.nextPageToken }).toArray();
      assert.equal(rest.length, 2);
      await assert.rejects(files.list(at("/list/0")).toArray(), { reason: "NOT_A_DIRECTORY" });
    });

    test("directories, moves, copies, links", async () => {
      const made = await files.makeDirectory(at("/tree/sub"), { makeParents: true, mode: 0o700 });
      assert.equal(made.file.mode, 0o700);
      await files.write(at("/tree/sub/a"), "a");
      const copy = await files.copy(at("/tree"), at("/copy"), { recursive: true });
      assert.equal(copy.copied, 3);
      assert.equal((await files.move(at("/copy/sub/a"), at("/copy/b"))).file.path, at("/copy/b"));
      await assert.rejects(files.move(at("/copy/b"), at("/tree/sub/a"), { noReplace: true }), AlreadyExistsError);
      await files.symlink("b", at("/copy/soft"));
      assert.equal((await files.readSymlink(at("/copy/soft"))).target, "b");
      assert.equal((await files.stat(at("/copy/soft"))).file.kind, "symlink");
      assert.equal((await files.stat({ path: at("/copy/soft"), follow: true })).file.kind, "regular");
      await files.symlink(new Uint8Array([0xff]), at("/copy/odd"));
      const odd = await files.readSymlink(at("/copy/odd"));
      assert.deepEqual([odd.target, ...odd.targetBytes], ["", 0xff]);
      assert.equal((await files.link(at("/copy/b"), at("/copy/hard"))).file.nlink, 2);
      await files.write(at("/copy/c"), "c");
      await files.move(at("/copy/c"), at("/copy/b"), { exchange: true });
      assert.equal(await files.readText(at("/copy/b")), "c");
      await assert.rejects(files.remove(at("/copy")), FailedPreconditionError);
      const { removed } = await files.remove(at("/copy"), { recursive: true });
      assert.equal(removed, 7);
    });

    test("attributes, extended attributes, metadata", async () => {
      const { file } = await files.write(at("/attributes"), "12345");
      const atime = new Date("2020-01-02T03:04:05.678Z");
      const mtime = 1_600_000_000_123_456_789n;
      const changed = await files.setAttributes(file, { mode: 0o640, uid: 5, gid: 6, sizeBytes: 3, atime, mtime });
      assert.deepEqual(
        [changed.file.mode, changed.file.uid, changed.file.gid, changed.file.sizeBytes],
        [0o640, 5, 6, 3],
      );
      assert.deepEqual([changed.file.atime, changed.file.mtimeNs], [atime, mtime]);
      const old = await files.setAttributes(file, { mtime: new Date(-1500) });
      assert.deepEqual([old.file.mtime, old.file.mtimeNs], [new Date(-1500), -1_500_000_000n]);

      await files.setXattr(file, "user.colour", "blue");
      await files.setXattr(file, "user.raw", new Uint8Array([0, 255]), { createOnly: true });
      await assert.rejects(files.setXattr(file, "user.raw", "", { createOnly: true }), { reason: "ATTRIBUTE_EXISTS" });
      await assert.rejects(files.setXattr(file, "user.no", "", { replaceOnly: true }), {
        reason: "ATTRIBUTE_NOT_FOUND",
      });
      assert.deepEqual((await files.listXattrs(file)).names, ["user.colour", "user.raw"]);
      assert.deepEqual([...(await files.getXattr(file, "user.raw")).value], [0, 255]);
      await files.removeXattr(file, "user.raw");
      await assert.rejects(files.getXattr(file, "user.raw"), NotFoundError);

      assert.deepEqual((await files.getMetadata(file)).metadata, {});
      const metadata = { author: { name: "Ada" }, tags: ["a", 1, true, null], size: 1.5 };
      const { revision } = await files.setMetadata(file, metadata);
      assert.deepEqual((await files.getMetadata(file, { minRevision: revision })).metadata, metadata);
    });

    test("errors have a class, a code, a reason and what the server tells", async () => {
      await assert.rejects(files.stat(at("/none")), (error) => {
        assert.ok(error instanceof NotFoundError && error instanceof VexfsError && error instanceof Error);
        assert.deepEqual(
          [error.name, error.code, error.reason, error.attempts, error.retryable, error.requestId],
          ["NotFoundError", "NOT_FOUND", "FILE_NOT_FOUND", 1, false, ""],
        );
        assert.deepEqual(error.metadata, { path: at("/none") });
        return true;
      });
      await assert.rejects(files.stat("relative"), (error) => {
        return error instanceof InvalidArgumentError && error.reason === "INVALID_PATH";
      });
      await assert.rejects(files.makeDirectory(at(""), { requestId: "again" }), (error) => {
        return error instanceof AlreadyExistsError && error.requestId === "again";
      });
      const stranger = makeClient(server, { token: "wrong" });
      await assert.rejects(stranger.files.stat("/"), UnauthenticatedError);
      await assert.rejects(stranger.files.write("/a", new Uint8Array(2 * MIB)), UnauthenticatedError);
      stranger.close();
    });

    test("a request id takes effect once", async () => {
      const first = await files.write(at("/once"), "1", { requestId: `${name}-once` });
      await files.write(at("/once"), "2");
      const again = await files.write(at("/once"), "1", { requestId: `${name}-once` });
      assert.equal(again.revision, first.revision);
      assert.equal(await files.readText(at("/once")), "2");
      await assert.rejects(files.write(at("/once"), "3", { requestId: `${name}-once` }), {
        reason: "REQUEST_ID_REUSED",
      });
    });

    test("a caller's stream that fails: its own error, and nothing is written", async () => {
      await files.write(at("/kept"), "kept");
      async function* breaking() {
        for (let n = 0; n < 30; n += 1) {
          yield new Uint8Array(MIB / 8);
        }
        throw new RangeError("no more");
      }
      await assert.rejects(files.write(at("/kept"), breaking()), RangeError);
      assert.equal(await files.readText(at("/kept")), "kept");
    });

    test("a call that fails lets go of the caller's stream", { timeout: 60_000 }, async () => {
      let release;
      const released = new Promise((resolve) => {
        release = resolve;
      });
      async function* endless() {
        try {
          for (let n = 0; n < 200; n += 1) {
            yield new Uint8Array(MIB / 8);
          }
        } finally {
          release();
        }
      }
      await assert.rejects(files.write(at(""), endless()), { reason: "IS_A_DIRECTORY" });
      await released;
    });

    test("a signal ends reading and writing", async () => {
      const { file } = await files.write(at("/cancelled"), new Uint8Array(4 * MIB));
      const reading = new AbortController();
      await assert.rejects(
        async () => {
          for await (const _ of files.readStream(file, { signal: reading.signal })) {
            reading.abort();
          }
        },
        { name: "CancelledError" },
      );
      const writing = new AbortController();
      async function* content() {
        for (let n = 0; n < 40; n += 1) {
          yield new Uint8Array(MIB / 8);
          if (n === 20) {
            writing.abort();
          }
        }
      }
      await assert.rejects(files.write(file, content(), { signal: writing.signal }), { name: "CancelledError" });
      assert.equal((await files.stat(file)).file.sizeBytes, 4 * MIB);
    });
  });
}
