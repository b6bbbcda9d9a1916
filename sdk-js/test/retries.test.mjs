// Trying again, deadlines, request ids and cancelling, against a server that fails on purpose.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  CancelledError,
  Client,
  DeadlineExceededError,
  InternalError,
  ResourceExhaustedError,
  UnavailableError,
  version,
} from "@vexfs/client";
import { ErrorInfoSchema, RetryInfoSchema } from "../dist/gen/google/rpc/error_details_pb.js";
import { startFaulty } from "./faulty.mjs";

const FILE = { id: 7n, path: "/a", kind: 1 };
const stops = [];
after(async () => {
  for (const stop of stops) {
    await stop();
  }
});

async function serve(files, settings = {}) {
  const server = await startFaulty({ FilesService: files });
  const client = new Client({ address: server.address, ...settings });
  stops.push(async () => {
    client.close();
    await server.stop();
  });
  return { client, server };
}

function refusal(reason, code, { retryable, delayMs } = {}) {
  const metadata = retryable === undefined ? {} : { retryable: String(retryable) };
  const details = [{ desc: ErrorInfoSchema, value: { domain: "vexfs.v1", reason, metadata } }];
  if (delayMs !== undefined) {
    const retryDelay = { seconds: BigInt(Math.floor(delayMs / 1000)), nanos: (delayMs % 1000) * 1_000_000 };
    details.push({ desc: RetryInfoSchema, value: { retryDelay } });
  }
  return new ConnectError("on purpose", code, undefined, details);
}

/** Fails `times` times, then answers. Keeps what came. */
function failing(times, error, answer) {
  const seen = [];
  const method = (request, context) => {
    seen.push({ request, header: context.requestHeader, at: performance.now() });
    if (seen.length <= times) {
      throw error();
    }
    return answer;
  };
  return { seen, method };
}

