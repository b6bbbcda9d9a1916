// Every method of the contract is one of the client's, and no call of the client goes anywhere else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Client } from "@vexfs/client";
import { services, startFaulty } from "./faulty.mjs";

const large = new Uint8Array(2 * 1024 * 1024);

/** One call of each method of the client, with the method of the contract that it is. */
const calls = {
  "FilesService/StatFile": (client) => client.files.stat("/a"),
  "FilesService/ListFiles": (client) => client.files.list("/a").toArray(),
  "FilesService/ReadFile": (client) => client.files.readStream("/a").bytes(),
  "FilesService/GetContent": (client) => client.files.read("/a"),
  "FilesService/WriteFile": (client) => client.files.write("/a", large),
  "FilesService/PutContent": (client) => client.files.write("/a", "small"),
  "FilesService/MakeDirectory": (client) => client.files.makeDirectory("/a"),
  "FilesService/MoveFile": (client) => client.files.move("/a", "/b"),
  "FilesService/CopyFile": (client) => client.files.copy("/a", "/b"),
  "FilesService/RemoveFile": (client) => client.files.remove("/a"),
  "FilesService/CreateSymlink": (client) => client.files.symlink("a", "/b"),
  "FilesService/ReadSymlink": (client) => client.files.readSymlink("/a"),
  "FilesService/CreateLink": (client) => client.files.link("/a", "/b"),
  "FilesService/SetAttributes": (client) => client.files.setAttributes("/a", { mode: 0o600 }),
  "FilesService/GetXattr": (client) => client.files.getXattr("/a", "user.a"),
  "FilesService/SetXattr": (client) => client.files.setXattr("/a", "user.a", "b"),
  "FilesService/ListXattrs": (client) => client.files.listXattrs("/a"),
  "FilesService/RemoveXattr": (client) => client.files.removeXattr("/a", "user.a"),
  "FilesService/GetMetadata": (client) => client.files.getMetadata("/a"),
  "FilesService/SetMetadata": (client) => client.files.setMetadata("/a", {}),
  "CollectionsService/CreateCollection": (client) => client.collections.create("/a", { embedText: true }),
  "CollectionsService/GetCollection": (client) => client.collections.get("/a"),
  "CollectionsService/ListCollections": (client) => client.collections.list().toArray(),
  "CollectionsService/DeleteCollection": (client) => client.collections.delete("/a"),
  "PointsService/UpsertPoints": (client) => client.points.upsert("/a", [{ id: "a" }]),
  "PointsService/UpsertPointsStream": (client) => client.points.upsertStream("/a", [{ id: "a" }]),
  "PointsService/GetPoints": (client) => client.points.get("/a", ["a"]),
  "PointsService/DeletePoints": (client) => client.points.delete("/a", ["a"]),
  "PointsService/ListPoints": (client) => client.points.list("/a").toArray(),
  "PointsService/QueryPoints": (client) => client.points.query("/a", { pointId: "a" }),
  "PointsService/BatchQueryPoints": (client) =>
    client.points.batchQuery([{ collection: "/a", query: { pointId: "a" } }]),
  "SearchService/BatchSearch": (client) => client.batchSearch([{ query: "a" }]),
  "SearchService/Search": (client) => client.search("a"),
  "SearchService/WaitForViews": (client) => client.waitForViews(),
  "SearchService/ListSkippedFiles": (client) => client.listSkippedFiles().toArray(),
  "ServerService/GetServerInfo": (client) => client.serverInfo(),
};
const ids = new Map();

/** A server that writes down which method was called, and refuses. */
function recording(seen) {
  const implementations = {};
  for (const service of services) {
    implementations[service.name] = {};
    for (const method of service.methods) {
      const refuse = (request) => {
        seen.push(`${service.name}/${method.name}`);
        ids.set(`${service.name}/${method.name}`, request.requestId);
        throw new ConnectError("on purpose", Code.FailedPrecondition);
      };
      implementations[service.name][method.localName] =
        method.methodKind === "server_streaming"
          ? async function* (request) {
              yield* [];
              refuse(request);
            }
          : method.methodKind === "client_streaming"
            ? async (requests) => {
                for await (const request of requests) {
                  refuse(request);
                }
              }
            : refuse;
    }
  }
  return implementations;
}

test("every method of the contract has its call", async () => {
  const contract = services.flatMap((service) => service.methods.map((method) => `${service.name}/${method.name}`));
  assert.deepEqual(Object.keys(calls).sort(), contract.sort());
  const seen = [];
  const server = await startFaulty(recording(seen));
  const client = new Client({ address: server.address });
  try {
    for (const [name, call] of Object.entries(calls)) {
      seen.length = 0;
      await assert.rejects(call(client), { name: "FailedPreconditionError", attempts: 1 }, name);
      assert.deepEqual(seen, [name]);
    }
  } finally {
    client.close();
    await server.stop();
  }
  const writing = services.flatMap((service) =>
    service.methods
      .filter((method) => method.input.fields.some((field) => field.name === "request_id"))
      .map((method) => `${service.name}/${method.name}`),
  );
  assert.ok(writing.length >= 15);
  for (const name of writing) {
    assert.match(ids.get(name), /^[0-9a-f-]{36}$/, name);
  }
});
