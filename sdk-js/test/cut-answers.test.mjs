// Answers that are cut off on their way, at every length: the call is tried again, over every transport.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "@vexfs/client";
import { Client as BrowserClient } from "@vexfs/client/browser";
import { startCuttingProxy } from "./cutting-proxy.mjs";
import { startServer } from "./server.mjs";

const CONTENT = "0123456789".repeat(100_000);
let server;

before(async () => {
  server = await startServer();
  const client = new Client(server);
  await client.files.write("/large", CONTENT);
  client.close();
});
after(() => server.stop());

const settings = () => ({ token: server.token, maxAttempts: 20, timeout: 120 });
const transports = {
  grpc: (address) => new Client({ address, ...settings() }),
  connect: (address) => new Client({ transport: "connect", url: `http://${address}`, ...settings() }),
  fetch: (address) => new BrowserClient({ url: `http://${address}`, ...settings() }),
};

for (const [name, makeClient] of Object.entries(transports)) {
  const target = () => (name === "grpc" ? server.address : new URL(server.url).host);

  test(`${name}: a small answer that is cut off`, async () => {
    for (const limit of [0, 1, 40, 120, 200, 300]) {
      const proxy = await startCuttingProxy(target(), [limit]);
      const client = makeClient(proxy.address);
      const { file } = await client.files.stat("/large");
      assert.equal(file.sizeBytes, CONTENT.length);
      const written = await client.files.write(`/${name}-${limit}`, "text");
      assert.equal(written.file.sizeBytes, 4);
      client.close();
      await proxy.stop();
    }
  });

  test(`${name}: a stream that is cut off, again and again`, async () => {
    const proxy = await startCuttingProxy(target(), [2_000, 70_000, 300_000, 300_000]);
    const client = makeClient(proxy.address);
    assert.equal(await client.files.readText("/large"), CONTENT);
    assert.equal(proxy.connections, 5);
    client.close();
    await proxy.stop();
  });
}
