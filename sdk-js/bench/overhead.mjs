// What the client adds to a small call, beside the bare stub of the library below it: StatFile of the root through both, in turns,
// against the server that VEXFS_ADDRESS and VEXFS_TOKEN name. Called by the benchmark `sdk`:
//
//     node bench/overhead.mjs ROUNDS CALLS     # a line of JSON for each round, with the medians in microseconds

import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client } from "@vexfs/client";
import { FilesService } from "../dist/gen/vexfs/v1/files_pb.js";

/** How many calls of one make a turn: what else the machine does then hits both alike. */
const TURN = 50;
const [rounds, calls] = process.argv.slice(2).map(Number);
if (!(rounds > 0 && calls > 0)) {
  throw new Error("usage: node bench/overhead.mjs ROUNDS CALLS");
}

async function take(times, call) {
  for (let n = 0; n < TURN; n += 1) {
    const begin = performance.now();
    await call();
    times.push((performance.now() - begin) * 1000);
  }
}

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];

const client = new Client();
const stub = createClient(FilesService, createGrpcTransport({ baseUrl: `http://${process.env.VEXFS_ADDRESS}` }));
const headers = { authorization: `Bearer ${process.env.VEXFS_TOKEN}` };
const request = { file: { name: { case: "path", value: "/" } } };
try {
  for (let round = 0; round < rounds; round += 1) {
    const [bySdk, byStub] = [[], []];
    while (bySdk.length < calls) {
      await take(bySdk, () => client.files.stat("/"));
      await take(byStub, () => stub.statFile(request, { headers, timeoutMs: 30_000 }));
    }
    console.log(JSON.stringify({ sdk_us: median(bySdk), stub_us: median(byStub) }));
  }
} finally {
  client.close();
}
process.exit(0); // the bare transport keeps its connection for a while
