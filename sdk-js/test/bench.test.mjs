// The benchmark's program runs, in small, so that it does not rot. What it measures here means nothing.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startServer } from "./server.mjs";

test("the overhead program prints the medians of each round", async () => {
  const server = await startServer();
  try {
    const script = fileURLToPath(new URL("../bench/overhead.mjs", import.meta.url));
    const env = { ...process.env, VEXFS_ADDRESS: server.address, VEXFS_TOKEN: server.token };
    const { stdout } = await promisify(execFile)(process.execPath, [script, "2", "3"], { env });
    const rounds = stdout.trim().split("\n").map(JSON.parse);
    assert.equal(rounds.length, 2);
    assert.ok(rounds.every((round) => round.sdk_us > 0 && round.stub_us > 0));
  } finally {
    await server.stop();
  }
});
