// What the client adds to a small call, beside the bare stub of the library below it: the same call, over the same kind of connection.
//
//     node bench/overhead.mjs [CALLS]     # starts a server of its own; prints the medians of alternating rounds, and their ratio

import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client } from "@vexfs/client";
import { FilesService } from "../dist/gen/vexfs/v1/files_pb.js";
import { startServer } from "../test/server.mjs";

const ROUNDS = 7;
const calls = Number(process.argv[2] ?? 500);

async function microsecondsACall(call) {
  const start = performance.now();
  for (let n = 0; n < calls; n += 1) {
    await call();
  }
  return ((performance.now() - start) * 1000) / calls;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const server = await startServer();
const client = new Client({ address: server.address, token: server.token });
const stub = createClient(FilesService, createGrpcTransport({ baseUrl: `http://${server.address}` }));
const headers = { authorization: `Bearer ${server.token}` };
const request = { file: { name: { case: "path", value: "/" } } };
const ways = {
  client: () => client.files.stat("/"),
  stub: () => stub.statFile(request, { headers, timeoutMs: 30_000 }),
};
const times = { client: [], stub: [] };
try {
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, call] of Object.entries(ways)) {
      const time = await microsecondsACall(call);
      if (round > 0) {
        times[name].push(time); // the first round warms up
      }
    }
  }
} finally {
  client.close();
  await server.stop();
}
const [ours, bare] = [median(times.client), median(times.stub)];
const result = { calls, rounds: ROUNDS, client_us: Math.round(ours), stub_us: Math.round(bare), ratio: ours / bare };
console.log(JSON.stringify({ ...result, ratio: Number(result.ratio.toFixed(3)) }));