test("what passes by itself is tried again, with one request id", async () => {
  const { seen, method } = failing(2, () => refusal("QUEUE_FULL", Code.ResourceExhausted), {
    revision: 3n,
    file: FILE,
  });
  const { client } = await serve({ makeDirectory: method });
  const { file, revision } = await client.files.makeDirectory("/a");
  assert.equal(file.id, 7n);
  assert.equal(revision, 3n);
  const ids = seen.map(({ request }) => request.requestId);
  assert.equal(ids.length, 3);
  assert.match(ids[0], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(new Set(ids), new Set([ids[0]]));
});

test("a request id that is given is the one that is sent, and stands in the error", async () => {
  const { seen, method } = failing(99, () => refusal("QUEUE_FULL", Code.ResourceExhausted), {});
  const { client } = await serve({ moveFile: method });
  await assert.rejects(client.files.move("/a", "/b", { requestId: "mine", maxAttempts: 2 }), (error) => {
    assert.ok(error instanceof ResourceExhaustedError);
    assert.equal(error.requestId, "mine");
    assert.equal(error.attempts, 2);
    assert.equal(error.retryable, true);
    return true;
  });
  assert.deepEqual(
    seen.map(({ request }) => request.requestId),
    ["mine", "mine"],
  );
});

test("attempts end at the number that is set", async () => {
  for (const [settings, expected] of [
    [{}, 4],
    [{ maxAttempts: 1 }, 1],
    [{ maxAttempts: 6 }, 6],
  ]) {
    const { seen, method } = failing(99, () => new ConnectError("gone", Code.Unavailable), {});
    const { client } = await serve({ statFile: method }, settings);
    await assert.rejects(client.files.stat("/a"), (error) => {
      assert.ok(error instanceof UnavailableError);
      assert.equal(error.reason, "");
      assert.equal(error.attempts, expected);
      return true;
    });
    assert.equal(seen.length, expected);
  }
});

test("what cannot pass by itself is not tried again", async () => {
  for (const error of [
    () => refusal("INTERNAL", Code.Internal),
    () => new ConnectError("bug", Code.Internal),
    () => refusal("VOLUME_READ_ONLY", Code.Unavailable),
    () => refusal("NOT_OF_THIS_RELEASE", Code.Unavailable, { retryable: false }),
  ]) {
    const { seen, method } = failing(99, error, {});
    const { client } = await serve({ statFile: method });
    await assert.rejects(client.files.stat("/a"), (thrown) => thrown.attempts === 1 && thrown.retryable === false);
    assert.equal(seen.length, 1);
  }
});

test("after a deadline nothing is tried again", async () => {
  const { seen, method } = failing(99, () => refusal("REVISION_NOT_REACHED", Code.DeadlineExceeded), {});
  const { client } = await serve({ statFile: method });
  const expected = { name: "DeadlineExceededError", reason: "REVISION_NOT_REACHED", attempts: 1, retryable: true };
  await assert.rejects(client.files.stat("/a"), expected);
  assert.equal(seen.length, 1);
});

test("a reason that this release does not know is tried again if the server says so", async () => {
  const { seen, method } = failing(1, () => refusal("OF_A_LATER_RELEASE", Code.Aborted, { retryable: true }), {
    file: FILE,
  });
  const { client } = await serve({ statFile: method });
  await client.files.stat("/a");
  assert.equal(seen.length, 2);
});

test("the server's delay is the least that is waited", async () => {
  const error = () => refusal("QUEUE_FULL", Code.ResourceExhausted, { delayMs: 400 });
  const { seen, method } = failing(1, error, { file: FILE });
  const { client } = await serve({ statFile: method });
  await client.files.stat("/a");
  assert.ok(seen[1].at - seen[0].at >= 395, `waited ${seen[1].at - seen[0].at} ms`);
});

test("when the deadline would pass in the pause, the last error comes at once", async () => {
  const error = () => refusal("QUEUE_FULL", Code.ResourceExhausted, { delayMs: 60_000 });
  const { seen, method } = failing(99, error, {});
  const { client } = await serve({ statFile: method });
  const start = performance.now();
  await assert.rejects(client.files.stat("/a", { timeout: 30 }), ResourceExhaustedError);
  assert.ok(performance.now() - start < 15_000, "it waited");
  assert.equal(seen.length, 1);
});

test("one deadline covers all attempts, and the server is told what is left of it", async () => {
  const left = [];
  const { client } = await serve({
    statFile: async (_, context) => {
      left.push(context.timeoutMs());
      if (left.length === 1) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        throw refusal("UNAVAILABLE", Code.Unavailable);
      }
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      throw new ConnectError("too late", Code.DeadlineExceeded);
    },
  });
  const start = performance.now();
  // So long that two attempts get to the server on the busiest machine.
  await assert.rejects(client.files.stat("/a", { timeout: 5 }), (error) => {
    assert.ok(error instanceof DeadlineExceededError);
    assert.equal(error.attempts, 2);
    return true;
  });
  const took = performance.now() - start;
  assert.ok(took >= 4900 && took < 25_000, `took ${took} ms`);
  assert.ok(left[0] > 0 && left[0] <= 5000, `told ${left[0]}`);
  assert.ok(left[1] > 0 && left[1] <= 4710, `told ${left[1]}`);
});

test("a time-out of 0 is no limit", async () => {
  let told = "nothing";
  const { client } = await serve(
    {
      statFile: (_, context) => {
        told = context.requestHeader.get("grpc-timeout");
        return { file: FILE };
      },
    },
    { timeout: 0 },
  );
  await client.files.stat("/a");
  assert.equal(told, null);
  await client.files.stat("/a", { timeout: 5 });
  assert.match(told, /^\d+m$/);
});

test("a signal ends the call on the server, too", async () => {
  let ended;
  const endedOnServer = new Promise((resolve) => {
    ended = resolve;
  });
  const cancelling = new AbortController();
  const { client } = await serve({
    statFile: async (_, context) => {
      context.signal.addEventListener("abort", ended);
      cancelling.abort(new Error("enough"));
      await endedOnServer;
      throw new ConnectError("gone", Code.Canceled);
    },
  });
  await assert.rejects(client.files.stat("/a", { signal: cancelling.signal }), (error) => {
    assert.ok(error instanceof CancelledError);
    assert.equal(error.code, "CANCELLED");
    assert.equal(error.cause.message, "enough");
    return true;
  });
  await endedOnServer;
  await assert.rejects(client.files.stat("/a", { signal: cancelling.signal }), CancelledError);
});

test("a signal ends the pause between attempts", async () => {
  const cancelling = new AbortController();
  const { method } = failing(99, () => {
    setTimeout(() => cancelling.abort(), 50);
    return refusal("QUEUE_FULL", Code.ResourceExhausted, { delayMs: 30_000 });
  });
  const { client } = await serve({ statFile: method });
  const start = performance.now();
  await assert.rejects(client.files.stat("/a", { signal: cancelling.signal, timeout: 60 }), CancelledError);
  assert.ok(performance.now() - start < 20_000, "it waited");
});

test("a connection that breaks is nobody's answer: the call is tried again", async () => {
  let calls = 0;
  const { client, server } = await serve({
    putContent: (_, context) => {
      calls += 1;
      if (calls === 1) {
        server.breakConnections();
        return new Promise((_resolve, reject) => {
          context.signal.addEventListener("abort", () => reject(new ConnectError("gone", Code.Canceled)));
        });
      }
      return { revision: 1n, file: FILE };
    },
  });
  const { file } = await client.files.write("/a", "text");
  assert.equal(file.id, 7n);
  assert.equal(calls, 2);
});

test("nobody there is UNAVAILABLE, after all attempts", async () => {
  const client = new Client({ address: "127.0.0.1:1" });
  await assert.rejects(client.files.stat("/a"), (error) => {
    assert.ok(error instanceof UnavailableError);
    assert.equal(error.attempts, 4);
    assert.equal(error.retryable, true);
    return true;
  });
});

test("reading goes on where it broke off, at the same revision", async () => {
  const seen = [];
  const { client } = await serve({
    async *readFile(request) {
      seen.push(request);
      if (seen.length === 1) {
        yield { revision: 9n, data: new Uint8Array([1, 2]), offset: 0n, file: FILE };
        yield { revision: 9n, data: new Uint8Array([3]), offset: 2n };
        throw new ConnectError("gone", Code.Unavailable);
      }
      yield { revision: 9n, data: new Uint8Array([4, 5]), offset: 3n, file: FILE };
    },
  });
  assert.deepEqual([...(await client.files.readStream("/a", { length: 5 }).bytes())], [1, 2, 3, 4, 5]);
  assert.equal(seen.length, 2);
  assert.deepEqual([seen[1].offset, seen[1].length, seen[1].atRevision], [3n, 2n, 9n]);
});

test("leaving a stream ends the call on the server", { timeout: 60_000 }, async () => {
  let left;
  const leftOnServer = new Promise((resolve) => {
    left = resolve;
  });
  const { client } = await serve({
    async *readFile(_, context) {
      context.signal.addEventListener("abort", left);
      for (let at = 0n; !context.signal.aborted; at += 1n) {
        yield { revision: 1n, data: new Uint8Array(1), offset: at, file: FILE };
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  });
  for await (const piece of client.files.readStream("/a")) {
    assert.equal(piece.length, 1);
    break;
  }
  await leftOnServer;
});

test("a caller's stream is not sent again once bytes were taken; content in hand is", async () => {
  let calls = 0;
  const { client } = await serve({
    async writeFile(requests) {
      calls += 1;
      let size = 0;
      for await (const { part } of requests) {
        size += part.case === "data" ? part.value.length : 0;
      }
      if (calls % 2 === 1) {
        throw new ConnectError("gone", Code.Unavailable);
      }
      return { revision: 1n, file: { ...FILE, sizeBytes: BigInt(size) } };
    },
  });
  async function* stream() {
    for (let piece = 0; piece < 3; piece += 1) {
      yield new Uint8Array(1024 * 1024);
    }
  }
  await assert.rejects(client.files.write("/a", stream()), (error) => {
    assert.ok(error instanceof UnavailableError);
    assert.equal(error.attempts, 1);
    return true;
  });
  assert.equal(calls, 1);
  calls = 0;
  const { file } = await client.files.write("/a", new Uint8Array(3 * 1024 * 1024));
  assert.equal(calls, 2);
  assert.equal(file.sizeBytes, 3 * 1024 * 1024);
});

test("an answer that lacks what the contract promises is an error of this package", async () => {
  const { client } = await serve({ statFile: () => ({ revision: 1n }) });
  await assert.rejects(client.files.stat("/a"), InternalError);
});

test("the client says its name and version, and its token", async () => {
  const { seen, method } = failing(0, undefined, { file: FILE });
  const { client } = await serve({ statFile: method }, { token: "secret" });
  await client.files.stat("/a");
  assert.equal(seen[0].header.get("user-agent"), `vexfs-js/${version}`);
  assert.equal(seen[0].header.get("authorization"), "Bearer secret");
});
